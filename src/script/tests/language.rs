//! The language's core at the top level: parameters, options, classes put together, and text.
//! What can be seen without running a script is tested with the load-time check.

use std::time::Duration;

use super::*;

fn compiled(script: &str, inputs: &Inputs) -> Program {
    match Program::compile(&bundle(&[("s.rhai", script)]), inputs) {
        Ok(program) => program,
        Err(problems) => panic!("{}", problems[0]),
    }
}

fn given(params: &[(&str, &str)]) -> Inputs {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Inputs {
        params: params.iter().map(owned).collect(),
        ..Inputs::default()
    }
}

fn value_given(body: &str, params: &[(&str, &str)]) -> String {
    let (script, inputs) = (
        format!("let p = {body};\n{}", task("`${type_of(p)} ${p}`")),
        given(params),
    );
    on_load_thread(async move || {
        World::of(&[("s.rhai", &script)], &inputs, None)
            .value()
            .await
    })
}

fn refused_given(body: &str, params: &[(&str, &str)]) -> String {
    let script = format!("let p = {body};\n{}", task("1"));
    let problems = Program::compile(&bundle(&[("s.rhai", &script)]), &given(params));
    problems.err().expect("it is refused")[0].to_string()
}

#[test]
fn parameters_have_the_type_of_their_default() {
    for (declared, value, expected) in [
        ("param(\"p\", 5)", None, "i64 5"),
        ("param(\"p\", 5)", Some("7"), "i64 7"),
        ("param(\"p\", 0.5)", Some("2"), "f64 2.0"),
        ("param(\"p\", false)", Some("true"), "bool true"),
        ("param(\"p\", \"a\")", Some("7"), "string 7"),
        ("param(\"p\", \"a\")", Some("ü 한"), "string ü 한"),
        (
            "param(\"p\", [\"a\", \"b\"])",
            Some("c,d"),
            "array [\"c\", \"d\"]",
        ),
        ("param(\"p\", [1, 2])", Some("3, 4"), "array [3, 4]"),
        ("param(\"p\", [])", Some(""), "array []"),
        (
            "param(\"p\", 5, #{ help: \"h\", choices: [5, 6] })",
            Some("6"),
            "i64 6",
        ),
        ("param(\"p\", 5, #{ required: true })", Some("9"), "i64 9"),
        (
            "param(\"p\", [\"a\"], #{ choices: [\"a\", \"b\", \"c\"] })",
            Some("a,c"),
            "array [\"a\", \"c\"]",
        ),
    ] {
        let params: Vec<_> = value.map(|value| ("p", value)).into_iter().collect();
        assert_eq!(
            value_given(declared, &params),
            expected,
            "{declared} {value:?}"
        );
    }
}

#[test]
fn wrong_parameters_are_mistakes_of_the_load() {
    for (declared, value, expected) in [
        (
            "param(\"p\", 5)",
            Some("x"),
            "the parameter `p`: `x` is not a whole number",
        ),
        (
            "param(\"p\", 5)",
            Some("1.5"),
            "`1.5` is not a whole number",
        ),
        ("param(\"p\", 0.5)", Some("x"), "`x` is not a number"),
        (
            "param(\"p\", true)",
            Some("yes"),
            "`yes` is not `true` or `false`",
        ),
        (
            "param(\"p\", 5, #{ choices: [5, 6] })",
            Some("7"),
            "it is one of: 5, 6",
        ),
        (
            "param(\"p\", [\"a\"], #{ choices: [\"a\", \"b\"] })",
            Some("a,z"),
            "it is one of: a, b",
        ),
        (
            "param(\"p\", [1])",
            Some("1,x"),
            "`x` is not a whole number",
        ),
        (
            "param(\"p\", \"\", #{ required: true })",
            None,
            "it must be given",
        ),
        (
            "param(\"p\", 1, #{ requird: true })",
            None,
            "no option `requird`",
        ),
        (
            "param(\"p\", 1) + param(\"p\", 2)",
            None,
            "`p` is declared twice",
        ),
        (
            "param(\"p\", 1, #{ secret: \"yes\" })",
            None,
            "`secret` is true or false",
        ),
    ] {
        let params: Vec<_> = value.map(|value| ("p", value)).into_iter().collect();
        let refused = refused_given(declared, &params);
        assert!(
            refused.contains(expected) && refused.contains("s.rhai:1:"),
            "{declared}: {refused}"
        );
    }
    assert!(
        !refused_given("param(\"p\", 1, #{ secret: true })", &[("p", "hunter2")])
            .contains("hunter2")
    );
}

