//! What a pause leaves out of rates, and where it is seen.
//!
//! Which part of a pause that is, is `stats::pauses`'.

use super::*;

const S: u64 = 1_000_000;

/// A hundred requests in each of these seconds.
fn at_work(collector: &mut Collector, recorder: &mut Recorder, seconds: std::ops::Range<u64>) {
    for second in seconds {
        for n in 0..100 {
            let end_us = second * S + n * 10_000 + 5_000;
            get(recorder, "/", end_us, Outcome::Success);
        }
        collector.absorb(recorder.take(None));
        collector.tick((second + 1) * S);
    }
}

/// Four seconds of work, a pause of ten in whose first 0.3 s a request still ends, and four more.
fn paused(during: impl FnOnce(&mut Collector)) -> Collector {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = Recorder::new(0, Limits::default());
    at_work(&mut collector, &mut recorder, 0..4);
    collector.pause(4 * S);
    get(&mut recorder, "/", 4_300_000, Outcome::Success);
    collector.absorb(recorder.take(None));
    (5..=14).for_each(|second| collector.tick(second * S));
    during(&mut collector);
    collector.resume(14 * S);
    at_work(&mut collector, &mut recorder, 14..18);
    collector
}

fn is(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn rates_are_over_the_time_at_work() {
    let mut collector = paused(|collector| {
        let summary = collector.summary(14 * S);
        assert_eq!((summary.elapsed_us, summary.end_us), (4_300_000, 14 * S));
        is(summary.total.rps, 401.0 / 4.3);
        // One request in 0.3 s: less than a second says too little.
        is(summary.total.current_rps, 1.0);
    });
    let summary = collector.summary(18 * S);
    assert_eq!(
        (summary.total.requests, summary.elapsed_us),
        (801, 8_300_000)
    );
    assert_eq!((summary.paused_us(), summary.end_us), (9_700_000, 18 * S));
    assert_eq!(summary.pauses.held_us(), 10 * S);
    is(summary.total.rps, 801.0 / 8.3);
    is(summary.total.current_rps, 100.0);
    let marks: Vec<_> = summary
        .marks
        .iter()
        .map(|mark| (mark.at_us, &mark.mark))
        .collect();
    assert_eq!(marks, [(4 * S, &Mark::Pause), (14 * S, &Mark::Resume)]);
}

#[test]
fn each_second_says_how_much_of_it_was_paused() {
    let summary = paused(|_| {}).summary(18 * S);
    let paused: Vec<u64> = summary
        .history
        .iter()
        .map(|second| second.paused_us)
        .collect();
    let expected: Vec<u64> = (0..18)
        .map(|second| match second {
            4 => 700_000,
            5..14 => S,
            _ => 0,
        })
        .collect();
    assert_eq!(paused, expected);
    let rps = |second| summary.history.get(second).expect("it is closed").rps;
    is(rps(3), 100.0);
    is(rps(9), 401.0 / 4.3);
    is(rps(13), 1.0);
    is(rps(17), 100.0);
}

#[test]
fn generations_and_resets_in_a_pause_leave_their_share_of_it_out() {
    let generation = |n, at_us| Generation {
        n,
        hash: "".into(),
        at_us,
    };
    let mut collector = paused(|collector| {
        collector.generation(generation(1, 0));
        collector.generation(generation(2, 9 * S));
    });
    let summary = collector.summary(18 * S);
    let [before, now] = &summary.by_generation[..] else {
        panic!("two generations");
    };
    assert_eq!((before.end_us, now.end_us), (9 * S, 18 * S));
    // All requests are the first one's: 4.3 s of its 9 were no rest.
    is(before.total.rps, 801.0 / 4.3);

    let mut collector = paused(|collector| collector.reset(12 * S));
    let summary = collector.summary(18 * S);
    assert_eq!((summary.paused_us(), summary.elapsed_us), (2 * S, 4 * S));
    is(summary.total.rps, 100.0);
}

#[test]
fn a_run_that_ends_in_a_pause_is_over_then() {
    let mut collector = paused(|collector| collector.end(14 * S));
    let summary = collector.summary(40 * S);
    // The last response came at 18 s here.
    assert_eq!(summary.pauses.iter().collect::<Vec<_>>(), [(4 * S, 14 * S)]);
    assert_eq!(
        (summary.paused_us(), summary.end_us),
        (9_700_000, 17_995_000)
    );
}
