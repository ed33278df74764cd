//! `append` and `stats` through the built binary: files whole, figures of the run itself.
//!
//! The functions' own rules are tested where they are.

use std::collections::BTreeSet;

use crate::peer::Shop;
use crate::tool::Tool;

#[test]
fn lines_of_all_threads_are_whole_and_written_at_the_end() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{ t: task(|| {
            append("ids.txt", `${vu_id()}:${vu_iteration()}:` + "x".repeated(200));
            append("rows.jsonl", #{ id: vu_id(), n: vu_iteration() });
            if vu_iteration() == 50 { stop_user(); }
        }) });
        fn repeated(times) { let all = ""; for i in 0..times { all += this; } all }"#;
    let run = Tool::running(script)
        .args("-u 16 -r 1600 --threads 16")
        .on(&shop)
        .run()
        .code(0);
    let text = std::fs::read_to_string(run.path("ids.txt")).unwrap();
    let tail = format!(":{}", "x".repeat(200));
    let ids: BTreeSet<_> = text
        .lines()
        .map(|line| line.strip_suffix(&tail).unwrap())
        .collect();
    assert_eq!((ids.len(), text.lines().count()), (800, 800));
    let text = std::fs::read_to_string(run.path("rows.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 800);
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(row["n"].as_u64().unwrap() <= 50);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_exception_or_said_at_the_end() {
    let shop = Shop::open();
    let script = r#"user("U", #{ t: task(|| {
        try { append("no/such.txt", "x"); } catch (why) { print(why); }
        append("/dev/full", "x");
    }) });"#;
    let run = Tool::running(script)
        .args("-i 1")
        .on(&shop)
        .run()
        .says(&["cannot append to `/dev/full`: "]);
    assert_ne!(run.code, Some(0));
    assert_eq!(
        run.printed(),
        ["cannot append to `no/such.txt`: No such file or directory (os error 2)"]
    );
}

#[test]
fn a_script_may_stop_the_run_by_its_figures() {
    let shop = Shop::open();
    let script = r#"user("U", #{ wait_time: 0.01, t: task(|| {
        this.client.get("/status/500", #{ name: "broken" });
        let all = stats();
        if all.requests > 0 {
            let one = stats("broken");
            let same = stats("GET broken") == one && stats("POST broken") == ();
            print(all.fail_ratio, one.requests == all.requests, same, one.p95_ms > 0.0);
            stop_test("enough");
        }
    }) });"#;
    let run = Tool::running(script).on(&shop).run().code(1);
    assert_eq!(run.printed(), ["1.0 true true true"]);
}
