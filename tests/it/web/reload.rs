//! Saves of the script, seen through the API: with a run, without one, and with mistakes.
//!
//! What a reload does to users and figures is tested without a browser.

use std::fs;

use serde_json::{Value, json};

use super::{Ui, tool};

const SCRIPT: &str = "user(\"U\", #{ wait_time: 0.01, t: task(|| 0) });";
const OTHER: &str = "user(\"U\", #{ wait_time: 0.02, t: task(|| 0), v: task(|| 1) });";
const BROKEN: &str = "user(\"U\", #{\n    wait: 3, t: task(|| 0) });";

fn asked(ui: &Ui) -> Value {
    ui.json(200, "POST /api/v1/run/reload?wait=1", &Value::Null)
}

/// How many there are of the current run.
fn generations(ui: &Ui) -> usize {
    let runs = ui.api("runs");
    let last = runs["runs"].as_array().unwrap().last().unwrap();
    last["generations"].as_u64().unwrap().try_into().unwrap()
}

/// What is seen of a script with that mistake.
fn is_found(ui: &Ui, findings: &Value) {
    let first = &findings[0];
    assert_eq!((&first["line"], &first["column"]), (&json!(2), &json!(5)));
    assert_eq!(first["width"], 4);
    assert_eq!(first["message"], "unknown attribute `wait`");
    assert_eq!(first["hint"], "did you mean `wait_time`?");
    assert_eq!(&ui.api("script")["findings"], findings);
    let snapshot = ui.api("snapshot");
    assert_eq!(&snapshot["script"]["findings"], findings);
    assert_eq!(snapshot["script"]["is_ok"], false);
}

