//! `katydid debug`: one user, everything it does, in the order in which it happens.
//!
//! What each event looks like is tested where it is drawn; here it is what is shown of a real run.

use crate::peer::{Peer, Shop};
use crate::tool::{Finished, Tool};

const SCRIPT: &str = r#"
    const TOKEN = param("token", "s3cr3t-token", #{ secret: true });
    user("Shopper", #{
        on_start: || { this.client.headers["Authorization"] = `Bearer ${TOKEN}`; },
        browse: task(|| {
            print("looking");
            let r = this.client.post(`/anything?key=${TOKEN}`, #{ json: #{ word: TOKEN, n: 7 } });
            r.check("teapot", r.status == 418);
            this.client.get("/redirect/1");
            [1][5];
        }),
        on_stop: || { print("bye"); },
    });
    user("Lost", #{
        host: "http://127.0.0.1:1",
        away: task(|| { this.client.get("/x"); }),
    });
    user("Fine", #{ hello: task(|| { this.client.get("/hello"); }) });
"#;

fn debugging(arguments: &str) -> Tool {
    Tool::new()
        .file("script.rhai", SCRIPT)
        .args("debug script.rhai")
        .args(arguments)
}

/// Fails unless all these texts were shown, one after the other.
fn shows(run: &Finished, texts: &[&str]) {
    let mut rest = run.stdout.as_str();
    for text in texts {
        let Some(at) = rest.find(text) else {
            panic!(
                "`{text}` is missing or too early:\n{}\n{}",
                run.stdout, run.stderr
            );
        };
        rest = &rest[at + text.len()..];
    }
}

#[test]
fn one_iteration_is_shown_as_it_happens() {
    let shop = Shop::open();
    let run = debugging("--body 1000").on(&shop).run().code(1);
    shows(
        &run,
        &[
            "Shopper 0: `on_start`",
            "Shopper 0: the task `browse`",
            "script.rhai:6: looking",
            "POST http://127.0.0.1:",
            "/anything?key=***",
            "> content-type: application/json",
            "> authorization: ***",
            "> {\"n\":7,\"word\":\"***\"}",
            "< HTTP/1.1 200 OK",
            "< content-type: application/json",
            "\"json\":{\"n\":7,\"word\":\"***\"}",
            " ms: blocked ",
            " dns ",
            " connect ",
            " tls ",
            " send ",
            " wait ",
            " receive ",
            "✗ POST /anything?key=***: failure: check failed: teapot",
            "/redirect/1\n",
            "< HTTP/1.1 302 Found",
            "< location: /redirect/0",
            "/redirect/0\n",
            "< HTTP/1.1 200 OK",
            "✗ GET /redirect/1: failure: script error: array index 5 out of bounds",
            "error: array index 5 out of bounds",
            "script.rhai:10:",
            "[1][5];",
            "^",
            "Shopper 0: `on_stop`",
            "bye",
        ],
    );
    let all = format!("{}{}", run.stdout, run.stderr);
    assert!(!all.contains("s3cr3t"), "{all}");
    assert!(
        !run.stdout.contains('\u{1b}'),
        "NO_COLOR is set: {}",
        run.stdout
    );
    assert_eq!(shop.count("/anything"), 1);
}

#[test]
fn another_class_may_be_run_more_than_once() {
    let shop = Shop::open();
    let run = debugging("Fine -i 3").on(&shop).run().code(0);
    assert_eq!(run.stdout.matches("the task `hello`").count(), 3);
    assert_eq!(run.stdout.matches("✓ GET /hello: success").count(), 3);
    assert_eq!(shop.count("/hello"), 3);
}

#[test]
fn requests_of_a_further_client_are_shown_too() {
    let (shop, other) = (Shop::open(), Shop::open());
    let script = format!(
        r#"user("U", #{{ t: task(|| {{
            let api = http_client(#{{ host: "{}", auth: ["a", "b"] }});
            api.post("/echo", #{{ body: "ping" }});
        }}) }});"#,
        other.url()
    );
    let run = Tool::new()
        .file("script.rhai", &script)
        .args("debug script.rhai --body 100")
        .on(&shop)
        .run()
        .code(0);
    shows(
        &run,
        &[
            &format!("POST {}/echo", other.url()),
            "> authorization: ***",
            "> ping",
            "< HTTP/1.1 200 OK",
            "✓ POST /echo: success",
        ],
    );
    assert_eq!((shop.count("/echo"), other.count("/echo")), (0, 1));
}

