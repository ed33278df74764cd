//! What a run warns of once, however often users meet it: cookies that are refused, names that are
//! cut. What is said of JSON is tested in `requests`.

use std::io::Write;

use crate::peer::Raw;
use crate::tool::{Finished, Tool};

fn times(run: &Finished, text: &str) -> usize {
    run.stderr
        .lines()
        .filter(|line| line.contains(text))
        .count()
}

#[test]
fn each_reason_to_refuse_a_cookie_is_said_once() {
    let peer = Raw::serving(|stream, head| {
        let (status, more) = match head[0].contains(" /start ") {
            true => (
                "302 Found",
                "Location: /end\r\nSet-Cookie: a=secret; Domain=b.example\r\n",
            ),
            false => (
                "200 OK",
                "Set-Cookie: secret; Path=/\r\nSet-Cookie: kept=1\r\n",
            ),
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\n\r\n"
        );
    });
    let run = Tool::task("this.client.get(\"/start\");")
        .args("-u 3 -i 9 --threads 2")
        .on(&peer)
        .run();
    assert_eq!(
        times(
            &run,
            "cookie `a` of 127.0.0.1 is refused: its `Domain` is another host's"
        ),
        1,
        "{}",
        run.stderr
    );
    assert_eq!(
        times(&run, "a cookie of 127.0.0.1 is refused: it has no name"),
        1,
        "{}",
        run.stderr
    );
    assert_eq!(times(&run, "WARN"), 2, "{}", run.stderr);
    assert!(!run.stderr.contains("secret"), "{}", run.stderr);
}

#[test]
fn a_name_that_is_cut_is_said_once() {
    let peer = Raw::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let run = Tool::task(
        "let long = \"long\"; long.pad(2000, 'x');
        for n in 0..3 { this.client.get(\"/\", #{ name: long + n }); }",
    )
    .args("-u 2 -i 4 --threads 2")
    .on(&peer)
    .run();
    let said = "WARN a name or a failure has more than 1000 bytes, and is reported without the \
                rest: `longxxxx";
    assert_eq!(times(&run, said), 1, "{}", run.stderr);
}

#[test]
fn a_message_of_megabytes_is_shown_in_part() {
    let peer = Raw::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let long = "let long = \"long\"; long.pad(1000000, 'x');";
    for (script, code) in [
        (
            format!("user(\"U\", #{{ t: task(|| {{ {long} stop_test(long); }}) }});"),
            0,
        ),
        (
            format!("setup(|h| {{ {long} throw long; }}); user(\"U\", #{{ t: task(|| 1) }});"),
            3,
        ),
        (
            format!("{long} throw long; user(\"U\", #{{ t: task(|| 1) }});"),
            2,
        ),
    ] {
        let run = Tool::running(&script)
            .args("-i 1")
            .on(&peer)
            .run()
            .code(code);
        assert!(run.stderr.len() < 100_000, "{script}: {}", run.stderr.len());
        assert!(run.stderr.contains(" bytes more"), "{script}");
    }
}
