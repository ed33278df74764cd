//! Groups, samples that a script records itself, and the kinds of requests in the reports.
//!
//! Each run is one user against the embedded target; what counts is the document.

use serde_json::Value;

use crate::peer::{Peer, Shop};
use crate::tool::{Document, Finished, Tool};

fn once(body: &str, peer: &impl Peer) -> Finished {
    Tool::task(body).args("-i 1").on(peer).run()
}

/// Names, samples and failures of the groups.
fn groups(document: &Document) -> Vec<(&str, u64, u64)> {
    let rows = document.0["groups"].as_array().unwrap().iter();
    let count = |row: &Value, key: &str| row[key].as_u64().unwrap();
    rows.map(|row| {
        let name = row["name"].as_str().unwrap();
        (name, count(row, "requests"), count(row, "failures"))
    })
    .collect()
}

#[test]
fn a_group_is_timed_with_its_waits_and_is_in_no_total() {
    let shop = Shop::open();
    let body = r#"
        let got = this.group("checkout", || {
            this.client.get("/hello");
            sleep(0.05);
            let inner = this.group("pay", || this.client.get("/headers").status);
            inner + 1
        });
        print(got);
        this.client.get("/hello");"#;
    let run = once(body, &shop).code(0);
    assert_eq!(run.printed(), ["201"]);
    let document = run.document();
    assert_eq!(groups(&document), [("checkout", 1, 0), ("pay", 1, 0)]);
    assert_eq!(document.count("/total/requests"), 3);
    assert_eq!(document.0["groups"][0]["kind"], "group");
    assert!(document.number("/groups/0/service_time_ms/min") >= 50.0);
    assert!(run.stderr.contains("group    checkout"), "{}", run.stderr);
}

