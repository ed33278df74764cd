//! Stopping: by a person, by time, by the script; what still runs then, and what is counted.
//!
//! The promises are those of "Stopping" in the language's description: tasks get the stop
//! timeout, `on_stop` runs for everybody whose `on_start` had finished, a second Ctrl-C is final.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::peer::{Raw, Shop};
use crate::tool::{Tool, counted};

/// What a run may take that has nothing to wait for, on a busy machine.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn ctrl_c_and_sigterm_stop_gracefully_and_print_everything() {
    for terminate in [false, true] {
        let shop = Shop::open();
        let mut run = Tool::task(r#"this.client.get("/hello"); sleep(0.01);"#)
            .args("-u 3 -r 100")
            .on(&shop)
            .start();
        run.says("all users spawned: 3");
        if terminate {
            run.terminate();
        } else {
            run.interrupt();
        }
        let run = run
            .finish()
            .code(0)
            .says(&["interrupted: stopping", "Aggregated"]);
        let document = run.document();
        let (reported, in_flight) = (
            document.count("/total/requests"),
            document.count("/in_flight_at_stop"),
        );
        let counted = shop.counts().total;
        assert!(reported <= counted && counted <= reported + in_flight);
        assert_eq!(document.count("/users/peak"), 3);
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_prints_what_there_is() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            t: task(|| { this.client.get("/hello"); print("in"); this.client.get("/stall"); }),
            on_stop: || { print("out"); this.client.get("/stall"); },
        });"#;
    let mut run = Tool::running(script)
        .args("-u 2 -r 100 --on-stop-timeout 50s")
        .on(&shop)
        .start();
    run.prints("in");
    run.prints("in");
    run.interrupt();
    run.prints("out");
    run.prints("out");
    run.interrupt();
    let run = run.finish().code(130);
    assert!(run.took < SOON, "{:?}", run.took);
    let document = run.document();
    // What had been measured is there, and what was in flight is known to have been.
    assert_eq!(document.row("/hello"), (2, 0));
    let (reported, in_flight) = (
        document.count("/total/requests"),
        document.count("/in_flight_at_stop"),
    );
    let counted = shop.counts().total;
    assert!(
        reported <= counted && counted <= reported + in_flight,
        "{reported} reported, {counted} counted, {in_flight} in flight"
    );
}

#[test]
fn a_second_ctrl_c_cuts_the_stop_timeout_short() {
    let shop = Shop::open();
    let mut run = Tool::task(r#"print("in"); this.client.get("/stall");"#)
        .args("-u 2 -r 100 --stop-timeout 50s --threads 2")
        .on(&shop)
        .start();
    run.prints("in");
    run.prints("in");
    run.interrupt();
    run.says("stopping users");
    run.interrupt();
    let run = run.finish().code(130);
    assert!(run.took < SOON, "{:?}", run.took);
    let document = run.document();
    let in_flight = document.count("/in_flight_at_stop");
    // The request may not have left yet.
    assert!(shop.counts().total <= in_flight && in_flight <= 2);
    assert_eq!(document.count("/iterations/interrupted"), 2);
}

#[test]
fn what_is_cut_is_counted_by_its_row_with_its_age() {
    // Every second request is never answered.
    let count = AtomicU64::new(0);
    let peer = Raw::serving(move |stream, head| {
        if head[0].contains("/fast") || count.fetch_add(1, Ordering::Relaxed) < 3 {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        } else {
            let _ = stream.read(&mut [0]);
        }
    });
    let script = r#"
        user("U", #{ t: task(|| {
            this.client.get("/fast");
            this.client.get("/some");
            sleep(0.05);
        }) });"#;
    // The fourth grows old until the end.
    let run = Tool::running(script)
        .args("-u 1 -t 2")
        .on(&peer)
        .run()
        .code(0);
    let document = run.document();
    assert_eq!(document.row("/some"), (3, 0));
    let some = document.0["requests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "/some")
        .unwrap();
    assert_eq!(some["unfinished"]["count"], 1);
    assert_eq!(some["unfinished"]["min_ms"], some["unfinished"]["max_ms"]);
    assert!(
        some["unfinished"]["max_ms"].as_f64() > Some(500.0),
        "{some}"
    );
    // One of four took longer: three quarters are certain, and above it is at least its age.
    assert_eq!(some["certain_to"], 0.75);
    let response = &some["response_time_ms"];
    assert!(
        response["p99"].as_f64() >= some["unfinished"]["max_ms"].as_f64(),
        "{some}"
    );
    assert!(response["max"].as_f64() < Some(500.0), "{some}");
    // At most it took what the third took, and above three quarters there is no telling.
    let at_most = &some["unfinished"]["at_most_ms"];
    assert!(at_most["p75"].as_f64() < Some(500.0), "{some}");
    assert!(
        at_most["p75"].as_f64() >= response["p75"].as_f64(),
        "{some}"
    );
    assert!(
        at_most["p80"].is_null() && at_most["max"].is_null(),
        "{some}"
    );
    assert_eq!(document.number("/requests/0/certain_to"), 1.0);
    assert_eq!(document.count("/total/unfinished/count"), 1);
    run.says(&[
        "In flight at stop: 1 requests, in no count above; the oldest for",
        "  at most",
    ]);
}

