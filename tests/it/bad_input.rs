//! Bad input: each kind gets a clear message that says what to do, the right exit code, and a
//! place in the counts if it is a sample. Nothing that was measured before is lost.
//!
//! Wrong options and scripts come first, then wrong hosts, then servers that misbehave.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::peer::{Nobody, Peer, Raw, Shop};
use crate::tool::{Finished, Tool, counted};

const HELLO: &str = r#"user("U", #{ t: task(|| { this.client.get("/hello"); }) });"#;

#[test]
fn wrong_usage_is_answered_with_the_right_one() {
    let cases: [(&str, &[&str]); 12] = [
        ("--user 5", &["unexpected argument '--user'", "'--users'"]),
        ("--headles", &["'--headless'"]),
        ("-u many", &["invalid value 'many'", "--users"]),
        ("-u -1", &["unexpected argument '-1'"]),
        ("-r 0", &["invalid value '0'", "--spawn-rate"]),
        ("-t soon", &["invalid value 'soon'", "1m30s"]),
        ("--threads 0", &["--threads"]),
        ("-p x", &["NAME=VALUE", "language=ko"]),
        ("--csv-full-history", &["--csv <PREFIX>"]),
        ("--exit-code-on-error 300", &["300"]),
        ("run.rhai", &["`run.rhai` is a script", "`-f run.rhai`"]),
        (
            "chek script.rhai",
            &["no command `chek`", "did you mean `check`?"],
        ),
    ];
    for (arguments, texts) in cases {
        let run = Tool::new().args(arguments).run().code(2);
        let run = run.says(texts);
        assert!(run.stdout.is_empty(), "{arguments}");
    }
}

#[test]
fn options_about_the_web_ui_that_mean_nothing_say_what_to_write() {
    for (arguments, texts) in [
        (
            "--headless --web-port 1",
            ["serves no web UI", "`--autostart --autoquit 0`"],
        ),
        ("--autoquit 3", ["`--autoquit` needs `--autostart`", "hint"]),
        ("--web-base-path a", ["`a` is no path", "`/katydid`"]),
        ("--web-origin a.com", ["`a.com` is no origin", "https://"]),
        ("--web-token short", ["shorter than 16", "random"]),
        ("--tls-cert a.pem", ["--tls-key", "required"]),
    ] {
        let tool = Tool::new().file("katydid.rhai", HELLO);
        tool.args(arguments).run().code(2).says(&texts);
    }
}

#[test]
fn scripts_that_cannot_be_read_or_declare_nothing_are_refused() {
    let cases: [(&[u8], &[&str]); 6] = [
        (b"", &["the script declares no user class", "user("]),
        (b"// nothing\n", &["the script declares no user class"]),
        (b"let x = 1;", &["the script declares no user class"]),
        (b"user(\"U\", #{});", &["has no task", "task(||"]),
        (b"user(\"U\", #{ t: task(|| {", &["script.rhai:1:"]),
        (b"user(\"\xff\", #{});", &["script.rhai", "UTF-8"]),
    ];
    for (script, texts) in cases {
        let shown = String::from_utf8_lossy(script);
        let run = Tool::new()
            .file("script.rhai", script)
            .args("-f script.rhai --headless --json -H http://127.0.0.1:1")
            .run();
        let run = run.code(2).says(texts);
        assert!(run.stdout.is_empty(), "{shown}");
        assert!(run.stderr.contains("error"), "{shown}: {}", run.stderr);
    }
    let missing = Tool::new().args("-f missing.rhai --headless").run();
    missing
        .code(2)
        .says(&["missing.rhai", "-f FILE", "katydid new"]);
    let folder = Tool::new().args("-f . --headless").run();
    folder.code(2).says(&["`.`", "hint:"]);
    Tool::new()
        .args("--headless")
        .run()
        .code(2)
        .says(&["katydid.rhai"]);
    Tool::new()
        .args("check missing.rhai")
        .run()
        .code(2)
        .says(&["missing.rhai"]);
}

#[test]
fn hosts_that_are_none_are_refused_before_the_run() {
    for (host, text) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost", "http://localhost"),
        ("ftp://localhost", "http"),
        ("http://", "host"),
    ] {
        let run = Tool::running(HELLO).args("-H").arg(host).run();
        let run = run.code(2).says(&["`--host`", text]);
        assert!(run.stdout.is_empty());
    }
    let script = HELLO.replace("#{ t:", "#{ host: \"example.org\", t:");
    Tool::running(&script)
        .run()
        .code(2)
        .says(&["`host` of the user class `U`", "http://example.org"]);
}

