//! `katydid dev`: what a person sees who writes a script, on a terminal and without one.
//!
//! What each state looks like is tested where it is drawn; here it is that saves lead from one to
//! the next.

use crate::peer::Shop;
use crate::screen::Screen;
use crate::tool::{Running, Tool};

/// A class `U` whose only task does this.
fn task(body: &str) -> String {
    format!("user(\"U\", #{{\n    wait_time: 0.05,\n    t: task(|| {{ {body} }}),\n}});\n")
}

fn writing(script: &str, peer: &Shop) -> Tool {
    Tool::new()
        .file("script.rhai", script)
        .args("dev script.rhai")
        .on(peer)
}

/// Starts it on a terminal on which an iteration with a request fits.
fn on_terminal(script: &str, peer: &Shop) -> (Running, Screen) {
    let (columns, rows) = (80, 40);
    let (run, written) = writing(script, peer).start_on(columns, rows);
    (run, Screen::new(written, columns, rows))
}

#[test]
fn a_save_is_taken_up_and_what_is_wrong_with_one_stands_at_the_top() {
    let shop = Shop::open();
    let (run, mut screen) = on_terminal(&task("this.client.get(\"/hello\");"), &shop);
    let text = screen.shows("✓ GET /hello: success");
    assert!(text.starts_with("script.rhai · generation 1 ("), "{text}");
    assert!(text.contains(") · U · iteration "), "{text}");
    assert!(text.contains("\n  < HTTP/1.1 200 OK\n"), "{text}");
    screen.until("further iterations", |text| iteration(text) > 3);

    run.edit(
        "script.rhai",
        &task("this.client.get(\"/status/404\"); [1][2];"),
    );
    screen.until("the failure, and nothing of before", |text| {
        text.contains("✗ GET /status/404") && !text.contains("/hello")
    });
    let text = screen.until("the line of the mistake", |text| {
        text.starts_with("script.rhai · generation 2 (")
            && text.contains("earlier iterations")
            && text.contains("[1][2];")
            && text.contains("× script.rhai:3:54: ")
    });
    assert!(text.contains("[1][2];"), "{text}");
    assert!(text.contains("× script.rhai:3:54: array index 2"), "{text}");

    run.edit("script.rhai", &task("this.client.gett(\"/hello\");"));
    let text = screen.until("the mistake below its headline", |text| {
        text.contains("the saved script has mistakes")
            && text.contains("\nerror: a client has no `gett`")
            && iteration(text) > 0
    });
    let (top, rest) = text.split_once("\nerror: ").unwrap_or_default();
    assert!(
        top.contains("the last good one goes on, generation 2 ("),
        "{text}"
    );
    assert!(rest.starts_with("a client has no `gett`"), "{text}");
    let shown = iteration(&text);
    screen.until("another iteration", |text| iteration(text) > shown + 1);

    run.edit("script.rhai", &task("this.client.get(\"/hello\");"));
    // What is read may end within a frame: the whole of one is waited for.
    screen.until("that it is mended", |text| {
        text.starts_with("script.rhai · generation 3 (")
            && text.contains("\nmended\n")
            && text.contains("✓ GET /hello: success")
            && !text.contains("error")
    });

    run.interrupt();
    let text = screen.at_last();
    assert!(text.contains("✓ GET /hello: success"), "{text}");
    let summary = text.trim_end().lines().next_back().unwrap_or_default();
    assert!(
        summary.contains(" iterations, ") && summary.contains(" exceptions"),
        "{text}"
    );
    run.finish().code(0);
    assert!(shop.count("/hello") > 0);
}

/// The number of the iteration that is shown.
fn iteration(text: &str) -> u64 {
    let (_, rest) = text.split_once("iteration ").unwrap_or_default();
    let number = rest.split(' ').next().unwrap_or_default();
    number.parse().unwrap_or_default()
}

#[test]
fn what_a_shell_showed_and_what_does_not_fit_stay_in_the_scrollback() {
    let shop = Shop::open();
    let script = task("for n in 0..5 { this.client.get(`/bytes/${n}`); }");
    let (columns, rows) = (40, 12);
    let (run, written) = writing(&script, &shop).start_on(columns, rows);
    let mut screen = Screen::new(written, columns, rows);
    screen.until("the last row going on", |text| {
        text.contains("✓ GET /bytes/4") && iteration(text) > 5
    });
    run.interrupt();
    let text = screen.at_last();
    assert!(
        text.starts_with(&"\n".repeat(12)),
        "the shell's rows scroll: {text}"
    );
    // Once when it was new, and once to stay.
    assert_eq!(text.matches("✓ GET /bytes/0: success").count(), 2, "{text}");
    run.finish().code(0);
}

