//! A user that goes on with an edited script: what it keeps, what it gets, what it can still call.
//!
//! When a user renews, and what becomes of its place in the tasks, is tested in `vu` and through
//! the built binary.

use std::rc::Weak;

use super::*;

/// A script with one class of this state, and a task that returns this.
fn script(state: &str, task: &str) -> String {
    format!("user(\"U\", #{{ state: #{{ {state} }}, t: task(|| {{ {task} }}) }});")
}

/// What a user's task returns after it has run the tasks of these scripts, one after the other.
fn last(scripts: &[(&str, &str)]) -> Result<String, Failure> {
    let scripts: Vec<_> = scripts
        .iter()
        .map(|(state, task)| script(state, task))
        .collect();
    on_load_thread(async move || {
        let world = World::new(&scripts[0]);
        let (mut user, mut answer) = world.call(world.user(0), Function::Task(0)).await;
        for script in &scripts[1..] {
            world.edit(script, None);
            assert!(user.renew());
            (user, answer) = world.call(user, Function::Task(0)).await;
        }
        match answer {
            Ok(value) => Ok(value.to_string()),
            Err(Ended::Failure(failure)) => Err(*failure),
            Err(other) => panic!("{other:?}"),
        }
    })
}

#[test]
fn state_is_kept_and_new_keys_begin() {
    for (scripts, expected) in [
        // A kept key keeps its value, whatever it begins with now; a new one begins.
        (
            [
                ("n: 1", "this.n = 5;"),
                ("n: 2, more: 3", "[this.n, this.more]"),
            ],
            "[5, 3]",
        ),
        // A key that begins as something else takes the new value.
        ([("n: 1", "this.n = 5;"), ("n: \"a\"", "this.n")], "a"),
        ([("n: ()", "this.n = 5;"), ("n: 0", "this.n")], "0"),
        // What the script made of it meanwhile does not matter.
        ([("n: ()", "this.n = 5;"), ("n: ()", "this.n")], "5"),
    ] {
        assert_eq!(last(&scripts).unwrap(), expected, "{scripts:?}");
    }
    // A key that was gone in between.
    let gone = [
        ("n: 1", "this.n = 5;"),
        ("m: 1", "this.m"),
        ("n: 1", "this.n"),
    ];
    assert_eq!(last(&gone).unwrap(), "5");
}

#[test]
fn a_kept_closure_works_for_one_more_script() {
    let keep = ("f: ()", "let x = 4; this.f = |y| [x, y, vu_id()];");
    // The edit moves all closures; another one stands where the kept one stood.
    let call = ("f: ()", "/* longer */ let g = |y| 0; this.f.call(1)");
    assert_eq!(last(&[keep, call]).unwrap(), "[4, 1, 0]");
    for (call, expected) in [
        ("this.f(1)", "[4, 1, 0]"),
        ("call(this.f, 1)", "[4, 1, 0]"),
        ("[7, 8].map(this.f)", "[[4, 7, 0], [4, 8, 0]]"),
        ("let f = this.f; f.curry(6).call()", "[4, 6, 0]"),
        ("this.f.call(1, 2)", ""),
    ] {
        let answer = last(&[keep, ("f: ()", call)]);
        match answer {
            Ok(value) => assert_eq!(value, expected, "{call}"),
            Err(failure) => assert_eq!(
                failure.message,
                "a closure is called with another number of arguments than it takes"
            ),
        }
    }
    let failure = last(&[keep, ("f: ()", "1"), call]).unwrap_err();
    assert!(
        failure
            .message
            .starts_with("`this.f` holds a closure of a script that was replaced more"),
        "{}",
        failure.message
    );
}

#[test]
fn closures_are_found_at_any_depth_and_may_change_this() {
    let keep = (
        "all: [], n: 0",
        "this.all = [#{ f: || { this.n += 1; this.n } }]; let g = this.all[0].f; this.call(g)",
    );
    let call = ("all: [], n: 0", "let f = this.all[0].f; this.call(f)");
    assert_eq!(last(&[keep, call]).unwrap(), "2");
    let failure = last(&[keep, ("all: [], n: 0", "1"), call]).unwrap_err();
    assert!(
        failure.message.starts_with("`this.all` holds"),
        "{}",
        failure.message
    );
    // One more closure captures another.
    let keep = ("f: ()", "let g = |x| x * 2; this.f = |x| g.call(x) + 1;");
    assert_eq!(last(&[keep, ("f: ()", "this.f.call(4)")]).unwrap(), "9");
}

