//! What the seconds of a run say, and the rows between two summaries: cells that come late, gauges,
//! numbers that stay.
//!
//! That cells add up is `merging`'s.

use std::sync::Arc;

use super::super::*;
use crate::stats::{Outcome, Recorder, Row, Sample, Second, Slots, Summary, Times};

const S: u64 = 1_000_000;

fn get(recorder: &mut Recorder, name: &str, end_us: u64, service_us: u64) {
    let series = recorder.series(&Kind::Http, "GET", name);
    let sample = Sample::new(series, 1, Outcome::Success, end_us - service_us);
    recorder.record(sample.service_us(service_us).bytes(100, 1_000));
}

fn recorder() -> Recorder {
    Recorder::new(0, Limits::default())
}

/// What another member of the run reports: requests of one second.
fn report(second: u64, requests: u64, service_us: u64) -> Report {
    let mut recorder = recorder();
    for n in 0..requests {
        get(&mut recorder, "/", second * S + service_us + n, service_us);
    }
    let mut ledger = Ledger::new(Limits::default());
    ledger.absorb(recorder.take(None));
    ledger.cut(0)
}

#[test]
fn a_second_is_completed_late_and_its_percentiles_with_it() {
    let mut collector = Collector::new(Limits::default());
    let closed = |collector: &mut Collector, second| -> Second {
        let summary = collector.summary(200 * S);
        *summary.history.get(second).expect("it is closed")
    };
    let is = |a: f64, b: f64| (a - b).abs() < 1e-9;
    collector.apply(&report(3, 10, 1_000));
    collector.users(7, 7);
    collector.tick(30 * S);
    let before = closed(&mut collector, 5);
    assert_eq!(
        (before.requests, before.p50_us, before.users),
        (0, 1_000, 7)
    );
    assert!(is(before.rps, 10.0 / 6.0));

    collector.apply(&report(5, 30, 9_000));
    collector.users(9, 9);
    collector.tick(120 * S);
    let after = closed(&mut collector, 5);
    assert_eq!((after.requests, after.p50_us, after.users), (30, 9_000, 7));
    assert!(is(after.rps, 40.0 / 6.0));
    assert_eq!(closed(&mut collector, 4).p50_us, 1_000, "before it");
    let [last, next] = [14, 15].map(|second| closed(&mut collector, second));
    assert_eq!((last.p50_us, next.p50_us), (9_000, 0));
    assert!(is(last.rps, 3.0) && is(next.rps, 0.0));

    // After 120 s times are not kept; what is counted still is.
    collector.tick(140 * S);
    collector.apply(&report(5, 100, 50_000));
    collector.tick(141 * S);
    let old = closed(&mut collector, 5);
    assert_eq!((old.requests, old.p50_us), (130, 9_000));
    assert!(is(old.rps, 140.0 / 6.0));
    assert_eq!(collector.summary(200 * S).total.requests, 140);
}

#[test]
fn a_second_says_what_was_asked_under_way_missed_transferred_and_used() {
    let mut collector = Collector::new(Limits::default());
    collector.generator(5 * S, 0);
    collector.begin(0);
    collector.asked(20);
    let mut recorder = recorder();
    let in_flight = recorder.in_flight();
    let under_way = [in_flight.begin(), in_flight.begin()];
    get(&mut recorder, "/", 400_000, 1_000);
    let series = recorder.series(&Kind::Http, "GET", "/");
    recorder.missed_slots(Slots {
        series,
        generation: 1,
        outcome: Outcome::Success,
        at_us: 1_500_000,
        longest_us: 900_000,
        period_us: 100_000,
        count: 4,
    });
    recorder.lag(700_000, 300);
    recorder.lag(600_000, 200);
    collector.absorb(recorder.take(None));
    collector.generator(5 * S + 250_000, 0);
    collector.tick(S);
    drop(under_way);
    collector.absorb(recorder.take(None));
    collector.asked(30);
    collector.generator(5 * S + 850_000, 0);
    // A tick was left out.
    collector.tick(3 * S);

    let summary = collector.summary(3 * S);
    let seconds: Vec<_> = summary.history.iter().collect();
    let gauges = |second: &Second| (second.asked, second.in_flight, second.cpu_us);
    assert_eq!(gauges(seconds[0]), (20, 2, 250_000), "not what came before");
    assert_eq!(gauges(seconds[1]), (30, 0, 300_000));
    assert_eq!(gauges(seconds[2]), (30, 0, 300_000));
    let first = seconds[0];
    assert_eq!(
        (first.sent, first.received, first.lag_us),
        (100, 1_000, 300)
    );
    assert_eq!((first.missed, seconds[1].missed), (0, 4));
    assert_eq!(seconds[1].p95_us, 1_000, "of requests alone");
}

