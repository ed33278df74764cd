//! Runs of one process: asked for, changed, ended, one after another.
//!
//! Owns that what is refused has changed nothing.

use serde_json::{Value, json};

use super::{SCRIPT, Ui};
use crate::peer::{Peer, Shop};

/// What a refused request must not change.
fn kept(ui: &Ui) -> Value {
    let snapshot = ui.api("snapshot");
    let script = &snapshot["script"];
    let marks = snapshot["marks"].as_array().unwrap();
    let marks: Vec<_> = marks
        .iter()
        .filter(|mark| mark["kind"] != "tainted")
        .collect();
    json!({
        "state": snapshot["state"], "run": snapshot["run"], "wish": snapshot["form"]["wish"],
        "params": snapshot["form"]["params"], "ends": snapshot["ends_s"], "marks": marks,
        "label": snapshot["head"]["label"], "asked": snapshot["users"]["asked"],
        "generations": snapshot["head"]["generations"],
        "script": [script["is_ok"], script["hash"], script["findings"]],
    })
}

#[test]
fn runs_follow_one_another_and_are_kept() {
    let shop = Shop::open();
    let ui = Ui::of(SCRIPT, &format!("-H {} -u 2 -r 100", shop.url()));
    assert_eq!(ui.api("runs"), json!({ "runs": [] }));
    assert_eq!(ui.state(), "ready");
    let empty = ui.api("snapshot");
    assert_eq!(
        (&empty["run"], &empty["head"]),
        (&Value::Null, &Value::Null)
    );
    ui.json(404, "GET /api/v1/window", &Value::Null);
    for request in ["run/stop", "run/reset", "run/note", "PATCH"] {
        let (request, body) = match request {
            "PATCH" => ("PATCH /api/v1/run".to_owned(), json!({ "users": 3 })),
            "run/note" => ("POST /api/v1/run/note".to_owned(), json!({ "text": "x" })),
            other => (format!("POST /api/v1/{other}"), Value::Null),
        };
        let refused = ui.json(409, &request, &body);
        assert_eq!(refused["state"], "ready", "{request}");
    }

    let wish = json!({ "label": "first", "users": 3, "params": { "language": "ko" } });
    assert_eq!(ui.starts(&wish), 1);
    let refused = ui.json(409, "POST /api/v1/runs", &json!({}));
    assert_eq!(refused["state"], "running");
    ui.counts(20);
    // Each run is to have one of what is looked at below, which is drawn by lot.
    let missed = || ui.until("/api/v1/exceptions", |all| all["rows"].get(0).map(|_| ()));
    missed();
    assert_eq!(
        ui.json(200, "POST /api/v1/run/note", &json!({ "text": " deploy " })),
        json!({})
    );
    ui.until("/api/v1/snapshot", |now| {
        let marks = now["marks"].as_array().unwrap();
        marks
            .iter()
            .any(|mark| mark["kind"] == "note" && mark["text"] == "deploy")
            .then_some(())
    });
    ui.stops();

    assert_eq!(ui.starts(&json!({ "label": "second" })), 2);
    // What is left out is as it was asked before.
    let form = ui.api("form");
    assert_eq!(form["wish"]["users"], 3);
    assert_eq!(form["params"][0]["value"], "ko");
    ui.counts(5);
    missed();
    ui.stops();
    let runs = ui.api("runs");
    let labels: Vec<_> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["label"])
        .collect();
    assert_eq!(labels, ["first", "second"]);
    for run in runs["runs"].as_array().unwrap() {
        assert_eq!(
            (&run["state"], &run["why"]),
            (&json!("stopped"), &json!("stopped"))
        );
        let number = &run["run"];
        let whole = ui.api(&format!("runs/{number}"));
        assert_eq!(whole["head"], *run);
        assert_eq!(whole["document"]["total"]["requests"], run["requests"]);
        assert_eq!(ui.api(&format!("snapshot?run={number}"))["head"], *run);
        assert!(ui.api(&format!("errors?run={number}"))["rows"][0]["count"].is_u64());
        assert_eq!(
            ui.api(&format!("exceptions?run={number}"))["rows"][0]["message"],
            "missed"
        );
        assert_eq!(
            ui.api(&format!("checks?run={number}"))["rows"][0]["passes"],
            0
        );
    }
    assert_eq!(
        ui.json(404, "GET /api/v1/runs/3", &Value::Null)["status"],
        404
    );
    ui.json(404, "GET /api/v1/snapshot?run=9", &Value::Null);
    // Of a shop that answers with mistakes, the code is that of failures.
    ui.ends().code(1);
}

