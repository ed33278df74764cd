//! Classes, their keys and options; functions and imports of a bundle.
//!
//! What happens inside tasks is in `members`.

use insta::assert_snapshot;

use super::{lines, lines_of, rendered};

/// The findings in a class that has one task and these keys.
fn with_keys(keys: &str) -> String {
    lines(&format!("user(\"A\", #{{ run: task(|| {{}}), {keys} }});"))
}

#[test]
fn all_mistakes_are_shown_at_once() {
    let script = "\
user(\"HelloWorld\", #{
    connetcion_timeout: 10.0,
    tasks: [1, 2],
    hello: task(|| {
        let r = this.client.get(\"/hello\", #{ username: \"ann\" });
        this.tokn = r.jsn(\"/token\");
    }),
});";
    assert_snapshot!(rendered(script), @r#"
        error: unknown attribute `connetcion_timeout`
         --> s.rhai:2:5
          |
        2 |     connetcion_timeout: 10.0,
          |     ^^^^^^^^^^^^^^^^^^
          |
          = hint: did you mean `connection_timeout`?

        error: unknown attribute `tasks`
         --> s.rhai:3:5
          |
        3 |     tasks: [1, 2],
          |     ^^^^^
          |
          = hint: write each task as a key: `browse: task(3, || { … })`

        error: unknown request option `username`
         --> s.rhai:5:46
          |
        5 |         let r = this.client.get("/hello", #{ username: "ann" });
          |                                              ^^^^^^^^
          |
          = hint: did you mean `form: #{…}` (or `json`) around it, or `auth: ["user", "password"]`?

        error: unknown method `jsn`
         --> s.rhai:6:23
          |
        6 |         this.tokn = r.jsn("/token");
          |                       ^^^
          |
          = hint: did you mean `json`?
        "#);
}

#[test]
fn unknown_attributes_say_what_was_meant() {
    let cases = [
        "wait: between(1, 5)",
        "base_url: \"http://x\"",
        "timeout: 5",
        "min_wait: 1",
        "wieght: 2",
        "Host: \"x\"",
        "cart: []",
        "zebra: 1 + 1",
        "fixed_cuont: `${1}`",
        "on_end: 1",
        "client: 1",
        "state: #{ client: 1 }",
        "http: \"3\"",
        "http: \"spdy\"",
        "proxy: \"localhost:3128\"",
        "more: task(#{ weight: 1, tags: [\"a\"], wieght: 3 }, || {})",
    ];
    let findings: Vec<_> = cases.iter().map(|case| with_keys(case)).collect();
    assert_snapshot!(findings.join("\n"), @r#"
        1:32: unknown attribute `wait`; hint: did you mean `wait_time`?
        1:32: unknown attribute `base_url`; hint: did you mean `host`?
        1:32: unknown attribute `timeout`; hint: did you mean `network_timeout` (each wait for the server) or `connection_timeout`?
        1:32: unknown attribute `min_wait`; hint: write `wait_time: between(1, 5)`, in seconds
        1:32: unknown attribute `wieght`; hint: did you mean `weight`?
        1:32: unknown attribute `Host`; hint: did you mean `host`?
        1:32: unknown attribute `cart`; hint: the user's own data lives in `state: #{ cart: … }`; a task is `cart: task(|| { … })`
        1:32: unknown attribute `zebra`; hint: the user's own data lives in `state: #{ zebra: … }`; a task is `zebra: task(|| { … })`
        1:32: unknown attribute `fixed_cuont`; hint: did you mean `fixed_count`?
        1:32: unknown attribute `on_end`; hint: did you mean `on_stop`?
        1:32: `client` is reserved: it is the user's HTTP client; hint: give it another name
        1:42: `client` is reserved: it is the user's HTTP client; hint: give it another name
        1:38: `3` is no version of HTTP that Katydid speaks; hint: write `http: "auto"`, `http: "1.1"` or `http: "2"`
        1:38: `spdy` is no version of HTTP that Katydid speaks; hint: write `http: "auto"`, `http: "1.1"` or `http: "2"`
        1:39: `proxy`: `localhost:3128` has no scheme (did you mean `http://localhost:3128`?)
        1:70: unknown option `wieght` of `task`; hint: did you mean `weight`?
        "#);
}

#[test]
fn classes_are_followed_through_variables_and_inheritance() {
    let script = "\
let Base = #{ wait: constant(1), state: #{ a: 1 } };
user(\"A\", Base);
user(\"B\", extend(Base, #{ hots: \"x\", run: task(|| { this.a; this.b; }) }));
user(\"C\", Base + #{ pause: 1 });
user(\"A\", extend(Base, #{ run: task(|| {}) }));";
    assert_snapshot!(lines(script), @r"
        1:15: unknown attribute `wait`; hint: did you mean `wait_time`?
        2:6: `A` has no task; hint: write `browse: task(|| { … })`; a closure without `task` is a method
        3:27: unknown attribute `hots`; hint: did you mean `host`?
        3:66: nothing sets `this.b`; hint: set it at first: `state: #{ b: … }`, or in `on_start`
        4:6: `C` has no task; hint: write `browse: task(|| { … })`; a closure without `task` is a method
        4:21: unknown attribute `pause`; hint: did you mean `wait_time`?
        5:6: there are two classes of the name `A`; hint: the other one is at 2
        ");
}

#[test]
fn a_class_needs_a_task() {
    assert_snapshot!(lines("user(\"A\", #{ hello: || {} });"), @r"1:6: `A` has no task; hint: write `browse: task(|| { … })`; a closure without `task` is a method");
    assert_snapshot!(lines("user(\"A\", #{});"), @r"1:6: `A` has no task; hint: write `browse: task(|| { … })`; a closure without `task` is a method");
}

#[test]
fn options_are_known_by_name() {
    let script = "\
options(#{ user: 10, spawn_rate: 1, thresholds: 1, zebra: 1 });
let p = param(\"language\", \"ko\", #{ hlep: \"x\", choices: [] });
let c = csv(\"a.csv\", #{ mode: \"unique\", delimeter: \";\" });
let l = lines(\"a.txt\", #{ header: true });";
    assert_snapshot!(lines(script), @r"
        1:12: unknown option `user` of `options`; hint: did you mean `users`?
        1:37: `thresholds` is not in this version of Katydid yet
        1:52: unknown option `zebra` of `options`; hint: `options` takes users, spawn_rate, run_time, iterations, host, stop_timeout, on_stop_timeout, seed, tags, exclude_tags
        2:36: unknown option `hlep` of `param`; hint: did you mean `help`?
        3:41: unknown option `delimeter` of `csv`; hint: did you mean `delimiter`?
        4:27: unknown option `header` of `lines`; hint: `lines` takes mode
        ");
}

#[test]
fn words_of_later_versions_are_refused() {
    let script = "\
user(\"A\", #{
    run: task(|| {
        let r = this.client.get(\"/\", #{ tags: [] });
        r.find(\"x\");
        r.request;
    }),
});";
    assert_snapshot!(lines(script), @r"
        3:41: `tags` is not in this version of Katydid yet
        ");
}

#[test]
fn the_top_level_describes_and_tasks_do() {
    let script = "\
sleep(1);
let n = vu_id();
user(\"A\", #{ run: task(|| { user(\"B\", #{}); constant(1); }) });";
    assert_snapshot!(lines("let r = this.client.get(\"/\");"), @r"1:9: `this` at the top level, where there is no user; hint: the top level describes: put it into a task, `on_start` or a method");
    assert_snapshot!(lines(script), @r"
        1:1: `sleep` at the top level, where there is no user; hint: the top level describes: put it into a task, `on_start` or a method
        2:9: `vu_id` at the top level, where there is no user; hint: the top level describes: put it into a task, `on_start` or a method
        3:29: `user` inside a task (declares a user class: its attributes, tasks and methods); hint: it declares: write it at the top level
        3:34: `B` has no task; hint: write `browse: task(|| { … })`; a closure without `task` is a method
        3:45: `constant` inside a task (always the same time); hint: it declares: write it at the top level
        ");
}

#[test]
fn functions_of_a_bundle_are_told_apart() {
    let main = "import \"lib\" as lib;\nfn helper(x) { x }\nfn choice(list) { list }\nlet y = lib::missing(1) + lib::helper();";
    let lib = "fn helper(y) {\n    y\n}\nfn sleep(a, b) { a }";
    assert_snapshot!(lines_of(&[("main.rhai", main), ("dir/lib.rhai", lib)]), @r"
        dir/lib.rhai:1:4: there are two functions `helper` with 1 parameter; hint: the other one is at main.rhai:2; the wrong one could be called
        main.rhai:3:4: `choice` is a word of the language (an element of an array, or a key of a map by its weight); hint: give the function another name
        main.rhai:4:14: `dir/lib.rhai` has no function `missing`; hint: define `fn missing(…) { … }` in `dir/lib.rhai`
        main.rhai:4:32: `helper` takes 1 argument, not 0
        ");
    let closure = "let f = |x| x + 1;";
    assert_snapshot!(lines_of(&[("a.rhai", closure), ("b.rhai", closure)]), @r"b.rhai:1:15: this closure has a twin in another file, and Rhai takes one for the other; hint: it is at a.rhai:1; add an empty line above this one");
    assert_snapshot!(lines("fn f() { import \"lib\" as lib; lib::g() }"), @r"1:10: `import` inside a function; hint: write it at the top of the file");
}

#[test]
fn captured_variables_are_constants_to_tasks() {
    let script = "\
let list = [];
let total = 0;
const MAP = #{};
user(\"A\", #{
    run: task(|| {
        list.push(1);
        total += 1;
        MAP.n = 1;
        push(list, 1);
        list[0] = 2;
        let add = |x| { total += x; };
        let list = list;
        list.push(2);
        let own = 0;
        [1].for_each(|x| own += x);
        let fine = MAP.len() + total;
    }),
});
[1, 2].for_each(|x| total += x);";
    assert_snapshot!(lines(script), @r"
        6:14: `list` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ list: … }` and `this.list`
        7:9: `total` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ total: … }` and `this.total`
        8:9: `MAP` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ MAP: … }` and `this.MAP`
        9:9: `list` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ list: … }` and `this.list`
        10:9: `list` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ list: … }` and `this.list`
        11:25: `total` is a constant to tasks: this change would be lost; hint: keep it in the user's own data: `state: #{ total: … }` and `this.total`
        ");
}

#[test]
fn values_that_are_written_out_are_judged_beside_all_other_mistakes() {
    let script = r#"
options(#{ users: "many", tags: 5, run_time: "soon" });
user("U", #{
    weight: "x",
    fixed_count: -1,
    wait_time: "often",
    insecure: 1,
    headers: 5,
    network_timeout: "soon",
    on_stop: 5,
    state: 7,
    auth: ["a"],
    fine: task(2.5, || {}),
    fin: task("much", || {}),
    tagged: task(#{ weight: -3, tags: [1], name: 5 }, || {}),
    set: task_set(#{ weight: "y", wait_time: "z", on_start: 1, a: task(|| 1) }),
    chain: markov(#{ weight: -1, states: #{ a: #{ run: || 1, next: "a" } } }),
    conect: 5,
});
shape(#{ stages: [#{ duration: 1, users: -5 }, #{ users: 3 }] });
shape("steps", #{ step_users: 5 });
"#;
    assert_snapshot!(lines(script), @r#"
    2:19: the option `users` is a whole number, not `many`
    2:33: the option `tags` is an array of text
    2:46: the option `run_time`: `soon` is not a duration; write seconds (`20`, `1.5`) or units (`250ms`, `30s`, `1m30s`, `2h`)
    4:13: `weight` is a number from 0, not text
    5:18: `fixed_count` is a whole number from 0, not -1
    6:16: `wait_time`: `often` is not a duration; write seconds (`20`, `1.5`) or units (`250ms`, `30s`, `1m30s`, `2h`)
    7:15: `insecure` is true or false, not 1
    8:14: `headers` is a map such as `#{ "Accept": "text/html" }`, not 5
    9:22: `network_timeout`: `soon` is not a duration; write seconds (`20`, `1.5`) or units (`250ms`, `30s`, `1m30s`, `2h`)
    10:14: `on_stop` is a closure `|| { … }`, not 5
    11:12: `state` is a map, not 7
    12:11: `auth` is `["user", "password"]`, not an array
    13:16: a task's weight is a whole number from 0, not 2.5
    14:15: a task's weight is a whole number from 0, not text
    15:29: a task's weight is a whole number from 0, not -3
    15:39: `tags` is an array of text such as `["slow", "checkout"]`
    15:50: `name` is text
    16:30: a task's weight is a whole number from 0, not text
    16:46: `wait_time`: `z` is not a duration; write seconds (`20`, `1.5`) or units (`250ms`, `30s`, `1m30s`, `2h`)
    16:61: `on_start` is a closure `|| { … }`, not a whole number
    17:30: a task's weight is a whole number from 0, not -1
    18:5: unknown attribute `conect`; hint: the user's own data lives in `state: #{ conect: … }`; a task is `conect: task(|| { … })`
    20:19: stage 1: `users` is a number of users, not `-5`
    20:48: stage 2: it has no `duration`; hint: say how long it lasts, such as `duration: "60s"`
    21:16: the shape `steps` needs `step_duration`; hint: `step_duration`: how long each step lasts
    "#);
    // What is computed is checked when it exists.
    let script = r#"
let n = "x";
user("U", #{ weight: n, wait_time: between(1, 2), insecure: env("I") == "1", t: task(n, || 1) });
"#;
    assert_snapshot!(lines(script), @"");
}
