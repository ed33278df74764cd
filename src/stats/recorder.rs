//! The load thread's side: one recorder a thread appends samples and hands over full batches.
//!
//! No lock, no clock, and no allocation while the series are known and batches come back. What the
//! batches add up to is the collector's business.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::checks::Checks;
use super::cumulative::{Latencies, SeriesStats};
use super::dist::Dist;
use super::exceptions::Exceptions;
use super::figures::Figures;
use super::sample::{Outcome, Sample, Slots};
use super::series::{Kind, SeriesId, SeriesKey, SeriesTable};
use super::tally::{Tallied, Tally};

/// Bounds of everything that a script or a target could make grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Distinct series; later ones share a row named [`OTHER_NAMES`](super::OTHER_NAMES).
    pub series: usize,
    /// Distinct failure texts, and distinct exceptions; later ones are counted as
    /// [`OTHER_TEXTS`](super::OTHER_TEXTS).
    pub texts: usize,
    /// Samples (and lags, and runs of missed slots) in a batch; 40 bytes each.
    pub samples: usize,
}

impl Default for Limits {
    /// 1,000 series, 1,000 texts, and 2,048 samples: 80 KB, which stays in a core's cache and is
    /// handed over 25 times a second at 50,000 requests a second.
    fn default() -> Limits {
        Limits {
            series: 1_000,
            texts: 1_000,
            samples: 2_048,
        }
    }
}

/// Iterations by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Iterations {
    /// Begun.
    pub started: u64,
    /// Came to their own end, well or with an exception.
    pub finished: u64,
    /// Ended from outside, by a stop or an interrupt.
    pub interrupted: u64,
    /// Slots of a paced user that passed while it was still busy.
    pub missed: u64,
    /// Arrivals of an open plan for which no user was free.
    pub dropped: u64,
}

impl Iterations {
    pub(super) fn merge(&mut self, other: Iterations) {
        self.started += other.started;
        self.finished += other.finished;
        self.interrupted += other.interrupted;
        self.missed += other.missed;
        self.dropped += other.dropped;
    }
}

/// What one load thread measured between two handovers.
///
/// Must reach the collector, and in the order taken: it defines the series that later batches of
/// its recorder only number. [`Collector::absorb`](super::Collector::absorb) empties it for reuse.
#[derive(Debug, Default)]
pub struct Batch {
    /// The recorder's thread.
    pub(super) thread: u32,
    pub(super) samples: Vec<Sample>,
    pub(super) slots: Vec<Slots>,
    pub(super) lags_us: Vec<u32>,
    /// The ages of requests that were cut, by series and generation.
    pub(super) unfinished: BTreeMap<(SeriesId, u16), Latencies>,
    /// Series met since the last batch, in the order of their numbers.
    pub(super) defined: Vec<SeriesKey>,
    pub(super) errors: Vec<Tallied>,
    /// Where it happened, and the message.
    pub(super) exceptions: Vec<(Arc<str>, Tallied)>,
    pub(super) checks: Vec<Tallied>,
    pub(super) iterations: Iterations,
    pub(super) stale_retries: u64,
    pub(super) folded: Option<Box<Folded>>,
    /// The script's own figures; `None` where it has none.
    pub(super) figures: Option<Box<Figures>>,
}

/// What was summed up on the thread because nobody took its batch.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// By series and generation.
    pub(super) series: BTreeMap<(SeriesId, u16), SeriesStats>,
    /// Requests and failures that count in each second of the run.
    pub(super) seconds: BTreeMap<u64, (u64, u64)>,
    pub(super) lag: Dist,
    /// The latest end of a sample.
    pub(super) last_end_us: u64,
    /// Samples in it.
    pub(super) samples: u64,
}

impl Batch {
    /// The load thread it comes from.
    #[must_use]
    pub fn thread(&self) -> u32 {
        self.thread
    }

    /// Whether it carries nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
            && self.slots.is_empty()
            && self.lags_us.is_empty()
            && self.unfinished.is_empty()
            && self.defined.is_empty()
            && self.errors.is_empty()
            && self.exceptions.is_empty()
            && self.checks.is_empty()
            && self.iterations == Iterations::default()
            && self.stale_retries == 0
            && self.folded.is_none()
            && self.figures.is_none()
    }

    /// Drops all that belongs to requests: those of `setup` and the like are not measured.
    #[must_use]
    pub fn without_samples(mut self) -> Batch {
        self.samples.clear();
        self.slots.clear();
        self.unfinished.clear();
        self.defined.clear();
        self.errors.clear();
        self.stale_retries = 0;
        self.folded = None;
        self
    }

    fn with_capacity(limits: Limits) -> Batch {
        Batch {
            samples: Vec::with_capacity(limits.samples),
            lags_us: Vec::with_capacity(limits.samples),
            ..Batch::default()
        }
    }

    /// Empties it and keeps its buffers.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
        self.slots.clear();
        self.lags_us.clear();
        self.unfinished.clear();
        self.defined.clear();
        self.errors.clear();
        self.exceptions.clear();
        self.checks.clear();
        self.iterations = Iterations::default();
        self.stale_retries = 0;
        self.folded = None;
        self.figures = None;
    }
}