#[test]
fn a_closure_that_two_kept_ones_captured_is_met_twice_in_one_renewal() {
    let keep = (
        "a: (), b: ()",
        "let f = |x| x * 2; this.a = |x| f.call(x) + 1; this.b = |x| f.call(x) + 2;",
    );
    let call = ("a: (), b: ()", "[this.a.call(4), this.b.call(4)]");
    assert_eq!(last(&[keep, call]).unwrap(), "[9, 10]");
    let failure = last(&[keep, ("a: (), b: ()", "1"), call]).unwrap_err();
    assert!(
        failure.message.starts_with("`this.a` holds"),
        "{}",
        failure.message
    );
}

#[test]
fn what_a_class_declares_in_its_state_is_replaced_with_it() {
    let declared = [
        ("f: |x| x + 1", "this.f(1)"),
        ("f: |x| x + 2", "1"),
        ("f: |x| x + 3", "this.f(1)"),
    ];
    assert_eq!(last(&declared).unwrap(), "4");
    // A name means what the edited script has by it.
    let named = |add| {
        format!(
            "fn f(x) {{ x + {add} }} user(\"U\", #{{ state: #{{ f: () }}, \
             t: task(|| {{ if this.f == () {{ this.f = Fn(\"f\"); }} this.f.call(1) }}) }});"
        )
    };
    let (old, new) = (named(1), named(5));
    on_load_thread(async move || {
        let world = World::new(&old);
        let (mut user, answer) = world.call(world.user(0), Function::Task(0)).await;
        assert_eq!(answer.unwrap().to_string(), "2");
        world.edit(&new, None);
        assert!(user.renew());
        let (_, answer) = world.call(user, Function::Task(0)).await;
        assert_eq!(answer.unwrap().to_string(), "6");
    });
}

#[test]
fn methods_chance_and_numbers_go_on() {
    let world = |script: &str| World::new(script);
    let script = |add: &str| {
        format!(
            "user(\"U\", #{{ twice: |x| x * 2 + {add}, \
             t: task(|| [this.twice(3), random(1, 1_000_000), vu_id()]) }});"
        )
    };
    let (old, new) = (script("0"), script("1"));
    let answers = on_load_thread(async move || {
        let edited = world(&old);
        let (mut user, _) = edited.call(edited.user(7), Function::Task(0)).await;
        edited.edit(&new, None);
        assert!(user.renew());
        let (_, after) = edited.call(user, Function::Task(0)).await;
        // The same user, whose script was not edited.
        let plain = world(&old);
        let (user, _) = plain.call(plain.user(7), Function::Task(0)).await;
        let (_, second) = plain.call(user, Function::Task(0)).await;
        [after, second].map(|answer| answer.unwrap().to_string())
    });
    let [after, second] = answers;
    assert_eq!(after.replace("[7,", "[6,"), second, "method, random, vu_id");
    assert!(after.starts_with("[7,"), "{after}");
}

#[test]
fn a_class_that_is_gone_is_said_and_nothing_changes() {
    on_load_thread(async || {
        let world = World::new(&script("n: 0", "this.n += 1; this.n"));
        let (mut user, _) = world.call(world.user(0), Function::Task(0)).await;
        world.edit("user(\"Other\", #{ t: task(|| 0) });", None);
        assert!(!user.renew());
        let (user, answer) = world.call(user, Function::Task(0)).await;
        assert_eq!(answer.unwrap().to_string(), "2");
        assert_eq!(world.thread.behind(), 1);
        drop(user);
        assert_eq!(world.thread.behind(), 0);
    });
}

