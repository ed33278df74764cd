//! What is said of the maps of a shape, each at its own place.
//! What shapes come to is tested with the load.

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
    4:4: a shape has no `name`; hint: a shape takes stages
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