/// Records what one load thread measures.
///
/// A full batch that nobody takes costs precision in time, never a sample: see [`Recorder::fold`].
#[derive(Debug)]
pub struct Recorder {
    batch: Batch,
    series: SeriesTable,
    /// Series that a batch has already defined.
    announced: usize,
    errors: Tally,
    exceptions: Exceptions,
    checks: Checks,
    limits: Limits,
}

impl Recorder {
    /// A recorder for the load thread of that number, which no other recorder of the run has.
    #[must_use]
    pub fn new(thread: u32, limits: Limits) -> Recorder {
        Recorder {
            batch: Batch {
                thread,
                ..Batch::with_capacity(limits)
            },
            series: SeriesTable::new(limits.series),
            announced: 0,
            errors: Tally::new(limits.texts),
            exceptions: Exceptions::new(limits.texts),
            checks: Checks::new(limits.texts),
            limits,
        }
    }

    /// The number of a series, defined when first met. Does not allocate when it is known.
    pub fn series(&mut self, kind: &Kind, method: &str, name: &str) -> SeriesId {
        self.series.number(kind, method, name)
    }

    /// What a series is.
    #[must_use]
    pub fn key(&self, series: SeriesId) -> &SeriesKey {
        &self.series.keys()[series.index()]
    }

