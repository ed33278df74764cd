//! What runs once and what is shared, with sixteen load threads: each test fails if the thing
//! existed once a thread.
//!
//! Only what is shared over threads; how its parts keep whole is tested beside them.

use crate::peer::{Peer, Shop};
use crate::tool::{Tool, counted};

/// A run of sixteen threads with as many users, started at once.
fn sixteen(script: &str, peer: &impl Peer) -> Tool {
    let tool = Tool::running(script).on(peer);
    tool.args("--threads 16 -u 16 -r 1000")
}

#[test]
fn what_one_user_puts_into_a_queue_another_takes_and_nothing_is_lost() {
    let shop = Shop::open();
    let script = r#"
        let orders = queue("orders");
        user("Writer", #{
            fixed_count: 8,
            write: task(|| {
                for n in 0..25 { orders.put(#{ id: vu_id() * 1000 + n, note: `n${n}` }); }
                stop_user();
            }),
        });
        user("Reader", #{
            fixed_count: 8,
            read: task(|| {
                for n in 0..25 {
                    let order = orders.take();
                    print("took", order.id, order.note);
                }
                stop_user();
            }),
        });
    "#;
    let run = sixteen(script, &shop).run().code(0);
    let mut ids: Vec<&str> = run.printed();
    assert_eq!(ids.len(), 200, "{}", run.stderr);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200, "each element is taken by one user only");
}

#[test]
fn once_makes_one_request_for_the_users_of_all_threads() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            t: task(|| {
                let by_method = this.once("a", || this.client.get("/hello").text);
                let client = this.client;
                let by_capture = once("b", || client.get("/delay/20").status);
                let by_argument = once("c", |http| http.get("/cookies").status);
                if by_method == "" || by_capture != 200 || by_argument != 200 { throw "no value"; }
                print(by_method == once("a", || "made again"));
                stop_user();
            }),
        });
    "#;
    let run = sixteen(script, &shop).run().code(0);
    assert_eq!(run.printed(), ["true"; 16]);
    for route in ["/hello", "/delay/:ms", "/cookies"] {
        assert_eq!(shop.count(route), 1, "{:?}", shop.counts().by_path);
    }
}

#[test]
fn users_of_all_threads_start_together_after_the_last_one_was_started() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            t: task(|| {
                wait_for("spawning_complete");
                print(user_count());
                wait_for("spawning_complete");
                queue("gate").put(1);
                // Nobody leaves before all have counted.
                while queue("gate").len() < 16 { sleep("5ms"); }
                stop_user();
            }),
        });
    "#;
    let run = sixteen(script, &shop).run().code(0);
    assert_eq!(run.printed(), ["16"; 16]);
}

#[test]
fn users_that_wait_for_ever_are_stopped_all_the_same() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            t: task(|| {
                print("waits");
                let got = queue("nobody puts").take();
            }),
        });
    "#;
    let mut run = sixteen(script, &shop).start();
    for _ in 0..16 {
        run.prints("waits");
    }
    run.interrupt();
    let run = run.finish().code(0);
    assert!(run.document().exceptions().is_empty());
}