#[test]
fn without_a_run_the_form_follows_the_script() {
    let ui = Ui::of(SCRIPT, "--no-watch");
    assert_eq!(asked(&ui), json!({ "outcome": "same" }));
    ui.run.edit("script.rhai", OTHER);
    assert_eq!(asked(&ui), json!({ "outcome": "edited" }));
    let form = ui.api("form");
    assert_eq!(form["classes"][0]["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(asked(&ui), json!({ "outcome": "same" }));

    ui.run.edit("script.rhai", BROKEN);
    let answer = asked(&ui);
    assert_eq!(answer["outcome"], "broken");
    is_found(&ui, &answer["findings"]);
    let refused = ui.json(422, "POST /api/v1/runs", &json!({}));
    assert_eq!(refused["findings"], answer["findings"]);
    assert_eq!(asked(&ui)["outcome"], "broken", "asked again, told again");

    fs::remove_file(ui.run.path("script.rhai")).unwrap();
    let answer = asked(&ui);
    assert_eq!(answer["outcome"], "unreadable");
    let findings = answer["findings"].as_array().unwrap();
    let message = findings[0]["message"].as_str().unwrap();
    assert!(message.contains("there is no such file"), "{answer}");
    assert_eq!(findings.len(), 1, "of a text that is not there");

    ui.run.edit("script.rhai", OTHER);
    assert_eq!(asked(&ui), json!({ "outcome": "same" }));
    assert_eq!(ui.api("state")["script_ok"], true);
    ui.starts(&json!({}));
    ui.ends().code(0);
}

#[test]
fn during_a_run_the_users_do_and_a_broken_save_changes_nothing() {
    let mut ui = Ui::of(SCRIPT, "--no-watch -u 2 -r 100");
    ui.starts(&json!({}));
    assert_eq!(asked(&ui), json!({ "outcome": "same" }));
    ui.run.edit("script.rhai", OTHER);
    assert_eq!(asked(&ui), json!({ "outcome": "edited", "generation": 2 }));
    assert_eq!(ui.api("script?generation=2")["files"][0]["text"], OTHER);
    assert_eq!(ui.api("script?generation=1")["files"][0]["text"], SCRIPT);
    ui.json(404, "GET /api/v1/script?generation=3", &Value::Null);
    let marks = ui.until("/api/v1/snapshot", |now| {
        let marks = now["marks"].as_array()?;
        let reloads: Vec<_> = marks
            .iter()
            .filter(|mark| mark["kind"] == "reload")
            .cloned()
            .collect();
        (!reloads.is_empty()).then_some(reloads)
    });
    assert_eq!((marks.len(), &marks[0]["value"]), (1, &json!(2)));

    ui.run.edit("script.rhai", BROKEN);
    let answer = asked(&ui);
    assert_eq!(answer["outcome"], "broken");
    is_found(&ui, &answer["findings"]);
    ui.run.says("has mistakes: the one that runs goes on");
    let iterations = |now: &Value| now["iterations"]["finished"].as_u64();
    let before = iterations(&ui.api("snapshot")).unwrap();
    ui.until("/api/v1/snapshot", |now| {
        (iterations(now)? > before + 20).then_some(())
    });
    let now = ui.api("state");
    assert_eq!(
        (&now["state"], &now["generation"], &now["script_ok"]),
        (&json!("running"), &json!(2), &json!(false))
    );

    // Mended: what runs is what lies there.
    ui.run.edit("script.rhai", OTHER);
    assert_eq!(asked(&ui), json!({ "outcome": "same" }));
    let snapshot = ui.api("snapshot");
    assert_eq!(snapshot["script"]["findings"], json!([]));
    assert_eq!(snapshot["generations"].as_array().unwrap().len(), 2);
    ui.ends().code(0);
}

#[test]
fn saves_are_noticed_without_being_asked_for() {
    let ui = Ui::start(tool(SCRIPT).args("--watch -u 2 -r 100"));
    ui.until("/api/v1/snapshot", |now| {
        (now["script"]["is_watched"] == true).then_some(())
    });
    ui.run.edit("script.rhai", BROKEN);
    // A file that is written in place is empty for a moment, which a busy machine makes long.
    let findings = ui.until("/api/v1/script", |script| {
        let findings = &script["findings"];
        (findings[0]["line"] == 2).then(|| findings.clone())
    });
    is_found(&ui, &findings);
    ui.run.edit("script.rhai", SCRIPT);
    ui.until("/api/v1/state", |now| {
        (now["script_ok"] == true).then_some(())
    });

    ui.starts(&json!({}));
    ui.run.edit("script.rhai", BROKEN);
    ui.until("/api/v1/script", |script| {
        (script["findings"][0]["line"] == 2).then_some(())
    });
    assert_eq!(generations(&ui), 1);
    ui.run.edit("script.rhai", OTHER);
    ui.until("/api/v1/state", |now| {
        (now["generation"] == 2).then_some(())
    });
    assert_eq!(ui.api("state")["script_ok"], true);
    assert_eq!(ui.api("snapshot")["generations"][1]["cause"], "saved");
    ui.ends().code(0);
}

#[test]
fn what_the_wish_does_not_fit_any_more_is_refused_and_told() {
    let ui = Ui::of(OTHER, "--no-watch -u 1 -r 100");
    ui.starts(&json!({ "classes": ["U"] }));
    // Without the class that was asked for.
    ui.run.edit("script.rhai", &OTHER.replace("\"U\"", "\"W\""));
    let refused = ui.json(422, "POST /api/v1/run/reload?wait=1", &Value::Null);
    assert_eq!(refused["field"], "classes");
    assert!(
        refused["detail"].as_str().unwrap().contains('U'),
        "{refused}"
    );
    assert_eq!(ui.state(), "running");
    assert_eq!(generations(&ui), 1);
    ui.ends().code(0);
}

#[test]
fn a_broken_script_at_the_start_is_mended_by_a_save() {
    let ui = Ui::of(BROKEN, "--no-watch");
    is_found(&ui, &ui.api("script")["findings"]);
    assert_eq!(ui.api("state")["script_ok"], false);
    assert_eq!(asked(&ui)["outcome"], "broken");
    ui.run.edit("script.rhai", SCRIPT);
    // For the first time it can be run.
    let outcome = asked(&ui)["outcome"].clone();
    assert!(outcome == "edited" || outcome == "same", "{outcome}");
    assert_eq!(ui.api("form")["classes"][0]["name"], "U");
    ui.starts(&json!({}));
    ui.ends().code(0);
}
