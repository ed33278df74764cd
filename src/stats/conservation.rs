//! Holds the way from recorders to the summary to losing nothing, whatever overflows.
//!
//! A test of the module as a whole; not compiled into the tool.

use super::{
    Collector, Generation, Kind, Limits, Mark, OTHER_NAMES, OTHER_TEXTS, Outcome, Recorder, Row,
    Sample, Slots, Summary,
};

const LIMITS: Limits = Limits {
    series: 20,
    texts: 5,
    samples: 64,
};

fn get(recorder: &mut Recorder, name: &str, generation: u16, end_us: u64, outcome: Outcome) {
    let series = recorder.series(&Kind::Http, "GET", name);
    let sample = Sample::new(series, generation, outcome, end_us - 500);
    let sample = sample.service_us(400 + 100 * u64::from(generation));
    recorder.record(sample.bytes(100, 1_000));
    if outcome == Outcome::Success && end_us.is_multiple_of(13) {
        recorder.missed_slots(Slots {
            series,
            generation,
            outcome,
            at_us: end_us,
            longest_us: 2_000_000,
            period_us: 1_000_000,
            count: 2,
        });
    }
}

/// Two threads that meet names in different orders, fold at different times, and have more
/// names and texts than there is room for; `generation` of the script sends sample n, and
/// `announced` says which are known by then.
fn busy_run(announced: fn(u64) -> u16, generation: fn(u64) -> u16) -> (Collector, u64) {
    let mut known = 0;
    let mut collector = Collector::new(LIMITS);
    let mut recorders = [Recorder::new(0, LIMITS), Recorder::new(1, LIMITS)];
    let mut spare = None;
    for n in 0..10_000_u64 {
        while known < announced(n) {
            known += 1;
            collector.generation(Generation {
                n: known,
                hash: "".into(),
                at_us: 1_000 * n,
            });
        }
        let thread = usize::try_from(n % 2).expect("0 or 1");
        let recorder = &mut recorders[thread];
        let outcome = if n % 7 == 0 {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        let name = if thread == 0 { n % 25 } else { 24 - n % 25 };
        let version = generation(n);
        get(
            recorder,
            &format!("/{name}"),
            version,
            1_000 * (n + 1),
            outcome,
        );
        if outcome == Outcome::Failure {
            let series = recorder.series(&Kind::Http, "GET", &format!("/{name}"));
            recorder.error(series, 1_000 * n, &format!("error {}", n % 11));
        }
        let group = recorder.series(&Kind::Group, "", "checkout");
        recorder.record(Sample::new(group, version, Outcome::Success, 0).service_us(1 << 33));
        recorder.lag(1_000 * n, 20);
        if n % 900 == 0 {
            spare = Some(collector.absorb(recorder.take(spare.take())));
        }
    }
    for recorder in &mut recorders {
        spare = Some(collector.absorb(recorder.take(spare.take())));
    }
    (collector, 10_000)
}

#[test]
fn nothing_is_lost_by_folding_overflow_or_clipping() {
    let (mut collector, sent) = busy_run(|_| 1, |_| 1);
    collector.end(10_000_000);
    let summary = collector.summary(12_000_000);

    let sum = |figure: fn(&Row) -> u64| summary.requests.iter().map(figure).sum::<u64>();
    assert_eq!(summary.total.requests, sent);
    assert_eq!(sum(|row| row.requests), sent);
    assert_eq!(sum(|row| row.failures), summary.total.failures);
    assert_eq!(summary.total.failures, sent.div_ceil(7));
    assert_eq!(sum(|row| row.received), sent * 1_000);
    assert_eq!(summary.total.received, sent * 1_000);
    assert_eq!(summary.total.service.count, sent);
    assert_eq!(summary.total.failed.count, summary.total.failures);
    assert_eq!(
        summary
            .history
            .iter()
            .map(|second| second.requests)
            .sum::<u64>(),
        sent
    );
    assert_eq!(
        summary.errors.iter().map(|row| row.count).sum::<u64>(),
        summary.total.failures
    );
    assert_eq!(summary.generator.lag.count, sent);

    assert!(summary.warnings.folded > 0 && summary.warnings.folded < 2 * sent);
    assert!(summary.warnings.too_many_names && summary.warnings.too_many_texts);
    assert!(summary.requests.len() <= LIMITS.series + 1);
    let others = summary
        .requests
        .iter()
        .filter(|row| *row.key.name == *OTHER_NAMES);
    assert_eq!(others.count(), 1);
    assert!(summary.errors.iter().any(|row| *row.error == *OTHER_TEXTS));

    assert_eq!(summary.groups.len(), 1, "groups have rows of their own");
    assert_eq!(summary.groups[0].requests, sent);
    assert_eq!(
        summary.warnings.clipped,
        2 * sent,
        "each field, and each time above an hour"
    );
}

/// Five generations, 2,000 samples each.
fn newest(n: u64) -> u16 {
    u16::try_from(1 + n / 2_000).expect("at most five")
}

/// Samples of the newest come among those of up to three before it.
fn sender(n: u64) -> u16 {
    let behind = u16::try_from(n % 4).expect("at most three");
    newest(n).saturating_sub(behind).max(1)
}

fn reloaded() -> (Summary, Vec<u64>) {
    let (mut collector, sent) = busy_run(newest, sender);
    collector.end(10_000_000);
    let mut by_version = vec![0; 5];
    (0..sent).for_each(|n| by_version[usize::from(sender(n)) - 1] += 1);
    let summary = collector.summary(12_000_000);
    (std::sync::Arc::unwrap_or_clone(summary), by_version)
}

#[test]
fn the_sum_over_generations_is_the_whole() {
    let (summary, sent) = reloaded();
    assert!(summary.warnings.folded > 0, "some were folded");
    let parts = &summary.by_generation;
    let of: Vec<_> = parts
        .iter()
        .map(|part| (part.first.n, part.last.n))
        .collect();
    assert_eq!(of, [(1, 3), (4, 4), (5, 5)]);
    let requests: Vec<_> = parts.iter().map(|part| part.total.requests).collect();
    assert_eq!(requests, [sent[0] + sent[1] + sent[2], sent[3], sent[4]]);

    let figures: [fn(&Row) -> u64; 7] = [
        |row| row.requests,
        |row| row.failures,
        |row| row.sent,
        |row| row.received,
        |row| row.service.count,
        |row| row.response.count,
        |row| row.failed.count,
    ];
    let whole = summary.requests.iter().chain(&summary.groups);
    for row in whole.chain([&summary.total]) {
        for (i, figure) in figures.iter().enumerate() {
            let rows = parts.iter().flat_map(|part| {
                let rows = part.requests.iter().chain(&part.groups);
                rows.chain([&part.total]).filter(|part| part.key == row.key)
            });
            assert_eq!(rows.map(figure).sum::<u64>(), figure(row), "{i} of {row:?}");
        }
    }
    let slots = summary.total.response.count - summary.total.service.count;
    let overran = (0..10_000).filter(|n| n % 7 != 0 && (n + 1) % 13 == 0);
    assert_eq!(slots, 2 * overran.count() as u64);
    let spread: Vec<_> = parts
        .iter()
        .map(|part| (part.total.service.min_us, part.total.service.max_us))
        .collect();
    assert_eq!(
        spread,
        [(500, 700), (800, 800), (900, 900)],
        "each its own times"
    );
}

#[test]
fn a_reload_changes_no_figure_of_the_whole() {
    let (split, _) = reloaded();
    let (mut collector, _) = busy_run(|_| 0, sender);
    collector.end(10_000_000);
    let whole = collector.summary(12_000_000);
    assert_eq!(whole.by_generation.len(), 0);
    assert_eq!(split.requests, whole.requests);
    assert_eq!(split.total, whole.total);
    assert_eq!(split.groups, whole.groups);
    assert_eq!(split.errors, whole.errors);
    assert_eq!(split.warnings, whole.warnings);

    let reloads = split
        .marks
        .iter()
        .map(|marked| (marked.at_us, marked.mark.clone()));
    let expected = (2..=5).map(|generation| {
        let at_us = 2_000_000 * (u64::from(generation) - 1);
        (at_us, Mark::Reload { generation })
    });
    assert!(reloads.eq(expected), "{:?}", split.marks);
}