    /// Whether there were more series than the limit, so that some share a row: the script should
    /// give `name:` to requests whose URLs carry ids.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.series.overflowed()
    }

    /// Appends a sample. Folds first if the batch is full and was not taken.
    #[inline]
    pub fn record(&mut self, sample: Sample) {
        if self.batch.samples.len() >= self.limits.samples {
            self.fold();
        }
        self.batch.samples.push(sample);
    }

    /// Records a response time that belongs to no request of its own, in µs.
    pub fn response_only(&mut self, series: SeriesId, generation: u16, outcome: Outcome, us: u64) {
        self.missed_slots(Slots {
            series,
            generation,
            outcome,
            longest_us: us,
            period_us: 0,
            count: 1,
        });
    }

    /// Records the response times of slots that a paced user missed. Does not count them as
    /// missed: that is [`Recorder::iterations_missed`].
    pub fn missed_slots(&mut self, slots: Slots) {
        if self.batch.slots.len() >= self.limits.samples {
            self.fold();
        }
        self.batch.slots.push(slots);
    }

    /// Counts the failure text of a sample that ended at `at_us` after the run's epoch. The sample
    /// itself is recorded apart.
    pub fn error(&mut self, series: SeriesId, at_us: u64, text: &str) {
        let owner = u32::try_from(series.index()).expect("a series' number has 32 bits");
        self.errors.count(owner, text, at_us);
    }

    /// Counts an exception of a script: its message and where (`hello.rhai:12:5`).
    pub fn exception(&mut self, message: &str, location: &str) {
        self.exceptions.count(message, location);
    }

    /// Counts a check of a script, by its name.
    pub fn check(&mut self, name: &str, holds: bool) {
        self.checks.count(name, holds);
    }

    /// Counts an iteration that begins.
    pub fn iteration_started(&mut self) {
        self.batch.iterations.started += 1;
    }

    /// Counts an iteration that came to its own end.
    pub fn iteration_finished(&mut self) {
        self.batch.iterations.finished += 1;
    }

    /// Counts an iteration that was ended from outside.
    pub fn iteration_interrupted(&mut self) {
        self.batch.iterations.interrupted += 1;
    }

    /// Counts slots of a paced user that passed while it was busy.
    pub fn iterations_missed(&mut self, count: u64) {
        self.batch.iterations.missed += count;
    }

    /// Counts an arrival for which no user was free.
    pub fn iteration_dropped(&mut self) {
        self.batch.iterations.dropped += 1;
    }

    /// Counts a request that was sent anew because its kept-alive connection had gone stale.
    pub fn stale_retry(&mut self) {
        self.batch.stale_retries += 1;
    }

    /// Adds to the script's own counter of that name. The first 1,000 names have one each, the
    /// others share one.
    pub fn count_own(&mut self, name: &str, count: u64) {
        self.batch
            .figures
            .get_or_insert_default()
            .count(name, count);
    }

    /// Adds a finite number to the script's own metric of that name. The first 100 names have one
    /// each, the others share one.
    pub fn measure_own(&mut self, name: &str, value: f64) {
        self.batch
            .figures
            .get_or_insert_default()
            .measure(name, value);
    }

    /// Records how late the generator itself was (due, but the thread was busy or woken late), in
    /// µs.
    #[inline]
    pub fn lag(&mut self, us: u32) {
        if self.batch.lags_us.len() >= self.limits.samples {
            self.fold();
        }
        self.batch.lags_us.push(us);
    }

    /// Records a request that had not ended when it was cut: how old it was, from its actual and
    /// from its intended start, in µs.
    pub fn unfinished(
        &mut self,
        series: SeriesId,
        generation: u16,
        service_us: u64,
        response_us: u64,
    ) {
        let ages = self.batch.unfinished.entry((series, generation));
        ages.or_default().record(service_us, response_us);
    }

    /// Whether the batch should be handed over now rather than at the next tick.
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        let limit = self.limits.samples;
        self.batch.samples.len() >= limit
            || self.batch.slots.len() >= limit
            || self.batch.lags_us.len() >= limit
    }

    /// Hands over what was recorded since the last call and goes on in `spare` (a batch that came
    /// back from the collector, of whichever thread) or in a new one.
    #[must_use = "a batch that does not reach the collector is lost"]
    pub fn take(&mut self, spare: Option<Batch>) -> Batch {
        let mut next = spare.unwrap_or_else(|| Batch::with_capacity(self.limits));
        debug_assert!(next.is_empty(), "a spare batch comes back empty");
        next.thread = self.batch.thread;
        let mut full = mem::replace(&mut self.batch, next);
        full.defined
            .extend_from_slice(&self.series.keys()[self.announced..]);
        self.announced = self.series.keys().len();
        self.errors.take(&mut full.errors);
        self.exceptions.take(&mut full.exceptions);
        self.checks.take(&mut full.checks);
        full
    }

    /// Sums up what is in the batch and makes room, for when the queue of full batches is full.
    ///
    /// Everything is kept but current percentiles older than twelve seconds. Costs about 20 ns a
    /// sample on the load thread and is counted.
    #[cold]
    pub fn fold(&mut self) {
        let folded = self.batch.folded.get_or_insert_default();
        for sample in &self.batch.samples {
            folded
                .series
                .entry((sample.series, sample.generation))
                .or_default()
                .record(sample);
            folded.last_end_us = folded.last_end_us.max(sample.end_us());
            if self.series.keys()[sample.series.index()].kind.is_request() {
                let second = folded
                    .seconds
                    .entry(sample.end_us() / 1_000_000)
                    .or_default();
                second.0 += 1;
                second.1 += u64::from(sample.outcome == Outcome::Failure);
            }
        }
        for slots in &self.batch.slots {
            let key = (slots.series, slots.generation);
            folded.series.entry(key).or_default().slots(slots);
        }
        for us in &self.batch.lags_us {
            folded.lag.record(u64::from(*us));
        }
        folded.samples += self.batch.samples.len() as u64;
        self.batch.samples.clear();
        self.batch.slots.clear();
        self.batch.lags_us.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(samples: usize) -> Recorder {
        Recorder::new(
            7,
            Limits {
                samples,
                ..Limits::default()
            },
        )
    }

    #[test]
    fn a_batch_carries_what_was_recorded_since_the_last_and_buffers_go_round() {
        let mut recorder = recorder(4);
        let a = recorder.series(&Kind::Http, "GET", "/a");
        recorder.record(Sample::new(a, 1, Outcome::Success, 5));
        recorder.error(a, 9, "boom");
        recorder.exception("thrown", "a.rhai:1:2");
        recorder.lag(3);
        recorder.iteration_started();

        let mut first = recorder.take(None);
        assert_eq!(
            (
                first.samples.len(),
                first.lags_us.len(),
                first.defined.len()
            ),
            (1, 1, 1)
        );
        assert_eq!((first.errors.len(), first.exceptions.len()), (1, 1));
        assert_eq!((first.iterations.started, first.thread), (1, 7));
        first.clear();
        assert!(first.is_empty());
        let buffer = first.samples.as_ptr();

        assert!(recorder.take(Some(first)).is_empty());
        let b = recorder.series(&Kind::Http, "GET", "/b");
        recorder.record(Sample::new(b, 1, Outcome::Success, 5));
        let third = recorder.take(None);
        assert_eq!(third.defined, [SeriesKey::new(Kind::Http, "GET", "/b")]);
        assert_eq!(
            third.samples.as_ptr(),
            buffer,
            "the spare's buffer is used again"
        );
    }

    #[test]
    fn a_full_batch_that_nobody_takes_is_folded_and_the_buffer_does_not_grow() {
        let mut recorder = recorder(4);
        let a = recorder.series(&Kind::Http, "GET", "/a");
        for n in 0..4 {
            assert!(!recorder.is_full());
            recorder.record(Sample::new(a, 1, Outcome::Failure, n * 1_000_000).service_us(n));
        }
        assert!(recorder.is_full());
        recorder.record(Sample::new(a, 1, Outcome::Success, 9_000_000).service_us(9));
        assert!(!recorder.is_full());
        for _ in 0..5 {
            recorder.lag(1);
            recorder.response_only(a, 1, Outcome::Success, 50);
        }

        let batch = recorder.take(None);
        let folded = batch.folded.as_deref().expect("it was folded");
        assert_eq!(folded.samples + batch.samples.len() as u64, 5);
        assert_eq!(folded.lag.count + batch.lags_us.len() as u64, 5);
        assert_eq!(folded.series[&(a, 1)].failures.service.count, 4);
        assert_eq!(folded.seconds[&3], (1, 1));
        assert_eq!(batch.samples.capacity(), 4);
    }
}
