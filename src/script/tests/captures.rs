//! What closures capture: each user has its own copy, whoever waits while it is in use.
//! Changing a captured variable is the load-time check's affair.

use super::*;

/// Runs the first task of so many users at once; all must return the same.
fn all_return(script: &str, expected: &str) {
    let (script, expected) = (script.to_owned(), expected.to_owned());
    on_load_thread(async move || {
        let world = Rc::new(World::new(&script));
        // Twice: the second time the call states come from the pool.
        for _ in 0..2 {
            for answer in world.run_all(4).await {
                assert_eq!(answer.expect("it returns").to_string(), expected);
            }
        }
    });
}

#[test]
fn captured_variables_are_each_users_own() {
    all_return(
        "let list = [1, 2, 3];
        let m = #{ n: 1 };
        user(\"U\", #{ t: task(|| {
            let sum = 0;
            for x in list { sleep(0.001); sum += x; }
            list.map(|x| { sleep(0.001); x + m.n }).len() + sum
        }) });",
        "9",
    );
}

#[test]
fn several_users_map_over_a_captured_list_and_request_in_it() {
    on_load_thread(async || {
        let target = target();
        let world = Rc::new(World::at(
            &target,
            "let paths = [\"/hello\", \"/status/204\", \"/bytes/10\"];
            user(\"U\", #{ t: task(|| {
                let client = this.client;
                paths.map(|path| client.get(path).status)
            }) });",
        ));
        for answer in world.run_all(8).await {
            assert_eq!(answer.expect("it returns").to_string(), "[200, 204, 200]");
        }
        assert_eq!(target.counts().total, 24);
    });
}

#[test]
fn closures_within_captured_maps_arrays_and_closures_own_what_they_captured() {
    all_return(
        "let common = [5];
        let inner = |x| { sleep(0.001); common.push(x); common.len() };
        let tools = #{ list: [inner], f: inner };
        const CONST = |x| { sleep(0.001); inner.call(x) + tools.f.call(x) };
        fn through_global(x) { global::CONST.call(x) }
        user(\"U\", #{
            state: #{ mine: inner },
            method: |x| { sleep(0.001); tools.list[0].call(x) },
            t: task(|| {
                let sum = 0;
                for n in 0..3 {
                    sum += tools.f.call(n) + this.method(n) + CONST.call(n);
                    sum += through_global(n) + this.mine.call(n);
                }
                sum
            }),
        });",
        // Each of the seven calls sees a copy of `[5]` and pushes to it.
        "42",
    );
}

#[test]
fn a_const_closure_works_with_the_optimiser_off() {
    all_return(
        "let rate = 2;
        const F = |x| x * rate;
        user(\"U\", #{ t: task(|| F.call(21)) });",
        "42",
    );
}

#[test]
fn hooks_and_waits_own_what_they_captured() {
    on_load_thread(async || {
        let world = Rc::new(World::new(
            "let seconds = [0.25, 0.5];
            user(\"U\", #{
                wait_time: || { sleep(0.001); seconds[1] },
                on_start: || { sleep(0.001); seconds.push(1); seconds.len() },
                on_stop: || { sleep(0.001); seconds.len() },
                t: task(|| 1),
            });",
        ));
        let calls = [
            (Function::OnStart, "3"),
            (Function::Wait, "0.5"),
            (Function::OnStop, "2"),
        ];
        for (function, expected) in calls {
            let both = tokio::join!(
                world.call(world.user(0), function),
                world.call(world.user(1), function)
            );
            assert_eq!(both.0.1.unwrap().to_string(), expected);
            assert_eq!(both.1.1.unwrap().to_string(), expected);
        }
    });
}

#[test]
fn preemption_in_the_middle_of_a_captured_value_harms_nobody() {
    // Long enough for a yield while `m` is in use.
    all_return(
        "let m = #{ n: 0 };
        user(\"U\", #{ t: task(|| { for i in 0..20000 { m.n += 1; } m.n }) });",
        "20000",
    );
}

#[test]
fn a_large_capture_is_a_warning() {
    let warnings = |script: &str| {
        let program = Program::compile(&Bundle::from_text("s.rhai", script), &Inputs::default());
        let program = program.expect("it loads");
        let texts = program.warnings().iter().map(ToString::to_string);
        texts.collect::<Vec<_>>()
    };
    let script = |n: usize| {
        format!(
            "let few = 1;\nlet list = [];\nfor i in 0..{n} {{ list.push(i); }}\n\
             user(\"U\", #{{\n  t: task(|| list.len() + few),\n}});"
        )
    };
    assert_eq!(warnings(&script(100)), Vec::<String>::new());
    assert_eq!(
        warnings(&script(101)),
        [
            "warning: s.rhai:5:14: this closure captures `list` with 101 elements, which are copied \
          at every call; hint: `json_file` and `rows` keep one copy for all users"
        ]
    );
}

#[test]
fn a_closure_that_captures_itself_is_refused() {
    let script = "let f = ();\nf = |n| if n == 0 { 1 } else { f.call(n - 1) };\n\
                  user(\"U\", #{ t: task(|| f.call(3)) });";
    let refused = refusal(script);
    assert!(
        refused.starts_with("error: s.rhai:3:25: a closure captures itself; hint: write it as a"),
        "{refused}"
    );
}
