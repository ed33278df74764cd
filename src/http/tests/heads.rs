//! Heads of responses that are taken as curl takes them, and what is said of those that are not;
//! and what a request without a body says of that.

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
        let many = "x-a: 1\r\n".repeat(101);
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
            ("content-length: 0\r\nno header\r\n", "is no header"),
            ("content-length: 0\r\nx-a: one\r\n two\r\n", "is no header"),
            ("content-length: 0\r\nx\u{7}: 1\r\n", "is no header"),
            ("content-length: 0\r\nx-a: \u{0}\r\n", "is no header"),
            (many.as_str(), "more than 100 lines"),
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
