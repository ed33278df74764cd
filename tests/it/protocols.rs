//! How a class speaks HTTP, from its attributes to the wire: versions, proxies, certificates,
//! sockets. What each of them does in detail is tested at the client.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;

use crate::peer::{Peer, Raw, Shop};
use crate::tool::{Finished, Tool};

/// One iteration of a class with these attributes.
fn with_attributes(attributes: &str, body: &str, peer: &impl Peer) -> Finished {
    let script = format!("user(\"U\", #{{ {attributes}, t: task(|| {{ {body} }}) }});");
    Tool::running(&script).args("-i 1").on(peer).run()
}

#[test]
fn the_version_of_http_is_the_class_s_choice() {
    let shop = Shop::open();
    let body = "for i in 0..3 { print(this.client.get(\"/anything\").json(\"/version\")); }";
    for (version, expected) in [("auto", "1.1"), ("1.1", "1.1"), ("2", "2")] {
        let run = with_attributes(&format!("http: \"{version}\""), body, &shop).code(0);
        assert_eq!(run.printed(), [expected; 3], "{version}");
    }
    // Three runs of three requests, a connection each.
    let counts = shop.counts();
    assert_eq!((counts.by_path["/anything"], counts.connections), (9, 3));
}

#[test]
fn a_server_without_http2_is_told_apart() {
    let peer = Raw::answering("HTTP/1.1 400 Bad Request\r\n\r\n");
    let body = "print(this.client.get(\"/\").error);";
    let run = with_attributes("http: \"2\"", body, &peer).code(1);
    assert!(
        run.stderr.contains("server does not take HTTP/2"),
        "{}",
        run.stderr
    );
}

#[test]
fn requests_go_through_the_proxy_of_the_class() {
    let proxy = Raw::serving(|stream, head| {
        let seen = head
            .iter()
            .filter(|line| !line.to_lowercase().starts_with("user-agent"));
        let seen: Vec<_> = seen.map(String::as_str).collect();
        let body = seen.join("|");
        let length = body.len();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
        );
    });
    let attributes = format!("proxy: \"http://us:pw@127.0.0.1:{}\"", proxy.port());
    // The host is the proxy's to find.
    let body = "print(this.client.get(\"http://nobody.invalid/a\").text);";
    let run = with_attributes(&attributes, body, &proxy).code(0);
    let printed = run.printed().join("");
    assert!(
        printed.starts_with("GET http://nobody.invalid/a HTTP/1.1|"),
        "{printed}"
    );
    assert!(
        printed.contains("|proxy-authorization: Basic dXM6cHc="),
        "{printed}"
    );
}

#[test]
fn the_proxies_of_the_environment_are_not_asked() {
    let (shop, proxy) = (Shop::open(), Raw::answering(""));
    let mut tool = Tool::task("this.client.get(\"/hello\");");
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy"] {
        tool = tool.env(name, proxy.url());
    }
    tool.args("-i 1").on(&shop).run().code(0);
    assert_eq!((shop.count("/hello"), proxy.received()), (1, 0));
}

#[test]
fn wrong_options_are_told_before_the_run() {
    let cases: [(&str, &[&str]); 6] = [
        (
            "http: \"3\"",
            &["script.rhai:1:20", "no version of HTTP", "`http: \"2\"`"],
        ),
        (
            "proxy: \"localhost:1\"",
            &["script.rhai:1:21", "did you mean `http://localhost:1`?"],
        ),
        ("proxy: \"socks5://x:1\"", &["`socks5` is not supported"]),
        ("concurrency: 0", &["a number from 1"]),
        (
            "client_cert: \"none.pem\"",
            &[
                "the user class `U`",
                "`client_cert` file",
                "none.pem`",
                "No such file",
            ],
        ),
        (
            "client_key: \"x.pem\"",
            &["`client_key` needs `client_cert`"],
        ),
    ];
    for (attribute, texts) in cases {
        let script = format!("user(\"U\", #{{ {attribute}, t: task(|| {{ }}) }});");
        let run = Tool::new()
            .file("script.rhai", &script)
            .args("check script.rhai");
        run.run().code(2).says(texts);
    }
}

#[test]
fn certificates_are_looked_for_beside_the_script() {
    let folder = tempfile::TempDir::new().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["x".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content);
    write("client.pem", &certificate.pem()).unwrap();
    write("client.key", &key.serialize_pem()).unwrap();
    write("other.key", &other.serialize_pem()).unwrap();
    let check = |key: &str| {
        let script = format!(
            "user(\"U\", #{{ ca: \"client.pem\", client_cert: \"client.pem\", \
             client_key: \"{key}\", t: task(|| {{ }}) }});"
        );
        write("script.rhai", &script).unwrap();
        let path = folder.path().join("script.rhai");
        // It runs elsewhere.
        Tool::new().arg("check").arg(path.to_str().unwrap()).run()
    };
    check("client.key").code(0);
    check("other.key")
        .code(2)
        .says(&["does not belong to the certificate in", "client.pem`"]);
}

#[test]
fn a_unix_socket_is_a_host_like_others() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let line = line.unwrap();
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).unwrap();
        head
    });
    let host = path.display().to_string().replace('/', "%2F");
    let run = Tool::task("print(this.client.get(\"/a\").text);")
        .args(&format!("-i 1 -H http+unix://{host}/base"))
        .run()
        .code(0);
    assert_eq!(run.printed(), ["ok"]);
    let head = server.join().unwrap();
    assert_eq!(head[..2], ["GET /base/a HTTP/1.1", "host: localhost"]);
}
