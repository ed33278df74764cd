//! HTTP as a script sees it: what it asks for arrives, and what arrives it can read.
//!
//! The client itself is tested where it is; here each row is a script against the target's echo.

use std::io::Write;
use std::time::Duration;

use crate::peer::{Peer, Raw, Shop};
use crate::tool::{Finished, Tool};

fn once(body: &str, peer: &impl Peer) -> Finished {
    Tool::task(body).args("-i 1").on(peer).run()
}

/// Runs each body once and holds what it prints, all lines of it, against what is expected.
fn assert_prints(cases: &[(&str, &str)]) {
    let shop = Shop::open();
    // One user does one after the other: a failure names its case by its place.
    let bodies: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(number, (body, _))| format!("if n == {} {{ {body} }}", number + 1))
        .collect();
    let script = format!(
        "user(\"U\", #{{ t: task(|| {{ let n = vu_iteration();\n{}\n}}) }});",
        bodies.join("\n")
    );
    let run = Tool::running(&script)
        .args(&format!("-i {}", cases.len()))
        .on(&shop)
        .run();
    let printed = run.printed();
    assert_eq!(printed.len(), cases.len(), "{}", run.stderr);
    for ((body, expected), printed) in cases.iter().zip(printed) {
        assert_eq!(&printed, expected, "{body}");
    }
}

#[test]
fn bodies_and_queries_arrive_as_they_were_meant() {
    assert_prints(&[
        (
            r#"print(this.client.post("/echo", #{ json: #{ a: [1, 2.5, true, ()], b: "é" } }).json("/body"));"#,
            r#"{"a":[1,2.5,true,null],"b":"é"}"#,
        ),
        (
            r#"print(this.client.post("/echo", #{ form: #{ a: "x y", b: 1 } }).json("/body"));"#,
            "a=x+y&b=1",
        ),
        (
            r#"print(this.client.put("/echo", #{ form: [["b", 1], ["a", 2], ["b", 3]] }).json("/body"));"#,
            "b=1&a=2&b=3",
        ),
        (
            r#"print(this.client.patch("/echo", #{ body: "plain" }).json("/body"));"#,
            "plain",
        ),
        (
            r#"print(this.client.get("/echo", #{ params: #{ q: "x&y", n: 1 } }).json("/query"));"#,
            "n=1&q=x%26y",
        ),
        (
            r#"print(this.client.get("/echo?a=1", #{ params: [["b", 1], ["b", 2]] }).json("/query"));"#,
            "a=1&b=1&b=2",
        ),
        (
            r#"print(this.client.delete("/echo").json("/method"));"#,
            "DELETE",
        ),
        (
            r#"print(this.client.options("/echo").json("/method"));"#,
            "OPTIONS",
        ),
        (
            r#"print(this.client.request("purge", "/echo", #{ body: "x" }).json("/method"));"#,
            "PURGE",
        ),
        (
            r#"let r = this.client.head("/hello"); print(r.status, r.text == "", r.header("content-length"));"#,
            "200 true 14",
        ),
    ]);
}

#[test]
fn headers_credentials_and_cookies_are_sent() {
    assert_prints(&[
        (
            r#"print(this.client.get("/headers", #{ headers: #{ "X-One": "1" } }).json("/headers/x-one"));"#,
            "1",
        ),
        (
            r#"print(this.client.get("/headers", #{ headers: [["X-Two", 1], ["X-Two", 2]] }).json("/headers/x-two"));"#,
            "1, 2",
        ),
        (
            r#"print(this.client.get("/headers", #{ auth: ["mia", "secret"] }).json("/headers/authorization"));"#,
            "Basic bWlhOnNlY3JldA==",
        ),
        // The session's own, from now on, until they are removed.
        (
            r#"this.client.headers["X-Mine"] = 7; this.client.get("/hello");
               print(this.client.get("/headers").json("/headers/x-mine"), this.client.headers["x-mine"]);"#,
            "7 7",
        ),
        (
            r#"print(this.client.get("/headers", #{ headers: #{ "x-mine": 8 } }).json("/headers/x-mine"));"#,
            "8",
        ),
        (
            r#"this.client.headers["X-Mine"] = (); print(this.client.get("/headers").json("/headers/x-mine") == ());"#,
            "true",
        ),
        (
            r#"let r = this.client.get("/cookies/set?a=1&b=2"); print(r.cookies.a, this.client.cookies["b"]);"#,
            "1 2",
        ),
        (
            r#"print(to_json(this.client.get("/cookies").json("/cookies")));"#,
            r#"{"a":"1","b":"2"}"#,
        ),
        (
            r#"print(to_json(this.client.get("/cookies", #{ cookies: false }).json("/cookies")));"#,
            "{}",
        ),
        (
            r#"this.client.cookies["b"] = (); this.client.cookies["c"] = "3";
               print(to_json(this.client.get("/cookies").json("/cookies")));"#,
            r#"{"a":"1","c":"3"}"#,
        ),
        (
            r#"this.client.cookies.clear(); print(to_json(this.client.get("/cookies").json("/cookies")));"#,
            "{}",
        ),
        (
            r#"let type = this.client.post("/headers", #{ json: 1 }).json("/headers/content-type"); print(type);"#,
            "application/json",
        ),
    ]);
}

