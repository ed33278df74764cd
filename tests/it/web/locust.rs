//! Locust's endpoints, called as its clients call them.
//!
//! Owns what those clients rely on; shapes are held against the document as well.

use serde_json::{Value, json};

use super::client::Reply;
use super::{SCRIPT, Ui};
use crate::peer::{Peer, Shop};

impl Ui {
    /// Posts a form.
    fn form(&self, path: &str, fields: &str) -> Reply {
        let headers = ["content-type: application/x-www-form-urlencoded"];
        self.request(&format!("POST {path}"), &headers, fields.as_bytes())
    }

    fn figures(&self) -> Value {
        self.get("/stats/requests").status(200).json()
    }
}

#[test]
fn a_client_of_locust_starts_watches_edits_resets_and_stops() {
    let shop = Shop::open();
    let ui = Ui::of(SCRIPT, "");
    let ready = ui.figures();
    assert_eq!(
        (&ready["state"], &ready["stats"]),
        (&json!("ready"), &json!([]))
    );
    let current = &ready["current_response_time_percentiles"];
    assert!(current["response_time_percentile_0.95"].is_null());

    let host = shop.url();
    let fields = format!("user_count=3&spawn_rate=100&host={host}&run_time=&profile=first");
    let started = ui.form("/swarm", &fields).status(200).json();
    let expected = json!({ "success": true, "message": "Swarming started", "host": host });
    assert_eq!(started, expected);
    ui.until("/stats/requests", |now| {
        let is_there = now["user_count"] == 3 && now["state"] == "running";
        let of = |name: &str| {
            now["stats"]
                .as_array()
                .unwrap()
                .iter()
                .any(|row| row["name"] == name)
        };
        (is_there && of("/status/404") && of("/hello")).then_some(())
    });

    let now = ui.figures();
    let rows = now["stats"].as_array().unwrap();
    let last = rows.last().unwrap();
    assert_eq!(
        (&last["method"], &last["name"]),
        (&json!(""), &json!("Aggregated"))
    );
    let sum: u64 = rows[..rows.len() - 1]
        .iter()
        .map(|row| row["num_requests"].as_u64().unwrap())
        .sum();
    assert_eq!(last["num_requests"].as_u64(), Some(sum));
    assert!(last["median_response_time"].as_f64().unwrap() > 0.0);
    let error = &now["errors"][0];
    assert_eq!(
        (&error["method"], &error["name"]),
        (&json!("GET"), &json!("/status/404"))
    );
    assert!(error["first_seen"].as_f64().unwrap() > 1.6e9);
    assert!(error["first_seen"].as_f64() <= error["last_seen"].as_f64());

    let thrown = ui.until("/exceptions", |all| all["exceptions"].get(0).cloned());
    assert_eq!(thrown["msg"], "missed");
    assert!(
        thrown["traceback"]
            .as_str()
            .unwrap()
            .starts_with("script.rhai:")
    );
    let tasks = ui.get("/tasks").status(200).json();
    assert!((tasks["total"]["Shopper"]["ratio"].as_f64().unwrap() - 2.0 / 3.0).abs() < 0.01);
    assert_eq!(tasks["per_class"]["Visitor"]["tasks"]["look"]["ratio"], 1.0);
    assert_eq!(ui.get("/worker-count").json(), json!({ "worker_count": 0 }));
    let lines = ui.get("/logs").json();
    assert!(!lines["master"].as_array().unwrap().is_empty());
    assert_eq!(lines["workers"], json!({}));

    // Editing: Locust's form has all its fields.
    let edit = format!(
        "user_count=5&spawn_rate=50&host={host}&run_time=&user_classes=Shopper&user_classes=Visitor"
    );
    ui.form("/swarm", "user_count=5&spawn_rate=50").status(200);
    ui.until("/stats/requests", |now| {
        (now["user_count"] == 5).then_some(())
    });
    assert_eq!(ui.api("state")["generation"], 1);
    let answer = ui.form("/swarm", &edit).status(200).json();
    assert_eq!(answer["user_classes"], json!(["Shopper", "Visitor"]));

    assert_eq!(ui.get("/stats/reset").status(200).text(), "ok");
    let head = &ui.api("snapshot")["marks"];
    let kinds: Vec<_> = head
        .as_array()
        .unwrap()
        .iter()
        .map(|mark| mark["kind"].clone())
        .collect();
    assert!(kinds.contains(&json!("reset")), "{kinds:?}");
    assert_eq!(ui.form("/stats/reset", "").status(200).text(), "ok");

    for path in [
        "/stats/requests/csv",
        "/stats/failures/csv",
        "/exceptions/csv",
        "/stats/requests_full_history/csv",
    ] {
        let file = ui.get(path).status(200);
        let name = file.header("content-disposition").unwrap();
        assert!(
            name.starts_with("attachment; filename=\"katydid_"),
            "{name}"
        );
        assert!(name.contains("_script_127.0.0.1-"), "{name}");
        assert!(file.text().contains("\r\n"), "{path}");
    }
    let stopped = ui.get("/stop").status(200).json();
    assert_eq!(
        stopped,
        json!({ "success": true, "message": "Test stopped" })
    );
    assert_eq!(ui.figures()["state"], "stopped");
    // Locust stops what does not run as well.
    ui.form("/stop", "").status(200);
    ui.form("/swarm", "user_count=1&spawn_rate=1").status(200);
    assert_eq!(ui.api("state")["run"], 2);
    ui.ends();
}

