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