#[test]
fn tasks_get_the_stop_timeout_to_finish() {
    let shop = Shop::open();
    let mut run = Tool::task(r#"print("in"); this.client.get("/delay/600"); print("done");"#)
        .args("-u 3 -r 100 --stop-timeout 20s")
        .on(&shop)
        .start();
    for _ in 0..3 {
        run.prints("in");
    }
    run.interrupt();
    let run = run.finish().code(0);
    assert_eq!(run.printed().last(), Some(&"done"));
    let document = run.document();
    assert_eq!(document.count("/iterations/interrupted"), 0);
    assert_eq!(document.count("/in_flight_at_stop"), 0);
    assert_eq!(document.count("/total/requests"), shop.counts().total);
    // It ends when they have finished, not when the timeout is over.
    assert!(run.took < Duration::from_secs(15), "{:?}", run.took);
}

#[test]
fn what_is_not_done_by_then_is_cancelled() {
    let shop = Shop::open();
    let script = r#"
        user("Quick", #{ fixed_count: 1, t: task(|| {
            this.client.get("/delay/300"); print("quick"); }) });
        user("Slow", #{ fixed_count: 1, t: task(|| {
            print("slow begins"); this.client.get("/stall"); print("never"); }) });"#;
    let run = Tool::running(script)
        .args("-u 2 -r 100 -s 1500ms")
        .on(&shop)
        .start();
    shop.receives("/delay/:ms", 1);
    shop.receives("/stall", 1);
    run.interrupt();
    let run = run.finish().code(0);
    assert!(run.printed().contains(&"quick") && !run.printed().contains(&"never"));
    let document = run.document();
    assert_eq!(document.count("/iterations/interrupted"), 1);
    assert_eq!(document.count("/in_flight_at_stop"), 1);
    assert_eq!(document.row("/stall"), (0, 0));
    assert_eq!(document.count("/total/failures"), 0);
}

