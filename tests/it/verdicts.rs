//! The table "Verdicts and failures" of the language's description, row by row.
//!
//! Each script makes one sample or more; what counts is how the run reports them.

use crate::peer::{Nobody, Peer, Shop};
use crate::tool::{Finished, Tool, counted};

/// One iteration of a task with this body.
fn once(body: &str, peer: &impl Peer) -> Finished {
    Tool::task(body).args("-i 1").on(peer).run()
}

/// The errors of the one request of a row.
fn assert_errors(run: &Finished, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, error)| counted(name, error, 1))
        .collect();
    assert_eq!(run.document().errors(), expected, "{}", run.stderr);
}

#[test]
fn a_status_from_400_on_is_a_failure_with_locusts_text_and_the_task_goes_on() {
    let shop = Shop::open();
    let body = r#"
        let r = this.client.get("/status/404");
        print(r.status, r.ok, r.reason);
        this.client.get("/status/503");
        this.client.get("/status/399");"#;
    let run = once(body, &shop).code(1);
    assert_eq!(run.printed(), ["404 false Not Found"]);
    assert_errors(
        &run,
        &[
            (
                "/status/404",
                "404 Client Error: Not Found for url: /status/404",
            ),
            (
                "/status/503",
                "503 Server Error: Service Unavailable for url: /status/503",
            ),
        ],
    );
    assert_eq!(run.document().row("/status/399"), (1, 0));
    assert!(run.document().exceptions().is_empty());
}

