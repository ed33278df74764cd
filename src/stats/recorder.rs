//! The load thread's side: one recorder a thread appends samples and hands over full batches.
//!
//! No lock, no clock, and no allocation while the series are known and batches come back. The
//! collector adds up the batches.

use std::cell::Cell;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use super::batch::Batch;
use super::cells::Cells;
use super::checks::Checks;
use super::exceptions::Exceptions;
use super::sample::{Lag, Sample, Slots};
use super::series::{Kind, SeriesId, SeriesKey, SeriesTable};
use super::tally::Tally;

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

/// How many requests of a load thread are in flight: up when one is sent, down when it has ended or
/// was cut. Belongs to the thread; each batch reports it.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Rc<Cell<u64>>);

impl InFlight {
    /// Counts one more for as long as the returned value lives.
    #[must_use = "the request is under way until this is dropped"]
    pub fn begin(&self) -> UnderWay<'_> {
        self.0.set(self.0.get() + 1);
        UnderWay(&self.0)
    }
}

/// A request that is under way.
#[derive(Debug)]
pub struct UnderWay<'a>(&'a Cell<u64>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Records what one load thread measures.
///
/// A full batch that is not collected costs precision in time, never a sample: see
/// [`Recorder::fold`].
#[derive(Debug)]
pub struct Recorder {
    batch: Batch,
    series: SeriesTable,
    /// Series that a batch has already defined.
    announced: usize,
    errors: Tally,
    exceptions: Exceptions,
    checks: Checks,
    in_flight: InFlight,
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
            in_flight: InFlight::default(),
            limits,
        }
    }

    /// The number of a series, defined when first met. Does not allocate when it is known.
    pub fn series(&mut self, kind: &Kind, method: &str, name: &str) -> SeriesId {
        self.series.number(None, kind, method, name)
    }

    /// Like [`Recorder::series`], for users of one class where classes are kept apart.
    pub fn series_of(&mut self, class: &str, kind: &Kind, method: &str, name: &str) -> SeriesId {
        self.series.number(Some(class), kind, method, name)
    }

    /// How many requests are under way on its thread.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
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
        self.errors.count_at(owner, text, at_us, || None);
    }

    /// Counts an exception of a script at `at_us` after the run's epoch: its message and where
    /// (`hello.rhai:12:5`). `stack` makes the text of its call stack, a line for each function; it is
    /// asked for once a batch, for the first of its kind.
    pub fn exception(
        &mut self,
        at_us: u64,
        message: &str,
        location: &str,
        stack: impl FnOnce() -> Option<Arc<str>>,
    ) {
        self.exceptions.count(at_us, message, location, stack);
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

    /// Counts a request that was sent again because its kept-alive connection had gone stale.
    pub fn stale_retry(&mut self) {
        self.batch.stale_retries += 1;
    }

    /// Adds to the script's own counter of that name. The first 1,000 names have one each, the
    /// others share one.
    pub fn count_own(&mut self, name: &str, count: u64) {
        self.batch.custom.get_or_insert_default().count(name, count);
    }

    /// Adds a finite number to the script's own metric of that name. The first 100 names have one
    /// each, the others share one.
    pub fn measure_own(&mut self, name: &str, value: f64) {
        self.batch
            .custom
            .get_or_insert_default()
            .measure(name, value);
    }

    /// Records how late the generator itself was (due, but the thread was busy or woken late), in
    /// µs, with what it did at `at_us` after the run's epoch.
    #[inline]
    pub fn lag(&mut self, at_us: u64, us: u32) {
        if self.batch.lags.len() >= self.limits.samples {
            self.fold();
        }
        self.batch.lags.push(Lag::new(at_us, us));
    }

    /// Records a request that had not ended when it was cut, at `at_us` after the run's epoch: how
    /// old it was, from its actual and from its intended start, in µs.
    pub fn unfinished(
        &mut self,
        series: SeriesId,
        generation: u16,
        at_us: u64,
        service_us: u64,
        response_us: u64,
    ) {
        let cells = self.batch.cells.get_or_insert_default();
        cells
            .cell(series.index(), at_us / 1_000_000, generation)
            .cut(service_us, response_us);
    }

    /// Whether the batch should be handed over now rather than at the next tick.
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        let limit = self.limits.samples;
        self.batch.samples.len() >= limit
            || self.batch.slots.len() >= limit
            || self.batch.lags.len() >= limit
    }

    /// Hands over what was recorded since the last call and continues in `spare` (a batch that came
    /// back from the collector, of any thread) or in a new one.
    #[must_use = "a batch that does not reach the collector is lost"]
    pub fn take(&mut self, spare: Option<Batch>) -> Batch {
        let mut next = spare.unwrap_or_else(|| Batch::with_capacity(self.limits));
        debug_assert!(next.is_empty(), "a spare batch comes back empty");
        next.thread = self.batch.thread;
        let mut full = mem::replace(&mut self.batch, next);
        full.defined
            .extend_from_slice(&self.series.keys()[self.announced..]);
        self.announced = self.series.keys().len();
        full.in_flight = self.in_flight.0.get();
        self.errors.take(&mut full.errors);
        self.exceptions.take(&mut full.exceptions);
        self.checks.take(&mut full.checks);
        full
    }

    /// Sums up what is in the batch and makes room, for when the queue of full batches is full.
    ///
    /// Nothing is lost. Costs about 10 ns a sample on the load thread, and is counted.
    #[cold]
    pub fn fold(&mut self) {
        let cells: &mut Cells = self.batch.cells.get_or_insert_default();
        for sample in self.batch.samples.drain(..) {
            cells.record(sample.series.index(), &sample);
            self.batch.folded += 1;
        }
        for slots in self.batch.slots.drain(..) {
            cells.slots(slots.series.index(), &slots);
        }
        for lag in self.batch.lags.drain(..) {
            cells.lag(lag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Outcome;

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
        recorder.exception(9, "thrown", "a.rhai:1:2", || None);
        recorder.lag(9, 3);
        recorder.iteration_started();

        let mut first = recorder.take(None);
        assert_eq!(
            (first.samples.len(), first.lags.len(), first.defined.len()),
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
            recorder.lag(9_000_000, 1);
            recorder.missed_slots(Slots {
                series: a,
                generation: 1,
                outcome: Outcome::Success,
                at_us: 9_000_000,
                longest_us: 50,
                period_us: 0,
                count: 1,
            });
        }

        let batch = recorder.take(None);
        let mut folded = *batch.cells.expect("it was folded");
        assert_eq!(batch.folded + batch.samples.len() as u64, 5);
        assert_eq!(folded.lags[&9].count + batch.lags.len() as u64, 5);
        let failures = (0..4).map(|second| folded.cell(0, second, 1).failures.service.count);
        assert_eq!(failures.sum::<u64>(), 4);
        let third = folded.cell(0, 3, 1);
        assert_eq!((third.requests(), third.failures()), (1, 1));
        assert_eq!(batch.samples.capacity(), 4);
    }

    #[test]
    fn a_batch_tells_how_many_requests_are_under_way() {
        let mut recorder = recorder(4);
        let in_flight = recorder.in_flight();
        let first = in_flight.begin();
        let second = in_flight.begin();
        assert_eq!(recorder.take(None).in_flight, 2);
        drop(first);
        assert_eq!(recorder.take(None).in_flight, 1);
        drop(second);
        assert_eq!(recorder.take(None).in_flight, 0);
    }
}
