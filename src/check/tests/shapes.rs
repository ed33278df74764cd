//! Findings in the maps of a shape, each at its own place. What shapes come to is tested with the
//! load.

use insta::assert_snapshot;

use super::lines;

/// A class, so that nothing else is found.
const CLASS: &str = "user(\"A\", #{ t: task(|| {}) });";

#[test]
fn unknown_keys_are_found_where_they_stand() {
    let script = format!(
        "shape(#{{ stages: [\n  #{{ duration: 1, users: 1, spwan_rate: 2 }},\n  #{{ run_time: 60, target: 5 }},\n], name: 1 }});\n\
         shape(\"stpes\", #{{}});\nshape(\"steps\", #{{ step_user: 5 }});\n{CLASS}"
    );
    assert_snapshot!(lines(&script), @r"
    2:29: a stage has no `spwan_rate`; hint: did you mean `spawn_rate`?
    3:6: a stage has no `run_time`; hint: write `duration`
    3:20: a stage has no `target`; hint: write `users`
    4:4: a shape has no `name`; hint: a shape takes stages, tick, state
    5:7: there is no ready-made shape `stpes`; hint: did you mean `steps`?
    6:19: the shape `steps` has no `step_user`; hint: did you mean `step_users`?
    ");
}

#[test]
fn what_is_right_is_not_judged() {
    let script = format!(
        "let stages = [#{{ end: 1, users: #{{ A: 1 }} }}];\nshape(#{{ stages: stages }});\n\
         shape(|run_time| {{ if user_count() > 5 {{ return (); }} [5, 1.5] }});\n{CLASS}"
    );
    assert_snapshot!(lines(&script), @"");
}

#[test]
fn the_memory_of_a_shape() {
    let found = |shape: &str| {
        lines(&format!(
            "{shape} user(\"U\", #{{ t: task(|| this.client.get(\"/\")) }});"
        ))
    };
    assert_snapshot!(found("shape(#{ state: #{ step: 0 }, tick: |t| { this.step += 1; this.last = t; this.last + this.step } });"), @"");
    assert_snapshot!(found("shape(#{ state: #{ step: 0 }, tick: |t| { this.stpe += 1; this.other } });"), @r#"
    1:48: nothing sets `this.stpe`; hint: did you mean `this.step`?
    1:64: nothing sets `this.other`; hint: set it at first: `shape(#{ state: #{ other: … }, tick: |run_time| … })`
    "#);
    assert_snapshot!(found("shape(|t| { this.step += 1; this.client.get(\"/\"); });"), @r#"
    1:18: nothing sets `this.step`; hint: set it at first: `shape(#{ state: #{ step: … }, tick: |run_time| … })`
    1:34: nothing sets `this.client`; hint: a shape has no user: `this` is what it remembers, its `state`
    "#);
    assert_snapshot!(found("shape(#{ state: #{ step: 0 }, tick: |t| { this = #{ step: 1 }; this.clear(); 1 } });"), @"");
    assert_snapshot!(found("let s = #{ a: 1 }; shape(#{ state: s, tick: |t| this.a });"), @"");
    assert_snapshot!(found("shape(#{ state: #{}, tik: |t| 1 });"), @"1:22: a shape has no `tik`; hint: did you mean `tick`?");
}
