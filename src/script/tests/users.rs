//! Users and their `this`: data that nobody shares, methods, and a client that cannot be lost.
//! When a user starts and stops is not tested here.

use super::*;

#[test]
fn state_begins_alike_and_is_each_users_own() {
    on_load_thread(async || {
        let world = Rc::new(World::new(
            "let seed = [0];
            user(\"U\", #{
                state: #{ list: seed, map: #{ deep: [[1]] }, n: 0 },
                t: task(|| {
                    for i in 0..3 {
                        this.list.push(vu_id());
                        this.map.deep[0].push(vu_id());
                        this.n += 1;
                        sleep(0.001);
                    }
                    `${this.list} ${this.map.deep} ${this.n}`
                }),
            });",
        ));
        for (ordinal, answer) in (0..).zip(world.run_all(4).await) {
            let n: u64 = ordinal;
            let expected = format!("[0, {n}, {n}, {n}] [[1, {n}, {n}, {n}]] 3");
            assert_eq!(answer.expect("it returns").to_string(), expected);
        }
    });
}

#[test]
fn what_a_method_changes_stays_changed() {
    on_load_thread(async || {
        let world = Rc::new(World::new(
            "let step = 10;
            user(\"U\", #{
                state: #{ n: 0, list: [] },
                add: |x| { this.n += x; sleep(0.001); this.note(x); this.n },
                note: |x| { this.list.push(x + step - step); },
                twice: |x| { this.add(x); this.add(x) },
                down: |x| if x == 0 { this.n } else { this.n += 1; this.down(x - 1) },
                t: task(|| { this.twice(2); this.down(5); this.list.len() + this.n }),
                u: task(|| this.t() + this.t()),
            });",
        ));
        for answer in world.run_all(3).await {
            assert_eq!(answer.expect("it returns").to_string(), "11", "2 + 9");
        }
        let (user, both) = world.call(world.user(9), Function::Task(1)).await;
        assert_eq!(
            both.unwrap().to_string(),
            "33",
            "11 + 4 + 18: a task is a method too"
        );
        let (_, once) = world.call(user, Function::Task(0)).await;
        assert_eq!(once.unwrap().to_string(), "33", "6 + 27");
    });
}

#[test]
fn methods_take_arguments_besides_what_they_captured() {
    let script = "let a = 1; let list = [10];
        user(\"U\", #{
            none: || a,
            one: |x| a + x + list[0],
            two: |x, y| a + x * y + list.len(),
            three: |x, y, z| [x, y, z],
            t: task(|| [this.none(), this.one(2), this.two(3, 4), this.three(5, 6, 7)]),
        });";
    let value = on_load_thread(async move || World::new(script).value().await);
    assert_eq!(value, "[1, 13, 14, [5, 6, 7]]");
}

