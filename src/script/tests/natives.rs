//! Every function that scripts can call, Rhai's and ours, with odd arguments of the types that it
//! takes: each call gives a value or a script error, never a panic.

use std::any::TypeId;
use std::ops::{Range, RangeInclusive};

use rhai::{Array, Dynamic, FnPtr, INT, Map, NativeCallContext, Position};

use super::*;
use crate::coroutine;

/// Combinations of arguments that a function is called with at most; of more every n-th is taken.
const MOST_CALLS: usize = 3_000;

/// What waits, ends the user, or writes files: tests of their own have these.
const LEFT_OUT: [&str; 10] = [
    "panics_as_a_test",
    "sleep",
    "append",
    "pop",
    "once",
    "wait_for",
    "stop_user",
    "stop_test",
    "interrupt",
    "reschedule",
];

/// Values of the user's own, which only a script makes.
const HANDLES: &str = "rows([1, #{ a: 2 }]);
    user(\"U\", #{ state: #{ kept: [] }, t: task(|| {
        let r = this.client.get(\"/hello\");
        this.kept = [this.client, this.client.headers, this.client.cookies, counter(\"c\"),
            metric(\"m\"), queue(\"q\"), r];
    }) });";

fn ints() -> Vec<Dynamic> {
    let odd = [
        0,
        1,
        -1,
        7,
        63,
        64,
        65,
        1 << 31,
        1 << 60,
        INT::MAX,
        INT::MIN,
    ];
    odd.map(Dynamic::from).to_vec()
}

fn floats() -> Vec<Dynamic> {
    let odd = [
        0.0,
        -1.0,
        0.5,
        1e300,
        1e-320,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    odd.map(Dynamic::from).to_vec()
}

fn texts() -> Vec<Dynamic> {
    let odd = [
        "",
        "a",
        "-1",
        "1e999",
        "%Q%9999Y%",
        "[[",
        "\u{0}\u{202e}€",
        "[1, {",
    ];
    let long = "ä".repeat(300).into();
    [odd.map(Dynamic::from).to_vec(), vec![long]].concat()
}

fn others() -> Vec<Dynamic> {
    let mut map = Map::new();
    map.insert("a".into(), Dynamic::from(-1_i64));
    let mixed = vec![Dynamic::UNIT, 1_i64.into(), "x".into(), f64::NAN.into()];
    let closure = FnPtr::new("no_such_function").unwrap();
    vec![
        Dynamic::UNIT,
        true.into(),
        'ß'.into(),
        Dynamic::from_array(Vec::new()),
        Dynamic::from_array(mixed.clone()),
        Dynamic::from_array(vec![mixed.into(); 2]),
        Dynamic::from_map(Map::new()),
        Dynamic::from_map(map),
        Dynamic::from_blob(Vec::new()),
        Dynamic::from_blob(vec![0, 255, 7]),
        closure.into(),
        Dynamic::from(Range {
            start: INT::MIN,
            end: INT::MAX,
        }),
        Dynamic::from(Range {
            start: 5_i64,
            end: -5,
        }),
        Dynamic::from(RangeInclusive::new(INT::MIN, INT::MAX)),
        Dynamic::from(RangeInclusive::new(-1_i64, 0)),
    ]
}

/// The values to try for a parameter of that type.
fn odd(kind: TypeId, handles: &[Dynamic]) -> Vec<Dynamic> {
    let all = || [ints(), floats(), texts(), others(), handles.to_vec()].concat();
    if kind == TypeId::of::<Dynamic>() {
        // Some of each: all would be too many for functions of three parameters.
        let every = |values: Vec<Dynamic>| values.into_iter().step_by(3).collect::<Vec<_>>();
        return [every(ints()), every(floats()), every(texts()), others()].concat();
    }
    let same = |value: &Dynamic| value.type_id() == kind;
    all().into_iter().filter(same).collect()
}

/// The n-th combination of one value of each list.
fn combination(mut n: usize, lists: &[Vec<Dynamic>]) -> Vec<Dynamic> {
    let pick = |list: &Vec<Dynamic>| {
        let value = list[n % list.len()].clone();
        n /= list.len();
        value
    };
    lists.iter().map(pick).collect()
}

/// All functions, by name and the types of their parameters.
fn functions(program: &Program) -> Vec<(String, Vec<TypeId>)> {
    let mut all = program.engine.collect_fn_metadata(
        None,
        |function| {
            let function = function.metadata;
            Some((function.name.to_string(), function.param_types.to_vec()))
        },
        true,
    );
    // Only `print` and its kin have more than four parameters, of any type.
    all.retain(|(name, types)| !LEFT_OUT.contains(&name.as_str()) && types.len() <= 4);
    all.sort();
    all.dedup();
    all
}

/// Calls a function with many combinations of odd arguments; gives the panics and counts the calls.
fn try_out(
    program: &Program,
    tag: &Dynamic,
    (name, types): &(String, Vec<TypeId>),
    handles: &[Dynamic],
) -> (usize, Vec<String>) {
    let lists: Vec<_> = types.iter().map(|kind| odd(*kind, handles)).collect();
    let count: usize = lists.iter().map(Vec::len).product();
    // A step that shares no factor with the lengths meets all values of all lists.
    let step = [1, 7, 41, 211, 1_009, 10_007, 100_003, 1_000_003]
        .into_iter()
        .find(|step| count / step <= MOST_CALLS)
        .unwrap_or(10_000_019);
    let mut global = program.engine.new_global_runtime_state();
    global.tag = tag.clone();
    let (mut calls, mut panics) = (0, Vec::new());
    for n in (0..count).step_by(step) {
        let mut arguments = combination(n, &lists);
        let shown = format!("{name}({arguments:?})");
        let panicked = coroutine::caught(|| {
            let mut arguments: Vec<_> = arguments.iter_mut().collect();
            let (engine, at) = (&program.engine, Position::NONE);
            let context = NativeCallContext::new_with_all_fields(engine, name, None, &global, at);
            let _ = context.call_native_fn_raw(name, true, &mut arguments);
        });
        calls += 1;
        panics.extend(panicked.err().map(|panic| format!("{shown}: {panic}")));
    }
    (calls, panics)
}

#[test]
fn no_function_panics_on_odd_arguments() {
    on_load_thread(async || {
        let target = target();
        let world = World::at(&target, HANDLES);
        let (user, answer) = world.call(world.user(0), Function::Task(0)).await;
        assert!(answer.is_ok(), "{answer:?}");
        let handles: Array = {
            let this = user.this.read_lock::<Map>().unwrap();
            this["kept"].clone().cast()
        };
        assert_eq!(handles.len(), 7);
        let program = world.program.clone();
        let tag = user.tag.clone();
        let tried = Coroutine::new(world.stacks.take().unwrap(), Label::default(), move || {
            let (mut calls, mut panics) = (0, Vec::new());
            for function in functions(&program) {
                let (more, wrong) = try_out(&program, &tag, &function, &handles);
                calls += more;
                panics.extend(wrong);
            }
            (calls, panics)
        });
        let (calls, panics) = tried.await;
        assert!(panics.is_empty(), "{}", panics.join("\n"));
        assert!(calls > 50_000, "{calls}");
    });
}

#[test]
fn an_array_is_sorted_whatever_its_closure_says() {
    let sorted = |call: &str| evaluated(&format!("let a = [3, 1, 2]; a.{call}; a"));
    assert_eq!(sorted("sort()"), "[1, 2, 3]");
    assert_eq!(sorted("sort_desc()"), "[3, 2, 1]");
    assert_eq!(sorted("sort(|a, b| b - a)"), "[3, 2, 1]");
    assert_eq!(sorted("sort_by(|a, b| a < b)"), "[1, 2, 3]");
    assert_eq!(sorted("sort(|a, b| (a - b) * 0.5)"), "[1, 2, 3]");
    assert_eq!(evaluated("[2, 1].order()"), "[1, 2]");
    assert_eq!(evaluated("[2, 1].order_by(|a, b| 0)"), "[2, 1]");
    assert_eq!(evaluated("let a = [1, 1, 2, 1]; a.dedup(); a"), "[1, 2, 1]");
    // The standard library panics at these.
    assert_eq!(
        evaluated("let a = []; for n in 0..200 { a.push(n); } a.sort(|a, b| -1); a.len"),
        "200"
    );
    assert_eq!(
        evaluated(
            "let nan = 0.0 / 0.0; let a = []; for n in 0..200 { a.push(if n % 3 == 0 { nan } \
             else { (n * 7919 % 200) * 1.0 }); } a.sort(); [a[0], a.len]"
        ),
        "[1.0, 200]"
    );
}

#[test]
fn a_panic_is_a_mistake_of_the_call_and_its_user_goes_on() {
    on_load_thread(async || {
        let script = "user(\"U\", #{ state: #{ n: 0 }, t: task(|| {
            this.n += 1;
            if this.n < 3 { try { panics_as_a_test(this.n == 1) } catch { } }
            `${vu_class()} ${this.n}`
        }) });";
        let world = World::new(script);
        let mut user = world.user(0);
        for _ in 0..2 {
            let (back, answer) = world.call(user, Function::Task(0)).await;
            user = back;
            match answer {
                Err(Ended::Failure(failure)) => assert_eq!(
                    failure.message,
                    "a bug of Katydid, please report it: as the test asked for"
                ),
                other => panic!("{other:?}"),
            }
        }
        let (_, answer) = world.call(user, Function::Task(0)).await;
        assert_eq!(answer.unwrap().to_string(), "U 3");
    });
}