#[test]
fn the_latest_ten_runs_are_kept() {
    let ui = Ui::of("user(\"U\", #{ t: task(|| 0) });", "-u 1 -r 100 -i 1");
    for number in 1..=12 {
        let started = ui.json(201, "POST /api/v1/runs", &json!({}));
        assert_eq!(started["run"], number);
        ui.reaches("stopped");
    }
    let runs = ui.api("runs");
    let numbers: Vec<_> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["run"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (3..=12).collect::<Vec<_>>());
    ui.json(404, "GET /api/v1/runs/2", &Value::Null);
    ui.ends().code(0);
}

#[test]
fn a_run_is_changed_and_what_is_refused_changes_nothing() {
    let shop = Shop::open();
    let ui = Ui::of(SCRIPT, &format!("-H {} -u 2 -r 100", shop.url()));
    ui.starts(&json!({}));
    let before = kept(&ui);
    for (change, status, field) in [
        (json!({ "users": 9, "run_time": "soon" }), 422, "run_time"),
        (
            json!({ "users": 9, "params": { "language": "xx" } }),
            422,
            "params",
        ),
        (
            json!({ "users": 9, "params": { "langauge": "en" } }),
            422,
            "params",
        ),
        (json!({ "users": 9, "classes": ["Nobody"] }), 422, "classes"),
        (json!({ "users": 9, "tags": ["slow"] }), 422, "tags"),
        (json!({ "run_time": "1h", "host": "nowhere" }), 422, "host"),
        (json!({ "users": 9, "iterations": 5 }), 422, "iterations"),
        (json!({ "label": "x", "seed": 5 }), 422, "seed"),
        (json!({ "users": 9, "uers": 1 }), 422, "uers"),
        (json!({ "users": 9, "run": "one" }), 422, "run"),
        (json!({ "users": 9, "run": 2 }), 409, ""),
    ] {
        let refused = ui.json(status, "PATCH /api/v1/run", &change);
        assert_eq!(
            refused["field"].as_str().unwrap_or_default(),
            field,
            "{change}"
        );
        assert_eq!(kept(&ui), before, "{change}");
    }

    let change =
        json!({ "users": 5, "spawn_rate": 100, "run_time": "1h", "label": "named", "run": 1 });
    let done = ui.json(202, "PATCH /api/v1/run", &change);
    assert_eq!(
        done["done"],
        json!(["users: 5 at 100 a second", "run time", "label"])
    );
    assert_eq!(done["is_reloading"], false);
    ui.until("/api/v1/state", |now| (now["users"] == 5).then_some(()));
    let snapshot = ui.api("snapshot");
    assert_eq!(
        (&snapshot["ends_s"], &snapshot["head"]["label"]),
        (&json!(3600.0), &json!("named"))
    );
    // The rate alone changes nobody's number.
    ui.json(202, "PATCH /api/v1/run", &json!({ "spawn_rate": 7 }));
    assert_eq!(ui.api("form")["wish"]["users"], 5);

    let before = shop.count("/coupons");
    let change = json!({ "params": { "language": "ko" }, "classes": ["Visitor"], "users": 3 });
    let done = ui.json(202, "PATCH /api/v1/run", &change);
    assert_eq!(done["is_reloading"], true);
    ui.until("/api/v1/snapshot", |now| {
        (now["head"]["generations"] == 2).then_some(())
    });
    let generations = &ui.api("snapshot")["generations"];
    assert_eq!(generations[1]["cause"], "parameters");
    ui.until("/api/v1/state", |now| (now["users"] == 3).then_some(()));
    ui.until("/api/v1/state", |_| {
        (shop.count("/coupons") > before).then_some(())
    });
    let script = ui.api("script?generation=2");
    assert_eq!(
        script["params"],
        json!([{ "name": "language", "value": "ko" }])
    );

    // To another shop, in which it is seen at once.
    let other = Shop::open();
    ui.json(202, "PATCH /api/v1/run", &json!({ "host": other.url() }));
    ui.until("/api/v1/snapshot", |now| {
        (now["head"]["host"] == other.url()).then_some(())
    });
    ui.until("/api/v1/state", |_| {
        (other.count("/coupons") > 0).then_some(())
    });
    ui.ends();
}