#[test]
fn a_request_that_is_not_answered_is_shown_too() {
    let run = debugging("Lost").run().code(1);
    shows(
        &run,
        &[
            "  GET /x\n",
            "connection refused",
            "✗ GET /x: failure: connection refused",
        ],
    );
}

#[test]
fn as_much_of_a_body_is_shown_as_is_asked_for() {
    let shop = Shop::open();
    let run = debugging("Fine --body 5").on(&shop).run().code(0);
    shows(&run, &["< Hello\n", "(5 of 14 bytes shown)"]);
    let run = debugging("Fine --body 0").on(&shop).run().code(0);
    shows(&run, &["(0 of 14 bytes shown)"]);
    assert!(!run.stdout.contains("Hello"), "{}", run.stdout);
}

#[test]
fn tasks_and_classes_are_selected_as_for_a_run() {
    let shop = Shop::open();
    let script = r#"
        user("A", #{
            fast: task(#{ tags: ["fast"] }, || { this.client.get("/hello"); }),
            slow: task(#{ tags: ["slow"] }, || { this.client.get("/delay/1"); }),
        });
        user("B", #{ echo: task(|| { this.client.get("/echo"); }) });
    "#;
    let of = |arguments: &str| {
        let tool = Tool::new().file("script.rhai", script);
        let tool = tool.args("debug script.rhai -i 20").args(arguments);
        let run = tool.on(&shop).run().code(0);
        let rows = ["/hello", "/delay/1", "/echo"];
        rows.map(|path| {
            run.stdout
                .matches(&format!("✓ GET {path}: success"))
                .count()
        })
    };
    assert_eq!(of("--tags fast"), [20, 0, 0]);
    assert_eq!(of("--exclude-tags fast"), [0, 20, 0]);
    let none_of_a = r#"[{"user_class_name":"A","weight":0,"tasks":["slow"]}]"#;
    let config = format!("--config-users {none_of_a}");
    assert_eq!(of(&config), [0, 0, 20]);
    assert_eq!(of(&format!("A {config}")), [0, 20, 0]);
    Tool::new()
        .file("script.rhai", script)
        .args("debug script.rhai --tags quick")
        .run()
        .code(2)
        .says(&["there is no tag `quick`"]);
}

#[test]
fn a_streamed_body_is_shown_as_far_as_it_was_read() {
    let shop = Shop::open();
    let debug = |body: &str, arguments: &str| {
        let script = format!(
            "const T = param(\"t\", \"line 2\", #{{ secret: true }});
            user(\"U\", #{{ t: task(|| {{ {body} }}) }});"
        );
        let tool = Tool::new().file("script.rhai", &script);
        let tool = tool.args("debug script.rhai").args(arguments);
        tool.on(&shop).run().code(0)
    };
    let some = r#"
        let r = this.client.get("/stream/3", #{ stream: true, name: "s" });
        for line in r.lines() { }
        print("read");"#;
    let run = debug(some, "");
    let title = "GET s: the body as far as it was read";
    shows(
        &run,
        &[
            "< HTTP/1.1 200 OK",
            "read",
            title,
            "< line 1\n  < ***\n  < line 3\n  = ",
            "✓ GET s",
        ],
    );
    let run = debug(some, "--body 8");
    shows(
        &run,
        &[title, "< line 1\n  < *\n", "(8 of 18 bytes shown)\n"],
    );
    assert!(!run.stdout.contains("line 3"), "{}", run.stdout);
    // What is read after the verdict is shown as it comes.
    let late = r#"
        let r = this.client.get("/stream/2", #{ stream: true, name: "s" });
        sleep(0);
        print(r.text.len());"#;
    let run = debug(late, "");
    shows(&run, &["✓ GET s: success", title, "< line 1"]);
    let none = r#"this.client.get("/stream/2", #{ stream: true, name: "s" });"#;
    let run = debug(none, "");
    assert!(!run.stdout.contains(title), "{}", run.stdout);
}

#[test]
fn what_cannot_be_run_is_said() {
    debugging("Shoper")
        .run()
        .code(2)
        .says(&["no user class `Shoper`", "did you mean `Shopper`?"]);
    Tool::new()
        .args("debug gone.rhai")
        .run()
        .code(2)
        .says(&["gone.rhai", "there is no such file"]);
    Tool::new()
        .file("wrong.rhai", "user(\"A\", #{ wieght: 1, t: task(|| {}) });")
        .args("debug wrong.rhai")
        .run()
        .code(2)
        .says(&["did you mean `weight`?"]);
}
