//! Every way in which a server can fail us ends in its named error, with what was measured.
//! Peers that never end, and the limits that end them; what was measured until then is kept.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::super::{Error, Limit, TlsError};
use super::*;

const SHORT: Duration = Duration::from_millis(40);

fn impatient() -> Session {
    Session::new(&client(Options {
        network_timeout: SHORT,
        connection_timeout: SHORT,
        body_limit: 10_000,
        ..Options::default()
    }))
}

/// Sends `text` after the request and then only listens.
async fn saying(text: &'static str) -> Peer {
    Peer::start(move |_, mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(text.as_bytes()).await.unwrap();
        read_request(&mut stream).await;
    })
    .await
}

/// Sends `text` after the request and closes.
async fn saying_and_closing(text: &'static str) -> Peer {
    Peer::start(move |_, mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(text.as_bytes()).await.unwrap();
    })
    .await
}

async fn failure(session: &Session, peer: &Peer) -> (Error, Exchange) {
    let exchange = session.send(peer.get("/")).await;
    assert_adds_up(&exchange);
    assert_eq!(session.idle_connections(), 0);
    (exchange.result.as_ref().unwrap_err().clone(), exchange)
}

#[test]
fn silence_and_stalls_end_after_the_network_timeout() {
    on_thread(async {
        let (error, exchange) = failure(&impatient(), &saying("").await).await;
        assert_eq!(error, Error::TimedOut(Limit::Network));
        assert!(exchange.phases.wait >= 39_000, "{:?}", exchange.phases);
        assert!(exchange.first_byte.is_none());
        let stalling = saying("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234").await;
        let (error, exchange) = failure(&impatient(), &stalling).await;
        assert_eq!(error, Error::TimedOut(Limit::Network));
        assert_eq!(exchange.received, 4);
        assert!(exchange.phases.receive >= 39_000, "{:?}", exchange.phases);
    });
}

/// A byte every 10 ms, forever.
async fn dripping() -> Peer {
    Peer::start(|_, mut stream| async move {
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        while stream.write_all(b"x").await.is_ok() {
            tick.tick().await;
        }
    })
    .await
}

#[test]
fn a_slow_drip_outlives_the_network_timeout_but_not_the_requests() {
    on_thread(async {
        let peer = dripping().await;
        // Far more than a byte takes, also where this thread has to wait for a core.
        let session = Session::new(&client(Options {
            network_timeout: 10 * SHORT,
            ..Options::default()
        }));
        let mut request = peer.get("/");
        request.timeout = Some(20 * SHORT);
        let exchange = session.send(request).await;
        assert_eq!(
            exchange.result.as_ref().unwrap_err(),
            &Error::TimedOut(Limit::Request)
        );
        let whole = exchange.ended.since(exchange.started);
        assert!((800_000..1_500_000).contains(&whole), "{whole}");
        assert!(exchange.received > 5, "{}", exchange.received);
    });
}

#[test]
fn a_handshake_that_never_ends_is_a_connection_timeout() {
    on_thread(async {
        // Accepts TCP and says nothing to the TLS handshake.
        let peer = Peer::start(|_, mut stream| async move {
            read_request(&mut stream).await;
        })
        .await;
        let base = Base::parse(&format!("https://{}", peer.address)).unwrap();
        let request = Request::new(Method::GET, base.url("/", &[]).unwrap());
        // Without the system's certificates, which take a debug build 20 ms to read.
        let session = Session::new(&client(Options {
            connection_timeout: 5 * SHORT,
            insecure: true,
            ..Options::default()
        }));
        let exchange = session.send(request).await;
        assert_eq!(
            exchange.result.as_ref().unwrap_err(),
            &Error::TimedOut(Limit::Connection)
        );
        // What remains of 200 ms when it is connected.
        assert!(exchange.phases.tls >= 100_000, "{:?}", exchange.phases);
        assert_adds_up(&exchange);
    });
}

#[test]
fn nobody_there_is_refused_and_retried_if_asked() {
    on_thread(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        drop(listener);
        let session = Session::new(&client(Options {
            max_retries: 2,
            ..Options::default()
        }));
        let request = Request::new(Method::GET, base.url("/", &[]).unwrap());
        let exchange = session.send(request).await;
        assert_eq!(exchange.result.as_ref().unwrap_err(), &Error::Refused);
        assert_eq!(exchange.retries, 2);
        assert_adds_up(&exchange);
    });
}

#[test]
fn a_retry_may_succeed() {
    on_thread(async {
        let peer = Peer::start(|number, mut stream| async move {
            read_request(&mut stream).await;
            if number == 1 {
                stream.write_all(ok("x").as_bytes()).await.unwrap();
            }
        })
        .await;
        let session = Session::new(&client(Options {
            max_retries: 1,
            ..Options::default()
        }));
        let exchange = session.send(peer.post("/", "abc")).await;
        assert_eq!(body(&exchange), "x");
        assert_eq!((exchange.retries, exchange.stale_retries), (1, 0));
        assert_eq!(exchange.sent, 6);
    });
}

#[test]
fn a_second_address_is_tried_when_the_first_refuses() {
    on_thread(async {
        // `localhost` is ::1 and 127.0.0.1 on most machines; the peer listens on the second only.
        let peer = Peer::answering(|_| ok("x")).await;
        let base = Base::parse(&format!("http://localhost:{}", peer.address.port())).unwrap();
        let session = session();
        for _ in 0..2 {
            let request = Request::new(Method::GET, base.url("/", &[]).unwrap());
            assert_eq!(body(&session.send(request).await), "x");
            session.close_idle();
        }
    });
}

