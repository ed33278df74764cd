//! `-i N`: exactly so many iterations over all users and threads, then the end.
//!
//! Held against what the server counted, however many users share them and whenever they come.

use std::time::Duration;

use crate::peer::Shop;
use crate::tool::Tool;

const HELLO: &str = r#"user("U", #{ t: task(|| { this.client.get("/hello"); }) });"#;

#[test]
fn iterations_are_exact() {
    // Iterations, users, started per second, threads.
    let cases = [
        (1, 1, 1, 1),
        (1, 1, 1, 4),
        (7, 3, 1000, 2),
        (1000, 1, 1, 1),
        (1000, 20, 1000, 4),
        // More users than iterations.
        (7, 50, 1000, 1),
        (7, 50, 1000, 4),
        // Used up while users are still being started: 99 s would be needed for all of them.
        (10, 100, 1, 2),
    ];
    for case in cases {
        let (iterations, users, rate, threads) = case;
        let shop = Shop::open();
        let run = Tool::running(HELLO)
            .args(&format!(
                "-i {iterations} -u {users} -r {rate} --threads {threads}"
            ))
            .on(&shop)
            .run()
            .code(0);
        let document = run.document();
        assert_eq!(shop.counts().total, iterations, "{case:?}");
        assert_eq!(document.count("/total/requests"), iterations, "{case:?}");
        for (name, expected) in [
            ("started", iterations),
            ("finished", iterations),
            ("interrupted", 0),
            ("missed", 0),
        ] {
            let count = document.count(&format!("/iterations/{name}"));
            assert_eq!(count, expected, "{name} of {case:?}");
        }
        assert_eq!(document.count("/in_flight_at_stop"), 0, "{case:?}");
        assert!(
            run.took < Duration::from_secs(30),
            "{case:?}: {:?}",
            run.took
        );
    }
}

#[test]
fn none_at_all_is_refused() {
    Tool::running(HELLO)
        .args("-i 0 -H http://127.0.0.1:1")
        .run()
        .code(2)
        .says(&["--iterations"]);
}

#[test]
fn the_last_iterations_are_finished_and_every_user_stops_properly() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            on_start: || { this.client.get("/hello"); },
            t: task(|| { this.client.get("/delay/200"); }),
            on_stop: || { this.client.get("/headers"); },
        });"#;
    let document = Tool::running(script)
        .args("-u 4 -r 1000 -i 10 --threads 2")
        .on(&shop)
        .run()
        .code(0)
        .document();
    assert_eq!(shop.count("/delay/:ms"), 10);
    assert_eq!((shop.count("/hello"), shop.count("/headers")), (4, 4));
    assert_eq!(document.count("/total/requests"), 18);
    assert_eq!(document.count("/in_flight_at_stop"), 0);
}

#[test]
fn time_may_be_up_before_the_iterations_are() {
    let shop = Shop::open();
    let script = r#"user("U", #{ wait_time: 0.6, t: task(|| { this.client.get("/hello"); }) });"#;
    let document = Tool::running(script)
        .args("-i 1000 -t 1s")
        .on(&shop)
        .run()
        .code(0)
        .document();
    let finished = document.count("/iterations/finished");
    // At 0 and 0.6 s: neither is under way when the time is up.
    assert!((1..=2).contains(&finished), "{finished}");
    assert_eq!(shop.counts().total, finished);
}

#[test]
fn users_that_come_when_nothing_is_left_never_begin() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            on_start: || { print("begins", vu_id()); },
            t: task(|| { this.client.get("/delay/900"); }),
        });"#;
    // The second iteration is taken at 0.1 s and runs until 1 s; eight more users would come.
    let run = Tool::running(script)
        .args("-i 2 -u 10 -r 10")
        .on(&shop)
        .run()
        .code(0);
    assert_eq!(run.printed(), ["begins 0", "begins 1"]);
}

#[test]
fn users_that_wait_when_the_iterations_are_used_up_end_at_once() {
    let shop = Shop::open();
    let script = "user(\"A\", #{ wait_time: 1000, t: task(|| this.client.get(\"/hello\")) });";
    let finished = Tool::running(script)
        .on(&shop)
        .args("-u 10 -r 1000 -i 10")
        .run()
        .code(0);
    assert_eq!(shop.count("/hello"), 10);
    assert!(
        finished.took.as_secs() < 30,
        "each of them had 1,000 s to wait"
    );
}
