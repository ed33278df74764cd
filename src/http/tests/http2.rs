//! HTTP/2: one connection for many requests, what a server may refuse, and the choice of the
//! version. The peer is h2's own server, so that it can misbehave.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use hyper::Version;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::super::{Error, Limit, Protocol};
use super::authority::Authority;
use super::*;

type Asked = hyper::Request<h2::RecvStream>;

/// Speaks HTTP/2 on one connection until its client closes it, each request answered by itself.
async fn speak<F: Future<Output = ()> + 'static>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    answer: impl Fn(Asked, SendResponse<Bytes>) -> F,
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        spawn_local(answer(request, respond));
    }
}

/// A peer without TLS, and a session that knows what it speaks.
async fn plain<F: Future<Output = ()> + 'static>(
    answer: impl Fn(usize, Asked, SendResponse<Bytes>) -> F + 'static,
) -> (Peer, Session) {
    let answer = Rc::new(answer);
    let peer = Peer::start(move |number, stream| {
        let answer = Rc::clone(&answer);
        speak(stream, move |request, respond| {
            answer(number, request, respond)
        })
    })
    .await;
    (peer, by_prior_knowledge(Options::default()))
}

fn by_prior_knowledge(options: Options) -> Session {
    Session::new(&client(Options {
        protocol: Protocol::Http2,
        ..options
    }))
}

fn respond_with(mut respond: SendResponse<Bytes>, body: impl Into<Bytes>) {
    let response = hyper::Response::new(());
    let mut stream = respond.send_response(response, false).unwrap();
    stream.send_data(body.into(), true).unwrap();
}

async fn read_all(mut body: h2::RecvStream) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        read.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    read
}

#[test]
fn several_at_once_share_one_connection() {
    on_thread(async {
        // The second answers the first: only together they get through.
        let waiting: Rc<Cell<Option<SendResponse<Bytes>>>> = Rc::default();
        let (peer, session) = plain(move |_, request, respond| {
            let waiting = Rc::clone(&waiting);
            async move {
                match request.uri().path() {
                    "/first" => waiting.set(Some(respond)),
                    _ => {
                        respond_with(waiting.take().unwrap(), "1");
                        respond_with(respond, "2");
                    }
                }
            }
        })
        .await;
        let (first, second) = tokio::join!(
            session.send(peer.get("/first")),
            session.send(peer.get("/second"))
        );
        for (exchange, expected) in [(&first, "1"), (&second, "2")] {
            assert_eq!(body(exchange), expected);
            let response = exchange.result.as_ref().unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            assert_eq!(response.reason(), "OK");
            assert_adds_up(exchange);
            assert_eq!(exchange.received, 1);
        }
        // Who waited for the other's connection was blocked, and did not connect.
        assert!(first.phases.connect > 0 && second.phases.connect == 0);
        assert_eq!(peer.accepted.get(), 1);
    });
}

