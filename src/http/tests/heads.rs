//! Heads of responses that are taken as curl takes them, and what is said of those that are not;
//! and what a request without a body says of that.

use bytes::Bytes;

use super::*;

/// What becomes of a response that a peer answers with.
async fn answered(response: String) -> Result<String, String> {
    let peer = Peer::answering(move |_| response.clone()).await;
    let exchange = session().send(peer.get("/")).await;
    match &exchange.result {
        Ok(response) => Ok(response.header("x-a").map_or_else(String::new, |value| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        })),
        Err(error) => Err(error.to_string()),
    }
}

fn with(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
}

#[test]
fn heads_are_taken_as_by_curl() {
    on_thread(async {
        for (lines, value) in [
            ("content-length: 0\r\nx-a: 1\r\n", "1"),
            ("content-length: 0\r\nX-A:1\r\n", "1"),
            ("content-length: 0\r\nx-a : 1\r\n", "1"),
            ("content-length: 0\r\nx-a:   1  \r\n", "1"),
            ("content-length: 0\r\nx-a:\r\n", ""),
            ("content-length: 0\r\nx-a: caf\u{e9}\r\n", "caf\u{e9}"),
            ("content-length: 0\ncontent-length: 0\nx-a: bare\n", "bare"),
            ("content-length: 0\r\nx-a: one\r\n two\r\n", "one two"),
            ("content-length: 0\r\nx-a: one\r\n\ttwo\r\n", "one two"),
        ] {
            assert_eq!(
                answered(with(lines)).await.as_deref(),
                Ok(value),
                "{lines:?}"
            );
        }
    });
}

#[test]
fn a_head_that_is_refused_says_what_is_wrong() {
    on_thread(async {
        let many = "x-a: 1\r\n".repeat(5_001);
        let long = format!("content-length: 0\r\n{}\r\n", "very ".repeat(20));
        for (lines, said) in [
            (
                "content-length: 2\r\ncontent-length: 3\r\n",
                "`Content-Length` is no number",
            ),
            (
                "content-length: 99999999999999999999\r\n",
                "`Content-Length` is no number",
            ),
            ("content-length: x\r\n", "`Content-Length` is no number"),
            (
                "content-length: 0\r\nno header\r\n",
                "the line `no header` has no colon",
            ),
            (
                long.as_str(),
                "the line `very very very very very very very very …` has no colon",
            ),
            (
                "x-a: 1\r\nx\u{7}y: 1\r\n",
                "the name of the header `x\\u{7}y` has a blank or an odd byte",
            ),
            (
                "X A: 1\r\n",
                "the name of the header `X A` has a blank or an odd byte",
            ),
            (": 1\r\n", "a header has no name"),
            (
                "content-length: 0\r\nx-a: \u{0}\r\n",
                "the value of the header `x-a` has a control character",
            ),
            (many.as_str(), "more than 5,000 lines"),
        ] {
            let error = answered(with(lines)).await.unwrap_err();
            assert!(error.contains(said), "{lines:?}: {error}");
        }
        let status = answered("HTTP/1.1 2x0 OK\r\n\r\n".to_owned()).await;
        assert!(status.unwrap_err().contains("three digits"));
        let other = answered("SSH-2.0-OpenSSH\r\n\r\n".to_owned()).await;
        assert_eq!(other.unwrap_err(), "response is not HTTP/1");
    });
}

#[test]
fn a_head_that_is_read_again_leaves_a_good_connection() {
    on_thread(async {
        let many = "x-b: 1\r\n".repeat(4_990);
        for (lines, version) in [(many.as_str(), "1.1"), ("x-b: 1\r\n 2\r\n", "1.1")] {
            let lines = lines.to_owned();
            let peer = Peer::answering(move |request| {
                let body = ["", "body"][usize::from(!request.starts_with("HEAD"))];
                format!("HTTP/{version} 200 OK\r\ncontent-length: 4\r\n{lines}\r\n{body}")
            })
            .await;
            let session = session();
            for method in [Method::GET, Method::HEAD, Method::GET, Method::POST] {
                let mut request = peer.get("/");
                request.method = method.clone();
                if method == Method::POST {
                    request.body = Bytes::from_static(b"asked");
                }
                let sent = request.body.len() as u64;
                let exchange = session.send(request).await;
                let expected = ["", "body"][usize::from(method != Method::HEAD)];
                assert_eq!(body(&exchange), expected, "{method}");
                assert_eq!((exchange.sent, exchange.stale_retries), (sent, 0));
                assert_eq!(exchange.received, expected.len() as u64);
                assert_adds_up(&exchange);
            }
            assert_eq!(peer.accepted.get(), 1);
        }
    });
}

#[test]
fn a_head_in_pieces_is_read_again_in_pieces() {
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            read_request(&mut stream).await;
            let lines = "x-b: 1\r\n".repeat(150);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n{lines}\r\nbo");
            for piece in head.as_bytes().chunks(500) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            stream.write_all(b"dy").await.unwrap();
            // Closes, and no request comes.
        })
        .await;
        let session = session();
        let exchange = session.send(peer.get("/")).await;
        assert_eq!(body(&exchange), "body");
    });
}

#[test]
fn an_early_answer_that_is_read_again_ends_the_connection() {
    on_thread(async {
        let peer = Peer::start(|_, mut stream| async move {
            let mut start = [0; 100];
            stream.read_exact(&mut start).await.unwrap();
            let folded = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: 1\r\n 2\r\n\r\nno";
            stream.write_all(folded.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let session = session();
        let mut request = peer.get("/");
        request.method = Method::POST;
        request.body = vec![b'x'; 50_000_000].into();
        let exchange = session.send(request).await;
        assert_eq!(body(&exchange), "no");
        assert!(exchange.sent < 50_000_000);
        assert_eq!(session.idle_connections(), 0);
    });
}

#[test]
fn a_request_that_could_have_a_body_says_that_it_has_none() {
    on_thread(async {
        let peer = Peer::answering(ok).await;
        let session = session();
        for (method, is_said) in [
            (Method::POST, true),
            (Method::PUT, true),
            (Method::PATCH, true),
            (Method::GET, false),
            (Method::DELETE, false),
            (Method::OPTIONS, false),
        ] {
            let mut request = peer.get("/");
            request.method = method.clone();
            let exchange = session.send(request).await;
            let echo = String::from_utf8(exchange.result.unwrap().body().to_vec()).unwrap();
            assert_eq!(
                echo.contains("content-length: 0"),
                is_said,
                "{method}: {echo}"
            );
        }
    });
}
