//! Deep calls and deep expressions: a script error with a place, never a crash.
//!
//! Each shape of recursion has frames of another size. The same tests hold in debug and release,
//! where both the frames and the stacks differ.

use super::*;
use crate::script::diagnostic::Colours;

/// An expression nested so deep: `(1+(1+(…)))`.
fn nested(depth: usize, innermost: &str) -> String {
    format!("{}{innermost}{}", "(1+".repeat(depth), ")".repeat(depth))
}

/// Scripts that recurse without end, and where their mistake must be said to be.
fn endless() -> Vec<(String, &'static str)> {
    let of = |helpers: &str, body: &str| format!("{}\n{helpers}", task(body));
    let mut all = vec![
        (of("fn f(n) { f(n + 1) }", "f(0)"), "s.rhai:1:27"),
        (of("fn f(n) { f(n + 1) }", "\n\n  f(0)"), "s.rhai:3:3"),
        (
            of("fn f(n) { 1 + f(n + 1) }", "let x = f(0);"),
            "s.rhai:1:35",
        ),
        (of("fn f(n) { let x = [1, f(n + 1)]; x[0] }", "f(0)"), ""),
        (of("fn f(n) { #{ a: #{ b: f(n + 1) } } }", "f(0)"), ""),
        (
            of(
                "fn f(n) { if n >= 0 { for i in 0..1 { loop { f(n + 1); } } } }",
                "f(0)",
            ),
            "",
        ),
        (
            of("fn f(n) { switch n { 0..1000 => { f(n + 1) } } }", "f(0)"),
            "",
        ),
        (
            of("fn f(n) { try { f(n + 1) } catch { } f(n + 1) }", "f(0)"),
            "",
        ),
        (of("fn f(n) { `${f(n + 1)} ${n}` }", "f(0)"), ""),
        (
            of("fn f(n) { g(n) } fn g(n) { f(n + 1) && true }", "f(0)"),
            "",
        ),
        (of("fn f(n) { [n].map(|x| f(x + 1)) }", "f(0)"), ""),
        (
            of("fn f(n) { [n].map(|x| [x].filter(|y| f(y + 1))) }", "f(0)"),
            "",
        ),
        (of("fn f(n) { [2, 1].reduce(|s, x| f(x), 0) }", "f(0)"), ""),
        (of("fn f(n) { #{ a: 1 }.filter(|k| f(1)) }", "f(0)"), ""),
        (of("fn f(n) { let g = || f(n + 1); g.call() }", "f(0)"), ""),
        (of("fn f(n) { Fn(\"f\").call(n + 1) }", "f(0)"), ""),
        (of("fn f(n) { call(Fn(\"f\"), n + 1) }", "f(0)"), ""),
        (
            of(
                "fn f(n) { this.call(Fn(\"f\"), n + 1) }",
                "this.call(Fn(\"f\"), 0)",
            ),
            "",
        ),
        (
            of("fn f(n) { to_json(parse_json(\"[1]\")); f(n + 1) }", "f(0)"),
            "",
        ),
        (of("fn f(n) { sleep(0.0); f(n + 1) }", "f(0)"), ""),
        (of("fn f(n) { n.f2() } fn f2() { f(this + 1) }", "f(0)"), ""),
    ];
    for depth in [20, 60, 115] {
        let inner = nested(depth, "f(n + 1)");
        all.push((of(&format!("fn f(n) {{ {inner} }}"), "f(0)"), ""));
    }
    let method = |body: &str, more: &str| {
        format!(
            "let k = 1;\nuser(\"U\", #{{ state: #{{ n: 0 }}, m: |x| {body}, {more} t: task(|| this.m(0)) }});"
        )
    };
    all.push((method("this.m(x + 1)", ""), ""));
    all.push((method("this.m(x + k)", ""), ""));
    all.push((
        method("{ this.n += 1; this.o(x) }", "o: |x| this.m(x + k),"),
        "",
    ));
    all.push((method("this.len(x + 1)", "len: |x| this.m(x),"), ""));
    all.push((
        method("this.filter(x + 1)", "filter: |x| this.m(x + k),"),
        "",
    ));
    all.push((method("this.t()", ""), ""));
    all
}

#[test]
fn endless_recursion_of_any_shape_is_a_mistake_with_a_place() {
    for (script, place) in endless() {
        let shown = script.clone();
        let (failure, again) = on_load_thread(async move || {
            let world = World::new(&script);
            (world.failure().await, world.failure().await)
        });
        assert!(
            failure.message.contains("nested too deep"),
            "{shown}: {failure:?}"
        );
        assert!(failure.position.is_some(), "{shown}: {failure:?}");
        assert!(
            place.is_empty() || failure.location() == place,
            "{shown}: {failure:?}"
        );
        assert_eq!(failure, again, "{shown}: the next user fares alike");
    }
}

