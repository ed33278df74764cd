//! One request that is answered with bytes of anybody's choice, the client in this process. A fuzz
//! target takes it from here.

use std::time::Duration;

use hyper::Method;
use katydid::clock::Timers;
use katydid::http::{Base, Client, Exchange, Options, Protocol, Request, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

/// Runs on a load thread's kind of runtime.
pub(crate) fn on_thread<R>(all: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, all)
}

/// A session that waits a tenth of a second for what does not come, and follows few redirects or
/// none.
pub(crate) fn session(protocol: Protocol, max_redirects: u32) -> Session {
    let timers = Timers::new().unwrap();
    spawn_local(timers.clone().run());
    let options = Options {
        connection_timeout: Duration::from_secs(1),
        network_timeout: Duration::from_millis(100),
        body_limit: 1_000_000,
        max_redirects,
        protocol,
        ..Options::default()
    };
    Session::new(&Client::new(options, timers).unwrap())
}

/// Sends one request and looks at everything that its answer has.
///
/// # Errors
/// When there is no end of it.
pub(crate) async fn exchanged(session: &Session, base: &Base) -> Result<Exchange, String> {
    let mut request = Request::new(Method::GET, base.url("/mutant", &[]).unwrap());
    request.timeout = Some(Duration::from_secs(2));
    let sent = tokio::time::timeout(Duration::from_secs(60), session.send(request));
    let exchange = sent.await.map_err(|_| "a request has no end")?;
    match &exchange.result {
        Ok(response) => {
            let _ = response.decoded_body();
            let _ = (
                response.reason(),
                response.version(),
                response.url().to_string(),
            );
            let _ = response.cookies().count();
            let _ = format!("{:?}", response.headers());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let phases: u64 = exchange
        .phases
        .each()
        .iter()
        .map(|(_, us)| u64::from(*us))
        .sum();
    let whole = exchange.ended.since(exchange.started);
    if phases != whole {
        return Err(format!("phases of {phases} us in a request of {whole} us"));
    }
    Ok(exchange)
}

/// Whether another request comes; over HTTP/2 whether anything does.
pub(crate) async fn reads_request(stream: &mut TcpStream, protocol: Protocol) -> bool {
    let mut read = Vec::new();
    loop {
        match stream.read_buf(&mut read).await {
            Ok(1..) if protocol == Protocol::Http2 || read.ends_with(b"\r\n\r\n") => return true,
            Ok(1..) => {}
            Ok(0) | Err(_) => return false,
        }
    }
}

/// Sends two requests over a connection that answers with these bytes and is closed then. Never
/// follows a redirect: whoever made the bytes could name any host.
#[allow(
    dead_code,
    reason = "here it is only seen to work; a fuzz target needs it"
)]
pub(crate) fn answered(bytes: &[u8], protocol: Protocol) {
    on_thread(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let bytes = bytes.to_vec();
        spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                if reads_request(&mut stream, protocol).await {
                    let _ = stream.write_all(&bytes).await;
                }
            }
        });
        let session = session(protocol, 0);
        for _ in 0..2 {
            exchanged(&session, &base).await.unwrap();
        }
    });
}

#[test]
fn any_bytes_are_an_answer_or_a_failure() {
    for bytes in [&b""[..], b"\0\xff", b"HTTP/1.1 200 OK\r\n\r\nx", b"HTTP/9"] {
        answered(bytes, Protocol::Http1);
        answered(bytes, Protocol::Http2);
    }
}
