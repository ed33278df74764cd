//! Parameters of a script and the rate of users: what the form knows of them, and values that are
//! refused by the command line, by the script and while a person types, in the same words.

use serde_json::json;

use super::Ui;
use crate::tool::Tool;

const SCRIPT: &str = r#"
const PAGES = param("pages", 3, #{ help: "Of a visit" });
const FACTOR = param("factor", 1.5);
const POLITE = param("polite", false);
const GREETING = param("greeting", "12");
const LANGUAGE = param("language", "en", #{ choices: ["en", "ko"] });
const LEVEL = param("level", 2, #{ choices: [1, 2, 3] });
const SIZES = param("sizes", [1, 2]);
const SECTIONS = param("sections", ["new"], #{ choices: ["new", "old"] });
const PIN = param("pin", 1234, #{ secret: true });
user("U", #{ wait_time: 0.1, t: task(|| {
    record(#{ type: "x", response_time: 1,
        name: `${PAGES} ${FACTOR} ${POLITE} ${GREETING} ${LANGUAGE} ${LEVEL} ${SIZES} ${SECTIONS}` });
}) });
"#;

/// A run without a browser.
fn headless(script: &str) -> Tool {
    let tool = Tool::new().file("script.rhai", script);
    tool.args("-f script.rhai --headless")
}

#[test]
fn the_form_knows_their_types() {
    let ui = Ui::of(SCRIPT, "-u 1");
    let form = ui.api("form");
    let params = form["params"].as_array().unwrap().iter();
    let known: Vec<_> = params
        .map(|param| ["name", "type", "default"].map(|field| param[field].as_str().unwrap()))
        .collect();
    assert_eq!(
        known,
        [
            ["pages", "integer", "3"],
            ["factor", "number", "1.5"],
            ["polite", "bool", "false"],
            // A text, whatever it looks like.
            ["greeting", "text", "12"],
            ["language", "choice", "en"],
            ["level", "choice", "2"],
            ["sizes", "list", "1, 2"],
            ["sections", "choices", "new"],
            ["pin", "integer", ""],
        ]
    );
    assert_eq!(form["params"][8]["is_secret"], true);
    ui.ends().code(0);
}

#[test]
fn a_wrong_value_is_refused_while_it_is_typed_and_named() {
    let ui = Ui::of(SCRIPT, "-u 1 -r 100");
    for (name, value, words) in [
        ("pages", "abc", "`abc` is not a whole number"),
        ("pages", "1.5", "`1.5` is not a whole number"),
        ("factor", "x", "`x` is not a number"),
        ("polite", "yes", "`yes` is not `true` or `false`"),
        ("language", "xx", "it is one of: en, ko"),
        ("level", "4", "it is one of: 1, 2, 3"),
        ("sizes", "1,b", "`b` is not a whole number"),
        ("sections", "new,sale", "it is one of: new, old"),
        ("pin", "hunter2", "what was given is not a whole number"),
    ] {
        let detail = format!("the parameter `{name}`: {words}");
        let wish = json!({ "params": { name: value } });
        for request in ["POST /api/v1/check", "POST /api/v1/runs"] {
            let refused = ui.json(422, request, &wish);
            let told = ["field", "param", "detail"].map(|field| &refused[field]);
            assert_eq!(told, ["params", name, &detail], "{request} {wish}");
        }
        // In the terminal and from the script's own top level it is the same.
        if name != "pin" {
            let run = headless(SCRIPT).arg("-p").arg(&format!("{name}={value}"));
            run.run().code(2).says(&[&detail]);
        }
    }
    let right = json!({ "params": {
        "pages": 7, "factor": "2", "polite": "true", "greeting": "hi", "language": "ko",
        "level": "03", "sizes": "4, 5", "sections": "old,new", "pin": "99",
    } });
    ui.json(200, "POST /api/v1/check", &right);
    ui.starts(&right);
    let refused = ui.json(
        422,
        "PATCH /api/v1/run",
        &json!({ "params": { "pages": "x" } }),
    );
    assert_eq!(refused["param"], "pages");
    ui.until("/api/v1/snapshot", |now| {
        let names = now["names"].as_array()?;
        let wanted = "7 2.0 true hi ko 3 [4, 5] [\"old\", \"new\"]";
        names.iter().any(|name| name[3] == wanted).then_some(())
    });
    assert!(!ui.api("logs").to_string().contains("hunter2"));
    ui.ends().code(0);
}

#[test]
fn a_wrong_parameter_of_the_command_line_is_mended_in_the_browser() {
    // It is mended in the browser, without a new start.
    let ui = Ui::of(SCRIPT, "-u 1 -r 100 -p pages=abc");
    assert_eq!(ui.api("state")["script_ok"], false);
    ui.starts(&json!({ "params": { "pages": "5" } }));
    assert_eq!(ui.api("state")["script_ok"], true);
    ui.ends().code(0);
}

#[test]
fn rates_at_which_no_second_user_would_come_are_refused_everywhere() {
    let words = "is too slow: users are started at one a day (0.0000116 a second) or faster";
    let idle = "user(\"U\", #{ t: task(|| 0) });";
    let ui = Ui::of(idle, "-u 2");
    for request in ["POST /api/v1/check", "POST /api/v1/runs"] {
        let refused = ui.json(422, request, &json!({ "spawn_rate": 1e-300 }));
        assert_eq!(refused["field"], "spawn_rate");
        assert_eq!(refused["detail"], format!("`1e-300` {words}"));
    }
    let form = b"user_count=2&spawn_rate=0.00001";
    let refused = ui.request("POST /swarm", &[], form).status(422).json();
    assert_eq!(refused["message"], format!("spawn_rate: `1e-5` {words}"));
    let slowest = ui.json(
        200,
        "POST /api/v1/check",
        &json!({ "spawn_rate": 0.0000116 }),
    );
    assert_eq!(slowest["plan"]["peak"], 2);
    ui.ends().code(0);

    let run = headless(idle).args("-u 2 -r 0.00001").run();
    run.code(2).says(&[&format!("`0.00001` {words}")]);
    for declared in [
        "options(#{ users: 2, spawn_rate: 1e-300 });",
        "shape(#{ stages: [#{ duration: \"1m\", users: 2, spawn_rate: 1e-300 }] });",
        "shape(\"constant\", #{ users: 2, duration: \"1m\", spawn_rate: 1e-300 });",
    ] {
        let run = headless(&format!("{declared}\n{idle}")).run();
        run.code(2).says(&["`spawn_rate`: `1e-300`", words]);
    }
}
