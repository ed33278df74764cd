//! What the collector tells the timeline, and how sure percentiles are.
//!
//! That stretches add up to rows, however a run is split, is `merging`'s; how the timeline keeps
//! them is tested there.

use super::super::*;
use crate::stats::{Outcome, Recorder, Row, Sample, Summary, WindowedRow};

const S: u64 = 1_000_000;

fn send(recorder: &mut Recorder, kind: &Kind, generation: u16, end_us: u64, service_us: u64) {
    let series = recorder.series(kind, "GET", "/");
    let sample = Sample::new(series, generation, Outcome::Success, end_us - service_us);
    recorder.record(sample.service_us(service_us).bytes(100, 1_000));
}

fn rows(summary: &Summary, from: u64, to: u64) -> Vec<WindowedRow> {
    let window = summary.timeline.window(from..to);
    assert_eq!(window.seconds, from..to);
    window.rows
}

fn counts(rows: &[WindowedRow]) -> Vec<(u32, u64)> {
    rows.iter().map(|row| (row.id, row.requests)).collect()
}

#[test]
fn a_second_is_on_the_timeline_before_it_is_over_and_stays_through_a_reset() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = Recorder::new(0, Limits::default());
    let other = Kind::Protocol("mqtt".into());
    send(&mut recorder, &Kind::Http, 1, 200_000, 1_000);
    send(&mut recorder, &Kind::Group, 1, 200_000, 2_000);
    collector.absorb(recorder.take(None));
    let summary = collector.summary(300_000);
    let first = rows(&summary, 0, 1);
    assert_eq!(
        counts(&first),
        [(0, 1), (1, 1), (2, 1)],
        "no group in the total"
    );
    assert_eq!(first[0].response, first[1].response);
    assert_eq!(first[2].response.max_us, 2_000);

    send(&mut recorder, &other, 1, S + 200_000, 5_000);
    send(&mut recorder, &Kind::Http, 1, 900_000, 1_000);
    collector.absorb(recorder.take(None));
    collector.reset(S + 300_000);
    collector.tick(3 * S);
    let after = collector.summary(3 * S);
    assert_eq!(after.total.requests, 0);
    assert_eq!(counts(&rows(&after, 0, 1)), [(0, 2), (1, 2), (2, 1)]);
    assert_eq!(counts(&rows(&after, 1, 2)), [(0, 1), (3, 1)]);
    assert_eq!(counts(&rows(&after, 2, 3)), [(0, 0)]);
    assert_eq!(after.timeline.stretches(0, 0..9).count(), 3, "closed ones");
    assert_eq!(rows(&summary, 0, 1), first, "a summary does not change");
    let id = |method: fn(&Row) -> bool| {
        after
            .requests
            .iter()
            .find(|row| method(row))
            .map(|row| row.id)
    };
    assert_eq!(id(|row| row.key.kind == Kind::Http), Some(1));
    assert_eq!(id(|row| row.key.kind != Kind::Http), Some(3));
}

#[test]
fn a_second_says_how_many_users_were_behind_when_it_was_closed() {
    let mut collector = Collector::new(Limits::default());
    for (second, behind) in [(1, 0), (2, 40), (3, 3)] {
        collector.behind(behind);
        collector.tick(second * S);
    }
    let summary = collector.summary(3 * S);
    let behind: Vec<_> = summary.history.iter().map(|second| second.behind).collect();
    assert_eq!(behind, [0, 40, 3]);
}

#[test]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the definition of a rank"
)]
fn intervals_of_a_generation_and_of_the_total_are_those_of_its_times() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = Recorder::new(0, Limits::default());
    let mut times: [Vec<u64>; 2] = Default::default();
    for (n, count) in [(1, 700), (2, 90)] {
        collector.generation(Generation {
            n,
            hash: "".into(),
            at_us: 0,
        });
        for nth in 0..count {
            let us = 2_000 + u64::from(n) * 300 + nth * nth * 7 % 90_001;
            times[usize::from(n) - 1].push(us);
            send(&mut recorder, &Kind::Http, n, S, us);
        }
        // Cut in the middle of its requests: its ages count.
        let series = recorder.series(&Kind::Http, "GET", "/");
        recorder.unfinished(series, n, S, 50_000, 50_000);
        times[usize::from(n) - 1].push(50_000);
        collector.absorb(recorder.take(None));
    }
    let summary = collector.summary(2 * S);
    let check = |row: &Row, mut times: Vec<u64>| {
        times.sort_unstable();
        for (quantile, ends) in [0.50, 0.95, 0.99].iter().zip(row.intervals_us.chunks(2)) {
            let middle = quantile * times.len() as f64;
            let width = 1.96 * (middle * (1.0 - quantile)).sqrt();
            let ranks = [(middle - width).floor(), (middle + width).ceil()];
            for (found, rank) in ends.iter().zip(ranks) {
                let exact = times[(rank as usize).clamp(1, times.len()) - 1];
                assert!(
                    *found >= exact && (found - exact) * 1_000 <= exact,
                    "{quantile}: {found}, {exact}"
                );
            }
        }
    };
    check(&summary.total, times.concat());
    for (part, times) in summary.by_generation.iter().zip(times) {
        check(&part.total, times.clone());
        check(&part.requests[0], times);
    }
    assert_eq!(summary.requests[0].intervals_us, [0; 6]);
}
