//! What a report costs: cutting and encoding it on a worker, decoding and counting it on the master.
//!
//! A series head is what a name costs with a single time in it; a bucket is what one more costs,
//! the difference of two reports that have different numbers of them. Counting is what `apply` does
//! at once, and a worker's part of what `tick` does once a second for eight of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use katydid::stats::{
    Bounds, Collector, Decoder, Encoder, Kind, Ledger, Limits, Outcome, Recorder, Report, Sample,
    SeriesId,
};

/// Names of a report.
const NAMES: u32 = 50;

/// Times of a name differ by two to the power of this.
const OCTAVES: f64 = 2.5;

/// Workers that report in turn, of which each is somewhat slower than the one before.
const WORKERS: u32 = 8;

/// What a decoder is to believe.
const BOUNDS: Bounds = Bounds {
    second: u64::MAX >> 24,
    generation: 1,
};

/// A worker that reports every second.
struct Worker {
    recorder: Recorder,
    ledger: Ledger,
    series: Vec<SeriesId>,
    fastest_us: f64,
    random: u64,
}

impl Worker {
    fn new(nth: u32) -> Worker {
        let mut recorder = Recorder::new(0, Limits::default());
        let name = |n| format!("/{n}");
        let series = (0..NAMES).map(|n| recorder.series(&Kind::Http, "GET", &name(n)));
        Worker {
            series: series.collect(),
            recorder,
            ledger: Ledger::new(Limits::default()),
            fastest_us: 1_000.0 * (f64::from(nth) / f64::from(WORKERS)).exp2(),
            random: u64::from(nth),
        }
    }

    /// A second in which each name has a time in each of so many buckets; the report, and how long
    /// cutting it took.
    fn second(&mut self, second: u64, buckets: u32) -> (Report, Duration) {
        let end_us = second * 1_000_000 + 999_999;
        let mut spare = None;
        for series in &self.series {
            for step in 0..buckets {
                // Knuth's MMIX generator.
                self.random = self
                    .random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let within = f64::from((self.random >> 40) as u32) / f64::from(1 << 24);
                let power = OCTAVES * (f64::from(step) + within) / f64::from(buckets);
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "some milliseconds"
                )]
                let took_us = (self.fastest_us * power.exp2()) as u64;
                let sample = Sample::new(*series, 1, Outcome::Success, end_us - took_us);
                self.recorder.record(sample.service_us(took_us));
                if self.recorder.is_full() {
                    spare = Some(self.ledger.absorb(self.recorder.take(spare.take())));
                }
            }
        }
        self.ledger.absorb(self.recorder.take(spare));
        let begun = Instant::now();
        let report = self.ledger.cut(end_us + 1);
        (report, begun.elapsed())
    }
}

/// Some workers, and their master.
struct Fleet {
    workers: Vec<(Worker, Encoder, Decoder)>,
    collector: Collector,
    second: u64,
}

/// How long each step of one report took.
#[derive(Clone, Copy, Default)]
struct Steps {
    cut: Duration,
    encode: Duration,
    decode: Duration,
    apply: Duration,
}

impl Fleet {
    fn new() -> Fleet {
        let worker = |nth| {
            let decoder = Decoder::new(Limits::default());
            (Worker::new(nth), Encoder::default(), decoder)
        };
        Fleet {
            workers: (0..WORKERS).map(worker).collect(),
            collector: Collector::new(Limits::default()),
            second: 1,
        }
    }

    /// A second of all workers: what a report of one takes, on average.
    fn second(&mut self, buckets: u32) -> Steps {
        let mut sum = Steps::default();
        for (worker, encoder, decoder) in &mut self.workers {
            let (report, cut) = worker.second(self.second, buckets);
            sum.cut += cut;
            let begun = Instant::now();
            let bytes = encoder.encode(black_box(&report));
            sum.encode += begun.elapsed();
            let begun = Instant::now();
            let report = decoder.decode(black_box(&bytes), BOUNDS);
            sum.decode += begun.elapsed();
            let report = report.expect("it is what was encoded");
            let begun = Instant::now();
            self.collector.apply(black_box(&report));
            sum.apply += begun.elapsed();
        }
        self.second += 1;
        let begun = Instant::now();
        self.collector.tick(self.second * 1_000_000);
        sum.apply += begun.elapsed();
        Steps {
            cut: sum.cut / WORKERS,
            encode: sum.encode / WORKERS,
            decode: sum.decode / WORKERS,
            apply: sum.apply / WORKERS,
        }
    }
}

/// A step, and its part of all.
type Step = (&'static str, fn(Steps) -> Duration);

const STEPS: [Step; 4] = [
    ("cut", |steps| steps.cut),
    ("encode", |steps| steps.encode),
    ("decode", |steps| steps.decode),
    ("apply", |steps| steps.apply),
];

fn report(c: &mut Criterion) {
    for buckets in [1, 5, 100, 400] {
        let mut group = c.benchmark_group(format!("{NAMES} names of {buckets} buckets"));
        group.sample_size(20);
        group.throughput(Throughput::Elements(u64::from(NAMES * buckets)));
        for (name, of) in STEPS {
            let mut fleet = Fleet::new();
            // Windows and sums are what they are in a run.
            (0..15).for_each(|_| _ = fleet.second(buckets));
            group.bench_function(name, |b| {
                b.iter_custom(|rounds| (0..rounds).map(|_| of(fleet.second(buckets))).sum());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, report);
criterion_main!(benches);
