//! The life of a process with a web UI: how it ends, with which code, and what it leaves behind.
//!
//! What runs do is tested in `runs`.

use serde_json::{Value, json};

use super::{Ui, tool};
use crate::peer::{Peer, Shop};

/// Its requests fail, so that its code is 1.
const FAILING: &str =
    "user(\"U\", #{ wait_time: 0.01, t: task(|| { this.client.get(\"/status/404\"); }) });";

/// Nothing fails.
const IDLE: &str = "user(\"U\", #{ wait_time: 0.01, t: task(|| 0) });";

/// A user that is in its task until it is cut, after so long a time limit.
const BUSY: &str = "user(\"U\", #{ t: task(|| { print(\"busy\"); sleep(600); }) });";

#[test]
fn idle_it_ends_at_once_with_the_code_of_the_last_run() {
    let ui = Ui::of(IDLE, "--autoquit 600 --autostart -i 1");
    ui.reaches("stopped");
    ui.ends().code(0);

    let ui = Ui::of(IDLE, "");
    ui.ends().code(0);

    let shop = Shop::open();
    let ui = Ui::of(FAILING, &format!("-H {} -i 3", shop.url()));
    ui.json(201, "POST /api/v1/runs", &json!({}));
    ui.reaches("stopped");
    ui.ends().code(1);

    // The last one counts, not the worst.
    let ui = Ui::of(FAILING, &format!("-H {} -i 3 --no-watch", shop.url()));
    ui.json(201, "POST /api/v1/runs", &json!({}));
    ui.reaches("stopped");
    ui.run.edit("script.rhai", IDLE);
    ui.json(201, "POST /api/v1/runs", &json!({}));
    ui.until("/api/v1/runs", |now| {
        let runs = now["runs"].as_array()?;
        (runs.len() == 2 && runs[1]["state"] == "stopped").then_some(())
    });
    ui.ends().code(0);
}

#[test]
fn sigterm_ends_it_as_ctrl_c_does() {
    let shop = Shop::open();
    let ui = Ui::of(FAILING, &format!("-H {} --json", shop.url()));
    ui.starts(&json!({}));
    ui.counts(3);
    ui.run.terminate();
    let run = ui.run.finish().code(1);
    assert!(run.document().count("/total/requests") >= 3);
}

