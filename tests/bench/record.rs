//! What statistics cost: a load thread's record, and the control thread's absorb and summary.
//!
//! Compare with the cost of a request (about 15 µs of CPU): a record should stay near 10 ns, a
//! sample's share of absorbing near 40.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use katydid::stats::{Batch, Collector, Kind, Limits, Outcome, Recorder, Sample};

/// Times spread like a web service's: most near 0.2 ms, some ten times as long.
fn sample(recorder: &mut Recorder, n: u64) -> Sample {
    let series = recorder.series(&Kind::Http, "GET", "/hello");
    let service_us = 150
        + n * 7_919 % 200
        + if n.is_multiple_of(50) {
            n * 104_729 % 2_000
        } else {
            0
        };
    Sample::new(series, 1, Outcome::Success, n * 20)
        .service_us(service_us)
        .bytes(120, 340)
}

fn record(c: &mut Criterion) {
    let mut recorder = Recorder::new(0, Limits::default());
    let sample = sample(&mut recorder, 1);
    let mut spare = None;
    c.bench_function("stats/record, batches swapped", |b| {
        b.iter(|| {
            if recorder.is_full() {
                let next = spare.take();
                let mut collector = Collector::new(Limits::default());
                // Only the buffer's round trip matters here: one absorb in 2,048 records.
                spare = Some(collector.absorb(recorder.take(next)));
            }
            recorder.record(black_box(sample));
        });
    });
    c.bench_function("stats/look a series up", |b| {
        b.iter(|| recorder.series(&Kind::Http, black_box("GET"), black_box("/hello")));
    });
}

fn absorb(c: &mut Criterion) {
    let limits = Limits::default();
    let mut recorder = Recorder::new(0, limits);
    let mut collector = Collector::new(limits);
    let mut n = 0;
    let mut full = |spare: Option<Batch>| {
        while !recorder.is_full() {
            n += 1;
            let sample = sample(&mut recorder, n);
            recorder.record(sample);
        }
        recorder.take(spare)
    };
    c.bench_function("stats/absorb 2,048 samples", |b| {
        let mut empty = None;
        b.iter_custom(|rounds| {
            let mut spent = std::time::Duration::ZERO;
            for _ in 0..rounds {
                let batch = full(empty.take());
                let start = std::time::Instant::now();
                empty = Some(collector.absorb(batch));
                spent += start.elapsed();
            }
            spent
        });
    });
    c.bench_function("stats/summary of one series", |b| {
        b.iter(|| collector.summary(black_box(1_000_000)))
    });
}

criterion_group!(benches, record, absorb);
criterion_main!(benches);
