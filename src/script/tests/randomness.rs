//! Chance: the same seed gives every user the same stream, on whichever thread it lives.
//! The numbers themselves are tested with the stream that they come from.

use std::collections::BTreeSet;

use super::*;

const DRAWS: &str = "
    const TOP = random(1, 1_000_000);
    user(\"U\", #{ t: task(|| {
        let drawn = [
            random(), random(1, 6), random(-5, 5), random(0.5, 1.5), choice([1, 2, 3]),
            choice(#{ a: 3, b: 1 }), sample([1, 2, 3, 4], 2), random_string(8), exponential(2.0),
            exponential(1), uuid(), TOP,
        ];
        sleep(0.001);
        drawn.push(random());
        drawn.to_string()
    }) });";

/// What the users of these numbers draw on one thread.
fn drawn(seed: u64, ordinals: &[u64]) -> Vec<String> {
    let ordinals = ordinals.to_vec();
    on_load_thread(async move || {
        let inputs = Inputs {
            seed,
            ..Inputs::default()
        };
        let world = Rc::new(World::of(&[("s.rhai", DRAWS)], &inputs, None));
        let calls: Vec<_> = ordinals
            .into_iter()
            .map(|ordinal| {
                let world = world.clone();
                spawn_local(async move {
                    world
                        .call(world.user(ordinal), Function::Task(0))
                        .await
                        .1
                        .unwrap()
                        .to_string()
                })
            })
            .collect();
        let mut all = Vec::new();
        for call in calls {
            all.push(call.await.unwrap());
        }
        all
    })
}

#[test]
fn one_thread_and_four_draw_the_same() {
    let on_one = drawn(7, &[0, 1, 2, 3, 4, 5, 6, 7]);
    let on_four: Vec<_> = (0..4)
        .map(|thread| std::thread::spawn(move || drawn(7, &[thread, thread + 4])))
        .collect();
    for (thread, both) in on_four.into_iter().enumerate() {
        let both = both.join().unwrap();
        assert_eq!([&both[0], &both[1]], [&on_one[thread], &on_one[thread + 4]]);
    }
    assert_eq!(
        on_one.iter().collect::<BTreeSet<_>>().len(),
        8,
        "each has a stream of its own"
    );
    assert_ne!(drawn(8, &[0]), on_one[..1]);
}

#[test]
fn both_ends_are_drawn_and_nothing_beyond() {
    let drawn = evaluated(
        "let seen = []; for i in 0..500 { seen.push(random(1, 3)); } seen.sort(); seen.dedup(); seen",
    );
    assert_eq!(drawn, "[1, 2, 3]");
    assert_eq!(evaluated("random(5, 5)"), "5");
    assert_eq!(
        evaluated("let x = random(-9223372036854775808, 9223372036854775807); type_of(x)"),
        "i64"
    );
    assert_eq!(
        evaluated("sample([1, 2, 3], 3).len() + sample([1], 0).len()"),
        "3"
    );
    let sampled = evaluated("let s = sample([1, 2, 3], 3); s.sort(); s");
    assert_eq!(sampled, "[1, 2, 3]");
    for (body, expected) in [
        ("random(3, 1)", "the smaller number first"),
        ("choice([])", "`choice` of an empty array"),
        ("choice(#{})", "`choice` of a map without weights"),
        ("choice(#{ a: -1 })", "takes weights"),
        ("sample([1], 2)", "takes 0 to 1"),
        ("random_string(-1)", "takes a length"),
        ("random_string(20_000_000)", "takes a length"),
        ("exponential(\"x\")", "takes a mean"),
    ] {
        let failure = failed(body);
        assert!(failure.message.contains(expected), "{body}: {failure:?}");
    }
}