#[test]
fn setup_runs_once_before_the_first_user_and_teardown_once_after_the_last() {
    let shop = Shop::open();
    let script = r#"
        let d = setup(|http| {
            let r = http.get("/hello", #{ headers: #{ "X-From": "setup" } });
            sleep("20ms");
            print("set up", r.status);
            #{ token: "abc", items: [#{ id: 7 }, #{ id: 8 }] }
        });
        teardown(|http, d| {
            http.get("/cookies");
            print("taken down", d.token, user_count());
            print("requests", stats().requests);
        });
        on("test_start", || print("start"));
        on("test_start", || throw "no matter");
        on("test_start", |event| print(event.event));
        on("spawning_complete", || print("spawned"));
        on("test_stopping", || print("stopping"));
        on("test_stop", || print("stop"));
        on("quitting", || print("quitting 1"));
        on("quitting", || print("quitting 2"));
        user("U", #{
            t: task(|| {
                this.client.get("/status/204");
                let items = d.items;
                items.push(1);
                print(d.token, d["token"], d.items[1].id, d.items.len(), d.value().token);
                wait_for("spawning_complete");
                stop_user();
            }),
        });
    "#;
    let run = sixteen(script, &shop).run().code(1);
    let printed = run.printed();
    assert_eq!(printed[..3], ["set up 200", "start", "test_start"]);
    let users = printed.iter().filter(|line| **line == "abc abc 8 2 abc");
    assert_eq!(users.count(), 16, "{printed:?}");
    let once = printed.iter().filter(|line| **line == "spawned");
    assert_eq!(once.count(), 1);
    let end = [
        "stopping",
        "stop",
        "taken down abc 0",
        "requests 16",
        "quitting 2",
        "quitting 1",
    ];
    assert_eq!(printed[printed.len() - end.len()..], end);
    assert_eq!((shop.count("/hello"), shop.count("/cookies")), (1, 1));
    let document = run.document();
    assert_eq!(document.row("/status/204"), (16, 0));
    assert_eq!(
        document.count("/total/requests"),
        16,
        "setup's do not count"
    );
    let place = "script.rhai:14:29";
    assert_eq!(document.exceptions(), [counted("no matter", place, 1)]);
}