#[test]
fn on_stop_runs_for_everybody_with_its_state_intact() {
    // Without a stop timeout the task is cancelled in the middle of a request, which the script
    // cannot catch, and nothing of it is counted but that it was in flight.
    let script = r#"
        user("U", #{
            state: #{ seen: [] },
            on_start: || { this.seen.push("started"); },
            t: task(|| {
                this.seen.push("task");
                print("in");
                try { this.client.get("/stall"); } catch { print("caught"); }
            }),
            on_stop: || {
                this.client.post("/echo", #{ json: this.seen });
                print("left", vu_id(), this.seen);
            },
        });"#;
    for threads in [1, 3] {
        let shop = Shop::open();
        let run = Tool::running(script)
            .args(&format!("-u 4 -r 100 --threads {threads}"))
            .on(&shop)
            .start();
        shop.receives("/stall", 4);
        run.interrupt();
        let run = run.finish().code(0);
        let mut left: Vec<_> = run.printed();
        left.retain(|line| *line != "in");
        left.sort_unstable();
        let expected = (0..4).map(|id| format!(r#"left {id} ["started", "task"]"#));
        assert_eq!(left, expected.collect::<Vec<_>>());
        let document = run.document();
        assert_eq!(document.row("/echo"), (4, 0));
        assert_eq!(document.count("/total/requests"), 4);
        assert_eq!(document.count("/in_flight_at_stop"), 4);
        assert_eq!(document.count("/iterations/interrupted"), 4);
        assert!(document.exceptions().is_empty() && document.errors().is_empty());
    }
}

#[test]
fn a_user_that_is_stopped_in_on_start_has_no_on_stop() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            on_start: || { print("in"); this.client.get("/stall"); },
            t: task(|| {}),
            on_stop: || { print("out"); },
        });"#;
    let run = Tool::running(script).on(&shop).start();
    shop.receives("/stall", 1);
    run.interrupt();
    let run = run.finish().code(0);
    assert_eq!(run.printed(), ["in"]);
    assert_eq!(run.document().count("/in_flight_at_stop"), 1);
}

#[test]
fn on_stop_has_a_limit_of_its_own() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            t: task(|| { this.client.get("/hello"); print("in"); sleep(100); }),
            on_stop: || { print("out"); this.client.get("/stall"); print("never"); },
        });"#;
    let mut run = Tool::running(script)
        .args("-u 3 -r 100 --on-stop-timeout 300ms")
        .on(&shop)
        .start();
    for _ in 0..3 {
        run.prints("in");
    }
    run.interrupt();
    let run = run.finish().code(0);
    assert!(run.took < SOON, "{:?}", run.took);
    let mut printed = run.printed();
    printed.retain(|line| *line != "in");
    assert_eq!(printed, ["out"; 3]);
    let document = run.document();
    assert_eq!(document.count("/in_flight_at_stop"), 3);
    assert_eq!(document.count("/total/requests"), 3);
}

#[test]
fn a_user_that_computes_for_ever_hardly_delays_the_others_and_stops() {
    let shop = Shop::open();
    let script = r#"
        user("Busy", #{ fixed_count: 2, t: task(|| { loop {} }), on_stop: || { print("left"); } });
        user("Other", #{ wait_time: 0.01, t: task(|| { this.client.get("/hello"); }) });"#;
    let run = Tool::running(script)
        .args("-u 7 -r 1000 -t 2s --threads 1")
        .on(&shop)
        .run()
        .code(0);
    assert!(run.took < SOON, "{:?}", run.took);
    assert_eq!(run.printed(), ["left"; 2]);
    let document = run.document();
    assert!(document.count("/iterations/interrupted") >= 2);
    // Five users make 100 requests a second each when nothing delays them; each of the two that
    // compute holds them up for 1 ms at a time. Where the thread has its core only in part, all of
    // it takes as much longer; but without yielding it would be nothing at all.
    let cpu = document.number("/generator/cpu_s");
    let longer = (document.number("/duration_s") / cpu).max(1.0);
    let requests = document.number("/total/requests") * longer;
    assert!(
        requests > 100.0,
        "as good as {requests} requests beside `loop {{}}`, {longer} times longer"
    );
    let lag = document.number("/generator/loop_lag_ms/p50") / longer;
    assert!(
        lag < 20.0,
        "{lag} ms of lag at the median, {longer} times longer"
    );
}

#[test]
fn a_user_may_end_itself_and_the_run_ends_with_the_last_one() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            t: task(|| {
                this.client.get("/hello");
                if vu_iteration() == 2 { stop_user(); }
            }),
            on_stop: || { print("left", vu_iteration()); },
        });"#;
    let run = Tool::running(script)
        .args("-u 3 -r 100 --threads 2")
        .on(&shop)
        .run()
        .code(0);
    assert_eq!(run.printed(), ["left 2"; 3]);
    let document = run.document();
    assert_eq!(document.count("/total/requests"), 6);
    assert_eq!(document.count("/iterations/finished"), 6);
    assert!(run.took < SOON);
}

