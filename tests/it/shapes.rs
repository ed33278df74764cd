//! Shapes: users over time as the script says it, on one and on several load threads.
//!
//! The arithmetic is tested where it is; here users really start and stop by it.

use crate::tool::{Finished, Tool};

/// Users that tell when they start and stop; nobody listens where their requests would go.
fn running(shape: &str) -> Tool {
    let classes = r#"
        let base = #{
            wait_time: 100,
            on_start: || { print("start", vu_class(), vu_id(), run_time()); },
            on_stop: || { print("stop", vu_class(), vu_id(), run_time()); },
            t: task(|| {}),
        };
        user("A", extend(base, #{}));
    "#;
    Tool::running(&format!("{classes}\n{shape}")).args("-H http://127.0.0.1:1")
}

/// What users told, in the order of time: the word, the class, the number, when.
fn told(run: &Finished) -> Vec<(String, String, u32, f64)> {
    let printed = run.printed();
    let parsed = printed.iter().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let (id, at): (u32, f64) = (words[2].parse().unwrap(), words[3].parse().unwrap());
        (words[0].to_owned(), words[1].to_owned(), id, at)
    });
    let mut parsed: Vec<_> = parsed.collect();
    parsed.sort_by(|a, b| a.3.total_cmp(&b.3));
    parsed
}

/// The numbers of those who told this word within these seconds of the run, in order: who of two
/// threads is first by a few milliseconds is chance.
fn who(run: &Finished, word: &str, within: std::ops::Range<f64>) -> Vec<u32> {
    let told = told(run).into_iter();
    let fitting = told.filter(|(said, _, _, at)| said == word && within.contains(at));
    let mut ids: Vec<_> = fitting.map(|(_, _, id, _)| id).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn users_follow_the_stages_up_down_and_up_again() {
    let shape = r#"
        shape(#{ stages: [
            #{ duration: 0.5, users: 6, spawn_rate: 20 },
            #{ duration: "500ms", users: 2, spawn_rate: 20 },
            #{ duration: 0.5, users: 4, spawn_rate: 20 },
        ] });"#;
    for threads in [1, 4] {
        let run = running(shape)
            .args(&format!("--threads {threads}"))
            .run()
            .code(0)
            .says(&[
                "ramping to 6 users at 20 a second",
                "ramping down to 2 users at 20 a second",
                "down to 2 users",
                "ramping to 4 users at 20 a second",
                "all users spawned: 4",
                "the shape is over",
            ]);
        assert_eq!(who(&run, "start", 0.0..0.5), [0, 1, 2, 3, 4, 5]);
        // The last in is the first out, each at its moment or after, and who comes next takes the
        // free place.
        assert_eq!(who(&run, "stop", 0.0..1.5), [2, 3, 4, 5]);
        assert_eq!(who(&run, "stop", 0.5..1.0), [2, 3, 4, 5]);
        for (stopped, id) in (0_u32..).zip([5, 4, 3, 2]) {
            let due = 0.5 + f64::from(stopped) / 20.0 - 1e-6;
            assert!(
                !who(&run, "stop", 0.0..due).contains(&id),
                "{id}: {:?}",
                told(&run)
            );
        }
        assert_eq!(who(&run, "start", 1.0..1.5), [2, 3]);
        assert_eq!(who(&run, "stop", 1.5..9.0), [0, 1, 2, 3]);
        assert_eq!(run.document().count("/users/peak"), 6);
    }
}

#[test]
fn a_stage_shorter_than_its_ramp_hands_over_what_it_reached() {
    let shape = r#"
        shape(#{ stages: [
            #{ end: 0.5, users: 1000, spawn_rate: 20 },
            #{ end: 1.0, users: 1000, spawn_rate: 60 },
        ] });"#;
    let run = running(shape).args("--threads 2").run().code(0);
    let starts: Vec<_> = told(&run)
        .into_iter()
        .filter(|(word, ..)| word == "start")
        .collect();
    let due = |id: u32| match id {
        0..10 => f64::from(id) / 20.0,
        _ => 0.5 + f64::from(id - 10) / 60.0,
    };
    assert!(starts.len() >= 35 && starts.len() <= 40, "{starts:?}");
    let mut late: Vec<_> = starts.iter().map(|(_, _, id, at)| at - due(*id)).collect();
    late.sort_by(f64::total_cmp);
    // The clock counts whole microseconds.
    assert!(late[0] > -1e-6, "{late:?}");
    assert!(late[late.len() / 2] < 0.025, "{late:?}");
}

