//! Data that all users share, through the built binary: many load threads, one position.
//!
//! Who got which row is read from the report: each row is a request with a name of its own. What
//! is wrong with a file is tested by what a person sees.

use std::fmt::Write as _;

use crate::peer::Shop;
use crate::tool::{Finished, Tool};

/// A file with the columns `id` (1 to `rows`) and `name`.
fn accounts(rows: usize) -> String {
    let mut text = "id,name\n".to_owned();
    for id in 1..=rows {
        writeln!(text, "{id},user {id}").unwrap();
    }
    text
}

/// How often each of `rows` ids was requested.
fn taken(run: &Finished, rows: usize) -> Vec<u64> {
    let document = run.document();
    let count = |id: usize| document.row(&format!("row {id}")).0;
    (1..=rows).map(count).collect()
}

/// A script whose task takes a row of `source` and requests it by its id.
fn takes(source: &str) -> String {
    format!(
        r#"let accounts = {source};
        user("U", #{{ t: task(|| {{
            let row = accounts.next();
            this.client.get("/hello", #{{ name: `row ${{row.id}}` }});
        }}) }});"#
    )
}

#[test]
fn unique_rows_go_to_one_user_each_and_their_end_is_the_end_of_the_run() {
    let shop = Shop::open();
    let run = Tool::running(&takes(r#"csv("accounts.csv", #{ mode: "unique" })"#))
        .file("accounts.csv", accounts(400))
        .args("-u 40 -r 4000 --threads 16")
        .on(&shop)
        .run()
        .code(0);
    assert_eq!(taken(&run, 400), [1; 400]);
    assert_eq!(shop.count("/hello"), 400);
}

#[test]
fn try_next_tells_the_end_instead() {
    let shop = Shop::open();
    let script = r#"
        let accounts = csv("accounts.csv", #{ mode: "unique" });
        user("U", #{ t: task(|| {
            let row = accounts.try_next();
            if row == () { stop_test("none left"); }
            this.client.get("/hello", #{ name: `row ${row.id}` });
        }) });"#;
    let run = Tool::running(script)
        .file("accounts.csv", accounts(50))
        .args("--threads 2")
        .on(&shop)
        .run()
        .code(0);
    assert_eq!(taken(&run, 50), [1; 50]);
}

#[test]
fn circular_rows_have_one_position_for_all_threads() {
    let shop = Shop::open();
    let run = Tool::running(&takes(r#"csv("accounts.csv")"#))
        .file("accounts.csv", accounts(10))
        .args("-u 32 -r 3200 --threads 16 -i 320")
        .on(&shop)
        .run()
        .code(0);
    assert_eq!(taken(&run, 10), [32; 10]);
}

#[test]
fn a_shuffle_has_each_row_once_a_round() {
    let shop = Shop::open();
    let run = Tool::running(&takes(r#"csv("accounts.csv", #{ mode: "shuffle" })"#))
        .file("accounts.csv", accounts(100))
        .args("-u 16 -r 1600 --threads 16 -i 300")
        .on(&shop)
        .run()
        .code(0);
    assert_eq!(taken(&run, 100), [3; 100]);
}

#[test]
fn random_rows_follow_the_seed_of_each_user() {
    let shop = Shop::open();
    let run = |threads: &str| {
        let script = r#"
            let accounts = csv("accounts.csv", #{ mode: "random" });
            user("U", #{ t: task(|| {
                let row = if random() < 0.5 { accounts.next() } else { accounts.random() };
                this.client.get("/hello", #{ name: `row ${row.id}` });
                if vu_iteration() == 50 { stop_user(); }
            }) });"#;
        let run = Tool::running(script)
            .file("accounts.csv", accounts(8))
            .args("-u 4 -r 400 --seed 7 --threads")
            .arg(threads)
            .on(&shop)
            .run()
            .code(0);
        taken(&run, 8)
    };
    let (one, many) = (run("1"), run("4"));
    assert_eq!(one, many, "a user draws the same wherever it runs");
    assert_eq!(one.iter().sum::<u64>(), 200);
    assert!(one.iter().all(|count| *count > 8), "{one:?}: of 25 each");
}

#[test]
fn two_sources_of_one_file_have_a_position_each() {
    let shop = Shop::open();
    let script = r#"
        let first = csv("accounts.csv", #{ mode: "unique" });
        let second = csv("accounts.csv", #{ mode: "unique" });
        user("U", #{ t: task(|| {
            let rows = [first.next(), second.next()];
            for row in rows { this.client.get("/hello", #{ name: `row ${row.id}` }); }
        }) });"#;
    let run = Tool::running(script)
        .file("accounts.csv", accounts(20))
        .args("--threads 2")
        .on(&shop)
        .run()
        .code(0);
    assert_eq!(taken(&run, 20), [2; 20]);
}

#[test]
fn json_lines_and_arrays_of_the_script_are_shared_alike() {
    let shop = Shop::open();
    let script = r#"
        let objects = json_file("objects.json", #{ mode: "unique" });
        let events = json_file("events.jsonl", #{ mode: "unique" });
        let words = lines("words.txt", #{ mode: "unique" });
        let own = rows([#{ id: 1 }, #{ id: 2 }, #{ id: 3 }], #{ mode: "unique" });
        user("U", #{ t: task(|| {
            let name = `${objects.next().a.b} ${events.next()} ${words.next()} ${own.next().id}`;
            this.client.get("/hello", #{ name });
        }) });"#
        .replace("{ name }", "{ name: name }");
    let run = Tool::running(&script)
        .file(
            "objects.json",
            r#"[{"a": {"b": 1}}, {"a": {"b": [2.5, null]}}, {"a": {"b": "x"}}]"#,
        )
        .file("events.jsonl", "1\n\n\"two\"\n3\n")
        .file("words.txt", "\u{feff}ein\r\n\r\nzwei\r\ndrei")
        .args("--threads 4")
        .on(&shop)
        .run()
        .code(0);
    let document = run.document();
    for name in ["1 1 ein 1", "[2.5, ()] two zwei 2", "x 3 drei 3"] {
        assert_eq!(document.row(name), (1, 0), "{name}: {}", document.0);
    }
}

#[test]
fn a_user_may_keep_a_source_and_the_top_level_may_read_it() {
    let shop = Shop::open();
    let script = r#"
        let accounts = csv("accounts.csv");
        let names = accounts.column("name");
        let total = 0;
        for row in accounts { total += row.id; }
        const LAST = accounts[accounts.len - 1].name;
        user("U", #{
            state: #{ mine: accounts },
            t: task(|| {
                let ids = this.mine.to_array().map(|row| row.id);
                print(names[2], total, global::LAST, ids, this.mine.len(), this.mine.next().id);
            }),
        });"#;
    let run = Tool::running(script)
        .file("accounts.csv", accounts(4))
        .args("-i 2 --threads 2 -u 2 -r 100")
        .on(&shop)
        .run()
        .code(0);
    let mut printed = run.printed();
    printed.sort_unstable();
    assert_eq!(
        printed,
        [
            "user 3 10 user 4 [1, 2, 3, 4] 4 1",
            "user 3 10 user 4 [1, 2, 3, 4] 4 2"
        ]
    );
}

#[test]
fn what_is_wrong_with_files_is_shown_at_their_calls_all_at_once() {
    let script = r#"let order = "uniqe";
let a = csv("acounts.csv");
let b = csv("ragged.csv");
let c = csv("accounts.csv", #{ mode: order });
let d = json_file("broken.json");
let e = lines("latin1.txt");
let f = csv("accounts.csv").next();
let g = rows([]);
let h = a[0].name;
user("U", #{ t: task(|| { [a, b, c, d, e, f, g, h]; }) });
"#;
    let folder = Tool::new()
        .file("script.rhai", script)
        .file("accounts.csv", accounts(3))
        .file("ragged.csv", "id,name\n1,x\n2\n")
        .file("broken.json", "[1,\n 2,,]")
        .file("latin1.txt", b"ok\ncaf\xe9\n");
    let checked = folder.args("check script.rhai").run().code(2);
    let said = [
        "`acounts.csv`: there is no such file in `",
        "did you mean `accounts.csv`?",
        "`ragged.csv`: row 2 (line 3) has 1 value, but there are 2 columns",
        "unknown mode `uniqe`",
        "did you mean `unique`?",
        "`broken.json`: line 2, column 4 is not JSON: expected value",
        "`latin1.txt`: line 2 is not UTF-8 text: its byte 4 is 0xe9",
        "`next` at the top level, where there is no user to take a row",
        "the array is empty",
    ];
    let checked = checked.says(&said);
    for (line, column) in [(2, 9), (3, 9), (4, 9), (5, 9), (6, 9), (7, 29), (8, 9)] {
        let place = format!("--> script.rhai:{line}:{column}\n");
        assert!(checked.stderr.contains(&place), "{place}{}", checked.stderr);
    }
    assert_eq!(
        checked.stderr.matches("error:").count(),
        7,
        "{}",
        checked.stderr
    );
}

#[test]
fn mistakes_in_tasks_are_exceptions_with_their_reason() {
    let shop = Shop::open();
    let script = r#"
        let accounts = csv("accounts.csv");
        user("U", #{ t: task(|| {
            try { accounts[3]; } catch (why) { print(why); }
            try { accounts[-1]; } catch (why) { print(why); }
            try { accounts.column("nmae"); } catch (why) { print(why); }
            accounts[99];
        }) });"#;
    let run = Tool::running(script)
        .file("accounts.csv", accounts(3))
        .args("-i 1")
        .on(&shop)
        .run()
        .code(1);
    assert_eq!(
        run.printed(),
        [
            "there is no row 3: they are numbered from 0 to 2",
            "there is no row -1: they are numbered from 0 to 2",
            "there is no column `nmae`: there are `id`, `name`",
        ]
    );
    let exceptions = run.document().exceptions();
    assert_eq!(exceptions.len(), 1);
    assert_eq!(
        exceptions[0].0,
        "there is no row 99: they are numbered from 0 to 2"
    );
}
