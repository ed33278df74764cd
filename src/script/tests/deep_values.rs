//! Values nested too deep, or that hold too much: a mistake of the script with a place, whatever
//! road it takes, never the end of the process.

use std::time::Duration;

use super::*;

/// Makes values deep in all the ways there are, in a loop that reads a variable.
const WAYS: [&str; 14] = [
    "let d = []; for i in 0..N { d = [d]; }",
    "let d = (); for i in 0..N { d = #{ d: d }; }",
    "let d = (); for i in 0..N { d = #{ a: [d], b: 1 }; }",
    "let d = [()]; for i in 0..N { d[0] = d; }",
    "let d = #{}; for i in 0..N { d.d = d; }",
    "let d = []; for i in 0..N { let e = []; e.push(d); d = e; }",
    "let d = []; for i in 0..N { let e = []; e.insert(0, d); d = e; }",
    "let d = []; for i in 0..N { let e = []; e += [d]; d = e; }",
    "let d = []; for i in 0..N { d = [1].map(|x| d); }",
    "let d = || 1; for i in 0..N { let e = d; d = || e.call(); }",
    "let d = || 1; for i in 0..N { let e = d; d = || e; }",
    "let d = |x| 1; for i in 0..N { let e = |x, y| 1; d = e.curry(d); }",
    "let d = []; let n = 0; loop { if n == N { break; } n += 1; d = [d]; }",
    "let a = []; a.pad(N, 0); let d = a.reduce(|made, x| [made], 0);",
];

/// Uses a deep value in all the ways in which Rhai recurses.
const USES: [&str; 12] = [
    "d.to_string()",
    "`${d}`",
    "\"\" + d",
    "d == d",
    "[d].contains(d)",
    "let e = [d, d]; e.dedup(); e",
    "let e = [d, d]; e.sort(|a, b| 1); e",
    "print(d)",
    "let e = d; e",
    "to_json(d)",
    "d.to_debug()",
    "switch d { 1 => 2, _ => 3 }",
];

#[test]
fn values_nested_too_deep_are_a_mistake_with_a_place() {
    for way in WAYS {
        for count in ["2_000", "50_000"] {
            let body = way.replace('N', count);
            let failure = failed(&body);
            let shown = format!("{body}: {failure:?}");
            assert!(
                failure.message.contains("values nested more than 500 deep"),
                "{shown}"
            );
            assert!(failure.position.is_some(), "{shown}");
        }
    }
}

#[test]
fn whoever_catches_or_swallows_it_does_not_go_on() {
    for body in [
        "let d = []; loop { try { d = [d]; } catch { } }",
        "let d = []; loop { [2, 1].sort(|a, b| { d = [d]; 1 }); d = [d]; }",
    ] {
        let failure = failed(body);
        assert!(
            failure.message.contains("values nested more than 500 deep"),
            "{body}: {failure:?}"
        );
    }
}

#[test]
fn what_is_just_not_too_deep_may_be_used_in_every_way() {
    for way in WAYS {
        let is_closure = way.contains("d = ||") || way.contains("curry");
        for usage in USES {
            let body = format!("{}; {usage}", way.replace('N', "240"));
            let script = task(&body);
            let answer = on_load_thread(async move || {
                let answer = World::new(&script).run().await;
                answer.map(|_| ()).map_err(|ended| format!("{ended:?}"))
            });
            match answer {
                Ok(()) => {}
                // Closures are not compared, nor written as JSON.
                Err(_) if is_closure => {}
                Err(why) => assert!(
                    usage == "to_json(d)" && why.contains("nested"),
                    "{body}: {why}"
                ),
            }
        }
    }
}