#[test]
fn classes_have_numbers_of_their_own() {
    let shape = r#"
        user("B", extend(base, #{}));
        user("C", extend(base, #{ fixed_count: 9 }));
        shape(#{ stages: [
            #{ duration: 0.4, users: #{ A: 4, B: 2 }, spawn_rate: 60 },
            #{ duration: 0.4, users: #{ B: 2, C: 3 }, spawn_rate: 70 },
            #{ duration: 0.2, users: 0 },
        ] });"#;
    for threads in [1, 3] {
        let run = running(shape)
            .args(&format!("--threads {threads}"))
            .run()
            .code(0);
        let all = told(&run);
        let count = |word: &str, class: &str, before: f64| {
            let fits = |told: &&(String, String, u32, f64)| {
                told.0 == word && told.1 == class && told.3 < before
            };
            all.iter().filter(fits).count()
        };
        let classes = ["A", "B", "C"];
        assert_eq!(classes.map(|class| count("start", class, 0.4)), [4, 2, 0]);
        assert_eq!(classes.map(|class| count("stop", class, 0.4)), [0, 0, 0]);
        assert_eq!(classes.map(|class| count("start", class, 0.8)), [4, 2, 3]);
        assert_eq!(classes.map(|class| count("stop", class, 0.8)), [4, 0, 0]);
        assert_eq!(classes.map(|class| count("stop", class, 9.0)), [4, 2, 3]);
        // No two users of a run have the same number.
        let mut ids = who(&run, "start", 0.0..9.0);
        ids.dedup();
        assert_eq!(ids.len(), 9);
    }
}

#[test]
fn the_command_line_may_end_a_shape_early_but_not_bend_it() {
    let shape = r#"shape("constant", #{ users: 3, duration: 100, spawn_rate: 100 });"#;
    let run = running(shape)
        .args("-u 50 -r 2 -t 300ms")
        .run()
        .code(0)
        .says(&["`--users` and `--spawn-rate` are ignored"]);
    assert_eq!(who(&run, "start", 0.0..9.0), [0, 1, 2]);
    let iterations = format!("{shape} options(#{{ iterations: 3 }});");
    let run = running(&iterations).run().code(0);
    assert_eq!(run.document().count("/iterations/finished"), 3);
}

#[test]
fn a_closure_is_asked_each_second() {
    let shape = r#"
        const MOST = 5;
        let most = MOST;
        shape(|run_time| {
            if user_count() == 0 { return [2, 100]; }
            if run_time < 1.5 { return [most, 100]; }
            ()
        });"#;
    let run = running(shape)
        .args("--threads 2")
        .run()
        .code(0)
        .says(&["ramping to 2 users at 100 a second", "the shape is over"]);
    assert_eq!(who(&run, "start", 0.0..0.9), [0, 1]);
    assert_eq!(who(&run, "start", 0.9..1.9), [2, 3, 4]);
    assert_eq!(run.document().count("/users/peak"), 5);
}

#[test]
fn a_closure_may_be_asked_for_longer_than_one_call_may_take() {
    // The limit of 10 s is on computing in one call; this one computes a little in each.
    let shape = r#"
        shape(|run_time| {
            let sum = 0;
            for n in 0..200 { sum += n; }
            if run_time < 11 { [sum / sum, 100] }
        });"#;
    let run = running(shape).run().code(0).says(&["the shape is over"]);
    assert_eq!(run.document().count("/users/peak"), 1);
}

#[test]
fn a_closure_remembers_in_its_own_data() {
    let shape = r#"
        shape(#{
            state: #{ calls: 1, list: [] },
            tick: |run_time| {
                this.calls += 1;
                this.list.push(run_time);
                this.last = this.list.len();
                if this.calls > 4 { return (); }
                [this.calls, 100]
            },
        });"#;
    let run = running(shape).run().code(0).says(&["the shape is over"]);
    assert_eq!(who(&run, "start", 0.0..0.9), [0, 1]);
    assert_eq!(who(&run, "start", 0.9..1.9), [2]);
    assert_eq!(who(&run, "start", 1.9..2.9), [3]);
    assert_eq!(run.document().count("/users/peak"), 4);
}

#[test]
fn a_closure_alone_begins_with_an_empty_memory() {
    let shape = r"
        shape(|run_time| {
            this.calls = (this.calls ?? 0) + 1;
            if this.calls < 3 { [this.calls, 100] }
        });";
    let run = running(shape).run().code(0).says(&["the shape is over"]);
    assert_eq!(run.document().count("/users/peak"), 2);
}

#[test]
fn a_closure_may_ask_for_classes_and_for_no_rate() {
    let shape = r#"
        user("B", extend(base, #{}));
        shape(|run_time| if run_time < 0.5 { 0 } else if run_time < 1.5 { [#{ B: 2, A: 1 }] } else { () });"#;
    let run = running(shape).run().code(0);
    let told = told(&run);
    let starts = |class: &str| {
        let fits = |told: &&(String, String, u32, f64)| told.0 == "start" && told.1 == class;
        told.iter().filter(fits).count()
    };
    assert_eq!((starts("A"), starts("B")), (1, 2));
}

#[test]
fn a_class_that_is_left_out_gets_no_users_by_a_shape_either() {
    let more = r#"
        user("B", extend(base, #{}));
        user("C", extend(base, #{ weight: 0 }));"#;
    let stages = r#"
        shape(#{ stages: [
            #{ duration: 0.6, users: #{ A: 2, B: 3, C: 1 }, spawn_rate: 1000 },
        ] });"#;
    let closure = r#"
        shape(|run_time| if run_time < 0.5 { [#{ A: 2, B: 3, C: 1 }, 100] });"#;
    for shape in [stages, closure] {
        let script = format!("{more}{shape}");
        let started = |arguments: &str| {
            let run = running(&script).args(arguments).run().code(0);
            let told = told(&run);
            ["A", "B", "C"].map(|class| {
                let fits =
                    |told: &&(String, String, u32, f64)| told.0 == "start" && told.1 == class;
                told.iter().filter(fits).count()
            })
        };
        assert_eq!(started(""), [2, 3, 1], "{shape}");
        assert_eq!(started("B"), [0, 3, 0], "{shape}");
        assert_eq!(started("C A"), [2, 0, 1], "{shape}");
        let none = r#"--config-users [{"user_class_name":"A","fixed_count":0}]"#;
        assert_eq!(started(none), [0, 3, 1], "{shape}");
    }
    let only_a = r#"shape(#{ stages: [#{ duration: 1, users: #{ A: 2 } }] });"#;
    running(&format!("{more}{only_a}"))
        .args("B")
        .run()
        .code(2)
        .says(&["the script's shape has no users of the classes chosen"]);
}

#[test]
fn a_mistake_in_a_closure_ends_the_run() {
    let shape = "shape(|run_time| { if run_time > 0.5 { throw \"no idea\"; } 1 });";
    running(shape)
        .run()
        .code(3)
        .says(&["the shape's closure", "script.rhai:10:", "no idea"]);
    let shape = "shape(|run_time| \"many\");";
    running(shape)
        .run()
        .code(3)
        .says(&["script.rhai:10:", "`users` is a number of users, not text"]);
}

#[test]
fn a_wrong_shape_is_told_before_the_run() {
    let cases = [
        (
            "shape(#{ stages: [#{ duration: 1, users: 1 }, #{ end: 2, users: 1 }] });",
            "stage 2 has `end`, the stages before it `duration`",
        ),
        (
            "shape(#{ stages: [#{ duration: 1, end: 1, users: 1 }] });",
            "stage 1: it has both a `duration` and an `end`",
        ),
        (
            "shape(#{ stages: [#{ end: 60, users: 1 }, #{ end: 60, users: 2 }] });",
            "stage 2: its `end` of 60 s is not after the one before it, 60 s",
        ),
        (
            "shape(#{ stages: [#{ duration: 1, users: #{ Aa: 1 } }] });",
            "stage 1: there is no user class `Aa`",
        ),
        (
            "shape(#{ stages: [#{ duration: 1, users: 1 }, #{ duration: 1, users: #{ A: 1 } }] });",
            "stage 2: `users` is a number in one place and a map of classes in another",
        ),
        (
            "shape(#{ stages: [#{ duration: 1, users: -1 }] });",
            "stage 1: `users` is a number of users, not `-1`",
        ),
        (
            "shape(#{ stages: [#{ duration: 1, users: 1, spawn_rate: 0 }] });",
            "`spawn_rate` is a number of users a second above zero, not `0`",
        ),
        (
            "shape(#{ stages: [#{ duration: 1, users: 1, spwan_rate: 5 }] });",
            "did you mean `spawn_rate`?",
        ),
        (
            "shape(#{ stages: [#{ duration: 1, user_count: 1 }] });",
            "write `users`",
        ),
        (
            "shape(#{ stages: [] });",
            "a shape needs an array of `stages`",
        ),
        (
            "shape(\"duble_wave\", #{ users: 1 });",
            "did you mean `double_wave`?",
        ),
        (
            "shape(\"steps\", #{ step_users: 5, duration: 60 });",
            "the shape `steps` needs `step_duration`",
        ),
        ("shape(\"spike\", #{ peek: 5 });", "did you mean `peak`?"),
        ("shape(|| [1, 1]);", "a shape's closure takes the run time"),
        ("shape(#{ state: #{} });", "which is not there"),
        (
            "shape(#{ tick: 5 });",
            "`tick` is a closure, not a whole number",
        ),
        (
            "shape(#{ tick: |t| 1, state: [] });",
            "`state` is a map, not an array",
        ),
        (
            "shape(#{ tick: |t| 1, stages: [#{ duration: 1, users: 1 }] });",
            "either `stages` or a `tick`",
        ),
        (
            "shape(\"constant\", #{ users: 1, duration: 1 }); shape(|t| 1);",
            "there are two shapes",
        ),
    ];
    for (shape, message) in cases {
        running(shape)
            .run()
            .code(2)
            .says(&["script.rhai:10:", message]);
    }
}

#[test]
fn the_ready_made_shapes_run() {
    for (shape, peak) in [
        (
            r#"shape("ramp", #{ users: 4, duration: 0.2, hold: 0.6 });"#,
            4,
        ),
        (
            r#"shape("steps", #{ step_users: 2, step_duration: 0.4, duration: 1.2, spawn_rate: 500 });"#,
            6,
        ),
        (
            r#"shape("spike", #{ users: 1, peak: 5, before: 0.1, peak_duration: 0.6, after: 0.1, spawn_rate: 500 });"#,
            5,
        ),
    ] {
        let run = running(shape).run().code(0);
        assert_eq!(run.document().count("/users/peak"), peak, "{shape}");
    }
}
