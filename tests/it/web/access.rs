//! Who may do what, over real sockets: hosts, origins, tokens, cookies, bounds, TLS.
//!
//! The rules are tested as tables in `web/access`.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use super::client::Client;
use super::{SCRIPT, Ui, raw, tool};
use crate::peer::{Peer, Raw};
use crate::tool::Tool;

const TOKEN: &str = "0123456789abcdef-token";

#[test]
fn beyond_loopback_nothing_is_told_without_the_token() {
    let ui = Ui::of(SCRIPT, &format!("--web-host 0.0.0.0 --web-token {TOKEN}"));
    assert!(
        ui.link.ends_with(&format!("/#token={TOKEN}")),
        "{}",
        ui.link
    );
    assert_eq!(ui.get("/").status, 200);
    let info = ui.api("info");
    assert_eq!(
        (&info["needs_token"], &info["script"]),
        (&json!(true), &json!(""))
    );
    for path in [
        "/api/v1/snapshot",
        "/api/v1/script",
        "/stats/requests",
        "/logs",
        "/stats/report",
    ] {
        ui.get(path).status(401);
    }
    ui.request("POST /swarm", &[], b"user_count=1&spawn_rate=1")
        .status(401);
    let bearer = format!("authorization: Bearer {TOKEN}");
    ui.request("GET /api/v1/state", &[&bearer], b"").status(200);

    let login = |token: &str| {
        let body = json!({ "token": token }).to_string();
        ui.request("POST /api/v1/login", &[], body.as_bytes())
    };
    let answer = login(TOKEN).status(204);
    let set = answer.header("set-cookie").unwrap().to_owned();
    assert!(set.contains("HttpOnly; SameSite=Strict"), "{set}");
    let cookie = format!("cookie: {}", set.split(';').next().unwrap());
    ui.request("GET /api/v1/state", &[&cookie], b"").status(200);
    // A foreign page has the browser's cookie and no token.
    let foreign = [cookie.as_str(), "origin: http://evil.example"];
    ui.request("POST /api/v1/runs", &foreign, b"{}").status(403);

    let statuses: Vec<_> = (0..1_000)
        .map(|n| login(&format!("wrong {n}")).status)
        .collect();
    assert!(
        statuses[..10].iter().all(|status| *status == 401),
        "{statuses:?}"
    );
    assert!(statuses[10..].iter().all(|status| *status == 429));
    assert_eq!(login(TOKEN).header("retry-after"), Some("60"));
    // Who is logged in, or has the token, is not touched.
    ui.request("GET /api/v1/state", &[&cookie], b"").status(200);
    ui.request("GET /api/v1/state", &[&bearer], b"").status(200);
    let log = ui.request("GET /api/v1/logs", &[&bearer], b"").text();
    assert!(!log.contains(TOKEN), "{log}");
    ui.ends().code(0);
}

#[test]
fn on_loopback_other_names_and_other_pages_are_refused() {
    let ui = Ui::of(SCRIPT, "");
    let host = format!("host: 127.0.0.1:{}", ui.address.port());
    ui.request("GET /api/v1/state", &[&host], b"").status(200);
    ui.request("GET /api/v1/state", &["host: evil.example"], b"")
        .status(403);
    let foreign = [host.as_str(), "origin: http://evil.example"];
    let started = ui.request("POST /swarm", &foreign, b"user_count=1&spawn_rate=1");
    assert_eq!(started.status, 403);
    ui.request("GET /stop", &[&host, "user-agent: Mozilla/5.0"], b"")
        .status(403);
    assert_eq!(ui.state(), "ready");

    let page = ui.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    assert_eq!(page.header("access-control-allow-origin"), None);
    ui.ends().code(0);
}

#[test]
fn nothing_outside_the_page_is_to_be_had_and_bodies_have_a_bound() {
    let ui = Ui::of(SCRIPT, "");
    for path in [
        "/assets/../Cargo.toml",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets//etc/passwd",
        "/../../etc/passwd",
        "/script.rhai",
    ] {
        let answer = ui.get(path);
        assert!(
            matches!(answer.status, 404 | 400),
            "{path}: {}",
            answer.status
        );
        assert!(!answer.text().contains("root:"), "{path}");
    }
    let large = vec![b' '; 10 << 20];
    for request in [
        "POST /api/v1/runs",
        "POST /swarm",
        "PATCH /api/v1/run",
        "POST /api/v1/check",
    ] {
        assert_eq!(ui.request(request, &[], &large).status, 413, "{request}");
    }
    for (bytes, expected) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "400"),
        (b"nonsense\r\n\r\n", "400"),
    ] {
        let stream = TcpStream::connect(ui.address).unwrap();
        let answer = raw(stream, bytes);
        assert!(answer.contains(expected), "{answer}");
    }
    assert_eq!(ui.state(), "ready");
    ui.ends().code(0);
}

#[test]
fn a_read_only_server_shows_a_run_and_its_exit_code_is_the_runs() {
    // It cannot end before it has been looked at.
    let (holding, release) = Raw::holding();
    let ui = Ui::of(
        "user(\"A\", #{ t: task(|| { if vu_iteration() == 20 { this.client.get(\"/\"); } }) });",
        &format!(
            "--web-read-only --autostart --autoquit 0 -i 20 --web-base-path /a/b -H {}",
            holding.url()
        ),
    );
    for request in [
        "POST /api/v1/run/stop",
        "POST /api/v1/runs",
        "POST /swarm",
        "GET /stop",
    ] {
        assert_eq!(ui.request(request, &[], b"").status, 403, "{request}");
    }
    assert_eq!(ui.get("/").status, 200);
    let elsewhere = {
        let mut client = ui.client();
        client.send("GET /api/v1/state", &[], b"");
        client.reply("GET").status
    };
    assert_eq!(elsewhere, 404, "outside the base path");
    release.send(()).unwrap();
    let run = ui.run.finish().code(0);
    run.says(&["20 started, 20 finished"]);
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let ui = Ui::of(SCRIPT, "");
    let port = ui.address.port();
    let second = Tool::new().file("script.rhai", SCRIPT);
    let second = second.args(&format!("-f script.rhai --web-port {port}"));
    second
        .run()
        .code(2)
        .says(&["cannot serve the web UI", "hint", "--web-port N"]);
    ui.ends().code(0);
}

#[test]
fn tls_is_served_with_the_certificate_given() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let files = tool(SCRIPT)
        .file("cert.pem", &certificate)
        .file("key.pem", &key);
    let ui = Ui::start(files.args("--tls-cert cert.pem --tls-key key.pem"));
    assert!(ui.link.starts_with("https://"), "{}", ui.link);
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = StreamOwned::new(connection, TcpStream::connect(ui.address).unwrap());
    let mut client = Client::over(stream);
    client.send("GET /api/v1/state", &[], b"");
    let state: Value = client.reply("GET").status(200).json();
    assert_eq!(state["state"], "ready");
    ui.ends().code(0);

    let broken = tool(SCRIPT)
        .file("cert.pem", "nonsense")
        .file("key.pem", &key);
    let run = broken.args("--tls-cert cert.pem --tls-key key.pem").run();
    run.code(2)
        .says(&["by TLS", "`cert.pem` has no certificate"]);
}
