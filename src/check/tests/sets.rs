//! Task sets: their keys, states and transitions, and what their tasks do.
//!
//! What only shows when they are read is tested through the built binary.

use insta::assert_snapshot;

use super::lines;

/// The findings in a class with this set.
fn in_set(set: &str) -> String {
    lines(&format!(
        "user(\"A\", #{{ set: {set},\nstate: #{{ token: () }}, run: task(|| {{}}), price: |id| id }});"
    ))
}

fn all(sets: &[&str]) -> String {
    let findings: Vec<_> = sets.iter().map(|set| in_set(set)).collect();
    findings.join("\n")
}

#[test]
fn right_sets_have_no_findings() {
    for set in [
        "task_set(#{ weight: 2, name: \"x\", tags: [\"a\"], wait_time: 1, on_start: || {}, on_stop: || {}, \
         hi: task(|| { this.token = this.price(1); this.more(2); this.run(); }), more: |x| x, \
         leave: task(|| interrupt()) })",
        "sequence([task(|| interrupt(false)), || this.token, \"run\", task_set(#{ a: task(|| {}) })])",
        "task(#{ tags: [\"a\"] }, markov(#{ first: \"a\", weight: 2, states: #{ \
         a: #{ run: || interrupt(), next: #{ b: 1 } }, b: #{ run: task(|| {}), next: [\"a\", \"b\"] } } }))",
    ] {
        assert_eq!(in_set(set), "", "{set}");
    }
}

#[test]
fn keys_of_sets_are_known() {
    assert_snapshot!(all(&[
        "task_set(#{ wieght: 1, hi: task(|| {}) })",
        "task_set(#{ wait: 1, hi: task(|| {}) })",
        "sequence(#{ host: \"x\", hi: task(|| {}) })",
        "task(2, task_set(#{ inner: task_set(#{ cart: [] }) }))",
    ]), @r"
        1:31: unknown attribute `wieght` of `task_set`; hint: did you mean `weight`?
        1:31: unknown attribute `wait` of `task_set`; hint: did you mean `wait_time`?
        1:31: unknown attribute `host` of `sequence`; hint: a task is `host: task(|| { … })`; data lives in the class's `state`
        1:58: unknown attribute `cart` of `task_set`; hint: a task is `cart: task(|| { … })`; data lives in the class's `state`
        ");
}

#[test]
fn chains_are_judged_state_by_state() {
    assert_snapshot!(all(&[
        "markov(#{ first: \"c\", stats: 1, states: #{ a: #{ run: || {}, next: \"a\" } } })",
        "markov(#{ states: #{ alpha: #{ run: || {}, next: #{ alhpa: 1 } }, b: #{ rnu: || {}, next: [\"x\"] } } })",
        "markov(#{ tags: [\"x\"], states: #{ a: #{ run: || {} } } })",
    ]), @r#"
        1:36: `first` names `c`, which is no state; hint: the states are a
        1:41: `markov` has no option `stats`; hint: did you mean `states`? there are states, first, weight, name, wait_time, on_start, on_stop
        1:71: the state `alpha` names `alhpa`, which is no state; hint: did you mean `alpha`? the states are alpha, b
        1:85: the state `b` has no `run`; hint: write `b: #{ run: || { … }, next: "…" }`
        1:91: the state `b` has no option `rnu`; hint: did you mean `run`? there are run, next
        1:110: the state `b` names `x`, which is no state; hint: the states are alpha, b
        1:29: `markov` has no option `tags`; hint: without some of its states a chain is another one; tag it as a whole: `task(#{ tags: ["slow"] }, markov(…))`
        1:53: the state `a` has no `next`; hint: write `a: #{ run: || { … }, next: "…" }`
        "#);
}

#[test]
fn tasks_in_sets_are_tasks() {
    assert_snapshot!(all(&[
        "task_set(#{ hi: task(|| { this.tokn; }) })",
        "sequence([|| this.prce(1)])",
        "task_set(#{ hi: task(|| this.price()) })",
        "markov(#{ states: #{ a: #{ run: || constant(1), next: \"a\" } } })",
    ]), @r"
        1:50: nothing sets `this.tokn`; hint: did you mean `this.token`?
        1:37: a user has no method `prce`; hint: did you mean `price`?
        1:48: `price` takes 1 argument, not 0
        1:54: `constant` inside a task (always the same time); hint: it declares: write it at the top level
        ");
    let captured = "let n = 0;\nuser(\"A\", #{ set: task_set(#{ hi: task(|| { n += 1; }) }) });";
    assert_snapshot!(lines(captured), @"2:45: `n` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ n: … }` and `this.n`");
}

#[test]
fn interrupt_belongs_into_a_set() {
    let script = "\
fn helps() { interrupt(); }
user(\"A\", #{
    on_start: || interrupt(),
    run: task(|| { if true { [1].for_each(|x| interrupt()); } }),
    method: || interrupt(),
});";
    assert_snapshot!(lines(script), @r"
        1:14: `interrupt` outside a task set; hint: it leaves a `task_set`, `sequence` or `markov`; `return` ends a task, `stop_user()` the user
        3:18: `interrupt` outside a task set; hint: it leaves a `task_set`, `sequence` or `markov`; `return` ends a task, `stop_user()` the user
        4:47: `interrupt` outside a task set; hint: it leaves a `task_set`, `sequence` or `markov`; `return` ends a task, `stop_user()` the user
        5:16: `interrupt` outside a task set; hint: it leaves a `task_set`, `sequence` or `markov`; `return` ends a task, `stop_user()` the user
        ");
    // A method and a function may be called in a set too.
    let script = "\
fn helps() { interrupt(); }
user(\"A\", #{
    run: task(|| interrupt()),
    method: || interrupt(),
    set: task_set(#{ hi: task(|| { helps(); this.method(); }) }),
});";
    assert_snapshot!(lines(script), @"3:18: `interrupt` outside a task set; hint: it leaves a `task_set`, `sequence` or `markov`; `return` ends a task, `stop_user()` the user");
}

#[test]
fn a_set_of_a_sequence_needs_its_place() {
    let script = "\
let Forum = task_set(#{ hi: task(|| interrupt()) });
user(\"A\", #{
    free: task_set(#{ forum: Forum }),
    steps: sequence(#{ first: task(|| {}), forum: Forum, last: task(Forum) }),
});";
    assert_snapshot!(lines(script), @"4:51: `Forum` was declared before: its place in the sequence is lost; hint: write `forum: task(Forum)`");
}
