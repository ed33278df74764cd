//! One request, whole: what is sent, what comes back, what is measured.
//! One exchange from its first byte to its last; what comes after it is tested in `keep_alive`.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Version};
use tokio::io::AsyncWriteExt;

use super::*;

#[test]
fn a_request_goes_out_as_asked_and_the_answer_comes_back_whole() {
    on_thread(async {
        let peer = Peer::answering(|request| {
            respond(
                "207 Fine By Me",
                "x-one: 1\r\nset-cookie: a=b; path=/\r\n",
                request,
            )
        })
        .await;
        let session = session();
        let mut request = peer.post("/x/../y?z=ä", "the body");
        request.method = Method::from_bytes(b"BREW").unwrap();
        request
            .headers
            .insert("x-mine", HeaderValue::from_static("v"));
        let exchange = session.send(request).await;
        assert_adds_up(&exchange);
        let response = exchange.result.as_ref().unwrap();
        assert_eq!(response.status(), StatusCode::MULTI_STATUS);
        assert_eq!(response.reason(), Cow::Borrowed("Fine By Me"));
        assert_eq!(response.version(), Version::HTTP_11);
        assert_eq!(response.header("X-One").unwrap(), "1");
        assert_eq!(response.cookies().collect::<Vec<_>>(), [("a", "b")]);
        assert_eq!(response.url().path().as_str(), "/x/../y?z=%C3%A4");
        let sent = body(&exchange);
        let expected = format!(
            "BREW /x/../y?z=%C3%A4 HTTP/1.1\r\nhost: {}\r\nx-mine: v\r\nuser-agent: katydid/{}\r\n\
             accept-encoding: gzip, deflate, br\r\ncontent-length: 8\r\n\r\nthe body",
            peer.address,
            env!("CARGO_PKG_VERSION"),
        );
        assert_eq!(sent, expected);
        assert_eq!((exchange.sent, exchange.received), (8, sent.len() as u64));
        assert!(exchange.phases.connect > 0 && exchange.phases.dns < 1_000);
        let first_byte = exchange.first_byte.unwrap();
        assert!(exchange.started < first_byte && first_byte <= exchange.ended);
    });
}

#[test]
fn session_headers_are_added_and_removed() {
    on_thread(async {
        let peer = Peer::answering(ok).await;
        let session = session();
        let name = HeaderName::from_static("x-token");
        session.set_header(name.clone(), HeaderValue::from_static("t"));
        assert_eq!(session.header(&name).unwrap(), "t");
        assert!(body(&session.send(peer.get("/")).await).contains("x-token: t"));
        session.remove_header(&name);
        assert!(session.headers().is_empty());
        assert!(!body(&session.send(peer.get("/")).await).contains("x-token"));
    });
}

#[test]
fn phases_hold_the_time_of_what_they_name() {
    on_thread(async {
        // The peer is in no hurry: 30 ms before the head, 20 ms before the rest of the body.
        let peer = Peer::start(|_, mut stream| async move {
            while read_request(&mut stream).await.is_some() {
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
                stream.write_all(head).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                stream.write_all(b"def").await.unwrap();
            }
        })
        .await;
        let session = session();
        for _ in 0..2 {
            let exchange = session.send(peer.get("/")).await;
            assert_eq!(body(&exchange), "abcdef");
            assert_adds_up(&exchange);
            let phases = exchange.phases;
            assert!(
                phases.wait >= 29_000 && phases.receive >= 19_000,
                "{phases:?}"
            );
            assert!(phases.tls == 0 && phases.send < 20_000, "{phases:?}");
        }
    });
}

#[test]
fn chunked_bodies_in_many_frames_are_put_together() {
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            read_request(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head).await.unwrap();
            for _ in 0..1_000 {
                let chunk = format!("400\r\n{}\r\n", "c".repeat(0x400));
                stream.write_all(chunk.as_bytes()).await.unwrap();
            }
            stream.write_all(b"0\r\nx-sum: 9\r\n\r\n").await.unwrap();
            read_request(&mut stream).await;
        })
        .await;
        let session = session();
        let exchange = session.send(peer.get("/")).await;
        assert_eq!(exchange.received, 1_024_000);
        assert_eq!(body(&exchange), "c".repeat(1_024_000));
        assert_eq!(session.idle_connections(), 1);
    });
}

#[test]
fn a_large_body_is_sent_whole_and_counted() {
    on_thread(async {
        let peer = Peer::answering(|request| ok(&request.len().to_string())).await;
        let session = session();
        let mut request = peer.post("/", "");
        request.body = Bytes::from(vec![b'b'; 3_000_000]);
        let exchange = session.send(request).await;
        let length: u64 = body(&exchange).parse().unwrap();
        assert!((3_000_100..3_000_400).contains(&length), "{length}");
        assert_eq!(exchange.sent, 3_000_000);
    });
}

#[test]
fn answers_without_a_body_end_at_their_head() {
    on_thread(async {
        let peer = Peer::answering(|request| {
            if request.starts_with("HEAD") {
                "HTTP/1.1 200 OK\r\ncontent-length: 100\r\ncontent-encoding: gzip\r\n\r\n".into()
            } else {
                "HTTP/1.1 204 No Content\r\n\r\n".into()
            }
        })
        .await;
        let session = session();
        let mut head = peer.get("/");
        head.method = Method::HEAD;
        for request in [head, peer.get("/")] {
            let exchange = session.send(request).await;
            assert_eq!((body(&exchange).as_str(), exchange.received), ("", 0));
        }
        assert_eq!(peer.accepted.get(), 1);
    });
}

#[test]
fn an_encoded_body_is_counted_as_transferred() {
    use std::io::Write;
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&[b'g'; 5_000]).unwrap();
            let encoded = encoder.finish().unwrap();
            read_request(&mut stream).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                encoded.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&encoded).await.unwrap();
        })
        .await;
        let exchange = session().send(peer.get("/")).await;
        assert!(exchange.received < 200);
        assert_eq!(body(&exchange), "g".repeat(5_000));
        let raw = exchange.result.as_ref().unwrap().body().len() as u64;
        assert_eq!(raw, exchange.received);
    });
}

#[test]
fn a_session_without_connection_is_small() {
    // The figures that the report gives; a change is worth a look.
    assert!(size_of::<Session>() <= 128, "{}", size_of::<Session>());
    on_thread(async {
        let session = session();
        let request = Request::new(
            Method::GET,
            Base::parse("http://a").unwrap().url("/", &[]).unwrap(),
        );
        let future = session.send(request);
        assert!(size_of_val(&future) <= 3_000, "{}", size_of_val(&future));
    });
}