#[test]
fn a_request_looks_as_the_version_wants_it() {
    on_thread(async {
        let (peer, session) = plain(|_, request, respond| async move {
            let (head, body) = request.into_parts();
            let read = read_all(body).await;
            let mut names: Vec<_> = head.headers.keys().map(|name| name.as_str()).collect();
            names.sort_unstable();
            let shown = format!(
                "{} {} {} {}",
                head.method,
                head.uri,
                names.join(","),
                String::from_utf8_lossy(&read)
            );
            respond_with(respond, shown);
        })
        .await;
        let address = peer.address;
        let exchange = session.send(peer.get("/a?b=c")).await;
        let expected = format!("GET http://{address}/a?b=c accept-encoding,user-agent ");
        assert_eq!(body(&exchange), expected);
        let mut request = peer.post("/", "text");
        let headers = &mut request.headers;
        headers.insert(HOST, HeaderValue::from_static("virtual:1"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let exchange = session.send(request).await;
        let expected = "POST http://virtual:1/ accept-encoding,content-length,user-agent text";
        assert_eq!(body(&exchange), expected);
        assert_eq!((exchange.sent, peer.accepted.get()), (4, 1));
    });
}

#[test]
fn large_bodies_go_both_ways() {
    on_thread(async {
        let (peer, session) = plain(|_, request, respond| async move {
            let read = read_all(request.into_body()).await;
            respond_with(respond, read);
        })
        .await;
        let mut request = peer.post("/", "");
        request.body = vec![7; 8_000_000].into();
        let exchange = session.send(request.clone()).await;
        assert_eq!(exchange.result.as_ref().unwrap().body(), &request.body);
        assert_eq!((exchange.sent, exchange.received), (8_000_000, 8_000_000));
        assert_adds_up(&exchange);
        let session = by_prior_knowledge(Options {
            body_limit: 1_000,
            ..Options::default()
        });
        let exchange = session.send(request).await;
        assert_eq!(exchange.result.unwrap_err(), Error::TooLarge(1_000));
    });
}

/// Notes how each stream that is never answered ends; answers the others.
async fn stalling(options: Options) -> (Peer, Session, Rc<Cell<Vec<Reason>>>) {
    let resets: Rc<Cell<Vec<Reason>>> = Rc::default();
    let noted = Rc::clone(&resets);
    let (peer, _) = plain(move |_, request, mut respond| {
        let noted = Rc::clone(&noted);
        async move {
            if request.uri().path() == "/stall" {
                let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
                let mut all = noted.take();
                all.extend(reason);
                noted.set(all);
            } else {
                respond_with(respond, "x");
            }
        }
    })
    .await;
    (peer, by_prior_knowledge(options), resets)
}

#[test]
fn a_timeout_or_a_cancel_resets_the_stream_and_keeps_the_connection() {
    on_thread(async {
        let (peer, session, resets) = stalling(Options::default()).await;
        let mut request = peer.get("/stall");
        request.timeout = Some(Duration::from_millis(200));
        let exchange = session.send(request).await;
        let expected = Error::TimedOut(Limit::Request);
        assert_eq!(exchange.result.as_ref().unwrap_err(), &expected);
        assert_adds_up(&exchange);
        assert_eq!(body(&session.send(peer.get("/")).await), "x");
        let cut = session.send(peer.get("/stall"));
        let given_up = tokio::time::timeout(Duration::from_millis(200), cut).await;
        assert!(given_up.is_err());
        // The reset is on its way before the next request.
        assert_eq!(body(&session.send(peer.get("/")).await), "x");
        assert_eq!(resets.take(), [Reason::CANCEL, Reason::CANCEL]);
        assert_eq!(peer.accepted.get(), 1);
    });
}

#[test]
fn a_connection_that_stays_silent_is_left_the_second_time() {
    on_thread(async {
        let options = Options {
            network_timeout: Duration::from_millis(200),
            ..Options::default()
        };
        let (peer, session, _) = stalling(options).await;
        // What greets the client comes before its first request is answered.
        assert_eq!(body(&session.send(peer.get("/")).await), "x");
        for connections in [1, 1, 2] {
            let exchange = session.send(peer.get("/stall")).await;
            let expected = Error::TimedOut(Limit::Network);
            assert_eq!(exchange.result.unwrap_err(), expected);
            assert_eq!(peer.accepted.get(), connections);
        }
    });
}

#[test]
fn what_the_server_did_not_process_is_repeated_once() {
    on_thread(async {
        let refused = Rc::new(Cell::new(0));
        let counter = Rc::clone(&refused);
        let (peer, session) = plain(move |_, request, mut respond| {
            let counter = Rc::clone(&counter);
            async move {
                let left: usize = request.uri().path()[1..].parse().unwrap();
                if counter.get() < left {
                    counter.set(counter.get() + 1);
                    respond.send_reset(Reason::REFUSED_STREAM);
                } else {
                    respond_with(respond, "x");
                }
            }
        })
        .await;
        // Whatever the method: it was not processed.
        let exchange = session.send(peer.post("/1", "body")).await;
        assert_eq!((body(&exchange).as_str(), exchange.stale_retries), ("x", 1));
        assert_adds_up(&exchange);
        let exchange = session.send(peer.get("/9")).await;
        let error = exchange.result.unwrap_err().to_string();
        assert_eq!(error, "HTTP/2: server reset the stream: REFUSED_STREAM");
        assert_eq!((exchange.stale_retries, refused.get()), (1, 3));
        assert_eq!(peer.accepted.get(), 1);
    });
}

#[test]
fn a_server_that_takes_its_leave_is_asked_again_on_another_connection() {
    on_thread(async {
        let peer = Peer::start(|number, stream| async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, respond))) = connection.accept().await {
                respond_with(respond, "x");
                if number == 0 {
                    connection.graceful_shutdown();
                }
            }
        })
        .await;
        let session = by_prior_knowledge(Options::default());
        for _ in 0..3 {
            let exchange = session.send(peer.post("/", "body")).await;
            assert_eq!(body(&exchange), "x");
        }
        assert_eq!(peer.accepted.get(), 2);
    });
}