#[test]
fn a_named_function_can_be_a_method_and_a_task() {
    let script = "fn visit() { this.n += 1; this.n }
        fn add(x) { this.n += x; this.n }
        user(\"U\", #{ state: #{ n: 1 }, plus: add, t: task(|| this.plus(5) + this.v()), v: task(\"visit\") });";
    let value = on_load_thread(async move || World::new(script).value().await);
    assert_eq!(value, "13");
}

#[test]
fn a_method_may_be_named_like_a_function_of_maps() {
    // `#{…}` and the user are both maps: each must get its own.
    let script = "let k = 5;
        user(\"U\", #{
            state: #{ n: 1 },
            len: || this.n + 100,
            clear: || { this.n = k; this.n },
            get: |key| `own ${key}`,
            contains: |key| `has ${key} ${k}`,
            filter: |f| f.call(this.n),
            remove: |key| { this.n += 1; `kept ${key} ${this.n}` },
            values: |a, b| a + b,
            to_string: || \"user\",
            t: task(|| {
                let map = #{ a: 1, b: 2 };
                let own = [
                    this.len(), this.clear(), this.keys(), this.get(\"a\"), this.contains(\"a\"),
                    this.filter(|n| n * 2), this.remove(\"client\"), this.values(1, 2),
                ];
                let maps = [
                    map.len(), map.keys(), map.get(\"a\"), map.get(\"z\"), map.contains(\"a\"),
                    map.filter(|k, v| v == 2).len(), map.remove(\"a\"), map.values(), map.to_string(),
                ];
                map.clear();
                `${own} ${maps} ${map.is_empty()}`
            }),
            keys: task(|| { sleep(0.001); \"keys\" }),
        });";
    let value = on_load_thread(async move || {
        let world = Rc::new(World::new(script));
        let mut values: Vec<_> = world
            .run_all(3)
            .await
            .into_iter()
            .map(|answer| answer.unwrap().to_string())
            .collect();
        values.dedup();
        assert_eq!(values.len(), 1, "{values:?}");
        values.remove(0)
    });
    assert_eq!(
        value,
        "[101, 5, \"keys\", \"own a\", \"has a 5\", 10, \"kept client 6\", 3] \
         [2, [\"a\", \"b\"], 1, (), true, 1, 1, [2], \"#{\\\"b\\\": 2}\"] true"
    );
}

#[test]
fn classes_with_methods_of_one_name_do_not_meet() {
    on_load_thread(async || {
        let world = Rc::new(World::new(
            "let k = 1;
            user(\"A\", #{ name: || \"a\", cost: |x| x + k, t: task(|| { sleep(0.001); `${this.name()} ${this.cost(1)}` }) });
            user(\"B\", #{ name: || \"b\", cost: |x| x + k + k, t: task(|| { sleep(0.001); `${this.name()} ${this.cost(1)}` }) });",
        ));
        let calls = (0..6).map(|ordinal| {
            let world = world.clone();
            spawn_local(async move {
                let user = world.user_of(ordinal % 2, ordinal as u64);
                world
                    .call(user, Function::Task(0))
                    .await
                    .1
                    .unwrap()
                    .to_string()
            })
        });
        for (ordinal, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
            assert_eq!(call.await.unwrap(), ["a 2", "b 3"][ordinal % 2]);
        }
    });
}

#[test]
fn this_is_told_to_be_unknown_where_rhai_unbinds_it() {
    for body in [
        "[1].map(|x| this.n + x)",
        "[1].filter(|x| this.n == x)",
        "let f = || this.n; f.call()",
    ] {
        let failure = failed(body);
        assert!(
            failure
                .message
                .starts_with("`this` is unknown inside a closure"),
            "{failure:?}"
        );
        assert!(failure.location().starts_with("s.rhai:1:"), "{failure:?}");
    }
    assert_eq!(
        evaluated("let f = |x| this.len() + x; this.call(f, 1)"),
        "2"
    );
}

#[test]
fn a_user_keeps_its_client_whatever_its_script_does_to_this() {
    for harm in [
        "this.clear()",
        "this.remove(\"client\")",
        "let k = \"cli\" + \"ent\"; this.remove(k)",
        "let k = \"client\"; this[k] = 5;",
        "this.client = ();",
        "this += #{ client: 1 };",
        "this.mixin(#{ client: 1 })",
        "this.drain(|k, v| true)",
        "this.retain(|k, v| false)",
        "this = 5;",
        "this = [];",
        "this = #{ n: 7 };",
        "let t = this; this.clear(); this.n = 3; throw \"and more\"",
    ] {
        let harm = harm.to_owned();
        on_load_thread(async move || {
            let target = target();
            let world = World::at(
                &target,
                &format!(
                    "user(\"U\", #{{ state: #{{ n: 1 }}, t: task(|| {{ {harm} }}),
                    u: task(|| [this.client.get(\"/hello\").status, vu_id()]) }});"
                ),
            );
            let (user, answer) = world.call(world.user(4), Function::Task(0)).await;
            let Err(Ended::Failure(failure)) = answer else {
                panic!("{harm}: {answer:?}")
            };
            assert!(
                failure.message.contains("`this` may not be cleared"),
                "{harm}: {failure:?}"
            );
            assert!(
                failure.location().starts_with("s.rhai:1:"),
                "{harm}: {failure:?}"
            );
            let (_, answer) = world.call(user, Function::Task(1)).await;
            assert_eq!(answer.expect(&harm).to_string(), "[200, 4]");
        });
    }
}

#[test]
fn the_client_of_another_user_is_not_taken() {
    // A user cannot reach another's client, but it may copy itself.
    assert_eq!(
        evaluated("let copy = this; copy.clear(); this = this; vu_id()"),
        "0"
    );
}

#[test]
fn requests_within_nested_closures_are_of_the_user_that_calls() {
    on_load_thread(async || {
        let target = target();
        let world = Rc::new(World::at(
            &target,
            "user(\"U\", #{
                on_start: || 0,
                visit: |path| this.client.get(path),
                t: task(|| {
                    this.client.cookies[\"id\"] = `${vu_id()}`;
                    let me = this;
                    let ids = [1, 2, 3].map(|x| { me.visit(\"/hello\"); me.client.cookies[\"id\"] });
                    ids.dedup();
                    `${ids} ${vu_id()}`
                }),
            });",
        ));
        for (ordinal, answer) in world.run_all(5).await.into_iter().enumerate() {
            let expected = format!("[\"{ordinal}\"] {ordinal}");
            assert_eq!(answer.expect("it returns").to_string(), expected);
        }
        assert_eq!(target.counts().total, 15);
    });
}
