//! What statistics cost: a load thread's record, and the control thread's absorb and summary.
//!
//! Compare with the cost of a request (about 15 µs of CPU): recording a sample should stay near
//! 10 ns, absorbing it below 30, be there one name or a thousand, and a summary, once a second,
//! below 0.1 ms for one name and 20 ms for a thousand, closing the second included.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use katydid::stats::{
    Baseline, Batch, Collector, Encoder, Generation, Kind, Ledger, Limits, Outcome, Recorder,
    Sample, SeriesId,
};

/// Times spread like a web service's: most near 0.2 ms, some ten times as long.
fn sample(series: SeriesId, generation: u16, n: u64) -> Sample {
    let slow_us = if n.is_multiple_of(50) {
        n * 104_729 % 2_000
    } else {
        0
    };
    Sample::new(series, generation, Outcome::Success, n * 20)
        .service_us(150 + n * 7_919 % 200 + slow_us)
        .bytes(120, 340)
}

/// A recorder and a collector whose batches go round between them.
struct Run {
    recorder: Recorder,
    collector: Collector,
    series: SeriesId,
    generation: u16,
    spare: Option<Batch>,
    n: u64,
}

impl Run {
    fn new() -> Run {
        let mut recorder = Recorder::new(0, Limits::default());
        let series = recorder.series(&Kind::Http, "GET", "/hello");
        let collector = Collector::new(Limits::default());
        Run {
            recorder,
            collector,
            series,
            generation: 0,
            spare: None,
            n: 0,
        }
    }

    /// Goes on with the next version of the script.
    fn reload(&mut self) {
        self.generation += 1;
        self.collector.generation(Generation {
            n: self.generation,
            hash: "".into(),
            at_us: self.n * 20,
        });
    }

    /// Records and absorbs one batch; how long each took.
    fn batch(&mut self) -> (Duration, Duration) {
        let start = Instant::now();
        while !self.recorder.is_full() {
            self.n += 1;
            let sample = sample(self.series, self.generation, self.n);
            self.recorder.record(black_box(sample));
        }
        let recorded = start.elapsed();
        let batch = self.recorder.take(self.spare.take());
        let start = Instant::now();
        self.spare = Some(self.collector.absorb(batch));
        (recorded, start.elapsed())
    }

    /// How long the summary takes that follows a batch.
    fn summary(&mut self) -> Duration {
        self.batch();
        let now_us = self.n * 20;
        let start = Instant::now();
        black_box(self.collector.summary(black_box(now_us)));
        start.elapsed()
    }
}

fn stats(c: &mut Criterion) {
    let mut run = Run::new();
    run.reload();
    let mut group = c.benchmark_group("stats");
    group.throughput(Throughput::Elements(Limits::default().samples as u64));
    group.bench_function("record a batch", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| run.batch().0).sum());
    });
    group.bench_function("absorb a batch", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| run.batch().1).sum());
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("summary", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| run.summary()).sum());
    });
    group.bench_function("look a series up", |b| {
        b.iter(|| {
            run.recorder
                .series(&Kind::Http, black_box("GET"), black_box("/hello"))
        });
    });
    // Three parts, as long a run in each.
    let mut run = Run::new();
    for _ in 0..3 {
        run.reload();
        for _ in 0..1_000 {
            run.batch();
        }
    }
    group.bench_function("summary after two reloads", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| run.summary()).sum());
    });
    group.throughput(Throughput::Elements(Limits::default().samples as u64));
    group.bench_function("absorb a batch after two reloads", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| run.batch().1).sum());
    });
    group.finish();
    names(c);
}

/// Names of the larger run.
const NAMES: u64 = 1_000;

/// A second of a run with many names: what control does once a second, apart from absorbing.
fn names(c: &mut Criterion) {
    let mut group = c.benchmark_group("1,000 names");
    group.sample_size(10);
    // Times of one name differ by that factor at most.
    for (spread, octaves) in [("narrow", 0.5), ("wide", 6.0)] {
        for reloads in [1, 3] {
            let mut run = Names::new(octaves);
            for _ in 0..reloads {
                run.reload();
                for _ in 0..10 {
                    run.second(NAMES);
                }
            }
            for busy in [NAMES, 50] {
                let (mut absorbed, mut count) = (Duration::ZERO, 0_u32);
                group.bench_function(
                    format!("second, {spread}, generation {reloads}, {busy} of them busy"),
                    |b| {
                        b.iter_custom(|rounds| {
                            let mut shown = Duration::ZERO;
                            for _ in 0..rounds {
                                let (absorb, show) = run.second(busy);
                                absorbed += absorb;
                                count += 1;
                                shown += show;
                            }
                            shown
                        });
                    },
                );
                let each_ns = absorbed.as_nanos() / u128::from(count * PER_SECOND);
                eprintln!("absorbing took {each_ns} ns a sample");
            }
        }
    }
    group.finish();
}

