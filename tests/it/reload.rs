//! An edited script while the load runs: what changes how, and what is kept.
//!
//! Each edit is told by a signal, so that a test knows which one it sees; that saves are noticed
//! by themselves is tested with the files. What a user keeps is tested in `script`.

use crate::peer::{Peer, Raw, Shop};
use crate::tool::{Running, Tool};

/// A class `U` with these attributes; nobody listens where requests would go.
pub(crate) fn class(attributes: &str) -> String {
    format!("user(\"U\", #{{ wait_time: 0.05, {attributes} }});")
}

/// A run of that script, whose requests nobody answers.
pub(crate) fn started(script: &str, args: &str) -> Running {
    Tool::running(script)
        .args("-H http://127.0.0.1:1")
        .args(args)
        .start()
}

#[test]
fn tasks_methods_weights_and_waits_hold_from_the_next_iteration() {
    let old = class("said: || \"old\", t: task(|| print(this.said()))");
    let mut run = started(&old, "--threads 2 -u 2 -r 100");
    run.prints("old");
    run.reload(&class("said: || \"new\", t: task(|| print(this.said()))"));
    run.in_service(2);
    run.prints("new");
    run.reload(&class(
        "t: task(0, || print(\"first\")), u: task(|| print(\"second\"))",
    ));
    run.in_service(3);
    run.prints("second");
    // From the end of the iteration that is in its wait, of 0.05 s, this one waits.
    run.reload("user(\"U\", #{ wait_time: || { print(\"waits\"); 100 }, t: task(|| 0) });");
    run.in_service(4);
    run.prints("waits");
    // Who waits renews too: nobody keeps the edit from the next one.
    run.reload(&class("on_reload: || print(\"woken\"), t: task(|| 0)"));
    run.in_service(5);
    run.prints("woken");
    run.reload(&class("on_reload: || print(\"once more\"), t: task(|| 0)"));
    run.in_service(6);
    run.prints("once more");
    run.interrupt();
    let document = run.finish().code(0).document();
    assert_eq!(document.count("/iterations/interrupted"), 0);
}

#[test]
fn on_start_does_not_run_again_and_on_reload_may_fail() {
    let hooks = |more: &str| {
        class(&format!(
            "state: #{{ n: 0 }}, on_start: || {{ print(\"start\"); this.n = 1; }}, {more} \
             t: task(|| {{ this.n += 1; }})"
        ))
    };
    let mut run = started(&hooks(""), "-u 1");
    run.prints("start");
    run.reload(&hooks(
        "on_reload: || { print(`reload ${this.n > 0}`); throw \"no\"; },",
    ));
    run.in_service(2);
    run.prints("reload true");
    run.reload(&hooks("on_reload: || { print(\"again\"); stop_user(); },"));
    run.prints("again");
    // The only user has stopped itself, and so the run ends.
    let run = run.finish().code(1);
    assert_eq!(
        run.printed()
            .iter()
            .filter(|line| **line == "start")
            .count(),
        1
    );
    let exceptions = run.document().exceptions();
    assert_eq!(exceptions.len(), 1);
    assert_eq!((exceptions[0].0.as_str(), exceptions[0].2), ("no", 1));
}

#[test]
fn a_script_with_mistakes_changes_nothing_and_the_next_good_one_is_taken() {
    let good = |text: &str| class(&format!("t: task(|| print(\"{text}\"))"));
    let mut run = started(&good("one"), "-u 1");
    run.prints("one");
    for (broken, said) in [
        ("user(\"U\", #{ t: task(|| { let }) });", "expecting name"),
        ("", "the script declares no user class"),
        ("user(\"U\", #{", "expected `}`"),
        (
            "import \"gone\" as g; user(\"U\", #{ t: task(|| 0) });",
            "gone.rhai",
        ),
        (
            "user(\"U\", #{ t: task(|| 0), wiat: 3 });",
            "unknown attribute `wiat`",
        ),
        ("throw \"top\"; user(\"U\", #{ t: task(|| 0) });", "top"),
        (
            "user(\"U\", #{ t: task(|| 0) }); csv(\"none.csv\");",
            "none.csv",
        ),
    ] {
        run.reload(broken);
        let line = run.says(said);
        run.says("the edited script has mistakes: the one that runs goes on");
        assert!(!line.contains("panicked"), "{line}");
        run.prints("one");
    }
    std::fs::remove_file(run.path("script.rhai")).unwrap();
    run.hang_up();
    run.says("there is no such file");
    run.prints("one");
    // As it was before: nothing is to be done.
    run.reload(&good("one"));
    run.says("the script is again as it runs");
    run.hang_up();
    run.says("the script has not changed");
    run.reload("user(\"U\", #{ t: task(|| 0), wiat: 3 });");
    run.says("goes on");
    run.reload(&good("two"));
    run.says("the script is mended");
    run.in_service(2);
    run.prints("two");
    run.interrupt();
    run.finish().code(0);
}

