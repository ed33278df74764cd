//! Holds the way from recorders to the summary to losing nothing, whatever overflows.
//!
//! A test of the module as a whole; not compiled into the tool.

use super::{Collector, Kind, Limits, OTHER_NAMES, OTHER_TEXTS, Outcome, Recorder, Row, Sample};

const LIMITS: Limits = Limits {
    series: 20,
    texts: 5,
    samples: 64,
};

fn get(recorder: &mut Recorder, name: &str, end_us: u64, outcome: Outcome) {
    let series = recorder.series(&Kind::Http, "GET", name);
    let sample = Sample::new(series, 1, outcome, end_us - 500).service_us(500);
    recorder.record(sample.bytes(100, 1_000));
}

/// Two threads that meet names in different orders, fold at different times, and have more
/// names and texts than there is room for.
fn busy_run() -> (Collector, u64) {
    let mut collector = Collector::new(LIMITS);
    let mut recorders = [Recorder::new(0, LIMITS), Recorder::new(1, LIMITS)];
    let mut spare = None;
    for n in 0..10_000_u64 {
        let thread = usize::try_from(n % 2).expect("0 or 1");
        let recorder = &mut recorders[thread];
        let outcome = if n % 7 == 0 {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        let name = if thread == 0 { n % 25 } else { 24 - n % 25 };
        get(recorder, &format!("/{name}"), 1_000 * (n + 1), outcome);
        if outcome == Outcome::Failure {
            let series = recorder.series(&Kind::Http, "GET", &format!("/{name}"));
            recorder.error(series, 1_000 * n, &format!("error {}", n % 11));
        }
        let group = recorder.series(&Kind::Group, "", "checkout");
        recorder.record(Sample::new(group, 1, Outcome::Success, 0).service_us(1 << 33));
        recorder.lag(20);
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
    let (mut collector, sent) = busy_run();
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

    assert!(summary.caveats.folded > 0 && summary.caveats.folded < 2 * sent);
    assert!(summary.caveats.too_many_names && summary.caveats.too_many_texts);
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
        summary.caveats.clipped,
        2 * sent,
        "each field, and each time above an hour"
    );
}
