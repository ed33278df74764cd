//! Several requests at once, and requests with JSON in and out.
//!
//! Against the embedded target; what is on the wire is tested with the layer that writes it.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use crate::peer::{Nobody, Peer, Raw, Shop};
use crate::tool::{Finished, Tool, counted};

fn once(body: &str, peer: &impl Peer) -> Finished {
    Tool::task(body).args("-i 1").on(peer).run()
}

#[test]
fn a_batch_answers_in_the_order_of_its_list() {
    let shop = Shop::open();
    let body = r#"
        let all = this.client.batch([
            ["GET", "/delay/60"],
            "/hello",
            ["GET", "/delay/30", #{ name: "slow" }],
            #{ method: "GET", path: "/status/404", expect: 404 },
        ]);
        print(all.map(|r| r.status));"#;
    let run = once(body, &shop).code(0);
    assert_eq!(run.printed(), ["[200, 200, 200, 404]"]);
    let document = run.document();
    for name in ["/delay/60", "/hello", "slow", "/status/404"] {
        assert_eq!(document.row(name), (1, 0), "{name}");
    }
}

#[test]
fn all_verdicts_of_a_batch_are_open_until_the_next_request() {
    let shop = Shop::open();
    let body = "let all = this.client.batch([\"/hello\", \"/headers\", \"/status/500\"]);\n\
        all[1].failure(\"first\"); all[0].failure(\"then\"); all[2].success();\n\
        sleep(0.001);\n\
        all[0].success();";
    let run = once(body, &shop).code(1);
    let document = run.document();
    assert_eq!(
        document.errors(),
        [
            counted("/headers", "first", 1),
            counted("/hello", "then", 1)
        ]
    );
    let exceptions = document.exceptions();
    let expected =
        "the verdict on the request in line 2 came too late: it was closed in line 4".to_owned();
    assert_eq!(exceptions[0].0, expected);
}

#[test]
fn a_throw_after_a_batch_fails_its_last_sample() {
    let shop = Shop::open();
    let body = r#"this.client.batch(["/hello", "/headers"]); throw "broken";"#;
    let document = once(body, &shop).code(1).document();
    assert_eq!(
        document.errors(),
        [counted("/headers", "script error: broken", 1)]
    );
    assert_eq!(document.row("/hello"), (1, 0));
}

#[test]
fn as_many_requests_of_a_batch_are_under_way_as_the_class_says() {
    for concurrency in [1, 2, 4] {
        // Nothing is answered before so many are there.
        let gathering = Barrier::new(concurrency);
        let present = AtomicUsize::new(0);
        let most = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&most);
        let peer = Raw::serving(move |stream, _| {
            seen.fetch_max(present.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            gathering.wait();
            present.fetch_sub(1, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
        });
        let script = format!(
            r#"user("U", #{{ concurrency: {concurrency}, t: task(|| {{
                this.client.batch(["/a", "/a", "/a", "/a", "/a", "/a", "/a", "/a"]);
            }}) }});"#
        );
        let run = Tool::running(&script).args("-i 1").on(&peer).run().code(0);
        assert_eq!(run.document().row("/a"), (8, 0));
        assert_eq!(most.load(Ordering::SeqCst), concurrency);
    }
}

#[test]
fn each_request_of_a_cut_batch_was_in_flight() {
    let (tell, told) = channel();
    let peer = Raw::serving(move |stream, _| {
        let _ = tell.send(());
        let _ = stream.read(&mut [0]);
    });
    let script = r#"user("U", #{ concurrency: 3, t: task(|| {
        this.client.batch(["/a", "/b", "/c", "/d"]);
    }) });"#;
    let run = Tool::running(script).args("-u 1 -t 1h").on(&peer).start();
    for _ in 0..3 {
        told.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    run.interrupt();
    let document = run.finish().document();
    assert_eq!(document.count("/in_flight_at_stop"), 3);
    assert_eq!(document.count("/total/requests"), 0);
    // Each in its own row; the fourth had not been sent.
    let unfinished = |name: &str| {
        let rows = document.0["requests"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name);
        row.map_or(0, |row| row["unfinished"]["count"].as_u64().unwrap())
    };
    assert_eq!(["/a", "/b", "/c", "/d"].map(unfinished), [1, 1, 1, 0]);
    assert_eq!(document.count("/total/unfinished/count"), 3);
}

#[test]
fn a_wrong_element_of_a_batch_is_named() {
    let shop = Shop::open();
    let body = r#"let list = ["/hello", 7]; this.client.batch(list);"#;
    let document = once(body, &shop).code(1).document();
    let (message, ..) = &document.exceptions()[0];
    assert!(message.starts_with("element 1 of the batch: "), "{message}");
    assert_eq!(document.count("/total/requests"), 0);
    assert_eq!(
        once("print(this.client.batch([]));", &shop).printed(),
        ["[]"]
    );
}

#[test]
fn rest_speaks_json_both_ways() {
    let shop = Shop::open();
    let body = r#"
        let r = this.client.rest("GET", "/headers");
        print(r.json("/headers/accept"));
        let r = this.client.rest("GET", "/headers", #{ headers: #{ "Accept": "text/x" } });
        print(r.json("/headers/accept"));
        this.client.headers["Accept"] = "text/y";
        print(this.client.rest("GET", "/headers").json("/headers/accept"));"#;
    let run = once(body, &shop).code(0);
    assert_eq!(run.printed(), ["application/json", "text/x", "text/y"]);
}

#[test]
fn a_body_that_is_not_json_is_a_failure_and_gives_nothing() {
    let shop = Shop::open();
    let run = once(
        r#"print(this.client.rest("GET", "/hello").json() == ());"#,
        &shop,
    )
    .code(1);
    assert_eq!(run.printed(), ["true"]);
    let (name, error, count) = &run.document().errors()[0];
    assert_eq!((name.as_str(), *count), ("/hello", 1));
    assert!(
        error.starts_with("Could not parse response as JSON. "),
        "{error}"
    );
    assert!(error.contains(", response code 200, error "), "{error}");
    // What failed already keeps its reason, and no body is no failure.
    let body = r#"
        this.client.rest("GET", "/status/500");
        print(this.client.rest("GET", "/status/204").json() == ());"#;
    let run = once(body, &shop).code(1);
    assert_eq!(run.printed(), ["true"]);
    let errors = run.document().errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].1.starts_with("500 Server Error"), "{errors:?}");
    let run = once(
        r#"print(this.client.rest("GET", "/x").json());"#,
        &Nobody::there(),
    );
    assert_eq!(run.document().errors()[0].1, "connection refused");
}
