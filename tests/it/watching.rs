//! Saves that are noticed by themselves: the script, what it imports, its data.
//!
//! The ways in which editors save are tested where files are watched.

use std::fs;

use crate::peer::Shop;
use crate::tool::{Running, Tool};

fn script(word: &str) -> String {
    format!("user(\"U\", #{{ wait_time: 0.02, t: task(|| print(\"{word}\")) }});")
}

/// A run whose script is watched; nobody listens where requests would go.
fn watched(tool: Tool) -> Running {
    tool.args("-u 1 -H http://127.0.0.1:1 --watch").start()
}

/// Saves as most editors do: another file takes the place of the old one.
fn replace(run: &Running, name: &str, content: &str) {
    run.edit("new", content);
    fs::rename(run.path("new"), run.path(name)).unwrap();
}

#[test]
fn saves_are_noticed_in_place_by_rename_and_by_looking() {
    for how in ["--watch", "--watch-poll"] {
        let tool = Tool::running(&script("one")).args("-u 1 -H http://127.0.0.1:1");
        let mut run = tool.arg(how).start();
        run.prints("one");
        run.edit("script.rhai", &script("two"));
        run.in_service(2);
        run.prints("two");
        replace(&run, "script.rhai", &script("three"));
        run.in_service(3);
        run.prints("three");
        fs::remove_file(run.path("script.rhai")).unwrap();
        run.says("there is no such file");
        run.edit("script.rhai", &script("four"));
        run.in_service(4);
        run.prints("four");
        run.interrupt();
        run.finish().code(0);
    }
}

#[test]
fn imports_are_watched_even_while_they_are_missing() {
    let main =
        "import \"lib\" as lib; user(\"U\", #{ wait_time: 0.02, t: task(|| print(lib::word())) });";
    let lib = |word: &str| format!("fn word() {{ \"{word}\" }}");
    let mut run = watched(Tool::running(main).file("lib.rhai", lib("one")));
    run.prints("one");
    replace(&run, "lib.rhai", &lib("two"));
    run.in_service(2);
    run.prints("two");
    fs::remove_file(run.path("lib.rhai")).unwrap();
    run.says("cannot import `lib.rhai`");
    run.says("has mistakes: the one that runs goes on");
    run.prints("two");
    run.edit("lib.rhai", &lib("three"));
    run.says("the script is mended");
    run.in_service(3);
    run.prints("three");
    // One that the script did not have before.
    run.edit("other.rhai", &lib("four"));
    run.edit("script.rhai", &main.replace("\"lib\"", "\"other\""));
    run.in_service(4);
    run.prints("four");
    run.edit("other.rhai", &lib("five"));
    run.in_service(5);
    run.prints("five");
    run.interrupt();
    run.finish().code(0);
}

#[test]
fn rows_that_are_appended_come_next_and_others_from_the_first() {
    let main = "let data = csv(\"data.csv\", #{ mode: \"unique\" });
        user(\"U\", #{ wait_time: 0.02, t: task(|| {
            let row = data.try_next();
            if row != () { print(row.id); }
        }) });";
    for threads in [1, 3] {
        let tool = Tool::running(main).file("data.csv", "id\na\nb\n");
        let tool = tool.args(&format!("--threads {threads}"));
        let mut run = watched(tool);
        run.prints("a");
        run.prints("b");
        run.edit("data.csv", "id\na\nb\nc\nd\n");
        run.in_service(2);
        run.prints("c");
        run.prints("d");
        replace(&run, "data.csv", "id\nx\nd\n");
        run.says("`data.csv` has other rows: they are taken from the first");
        run.in_service(3);
        run.prints("x");
        run.prints("d");
        replace(&run, "data.csv", "id\nx,1\n");
        run.says("has mistakes");
        run.edit("data.csv", "id\nx\nd\ne\n");
        run.says("the script is mended");
        run.prints("e");
        run.interrupt();
        let run = run.finish().code(0);
        assert_eq!(run.printed(), ["a", "b", "c", "d", "x", "d", "e"]);
    }
}

#[test]
fn nobody_watches_in_a_pipeline_or_if_told_not_to() {
    for args in ["", "--no-watch"] {
        let tool = Tool::running(&script("one")).args("-H http://127.0.0.1:1 -i 40");
        let mut run = tool.args(args).start();
        run.prints("one");
        run.edit("script.rhai", &script("two"));
        // Forty iterations take 0.8 s: a save is in service after 0.1.
        let run = run.finish().code(0);
        assert!(!run.stderr.contains("generation"), "{args}: {}", run.stderr);
        assert!(!run.printed().contains(&"two"));
    }
    let run = Tool::running(&script("one"))
        .args("--watch --no-watch")
        .run();
    run.code(2).says(&["--no-watch"]);
}

#[test]
fn no_request_is_lost_or_sent_twice() {
    let shop = Shop::open();
    let script = |n: u32| {
        format!(
            "// edit {n}\nuser(\"U\", #{{ state: #{{ n: 0 }}, wait_time: constant(0.001), t: task(|| {{
                this.client.get(\"/hello\");
                this.n += 1;
                if this.n % 20 == 0 && vu_id() == 0 {{ print(`edit {n}`); }}
            }}) }});"
        )
    };
    let mut run = Tool::running(&script(0))
        .on(&shop)
        .args("-u 20 -r 1000 --threads 2 --watch -s 5")
        .start();
    run.prints("edit 0");
    for n in 1..=8 {
        run.edit("script.rhai", &script(n));
        run.in_service(u16::try_from(n).unwrap() + 1);
        run.prints(&format!("edit {n}"));
    }
    run.interrupt();
    let document = run.finish().code(0).document();
    assert_eq!(document.row("/hello"), (shop.count("/hello"), 0));
    assert_eq!(document.count("/iterations/interrupted"), 0);
    let parts = document.0["by_generation"].as_array().unwrap();
    let requests = parts
        .iter()
        .map(|part| part["total"]["requests"].as_u64().unwrap());
    assert_eq!(requests.sum::<u64>(), shop.count("/hello"));
}