#[test]
fn users_of_the_script_stay_when_only_their_rate_changes() {
    let ui = Ui::of(
        "options(#{ users: 4, spawn_rate: 100 }); user(\"U\", #{ wait_time: 0.1, t: task(|| 0) });",
        "",
    );
    ui.starts(&json!({}));
    ui.json(202, "PATCH /api/v1/run", &json!({ "spawn_rate": 50 }));
    ui.until("/api/v1/snapshot", |now| {
        let marks = now["marks"].as_array().unwrap();
        let set = marks.iter().find(|mark| mark["kind"] == "users")?;
        assert_eq!(set["value"], 4);
        Some(())
    });
    ui.ends();
}

#[test]
fn wrong_wishes_start_nothing_and_are_told_by_field() {
    let ui = Ui::of(SCRIPT, "-u 1");
    let before = kept(&ui);
    for (wish, field) in [
        (json!({ "users": "many" }), "users"),
        (json!({ "users": -1 }), "users"),
        (json!({ "users": 1.5 }), "users"),
        (json!({ "spawn_rate": 0 }), "spawn_rate"),
        (json!({ "run_time": "99999999999999h" }), "run_time"),
        (json!({ "host": "ftp://x" }), "host"),
        (json!({ "label": "x".repeat(3_000) }), "label"),
        (json!({ "params": { "password": ["x"] } }), "password"),
        (json!({ "tags": ["slow"] }), "tags"),
        (json!({ "stop_timeout": -1 }), "stop_timeout"),
    ] {
        for request in ["POST /api/v1/runs", "POST /api/v1/check"] {
            let refused = ui.json(422, request, &wish);
            assert_eq!(refused["field"], field, "{wish}: {refused}");
            assert_eq!(kept(&ui), before, "{request} {wish}");
        }
    }
    for body in ["[]", "1", "{", "{\"users\":1}x"] {
        let refused = ui.request("POST /api/v1/runs", &[], body.as_bytes());
        assert_eq!(refused.status, 400, "{body}");
    }
    let preview = ui.json(200, "POST /api/v1/check", &json!({ "users": 100, "spawn_rate": 10, "run_time": "1m", "params": { "password": "hunter2" } }));
    assert_eq!(preview["plan"]["points"][1], json!([10.0, 100]));
    assert_eq!(
        (&preview["plan"]["end_s"], &preview["plan"]["peak"]),
        (&json!(60.0), &json!(100))
    );
    assert_eq!(
        preview["command"],
        "katydid -f script.rhai -u 100 -r 10 -t 1m -p 'password=…' --headless"
    );
    assert_eq!(kept(&ui), before);
    ui.ends().code(0);
}