#[test]
fn without_a_terminal_iterations_are_appended_and_the_talk_is_on_stderr() {
    let shop = Shop::open();
    let mut run = writing(&task("this.client.get(\"/hello\");"), &shop).start();
    run.says(" · U · iteration 1 ──");
    run.says("✓ GET /hello: success");
    run.says(" · U · iteration 2 ──");
    run.edit("script.rhai", &task("this.client.gett(\"/hello\");"));
    run.says("a client has no `gett`");
    run.says("the saved script has mistakes: the last good one goes on, generation 1");
    run.edit("script.rhai", &task("print(\"new\");"));
    run.says("mended");
    run.says("generation 2");
    run.prints("new");
    run.interrupt();
    let run = run
        .finish()
        .code(0)
        .says(&["gett", "interrupted", " iterations, "]);
    assert!(!run.stdout.contains('\u{1b}'), "{}", run.stdout);
    assert!(!run.stdout.contains("gett"), "{}", run.stdout);
}

#[test]
fn a_script_that_is_broken_at_the_start_is_waited_for() {
    let shop = Shop::open();
    let mut run = writing("user(\"U\", #{", &shop).start();
    run.says("script.rhai:1:");
    run.says("waiting until it is mended and saved");
    run.edit("script.rhai", "user(\"U\", #{ t: tsk(|| 1) });");
    run.says("unknown function `tsk`");
    run.says("waiting until it is mended and saved");
    run.edit("script.rhai", &task("print(\"good\");"));
    run.says("mended: started");
    run.prints("good");
    run.interrupt();
    run.finish().code(0);
    let run = writing("user(", &shop).start();
    let mut run = run;
    run.says("waiting until it is mended and saved");
    run.interrupt();
    run.finish().code(0).says(&["0 iterations, 0 requests"]);
}

#[test]
fn when_all_users_have_ended_the_next_save_starts_anew() {
    let shop = Shop::open();
    let once = |what: &str, end: &str| {
        format!(
            "setup(|| print(\"set up {what}\"));
             teardown(|| print(\"torn down {what}\"));
             const ROWS = rows([1, 2], #{{ mode: \"unique\" }});
             user(\"U\", #{{ t: task(|| {{ print(`{what} ${{ROWS.next()}}`); {end} }}) }});"
        )
    };
    let mut run = writing(&once("one", ""), &shop).start();
    run.says("all users have ended by themselves: waiting for the next save");
    run.edit("script.rhai", &once("two", "stop_test(\"enough\");"));
    run.says("a script stopped the test: enough: waiting for the next save");
    run.edit(
        "script.rhai",
        "user(\"U\", #{ on_start: || [1][2], t: task(|| 1) });",
    );
    run.says("all users have ended by themselves");
    run.interrupt();
    let run = run.finish().code(0).says(&[
        "set up one",
        "torn down one",
        "set up two",
        "torn down two",
        "started anew",
    ]);
    // Rows are there again: it is another run.
    for shown in [
        ": one 1\n",
        ": one 2\n",
        ": two 1\n",
        "index 2 out of bounds",
    ] {
        assert!(run.stdout.contains(shown), "`{shown}`: {}", run.stdout);
    }
    assert!(!run.stdout.contains("two 2"), "{}", run.stdout);
}

#[test]
fn several_users_of_a_class_run_and_what_cannot_be_is_said() {
    let shop = Shop::open();
    let script = format!(
        "user(\"Other\", #{{ t: task(|| 1) }});\n{}",
        task("print(\"here\");")
    );
    let mut run = writing(&script, &shop).args("U -u 3").start();
    // Of two classes, it has every other number.
    run.says("U 5: the task `t`");
    // The class is gone: as with any other mistake, the script before goes on.
    run.edit("script.rhai", "user(\"Other\", #{ t: task(|| 1) });");
    run.says("there is no user class `U`");
    run.says("the last good one goes on");
    run.prints("here");
    run.edit("script.rhai", &script);
    run.says("mended: the script is again as it runs");
    run.terminate();
    let run = run.finish().code(0);
    assert!(!run.stdout.contains("Other 0"), "{}", run.stdout);
    Tool::new()
        .args("dev gone.rhai")
        .run()
        .code(2)
        .says(&["gone.rhai", "katydid new FILE"]);
}