#[test]
fn what_is_expected_is_the_only_right_answer() {
    let shop = Shop::open();
    let body = r#"
        this.client.get("/status/409", #{ expect: [200, 409] });
        this.client.get("/status/404", #{ expect: 404 });
        this.client.get("/hello", #{ expect: 201 });
        this.client.get("/status/500", #{ expect: [200, 409] });"#;
    let run = once(body, &shop).code(1);
    assert_errors(
        &run,
        &[
            ("/hello", "status 200, expected 201"),
            ("/status/500", "status 500, expected 200 or 409"),
        ],
    );
    assert_eq!(run.document().count("/total/requests"), 4);
}

#[test]
fn no_response_is_a_failure_with_status_0_and_an_error() {
    let body = r#"
        let r = this.client.get("/hello");
        print(r.status, r.ok, r.error);
        print(r.text, r.json("/a"), r.header("x"), r.length);"#;
    let run = once(body, &Nobody::there()).code(1);
    assert_eq!(run.printed()[0], "0 false connection refused");
    assert_errors(&run, &[("/hello", "connection refused")]);
    assert!(run.document().exceptions().is_empty());
}

#[test]
fn the_last_word_of_the_script_counts() {
    let shop = Shop::open();
    let cases = [
        (r#"r.failure("empty");"#, Some("empty")),
        (r#"r.failure("empty"); r.success();"#, None),
        (r#"r.success(); r.failure("empty");"#, Some("empty")),
        (r#"r.failure("one"); r.failure("two");"#, Some("two")),
        (r#"r.check("is fine", r.status == 200);"#, None),
        (
            r#"r.check("is fine", r.status == 201);"#,
            Some("check failed: is fine"),
        ),
        (r#"if !r.check("a", false) { r.success(); }"#, None),
        (r#"r.expect(r.status == 200, "why");"#, None),
        (r#"r.expect(r.status == 201, "why");"#, Some("why")),
    ];
    for (verdict, error) in cases {
        let body = format!("let r = this.client.get(\"/hello\");\n{verdict}");
        let run = once(&body, &shop).code(i32::from(error.is_some()));
        let expected: Vec<_> = error.iter().map(|error| ("/hello", *error)).collect();
        assert_errors(&run, &expected);
        assert_eq!(run.document().row("/hello").0, 1, "{verdict}");
        assert!(run.document().exceptions().is_empty(), "{verdict}");
    }
}

#[test]
fn a_wrong_status_may_be_forgiven() {
    let shop = Shop::open();
    let run = once(r#"this.client.get("/status/500").success();"#, &shop).code(0);
    assert_eq!(run.document().row("/status/500"), (1, 0));
}

#[test]
fn a_check_goes_on_and_an_expectation_ends_the_task() {
    let shop = Shop::open();
    let check = r#"this.client.get("/hello").check("a", false); print("on");"#;
    assert_eq!(once(check, &shop).code(1).printed(), ["on"]);
    let expect = r#"this.client.get("/hello").expect(false, "b"); print("on");"#;
    let run = once(expect, &shop).code(1);
    assert!(run.printed().is_empty());
    assert_eq!(run.document().count("/iterations/finished"), 1);
}

#[test]
fn a_throw_with_an_open_verdict_fails_the_sample_and_counts_an_exception() {
    let shop = Shop::open();
    let body = "this.client.get(\"/headers\");\nthis.client.get(\"/hello\");\nthrow \"broken\";";
    let run = once(body, &shop).code(1);
    assert_errors(&run, &[("/hello", "script error: broken")]);
    assert_eq!(
        run.document().exceptions(),
        [counted("broken", "script.rhai:4:1", 1)]
    );
    // The one before had been closed by the second request.
    assert_eq!(run.document().row("/headers"), (1, 0));
}

#[test]
fn a_run_time_error_does_the_same() {
    let shop = Shop::open();
    let body = "let r = this.client.get(\"/hello\");\nlet n = r.json(\"/a\") + 1;";
    let run = once(body, &shop).code(1);
    let exceptions = run.document().exceptions();
    assert_eq!(exceptions.len(), 1);
    assert_eq!(exceptions[0].1, "script.rhai:3:22", "{exceptions:?}");
    assert_eq!(
        run.document().errors()[0].1,
        format!("script error: {}", exceptions[0].0)
    );
}

#[test]
fn a_throw_without_an_open_verdict_fails_no_sample_and_the_next_task_follows() {
    let shop = Shop::open();
    let body = r#"this.client.get("/hello"); sleep(0.001); print("in"); throw "broken";"#;
    let run = Tool::task(body).args("-i 3").on(&shop).run().code(1);
    assert_eq!(run.printed(), ["in"; 3]);
    let document = run.document();
    assert_eq!(document.row("/hello"), (3, 0));
    assert_eq!(
        document.exceptions(),
        [counted("broken", "script.rhai:2:55", 3)]
    );
    assert_eq!(document.count("/iterations/finished"), 3);
}

#[test]
fn what_a_script_catches_is_no_exception() {
    let shop = Shop::open();
    let body = r#"
        this.client.get("/hello");
        try { throw "mine"; } catch (e) { print("caught", e); }"#;
    let run = once(body, &shop).code(0);
    assert_eq!(run.printed(), ["caught mine"]);
    assert_eq!(run.document().row("/hello"), (1, 0));
}

#[test]
fn a_late_verdict_is_an_error_that_names_the_line_that_closed_it() {
    let shop = Shop::open();
    for (between, line) in [("this.client.get(\"/headers\");", 3), ("sleep(0.001);", 3)] {
        let body = format!("let r = this.client.get(\"/hello\");\n{between}\nr.failure(\"late\");");
        let run = once(&body, &shop).code(1);
        let exceptions = run.document().exceptions();
        let expected = format!(
            "the verdict on the request in line 2 came too late: it was closed in line {line}"
        );
        assert_eq!(exceptions.len(), 1);
        assert_eq!(exceptions[0].0, expected);
        // The sample keeps what it was recorded as.
        assert_eq!(run.document().row("/hello"), (1, 0));
    }
}

#[test]
fn a_verdict_may_not_outlive_its_task() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            state: #{ last: () },
            t: task(|| {
                if this.last != () { this.last.failure("of before"); }
                this.last = this.client.get("/hello");
            }),
        });"#;
    let run = Tool::running(script).args("-i 2").on(&shop).run().code(1);
    let document = run.document();
    assert_eq!(document.row("/hello"), (1, 0));
    let exceptions = document.exceptions();
    assert!(exceptions[0].0.contains("came too late"), "{exceptions:?}");
}

#[test]
fn exit_codes_say_how_it_went() {
    let shop = Shop::open();
    let cases = [
        (r#"this.client.get("/hello");"#, "", 0),
        (r#"this.client.get("/status/500");"#, "", 1),
        (r#"throw "broken";"#, "", 1),
        (
            r#"this.client.get("/status/500");"#,
            "--exit-code-on-error 42",
            42,
        ),
        (r#"throw "broken";"#, "--exit-code-on-error 0", 0),
        (r#"exit_code(7);"#, "", 7),
        // The script's word is final.
        (r#"exit_code(0); this.client.get("/status/500");"#, "", 0),
        (
            r#"exit_code(7); exit_code(9); throw "broken";"#,
            "--exit-code-on-error 42",
            9,
        ),
    ];
    for (body, arguments, code) in cases {
        Tool::task(body)
            .args("-i 1")
            .args(arguments)
            .on(&shop)
            .run()
            .code(code);
    }
}
