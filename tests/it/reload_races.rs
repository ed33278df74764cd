//! Edits that meet something else under way: another edit, a ramp, a shape, the end of a user.
//!
//! What an edit does by itself is tested in `reload`.

use crate::peer::Raw;
use crate::reload::{class, started};
use crate::tool::Tool;

#[test]
fn an_edit_during_another_waits_for_who_is_behind_that() {
    let (server, release) = Raw::holding();
    // The others compute without a pause, so that a thread takes its time to hear of an edit.
    let script = |word: &str, request: &str, more: &str| {
        let compute = "let n = 0; while n < 4_000 { n += 1; }";
        let task =
            format!("if vu_id() == 0 {{ print(\"{word}\"); {request} }} else {{ {compute} }}");
        format!("{more} user(\"U\", #{{ t: task(|| {{ {task} }}) }});")
    };
    let get = "this.client.get(\"/hold\"); print(\"let go\");";
    let mut run = Tool::running(&script("first", get, ""))
        .on(&server)
        .args("--threads 2 -u 60 -r 1000")
        .start();
    run.says_each(&[": first\n", "all users spawned"]);
    // Each thread computes for a while, one after the other: meanwhile comes the next edit.
    let slow = "print(\"read\"); let n = 0; while n < 50_000 { n += 1; }";
    run.reload(&script("second", "sleep(0.01)", slow));
    run.prints("read");
    run.reload(&script("third", "sleep(0.01)", ""));
    run.in_service(2);
    run.says("the edited script waits: ");
    release.send(()).unwrap();
    run.prints("let go");
    run.in_service(3);
    run.prints("third");
    run.interrupt();
    run.finish().code(0);
}

#[test]
fn a_thread_that_has_its_users_does_not_count_twice() {
    // Four users at two a second on four threads: the first has its own, and says so once, not
    // after each edit again.
    let script = |word: &str| {
        class(&format!(
            "on_start: || print(\"start\", vu_id()), t: task(|| print(\"{word}\"))"
        ))
    };
    let mut run = started(&script("one"), "--threads 4 -u 4 -r 2");
    run.prints("start 0");
    run.reload(&script("two"));
    run.in_service(2);
    run.reload(&script("three"));
    run.in_service(3);
    run.says("all users spawned: 4");
    run.interrupt();
    let run = run.finish().code(0);
    let of = |text: &str| run.stderr.find(text);
    let (third, told) = (of(": start 2\n"), of("all users spawned"));
    assert!(third.is_some() && third < told, "{}", run.stderr);
}

#[test]
fn a_closure_s_shape_goes_on_to_where_it_was_going() {
    let script = |time: u32| {
        format!(
            "options(#{{ run_time: {time} }}); shape(|t| [12, 8]); {}",
            class("on_start: || print(\"start\", vu_id()), t: task(|| 0)")
        )
    };
    let mut run = started(&script(500), "");
    run.prints("start 0");
    run.reload(&script(600));
    run.in_service(2);
    run.prints("start 11");
    run.interrupt();
    run.finish().code(0);
}

/// A user of the class `Old` that asks once and then does this, and one of `New` in its place;
/// beside it one of a class that is kept, who says when the thread has called its users.
fn replaced(then: &str) -> [String; 2] {
    let kept =
        "user(\"Kept\", #{ on_reload: || print(\"called\"), wait_time: 50, t: task(|| 0) });";
    let new = "on_start: || print(\"start New\"), wait_time: 50, t: task(|| 0)";
    [
        format!(
            "user(\"Old\", #{{ t: task(|| {{
                print(\"asks\"); this.client.get(\"/hold\"); {then} }}) }}); {kept}"
        ),
        format!("user(\"New\", #{{ {new} }}); {kept}"),
    ]
}

#[test]
fn who_ends_by_itself_before_it_makes_room_leaves_its_place_too() {
    let (server, release) = Raw::holding();
    let [old, new] = replaced("print(\"let go\"); stop_user()");
    let mut run = Tool::running(&old)
        .on(&server)
        .args("--threads 1 -u 2 -r 1000")
        .start();
    run.says("all users spawned");
    run.reload(&new);
    run.prints("called");
    release.send(()).unwrap();
    run.prints("let go");
    run.prints("start New");
    run.interrupt();
    run.finish().code(0);
}

#[test]
fn nobody_takes_a_place_when_the_iterations_are_used_up() {
    let (server, release) = Raw::holding();
    let [old, new] = replaced("print(\"let go\")");
    let mut run = Tool::running(&old)
        .on(&server)
        .args("--threads 1 -u 2 -r 1000 -i 2")
        .start();
    run.says_each(&[": asks\n", "all users spawned"]);
    run.reload(&new);
    // Its thread has called its users by then. The kept one may have ended: there is no iteration
    // left for it.
    run.in_service(2);
    release.send(()).unwrap();
    run.prints("let go");
    let run = run.finish().code(0);
    assert!(!run.stderr.contains("start New"), "{}", run.stderr);
}
