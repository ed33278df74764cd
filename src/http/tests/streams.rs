//! Bodies that are read as they come: piece by piece, to the end or given up.
//! Undoing their encodings is tested beside the decoder.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::{Error, Limit, Protocol, StreamedBody};
use super::*;

/// A peer that sends chunks when the test says so, and says itself when its client is gone.
async fn chunks() -> (
    Peer,
    tokio::sync::mpsc::UnboundedSender<&'static str>,
    UnboundedReceiver<()>,
) {
    let (say, said) = unbounded_channel::<&str>();
    let (leave, left) = unbounded_channel();
    let said = Rc::new(tokio::sync::Mutex::new(said));
    let peer = Peer::start(move |_, mut stream| {
        let (said, leave) = (Rc::clone(&said), leave.clone());
        async move {
            let mut said = said.lock().await;
            while read_request(&mut stream).await.is_some() {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
                loop {
                    let mut byte = [0];
                    let chunk = tokio::select! {
                        chunk = said.recv() => chunk.unwrap_or_default(),
                        _ = stream.read(&mut byte) => {
                            let _ = leave.send(());
                            return;
                        }
                    };
                    let text = format!("{:x}\r\n{chunk}\r\n", chunk.len());
                    stream.write_all(text.as_bytes()).await.unwrap();
                    if chunk.is_empty() {
                        break;
                    }
                }
            }
            let _ = leave.send(());
        }
    })
    .await;
    (peer, say, left)
}

async fn begun(session: &Session, mut request: Request) -> Box<StreamedBody> {
    request.stream = true;
    let exchange = session.send(request).await;
    assert_adds_up(&exchange);
    let mut response = exchange.result.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.body().len()),
        (200, 0)
    );
    let body = response.take_body().unwrap();
    assert!(response.take_body().is_none());
    body
}

async fn next(body: &mut StreamedBody, session: &Session) -> Result<Option<String>, Error> {
    let piece = body.next(session).await?;
    Ok(piece.map(|piece| String::from_utf8(piece.to_vec()).unwrap()))
}

#[test]
fn pieces_are_there_as_they_come_and_the_connection_comes_back() {
    on_thread(async {
        let (peer, say, _left) = chunks().await;
        let session = session();
        for _ in 0..2 {
            let mut body = begun(&session, peer.get("/")).await;
            assert_eq!((body.received(), body.last_byte()), (0, None));
            for chunk in ["one", "three"] {
                // Nothing further was sent: what comes out was not waited for.
                say.send(chunk).unwrap();
                assert_eq!(next(&mut body, &session).await, Ok(Some(chunk.into())));
            }
            assert_eq!(body.received(), 8);
            assert!(body.last_byte().is_some());
            assert_eq!(session.idle_connections(), 0);
            say.send("").unwrap();
            assert_eq!(next(&mut body, &session).await, Ok(None));
            assert_eq!(next(&mut body, &session).await, Ok(None));
            assert_eq!(session.idle_connections(), 1);
        }
        assert_eq!(peer.accepted.get(), 1);
    });
}

#[test]
fn a_body_given_up_closes_its_connection() {
    on_thread(async {
        let (peer, say, mut left) = chunks().await;
        let session = session();
        let mut body = begun(&session, peer.get("/")).await;
        say.send("one").unwrap();
        next(&mut body, &session).await.unwrap();
        // Giving up waiting loses nothing.
        let waiting = tokio::time::timeout(Duration::from_millis(5), body.next(&session));
        assert!(waiting.await.is_err());
        say.send("two").unwrap();
        assert_eq!(next(&mut body, &session).await, Ok(Some("two".into())));
        drop(body);
        left.recv().await.unwrap();
        assert_eq!(session.idle_connections(), 0);
    });
}

#[test]
fn both_limits_hold_for_the_body_too() {
    on_thread(async {
        let (peer, say, _left) = chunks().await;
        let session = Session::new(&client(Options {
            network_timeout: Duration::from_millis(100),
            ..Options::default()
        }));
        let mut body = begun(&session, peer.get("/")).await;
        say.send("one").unwrap();
        next(&mut body, &session).await.unwrap();
        let error = next(&mut body, &session).await;
        assert_eq!(error, Err(Error::TimedOut(Limit::Network)));
        assert_eq!(next(&mut body, &session).await, Ok(None));
        let (peer, _say, _left) = chunks().await;
        let session = super::session();
        let mut request = peer.get("/");
        request.timeout = Some(Duration::from_millis(200));
        let mut body = begun(&session, request).await;
        let error = next(&mut body, &session).await;
        assert_eq!(error, Err(Error::TimedOut(Limit::Request)));
    });
}

#[test]
fn an_announced_length_is_held_to() {
    on_thread(async {
        let peer = Peer::start(|number, mut stream| async move {
            read_request(&mut stream).await;
            let body = ["12345", "123"][number];
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await.unwrap();
        })
        .await;
        let session = session();
        let mut whole = begun(&session, peer.get("/")).await;
        assert_eq!(next(&mut whole, &session).await, Ok(Some("12345".into())));
        assert_eq!(next(&mut whole, &session).await, Ok(None));
        session.close_idle();
        let mut cut = begun(&session, peer.get("/")).await;
        assert_eq!(next(&mut cut, &session).await, Ok(Some("123".into())));
        assert_eq!(next(&mut cut, &session).await, Err(Error::BodyCutShort));
    });
}

#[test]
fn a_redirect_is_followed_before() {
    on_thread(async {
        let peer = Peer::answering(|request| match request.starts_with("GET /moved ") {
            true => respond("302 Found", "location: /here\r\n", "moved"),
            false => ok("here"),
        })
        .await;
        let session = session();
        let mut body = begun(&session, peer.get("/moved")).await;
        assert_eq!(next(&mut body, &session).await, Ok(Some("here".into())));
        assert_eq!(peer.accepted.get(), 1);
    });
}

#[test]
fn http2_streams_and_a_body_given_up_resets_its_stream() {
    on_thread(async {
        let (reset, mut resets) = unbounded_channel();
        let peer = Peer::start(move |_, stream| {
            let reset = reset.clone();
            async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let head = hyper::Response::new(());
                    let mut stream = respond.send_response(head, false).unwrap();
                    let is_endless = request.uri().path() == "/endless";
                    stream
                        .send_data(Bytes::from_static(b"one"), !is_endless)
                        .unwrap();
                    let reset = reset.clone();
                    spawn_local(async move {
                        let reason = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
                        let _ = reset.send(reason.unwrap_or(h2::Reason::NO_ERROR));
                    });
                }
            }
        })
        .await;
        let session = Session::new(&client(Options {
            protocol: Protocol::Http2,
            ..Options::default()
        }));
        let mut body = begun(&session, peer.get("/")).await;
        assert_eq!(next(&mut body, &session).await, Ok(Some("one".into())));
        assert_eq!(next(&mut body, &session).await, Ok(None));
        let mut body = begun(&session, peer.get("/endless")).await;
        assert_eq!(next(&mut body, &session).await, Ok(Some("one".into())));
        drop(body);
        while resets.recv().await.unwrap() != h2::Reason::CANCEL {}
        assert_eq!(peer.accepted.get(), 1);
    });
}
