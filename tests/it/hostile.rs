//! Servers that want more of us than an answer: our sockets, our memory, our time. A user fails,
//! and nothing else.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixListener;

use crate::peer::Raw;
use crate::tool::{Finished, Tool};

#[test]
fn a_redirect_to_a_socket_is_a_failure_that_says_so() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let socket = path.display().to_string().replace('/', "%2F");
    let peer = Raw::answering(format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http+unix://{socket}/containers/create\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n"
    ));
    let body = "this.client.post(\"/\", #{ json: #{ a: 1 } });";
    let run = Tool::task(body).args("-i 3").on(&peer).run().code(1);
    let errors = run.document().errors();
    assert_eq!((errors.len(), errors[0].2, peer.received()), (1, 3, 3));
    let why = &errors[0].1;
    assert!(
        why.starts_with("redirect to a URL of scheme `http+unix` is not followed"),
        "{why}"
    );
    assert!(listener.accept().is_err());
}

#[test]
fn urls_near_the_longest_go_through_a_proxy_or_fail() {
    let proxy = crate::gates::proxy();
    let target =
        Raw::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let script = format!(
        "user(\"U\", #{{ proxy: \"http://127.0.0.1:{}\", t: task(|| {{
            for length in [65000, 65513, 65520, 65534] {{
                let path = \"/\";
                path.pad(length, 'x');
                let r = this.client.get(path, #{{ name: `${{length}}` }});
                print(if r.error == () {{ r.status.to_string() }} else {{ r.error }});
            }}
        }}) }});",
        proxy.port()
    );
    let run = Tool::running(&script)
        .args("-i 1")
        .on(&target)
        .run()
        .code(1);
    let printed = run.printed();
    assert_eq!(printed[0], "200");
    for line in &printed[1..] {
        assert!(line.starts_with("URL is longer than 65534 bytes"), "{line}");
    }
    assert_eq!((printed.len(), target.received()), (4, 1));
    assert!(!run.stderr.contains("panic"), "{}", run.stderr);
}

/// A server of bodies of a megabyte, and a run of one iteration that may hold so many bytes.
fn megabytes(body: &str, memory: &str) -> Finished {
    let peer = Raw::serving(|stream: &mut TcpStream, _: &[String]| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\nconnection: close\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&vec![b'x'; 1_000_000]);
    });
    Tool::task(body)
        .args(&format!("-i 1 --body-memory {memory}"))
        .on(&peer)
        .run()
}

#[test]
fn bodies_of_all_users_have_a_limit() {
    let body = "let kept = [];
        for i in 0..10 { let r = this.client.get(\"/\"); if r.error == () { kept.push(r); } }
        print(kept.len());";
    let run = megabytes(body, "3500kB").code(1);
    assert_eq!(run.printed(), ["3"]);
    let errors = run.document().errors();
    assert_eq!((errors.len(), errors[0].2), (1, 7));
    let why = &errors[0].1;
    assert!(
        why.contains("limit of 3500000 bytes (raise `--body-memory`"),
        "{why}"
    );
}

#[test]
fn bodies_that_nobody_can_read_take_no_memory() {
    let dropped = "for i in 0..3 { this.client.get(\"/\"); } this.client.get(\"/\");";
    let run = megabytes(dropped, "100kB").code(0);
    assert_eq!(run.document().row("/"), (4, 0));
    let bytes = run.document().number("/requests/0/bytes");
    assert!((bytes - 4e6).abs() < 1.0, "{bytes}");
    // What a function or a method returns may be read.
    let script = "fn ask(client) { client.get(\"/\"); }
    user(\"U\", #{
        ask: || this.client.get(\"/\"),
        t: task(|| { print(this.ask().text.len() + ask(this.client).text.len()); }),
    });";
    let run = Tool::running(script);
    let peer = Raw::answering(format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n{}",
        "x".repeat(100_000)
    ));
    assert_eq!(
        run.args("-i 1").on(&peer).run().code(0).printed(),
        ["200000"]
    );
}

#[test]
fn a_body_goes_with_the_last_that_can_read_it() {
    let body =
        "for i in 0..5 { let r = this.client.get(\"/\"); if r.length != 1000000 { throw 1; } }
        let lines = this.client.get(\"/\").lines();
        sleep(0);
        for line in lines { print(line.len()); }";
    let run = megabytes(body, "1500kB").code(0);
    assert_eq!(run.printed(), ["1000000"]);
}