#[test]
fn hooks_and_waits_are_no_exception() {
    for function in [Function::OnStart, Function::OnStop, Function::Wait] {
        let failure = on_load_thread(async move || {
            let world = World::new(
                "fn f(n) { [n].map(|x| f(x + 1)) }
                user(\"U\", #{
                    on_start: || f(1), on_stop: || f(2), wait_time: || f(3), t: task(|| 1),
                });",
            );
            match world.call(world.user(0), function).await.1 {
                Err(Ended::Failure(failure)) => failure,
                other => panic!("{other:?}"),
            }
        });
        assert!(failure.message.contains("nested too deep"), "{failure:?}");
        assert!(failure.location().starts_with("s.rhai:"), "{failure:?}");
    }
}

#[test]
fn native_functions_at_the_brink_have_stack_enough() {
    // Each level calls the function before it goes deeper: the last call is at the brink. The
    // value is nested about as deep as JSON may be.
    for native in [
        "to_json(deep)",
        "parse_json(text)",
        "deep.to_string()",
        "`${deep}`",
        "[3, 1, 2].sort(|a, b| a - b)",
        "log_info(deep)",
        "text.split(\",\")",
        "text.replace(\"1\", \"2\")",
        "\"x\".pad(1000, 'y')",
        "uuid()",
        "now_iso()",
        "sample([1, 2, 3], 2)",
        "deep == deep",
        "deep.contains(5)",
        "try { this.client.get(\"/\", #{ json: deep, headers: #{ a: 1 }, params: #{ b: 2 } }) } catch { }",
    ] {
        let script = format!(
            "fn f(n, deep, text) {{ {native}; f(n + 1, deep, text) }}
            user(\"U\", #{{ t: task(|| {{
                let deep = [1]; let text = \"[1\";
                for i in 0..120 {{ deep = [deep]; text += \",[1\"; }}
                for i in 0..121 {{ text += \"]\"; }}
                this.call(Fn(\"f\"), 0, deep, text)
            }}) }});"
        );
        // Method calls, so that `this` reaches all levels.
        let script = script.replace("; f(n + 1,", "; this.f(n + 1,");
        let failure = on_load_thread(async move || World::new(&script).failure().await);
        assert!(
            failure.message.contains("nested too deep"),
            "{native}: {failure:?}"
        );
    }
}

#[test]
fn expressions_250_deep_run_at_the_top_level_and_in_tasks() {
    let expression = nested(120, "0");
    let script = format!(
        "let top = {expression};\n{}",
        task(&format!("top + {expression}"))
    );
    assert!(!checked(&bundle(&[("s.rhai", &script)])).has_errors());
    let value = on_load_thread(async move || World::new(&script).value().await);
    assert_eq!(value, "240");
}

#[test]
fn expressions_deeper_than_256_are_a_mistake_of_the_load() {
    let script = task(&nested(130, "0"));
    let refused = on_load_thread(async move || refusal(&script));
    assert!(refused.contains("s.rhai:1:"), "{refused}");
    assert!(refused.to_lowercase().contains("complexity"), "{refused}");
}

#[test]
fn more_functions_than_the_parser_takes_in_time_are_a_mistake_of_the_load() {
    let script = format!("let all = [{}]; {}", "|| 1, ".repeat(5_001), task("1"));
    let findings = checked(&bundle(&[("s.rhai", &script)]));
    let first = findings.iter().next().unwrap().to_string();
    assert!(
        first.contains("more than 5,000 functions and closures"),
        "{first}"
    );
}

#[test]
fn more_keys_and_variables_than_the_parser_takes_in_time_are_mistakes_of_the_load() {
    let keys: String = (0..10_001).map(|n| format!("k{n}: 1, ")).collect();
    let lets: String = (0..5_001).map(|n| format!("let v{n} = 1; ")).collect();
    for (script, said) in [
        (format!("let all = #{{ {keys} }};"), "more than 10000 keys"),
        (lets.clone(), "more than 5,000 variables"),
        (format!("fn f() {{ {lets} }}"), "more than 5,000 variables"),
    ] {
        let script = format!("{script} {}", task("1"));
        let findings = checked(&bundle(&[("s.rhai", &script)]));
        let first = findings.iter().next().unwrap().to_string();
        assert!(first.contains(said), "{first}");
    }
}

#[test]
fn mistakes_without_number_are_told_up_to_a_bound() {
    for (mistake, most) in [("nope();", 1_010), ("print(nix);", 110)] {
        let script = task(&mistake.repeat(3_000));
        let findings = checked(&bundle(&[("s.rhai", &script)]));
        let count = findings.iter().count();
        assert!((100..most).contains(&count), "{mistake} {count}");
        let shown = findings.render(|_| None, Colours::Plain);
        assert!(shown.ends_with(&format!("and {} more", count - 100)) || count == 100);
    }
}

#[test]
fn sixty_calls_deep_is_no_mistake_when_the_frames_are_small() {
    let script = "fn sum(n) { if n == 0 { return 0; } n + sum(n - 1) }";
    let script = format!("{}\n{script}", task("sum(6)"));
    assert_eq!(
        on_load_thread(async move || World::new(&script).value().await),
        "21"
    );
}
