//! Edits that meet the end of a run, places that nobody could take, and a shape with memory.
//!
//! What an edit does by itself is tested in `reload`.

use crate::peer::Raw;
use crate::reload::started;
use crate::tool::Tool;

#[test]
fn who_is_told_to_stop_in_its_on_reload_begins_no_iteration() {
    let (holding, release) = Raw::holding();
    // One goes from iteration to iteration; the other one waits, and says when their thread has
    // told both to stop.
    let script = |hook: &str, word: &str| {
        format!(
            "user(\"U\", #{{ wait_time: || if vu_id() == 0 {{ 0 }} else {{ 50 }}, {hook}
                on_stop: || print(`stop ${{vu_id()}}`),
                t: task(|| {{ print(`{word} ${{vu_id()}}`); sleep(0.01); }}) }});"
        )
    };
    let mut run = Tool::running(&script("", "old"))
        .on(&holding)
        .args("--threads 1 -u 2 -r 1000 --stop-timeout 60")
        .start();
    run.prints("old 1");
    let hook = "on_reload: || if vu_id() == 0 {
        print(\"called\"); this.client.get(\"/hold\"); print(\"let go\");
    },";
    run.reload(&script(hook, "new"));
    run.prints("called");
    run.interrupt();
    run.prints("stop 1");
    release.send(()).unwrap();
    let run = run.finish().code(0);
    let printed = run.printed();
    assert!(printed.ends_with(&["let go", "stop 0"]), "{printed:?}");
}

#[test]
fn places_that_nobody_could_take_are_taken_when_an_edit_has_users_for_them() {
    let script = |count: u32| {
        format!(
            "user(\"U\", #{{ fixed_count: {count}, wait_time: 50,
                on_start: || print(\"start\", vu_id()), on_stop: || print(\"stop\", vu_id()),
                t: task(|| 0) }});"
        )
    };
    let mut run = started(&script(1), "--threads 2 -u 4 -r 1000");
    run.says("all users spawned");
    run.reload(&script(3));
    run.in_service(2);
    run.says(": start ");
    run.says(": start ");
    // And those of users that made place for nobody.
    run.reload(&script(1));
    run.in_service(3);
    run.says(": stop ");
    run.says(": stop ");
    run.reload(&script(4));
    run.in_service(4);
    for _ in 0..3 {
        run.says(": start ");
    }
    run.interrupt();
    let run = run.finish().code(0);
    assert_eq!(run.document().count("/users/peak"), 4);
}

#[test]
fn a_shape_s_closure_keeps_its_memory_when_a_class_is_added() {
    let script = |word: &str, more: &str| {
        format!(
            "shape(#{{ state: #{{ asked: 0 }}, tick: |t| {{
                this.asked += 1; print(`{word} ${{this.asked}}`); [2, 100]
            }} }});
            let base = #{{ wait_time: 50, on_start: || print(\"start\", vu_class()), t: task(|| 0) }};
            user(\"U\", base); {more}"
        )
    };
    let mut run = started(&script("old", ""), "");
    run.says(": old 2\n");
    run.reload(&script("new", "user(\"A\", base);"));
    run.in_service(2);
    run.says(": start A\n");
    let asked = run.says(": new ");
    assert!(!asked.ends_with(": new 1\n"), "{asked}");
    run.interrupt();
    run.finish().code(0);
}

#[test]
fn rows_appended_come_after_the_last_one_taken_also_in_a_later_round() {
    let (server, release) = Raw::holding();
    let task = "print(names.next()); this.client.get(\"/hold\");";
    let script =
        format!("let names = lines(\"names.txt\"); user(\"U\", #{{ t: task(|| {{ {task} }}) }});");
    let mut run = Tool::running(&script)
        .file("names.txt", "ann\nbob\n")
        .on(&server)
        .start();
    run.prints("ann");
    for name in ["bob", "ann"] {
        release.send(()).unwrap();
        run.prints(name);
    }
    run.edit("names.txt", "ann\nbob\ncleo\ndora\nemil\n");
    run.hang_up();
    run.in_service(2);
    for name in ["bob", "cleo", "dora", "emil", "ann"] {
        release.send(()).unwrap();
        run.prints(name);
    }
    run.interrupt();
    run.finish().code(0);
}
