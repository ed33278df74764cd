//! Requests as tables: who asks for what, how, and what becomes of it.
//!
//! Over real sockets the rules are tested in `tests/it`.

use super::*;

fn access(token: Option<&str>) -> Access {
    Access::new(Rules {
        token: token.map(str::to_owned),
        port: 8089,
        base_path: String::new(),
        is_loopback: token.is_none(),
        is_read_only: false,
        is_tls: false,
        origins: vec!["https://load.example.com".to_owned()],
    })
}

/// The status that a request gets before its handler; 200 if it passes.
fn status(access: &Access, request: &str, headers: &[(&str, &str)]) -> u16 {
    let (method, path) = request.split_once(' ').unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: header::HeaderName = name.parse().unwrap();
        map.append(name, value.parse().unwrap());
    }
    let uri: Uri = path.parse().unwrap();
    let checked = access.check(&method.parse().unwrap(), &uri, &map, uri.path());
    checked.map_or_else(|problem| problem.status().as_u16(), |()| 200)
}

#[test]
fn on_loopback_only_its_own_names_lead_here() {
    let access = access(None);
    for host in [
        "localhost:8089",
        "LOCALHOST",
        "a.localhost:1",
        "127.0.0.1:8089",
        "127.9.9.9",
        "[::1]:8089",
        "localhost.:8089",
        "load.example.com",
    ] {
        assert_eq!(
            status(&access, "GET /api/v1/state", &[("host", host)]),
            200,
            "{host}"
        );
    }
    for host in [
        "evil.com",
        "evil.com:8089",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "10.0.0.1",
        "",
    ] {
        assert_eq!(
            status(&access, "GET /api/v1/state", &[("host", host)]),
            403,
            "{host}"
        );
    }
    assert_eq!(status(&access, "GET /", &[]), 400);
}

#[test]
fn changes_come_from_this_page_or_from_no_page() {
    let access = access(None);
    let host = ("host", "localhost:8089");
    for (request, headers, expected) in [
        ("POST /swarm", vec![host], 200),
        (
            "POST /swarm",
            vec![host, ("origin", "http://localhost:8089")],
            200,
        ),
        (
            "POST /swarm",
            vec![host, ("origin", "https://load.example.com")],
            200,
        ),
        (
            "POST /swarm",
            vec![host, ("origin", "http://evil.com")],
            403,
        ),
        (
            "POST /swarm",
            vec![host, ("origin", "http://localhost:8090")],
            403,
        ),
        ("POST /swarm", vec![host, ("origin", "null")], 403),
        (
            "POST /swarm",
            vec![host, ("sec-fetch-site", "cross-site")],
            403,
        ),
        (
            "POST /swarm",
            vec![host, ("sec-fetch-site", "same-site")],
            403,
        ),
        (
            "POST /swarm",
            vec![host, ("sec-fetch-site", "same-origin")],
            200,
        ),
        ("GET /stop", vec![host], 200),
        ("GET /stop", vec![host, ("user-agent", "curl/8")], 200),
        ("GET /stop", vec![host, ("user-agent", "Mozilla/5.0")], 403),
        ("GET /stop", vec![host, ("sec-fetch-mode", "no-cors")], 403),
        (
            "GET /stats/reset",
            vec![host, ("sec-fetch-dest", "image")],
            403,
        ),
        (
            "GET /api/v1/live",
            vec![host, ("sec-fetch-site", "cross-site")],
            403,
        ),
        (
            "GET /api/v1/live",
            vec![host, ("sec-fetch-site", "same-origin")],
            200,
        ),
    ] {
        assert_eq!(
            status(&access, request, &headers),
            expected,
            "{request} {headers:?}"
        );
    }
}

#[test]
fn beyond_loopback_a_token_is_needed() {
    let access = access(Some("0123456789abcdef"));
    let host = ("host", "anything:8089");
    let bearer = |token| ("authorization", token);
    for path in ["/", "/assets/a.js", "/healthz", "/api/v1/info"] {
        assert_eq!(
            status(&access, &format!("GET {path}"), &[host]),
            200,
            "{path}"
        );
    }
    for path in [
        "/api/v1/state",
        "/stats/requests",
        "/logs",
        "/api/v1/script",
        "/stop",
    ] {
        let request = format!("GET {path}");
        assert_eq!(status(&access, &request, &[host]), 401, "{path}");
        let right = bearer("Bearer 0123456789abcdef");
        assert_eq!(status(&access, &request, &[host, right]), 200, "{path}");
        let wrong = bearer("Bearer 0123456789abcdeF");
        assert_eq!(status(&access, &request, &[host, wrong]), 401, "{path}");
    }
    // Whoever has the token needs no origin.
    let foreign = [
        host,
        ("origin", "http://evil.com"),
        bearer("Bearer 0123456789abcdef"),
    ];
    assert_eq!(status(&access, "POST /swarm", &foreign), 200);
}

#[test]
fn a_cookie_holds_until_it_is_over_and_cannot_be_made_up() {
    let access = access(Some("0123456789abcdef"));
    let from: IpAddr = "10.0.0.1".parse().unwrap();
    let set = access.log_in(from, "0123456789abcdef").unwrap();
    assert!(
        set.contains("; HttpOnly; SameSite=Strict") && !set.contains("Secure"),
        "{set}"
    );
    let (cookie, _) = set.split_once(';').unwrap();
    let host = ("host", "anything");
    let ok = format!("a=b; {cookie}");
    assert_eq!(status(&access, "GET /logs", &[host, ("cookie", &ok)]), 200);
    let (name, value) = cookie.split_once('=').unwrap();
    let (expiry, code) = value.split_once('.').unwrap();
    let later = format!("{name}={}.{code}", expiry.parse::<u64>().unwrap() + 1);
    let over = format!("{name}={}", access.signed("1000"));
    for forged in [later.as_str(), &over, "katydid_8089=", "katydid_8090=x.y"] {
        assert_eq!(
            status(&access, "GET /logs", &[host, ("cookie", forged)]),
            401,
            "{forged}"
        );
    }
}

#[test]
fn many_wrong_tokens_close_the_log_in_of_their_address_alone() {
    let access = access(Some("0123456789abcdef"));
    let log_in = |from: &str, token| {
        let result = access.log_in(from.parse().unwrap(), token);
        result.map_or_else(|problem| problem.status().as_u16(), |_| 204)
    };
    let statuses: Vec<_> = (0..12).map(|_| log_in("10.0.0.1", "wrong")).collect();
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat());
    assert_eq!(log_in("10.0.0.1", "0123456789abcdef"), 429);
    assert_eq!(log_in("10.0.0.2", "0123456789abcdef"), 204);
    // A household's network counts as one address.
    for n in 0..10 {
        assert_eq!(log_in(&format!("2001:db8::{n}"), "wrong"), 401);
    }
    assert_eq!(log_in("2001:db8::ffff", "0123456789abcdef"), 429);
    assert_eq!(log_in("2001:db8:0:1::1", "0123456789abcdef"), 204);
}

#[test]
fn read_only_refuses_every_change() {
    let mut access = access(None);
    access.is_read_only = true;
    let host = [("host", "localhost")];
    assert_eq!(status(&access, "POST /swarm", &host), 403);
    assert_eq!(status(&access, "GET /stop", &host), 403);
    assert_eq!(status(&access, "PATCH /api/v1/run", &host), 403);
    assert_eq!(status(&access, "GET /stats/requests", &host), 200);
}