#[test]
fn a_top_level_that_computes_for_long_is_not_taken() {
    let good = class("t: task(|| print(\"one\"))");
    let mut run = started(&good, "-u 1");
    run.prints("one");
    // Two seconds of this machine: more than the half that an edit may take, less than the ten at
    // which it is ended.
    let counting = |to: u128| format!("let n = 0; while n < {to} {{ n += 1; }} {good}");
    let checked = || {
        let tool = Tool::new().file("script.rhai", counting(500_000));
        tool.args("check script.rhai").run().code(0).took
    };
    let shortest = checked().min(checked()).min(checked());
    run.reload(&counting(500_000 * 2_000 / shortest.as_millis().max(1)));
    run.says("the top level of the script computes for ");
    run.says("the edited script has mistakes");
    run.reload(&format!("loop {{}} {good}"));
    run.prints("one");
    run.says("the top level of the script computed for more than 10 s");
    run.prints("one");
    run.reload(&class("t: task(|| print(\"two\"))"));
    run.in_service(2);
    run.prints("two");
    run.interrupt();
    run.finish().code(0);
}

#[test]
fn a_class_that_is_gone_runs_its_on_stop_and_its_places_are_taken() {
    let script = |name: &str, more: &str| {
        format!(
            "let base = #{{ wait_time: 50,
                on_start: || print(\"start\", vu_class(), vu_id()),
                on_stop: || print(\"stop\", vu_class(), vu_id()),
                t: task(|| 0) }};
            user(\"Kept\", base); user(\"{name}\", base); {more}"
        )
    };
    let mut run = started(&script("Old", ""), "--threads 2 -u 4 -r 100");
    run.says("all users spawned: 4");
    run.reload(&script("New", ""));
    run.in_service(2);
    for _ in 0..2 {
        run.says("start New");
    }
    run.interrupt();
    let run = run.finish().code(0);
    let count = |text: &str| {
        run.printed()
            .iter()
            .filter(|line| line.starts_with(text))
            .count()
    };
    assert_eq!(
        (count("start Kept"), count("stop Kept")),
        (2, 2),
        "{}",
        run.stderr
    );
    assert_eq!(
        (count("start Old"), count("stop Old")),
        (2, 2),
        "{}",
        run.stderr
    );
    assert_eq!(
        (count("start New"), count("stop New")),
        (2, 2),
        "{}",
        run.stderr
    );
    assert_eq!(run.document().count("/users/peak"), 4);
}

#[test]
fn a_new_class_gets_its_share_of_the_users_by_as_few_changes_as_possible() {
    let script = |more: &str| {
        format!(
            "let base = #{{ wait_time: 50, on_start: || print(\"start\", vu_class()),
                on_stop: || print(\"stop\", vu_class()), t: task(|| 0) }};
            user(\"A\", base); user(\"B\", base); {more}"
        )
    };
    let mut run = started(&script(""), "--threads 2 -u 12 -r 1000");
    run.says("all users spawned: 12");
    run.reload(&script("user(\"C\", base);"));
    run.in_service(2);
    for _ in 0..4 {
        run.says("start C");
    }
    run.reload(&script("user(\"C\", base + #{ fixed_count: 1 });"));
    run.in_service(3);
    for _ in 0..3 {
        run.says(": start ");
    }
    run.interrupt();
    let run = run.finish().code(0);
    let count = |text: &str| {
        run.printed()
            .iter()
            .filter(|line| line.starts_with(text))
            .count()
    };
    let started = ["start A", "start B", "start C"].map(count);
    assert_eq!(started[2], 4, "{}", run.stderr);
    // Six of each at first, then four; then eleven for two classes.
    assert_eq!(started[0] + started[1], 12 + 3, "{}", run.stderr);
    assert_eq!(run.document().count("/users/peak"), 12);
}

#[test]
fn the_host_holds_from_the_next_request_on_even_in_an_iteration() {
    let (one, other) = (Shop::open(), Shop::open());
    let script = |host: &str| {
        format!(
            "user(\"U\", #{{ host: \"{host}\", t: task(|| {{
                loop {{ print(this.client.get(\"/hello\").url); sleep(0.02); }}
            }}) }});"
        )
    };
    let mut run = Tool::running(&script(&one.url())).args("-u 1").start();
    run.prints(&format!("{}/hello", one.url()));
    run.reload(&script(&other.url()));
    run.in_service(2);
    run.prints(&format!("{}/hello", other.url()));
    run.interrupt();
    let document = run.finish().code(0).document();
    let counted = one.count("/hello") + other.count("/hello");
    let reported = document.row("/hello").0;
    assert!(reported <= counted && counted <= reported + document.count("/in_flight_at_stop"));
    assert_eq!(document.count("/iterations/started"), 1);
}

#[test]
fn a_person_s_own_words_hold_and_the_script_s_change() {
    let script = |users: u32| {
        format!(
            "options(#{{ users: {users}, spawn_rate: 100 }}); {}",
            class("t: task(|| 0)")
        )
    };
    let mut run = started(&script(2), "");
    run.says("all users spawned: 2");
    run.reload(&script(5));
    run.says("all users spawned: 5");
    run.reload(&script(1));
    run.says("down to 1 user");
    run.interrupt();
    run.finish().code(0);
    let mut run = started(&script(2), "-u 3");
    run.says("all users spawned: 3");
    run.reload(&script(9));
    run.in_service(2);
    run.interrupt();
    let document = run.finish().code(0).document();
    assert_eq!(document.count("/users/peak"), 3);
}

#[test]
fn a_shape_changes_from_where_it_is() {
    let stages = |users: u32, length: f64| {
        format!(
            "shape(#{{ stages: [#{{ duration: {length}, users: {users}, spawn_rate: 100 }}] }}); {}",
            class("t: task(|| 0)")
        )
    };
    let mut run = started(&stages(2, 1_000.0), "--threads 2");
    run.says("all users spawned: 2");
    run.reload(&stages(6, 1_000.0));
    run.says("all users spawned: 6");
    // One that is asked once a second, with numbers for each class, and one that ends the run.
    run.reload(&format!("shape(|t| [3, 100]); {}", class("t: task(|| 0)")));
    run.says("down to 3 users");
    run.reload(&format!(
        "shape(|t| [#{{ U: 4 }}, 100]); {}",
        class("t: task(|| 0)")
    ));
    // Who counted among all makes way for users of classes.
    run.in_service(4);
    run.says("all users spawned: 4");
    run.reload(&format!(
        "shape(|t| throw \"no plan\"); {}",
        class("t: task(|| 0)")
    ));
    run.says("the shape's closure failed at");
    run.reload(&stages(1, 0.001));
    run.says("the shape is over");
    run.finish().code(0);
}

#[test]
fn sets_are_left_by_their_own_on_stop_where_they_are_gone() {
    let script = |inner: &str| {
        format!(
            "user(\"U\", #{{ wait_time: 0.02, outer: task_set(#{{
                on_start: || print(\"in outer\"), on_stop: || print(\"out of outer\"),
                {inner} }}) }});"
        )
    };
    let named = |name: &str, word: &str| {
        script(&format!(
            "{name}: sequence(#{{ on_stop: || print(\"out of {name} {word}\"),
                a: task(|| print(\"{word} a\")), b: task(|| print(\"{word} b\")),
                c: task(|| print(\"{word} c\")) }}),"
        ))
    };
    let mut run = started(&named("inner", "old"), "-u 1");
    run.prints("old a");
    // The sequence goes on after the task that it was at, in the set of the same names.
    run.reload(&named("inner", "new"));
    run.in_service(2);
    run.says(": new ");
    run.reload(&named("other", "last"));
    run.in_service(3);
    run.prints("out of inner new");
    run.prints("last a");
    run.interrupt();
    let run = run.finish().code(0);
    let printed = run.printed();
    assert_eq!(
        printed.iter().filter(|line| **line == "in outer").count(),
        1
    );
    let old = printed
        .iter()
        .rposition(|line| line.starts_with("old "))
        .unwrap();
    let next = |word: &str| match word {
        "old a" => "new b",
        "old b" => "new c",
        _ => "new a",
    };
    assert_eq!(printed[old + 1], next(printed[old]), "{printed:?}");
}

#[test]
fn setup_s_result_is_kept_and_control_s_functions_are_the_new_ones() {
    let script = |word: &str| {
        format!(
            "let d = setup(|| {{ print(\"setup {word}\"); #{{ n: 7 }} }});
            teardown(|http, d| print(`teardown {word} ${{d.n}}`));
            on(\"reload\", || print(\"reload {word}\"));
            on(\"test_stop\", || print(\"stop {word}\"));
            {}",
            class(&format!("t: task(|| print(`{word} ${{d.n}}`))"))
        )
    };
    let mut run = started(&script("old"), "-u 1");
    run.prints("old 7");
    run.reload(&script("new"));
    run.prints("reload new");
    run.prints("new 7");
    run.interrupt();
    let run = run.finish().code(0);
    let printed = run.printed();
    for (word, times) in [
        ("setup old", 1),
        ("setup new", 0),
        ("reload old", 0),
        ("reload new", 1),
        ("stop old", 0),
        ("stop new", 1),
        ("teardown old 7", 0),
        ("teardown new 7", 1),
    ] {
        let count = printed.iter().filter(|line| **line == word).count();
        assert_eq!(count, times, "{word}: {printed:?}");
    }
    // A script that has none of them any more, and one that has none yet.
    let mut run = started(&class("t: task(|| print(\"plain\"))"), "-u 1");
    run.prints("plain");
    run.reload(&script("late"));
    run.says("this run began without a `setup`");
    run.prints("reload late");
    run.reload(&class("t: task(|| print(\"none\"))"));
    run.in_service(3);
    run.prints("none");
    run.interrupt();
    let run = run.finish();
    assert!(!run.stderr.contains("teardown"), "{}", run.stderr);
}

#[test]
fn an_edit_waits_for_users_in_the_script_before_the_last() {
    let (holding, release) = Raw::holding();
    let script = |word: &str, request: &str| {
        class(&format!(
            "t: task(|| {{ print(`{word} ${{vu_id()}}`); if vu_id() == 0 {{ {request} }} }})"
        ))
    };
    let mut run = Tool::running(&script(
        "first",
        "this.client.get(\"/hold\"); print(\"let go\");",
    ))
    .on(&holding)
    .args("-u 2 -r 100")
    .start();
    run.says_each(&["first 0\n", "first 1\n"]);
    run.reload(&script("second", ""));
    run.in_service(2);
    run.prints("second 1");
    run.reload(&script("third", ""));
    let waits = "the edited script waits: 1 user still in an iteration";
    run.says(waits);
    // The latest edit is the one that counts; it is told of when the run has it.
    run.reload(&script("fourth", ""));
    run.says(waits);
    release.send(()).unwrap();
    run.prints("let go");
    // The one that was held may do an iteration of the second before the fourth is in service.
    run.says_each(&[": fourth 0\n", ": fourth 1\n"]);
    run.interrupt();
    let run = run.finish().code(0);
    let printed = run.printed();
    assert!(
        !printed.iter().any(|line| line.starts_with("third")),
        "{printed:?}"
    );
    assert_eq!(holding.received(), 1);
}