#[test]
fn an_unknown_host_is_named() {
    on_thread(async {
        let base = Base::parse("http://nobody.invalid").unwrap();
        let request = Request::new(Method::GET, base.url("/", &[]).unwrap());
        let exchange = session().send(request).await;
        assert_eq!(
            exchange.result.as_ref().unwrap_err().to_string(),
            "host `nobody.invalid` could not be resolved"
        );
        assert_adds_up(&exchange);
    });
}

#[test]
fn closing_early_and_in_the_body_are_told_apart() {
    on_thread(async {
        for (said, expected) in [
            ("", Error::ClosedEarly),
            ("HTTP/1.1 200 OK\r\ncontent-le", Error::ClosedEarly),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234",
                Error::BodyCutShort,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234",
                Error::BodyCutShort,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\nxyz\r\n",
                Error::Body("malformed chunk"),
            ),
            ("SSH-2.0-server\r\n\r\n", Error::NotHttp),
        ] {
            let peer = saying_and_closing(said).await;
            let (error, exchange) = failure(&session(), &peer).await;
            assert_eq!(error, expected, "{said}");
            assert_eq!(exchange.received, if said.contains("1234") { 4 } else { 0 });
            assert_eq!(exchange.stale_retries, 0);
        }
    });
}

#[test]
fn a_body_that_ends_with_the_connection_is_whole() {
    on_thread(async {
        let peer = saying_and_closing("HTTP/1.0 200 OK\r\n\r\nall of it").await;
        let exchange = session().send(peer.get("/")).await;
        assert_eq!(body(&exchange), "all of it");
    });
}

#[test]
fn headers_without_end_are_refused() {
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            read_request(&mut stream).await;
            let mut text = String::from("HTTP/1.1 200 OK\r\n");
            while stream.write_all(text.as_bytes()).await.is_ok() {
                text = format!("x-more: {}\r\n", "m".repeat(8_000));
            }
        })
        .await;
        let (error, _) = failure(&session(), &peer).await;
        assert_eq!(error, Error::HeadTooLarge);
        let many = "x: y\r\n".repeat(6_000);
        let peer = Peer::answering(move |_| respond("200 OK", &many, "")).await;
        assert_eq!(failure(&session(), &peer).await.0, Error::HeadTooLarge);
    });
}

#[test]
fn a_body_that_never_pauses_ends_with_the_requests_time() {
    on_thread(async {
        // On a thread of its own: there is always something to read.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let chunks = b"1\r\nx\r\n".repeat(10_000);
            std::io::Write::write_all(&mut stream, head).unwrap();
            while std::io::Write::write_all(&mut stream, &chunks).is_ok() {}
        });
        let mut request = Request::new(Method::GET, base.url("/", &[]).unwrap());
        request.timeout = Some(Duration::from_millis(100));
        let exchange = session().send(request).await;
        assert_eq!(
            exchange.result.as_ref().unwrap_err(),
            &Error::TimedOut(Limit::Request)
        );
        assert_adds_up(&exchange);
        serving.join().unwrap();
    });
}

#[test]
fn interim_responses_without_end_are_refused() {
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            read_request(&mut stream).await;
            let text = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000);
            while stream.write_all(text.as_bytes()).await.is_ok() {}
        })
        .await;
        let (error, _) = failure(&session(), &peer).await;
        assert_eq!(error, Error::HeadTooLarge);
        let few = "HTTP/1.1 102 Processing\r\nx: y\r\n\r\n".repeat(1_000);
        let peer = Peer::answering(move |_| few.clone() + &ok("x")).await;
        assert_eq!(body(&session().send(peer.get("/")).await), "x");
    });
}

#[test]
fn bodies_over_the_limit_are_refused() {
    on_thread(async {
        let announced = saying("HTTP/1.1 200 OK\r\ncontent-length: 10001\r\n\r\n").await;
        let (error, exchange) = failure(&impatient(), &announced).await;
        assert_eq!((error, exchange.received), (Error::TooLarge(10_000), 0));
        let endless = Peer::start(|_, mut stream| async move {
            read_request(&mut stream).await;
            let mut text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
            while stream.write_all(text.as_bytes()).await.is_ok() {
                text = format!("400\r\n{}\r\n", "c".repeat(0x400));
            }
        })
        .await;
        let (error, exchange) = failure(&impatient(), &endless).await;
        assert_eq!(error, Error::TooLarge(10_000));
        assert!((10_001..50_000).contains(&exchange.received));
        let exact = Peer::answering(|_| ok(&"e".repeat(10_000))).await;
        assert_eq!(body(&impatient().send(exact.get("/")).await).len(), 10_000);
    });
}

#[test]
fn a_reset_is_a_reset() {
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            read_request(&mut stream).await;
            // With linger 0, closing sends a reset.
            socket2::SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
        })
        .await;
        let (error, _) = failure(&session(), &peer).await;
        assert_eq!(error, Error::Reset);
    });
}

#[test]
fn a_ca_file_that_is_none_is_named_before_the_run() {
    on_thread(async {
        let error = |name: &str| {
            let options = Options {
                ca: Some(name.into()),
                ..Options::default()
            };
            Client::new(options, Timers::new().unwrap()).unwrap_err()
        };
        assert!(matches!(
            error("/nonexistent/ca.pem"),
            TlsError::Unreadable(..)
        ));
        assert!(matches!(error("Cargo.toml"), TlsError::NoCertificate(..)));
    });
}
