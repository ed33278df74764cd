//! What a script may not do: block its thread, leave it, hide code, or grow without bounds.
//! How deep calls and expressions may go is in `depth`.

use std::time::Instant;

use super::*;

#[test]
fn sleep_lets_others_run_whatever_the_type_of_its_argument() {
    for length in ["1", "1.0", "\"1s\"", "\"1000ms\"", "0.5 + 0.5"] {
        let script = task(&format!("if vu_id() == 0 {{ sleep({length}) }} vu_id()"));
        on_load_thread(async move || {
            let world = Rc::new(World::new(&script));
            let mut sleeper = world.coroutine(world.user(0), Function::Task(0));
            let begun = Instant::now();
            let pending = std::future::poll_fn(|cx| {
                let poll = std::pin::Pin::new(&mut sleeper).poll(cx);
                std::task::Poll::Ready(poll.is_pending())
            });
            assert!(pending.await, "it waits: {script}");
            let other = world.call(world.user(1), Function::Task(0)).await.1;
            assert_eq!(other.unwrap().to_string(), "1");
            assert!(
                begun.elapsed().as_millis() < 900,
                "nobody blocked the thread: {script}"
            );
            sleeper.cancel();
            assert!(sleeper.await.1.is_err());
        });
    }
    assert!(
        failed("sleep(-1)").message.contains("negative"),
        "{:?}",
        failed("sleep(-1)")
    );
    assert!(
        failed("sleep([])")
            .message
            .contains("a time is a number of seconds")
    );
}

#[test]
fn what_would_leave_or_hide_is_refused() {
    for (body, expected) in [
        ("exit()", "`exit` is not part of Katydid"),
        ("exit(3)", "`exit` is not part of Katydid"),
        ("[1].map(|x| exit(x))", "`exit` is not part of Katydid"),
        ("timestamp()", "`timestamp` is not part of Katydid: `now()`"),
        ("user(\"V\", #{})", "`user` declares something"),
        ("param(\"x\", 1)", "`param` declares something"),
    ] {
        let failure = failed(body);
        assert!(failure.message.contains(expected), "{body}: {failure:?}");
    }
    for script in [
        task("eval(\"1\")"),
        "eval(\"let x = 1;\"); user(\"U\", #{ t: task(|| 1) });".to_owned(),
        task("let f = Fn(\"eval\"); f.call(\"stop_user()\")"),
    ] {
        let found = checked(&bundle(&[("s.rhai", &script)]));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let refused = found.iter().any(|text| text.contains("eval"));
        assert!(refused || script.contains("Fn("), "{script}: {found:?}");
    }
    assert!(
        failed("let f = Fn(\"ev\" + \"al\"); f.call(\"stop_user()\")")
            .message
            .contains("eval")
    );
}

#[test]
fn the_top_level_only_declares() {
    for (call, expected) in [
        ("sleep(1)", "`sleep` works only inside a task"),
        ("stop_user()", "`stop_user` works only inside a task"),
        ("vu_id()", "`vu_id` works only inside a task"),
        ("run_time()", "`run_time` works only inside a task"),
        ("exit()", "`exit` is not part of Katydid"),
    ] {
        let refused = refusal(&format!("\n {call};\n{}", task("1")));
        assert!(
            refused.contains(expected) && refused.contains("s.rhai:2:2"),
            "{call}: {refused}"
        );
    }
}

#[test]
fn sizes_are_limited_and_a_limit_ends_only_the_task() {
    for (body, expected) in [
        (
            "let s = \"x\"; s.pad(200_000_000, 'y'); s",
            "string too large",
        ),
        (
            "let s = \"0123456789\"; loop { s += s; }",
            "string too large",
        ),
        ("let a = [1]; loop { a += a; }", "too large"),
        ("let a = []; a.pad(100_001, 0); a.len()", "too large"),
        ("let b = blob(1); loop { b += b; }", "too large"),
    ] {
        let failure = failed(body);
        assert!(
            failure.message.to_lowercase().contains(expected) && failure.position.is_some(),
            "{body}: {failure:?}"
        );
    }
    assert_eq!(
        evaluated("let s = \"x\"; s.pad(1_000_000, 'y'); s.len()"),
        "1000000"
    );
    assert_eq!(evaluated("let a = []; a.pad(99_999, 0); a.len()"), "99999");
}

#[test]
fn users_that_compute_for_ever_let_the_others_run() {
    on_load_thread(async || {
        let world = Rc::new(World::new(
            "user(\"U\", #{ t: task(|| { loop { } }), u: task(|| { sleep(0.001); 1 }) });",
        ));
        let hogs: Vec<_> = (0..3)
            .map(|ordinal| {
                let world = world.clone();
                spawn_local(async move { world.call(world.user(ordinal), Function::Task(0)).await })
            })
            .collect();
        let mut user = world.user(9);
        let mut lags: Vec<u128> = Vec::new();
        for _ in 0..200 {
            let begun = Instant::now();
            let answer;
            (user, answer) = world.call(user, Function::Task(1)).await;
            assert!(answer.is_ok());
            lags.push(begun.elapsed().as_micros());
        }
        hogs.iter().for_each(JoinHandle::abort);
        lags.sort_unstable();
        // Three users of 1 ms each, and the sleep: 4 ms on a machine of one's own. This one may be
        // busy; without yielding it would take for ever.
        assert!(lags[100] < 40_000, "half of all wait less: {lags:?}");
    });
}

#[test]
fn heavy_native_calls_are_looked_at_one_by_one() {
    // Each call takes about a millisecond: looks at every 64th operation would be far too late.
    for heavy in [
        "list.sort();",
        "to_json(list); parse_json(text);",
        "text.to_upper(); list.len();",
    ] {
        let script = format!(
            "user(\"U\", #{{
                t: task(|| {{
                    let list = []; list.pad(10_000, 1); let text = to_json(list);
                    loop {{ {heavy} }}
                }}),
                u: task(|| {{ sleep(0.001); 1 }}),
                v: task(|| {{
                    let list = []; list.pad(10_000, 1); let text = to_json(list);
                    for n in 0..10 {{ {heavy} }}
                }}),
            }});"
        );
        on_load_thread(async move || {
            let world = Rc::new(World::new(&script));
            let ten = Instant::now();
            assert!(world.call(world.user(8), Function::Task(2)).await.1.is_ok());
            let ten_ms = ten.elapsed().as_millis();
            let hog = {
                let world = world.clone();
                spawn_local(async move { world.call(world.user(0), Function::Task(0)).await })
            };
            let mut user = world.user(9);
            let mut lags: Vec<u128> = Vec::new();
            for _ in 0..60 {
                let begun = Instant::now();
                let answer;
                (user, answer) = world.call(user, Function::Task(1)).await;
                assert!(answer.is_ok());
                lags.push(begun.elapsed().as_millis());
            }
            hog.abort();
            lags.sort_unstable();
            // 1 ms of sleep, 1 ms of slice, one or two calls of some 3 ms in a debug build on a
            // machine of one's own. 64 operations would be 20 calls and more.
            assert!(
                lags[30] < 10 + ten_ms,
                "one native call, not dozens: {heavy} {lags:?}, ten calls in {ten_ms} ms"
            );
        });
    }
}