#[test]
fn lateness_that_is_told_late_taints_the_second_it_was_in() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = recorder();
    for lag_us in [15_000, 40_000, 20_000] {
        recorder.lag(2_300_000, lag_us);
        collector.absorb(recorder.take(None));
        collector.tick(5 * S);
    }
    let summary = collector.summary(5 * S);
    let mark = Mark::Tainted { lag_us: 40_000 };
    assert_eq!(summary.marks, [Marked { at_us: 2 * S, mark }]);
    let tainted: Vec<_> = summary.history.iter().map(|it| it.is_tainted).collect();
    assert_eq!(tainted, [false, false, true, false, false]);
    assert_eq!(summary.history.get(2).map(|it| it.lag_us), Some(40_000));
}

#[test]
fn a_row_keeps_its_number_and_says_when_it_changed() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = recorder();
    let rows = |collector: &mut Collector, now_s: u64| -> Vec<(String, u32, u64)> {
        let summary = collector.summary(now_s * S);
        let rows = summary.requests.iter().chain([&summary.total]);
        rows.map(|row| (row.key.name.to_string(), row.id, row.changed))
            .collect()
    };
    let is = |rows: Vec<(String, u32, u64)>, expected: &[(&str, u32, u64)]| {
        let flat = rows.iter().map(|(name, id, at)| (&**name, *id, *at));
        assert_eq!(flat.collect::<Vec<_>>(), expected);
    };
    get(&mut recorder, "/b", 100_000, 500);
    collector.absorb(recorder.take(None));
    is(
        rows(&mut collector, 1),
        &[("/b", 1, 1), ("Aggregated", 0, 1)],
    );

    get(&mut recorder, "/a", 1_500_000, 500);
    collector.absorb(recorder.take(None));
    // Current rates are over another time each second, until ten have passed.
    let now = rows(&mut collector, 2);
    assert_eq!(now.iter().map(|row| row.1).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(now[0].2, 2);

    rows(&mut collector, 10);
    let quiet = rows(&mut collector, 30);
    assert!(
        quiet.iter().all(|row| row.2 == 30),
        "it fell to zero: {quiet:?}"
    );
    is(
        rows(&mut collector, 40),
        &[("/a", 2, 30), ("/b", 1, 30), ("Aggregated", 0, 30)],
    );
    collector.apply(&report(39, 1, 500));
    let third = rows(&mut collector, 41);
    assert_eq!(third[0], ("/".to_owned(), 3, 41));
    assert_eq!((third[1].2, third[3].2), (30, 41));
}

#[test]
fn any_quantile_of_any_row() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = recorder();
    for n in 1..=1_000 {
        get(&mut recorder, "/a", 2 * S, n);
    }
    get(&mut recorder, "/b", 2 * S, 5_000);
    collector.absorb(recorder.take(None));
    let rows = collector.summary(3 * S);
    let a = rows.requests[0].id;
    let of = |row, quantile| collector.quantile_us(row, Times::Response, quantile);
    assert_eq!(of(a, 0.123), Some(123));
    assert_eq!(of(a, 0.0), Some(1));
    assert_eq!(of(0, 1.0), Some(5_000));
    assert_eq!(of(7, 0.5), None);
    assert_eq!(collector.quantile_us(a, Times::Failed, 0.5), None);
}

#[test]
fn classes_share_their_rows_unless_they_are_asked_for() {
    for keeps_classes in [false, true] {
        let mut collector = Collector::new(Limits::default());
        if keeps_classes {
            collector.keep_classes();
        }
        let mut recorder = recorder();
        for (class, count) in [("Seller", 2), ("Buyer", 3)] {
            let series = recorder.series_of(class, &Kind::Http, "GET", "/");
            for n in 0..count {
                recorder.record(Sample::new(series, 1, Outcome::Success, n));
            }
        }
        collector.absorb(recorder.take(None));
        let summary = collector.summary(S);
        let rows = summary.requests.iter();
        let rows: Vec<_> = rows
            .map(|row| (row.key.class.as_deref(), row.requests))
            .collect();
        if keeps_classes {
            assert_eq!(rows, [(Some("Buyer"), 3), (Some("Seller"), 2)]);
        } else {
            assert_eq!(rows, [(None, 5)]);
        }
        assert_eq!(summary.total.requests, 5);
    }
}

#[test]
fn a_reset_leaves_the_timeline_and_counts_nothing_from_before() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = recorder();
    get(&mut recorder, "/", 500_000, 1_000);
    collector.absorb(recorder.take(None));
    collector.reset(S);
    collector.tick(2 * S);
    let summary = collector.summary(2 * S);
    assert_eq!(
        (summary.total.requests, summary.requests[0].requests),
        (0, 0)
    );
    assert_eq!(
        summary.history.get(0).map(|second| second.requests),
        Some(1)
    );
    assert_eq!(
        summary.history.get(1).map(|second| second.p50_us),
        Some(1_000)
    );
}

