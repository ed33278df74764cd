//! Edits that meet ends: of the run, of users, of places that nobody could take.
//!
//! What an edit does by itself is tested in `reload`.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::peer::Raw;
use crate::tool::Tool;

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
