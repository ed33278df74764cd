//! What batches add up to between two reports, and the reports: cells of one or more seconds, and
//! everything else that batches carry.
//!
//! The samples of reports are disjoint, so reports add up in any order. Delivering each exactly
//! once, and a wire format, are left to the transport.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::Arc;

use super::baseline::Past;
use super::batch::{Batch, Iterations};
use super::cells::{Cells, Stamped};
use super::checks::Checks;
use super::custom_metrics::CustomMetrics;
use super::dist::Dist;
use super::exceptions::Exceptions;
use super::recorder::Limits;
use super::series::{SeriesKey, SeriesTable};
use super::sum::Sum;
use super::summary::Distribution;
use super::tally::{Tally, TallyEntry};

/// Gauges of a member of a run at the end of a second. Members' gauges add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gauge {
    /// Requests under way.
    pub(super) in_flight: u64,
    /// CPU time used in the second, in µs.
    pub(super) cpu_us: u64,
}

/// What was measured since the previous report: plain data, in seconds since the run's epoch.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The series of the member, by the numbers that cells and errors have.
    pub(super) keys: Vec<SeriesKey>,
    pub(super) cells: Vec<Stamped>,
    /// By second.
    pub(super) lags: BTreeMap<u64, Dist>,
    /// Of seconds that are over.
    pub(super) gauges: BTreeMap<u64, Gauge>,
    pub(super) errors: Vec<TallyEntry>,
    /// Where it happened, and the message.
    pub(super) exceptions: Vec<(Arc<str>, TallyEntry)>,
    pub(super) checks: Vec<TallyEntry>,
    pub(super) custom: CustomMetrics,
    pub(super) iterations: Iterations,
    pub(super) stale_retries: u64,
    /// Samples that were summed up on their threads.
    pub(super) folded: u64,
    pub(super) last_end_us: u64,
    /// Its cells and lags are sums over many seconds, of which this tells.
    pub(super) past: Option<Arc<Past>>,
}

impl Report {
    /// How many requests ended in it, groups and other series included.
    #[must_use]
    pub fn samples(&self) -> u64 {
        let cells = self.cells.iter();
        cells.map(|stamped| stamped.cell.requests()).sum()
    }

    /// How late the generator was in it: the 99th percentile and the most, in µs.
    #[must_use]
    pub fn lag_us(&self) -> [u64; 2] {
        let lag = Distribution::of_all(self.lags.values(), &mut Sum::default());
        [lag.p99_us(), lag.max_us]
    }

    /// How many iterations began in it.
    #[must_use]
    pub fn started(&self) -> u64 {
        self.iterations.started
    }
}

/// Adds up the batches of any number of recorders until a report is cut.
#[derive(Debug)]
pub struct Ledger {
    table: SeriesTable,
    /// By thread: its recorder's numbers of series → ours.
    numbers: HashMap<u32, Vec<usize>>,
    cells: Cells,
    errors: Tally,
    exceptions: Exceptions,
    checks: Checks,
    custom: CustomMetrics,
    iterations: Iterations,
    stale_retries: u64,
    folded: u64,
    /// Samples absorbed since the last report.
    samples: usize,
    /// All that were ever absorbed.
    recorded: u64,
    /// By thread.
    in_flight: HashMap<u32, u64>,
    /// What the process has used since its start, and of that in seconds that are over.
    cpu_us: u64,
    told_cpu_us: u64,
    /// Seconds before this one are over and their gauges reported.
    closed: u64,
}

impl Ledger {
    /// An empty one; `limits` bounds its series and texts.
    #[must_use]
    pub fn new(limits: Limits) -> Ledger {
        Ledger {
            table: SeriesTable::new(limits.series),
            numbers: HashMap::new(),
            cells: Cells::default(),
            errors: Tally::new(limits.texts),
            exceptions: Exceptions::new(limits.texts),
            checks: Checks::new(limits.texts),
            custom: CustomMetrics::default(),
            iterations: Iterations::default(),
            stale_retries: 0,
            folded: 0,
            samples: 0,
            recorded: 0,
            in_flight: HashMap::new(),
            cpu_us: 0,
            told_cpu_us: 0,
            closed: 0,
        }
    }