/// More rows of widely spread times than a summary looks at.
#[test]
fn rows_take_turns_when_there_are_too_many_and_none_is_old_at_the_end() {
    const NAMES: u64 = 1_000;
    let mut collector = Collector::new(Limits::default());
    for n in 1..=2 {
        collector.generation(Generation {
            n,
            hash: "".into(),
            at_us: 0,
        });
    }
    let mut recorder = recorder();
    let series: Vec<_> = (0..NAMES)
        .map(|n| recorder.series(&Kind::Http, "GET", &format!("/{n:04}")))
        .collect();
    let mut old = Vec::new();
    for round in 1..=4_u64 {
        for id in &series {
            for octave in 0..12 {
                for step in 0..40 {
                    let us = (1_000 + step * 26 + round) << octave;
                    let start_us = (round * S).saturating_sub(us);
                    let generation = 1 + u16::from(step % 2 == 0);
                    let sample = Sample::new(*id, generation, Outcome::Success, start_us);
                    recorder.record(sample.service_us(us));
                    if recorder.is_full() {
                        collector.absorb(recorder.take(None));
                    }
                }
            }
        }
        collector.absorb(recorder.take(None));
        if round == 4 {
            collector.end(round * S);
        }
        let summary = collector.summary(round * S + S);
        let rows = &summary.requests;
        assert!(rows.is_sorted_by_key(|row| &row.key));
        assert!(rows.iter().all(|row| row.requests == round * 480));
        let is_old = |row: &&crate::stats::Row| row.service.count < row.requests;
        old.push(
            rows.iter()
                .filter(is_old)
                .map(|row| row.id)
                .collect::<Vec<_>>(),
        );
        assert_eq!(summary.total.service.count, round * 480 * NAMES);
        let parts = summary.by_generation.iter();
        let of_parts: u64 = parts.map(|part| part.total.service.count).sum();
        assert_eq!(of_parts, summary.total.service.count, "totals never wait");
    }
    assert!(old[0].is_empty(), "a row begins with its times");
    assert!(
        !old[1].is_empty() && old[1].len() < 1_000,
        "{}",
        old[1].len()
    );
    assert!(old[1] != old[2], "others take their turn");
    assert!(old[3].is_empty(), "all at the end");
}

#[test]
fn rates_of_generations_count_from_a_reset_too() {
    let mut collector = Collector::new(Limits::default());
    for n in 1..=2 {
        collector.generation(Generation {
            n,
            hash: "".into(),
            at_us: 0,
        });
    }
    collector.reset(6 * S);
    let mut recorder = recorder();
    let series = recorder.series(&Kind::Http, "GET", "/");
    (0..8).for_each(|n| {
        recorder.record(Sample::new(series, 2, Outcome::Success, 7 * S + n));
    });
    collector.absorb(recorder.take(None));
    let summary = collector.summary(10 * S);
    let newest = summary.by_generation.last().expect("two generations");
    assert_eq!(newest.end_us, 10 * S);
    assert!(
        (summary.total.rps - 2.0).abs() < 1e-9,
        "{}",
        summary.total.rps
    );
    assert!(
        (newest.total.rps - 2.0).abs() < 1e-9,
        "{}",
        newest.total.rps
    );
}

#[test]
fn rows_of_a_generation_that_is_over_are_kept_until_something_is_added() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = recorder();
    let series = recorder.series(&Kind::Http, "GET", "/");
    let group = recorder.series(&Kind::Group, "", "g");
    let mut shown: Vec<Arc<Summary>> = Vec::new();
    for second in 0..40_u64 {
        if [0, 2, 4].contains(&second) {
            let n = u16::try_from(second / 2 + 1).expect("small");
            let (hash, at_us) = ("".into(), second * S);
            collector.generation(Generation { n, hash, at_us });
        }
        let generation = u16::try_from(second / 2 + 1).expect("small").min(3);
        let sample = |id, generation, us| {
            let sample = Sample::new(id, generation, Outcome::Success, second * S);
            sample.service_us(us)
        };
        recorder.record(sample(series, generation, 100 * second));
        // Late ones, one that is in the total and one that is not.
        if second == 25 {
            recorder.record(sample(series, 1, 70_000));
        }
        if second == 30 {
            recorder.record(sample(group, 2, 50_000));
        }
        collector.absorb(recorder.take(None));
        collector.tick((second + 1) * S);
        shown.push(collector.summary((second + 1) * S));
    }
    let is_kept = |part: usize, second: usize| {
        let of = |second: usize| &shown[second].by_generation[part];
        Arc::ptr_eq(of(second), of(second - 1))
    };
    let kept = |part| {
        (6..40)
            .filter(|second| is_kept(part, *second))
            .collect::<Vec<_>>()
    };
    // From the second summary on that has nothing of the part among its latest ten seconds.
    assert_eq!(kept(0), [12..=24, 36..=39].map(Vec::from_iter).concat());
    assert_eq!(kept(1), Vec::from_iter(14..=29));
    assert_eq!(kept(2), [0; 0]);

    let [earlier, before, _] = &shown[39].by_generation[..] else {
        panic!("three parts")
    };
    let figures = |row: &Row| (row.requests, row.service.max_us, row.current.count);
    assert_eq!(figures(&earlier.requests[0]), (3, 70_000, 0));
    assert_eq!(figures(&earlier.total), (3, 70_000, 0));
    assert_eq!(figures(&before.requests[0]), (2, 300, 0));
    assert_eq!(figures(&before.groups[0]), (1, 50_000, 1));
    assert!(shown[29].by_generation[1].groups.is_empty());
}
