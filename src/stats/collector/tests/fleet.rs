//! Percentiles of a fleet are those of all its requests: four workers that differ a thousandfold,
//! over the wire, against one histogram of the union.
//!
//! How parts add up in general is held by `merging`.

use super::super::*;
use crate::stats::cell::together;
use crate::stats::dist::Dist;
use crate::stats::{Bounds, Decoder, Encoder, Outcome, Recorder, Sample, Times};

const WORKERS: u32 = 4;
const SECONDS: u64 = 6;
const REQUESTS: u64 = 5_000;

const QUANTILES: [f64; 8] = [0.5, 0.66, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

/// How long request `n` of a worker takes: its own median, and a long tail.
fn took_us(worker: u32, n: u64) -> u64 {
    let own_us = [90, 1_300, 21_000, 160_000][worker as usize];
    let scattered = n.wrapping_mul(6_364_136_223_846_793_005) >> 33;
    let tail = match n {
        n if n.is_multiple_of(997) => 50,
        n if n.is_multiple_of(83) => 7,
        _ => 1,
    };
    tail * (own_us + scattered % own_us)
}

/// The reports of a worker, one a second, as they arrive; its times are added to `union`.
fn arrive(worker: u32, union: &mut Dist) -> Vec<Report> {
    let mut recorder = Recorder::new(0, Limits::default());
    let mut ledger = Ledger::new(Limits::default());
    // The slower one meets its names in another order.
    let names: Vec<_> = (0..worker + 2).rev().map(|n| format!("/{n}")).collect();
    let series: Vec<_> = names
        .iter()
        .map(|name| recorder.series(&Kind::Http, "GET", name))
        .collect();
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::new(Limits::default()));
    let bounds = Bounds {
        second: 60,
        generation: 1,
    };
    let second = |second: u64| {
        for n in second * REQUESTS..(second + 1) * REQUESTS {
            let took_us = took_us(worker, n);
            union.record(took_us);
            let series = series[n as usize % series.len()];
            let outcome = match n % 50 {
                0 => Outcome::Failure,
                _ => Outcome::Success,
            };
            // What takes longer has begun in an earlier second, or before the run.
            let start_us = (second * 1_000_000 + 999_000).saturating_sub(took_us);
            let sample = Sample::new(series, 1, outcome, start_us).service_us(took_us);
            recorder.record(sample);
            if recorder.is_full() {
                ledger.absorb(recorder.take(None));
            }
        }
        ledger.absorb(recorder.take(None));
        let bytes = encoder.encode(&ledger.cut((second + 1) * 1_000_000));
        decoder.decode(&bytes, bounds).expect("it is what was sent")
    };
    (0..SECONDS).map(second).collect()
}

#[test]
fn percentiles_of_a_fleet_are_those_of_the_union() {
    let mut union = Dist::default();
    let mut reports: Vec<Vec<Report>> = (0..WORKERS)
        .map(|worker| arrive(worker, &mut union))
        .collect();
    let mut collector = Collector::new(Limits::default());
    // One worker is slow with its numbers: they come when all others are counted.
    let late = reports.pop().expect("there are four");
    for second in 0..SECONDS as usize {
        reports
            .iter()
            .for_each(|reports| collector.apply(&reports[second]));
        collector.tick((second as u64 + 1) * 1_000_000);
    }
    late.iter().for_each(|report| collector.apply(report));
    let summary = collector.summary((SECONDS + 3) * 1_000_000);
    let all = u64::from(WORKERS) * SECONDS * REQUESTS;
    assert_eq!(summary.total.requests, all);
    assert_eq!(union.count, all);
    let expected = union.quantiles_us(&QUANTILES);
    let found = QUANTILES.map(|quantile| {
        let found = collector.quantile_us(0, Times::Service, quantile);
        found.expect("there are times")
    });
    assert_eq!(found, expected);
    assert!(expected[0] * 100 < expected[6], "they differ: {expected:?}");
    let whole = collector.total.whole();
    let total = together(whole.service());
    assert_eq!(total.buckets(), union.buckets());
    assert_eq!(
        (total.min_us, total.max_us, total.sum_us),
        (union.min_us, union.max_us, union.sum_us)
    );
    // And so are those of the names together.
    let rows = collector.rows.iter().map(ByGeneration::whole);
    let mut of_names = Dist::default();
    rows.for_each(|cell| of_names.merge(&together(cell.service())));
    assert_eq!(of_names.buckets(), union.buckets());
}
