//! Task sets as users live in them: entering, leaving, waiting, failing, stopping.
//!
//! What Locust does is the measure; the arithmetic of orders and paces is tested where it is.

use crate::peer::Shop;
use crate::tool::{Finished, Tool, counted};

/// A run of this script without a server.
fn run(script: &str, args: &str) -> Finished {
    let tool = Tool::running(script).args("-H http://127.0.0.1:1");
    tool.args(args).run()
}

#[test]
fn a_sequence_runs_in_the_order_written_and_begins_again() {
    let script = r#"
        fn pay() { print("pay"); }
        let Gift = task_set(#{ wrap: task(|| { print("wrap"); interrupt(); }) });
        user("U", #{ order: sequence(#{
            zoom: task(|| print("zoom")),
            fill: task(2, || print("fill")),
            gift: task(Gift),
            pay: task("pay"),
            never: task(0, || print("never")),
            again: sequence([task(|| print("first")), || { print("second"); interrupt(); }]),
        }) });"#;
    let expected = "zoom fill fill wrap pay first second zoom fill fill wrap";
    let run = run(script, "-i 11").code(0);
    assert_eq!(run.printed().join(" "), expected);
    assert_eq!(run.document().count("/iterations/finished"), 11);
}

#[test]
fn a_chain_follows_its_transitions_and_begins_anew_at_each_entry() {
    let script = r#"
        user("U", #{ surf: markov(#{
            first: "home",
            on_start: || print("in"),
            on_stop: || print("out"),
            states: #{
                basket: #{ run: || print("basket"), next: ["away"] },
                home: #{ run: || print("home"), next: #{ basket: 3, away: 0 } },
                away: #{ run: || interrupt(), next: "home" },
            },
        }) });"#;
    let run = run(script, "-i 6").code(0);
    assert_eq!(
        run.printed().join(" "),
        "in home basket out in home basket out"
    );
}

/// The time between leaving a set and the next task, where the user waits for 0.4 s.
fn after(leaving: &str) -> f64 {
    let script = format!(
        "user(\"U\", #{{ wait_time: 0.4, both: sequence(#{{
            inner: task_set(#{{ wait_time: 0, hi: task(|| {{ print(run_time()); {leaving} }}) }}),
            next: task(|| print(run_time())),
        }}) }});"
    );
    let run = run(&script, "-i 2").code(0);
    let printed = run.printed();
    let at: Vec<f64> = printed.iter().map(|line| line.parse().unwrap()).collect();
    at[1] - at[0]
}

#[test]
fn interrupt_goes_on_at_once_or_after_the_wait_outside() {
    // A busy machine only makes it longer: 0.3 s are far from none, and less than the wait.
    let at_once = after("interrupt();");
    assert!(at_once < 0.3, "{at_once}");
    let at_once = after("interrupt(true);");
    assert!(at_once < 0.3, "{at_once}");
    let waited = after("interrupt(false);");
    assert!(waited >= 0.39, "{waited}");
}

#[test]
fn a_sets_own_wait_holds_within_it() {
    let script = r#"
        user("U", #{ wait_time: 1000, quick: task_set(#{
            wait_time: || { print("waits"); 0.01 },
            hi: task(|| print("goes")),
        }) });"#;
    let run = run(script, "-i 3").code(0);
    let printed = run.printed().join(" ");
    // After the last one nobody may have to wait any more.
    assert!(
        printed.starts_with("goes waits goes waits goes"),
        "{printed}"
    );
}

/// Two sets within one another and the hooks of all, around this task of the inner one.
fn nested(task: &str) -> String {
    format!(
        "user(\"U\", #{{
            on_start: || print(\"user in\"),
            on_stop: || print(\"user out\"),
            outer: task_set(#{{
                on_start: || print(\"outer in\"),
                on_stop: || print(\"outer out\"),
                inner: sequence(#{{
                    on_start: || print(\"inner in\"),
                    on_stop: || print(\"inner out\"),
                    hi: task(|| {{ {task} }}),
                }}),
            }}),
        }});"
    )
}

const INNERMOST_FIRST: &str = "user in, outer in, inner in, goes, inner out, outer out, user out";

#[test]
fn hooks_stop_innermost_first_however_the_user_ends() {
    let cases = [
        ("print(\"goes\"); stop_user();", "", 0),
        ("print(\"goes\"); [1].map(|x| stop_user());", "", 0),
        ("print(\"goes\"); stop_test(\"enough\");", "", 0),
        ("print(\"goes\");", "-i 1", 0),
        // Cut in its task, and allowed to finish it.
        ("print(\"goes\"); sleep(60);", "-t 1s", 0),
        ("print(\"goes\"); sleep(1.2);", "-t 1s -s 20s", 0),
    ];
    for (task, args, code) in cases {
        let run = run(&nested(task), args).code(code);
        assert_eq!(run.printed().join(", "), INNERMOST_FIRST, "{task} {args}");
    }
}