#[test]
fn a_script_may_end_the_test_and_says_why() {
    let shop = Shop::open();
    let script = r#"
        user("Judge", #{ fixed_count: 1, t: task(|| {
            for n in 0..3 { queue("visited").take(); }
            stop_test("enough is enough");
        }) });
        user("Other", #{
            wait_time: 100,
            t: task(|| { this.client.get("/hello"); queue("visited").put(vu_id()); }),
            on_stop: || { this.client.get("/headers"); },
        });"#;
    let run = Tool::running(script)
        .args("-u 4 -r 1000 --threads 2")
        .on(&shop)
        .run()
        .code(0)
        .says(&["enough is enough"]);
    assert!(run.took < SOON);
    // The others' `on_stop` ran.
    assert_eq!((shop.count("/hello"), shop.count("/headers")), (3, 3));
    assert_eq!(run.document().count("/total/requests"), 6);
}

#[test]
fn reschedule_goes_on_with_the_next_task() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            state: #{ log: [] },
            t: task(|| {
                this.client.get("/hello");
                this.log.push(vu_iteration());
                if vu_iteration() < 3 { reschedule(); }
                this.log.push("end");
            }),
            on_stop: || { print(this.log); },
        });"#;
    let run = Tool::running(script).args("-i 3").on(&shop).run().code(0);
    assert_eq!(run.printed(), [r#"[1, 2, 3, "end"]"#]);
    let document = run.document();
    assert_eq!(document.count("/iterations/finished"), 3);
    assert!(document.exceptions().is_empty());
}

#[test]
fn a_user_whose_on_start_fails_ends_without_on_stop_and_is_counted() {
    let shop = Shop::open();
    let script = r#"
        user("Unlucky", #{
            fixed_count: 2,
            on_start: || { this.client.get("/hello"); throw "no luck"; },
            t: task(|| { print("never"); }),
            on_stop: || { print("never"); },
        });
        user("Lucky", #{
            fixed_count: 1,
            t: task(|| { sleep(0.2); stop_user(); }),
            on_stop: || { print("left"); },
        });"#;
    let run = Tool::running(script)
        .args("-u 3 -r 1000")
        .on(&shop)
        .run()
        .code(1);
    assert_eq!(run.printed(), ["left"]);
    let document = run.document();
    assert_eq!(
        document.exceptions(),
        [counted("no luck", "script.rhai:4:55", 2)]
    );
    assert_eq!(document.row("/hello"), (2, 2));
    assert_eq!(document.count("/iterations/started"), 1);
}

#[test]
fn an_on_stop_that_throws_is_counted_and_the_run_goes_on() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            t: task(|| { this.client.get("/hello"); stop_user(); }),
            on_stop: || { throw "lost my keys"; },
        });"#;
    let run = Tool::running(script)
        .args("-u 2 -r 1000")
        .on(&shop)
        .run()
        .code(1);
    let document = run.document();
    assert_eq!(
        document.exceptions(),
        [counted("lost my keys", "script.rhai:4:27", 2)]
    );
    assert_eq!(document.row("/hello"), (2, 0));
}

#[test]
fn time_may_be_up_while_users_are_still_being_started() {
    let shop = Shop::open();
    let run = Tool::task(r#"this.client.get("/stall");"#)
        .args("-u 1000 -r 5 -t 1s --threads 2")
        .on(&shop)
        .run()
        .code(0);
    assert!(run.took < SOON, "{:?}", run.took);
    let document = run.document();
    let peak = document.count("/users/peak");
    // Five, and what a busy machine adds by stopping late.
    assert!((1..=10).contains(&peak), "{peak}");
    let (counted, in_flight) = (shop.counts().total, document.count("/in_flight_at_stop"));
    // The last one's may not have left yet.
    assert!(counted <= in_flight && in_flight <= peak);
    assert_eq!(document.count("/iterations/interrupted"), peak);
    assert_eq!(document.count("/total/requests"), 0);
}