#[test]
fn sessions_go_on_with_what_the_class_says_now() {
    on_load_thread(async || {
        let target = target();
        let class = |headers: &str, more: &str| {
            format!(
                "user(\"U\", #{{ headers: #{{ {headers} }}, {more} state: #{{ kept: () }}, \
                 t: task(|| {{
                    if this.kept == () {{
                        this.client.cookies[\"c\"] = 1;
                        this.client.headers[\"x-own\"] = \"own\";
                        this.client.headers[\"x-set\"] = \"set\";
                        this.kept = this.client;
                    }}
                    let h = this.kept.get(\"/headers\").json(\"/headers\");
                    [h[\"x-a\"], h[\"x-b\"], h[\"x-own\"], h[\"x-set\"], h[\"cookie\"]]
                 }}) }});"
            )
        };
        let world = World::at(&target, &class("\"x-a\": 1, \"x-set\": 1", ""));
        let (mut user, first) = world.call(world.user(0), Function::Task(0)).await;
        let first = first.expect("it returns").to_string();
        assert_eq!(first, "[\"1\", (), \"own\", \"set\", \"c=1\"]");
        let host = format!("http://{}", target.address());
        // Other headers, and then other timeouts too: a session of its own, with the same cookies.
        for (headers, more) in [
            ("\"x-b\": 2, \"x-set\": 2", ""),
            ("\"x-b\": 2", "network_timeout: 7,"),
        ] {
            world.edit(&class(headers, more), Some(&host));
            let idle = user.user().channel.session.idle_connections();
            assert!(user.renew());
            assert_eq!(user.user().channel.session.idle_connections(), idle);
            let answer;
            (user, answer) = world.call(user, Function::Task(0)).await;
            let answer = answer.expect("it returns").to_string();
            assert_eq!(answer, "[(), \"2\", \"own\", \"set\", \"c=1\"]", "{more}");
        }
    });
}

#[test]
fn a_host_s_credentials_are_never_sent_to_another() {
    on_load_thread(async || {
        let (one, other) = (target(), target());
        let at = |name: &str, target: &Target| format!("http://{name}:pw@{}", target.address());
        let script = "user(\"U\", #{ t: task(|| \
            [this.client.get(\"/headers\").json(\"/headers/authorization\"), \
             this.client.get(\"/hello\").url]) });";
        let world = World::of(
            &[("s.rhai", script)],
            &Inputs::default(),
            Some(&at("a", &one)),
        );
        let (user, first) = world.call(world.user(0), Function::Task(0)).await;
        let first = first.unwrap().to_string();
        world.edit(script, Some(&at("b", &other)));
        // It goes on where it was until it renews.
        let (mut user, second) = world.call(user, Function::Task(0)).await;
        assert_eq!(second.unwrap().to_string(), first);
        assert!(user.renew());
        let (_, third) = world.call(user, Function::Task(0)).await;
        let third = third.unwrap().to_string();
        assert!(third.contains(&other.address().to_string()), "{third}");
        assert_ne!(third.split(',').next(), first.split(',').next());
    });
}

#[test]
fn a_host_holds_from_the_next_request_on_for_everybody() {
    on_load_thread(async || {
        let (one, other) = (target(), target());
        let script = "user(\"U\", #{ t: task(|| this.client.get(\"/hello\").url) });";
        let world = World::at(&one, script);
        let (user, _) = world.call(world.user(0), Function::Task(0)).await;
        let host = format!("http://{}", other.address());
        world.edit(script, Some(&host));
        // Even before it has renewed.
        let (mut user, answer) = world.call(user, Function::Task(0)).await;
        assert_eq!(answer.unwrap().to_string(), format!("{host}/hello"));
        assert!(user.renew());
        assert_eq!(user.user().channel.session.idle_connections(), 0);
        let (_, answer) = world.call(user, Function::Task(0)).await;
        assert_eq!(answer.unwrap().to_string(), format!("{host}/hello"));
    });
}

#[test]
fn a_kept_client_without_a_host_goes_where_its_user_goes() {
    on_load_thread(async || {
        let (one, other) = (target(), target());
        let hosts = [&one, &other].map(|target| format!("http://{}", target.address()));
        let script = format!(
            "user(\"U\", #{{ state: #{{ own: (), set: () }}, t: task(|| {{
                if this.own == () {{
                    this.own = http_client(#{{}});
                    this.set = http_client(#{{ host: \"{}\" }});
                }}
                [this.own.get(\"/hello\").url, this.set.get(\"/hello\").url]
            }}) }});",
            hosts[0]
        );
        let world = World::at(&one, &script);
        let (mut user, _) = world.call(world.user(0), Function::Task(0)).await;
        world.edit(&script, Some(&hosts[1]));
        assert!(user.renew());
        let channels = user.user().channels.borrow().clone();
        let channels = channels.iter().filter_map(Weak::upgrade);
        let idle = channels.map(|channel| channel.session.idle_connections());
        assert_eq!(idle.collect::<Vec<_>>(), [0, 1]);
        let (_, answer) = world.call(user, Function::Task(0)).await;
        let expected = format!("[\"{}/hello\", \"{}/hello\"]", hosts[1], hosts[0]);
        assert_eq!(answer.unwrap().to_string(), expected);
    });
}