#[test]
fn a_user_cut_on_its_way_into_a_set_does_not_leave_it() {
    let script = r#"
        user("U", #{ on_stop: || print("user out"), outer: task_set(#{
            on_stop: || print("outer out"),
            inner: task_set(#{
                on_start: || { print("goes in"); sleep(60); },
                on_stop: || print("inner out"),
                hi: task(|| print("never")),
            }),
        }) });"#;
    let run = run(script, "-t 1s").code(0);
    assert_eq!(run.printed().join(", "), "goes in, outer out, user out");
    assert_eq!(run.document().count("/iterations/started"), 0);
}

#[test]
fn hooks_that_fail_are_counted_and_all_others_run() {
    let script = r#"
        user("U", #{ on_stop: || print("user out"), outer: task_set(#{
            on_stop: || { throw "outer fails" },
            inner: task_set(#{
                on_stop: || { interrupt(); },
                hi: task(|| stop_user()),
            }),
        }) });"#;
    let run = run(script, "").code(1);
    assert_eq!(run.printed(), ["user out"]);
    let exceptions = run.document().exceptions();
    let expected = [
        counted(
            "`interrupt` leaves a task set, and this user is in none",
            "script.rhai:5:31",
            1,
        ),
        counted("outer fails", "script.rhai:3:27", 1),
    ];
    assert_eq!(exceptions, expected);
}

#[test]
fn a_task_of_a_set_that_throws_is_counted_and_the_sequence_goes_on() {
    let script = r#"
        user("U", #{ steps: sequence(#{
            wait_time: || { print("waits"); 0 },
            one: task(|| { print("one"); throw "no" }),
            two: task(|| { print("two"); reschedule(false); print("never"); }),
            skip: task(|| { print("skip"); reschedule(); }),
            three: task(|| print("three")),
        }) });"#;
    let run = run(script, "-i 5").code(1);
    let printed = run.printed().join(" ");
    assert!(
        printed.starts_with("one waits two waits skip three waits one"),
        "{printed}"
    );
    assert_eq!(
        run.document().exceptions(),
        [counted("no", "script.rhai:4:42", 2)]
    );
}

#[test]
fn a_set_whose_on_start_throws_is_not_entered_and_those_around_it_wait() {
    let script = r#"
        user("U", #{ steps: sequence(#{
            wait_time: || { print("waits"); 0 },
            broken: task_set(#{
                on_start: || { throw "no entry" },
                on_stop: || print("never"),
                hi: task(|| print("never")),
            }),
            shut: task_set(#{
                on_start: || interrupt(),
                on_stop: || print("never"),
                hi: task(|| print("never")),
            }),
            closed: task_set(#{ on_start: || interrupt(false), hi: task(|| print("never")) }),
            open: task(|| { print("open"); stop_user(); }),
        }) });"#;
    let run = run(script, "").code(1);
    assert_eq!(run.printed().join(" "), "waits waits open");
    assert_eq!(
        run.document().exceptions(),
        [counted("no entry", "script.rhai:5:32", 1)]
    );
}

#[test]
fn iterations_are_the_tasks_within_and_exact() {
    let script = r#"
        user("U", #{ outer: task_set(#{
            inner: task_set(#{
                hi: task(3, || this.client.get("/hello")),
                leave: task(|| { this.client.get("/hello"); interrupt(); }),
            }),
            leave: task(|| { this.client.get("/hello"); interrupt(); }),
        }) });"#;
    for (iterations, users, threads) in [(1, 1, 1), (500, 20, 2), (7, 50, 4)] {
        let shop = Shop::open();
        let args = format!("-i {iterations} -u {users} -r 1000 --threads {threads}");
        let document = Tool::running(script)
            .args(&args)
            .on(&shop)
            .run()
            .code(0)
            .document();
        assert_eq!(shop.count("/hello"), iterations, "{args}");
        assert_eq!(document.count("/iterations/finished"), iterations, "{args}");
    }
}

#[test]
fn this_and_the_methods_are_the_users_in_every_set() {
    let script = r#"
        let Section = task_set(#{
            greeting: |name| `hello ${name} ${this.count}`,
            hi: task(|| { this.count += 1; print(this.greeting("ann")); this.note(); interrupt(); }),
        });
        user("U", #{
            state: #{ count: 0 },
            note: || { this.count += 10; },
            a: sequence(#{ first: task(Section), second: task(2, Section) }),
        });"#;
    let run = run(script, "-i 3").code(0);
    assert_eq!(
        run.printed(),
        ["hello ann 1", "hello ann 12", "hello ann 23"]
    );
}

#[test]
fn interrupt_outside_of_a_set_is_an_error_of_the_script() {
    // It cannot be seen before: the function is called in a set too.
    let script = r#"
        fn leaves() { interrupt(); }
        user("U", #{
            plain: task(|| leaves()),
            set: task_set(#{ weight: 0, leave: task(|| leaves()) }),
        });"#;
    let run = run(script, "-i 1").code(1);
    let (message, _, count) = run.document().exceptions().remove(0);
    assert!(message.contains("this user is in none"), "{message}");
    assert_eq!(count, 1);
}
