//! What is shared and what runs once: closures without a user, events, results read too early.
//!
//! Only what the check can see; what happens at run time is tested with the script API.

use insta::assert_snapshot;

use super::{in_task, lines};

#[test]
fn once_by_its_name_alone_has_no_this() {
    assert_snapshot!(in_task(r#"once("a", || this.client.get("/"));"#), @r#"1:49: `this` is unknown inside the closure of `once(…)`; hint: call it on the user: `this.once("name", || this.client.get(…))`"#);
    assert_snapshot!(in_task(r#"this.once("a", || this.client.get("/"));"#), @"");
    assert_snapshot!(in_task(r#"once("a", |http| http.get("/")); this.once("a");"#), @r#"1:74: `once` takes a name and a closure; hint: write `this.once("name", || { … })`"#);
}

#[test]
fn events_that_do_not_exist() {
    assert_snapshot!(in_task(r#"wait_for("test_stop");"#), @r#"1:45: a user cannot wait for `test_stop`; hint: it can for "spawning_complete" only"#);
    assert_snapshot!(in_task(r#"wait_for("spawning_complete");"#), @"");
    let task = "user(\"U\", #{ t: task(|| 1) });";
    assert_snapshot!(lines(&format!("on(\"test_strat\", || 1); on(\"x\", || 1); {task}")), @r#"
    1:4: there is no event `test_strat`; hint: did you mean `test_start`?
    1:28: there is no event `x`; hint: there are `test_start`, `spawning_complete`, `test_stopping`, `test_stop`, `reload`, `worker_connect`, `worker_lost`, `quitting`, `request`, `user_error`
    "#);
    assert_snapshot!(in_task(r#"on("test_start", || 1);"#), @r#"1:36: `on` inside a task (a listener, called when that happens); hint: it declares: write it at the top level"#);
    assert_snapshot!(lines(&format!("once(\"a\", || 1); counter(\"n\"); {task}")), @r#"
    1:1: `once` at the top level, where there is no user; hint: the top level describes: put it into a task, `on_start` or a method
    1:18: `counter` at the top level, where there is no user; hint: the top level describes: put it into a task, `on_start` or a method
    "#);
}

#[test]
fn the_result_of_setup_is_not_there_at_the_top_level() {
    let script = r#"
let d = setup(|http| #{ token: http.get("/token").text });
let early = d.token;
let index = d["token"];
user("U", #{ t: task(|| print(d.token, d.value())) });
"#;
    assert_snapshot!(lines(script), @r#"
    3:15: `d` is what `setup` returns, which is not there yet; hint: read it in a task, a hook or a method: the top level runs before the test
    4:15: `d` is what `setup` returns, which is not there yet; hint: read it in a task, a hook or a method: the top level runs before the test
    "#);
}

#[test]
fn changes_of_captured_variables_are_lost_in_all_closures_that_are_called_later() {
    let found = |declared: &str| {
        lines(&format!(
            "let n = 0; let list = []; {declared} user(\"U\", #{{ t: task(|| 1) }});"
        ))
    };
    assert_snapshot!(found("shape(|run_time| { n += 1; n });"), @"1:46: `n` is a constant to the shape's closure: this change would be lost; hint: keep it in the shape's own data: `shape(#{ state: #{ n: … }, tick: |run_time| … })` and `this.n`");
    assert_snapshot!(found("shape(#{ tick: |run_time| { list.push(1); list.len() } });"), @"1:60: `list` is a constant to the shape's closure: this change would be lost; hint: keep it in the shape's own data: `shape(#{ state: #{ list: … }, tick: |run_time| … })` and `this.list`");
    assert_snapshot!(found("setup(|http| { list.push(1); list });"), @"1:47: `list` is a constant to `setup`: this change would be lost; hint: return it: `let d = setup(|http| #{ list: … })`, for tasks `d.list`");
    assert_snapshot!(found("teardown(|http| { n = 1; });"), @"1:45: `n` is a constant to `teardown`: this change would be lost; hint: nothing comes after it: `let copy = n;` in it may be changed");
    assert_snapshot!(found("on(\"request\", |r| { push(list, r.name); });"), @r#"1:47: `list` is a constant to listeners: this change would be lost; hint: add things up: `counter("list").add(1)`, `metric("list").add(…)`"#);
    assert_snapshot!(found("on(\"user_error\", |e| { [1].for_each(|| n += 1); });"), @r#"1:66: `n` is a constant to listeners: this change would be lost; hint: add things up: `counter("n").add(1)`, `metric("n").add(…)`"#);
    assert_snapshot!(found("on(\"test_start\", || { n += 1; });"), @r#"1:49: `n` is a constant to listeners: this change would be lost; hint: count with `counter("n").add(1)`; values for others go through `queue("n")`"#);
    assert_snapshot!(found("let f = |r| { n += 1; }; on(\"request\", f);"), @r#"1:41: `n` is a constant to listeners: this change would be lost; hint: add things up: `counter("n").add(1)`, `metric("n").add(…)`"#);
    // A variable of its own, and a closure that is called at once.
    assert_snapshot!(found("on(\"request\", |r| { let n = 0; n += 1; });"), @"");
    assert_snapshot!(found("setup(|n| { n += 1; }); list.for_each(|| n += 1);"), @"");
    assert_snapshot!(found("setup(|http| { let a = 0; [1].map(|x| { a += x; }); a });"), @"");
}

#[test]
fn changes_of_captured_variables_within_once_groups_and_waits() {
    let found = |class: &str| lines(&format!("let n = 0; user(\"U\", #{{ {class} }});"));
    assert_snapshot!(found("t: task(|| { once(\"a\", || { n += 1; }); })"), @"1:53: `n` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ n: … }` and `this.n`");
    assert_snapshot!(found("t: task(|| { this.once(\"a\", || { n += 1; }); })"), @"1:58: `n` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ n: … }` and `this.n`");
    assert_snapshot!(found("t: task(|| { this.group(\"a\", || { n += 1; }); })"), @"1:59: `n` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ n: … }` and `this.n`");
    assert_snapshot!(found("wait_time: || { n += 1; n }, t: task(|| 1)"), @"1:41: `n` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ n: … }` and `this.n`");
    assert_snapshot!(found("t: task(|| { let m = 0; this.group(\"a\", || { m += 1; }); })"), @"");
}