#[test]
fn no_host_at_all_names_the_option() {
    let run = Tool::running(HELLO).args("-i 1").run().code(1);
    let run = run.says(&["WARN the user class `U` has no host", "`-H http://…`"]);
    let exceptions = run.document().exceptions();
    assert_eq!(exceptions.len(), 1);
    assert!(exceptions[0].0.contains("`-H http://…`"), "{exceptions:?}");
    assert_eq!(run.document().count("/total/requests"), 0);
}

/// A run of a few requests that all fail with this text, after some that went well.
fn fails_with(peer: &impl Peer, error: &str) -> Finished {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            on_start: || { this.client.get("SHOP/hello", #{ name: "good" }); },
            t: task(|| { this.client.get("/", #{ name: "bad" }); }),
            on_stop: || { this.client.get("SHOP/hello", #{ name: "good" }); },
        });"#;
    let run = Tool::running(&script.replace("SHOP", &shop.url()))
        .args("-i 6")
        .on(peer)
        .run()
        .code(1)
        // The report wraps a long one.
        .says(&[error.split(" (").next().unwrap()]);
    let document = run.document();
    assert_eq!(document.errors(), [counted("bad", error, 6)]);
    assert_eq!(
        (document.row("good"), document.row("bad")),
        ((2, 0), (6, 6))
    );
    assert!(document.exceptions().is_empty());
    run
}

#[test]
fn nobody_listens() {
    fails_with(&Nobody::there(), "connection refused");
}

/// A host by its name.
struct Named(&'static str);

impl Peer for Named {
    fn url(&self) -> String {
        self.0.to_owned()
    }
}

#[test]
fn the_host_does_not_resolve() {
    // RFC 6761: names under `invalid.` never do.
    let host = Named("http://no-such-host.invalid");
    fails_with(&host, "host `no-such-host.invalid` could not be resolved");
}

#[test]
fn servers_break_off_their_answers() {
    let cases: [(&str, &str); 6] = [
        ("", "server closed the connection without a response"),
        (
            "HTTP/1.1 200 OK\r\nContent-Le",
            "server closed the connection without a response",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
            "server closed the connection in the middle of the body",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
            "server closed the connection in the middle of the body",
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n", "response is not HTTP/1"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "invalid body: malformed chunk",
        ),
    ];
    for (answer, error) in cases {
        fails_with(&Raw::answering(answer), error);
    }
}

#[test]
fn headers_without_end_are_not_read_for_ever() {
    let peer = Raw::serving(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream
            .write_all(b"X-More: and more and more and more\r\n")
            .is_ok()
        {}
    });
    fails_with(
        &peer,
        "response headers too large (more than 5,000 lines, or 256 KiB)",
    );
}

#[test]
fn a_body_over_the_limit_is_not_read() {
    let peer = Raw::serving(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n");
        let some = [b'x'; 65_536];
        while stream.write_all(&some).is_ok() {}
    });
    let run = fails_with(&peer, "body larger than the limit of 100000000 bytes");
    // Six times 5 GB were not received.
    assert!(run.document().count("/total/bytes") < 1_000_000_000);
}

#[test]
fn a_redirect_loop_ends() {
    let peer = Raw::answering("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    fails_with(&peer, "more than 30 redirects");
    assert_eq!(peer.received(), 6 * 31);
}

#[test]
fn a_certificate_that_nobody_trusts_says_what_to_do() {
    let certificate = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let secure = Secure::with(certificate);
    fails_with(
        &secure,
        "certificate not accepted: its issuer is unknown (trust it with \
         `ca: \"file.pem\"`, or skip the check with `insecure: true`)",
    );
    // What the message says helps.
    let script = r#"user("U", #{ insecure: true, t: task(|| { this.client.get("/"); }) });"#;
    Tool::running(script).args("-i 2").on(&secure).run().code(0);
    let script = r#"user("U", #{ ca: "ca.pem", t: task(|| { this.client.get("/"); }) });"#;
    Tool::running(script)
        .file("ca.pem", &secure.pem)
        .args("-i 2")
        .on(&secure)
        .run()
        .code(0);
    Tool::running(script)
        .args("-i 2")
        .on(&secure)
        .run()
        .code(2)
        .says(&["`U`", "ca.pem"]);
}

#[test]
fn plain_http_where_tls_was_meant_and_the_other_way_round() {
    let plain = Raw::answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let run = Tool::task("this.client.get(\"/\");")
        .args("-i 1 -H")
        .arg(&format!("https://127.0.0.1:{}", plain.port()))
        .run()
        .code(1);
    let errors = run.document().errors();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].1.starts_with("TLS handshake failed"),
        "{errors:?}"
    );
}

/// A TLS server with a certificate of its own making.
struct Secure {
    port: u16,
    pem: String,
}

impl Secure {
    fn with(certificate: rcgen::CertifiedKey<rcgen::KeyPair>) -> Secure {
        let pem = certificate.cert.pem();
        let key = certificate.signing_key.serialize_der();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.cert.der().clone()],
                rustls::pki_types::PrivateKeyDer::try_from(key).unwrap(),
            )
            .unwrap();
        let config = std::sync::Arc::new(config);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        // It accepts until the tests end.
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream);
                let mut request = [0; 4096];
                if stream.read(&mut request).is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(
                        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
                    );
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        Secure { port, pem }
    }
}

