//! The other commands, and where options come from: `check`, `new`, `demo`, `target`, environment.
//!
//! What `check` finds in a script is tested where it is found.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::peer::{Peer, Shop};
use crate::tool::Tool;

const HELLO: &str = r#"user("U", #{ t: task(|| { this.client.get("/hello"); }) });"#;
const WRONG: &str =
    "user(\"U\", #{\n    wiat_time: 1,\n    t: task(|| { thsi.client.get(\"/\"); }),\n});";

#[test]
fn check_tells_what_is_wrong_without_running() {
    let fine = Tool::new()
        .file("a.rhai", HELLO)
        .args("check a.rhai")
        .run()
        .code(0);
    assert!(fine.says(&["a.rhai is fine"]).stdout.is_empty());
    let wrong = Tool::new()
        .file("a.rhai", WRONG)
        .args("check a.rhai")
        .run()
        .code(2);
    let wrong = wrong.says(&["wiat_time", "a.rhai:2:5"]);
    assert!(wrong.stdout.is_empty());
}

#[test]
fn check_speaks_json_to_editors() {
    let findings = |script: &str, code: i32| {
        let run = Tool::new()
            .file("a.rhai", script)
            .args("check --json a.rhai")
            .run()
            .code(code);
        serde_json::from_str::<Vec<Value>>(&run.stdout).unwrap()
    };
    assert!(findings(HELLO, 0).is_empty());
    let wrong = findings(WRONG, 2);
    let first = &wrong[0];
    assert_eq!(first["severity"], "error");
    assert_eq!(
        (&first["file"], &first["line"]),
        (&"a.rhai".into(), &2.into())
    );
    assert!(
        first["message"].as_str().unwrap().contains("wiat_time"),
        "{first}"
    );
}

#[test]
fn new_writes_a_script_that_runs_and_overwrites_nothing() {
    let shop = Shop::open();
    let written = Tool::new()
        .args("new mine.rhai")
        .run()
        .code(0)
        .says(&["wrote mine.rhai"]);
    let text = std::fs::read_to_string(written.path("mine.rhai")).unwrap();
    let run = Tool::new()
        .file("mine.rhai", &text)
        .args("-f mine.rhai -u 3 -r 10 -i 10 --headless --json")
        .on(&shop)
        .run()
        .code(0);
    let document = run.document();
    assert_eq!(document.row("first visit"), (3, 0));
    assert_eq!(document.row("/hello").0 + document.row("/coupons").0, 10);
    Tool::new()
        .file("mine.rhai", &text)
        .args("check mine.rhai")
        .run()
        .code(0);

    let kept = Tool::new()
        .file("mine.rhai", "// mine")
        .args("new mine.rhai")
        .run()
        .code(2)
        .says(&["exists already", "hint:"]);
    assert_eq!(
        std::fs::read_to_string(kept.path("mine.rhai")).unwrap(),
        "// mine"
    );
    Tool::new()
        .args("new no/such/folder.rhai")
        .run()
        .code(2)
        .says(&["no/such/folder.rhai"]);
}

#[test]
fn the_demo_brings_its_own_server_and_shows_live_tables() {
    let mut run = Tool::new().args("demo").start();
    run.says("a coupon shop listens on http://127.0.0.1:");
    run.says("ramping to 50 users");
    // A live table, long before the end.
    run.says("/coupons/[id]/issue");
    run.interrupt();
    let run = run.finish().code(0).says(&["stopping users", "/logout"]);
    assert_eq!(run.stdout, "");
}

#[test]
fn the_target_says_where_it_is_and_stops_when_told() {
    for terminate in [false, true] {
        let mut run = Tool::new()
            .args("target --port 0 --stock 2 --threads 2")
            .start();
        let url = run.says("http://127.0.0.1:");
        let mut stream = TcpStream::connect(url.trim().trim_start_matches("http://")).unwrap();
        stream
            .write_all(b"GET /coupons HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("\"left\":2"),
            "{answer}"
        );
        if terminate {
            run.terminate();
        } else {
            run.interrupt();
        }
        let run = run.finish().code(0);
        assert_eq!(run.stdout, url);
    }
}

#[test]
fn a_taken_port_is_told() {
    let shop = Shop::open();
    let url = shop.url();
    let port = url.rsplit(':').next().unwrap();
    Tool::new()
        .args("target --port")
        .arg(port)
        .run()
        .code(2)
        .says(&["cannot listen", "--port 0"]);
}

