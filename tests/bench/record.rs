//! What statistics cost: a load thread's record, and the control thread's absorb and summary.
//!
//! Compare with the cost of a request (about 15 µs of CPU): recording a sample should stay near
//! 10 ns, absorbing it near 20, and a summary, once a second, far below a millisecond.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use katydid::stats::{
    Batch, Collector, Generation, Kind, Limits, Outcome, Recorder, Sample, SeriesId,
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
    let now_us = run.n * 20;
    group.bench_function("summary", |b| {
        b.iter(|| run.collector.summary(black_box(now_us)))
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
        b.iter(|| run.collector.summary(black_box(now_us)))
    });
    group.throughput(Throughput::Elements(Limits::default().samples as u64));
    group.bench_function("absorb a batch after two reloads", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| run.batch().1).sum());
    });
    group.finish();
}

criterion_group!(benches, stats);
criterion_main!(benches);
