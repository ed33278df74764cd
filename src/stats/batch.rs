//! What one load thread measured between two handovers.
//!
//! Owns the form of a batch: the recorder fills it, the ledger adds it up.

use std::sync::Arc;

use super::cells::Cells;
use super::custom_metrics::CustomMetrics;
use super::recorder::Limits;
use super::sample::{Lag, Sample, Slots};
use super::series::SeriesKey;
use super::tally::TallyEntry;

/// Iterations by outcome.
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
    pub(super) lags: Vec<Lag>,
    /// Recorded one by one, or summed up on the thread because its batch was not taken.
    pub(super) cells: Option<Box<Cells>>,
    /// How many samples were summed up that way.
    pub(super) folded: u64,
    /// Series met since the last batch, in the order of their numbers.
    pub(super) defined: Vec<SeriesKey>,
    pub(super) errors: Vec<TallyEntry>,
    /// Where it happened, and the message.
    pub(super) exceptions: Vec<(Arc<str>, TallyEntry)>,
    pub(super) checks: Vec<TallyEntry>,
    pub(super) iterations: Iterations,
    pub(super) stale_retries: u64,
    /// Requests under way when it was taken.
    pub(super) in_flight: u64,
    /// The script's own counters and metrics; `None` without any.
    pub(super) custom: Option<Box<CustomMetrics>>,
}

impl Batch {
    /// The load thread it comes from.
    #[must_use]
    pub fn thread(&self) -> u32 {
        self.thread
    }

    /// Whether it carries nothing but the number of requests in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
            && self.slots.is_empty()
            && self.lags.is_empty()
            && self.cells.is_none()
            && self.defined.is_empty()
            && self.errors.is_empty()
            && self.exceptions.is_empty()
            && self.checks.is_empty()
            && self.iterations == Iterations::default()
            && self.stale_retries == 0
            && self.custom.is_none()
    }

    /// Drops all that belongs to requests: those of `setup` and the like are not measured.
    #[must_use]
    pub fn without_samples(mut self) -> Batch {
        self.samples.clear();
        self.slots.clear();
        self.cells = None;
        self.folded = 0;
        self.defined.clear();
        self.errors.clear();
        self.stale_retries = 0;
        self.in_flight = 0;
        self
    }

    pub(super) fn with_capacity(limits: Limits) -> Batch {
        Batch {
            samples: Vec::with_capacity(limits.samples),
            lags: Vec::with_capacity(limits.samples),
            ..Batch::default()
        }
    }

    /// Empties it and keeps its buffers.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
        self.slots.clear();
        self.lags.clear();
        self.cells = None;
        self.folded = 0;
        self.defined.clear();
        self.errors.clear();
        self.exceptions.clear();
        self.checks.clear();
        self.iterations = Iterations::default();
        self.stale_retries = 0;
        self.in_flight = 0;
        self.custom = None;
    }
}