#[test]
fn options_come_from_the_environment_too_and_the_command_line_wins() {
    let shop = Shop::open();
    let run = Tool::new()
        .file("other.rhai", HELLO)
        .env("KATYDID_SCRIPT", "other.rhai")
        .env("KATYDID_HOST", shop.url())
        .env("KATYDID_USERS", "3")
        .env("KATYDID_SPAWN_RATE", "100")
        .env("KATYDID_ITERATIONS", "9")
        .env("KATYDID_SEED", "11")
        .env("KATYDID_HEADLESS", "1")
        .env("KATYDID_ONLY_SUMMARY", "true")
        .args("--json -i 12")
        .run()
        .code(0);
    let document = run.document();
    assert_eq!(document.count("/users/asked"), 3);
    assert_eq!(document.count("/seed"), 11);
    assert_eq!(shop.counts().total, 12);
}

#[test]
fn scripts_set_options_that_the_command_line_overrides() {
    let shop = Shop::open();
    let script = format!(
        "options(#{{ users: 2, spawn_rate: 50, iterations: 6, seed: 5, host: \"{}\" }});\n{HELLO}",
        shop.url()
    );
    let document = Tool::running(&script).run().code(0).document();
    assert_eq!(
        (document.count("/users/asked"), document.count("/seed")),
        (2, 5)
    );
    assert_eq!(shop.counts().total, 6);
    let document = Tool::running(&script)
        .args("-u 1 --seed 6")
        .run()
        .code(0)
        .document();
    assert_eq!(
        (document.count("/users/asked"), document.count("/seed")),
        (1, 6)
    );
}

#[test]
fn parameters_are_given_by_name() {
    let script = r#"
        const LANGUAGE = param("language", "ko", #{ help: "Accept-Language to send" });
        let size = param("size", 1);
        user("U", #{ t: task(|| { print(LANGUAGE, size + 1); }) });"#;
    let run = |tool: Tool| tool.args("-i 1 -H http://127.0.0.1:1").run();
    assert_eq!(run(Tool::running(script)).code(0).printed(), ["ko 2"]);
    let given = Tool::running(script)
        .env("KATYDID_PARAM_LANGUAGE", "fr")
        .env("KATYDID_PARAM_SIZE", "4")
        .args("-p size=9 --param language=en=GB");
    assert_eq!(run(given).code(0).printed(), ["en=GB 10"]);
    let environment = Tool::running(script).env("KATYDID_PARAM_LANGUAGE", "fr");
    assert_eq!(run(environment).code(0).printed(), ["fr 2"]);

    run(Tool::running(script).args("-p langauge=en"))
        .code(2)
        .says(&["no parameter `langauge`", "language, size"]);
    run(Tool::running(script).args("-p size=big"))
        .code(2)
        .says(&["`big` is not a whole number", "-p size="]);
    run(Tool::running(script).args("-p size"))
        .code(2)
        .says(&["NAME=VALUE"]);
}

#[test]
fn required_parameters_and_choices_are_enforced() {
    let script = r#"
        let token = param("token", "", #{ required: true, secret: true });
        let size = param("size", "small", #{ choices: ["small", "large"] });
        user("U", #{ t: task(|| { print(token.len, size); }) });"#;
    let run = |arguments: &str| {
        let tool = Tool::running(script).args("-i 1 -H http://127.0.0.1:1");
        tool.args(arguments).run()
    };
    run("")
        .code(2)
        .says(&["`token`", "it must be given", "-p token=VALUE"]);
    run("-p token=abc -p size=huge")
        .code(2)
        .says(&["it is one of: small, large"]);
    assert_eq!(
        run("-p token=abc -p size=large").code(0).printed(),
        ["3 large"]
    );
}

#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    for line in [
        "check --json s.rhai",
        "-f s.rhai --list",
        "-f s.rhai --show-task-ratio",
        "-f s.rhai --show-task-ratio-json",
        "docs",
        "docs between",
        "completions bash",
        "--version",
        "--help",
        "check --help",
        "help check",
    ] {
        let run = Tool::into_a_full_device()
            .file("s.rhai", "user(\"U\", #{ t: task(|| 1) });")
            .args(line)
            .run();
        assert_eq!(run.code, Some(3), "{line}: {}", run.stderr);
        run.says(&["cannot write to stdout: No space left on device"]);
    }
}