#[test]
fn padding_with_nothing_ends() {
    let failure = failed("let a = \"a\"; a.pad(10, \"\"); 1");
    assert!(
        failure.message.contains("something to pad with"),
        "{failure:?}"
    );
    assert_eq!(evaluated("let a = \"ä\"; a.pad(6, \"xy\"); a"), "äxyxyx");
    assert_eq!(evaluated("let a = \"abc\"; a.pad(-1, \"\"); a"), "abc");
    assert_eq!(evaluated("let a = [1]; a.pad(3, [2]); a"), "[1, [2], [2]]");
    for item in ["1", "[1, [2, 3]]", "#{ a: blob(1000) }"] {
        for length in ["9223372036854775807", "90000000"] {
            let failure = failed(&format!("let a = [0]; a.pad({length}, {item}); 1"));
            assert!(failure.message.contains("too large"), "{failure:?}");
        }
    }
    let failure = failed("let a = \"a\"; a.pad(9223372036854775807, \"x\"); 1");
    assert!(failure.message.contains("too large"), "{failure:?}");
}

#[test]
fn chance_takes_no_numbers_that_make_no_sense() {
    for (call, said) in [
        (
            "exponential(-1)",
            "takes a mean, a finite number from 0, not -1",
        ),
        ("exponential(0.0 / 0.0)", "a finite number from 0, not NaN"),
        ("random(0.0 / 0.0, 1.0)", "both numbers must be finite"),
        ("random(0.0, 1.0 / 0.0)", "both numbers must be finite"),
        ("random(1.5, 0.5)", "the smaller number first"),
        ("random(0.0 / 0.0, 1)", "both numbers must be finite"),
        ("choice(#{ a: 1.0 / 0.0 })", "weights, numbers from 0"),
        ("sleep(1e300)", "too large for a duration"),
    ] {
        let message = failed(call).message;
        assert!(message.contains(said), "{call}: {message}");
    }
    assert_eq!(evaluated("exponential(0)"), "0.0");
    assert_eq!(
        evaluated("let x = random(-1.7e308, 1.7e308); x > -1.7e308 && x < 1.7e308"),
        "true"
    );
}