/// Samples a second.
const PER_SECOND: u32 = 20 * 2_048;

struct Names {
    run: Run,
    series: Vec<SeriesId>,
    octaves: f64,
    second: u64,
    per_second: u32,
    random: u64,
}

impl Names {
    fn new(octaves: f64) -> Names {
        let mut run = Run::new();
        let name = |n| format!("/items/{n}");
        let series = (1..=NAMES).map(|n| run.recorder.series(&Kind::Http, "GET", &name(n)));
        let series = series.collect();
        Names {
            run,
            series,
            octaves,
            second: 0,
            per_second: PER_SECOND,
            random: 1,
        }
    }

    fn reload(&mut self) {
        self.run.n = self.second * 50_000;
        self.run.reload();
    }

    /// A second in which the first `busy` names have samples; how long absorbing them took, and
    /// closing the second and summing up.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "times of a bench"
    )]
    fn second(&mut self, busy: u64) -> (Duration, Duration) {
        let mut absorbed = Duration::ZERO;
        let begin_us = self.second * 1_000_000;
        for n in 0..u64::from(self.per_second) {
            // Knuth's MMIX generator; the sum of three of its numbers is nearly normal.
            let mut draw = || {
                self.random = self
                    .random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (self.random >> 40) as f64 / (1_u64 << 24) as f64
            };
            let name = (draw() * busy as f64) as usize;
            let power = (draw() + draw() + draw()) / 3.0;
            let took_us = (5_000.0 * (self.octaves * power).exp2()) as u64;
            let end_us = begin_us + n * 1_000_000 / u64::from(self.per_second);
            let start_us = end_us.saturating_sub(took_us);
            let generation = self.run.generation;
            let sample = Sample::new(self.series[name], generation, Outcome::Success, start_us)
                .service_us(took_us)
                .bytes(120, 340);
            self.run.recorder.record(sample);
            if self.run.recorder.is_full() {
                let batch = self.run.recorder.take(self.run.spare.take());
                let start = Instant::now();
                self.run.spare = Some(self.run.collector.absorb(batch));
                absorbed += start.elapsed();
            }
        }
        self.second += 1;
        let now_us = self.second * 1_000_000;
        let start = Instant::now();
        self.run.collector.tick(now_us);
        black_box(self.run.collector.summary(now_us));
        (absorbed, start.elapsed())
    }
}

/// The second of a run as the timeline has it: what counting, closing and summing up cost of few
/// samples of many names, and of many of one.
fn timeline(c: &mut Criterion) {
    let mut group = c.benchmark_group("a second of");
    group.sample_size(20);
    for (names, samples) in [(1_000, 3_000), (1, 50_000)] {
        let mut run = Names::new(3.0);
        run.run.reload();
        run.per_second = samples;
        for _ in 0..30 {
            run.second(names);
        }
        group.bench_function(format!("{names} names, {samples} samples"), |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| run.second(names).1).sum());
        });
    }
    group.finish();
}

/// What a worker pays for being able to tell another master all that it has measured: a report a
/// second, of 50 names with 100 samples each, is to stay far below a per cent of a core.
fn baseline(c: &mut Criterion) {
    let mut recorder = Recorder::new(0, Limits::default());
    let names: Vec<SeriesId> = (0..50)
        .map(|n| recorder.series(&Kind::Http, "GET", &format!("/item/{n}")))
        .collect();
    let mut ledger = Ledger::new(Limits::default());
    let mut second = 0;
    let mut reports = std::iter::repeat_with(|| {
        for n in 0..5_000_u64 {
            let series = names[usize::try_from(n % 50).expect("it is small")];
            recorder.record(sample(series, 1, second * 50_000 + n * 10));
        }
        second += 1;
        ledger.absorb(recorder.take(None));
        ledger.cut(second * 1_000_000)
    });
    let reports: Vec<_> = reports.by_ref().take(600).collect();
    let mut baseline = Baseline::new(Limits::default());
    reports.iter().for_each(|report| baseline.add(report, 50));
    let bytes = Encoder::default().encode(&baseline.report()).len();
    let mut group = c.benchmark_group("baseline");
    group.bench_function("a report of 50 names, 5,000 samples", |b| {
        let mut all = reports.iter().cycle();
        b.iter(|| baseline.add(all.next().expect("there are some"), 50));
    });
    group.bench_function(format!("ten minutes, encoded to {bytes} bytes"), |b| {
        b.iter(|| black_box(Encoder::default().encode(&baseline.report())));
    });
    group.finish();
}

criterion_group!(benches, stats, timeline, baseline);
criterion_main!(benches);
