//! Reports to send: what a worker with many names would have cut, made once for all workers.
//!
//! They are a real recorder's and a real ledger's, with new times every second. A few kinds of
//! workers differ in how fast their answers are.

use std::collections::BTreeMap;
use std::sync::Arc;

use katydid::cluster::message::{MOST_CELLS, Sums};
use katydid::stats::{Batch, Kind, Ledger, Limits, Outcome, Recorder, Report, Sample, SeriesId};

/// Kinds of workers.
const KINDS: u32 = 8;

/// Times of one name differ by two to the power of this.
const OCTAVES: f64 = 2.5;

/// Seconds whose reports are kept; a worker that was held up may be so late.
const KEPT: usize = 4;

/// A report, or a part of a long one.
pub(crate) type Piece = (Arc<Report>, Sums);

/// Reports by second.
pub(crate) struct Prepared {
    kinds: Vec<KindOfWorker>,
    buckets: u32,
    seconds: BTreeMap<u64, Vec<Vec<Piece>>>,
    random: u64,
}

/// Its names, as its load thread and its ledger know them.
struct KindOfWorker {
    recorder: Recorder,
    ledger: Ledger,
    series: Vec<SeriesId>,
    spare: Option<Batch>,
    fastest_us: f64,
}

impl Prepared {
    /// Reports of that many names, each with times in so many buckets.
    pub(crate) fn new(names: u32, buckets: u32) -> Prepared {
        let kinds = (0..KINDS).map(|kind| {
            let mut recorder = Recorder::new(0, Limits::default());
            let name = |n| format!("/{n}");
            let series = (0..names).map(|n| recorder.series(&Kind::Http, "GET", &name(n)));
            KindOfWorker {
                series: series.collect(),
                recorder,
                ledger: Ledger::new(Limits::default()),
                spare: None,
                fastest_us: 1_000.0 * (f64::from(kind) / f64::from(KINDS)).exp2(),
            }
        });
        Prepared {
            kinds: kinds.collect(),
            buckets,
            seconds: BTreeMap::new(),
            random: 1,
        }
    }

    /// What worker `nth` cuts in that second of the run.
    pub(crate) fn of(&mut self, second: u64, nth: u32) -> &[Piece] {
        if !self.seconds.contains_key(&second) {
            let (buckets, random) = (self.buckets, &mut self.random);
            let kinds = self.kinds.iter_mut();
            let reports = kinds.map(|kind| kind.measures(second, buckets, random));
            let reports = reports.collect();
            self.seconds.insert(second, reports);
            if self.seconds.len() > KEPT {
                self.seconds.pop_first();
            }
        }
        &self.seconds[&second][(nth % KINDS) as usize]
    }
}

impl KindOfWorker {
    /// A second's report: for each name a time in each of as many steps, two in every third.
    fn measures(&mut self, second: u64, buckets: u32, random: &mut u64) -> Vec<Piece> {
        let end_us = second * 1_000_000 + 999_999;
        self.ledger.begin(second * 1_000_000);
        for at in 0..self.series.len() {
            for step in 0..buckets {
                // Knuth's MMIX generator.
                *random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let within = f64::from((*random >> 40) as u32) / f64::from(1 << 24);
                let power = OCTAVES * (f64::from(step) + within) / f64::from(buckets);
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "some milliseconds"
                )]
                let took_us = (self.fastest_us * power.exp2()) as u64;
                for _ in 0..=u32::from(step % 3 == 0) {
                    self.record(at, end_us, took_us);
                }
            }
        }
        self.hand_over();
        let pieces = self.ledger.cut(end_us + 1).in_pieces(MOST_CELLS);
        let piece = |report: Report| {
            let sums = Sums {
                samples: report.samples(),
                started: report.started(),
            };
            (Arc::new(report), sums)
        };
        pieces.into_iter().map(piece).collect()
    }

    fn record(&mut self, at: usize, end_us: u64, took_us: u64) {
        let start_us = end_us.saturating_sub(took_us);
        let sample = Sample::new(self.series[at], 1, Outcome::Success, start_us)
            .service_us(end_us - start_us)
            .bytes(120, 340);
        self.recorder.record(sample);
        if self.recorder.is_full() {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let batch = self.recorder.take(self.spare.take());
        self.spare = Some(self.ledger.absorb(batch));
    }
}