impl Peer for Secure {
    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }
}

#[test]
fn text_that_is_not_utf_8_is_read_as_well_as_it_can_be() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Odd: caf\xe9\r\n\r\n".to_vec();
    answer.extend(b"caf\xe9 \xff");
    let body = r#"
        let r = this.client.get("/");
        print(r.text, r.header("x-odd"), r.bytes.len, r.json("/a") == ());"#;
    let run = Tool::task(body)
        .args("-i 1")
        .on(&Raw::answering(answer))
        .run()
        .code(0);
    assert_eq!(run.printed(), ["caf\u{fffd} \u{fffd} caf\u{e9} 6 true"]);
}

#[test]
fn an_environment_that_is_not_utf_8_is_no_reason_not_to_run() {
    let run = Tool::task(r#"print(env("ODD").len(), env("ABSENT", "none"));"#)
        .env("ODD", OsStr::from_bytes(b"caf\xe9"))
        .args("-i 1 -H http://127.0.0.1:1")
        .run()
        .code(0);
    assert_eq!(run.printed(), ["4 none"]);
}

#[test]
fn more_users_than_open_files_are_warned_of_and_counted() {
    let shop = Shop::open();
    let run = Tool::limited("-n 60")
        .file(
            "script.rhai",
            HELLO.replace("#{ t:", "#{ wait_time: 0.2, t:"),
        )
        .args("-f script.rhai --headless --only-summary --json -u 100 -r 1000 -i 500 --threads 1")
        .on(&shop)
        .run()
        .code(1)
        .says(&[
            "100 users need more open files than the 60",
            "raise `ulimit -n`",
        ]);
    let document = run.document();
    let errors = document.errors();
    let count: u64 = errors.iter().map(|(_, _, count)| count).sum();
    assert_eq!(
        errors,
        [counted(
            "/hello",
            "out of file descriptors (raise `ulimit -n` or start fewer users)",
            count
        )]
    );
    // The users that have a connection go on, and what they do is counted.
    let (requests, failures) = document.row("/hello");
    assert_eq!(count, failures);
    assert!(
        requests > failures,
        "{requests} requests, {failures} failures"
    );
    assert_eq!(requests - failures, shop.counts().total);
}

#[test]
fn results_survive_where_csv_files_cannot_be_written() {
    let shop = Shop::open();
    // Not even root may write these.
    for prefix in ["/proc/katydid/run", "/dev/null/run", "/proc/run"] {
        let run = Tool::running(HELLO)
            .args("-u 2 -r 100 -i 10 --csv")
            .arg(prefix)
            .on(&shop)
            .run()
            .code(3)
            .says(&[
                "can't",
                "hint: give `--csv` a place where you may write",
                "Aggregated",
            ]);
        assert_eq!(run.document().count("/total/requests"), 10);
    }
}

#[test]
fn a_full_disk_under_csv_is_told_while_the_run_goes_on() {
    let shop = Shop::open();
    // The four files of a run are links to a device that is always full.
    let full = tempfile::tempdir().unwrap();
    for file in ["stats", "stats_history", "failures", "exceptions"] {
        let link = full.path().join(format!("run_{file}.csv"));
        std::os::unix::fs::symlink("/dev/full", link).unwrap();
    }
    let prefix = full.path().join("run");
    let run = Tool::running(&HELLO.replace("#{ t:", "#{ wait_time: 0.1, t:"))
        .args("-i 16 --csv")
        .arg(prefix.to_str().unwrap())
        .on(&shop)
        .run()
        .code(3)
        .says(&["free some space", "Aggregated"]);
    let requests = run.document().count("/total/requests");
    assert!(requests > 5, "{requests}");
    assert_eq!(requests, shop.counts().total);
    // Once when it begins and once at the end, not every second.
    let told = run.stderr.matches("free some space").count();
    assert!(told <= 2, "told {told} times");
}

#[test]
fn a_server_that_never_answers_ends_nobodys_run() {
    let shop = Shop::open();
    let script = r#"user("U", #{ t: task(|| { this.client.get("/stall"); }) });"#;
    let run = Tool::running(script)
        .args("-u 5 -r 1000 -t 500ms --threads 2")
        .on(&shop)
        .run()
        .code(0);
    assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
    assert_eq!(run.document().count("/in_flight_at_stop"), 5);
}