#[test]
fn a_mistake_in_a_closure_that_sorts_is_the_tasks() {
    let failure = failed("let a = [2, 1];\n a.sort(|a, b|\n throw \"boom\"); 1");
    assert_eq!(failure.message, "boom");
    assert_eq!(failure.position.map(|at| at.0), Some(3));
    let failure = failed("[2, 1].order(|a, b| \"x\")");
    assert!(failure.message.contains("not text"), "{failure:?}");
    let failure = failed("[2, \"a\"].sort()");
    assert!(failure.message.contains("different types"), "{failure:?}");
    let failure = failed("let a = [1, 2]; a.dedup(|a, b| throw \"boom\"); 1");
    assert_eq!(failure.message, "boom");
    let ended = on_load_thread(async || {
        let body = "let a = [2, 1]; try { a.sort(|a, b| stop_user()); } catch { } 1";
        format!("{:?}", World::with_task(body).run().await)
    });
    assert!(ended.contains("StopUser"), "{ended}");
}

#[test]
fn more_headers_than_fit_are_refused_where_a_script_sets_them() {
    let failure = failed("for n in 0..33000 {\n this.client.headers[`x-${n}`] = 1; }");
    assert_eq!(failure.message, "1001 headers are too many: at most 1000");
    assert_eq!(failure.position.map(|at| at.0), Some(2));
    let many = "let many = #{}; for n in 0..33000 { many[`x-${n}`] = 1; }";
    let said = refusal(&format!(
        "{many} user(\"U\", #{{ headers: many, t: task(|| 1) }});"
    ));
    assert!(said.contains("33000 headers are too many"), "{said}");
    for call in [
        "this.client.get(\"/\", #{ headers: many })",
        "http_client(#{ headers: many })",
        "let long = \"\"; long.pad(2000000, \"x\");
         this.client.get(\"/\", #{ cookies: #{ a: long } })",
    ] {
        let failure = failed(&format!("{many} {call}"));
        let message = &failure.message;
        assert!(
            message.contains("too many") || message.contains("too long"),
            "{failure:?}"
        );
    }
    assert_eq!(
        evaluated("let h = this.client.headers; for n in 0..3000 { h[`x-${n % 900}`] = n; } 1"),
        "1"
    );
}
