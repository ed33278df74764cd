//! Redirects: which are followed how, their limit, and what stays behind.
//! Chains of answers and what is sent along them; where they end is the last peer.

use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use super::super::{Error, UrlError};
use super::*;

/// `/to/STATUS` redirects to `/end`, which echoes; `/loop` to itself.
async fn redirecting() -> Peer {
    Peer::answering(|request| {
        let path = request.split(' ').nth(1).unwrap();
        match path.strip_prefix("/to/") {
            Some(status) => respond(&format!("{status} Moved"), "location: /end\r\n", "gone"),
            None if path == "/loop" => respond("302 Found", "location: loop\r\n", ""),
            None if path == "/bad" => respond("302 Found", "location: ftp://x/\r\n", ""),
            None if path == "/none" => respond("302 Found", "", "here"),
            None => ok(request),
        }
    })
    .await
}

#[test]
fn methods_and_bodies_change_as_locust_has_it() {
    on_thread(async {
        let peer = redirecting().await;
        let session = session();
        for (status, line, last) in [
            (301, "GET /end", "\r\n"),
            (302, "GET /end", "\r\n"),
            (303, "GET /end", "\r\n"),
            (307, "POST /end", "data"),
            (308, "POST /end", "data"),
        ] {
            let exchange = session
                .send(peer.post(&format!("/to/{status}"), "data"))
                .await;
            let echo = body(&exchange);
            assert!(
                echo.starts_with(line) && echo.ends_with(last),
                "{status}: {echo}"
            );
            assert_eq!(exchange.redirects, 1);
            assert_eq!(exchange.received, 4 + echo.len() as u64);
            assert_eq!(exchange.sent, if last == "data" { 8 } else { 4 });
            assert_eq!(exchange.result.as_ref().unwrap().url().path(), "/end");
            assert_adds_up(&exchange);
        }
        assert_eq!(peer.accepted.get(), 1);
    });
}

#[test]
fn unfollowed_and_aimless_redirects_are_the_response() {
    on_thread(async {
        let peer = redirecting().await;
        let session = session();
        let mut request = peer.get("/to/302");
        request.allow_redirects = false;
        let exchange = session.send(request).await;
        assert_eq!(
            exchange.result.as_ref().unwrap().status(),
            StatusCode::FOUND
        );
        assert_eq!((body(&exchange).as_str(), exchange.redirects), ("gone", 0));
        assert_eq!(body(&session.send(peer.get("/none")).await), "here");
    });
}

#[test]
fn loops_and_bad_locations_are_errors() {
    on_thread(async {
        let peer = redirecting().await;
        let session = session();
        let exchange = session.send(peer.get("/loop")).await;
        assert_eq!(exchange.result.as_ref().unwrap_err(), &Error::Redirects(30));
        assert_eq!(exchange.redirects, 30);
        let exchange = session.send(peer.get("/bad")).await;
        let expected = Error::BadUrl(UrlError::Redirected("ftp".into()));
        assert_eq!(exchange.result.as_ref().unwrap_err(), &expected);
        let none = Session::new(&client(Options {
            max_redirects: 0,
            ..Options::default()
        }));
        let exchange = none.send(peer.get("/to/302")).await;
        assert_eq!(exchange.result.as_ref().unwrap_err(), &Error::Redirects(0));
    });
}

#[test]
fn credentials_stay_at_the_origin_they_were_given_for() {
    on_thread(async {
        let other = Peer::answering(ok).await;
        let location = format!("location: http://{}/there\r\n", other.address);
        let first = Peer::answering(move |request| {
            assert!(request.contains("authorization: secret"));
            respond("307 Moved", &location, "")
        })
        .await;
        let session = session();
        session.set_header(AUTHORIZATION, HeaderValue::from_static("secret"));
        let mut request = first.get("/");
        request.method = Method::PUT;
        request.headers.insert(
            HeaderName::from_static("x-kept"),
            HeaderValue::from_static("1"),
        );
        let echo = body(&session.send(request).await);
        assert!(echo.starts_with("PUT /there"));
        assert!(
            echo.contains("x-kept: 1") && !echo.contains("authorization"),
            "{echo}"
        );
        assert!(echo.contains(&format!("host: {}", other.address)));
    });
}