#[test]
fn parameters_that_break_the_script_leave_it_as_it_was() {
    let script = r#"
const COUNT = param("count", 1);
if COUNT > 5 { throw "too many"; }
user("U", #{ wait_time: 0.1, t: task(|| 0) });
"#;
    let ui = Ui::of(script, "-u 1");
    let before = kept(&ui);
    let refused = ui.json(
        422,
        "POST /api/v1/runs",
        &json!({ "params": { "count": 9 } }),
    );
    assert!(
        refused["findings"][0]["message"]
            .as_str()
            .unwrap()
            .contains("too many"),
        "{refused}"
    );
    assert_eq!(kept(&ui), before);
    ui.starts(&json!({}));
    let before = kept(&ui);
    let change = json!({ "users": 3, "params": { "count": 9 } });
    ui.json(422, "PATCH /api/v1/run", &change);
    assert_eq!(kept(&ui), before);
    ui.json(
        202,
        "PATCH /api/v1/run",
        &json!({ "params": { "count": 2 } }),
    );
    ui.until("/api/v1/snapshot", |now| {
        (now["head"]["generations"] == 2).then_some(())
    });
    ui.ends();
}

#[test]
fn a_long_setup_holds_up_nobody() {
    let script =
        "setup(|http| { sleep(600); 1 }); user(\"U\", #{ wait_time: 0.1, t: task(|| 0) });";
    let ui = Ui::of(script, "-u 1 -r 100");
    ui.json(201, "POST /api/v1/runs", &json!({}));
    ui.reaches("setting_up");
    let head = &ui.api("snapshot")["head"];
    assert_eq!(
        (&head["state"], &head["epoch_us"]),
        (&json!("setting_up"), &Value::Null)
    );
    ui.json(409, "POST /api/v1/runs", &json!({}));
    let done = ui.json(
        202,
        "PATCH /api/v1/run",
        &json!({ "users": 3, "spawn_rate": 100 }),
    );
    assert_eq!(done["done"], json!(["users: 3 at 100 a second"]));
    assert_eq!(ui.state(), "setting_up");
    assert_eq!(ui.api("form")["wish"]["users"], 3);
    ui.stops();
    assert_eq!(ui.api("runs")["runs"][0]["requests"], 0);
    ui.ends().code(0);
}

#[test]
fn a_second_stop_ends_at_once() {
    let script = "user(\"U\", #{ t: task(|| sleep(600)), on_stop: || sleep(600) });";
    let ui = Ui::of(script, "-u 1 -r 100 -s 300");
    ui.starts(&json!({}));
    let stopping = ui.json(202, "POST /api/v1/run/stop", &Value::Null);
    assert!(stopping["state"].is_string());
    ui.reaches("stopping");
    ui.json(409, "PATCH /api/v1/run", &json!({ "users": 2 }));
    let refused = ui.json(409, "POST /api/v1/run/reload", &Value::Null);
    assert_eq!(refused["state"], "stopping");
    ui.stops();
    ui.starts(&json!({}));
    let stopped = ui.json(200, "POST /api/v1/run/stop?wait=1", &json!({ "now": true }));
    assert_eq!(stopped["state"], "stopped");
    ui.json(422, "POST /api/v1/run/stop", &json!({ "now": "please" }));
    ui.json(422, "POST /api/v1/run/stop", &json!({ "soon": true }));
    ui.ends();
}

#[test]
fn a_paused_run_stands_still_and_goes_on() {
    let shop = Shop::open();
    let ui = Ui::of(SCRIPT, &format!("-H {} -u 2 -r 100", shop.url()));
    ui.json(409, "POST /api/v1/run/pause", &Value::Null);
    ui.starts(&json!({}));
    ui.counts(10);
    let paused = ui.json(200, "POST /api/v1/run/pause", &Value::Null);
    assert_eq!(paused, json!({ "state": "paused" }));
    let refused = ui.json(409, "POST /api/v1/run/pause", &Value::Null);
    assert_eq!(refused["state"], "paused");
    // Whatever was under way has ended when a whole second has nothing.
    let still = ui.until("/api/v1/snapshot", |now| {
        let requests = now["seconds"]["requests"].as_array()?;
        (requests.last()? == 0).then(|| now["head"]["requests"].as_u64().unwrap())
    });
    let seconds = ui.api("snapshot")["t"].as_u64().unwrap();
    ui.until("/api/v1/snapshot", |now| {
        (now["t"].as_u64()? > seconds + 1).then_some(())
    });
    assert_eq!(ui.api("snapshot")["head"]["requests"], still);
    let resumed = ui.json(200, "POST /api/v1/run/resume", &Value::Null);
    assert_eq!(resumed, json!({ "state": "running" }));
    ui.json(409, "POST /api/v1/run/resume", &Value::Null);
    ui.counts(still + 10);
    let marks = ui.api("snapshot")["marks"].clone();
    let kinds: Vec<_> = marks
        .as_array()
        .unwrap()
        .iter()
        .map(|mark| &mark["kind"])
        .collect();
    assert!(
        kinds.contains(&&json!("pause")) && kinds.contains(&&json!("resume")),
        "{marks}"
    );
    assert!(ui.api("window")["paused_s"].as_f64().unwrap() >= 1.0);
    ui.stops();
    ui.ends();
}