#[test]
fn responses_can_be_read() {
    assert_prints(&[
        (
            r#"let r = this.client.get("/hello"); print(r.status, r.status_code, r.ok, r.reason, r.length);"#,
            "200 200 true OK 14",
        ),
        (
            r#"let r = this.client.get("/hello"); print(r.text.len, r.text().len, r.bytes.len);"#,
            "14 14 14",
        ),
        (
            r#"let r = this.client.get("/text"); print(r.text.contains("katydid"), r.header("Content-Encoding"));"#,
            "true br",
        ),
        (
            r#"let r = this.client.get("/text", #{ headers: #{ "Accept-Encoding": "gzip" } });
               print(r.text.contains("katydid"), r.header("content-encoding"));"#,
            "true gzip",
        ),
        (
            r#"let r = this.client.get("/coupons"); print(r.json().coupons.len(), r.json("/coupons/0/id"), r.json("/none") == ());"#,
            "3 1 true",
        ),
        (
            r#"print(this.client.get("/hello").json("/a") == ());"#,
            "true",
        ),
        (
            r#"let r = this.client.get("/hello"); print(r.headers["content-type"], r.header("nope") == ());"#,
            "text/plain; charset=utf-8 true",
        ),
        (
            r#"let r = this.client.get("/delay/30"); print(r.elapsed >= 0.03, r.timings.send + r.timings.wait >= 0.03, r.error == ());"#,
            "true true true",
        ),
        (
            r#"let r = this.client.get("/redirect/2"); print(r.status, r.url.ends_with("/redirect/0"), r.text.len);"#,
            "200 true 8",
        ),
        (
            r#"print(this.client.get("/redirect/2", #{ allow_redirects: false }).status);"#,
            "302",
        ),
    ]);
}

#[test]
fn names_group_requests_and_methods_keep_them_apart() {
    let shop = Shop::open();
    let body = r#"
        for id in 1..4 { this.client.get(`/bytes/${id}`, #{ name: "/bytes/[n]" }); }
        this.client.head("/hello");
        this.client.get("/hello");"#;
    let document = once(body, &shop).code(0).document();
    assert_eq!(document.row("/bytes/[n]"), (3, 0));
    let rows = document.0["requests"].as_array().unwrap();
    let rows = rows
        .iter()
        .map(|row| format!("{} {}", row["method"], row["name"]).replace('"', ""));
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    assert_eq!(rows, ["GET /bytes/[n]", "GET /hello", "HEAD /hello"]);
}

#[test]
fn an_absolute_url_goes_where_it_says() {
    let (shop, other) = (Shop::open(), Shop::open());
    let body = format!("this.client.get(\"{}/hello\");", other.url());
    once(&body, &shop).code(0);
    assert_eq!((shop.counts().total, other.counts().total), (0, 1));
    // And needs no host, with a query or without.
    Tool::task(&body).args("-i 1").run().code(0);
    Tool::task(&body.replace("/hello", "/hello?a=1"))
        .args("-i 1")
        .run()
        .code(0);
    assert_eq!(other.counts().total, 3);
}

#[test]
fn what_a_class_says_of_http_holds_for_all_its_requests() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            host: "HOST",
            headers: #{ "X-Class": "yes" },
            auth: ["mia", "secret"],
            max_redirects: 1,
            t: task(|| {
                let headers = this.client.get("/headers").json("/headers");
                print(headers["x-class"], headers["authorization"], headers["user-agent"]);
                this.client.get("/redirect/2");
            }),
        });"#;
    let run = Tool::running(&script.replace("HOST", &shop.url()))
        .args("-i 1")
        .run()
        .code(1);
    let printed = run.printed();
    assert!(
        printed[0].starts_with("yes Basic bWlhOnNlY3JldA== katydid/"),
        "{printed:?}"
    );
    let errors = run.document().errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].1, "more than 1 redirects");
}

