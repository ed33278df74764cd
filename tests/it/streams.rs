//! Bodies that a script reads as they come, line by line; and that they can always be stopped.
//!
//! Piece by piece and over HTTP/2 they are tested at the client.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::peer::{Raw, Shop};
use crate::tool::Tool;

#[test]
fn each_line_is_there_as_it_comes() {
    let (say, said) = channel::<&str>();
    let said = Mutex::new(said);
    let peer = Raw::serving(move |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        for text in said.lock().unwrap().iter() {
            let _ = stream.write_all(text.as_bytes());
        }
    });
    let body = r#"
        let r = this.client.get("/", #{ stream: true });
        print(r.status, r.length);
        for line in r.lines() { print(`<${line}>`); }
        print(r.length, r.error);
    "#;
    let mut run = Tool::task(body).args("-i 1").on(&peer).start();
    run.prints("200 0");
    // Nothing more is sent before the line was printed.
    for (text, printed) in [("a\nb", "<a>"), ("c\r\n", "<bc>"), ("\nrest", "<>")] {
        say.send(text).unwrap();
        run.prints(printed);
    }
    drop(say);
    run.prints("<rest>");
    run.prints("11 ");
    let run = run.finish().code(0);
    assert_eq!(run.document().row("/"), (1, 0));
}

#[test]
fn the_sample_ends_with_the_last_byte_that_was_waited_for() {
    let shop = Shop::open();
    let body = r#"
        let r = this.client.get("/stream/3?delay=500", #{ stream: true, name: "all" });
        let head = r.elapsed;
        let n = 0;
        for line in r.lines() { n += 1; }
        print(n, head < 0.5, r.elapsed >= 1.0, r.timings.receive >= 1.0, r.length);
        let r = this.client.get("/stream/endless?delay=500", #{ stream: true, name: "one" });
        for line in r.lines() { break; }
        let first = r.elapsed;
        let r = this.client.get("/stream/2?delay=500", #{ stream: true, name: "none" });
        print(first < 0.5, r.elapsed < 0.5);
    "#;
    let run = Tool::task(body).args("-i 1").on(&shop).run().code(0);
    assert_eq!(run.printed(), ["3 true true true 21", "true true"]);
    let document = run.document();
    for name in ["all", "one", "none"] {
        assert_eq!(document.row(name), (1, 0), "{name}");
    }
    // What was given up did not leave its connection behind.
    assert_eq!(shop.counts().connections, 2);
}

#[test]
fn every_response_has_lines_and_a_streamed_one_has_all_the_rest() {
    let shop = Shop::open();
    let body = r#"
        for line in this.client.get("/stream/2").lines() { print(line); }
        let r = this.client.post("/anything", #{ json: #{ a: 1 }, stream: true });
        print(r.json("/json/a"), r.text.contains("\"POST\""));
        let r = this.client.get("/stream/3", #{ stream: true });
        for line in r.lines() { break; }
        print(r.text == "line 2\nline 3\n");
        for line in r.lines() { print(`again ${line}`); }
        let r = this.client.get("/text", #{ stream: true });
        print(r.header("content-encoding"), r.text == this.client.get("/text").text);
    "#;
    let run = Tool::task(body).args("-i 1").on(&shop).run().code(0);
    assert_eq!(
        run.printed(),
        [
            "line 1",
            "line 2",
            "1 true",
            "true",
            "again line 2",
            "again line 3",
            "br true",
        ]
    );
}

#[test]
fn a_body_that_breaks_off_fails_its_sample_and_ends_the_loop() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            network_timeout: 1,
            t: task(|| {
                for path in ["/cut/100", "/stream/2?delay=5000"] {
                    let r = this.client.get(path, #{ stream: true, name: path });
                    for line in r.lines() { }
                    print(r.status, r.error);
                }
                this.client.get("/hello");
            }),
        });"#;
    let run = Tool::running(script).args("-i 1").on(&shop).run().code(1);
    assert_eq!(
        run.printed(),
        [
            "200 server closed the connection in the middle of the body",
            "200 timed out waiting for the server",
        ]
    );
    let document = run.document();
    assert_eq!(document.row("/cut/100"), (1, 1));
    assert_eq!(document.row("/stream/2?delay=5000"), (1, 1));
    assert_eq!(document.row("/hello"), (1, 0));
}

#[test]
fn a_stream_without_end_can_be_stopped() {
    let shop = Shop::open();
    // With a body of the loop and without, and whatever the script catches.
    let body = r#"
        let r = this.client.get("/stream/endless?delay=1", #{ stream: true, name: "s" });
        if vu_id() == 0 { print("begun"); for line in r.lines() { } }
        try { for line in r.lines() { if line == "line 5" { print("going"); } } } catch { loop { } }
    "#;
    for version in ["1.1", "2"] {
        let script = format!("user(\"U\", #{{ http: \"{version}\", t: task(|| {{ {body} }}) }});");
        let mut run = Tool::running(&script).args("-u 2 -r 100").on(&shop).start();
        run.says_each(&[": begun\n", ": going\n"]);
        run.interrupt();
        let run = run.finish();
        assert!(run.took < Duration::from_secs(20), "{:?}", run.took);
        // The heads were there: both count, and neither as a failure.
        assert_eq!(run.document().row("s"), (2, 0), "{version}: {}", run.stderr);
    }
}

#[test]
fn a_response_that_is_kept_does_not_keep_its_connection() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            state: #{ r: () },
            t: task(|| {
                if this.r != () {
                    let n = 0;
                    for line in this.r.lines() { n += 1; }
                    print(n, shop_open(this.client));
                }
                this.r = this.client.get("/stream/endless?delay=1", #{ stream: true });
            }),
        });
        fn shop_open(client) { client.get("/requests").json("/open") }"#;
    let run = Tool::running(script).args("-i 3").on(&shop).run().code(0);
    // The one that asks, and none of those before.
    assert_eq!(run.printed(), ["0 1", "0 1"]);
}

#[test]
fn a_coding_that_is_cut_short_or_damaged_is_a_failure_however_it_is_read() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&b"a line\n".repeat(1_000)).unwrap();
    let encoded = encoder.finish().unwrap();
    let peer = Raw::serving(move |stream, head| {
        let mut body = encoded.clone();
        match head[0].contains("/cut") {
            true => body.truncate(encoded.len() - 12),
            false => body[12..].reverse(),
        }
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}");
        let _ = stream.write_all(format!("{head}\r\n\r\n").as_bytes());
        let _ = stream.write_all(&body);
    });
    for path in ["/cut", "/damaged"] {
        for (options, reading) in [
            ("#{ stream: true }", "for l in r.lines() { }"),
            ("#{ stream: true }", "for l in r.lines() { l.len }"),
            ("#{ stream: true }", "r.text"),
            ("#{}", "for l in r.lines() { }"),
            ("#{}", "for l in r.lines() { l.len }"),
            ("#{}", "r.text"),
        ] {
            let body = format!("let r = this.client.get(\"{path}\", {options}); {reading}");
            let run = Tool::task(&body).args("-i 1").on(&peer).run().code(1);
            assert_eq!(run.document().row(path), (1, 1), "{options} {reading}");
        }
    }
}