#[test]
fn a_setup_that_fails_starts_nothing() {
    let shop = Shop::open();
    let script = r#"
        setup(|http| {
            if http.get("/status/503").status == 503 { throw "the shop is closed"; }
        });
        teardown(|http| http.get("/cookies"));
        user("U", #{ t: task(|| this.client.get("/hello")) });
    "#;
    let run = sixteen(script, &shop).run().code(3);
    let run = run.says(&["error: `setup` failed: the shop is closed (script.rhai:3:56)"]);
    assert_eq!(shop.count("/status/:n"), 1);
    assert_eq!((shop.count("/hello"), shop.count("/cookies")), (0, 0));
    assert_eq!(run.document().count("/total/requests"), 0);
}

#[test]
fn ctrl_c_ends_a_long_setup_at_once() {
    let shop = Shop::open();
    let script = r#"
        setup(|| { print("begun"); sleep("1h"); });
        user("U", #{ t: task(|| this.client.get("/hello")) });
    "#;
    let mut run = sixteen(script, &shop).start();
    run.prints("begun");
    run.interrupt();
    run.finish().code(0);
    assert_eq!(shop.count("/hello"), 0);
}

#[test]
fn a_setup_without_end_ends_with_the_run_time() {
    let shop = Shop::open();
    for (name, hook) in [
        ("`setup`", "setup(|| loop { });"),
        (
            "a listener of `test_start`",
            "on(\"test_start\", || sleep(\"1h\"));",
        ),
    ] {
        let script = format!("{hook} user(\"U\", #{{ t: task(|| this.client.get(\"/hello\")) }});");
        let run = Tool::running(&script).on(&shop).args("-t 1").run().code(3);
        let said = format!("{name} took longer than the run time of 1s");
        run.says(&[&said]);
    }
    assert_eq!(shop.count("/hello"), 0);
}

#[test]
fn a_teardown_that_fails_or_takes_too_long_is_counted() {
    let shop = Shop::open();
    let user = r#"user("U", #{ t: task(|| stop_user()) });"#;
    let failing = format!("teardown(|| throw \"left\"); {user}");
    let run = sixteen(&failing, &shop).run().code(1);
    let run = run.says(&["`teardown` failed: left"]);
    assert_eq!(
        run.document().exceptions(),
        [counted("left", "script.rhai:1:13", 1)]
    );
    let endless = format!("teardown(|| {{ loop {{ }} }}); {user}");
    let tool = sixteen(&endless, &shop).args("--on-stop-timeout 100ms");
    let run = tool.run().code(1);
    run.says(&["`teardown` was ended: it took longer than 0.1 s"]);
}

#[test]
fn own_figures_add_up_over_all_threads() {
    let shop = Shop::open();
    let script = r#"
        on("request", |r| {
            counter("bytes").add(r.response_length);
            counter(`${r.method} ${r.name} ${r.status} ${r.error == ()}`).add(1);
        });
        on("user_error", |e| counter(`${e.message} of ${e.class}`).add(1));
        on("test_stop", || counter("stops").add(1));
        user("U", #{
            t: task(|| {
                let r = this.client.get("/hello");
                counter("tasks").add(2);
                metric("size").add(r.length);
                metric("signed").add(if vu_id() % 2 == 0 { -1.5 } else { 2 });
            }),
        });
    "#;
    let tool = sixteen(script, &shop).args("-i 400 --csv figures");
    let run = tool.run().code(0);
    let document = run.document();
    let counters = document.0["counters"].as_array().unwrap();
    let totals: Vec<_> = counters
        .iter()
        .map(|row| {
            (
                row["name"].as_str().unwrap(),
                row["total"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        totals,
        [
            ("GET /hello 200 true", 400),
            ("bytes", 400 * 14),
            ("stops", 1),
            ("tasks", 800),
        ]
    );
    assert_eq!(document.count("/metrics/1/count"), 400);
    assert_eq!(document.0.pointer("/metrics/1/name").unwrap(), "size");
    assert!((document.number("/metrics/1/p99") - 14.0).abs() < 0.02);
    assert!((document.number("/metrics/0/min") + 1.5).abs() < 1e-9);
    assert_eq!(document.count("/total/requests"), 400);
    let csv = std::fs::read_to_string(run.path("figures_metrics.csv")).unwrap();
    assert!(csv.contains("counter,tasks,800,"), "{csv}");
    run.says(&["Counters and metrics", "counter  tasks"]);
}

#[test]
fn listeners_of_requests_hear_of_what_is_recorded() {
    let shop = Shop::open();
    // What a listener itself records is counted and not heard: that would have no end.
    let script = r#"
        on("request", |r| {
            let times = `${r.response_time} ${r.start > 1e9} ${r.response_length}`;
            print(`${r.type} ${r.method} ${r.name} ${r.status} ${r.error} ${r.url} ${times}`);
            record(#{ type: "echo", name: r.name, response_time: 0 });
        });
        user("U", #{
            t: task(|| {
                record(#{ type: "grpc", name: "Hello", response_time: 0.25, length: 7 });
                record(#{ type: "grpc", name: "Bye", response_time: 0, error: "reset" });
            }),
        });
    "#;
    let run = Tool::running(script).args("-i 1").on(&shop).run().code(1);
    assert_eq!(
        run.printed(),
        [
            "grpc grpc Hello 0   0.25 true 7",
            "grpc grpc Bye 0 reset  0.0 true 0",
        ]
    );
    let document = run.document();
    assert_eq!(document.count("/total/requests"), 4);
    assert_eq!(document.count("/total/failures"), 1);
}

#[test]
fn listeners_on_load_threads_cannot_wait_and_hurt_nobody() {
    let shop = Shop::open();
    let script = r#"
        on("request", |r| { sleep(1); });
        on("request", |r| { counter("heard").add(1); });
        on("user_error", || queue("q").put(1));
        user("U", #{
            t: task(|| {
                this.client.get("/hello");
                throw "oh";
            }),
        });
    "#;
    let run = sixteen(script, &shop).args("-i 64").run().code(1);
    let document = run.document();
    let rule = "would wait, and a listener of `request` or `user_error` may not: it can add to a \
                `counter` or a `metric`";
    assert_eq!(
        document.exceptions(),
        [
            counted(&format!("`put` {rule}"), "script.rhai:4:40", 64),
            counted(&format!("`sleep` {rule}"), "script.rhai:2:29", 64),
            counted("oh", "script.rhai:8:17", 64),
        ]
    );
    assert_eq!(document.count("/counters/0/total"), 64);
    assert_eq!(document.row("/hello"), (64, 64));
}