#[test]
fn a_failed_connection_is_tried_again_as_often_as_the_class_says() {
    let peer = Raw::answering("");
    let script = "user(\"U\", #{ max_retries: 2, t: task(|| {
        print(this.client.post(\"/\").error);
    }) });";
    let run = Tool::running(script).args("-i 1").on(&peer).run().code(1);
    let error = "server closed the connection without a response";
    assert_eq!(run.printed(), [error]);
    assert_eq!(peer.received(), 3);
    // One request, however often it was sent.
    assert_eq!(run.document().row("/"), (1, 1));
}

#[test]
fn every_wait_has_its_limit() {
    let shop = Shop::open();
    let cases = [
        ("", "timeout: 0.15", "request timed out", "0.15"),
        // It holds for the request after that as well, whose server may be busy.
        (
            "network_timeout: \"1s\",",
            "",
            "timed out waiting for the server",
            "1.0",
        ),
    ];
    for (attribute, option, error, limit) in cases {
        let script = format!(
            "user(\"U\", #{{ {attribute} t: task(|| {{
                let r = this.client.get(\"/stall\", #{{ {option} }});
                print(r.status, r.error, r.elapsed >= {limit});
                this.client.get(\"/hello\");
            }}) }});"
        );
        let run = Tool::running(&script).args("-i 1").on(&shop).run().code(1);
        assert_eq!(run.printed(), [format!("0 {error} true")]);
        assert_eq!(run.document().row("/hello"), (1, 0));
        assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
    }
}

#[test]
fn users_share_neither_cookies_nor_headers_nor_state() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            state: #{ mine: [] },
            t: task(|| {
                let id = vu_id();
                this.client.get(`/cookies/set?id=${id}`, #{ name: "set" });
                this.client.headers["X-Id"] = id;
                this.mine.push(id);
                this.client.get("/delay/20");
                let cookie = this.client.get("/cookies").json("/cookies/id");
                let header = this.client.get("/headers").json("/headers/x-id");
                if cookie != `${id}` || header != `${id}` || this.mine.some(|other| other != id) {
                    print("mixed up", id, cookie, header, this.mine);
                }
            }),
        });"#;
    let run = Tool::running(script)
        .args("-u 10 -r 1000 -i 100 --threads 2")
        .on(&shop)
        .run()
        .code(0);
    assert!(run.printed().is_empty(), "{:?}", run.printed());
}

#[test]
fn a_server_that_closes_each_connection_costs_no_failure() {
    let peer = Raw::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let document = Tool::task(r#"this.client.get("/");"#)
        .args("-u 2 -r 1000 -i 50")
        .on(&peer)
        .run()
        .code(0)
        .document();
    assert_eq!(document.count("/total/requests"), 50);
    assert_eq!(document.count("/total/failures"), 0);
    assert_eq!(peer.received(), 50);
}

#[test]
fn json_goes_back_with_the_digits_it_came_with() {
    let document = r#"{"cut":"\ud83d","id":18446744073709551615,"ids":[-9223372036854775809,0.1]}"#;
    let body = document.to_owned();
    let peer = Raw::serving(move |stream, head| {
        let answer = if head[0].starts_with("GET") {
            body.as_str()
        } else {
            "NaN"
        };
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n{answer}");
    });
    let run = once(
        r#"let r = this.client.get("/");
        print(to_json(r.json()));
        print(`/users/${r.json("/id")}`);
        try { this.client.post("/", #{ json: r.json() }).json() } catch (e) { print(e) }
        print(this.client.post("/").json("/id") == ());"#,
        &peer,
    );
    assert_eq!(
        run.printed(),
        [
            "half of a surrogate pair in a JSON text (`\"\\ud83d\"` alone) is no letter: scripts see `\u{fffd}`",
            &document.replace(r"\ud83d", "\u{fffd}"),
            "/users/18446744073709551615",
            "the body of the response is not JSON: JSON has no `NaN`, which is here at line 1 column 1",
            "true"
        ],
        "{}",
        run.stderr
    );
}