#[test]
fn during_a_run_it_stops_gracefully_writes_everything_and_ends() {
    let shop = Shop::open();
    let script = r#"
user("U", #{ wait_time: 0.01,
    t: task(|| { this.client.get("/status/404"); }),
    on_stop: || { this.client.get("/hello", #{ name: "goodbye" }); } });
"#;
    let outputs = "--json --csv out --html report.html --autoquit 600 --autostart";
    let ui = Ui::of(script, &format!("-H {} -u 3 -r 100 {outputs}", shop.url()));
    ui.counts(10);
    let run = ui.ends().code(1);
    let document = run.document();
    let goodbye = document.0["requests"].as_array().unwrap().iter();
    let goodbye = goodbye.filter(|row| row["name"] == "goodbye");
    let goodbye: Vec<_> = goodbye.map(|row| &row["requests"]).collect();
    assert_eq!(goodbye, [3], "on_stop ran");
    for name in ["out_stats.csv", "out_failures.csv", "out_stats_history.csv"] {
        let text = std::fs::read_to_string(run.path(name)).unwrap();
        assert!(text.lines().count() > 1, "{name}: {text}");
    }
    let total = document.count("/total/requests").to_string();
    let stats = std::fs::read_to_string(run.path("out_stats.csv")).unwrap();
    let last = stats.lines().last().unwrap();
    assert_eq!(last.split(',').nth(2), Some(total.as_str()), "{last}");
    let report = std::fs::read_to_string(run.path("report.html")).unwrap();
    assert!(report.ends_with("</html>\n") || report.ends_with("</html>"));
}

#[test]
fn a_second_ctrl_c_kills() {
    let mut ui = Ui::of(BUSY, "-u 1 -s 600 --on-stop-timeout 600 --json --csv out");
    ui.starts(&json!({}));
    ui.run.prints("busy");
    ui.run.interrupt();
    // It waits for its user, and is there meanwhile.
    ui.reaches("stopping");
    ui.run.interrupt();
    let run = ui.run.finish().code(130);
    assert_eq!(run.document().count("/iterations/interrupted"), 1);
    assert!(
        run.path("out_stats.csv").exists(),
        "even then everything is written"
    );
}

#[test]
fn ctrl_backslash_kills_at_once() {
    let mut ui = Ui::of(BUSY, "-u 1 -s 600 --json");
    ui.starts(&json!({}));
    ui.run.prints("busy");
    ui.run.quit();
    ui.run.finish().code(130);
}

#[test]
fn outputs_of_a_second_run_have_its_number_before_the_ending() {
    let shop = Shop::open();
    let outputs = "--json --csv out/r --html out/report.html";
    let at = tool(FAILING).args(&format!("-H {} -u 1 {outputs}", shop.url()));
    std::fs::create_dir(at.path("out")).unwrap();
    let ui = Ui::start(at);
    for iterations in [3, 5] {
        ui.json(
            201,
            "POST /api/v1/runs",
            &json!({ "iterations": iterations }),
        );
        ui.reaches("stopped");
    }
    let run = ui.ends().code(1);
    let mut names: Vec<_> = std::fs::read_dir(run.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected = vec!["report.html".to_owned(), "report-2.html".to_owned()];
    for file in ["exceptions", "failures", "stats", "stats_history"] {
        for run in ["r", "r-2"] {
            expected.push(format!("{run}_{file}.csv"));
        }
    }
    expected.sort();
    assert_eq!(names, expected);
    for (name, requests) in [("r", 3), ("r-2", 5)] {
        let path = run.path(&format!("out/{name}_stats.csv"));
        let stats = std::fs::read_to_string(path).unwrap();
        let last = stats.lines().last().unwrap();
        assert_eq!(last.split(',').nth(2), Some(requests.to_string().as_str()));
    }
    // One document a run, each on a line of its own.
    let documents: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let requests: Vec<_> = documents
        .iter()
        .map(|document| document["total"]["requests"].as_u64().unwrap())
        .collect();
    assert_eq!(requests, [3, 5]);
}

#[test]
fn a_run_that_starts_itself_ends_the_process_with_its_code() {
    let shop = Shop::open();
    let quit = "--autostart --autoquit 0 -i 3";
    Ui::of(IDLE, quit).run.finish().code(0);
    let host = format!("{quit} -H {}", shop.url());
    Ui::of(FAILING, &host).run.finish().code(1);
    let other = format!("{host} --exit-code-on-error 7");
    Ui::of(FAILING, &other).run.finish().code(7);
    let failing_setup = format!("setup(|http| {{ throw \"no shop\" }});\n{IDLE}");
    let run = Ui::of(&failing_setup, quit).run.finish().code(3);
    run.says(&["no shop"]);
    let no_report = format!("{quit} --html script.rhai/report.html");
    let run = Ui::of(IDLE, &no_report).run.finish().code(3);
    run.says(&["can't write the report `script.rhai/report.html`"]);
    let chosen = "user(\"U\", #{ t: task(|| exit_code(42)) });";
    Ui::of(chosen, quit).run.finish().code(42);
}

#[test]
fn what_cannot_start_itself_is_refused_before_it_serves() {
    let broken = tool("user(\"U\", #{ wait: 3 });").args("--autostart").run();
    broken.code(2).says(&["unknown attribute `wait`"]);
    let alone = tool(IDLE).args("--autoquit 0").run();
    alone.code(2).says(&["`--autoquit` needs `--autostart`"]);
    let classless = tool(IDLE).args("--autostart -i 1 Nobody").run();
    classless.code(2).says(&["Nobody"]);
}

#[test]
fn somebody_who_starts_another_run_keeps_the_process() {
    let ui = Ui::of(BUSY, "--autostart --autoquit 2s -u 1");
    ui.reaches("running");
    ui.stops();
    // Before the 2 s are over.
    ui.starts(&json!({}));
    let second = ui.api("state")["run"].as_u64();
    assert_eq!(second, Some(2));
    ui.until("/api/v1/state", |now| {
        (now["t"].as_u64()? >= 3).then_some(())
    });
    ui.stops();
    // Now they begin anew, and nobody comes.
    ui.run.finish().code(0);
}

#[test]
fn a_hangup_looks_at_the_script_when_nothing_runs() {
    let mut ui = Ui::of(IDLE, "--no-watch");
    let script = |ui: &Ui| ui.api("snapshot")["script"].clone();
    let before = script(&ui);
    assert_eq!(
        (&before["is_ok"], &before["is_watched"]),
        (&json!(true), &json!(false))
    );
    ui.run.reload(&IDLE.replace("\"U\"", "\"V\""));
    ui.until("/api/v1/form", |form| {
        (form["classes"][0]["name"] == "V").then_some(())
    });
    assert_ne!(script(&ui)["hash"], before["hash"]);
    ui.run.reload("user(\"V\", #{ wait: 3 });");
    ui.until("/api/v1/state", |now| {
        (now["script_ok"] == false).then_some(())
    });
    let findings = script(&ui)["findings"].clone();
    assert!(
        findings.to_string().contains("unknown attribute `wait`"),
        "{findings}"
    );
    ui.run.says("mistakes: it cannot be run");
    assert_eq!(ui.state(), "ready");
    ui.run.reload(IDLE);
    ui.until("/api/v1/state", |now| {
        (now["script_ok"] == true).then_some(())
    });
    assert_eq!(script(&ui)["hash"], before["hash"]);
    ui.run.hang_up();
    ui.run.says("the script has not changed");
    ui.ends().code(0);
}