#[test]
fn a_wrong_value_is_named_and_starts_nothing() {
    let ui = Ui::of(SCRIPT, "");
    for (fields, message) in [
        ("", "Missing user_count or spawn_rate from /swarm request"),
        (
            "user_count=1",
            "Missing user_count or spawn_rate from /swarm request",
        ),
        (
            "user_count=x&spawn_rate=1",
            "user_count: a whole number from 0 is expected",
        ),
        ("user_count=1&spawn_rate=0", "spawn_rate: "),
        (
            "user_count=1&spawn_rate=1&run_time=fast",
            "Valid run_time formats are : 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc.",
        ),
        ("user_count=1&spawn_rate=1&language=xx", "params: "),
        (
            "user_count=1&spawn_rate=1&langauge=en",
            "langauge: there is no field",
        ),
        ("user_count=1&spawn_rate=1&user_classes=Nobody", "classes: "),
        (
            "user_count=1&spawn_rate=1&shape_class=Wave",
            "shape_class: ",
        ),
        ("user_count=1&spawn_rate=1&host=nowhere", "host: "),
    ] {
        let refused = ui.form("/swarm", fields).status(422).json();
        let said = refused["message"].as_str().unwrap();
        assert!(said.starts_with(message), "{fields}: {said}");
        assert_eq!(refused["success"], false);
        assert_eq!(ui.state(), "ready", "{fields}");
    }
    ui.form("/swarm", "\u{fffd}").status(422);
    let bytes = ui.request("POST /swarm", &[], b"\xff\xfe");
    assert_eq!(bytes.status, 400);
    // What was wrong is not in the form of the next run.
    let form = ui.api("form");
    assert_eq!(form["wish"]["classes"], json!([]));
    assert!(!form["params"][0]["is_given"].as_bool().unwrap());
    ui.ends();
}

#[test]
fn attributes_of_a_class_are_set() {
    let ui = Ui::of(SCRIPT, "");
    let set = json!({ "user_class_name": "Shopper", "weight": 5 });
    assert_eq!(ui.json(201, "POST /user", &set), json!({}));
    let class = |name: &str| {
        let form = ui.api("form");
        let classes = form["classes"].as_array().unwrap();
        classes
            .iter()
            .find(|class| class["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(class("Shopper")["weight"], 5.0);
    for wrong in [
        json!({ "weight": 5 }),
        json!({ "user_class_name": "Nobody", "weight": 5 }),
        json!({ "user_class_name": "Shopper", "colour": "red" }),
        json!({ "user_class_name": "Shopper", "weight": "heavy" }),
    ] {
        ui.json(422, "POST /user", &wrong);
        assert_eq!(class("Shopper")["weight"], 5.0, "{wrong}");
    }
    // A thousand times is as once: what was set before is replaced.
    let mut client = ui.client();
    let body = set.to_string();
    for _ in 0..1_000 {
        client.send("POST /user", &[], body.as_bytes());
        client.reply("POST").status(201);
    }
    let command = ui.api("form")["preview"]["command"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(command.matches("--config-users").count(), 1, "{command}");
    ui.ends();
}

#[test]
fn a_shape_decides_the_users() {
    let shop = Shop::open();
    let script = format!(
        "{SCRIPT}\nshape(#{{ stages: [#{{ duration: \"300s\", users: 2, spawn_rate: 100 }}] }});"
    );
    let ui = Ui::of(&script, &format!("-H {}", shop.url()));
    let started = ui.form("/swarm", "").status(200).json();
    assert_eq!(
        started["message"],
        "Swarming started using shape class 'Script'"
    );
    ui.reaches("running");
    assert_eq!(ui.api("snapshot")["is_shape"], true);
    let refused = ui
        .form("/swarm", "user_count=9&spawn_rate=9")
        .status(409)
        .json();
    assert_eq!(
        refused["message"],
        "There is an ongoing shape test running. Editing is disabled"
    );
    let refused = ui.json(409, "PATCH /api/v1/run", &json!({ "users": 9 }));
    assert_eq!(refused["field"], "users");
    assert!(
        refused["detail"].as_str().unwrap().contains("shape"),
        "{refused}"
    );
    ui.until("/api/v1/state", |now| (now["asked"] == 2).then_some(()));
    // Leaving the shape and how many there are then is one change.
    let change = json!({ "use_shape": false, "users": 4, "spawn_rate": 100 });
    ui.json(202, "PATCH /api/v1/run", &change);
    ui.until("/api/v1/state", |now| (now["users"] == 4).then_some(()));
    let snapshot = ui.api("snapshot");
    assert_eq!(
        (&snapshot["is_shape"], &snapshot["ends_s"]),
        (&json!(false), &Value::Null)
    );
    ui.ends();
}
