//! Waits between iterations, paced users, and the two latencies that follow from them.
//!
//! The arithmetic is tested where it is; here it is held together with clocks and reports.

use crate::peer::Shop;
use crate::tool::{Tool, counted};

/// The moments, in seconds of the run, that the iterations of one user printed.
fn moments(tool: Tool) -> Vec<f64> {
    let run = tool.args("-H http://127.0.0.1:1").run().code(0);
    let printed = run.printed();
    printed.iter().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn waits_are_as_long_as_they_say() {
    let cases = [
        ("0.15", 0.15),
        ("\"150ms\"", 0.15),
        ("constant(0.15)", 0.15),
        ("between(0.15, 0.16)", 0.15),
        ("|| 0.15", 0.15),
        ("|| vu_iteration() * 0.05", 0.05),
        ("constant_throughput(10)", 0.1),
    ];
    for (wait, least) in cases {
        let script =
            format!("user(\"U\", #{{ wait_time: {wait}, t: task(|| {{ print(run_time()); }}) }});");
        let moments = moments(Tool::running(&script).args("-i 3"));
        let is_paced = wait.starts_with("constant_throughput");
        for (slot, pair) in (0_u32..).zip(moments.windows(2)) {
            // A slot of a pace is where it is, however late the one before it began.
            let since = match is_paced {
                true => moments[0] + f64::from(slot) * least,
                false => pair[0],
            };
            let waited = pair[1] - since;
            // Never shorter, but for what the iteration itself took of a pace; longer only by
            // what a busy machine adds.
            assert!(
                (least - 0.02..least + 0.5).contains(&waited),
                "{wait}: {moments:?}"
            );
        }
    }
}

#[test]
fn a_paced_user_keeps_its_slots() {
    let script = r#"
        user("U", #{ wait_time: constant_pacing(0.2), t: task(|| {
            print(run_time());
            sleep(random() * 0.1);
        }) });"#;
    let moments = moments(Tool::running(script).args("-i 6"));
    for (number, moment) in (0_u32..).zip(&moments) {
        let drift = moment - moments[0] - f64::from(number) * 0.2;
        // The first one's own lateness may make the others look early.
        assert!((-0.05..0.15).contains(&drift), "{moments:?}");
    }
}

#[test]
fn a_paced_user_that_overruns_misses_slots_and_its_response_times_say_so() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{ wait_time: constant_pacing(0.1), t: task(|| {
            this.client.get("/delay/350");
        }) });"#;
    let document = Tool::running(script)
        .args("-i 4")
        .on(&shop)
        .run()
        .code(0)
        .document();
    assert_eq!(document.row("/delay/350"), (4, 0));
    // 350 ms in a pace of 100: two or three slots are missed after each of the first three.
    let missed = document.count("/iterations/missed");
    assert!((6..=12).contains(&missed), "{missed}");
    assert_eq!(document.count("/iterations/finished"), 4);
    let service = document.number("/requests/0/service_time_ms/max");
    let response = document.number("/requests/0/response_time_ms/max");
    assert!((350.0..550.0).contains(&service), "{service}");
    // The first slot missed waited for two iterations but for one period.
    assert!(response > service + 150.0, "{response} and {service}");
    let average = |of: &str| document.number(&format!("/requests/0/{of}/avg"));
    assert!(average("response_time_ms") > average("service_time_ms"));
}

#[test]
fn users_that_are_not_paced_have_one_latency() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{ wait_time: 0.02, t: task(|| { this.client.get("/delay/60"); }) });"#;
    let document = Tool::running(script)
        .args("-i 5")
        .on(&shop)
        .run()
        .code(0)
        .document();
    assert_eq!(
        document.0["requests"][0]["response_time_ms"],
        document.0["requests"][0]["service_time_ms"]
    );
    assert_eq!(document.count("/iterations/missed"), 0);
}

#[test]
fn a_wait_that_throws_or_returns_nonsense_is_counted_and_the_user_goes_on() {
    let script = r#"
        user("U", #{
            wait_time: || {
                if vu_iteration() == 1 { throw "no idea" }
                if vu_iteration() == 2 { return "soon"; }
                0
            },
            t: task(|| { print(run_time()); }),
        });"#;
    let run = Tool::running(script)
        .args("-i 4 -H http://127.0.0.1:1")
        .run()
        .code(1);
    let exceptions = run.document().exceptions();
    assert_eq!(exceptions.len(), 2, "{exceptions:?}");
    assert!(
        exceptions[0].0.starts_with("`soon` is not a duration"),
        "{exceptions:?}"
    );
    assert_eq!(exceptions[1], counted("no idea", "script.rhai:4:42", 1));
    let printed = run.printed();
    let at: Vec<f64> = printed.iter().map(|line| line.parse().unwrap()).collect();
    // A failing wait is not no wait: that would flood the target.
    assert!(at[1] - at[0] >= 0.9 && at[2] - at[1] >= 0.9, "{at:?}");
    assert_eq!(at.len(), 4);
}
