//! What a collector makes of batches: sums, seconds, generations, marks.
//!
//! That nothing is lost or counted twice is `conservation`'s.

mod fleet;
mod merging;
mod pauses;
mod seconds;
mod texts;
mod timeline;

use super::*;
use crate::stats::{Outcome, Recorder, Sample};

fn get(recorder: &mut Recorder, name: &str, end_us: u64, outcome: Outcome) {
    let series = recorder.series(&Kind::Http, "GET", name);
    let sample = Sample::new(series, 1, outcome, end_us - 500).service_us(500);
    recorder.record(sample.bytes(100, 1_000));
}

#[test]
fn rows_are_sorted_by_name_and_method_and_threads_meet_in_one_row() {
    let mut collector = Collector::new(Limits::default());
    let mut recorders = [
        Recorder::new(0, Limits::default()),
        Recorder::new(1, Limits::default()),
    ];
    get(&mut recorders[0], "/b", 1_000, Outcome::Success);
    get(&mut recorders[1], "/a", 1_000, Outcome::Success);
    get(&mut recorders[1], "/b", 1_000, Outcome::Failure);
    let post = recorders[1].series(&Kind::Protocol("mqtt".into()), "CONNECT", "/a");
    recorders[1].record(Sample::new(post, 1, Outcome::Success, 0));
    for recorder in &mut recorders {
        collector.absorb(recorder.take(None));
    }

    let summary = collector.summary(1_000_000);
    let rows: Vec<_> = summary
        .requests
        .iter()
        .map(|row| (&*row.key.method, &*row.key.name, row.requests, row.failures))
        .collect();
    assert_eq!(
        rows,
        [
            ("CONNECT", "/a", 1, 0),
            ("GET", "/a", 1, 0),
            ("GET", "/b", 2, 1)
        ]
    );
    assert_eq!(summary.total.key.kind, Kind::Total);
}

#[test]
fn current_rates_fall_to_zero_and_total_rates_stop_with_the_load() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = Recorder::new(0, Limits::default());
    for n in 1..=400 {
        get(&mut recorder, "/", n * 10_000, Outcome::Success);
    }
    collector.users(3, 3);
    collector.absorb(recorder.take(None));
    collector.tick(4_500_000);
    let mut at = |now_us| {
        let total = collector.summary(now_us).total.clone();
        (total.rps, total.current_rps)
    };
    let is = |(a, b): (f64, f64), (x, y): (f64, f64)| (a - x).abs() + (b - y).abs() < 1e-9;
    assert!(is(at(500_000), (800.0, 0.0)), "no second has completed");
    assert!(is(at(5_000_000), (80.0, 80.0)));
    assert!(is(at(20_000_000), (20.0, 0.0)));

    collector.users(0, 3);
    collector.end(4_200_000);
    collector.tick(8_000_000);
    let summary = collector.summary(20_000_000);
    assert_eq!(summary.elapsed_us, 4_200_000);
    assert_eq!((summary.users.running, summary.users.peak), (0, 3));
    let seconds: Vec<_> = summary
        .history
        .iter()
        .map(|s| (s.requests, s.users, s.rps))
        .collect();
    let expected = [
        99.0,
        99.5,
        299.0 / 3.0,
        99.75,
        80.0,
        400.0 / 6.0,
        400.0 / 7.0,
        50.0,
    ];
    assert_eq!(seconds.len(), 8);
    for (second, rps) in seconds.iter().zip(expected) {
        assert!((second.2 - rps).abs() < 1e-9, "{second:?} is not {rps}");
    }
    assert_eq!((seconds[0].0, seconds[0].1, seconds[7].1), (99, 3, 0));
    assert!(summary.history.iter().all(|second| second.p50_us == 500));
}

#[test]
fn a_second_in_which_the_generator_lagged_is_tainted_in_both_places() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = Recorder::new(0, Limits::default());
    for (second, lag_us) in [(1, 10_000), (2, 500), (3, 30_000), (4, 0)] {
        recorder.lag(second * 1_000_000 - 1, lag_us);
        collector.absorb(recorder.take(None));
        collector.tick(second * 1_000_000);
    }
    collector.mark(3_500_000, Mark::Reset);
    let summary = collector.summary(4_000_000);
    let tainted: Vec<bool> = summary
        .history
        .iter()
        .map(|second| second.is_tainted)
        .collect();
    assert_eq!(tainted, [false, false, true, false]);
    let marks = [
        (2_000_000, Mark::Tainted { lag_us: 30_000 }),
        (3_500_000, Mark::Reset),
    ];
    assert_eq!(
        summary.marks,
        marks.map(|(at_us, mark)| Marked { at_us, mark })
    );
}