    /// Adds a batch and returns it empty. About 10 ns a sample.
    ///
    /// Batches of one thread must come in the order they were taken.
    pub fn absorb(&mut self, mut batch: Batch) -> Batch {
        let mut numbers = self.numbers.remove(&batch.thread).unwrap_or_default();
        for key in &batch.defined {
            let class = key.class.as_deref();
            let number = self.table.number(class, &key.kind, &key.method, &key.name);
            numbers.push(number.index());
        }
        for sample in &batch.samples {
            self.cells.record(numbers[sample.series.index()], sample);
        }
        for slots in &batch.slots {
            self.cells.slots(numbers[slots.series.index()], slots);
        }
        for lag in &batch.lags {
            self.cells.lag(*lag);
        }
        if let Some(cells) = batch.cells.take() {
            self.recorded += cells.requests();
            self.cells.merge(&cells, &numbers);
        }
        for error in &batch.errors {
            let owner = numbers[error.owner as usize];
            self.errors
                .merge(u32::try_from(owner).expect("series are bounded"), error);
        }
        for (place, exception) in &batch.exceptions {
            self.exceptions.merge(place, exception);
        }
        for counted in &batch.checks {
            self.checks.merge(counted);
        }
        if let Some(custom) = batch.custom.take() {
            self.custom.merge(&custom);
        }
        self.iterations.merge(batch.iterations);
        self.stale_retries += batch.stale_retries;
        self.folded += batch.folded;
        self.samples += batch.samples.len();
        self.recorded += batch.samples.len() as u64;
        self.in_flight.insert(batch.thread, batch.in_flight);
        self.numbers.insert(batch.thread, numbers);
        batch.clear();
        batch
    }

    /// What the process has used since its start, in µs of CPU time.
    pub fn cpu(&mut self, cpu_us: u64) {
        self.cpu_us = cpu_us;
    }

    /// Its part of the run begins, so long after the run's epoch: what the process has used so far
    /// belongs to no second, and seconds that are over have no gauges of its.
    pub fn begin(&mut self, now_us: u64) {
        self.told_cpu_us = self.cpu_us;
        self.closed = self.closed.max(now_us / 1_000_000);
    }

    /// Everything since the last report, with the gauges of seconds that are over.
    #[must_use = "what a report carries is in no other"]
    pub fn cut(&mut self, now_us: u64) -> Report {
        let mut report = self.take(Some(now_us));
        report.keys = self.table.keys().to_vec();
        report
    }

    /// Like [`Ledger::cut`], but without the keys, and without gauges in the middle of a second.
    pub(super) fn take(&mut self, now_us: Option<u64>) -> Report {
        let gauges = now_us.map(|now_us| self.gauges(now_us / 1_000_000));
        let mut report = Report {
            cells: self.cells.take(),
            lags: mem::take(&mut self.cells.lags),
            gauges: gauges.unwrap_or_default(),
            custom: mem::take(&mut self.custom),
            iterations: mem::take(&mut self.iterations),
            stale_retries: mem::take(&mut self.stale_retries),
            folded: mem::take(&mut self.folded),
            last_end_us: self.cells.last_end_us,
            ..Report::default()
        };
        self.errors.take(&mut report.errors);
        self.exceptions.take(&mut report.exceptions);
        self.checks.take(&mut report.checks);
        self.samples = 0;
        report
    }

    fn gauges(&mut self, now: u64) -> BTreeMap<u64, Gauge> {
        let over = now.saturating_sub(self.closed);
        if over == 0 {
            return BTreeMap::new();
        }
        let used_us = self.cpu_us.saturating_sub(self.told_cpu_us);
        self.told_cpu_us = self.cpu_us;
        let gauge = Gauge {
            in_flight: self.in_flight.values().sum(),
            cpu_us: used_us / over,
        };
        let seconds = mem::replace(&mut self.closed, now)..now;
        seconds.map(|second| (second, gauge)).collect()
    }

    /// How many samples it has absorbed in its life; of a report as [`Report::samples`].
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded
    }

    /// Samples absorbed since the last report.
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    /// All series, in the order of their numbers.
    pub(super) fn keys(&self) -> &[SeriesKey] {
        self.table.keys()
    }
}