#[test]
fn a_connection_cut_in_mid_request_is_repeated_where_that_is_safe() {
    on_thread(async {
        // Each connection answers one request and breaks at the next.
        let peer = Peer::start(|_, stream| async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (_, respond) = connection.accept().await.unwrap().unwrap();
            respond_with(respond, "x");
            let _ = connection.accept().await;
        })
        .await;
        let session = by_prior_knowledge(Options::default());
        assert_eq!(body(&session.send(peer.get("/")).await), "x");
        let exchange = session.send(peer.get("/")).await;
        assert_eq!((body(&exchange).as_str(), exchange.stale_retries), ("x", 1));
        let exchange = session.send(peer.post("/", "body")).await;
        assert_eq!(exchange.result.unwrap_err(), Error::Stale);
    });
}

#[test]
fn a_server_of_http1_is_no_server_of_http2() {
    on_thread(async {
        let peer = Peer::answering(|_| ok("x")).await;
        let exchange = by_prior_knowledge(Options::default())
            .send(peer.get("/"))
            .await;
        assert_eq!(exchange.result.unwrap_err(), Error::NoHttp2);
    });
}

/// A TLS server of both versions that offers these protocols; gives its connections' number too.
async fn choosing(authority: &Authority, protocols: &[&str]) -> Peer {
    let config = authority.server("127.0.0.1", protocols);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Peer::start(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                speak(stream, |_, respond| async { respond_with(respond, "2") }).await;
                return;
            }
            let mut read = Vec::new();
            while stream
                .read_buf(&mut read)
                .await
                .is_ok_and(|length| length > 0)
            {
                if read.ends_with(b"\r\n\r\n") {
                    read.clear();
                    stream.write_all(ok("1.1").as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                }
            }
        }
    })
    .await
}

#[test]
fn the_version_is_agreed_on_in_the_handshake() {
    on_thread(async {
        let authority = Authority::new();
        let cases: [(Protocol, &[&str], Result<&str, Error>); 7] = [
            (Protocol::Auto, &["h2", "http/1.1"], Ok("2")),
            (Protocol::Auto, &["http/1.1"], Ok("1.1")),
            (Protocol::Auto, &[], Ok("1.1")),
            (Protocol::Http1, &["h2", "http/1.1"], Ok("1.1")),
            (Protocol::Http2, &["h2"], Ok("2")),
            (Protocol::Http2, &["http/1.1"], Err(Error::NoHttp2)),
            (Protocol::Http2, &[], Err(Error::NoHttp2)),
        ];
        for (protocol, offered, expected) in cases {
            let peer = choosing(&authority, offered).await;
            let session = Session::new(&client(Options {
                protocol,
                ca: Some(authority.file().into()),
                ..Options::default()
            }));
            let base = Base::parse(&format!("https://{}", peer.address)).unwrap();
            let request = || Request::new(Method::GET, base.url("/", &[]).unwrap());
            // Two at once: before either knows what the server speaks.
            let (one, other) = tokio::join!(session.send(request()), session.send(request()));
            for exchange in [one, other] {
                assert_adds_up(&exchange);
                let found = match &exchange.result {
                    Ok(_) => Ok(body(&exchange)),
                    Err(error) => Err(error.clone()),
                };
                assert_eq!(found, expected.clone().map(str::to_owned), "{offered:?}");
            }
            match expected {
                Ok("2") => assert_eq!(peer.accepted.get(), 1),
                Ok(_) => assert_eq!(session.idle_connections(), 2),
                Err(_) => {}
            }
        }
    });
}