#[test]
fn a_user_may_not_pile_up_a_chain_from_call_to_call() {
    let script = "user(\"U\", #{ state: #{ hist: (), n: 0 }, t: task(|| {
        this.hist = #{ prev: this.hist, s: 200 };
        this.n += 1;
        this.n
    }) });";
    on_load_thread(async move || {
        let world = World::new(script);
        let mut user = world.user(0);
        let mut failures = Vec::new();
        for _ in 0..1_200 {
            let answer;
            (user, answer) = world.call(user, Function::Task(0)).await;
            match answer {
                Ok(_) => {}
                Err(Ended::Failure(failure)) => failures.push(failure),
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(failures.len(), 2, "{failures:?}");
        let message = "values nested more than 500 deep: `this.hist` is `()` from now on";
        assert_eq!(failures[0].message, message);
        assert!(failures[0].location().starts_with("s.rhai:1:"));
    });
}

#[test]
fn loops_that_read_no_variable_end_too() {
    // Nothing is measured inside; Rhai's limits on sizes and the room of the stack hold it.
    for body in [
        "loop { this.me = this; }",
        "loop { this.a = #{ a: this.a }; }",
        "loop { this.a = [this.a]; }",
        "for i in 0..3_000 { this.a = [this.a]; }",
        "for i in 0..3_000 { this.a = #{ a: this.a }; } this.a",
        "for i in 0..3_000 { this.a = [this.a]; } this.a.to_string()",
        "for i in 0..3_000 { this.a = [this.a]; } this.a == this.a",
        "for i in 0..3_000 { this.a = [this.a]; } throw this.a",
        "for i in 0..3_000 { this.a = [this.a]; } stop_user()",
    ] {
        let script = format!("user(\"U\", #{{ state: #{{ a: () }}, t: task(|| {{ {body} }}) }});");
        let shown = body.to_owned();
        on_load_thread(async move || {
            let world = World::new(&script);
            let mut call = world.coroutine(world.user(0), Function::Task(0));
            let mut left = 200;
            let (user, answer) = std::future::poll_fn(|cx| {
                // A loop that would go on for very long is ended as a stop ends it.
                left -= 1;
                if left == 0 {
                    call.cancel();
                }
                std::pin::Pin::new(&mut call).poll(cx)
            })
            .await;
            assert!(answer.is_err(), "{shown}: {answer:?}");
            // What is left of it may be dropped here, on the thread's own stack.
            drop(user);
        });
    }
}

#[test]
fn hooks_waits_and_setup_are_no_exception() {
    let deep = "let d = []; for i in 0..3_000 { d = [d]; } d";
    for function in [Function::OnStart, Function::OnStop, Function::Wait] {
        let failure = on_load_thread(async move || {
            let world = World::new(&format!(
                "user(\"U\", #{{ on_start: || {{ {deep} }}, on_stop: || {{ {deep} }},
                    wait_time: || {{ {deep} }}, t: task(|| 1) }});"
            ));
            match world.call(world.user(0), function).await.1 {
                Err(Ended::Failure(failure)) => failure,
                other => panic!("{other:?}"),
            }
        });
        assert!(
            failure.message.contains("nested more than 500"),
            "{failure:?}"
        );
    }
    let refused = on_load_thread(async move || refusal(&format!("let d = {{ {deep} }};")));
    assert!(
        refused.contains("values nested more than 500 deep"),
        "{refused}"
    );
}

#[test]
fn a_user_that_holds_too_much_is_told_so() {
    let inputs = || Inputs {
        user_memory: Some("8MB".parse().unwrap()),
        ..Inputs::default()
    };
    for body in [
        "let a = []; let s = \"\"; s.pad(1000, 'x'); loop { a.push(s + a.len()); }",
        "let d = |x| 1; loop { d = d.curry(d); }",
        "let a = \"\"; a.pad(3_000_000, 'x'); let b = a + \"b\"; let c = a + \"c\"; let d = a + \"d\";
         for i in 0..100 { let e = i; }",
        "let f = || 1; loop { let s = \"\"; s.pad(100_000, 'x'); let e = f; f = || s + e; }",
    ] {
        let script = task(body);
        let failure = on_load_thread(async move || {
            World::of(&[("s.rhai", &script)], &inputs(), None).failure().await
        });
        assert!(
            failure.message.contains("hold more than 8MB") && failure.position.is_some(),
            "{body}: {failure:?}"
        );
    }
    let failure = on_load_thread(async move || {
        let script = "user(\"U\", #{ state: #{ a: () }, t: task(|| {
            this.a = \"\";
            this.a.pad(9_000_000, 'x');
        }) });";
        World::of(&[("s.rhai", script)], &inputs(), None)
            .failure()
            .await
    });
    assert!(
        failure.message.ends_with("`this.a` is `()` from now on"),
        "{failure:?}"
    );
}

#[test]
fn what_a_shape_remembers_is_no_exception() {
    let script = "shape(#{ state: #{ a: () }, tick: |t| {
            for i in 0..600 { this.a = [this.a]; }
            1
        } });
        user(\"U\", #{ t: task(|| 1) });";
    let message = on_load_thread(async move || {
        let program = Program::compile(&bundle(&[("s.rhai", script)]), &Inputs::default());
        let program = program.map_err(|problems| problems[0].to_string()).unwrap();
        let asked = program.ask_shape(Duration::ZERO, 0, None).unwrap();
        asked.unwrap_err().message
    });
    assert_eq!(
        message,
        "values nested more than 500 deep: `this.a` is `()` from now on"
    );
}
