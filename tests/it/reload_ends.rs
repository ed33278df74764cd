//! Edits that meet ends: of the run, of users, of places that nobody could take.
//!
//! What an edit does by itself is tested in `reload`.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::peer::Raw;
use crate::tool::{Running, Tool};

fn in_service(run: &mut Running, generation: u16) {
    run.says(&format!("in service: generation {generation} "));
}

fn started(script: &str, args: &str) -> Running {
    Tool::running(script)
        .args("-H http://127.0.0.1:1")
        .args(args)
        .start()
}

#[test]
fn who_is_told_to_stop_in_its_on_reload_begins_no_iteration() {
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let holding = Raw::serving(move |stream, _| {
        let _ = held.lock().unwrap().recv();
        let _ = std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    let script = |more: &str, word: &str| {
        format!("user(\"U\", #{{ {more} t: task(|| {{ print(\"{word}\"); sleep(0.01); }}) }});")
    };
    let mut run = Tool::running(&script("", "old"))
        .on(&holding)
        .args("-u 1 --stop-timeout 60")
        .start();
    run.prints("old");
    let hook =
        "on_reload: || { print(\"called\"); this.client.get(\"/hold\"); print(\"let go\"); },";
    run.reload(&script(hook, "new"));
    run.prints("called");
    run.interrupt();
    run.says("interrupted: stopping");
    release.send(()).unwrap();
    let run = run.finish().code(0);
    let printed = run.printed();
    assert_eq!(printed.last(), Some(&"let go"), "{printed:?}");
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
    in_service(&mut run, 2);
    run.says(": start ");
    run.says(": start ");
    // And those of users that made place for nobody.
    run.reload(&script(1));
    in_service(&mut run, 3);
    run.says(": stop ");
    run.says(": stop ");
    run.reload(&script(4));
    in_service(&mut run, 4);
    for _ in 0..3 {
        run.says(": start ");
    }
    run.interrupt();
    let run = run.finish().code(0);
    assert_eq!(run.document().count("/users/peak"), 4);
}