#[test]
fn options_are_read_and_wrong_ones_refused() {
    let script = format!(
        "options(#{{ users: 10, spawn_rate: 2.5, run_time: \"1m30s\", iterations: 7, seed: 3,
            host: \"http://h\", stop_timeout: 5, on_stop_timeout: \"250ms\" }});\n{}",
        task("1")
    );
    let options = compiled(&script, &Inputs::default())
        .scenario()
        .options
        .clone();
    assert_eq!(
        (
            options.users,
            options.spawn_rate,
            options.iterations,
            options.seed
        ),
        (Some(10), Some(2.5), Some(7), Some(3))
    );
    assert_eq!(options.host.as_deref(), Some("http://h"));
    assert_eq!(
        (
            options.run_time,
            options.stop_timeout,
            options.on_stop_timeout
        ),
        (
            Some(Duration::from_secs(90)),
            Some(Duration::from_secs(5)),
            Some(Duration::from_millis(250))
        )
    );
    for (option, expected) in [
        ("users: -1", "whole number"),
        ("users: 99999999999", "too many"),
        ("spawn_rate: 0", "above zero"),
        ("run_time: \"soon\"", "run_time"),
        ("usres: 5", "no option `usres`"),
        ("thresholds: #{}", "not in this version"),
    ] {
        let refused = refusal(&format!("options(#{{ {option} }});\n{}", task("1")));
        assert!(refused.contains(expected), "{option}: {refused}");
    }
}

#[test]
fn the_top_level_is_the_same_on_every_thread() {
    let script = format!(
        "let n = now(); let e = env(\"WHERE\", \"none\"); let r = random(1, 1000000);
        log_info(n, e, r, now_iso() + ' ' + timestamp_ms());
        {}",
        task("[n, e, r]")
    );
    let inputs = Inputs {
        environment: [("WHERE".to_owned(), "here".to_owned())].into(),
        seed: 5,
        now_us: 1_700_000_000_250_000,
        ..Inputs::default()
    };
    let said: Vec<_> = (0..3)
        .map(|_| {
            let (script, inputs) = (script.clone(), inputs.clone());
            let thread =
                std::thread::spawn(move || compiled(&script, &inputs).said()[0].text.clone());
            thread.join().unwrap()
        })
        .collect();
    assert!(
        said[0].starts_with("1700000000.25 *** ")
            && said[0].contains("2023-11-14T22:13:20.25Z 1700000000250"),
        "{}",
        said[0]
    );
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    assert!(refusal("env(\"NOPE\")").contains("`NOPE` is not set"));
}

#[test]
fn extending_merges_state_and_replaces_the_rest() {
    let script = "let base = #{
            weight: 2, state: #{ a: 1, b: [1] }, one: || this.a, t: task(|| this.one() + this.b[0] + this.c) };
        user(\"A\", extend(base, #{ state: #{ a: 10, c: 100 }, one: || this.a + 1 }));
        user(\"B\", extend(base, #{ weight: 1, state: #{ c: 5 }, more: task(|| 1) }));";
    let (shares, first, second) = on_load_thread(async move || {
        let world = World::new(script);
        let classes = &world.program.scenario().classes;
        let shares: Vec<_> = classes
            .iter()
            .map(|class| (class.share.weight, class.tasks.len()))
            .collect();
        let first = world.value().await;
        let user = world.user_of(1, 0);
        let index = classes[1]
            .tasks
            .iter()
            .position(|task| task.name == "t")
            .unwrap();
        let second = world
            .call(user, Function::Task(index))
            .await
            .1
            .unwrap()
            .to_string();
        (shares, first, second)
    });
    assert_eq!(shares, [(2.0, 1), (1.0, 2)]);
    assert_eq!((first.as_str(), second.as_str()), ("112", "7"));
}

#[test]
fn tasks_that_cannot_be_called_are_refused() {
    for (class, expected) in [
        (
            "#{ t: task(|x| x) }",
            "s.rhai:1:26: the task `t` is called without arguments, but takes some",
        ),
        (
            "#{ t: task(\"gone\") }",
            "the task `t` is `gone`, but the script has no such function",
        ),
        (
            "#{ on_start: |x| x, t: task(|| 1) }",
            "`on_start` is called without arguments",
        ),
        (
            "#{ on_stop: |x| x, t: task(|| 1) }",
            "`on_stop` is called without arguments",
        ),
        (
            "#{ wait_time: |x| x, t: task(|| 1) }",
            "`wait_time` is called without arguments",
        ),
        ("#{ }", "has no task that could be picked"),
        ("#{ t: task(0, || 1) }", "has no task that could be picked"),
    ] {
        let refused = refusal(&format!("user(\"U\", {class});"));
        assert!(refused.contains(expected), "{class}: {refused}");
    }
}

#[test]
fn text_of_any_script_goes_through() {
    assert_eq!(
        evaluated(
            "let s = \"쿠폰 🎟 é\"; `${s.len()} ${s} ${to_json(s)} ${url_encode(\"é&\")} ${base64_decode(base64_encode(s)) == s}`"
        ),
        "6 쿠폰 🎟 é \"쿠폰 🎟 é\" %C3%A9%26 true"
    );
    let script = "user(\"방문자 é\", #{ state: #{ \"naïve\": 1 }, \"쿠폰 받기\": task(|| `${vu_class()} ${this[\"naïve\"]}`) });";
    let (name, value) = on_load_thread(async move || {
        let world = World::new(script);
        (
            world.program.scenario().classes[0].tasks[0].name.clone(),
            world.value().await,
        )
    });
    assert_eq!((name.as_str(), value.as_str()), ("쿠폰 받기", "방문자 é 1"));
    let failure = failed("let m = #{ \"é\": 1 }; throw `오류 ${m[\"é\"]}`");
    assert_eq!(
        (failure.message.as_str(), failure.location().as_str()),
        ("오류 1", "s.rhai:1:48")
    );
}