#[test]
fn a_group_fails_with_a_request_in_it_or_when_it_throws() {
    let shop = Shop::open();
    for (inside, failures, exceptions) in [
        (r#"this.client.get("/status/500");"#, 1, 0),
        (r#"this.client.get("/hello").failure("no");"#, 1, 0),
        (r#"this.client.get("/hello").expect(false, "no");"#, 1, 0),
        (r#"this.client.get("/status/500").success();"#, 0, 0),
        (
            r#"this.client.get("/status/500", #{ record: false });"#,
            0,
            0,
        ),
        (
            r#"record(#{ type: "x", name: "y", response_time: 0, error: "z" });"#,
            1,
            0,
        ),
        (r#"throw "broken";"#, 1, 1),
        (r#"this.client.get("/hello"); throw "broken";"#, 1, 1),
        ("reschedule();", 0, 0),
    ] {
        let body =
            format!("this.client.get(\"/status/404\");\nthis.group(\"g\", || {{ {inside} }});");
        let run = once(&body, &shop).code(1);
        let document = run.document();
        assert_eq!(groups(&document), [("g", 1, failures)], "{inside}");
        let thrown: u64 = document.exceptions().iter().map(|(.., count)| count).sum();
        assert_eq!(thrown, exceptions, "{inside}");
    }
}

#[test]
fn a_throw_in_a_group_fails_the_sample_whose_verdict_is_open() {
    let shop = Shop::open();
    let body = r#"this.group("g", || { this.client.get("/hello"); throw "broken"; });"#;
    let document = once(body, &shop).code(1).document();
    assert_eq!(document.errors()[0].1, "script error: broken");
    let caught = format!("try {{ {body} }} catch {{ print(\"on\"); }}");
    let run = once(&caught, &shop).code(0);
    assert_eq!(run.printed(), ["on"]);
    assert_eq!(run.document().row("/hello"), (1, 0));
    assert_eq!(groups(&run.document()), [("g", 1, 1)]);
}

#[test]
fn the_verdict_on_a_request_in_a_group_is_closed_at_its_end() {
    let shop = Shop::open();
    let body = "let r = this.group(\"g\", || this.client.get(\"/hello\"));\nr.failure(\"late\");";
    let document = once(body, &shop).code(1).document();
    let (message, ..) = &document.exceptions()[0];
    assert!(
        message.ends_with("too late: it was closed in line 2"),
        "{message}"
    );
    assert_eq!(groups(&document), [("g", 1, 0)]);
}

#[test]
fn a_group_that_is_cut_is_not_recorded() {
    let shop = Shop::open();
    let body = r#"this.group("g", || { print("in"); sleep(60); });"#;
    let mut run = Tool::task(body).args("-u 1 -t 1h").on(&shop).start();
    run.prints("in");
    run.interrupt();
    assert_eq!(groups(&run.finish().code(0).document()), []);
}

#[test]
fn what_a_script_records_is_a_request_of_its_protocol() {
    let shop = Shop::open();
    let body = r#"
        record(#{ type: "grpc", name: "Hello", response_time: 0.25, length: 12 });
        record(#{ type: "grpc", name: "Hello", response_time: "750ms", error: "UNAVAILABLE" });
        this.client.post("/post", #{ type: "xmlrpc", name: "getQuote", expect: 405, body: "x" });"#;
    let run = once(body, &shop).code(1);
    let document = run.document();
    let rows = document.0["requests"].as_array().unwrap();
    let kinds: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["kind"].as_str().unwrap(),
                row["method"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(kinds, [("grpc", "grpc"), ("xmlrpc", "xmlrpc")]);
    assert_eq!(document.row("Hello"), (2, 1));
    assert_eq!(document.count("/requests/0/bytes"), 12);
    assert_eq!(document.number("/requests/0/service_time_ms/min"), 250.0);
    assert_eq!(document.number("/requests/0/service_time_ms/max"), 750.0);
    assert_eq!(document.errors()[0].1, "UNAVAILABLE");
    assert_eq!(document.count("/total/requests"), 3);
}

#[test]
fn a_request_that_is_not_recorded_is_in_no_statistic() {
    let shop = Shop::open();
    let body = r#"
        let r = this.client.get("/status/500", #{ record: false });
        print(r.status);
        this.client.get("/hello");"#;
    let run = once(body, &shop).code(0);
    assert_eq!(run.printed(), ["500"]);
    let document = run.document();
    assert_eq!(document.count("/total/requests"), 1);
    assert_eq!(document.errors(), []);
}

#[test]
fn the_check_knows_groups_and_records() {
    let script = r#"user("U", #{ t: task(|| {
        this.group(|| this.client.get("/"));
        this.group("g", || this.clint.get("/"));
        record(#{ type: "x", name: "y", response_tme: 1 });
        this.client.batch([["GET", "/", #{ exepct: 200 }], #{ path: "/", nam: "x" }]);
        this.client.rest("GET", "/", #{ jsn: 1 });
    }) });"#;
    let run = Tool::new()
        .file("script.rhai", script)
        .args("check script.rhai")
        .run();
    run.says(&[
        "`group` takes a name and a closure",
        "nothing sets `this.clint`",
        "unknown option `response_tme` of `record`",
        "unknown request option `exepct`",
        "unknown request option `nam`",
        "unknown request option `jsn`",
    ]);
}

#[test]
fn checks_are_counted_by_name() {
    let shop = Shop::open();
    let body = r#"
        let r = this.client.get("/hello");
        r.check("is fine", r.ok);
        r.check("is short", r.length < vu_iteration() * 5);"#;
    let run = Tool::task(body)
        .args("-i 4 -u 1 --csv run")
        .on(&shop)
        .run()
        .code(1);
    let checks = serde_json::json!([
        { "name": "is fine", "passes": 4, "fails": 0 },
        { "name": "is short", "passes": 2, "fails": 2 },
    ]);
    assert_eq!(run.document().0["checks"], checks);
    assert_eq!(run.document().row("/hello"), (4, 2));
    assert!(
        run.stderr.contains("       2     2(50.00%) is short"),
        "{}",
        run.stderr
    );
    let file = std::fs::read_to_string(run.path("run_checks.csv")).unwrap();
    assert_eq!(file, "Name,Passes,Fails\r\nis fine,4,0\r\nis short,2,2\r\n");
    assert!(!run.path("run_groups.csv").exists());
}

#[test]
fn groups_have_a_file_of_their_own() {
    let shop = Shop::open();
    let body = r#"this.group("g", || this.client.get("/hello"));"#;
    let run = Tool::task(body).args("-i 1 --csv run").on(&shop).run();
    let file = std::fs::read_to_string(run.path("run_groups.csv")).unwrap();
    let lines: Vec<_> = file.lines().collect();
    assert!(lines[0].starts_with("Type,Name,Request Count"), "{file}");
    assert!(lines[1].starts_with(",g,1,0,"), "{file}");
    assert_eq!(lines.len(), 2);
    let stats = std::fs::read_to_string(run.path("run_stats.csv")).unwrap();
    assert!(!stats.contains(",g,"), "{stats}");
}

#[test]
fn a_run_that_measures_nothing_is_told_so_once() {
    let shop = Shop::open();
    let warning = "the first 10 iterations made no request that counts";
    for (body, iterations, times) in [
        ("1 + 1;", 30, 1),
        ("1 + 1;", 9, 0),
        (r#"this.client.get("/hello");"#, 30, 0),
        (
            r#"record(#{ type: "x", name: "y", response_time: 0 });"#,
            30,
            0,
        ),
    ] {
        let run = Tool::task(body)
            .args(&format!("-i {iterations}"))
            .on(&shop)
            .run()
            .code(0);
        assert_eq!(run.stderr.matches(warning).count(), times, "{body}");
    }
}
