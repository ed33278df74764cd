//! The control side: adds up the batches of all load threads and computes the summary.
//!
//! Owns everything cumulative. It reads no clock, never waits and prints nothing; the runner brings
//! it batches, the time and the number of users.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::stats::batch::{Batch, Iterations};
use crate::stats::cell::Cell;
use crate::stats::cells::{Cells, Stamped};
use crate::stats::checks::Checks;
use crate::stats::custom_metrics::CustomMetrics;
use crate::stats::exceptions::Exceptions;
use crate::stats::generations::{ByGeneration, Generations};
use crate::stats::history::{Mark, Marked};
use crate::stats::lag::RunLag;
use crate::stats::ledger::{Ledger, Report};
use crate::stats::pauses::Pauses;
use crate::stats::recorder::Limits;
use crate::stats::seconds::Seconds;
use crate::stats::series::{Kind, SeriesKey, SeriesTable};
use crate::stats::sum::Sum;
use crate::stats::summary::{Generation, Users};
use crate::stats::tally::Tally;
use crate::stats::timeline::Timeline;
use crate::stats::workers::WorkerRow;

/// The name of the total's row, as Locust has it.
const TOTAL: &str = "Aggregated";

/// The most marks that are kept.
const MAX_MARKS: usize = 10_000;

/// How many samples to add up before they are counted, if no second ends first: bounds their
/// memory.
const MOST_PENDING: usize = 65_536;

/// How many cells of others to add up before they are counted: three seconds of a thousand names are
/// fewer.
const MOST_OPEN: usize = 4_096;

/// Adds up what any number of recorders, and other members of the run, measured.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
    /// What this process measured and is not counted yet.
    ledger: Ledger,
    /// The ledger's numbers of series → rows.
    numbers: Vec<usize>,
    /// Cells that others reported and that are not counted yet, by row.
    others: Cells,
    table: SeriesTable,
    /// In the order of the table.
    rows: Vec<ByGeneration>,
    /// Rows of the table by name and method.
    order: Vec<usize>,
    /// Where in that order the first row is whose times were left for later.
    resume: usize,
    /// What need not be put together again.
    settled: Settled,
    total: ByGeneration,
    total_key: SeriesKey,
    keeps_classes: bool,
    errors: Tally,
    exceptions: Exceptions,
    checks: Checks,
    custom: CustomMetrics,
    iterations: Iterations,
    /// When the run began, µs since 1970.
    epoch_unix_us: i64,
    /// When the figures were last reset, µs since the epoch.
    since_us: u64,
    lag: RunLag,
    stale_retries: u64,
    folded: u64,
    users: Users,
    in_flight: u64,
    generations: Generations,
    cpu_us: u64,
    max_rss_bytes: u64,
    seconds: Seconds,
    timeline: Timeline,
    sum: Sum,
    marks: Vec<Marked>,
    pauses: Pauses,
    last_end_us: u64,
    load_end_us: Option<u64>,
    workers: Arc<[WorkerRow]>,
}

impl Collector {
    /// An empty collector; `limits` bounds its series and texts.
    #[must_use]
    pub fn new(limits: Limits) -> Collector {
        Collector {
            limits,
            ledger: Ledger::new(limits),
            numbers: Vec::new(),
            others: Cells::default(),
            table: SeriesTable::new(limits.series),
            rows: Vec::new(),
            order: Vec::new(),
            resume: 0,
            settled: Settled::default(),
            total: ByGeneration::default(),
            total_key: SeriesKey::new(Kind::Total, "", TOTAL),
            keeps_classes: false,
            errors: Tally::new(limits.texts),
            exceptions: Exceptions::new(limits.texts),
            checks: Checks::new(limits.texts),
            custom: CustomMetrics::default(),
            iterations: Iterations::default(),
            epoch_unix_us: 0,
            since_us: 0,
            lag: RunLag::default(),
            stale_retries: 0,
            folded: 0,
            users: Users::default(),
            in_flight: 0,
            generations: Generations::default(),
            cpu_us: 0,
            max_rss_bytes: 0,
            workers: Arc::default(),
            seconds: Seconds::default(),
            timeline: Timeline::default(),
            sum: Sum::default(),
            marks: Vec::new(),
            pauses: Pauses::default(),
            last_end_us: 0,
            load_end_us: None,
        }
    }

    /// From now on, each user class has rows of its own; by default rows are by name and method.
    pub fn keep_classes(&mut self) {
        self.keeps_classes = true;
    }

    /// Adds a batch and returns it empty. About 15 ns a sample.
    ///
    /// Batches of one thread must come in the order they were taken.
    pub fn absorb(&mut self, batch: Batch) -> Batch {
        let emptied = self.ledger.absorb(batch);
        if self.ledger.samples() >= MOST_PENDING {
            let report = self.ledger.take(None);
            self.count_own(report);
        }
        emptied
    }

    /// Adds what another member of the run reports. Each report must come once, in any order. About
    /// 6 ns a bucket, all told: cells of a thousand members add up to one before they are counted.
    pub fn apply(&mut self, report: &Report) {
        let numbers: Vec<usize> = report.keys.iter().map(|key| self.number(key)).collect();
        match &report.past {
            Some(past) => self.recall(report, past, &numbers),
            None => self.add_up(&report.cells, &numbers),
        }
        self.count_rest(report, &numbers);
    }

    /// Adds cells to those of others that are not counted yet.
    fn add_up(&mut self, cells: &[Stamped], numbers: &[usize]) {
        for Stamped {
            second,
            series,
            generation,
            cell,
        } in cells
        {
            let sum = self.others.cell(numbers[*series], *second, *generation);
            sum.merge(cell);
            if self.others.len() >= MOST_OPEN {
                self.count_others();
            }
        }
    }

    fn count_others(&mut self) {
        let cells = self.others.take();
        self.count_cells(cells);
    }

    /// Counts all that has come.
    fn count_pending(&mut self, until_us: Option<u64>) {
        self.count_others();
        let own = self.ledger.take(until_us);
        self.count_own(own);
    }

    /// Adds what this process measured.
    fn count_own(&mut self, report: Report) {
        let mut numbers = std::mem::take(&mut self.numbers);
        for at in numbers.len()..self.ledger.keys().len() {
            let key = self.ledger.keys()[at].clone();
            numbers.push(self.number(&key));
        }
        self.count_rest(&report, &numbers);
        let mut cells = report.cells;
        for stamped in &mut cells {
            stamped.series = numbers[stamped.series];
        }
        self.count_cells(cells);
        self.numbers = numbers;
    }

    /// The row of a series, made if there is none.
    fn number(&mut self, key: &SeriesKey) -> usize {
        let class = key.class.as_deref().filter(|_| self.keeps_classes);
        let number = self.table.number(class, &key.kind, &key.method, &key.name);
        self.rows
            .resize_with(self.table.keys().len(), ByGeneration::default);
        number.index()
    }

    /// Adds cells, whose series are rows.
    fn count_cells(&mut self, cells: Vec<Stamped>) {
        // By second and generation.
        let mut sums: BTreeMap<(u64, u16), Cell> = BTreeMap::new();
        let rows = cells.iter();
        let rows = rows.map(|it| (it.second, id_of(it.series), &it.cell));
        self.timeline.add(rows);
        for stamped in cells {
            let number = stamped.series;
            if self.table.keys()[number].kind.is_request() {
                let sum = sums.entry((stamped.second, stamped.generation));
                sum.or_default().merge(&stamped.cell);
            }
            let age = self.generations.age(stamped.generation);
            self.settled.remove(&age);
            self.rows[number].add(age, stamped.second, stamped.cell);
        }
        sums.values_mut().for_each(Cell::close);
        let by_second = sums.iter().map(|((second, _), sum)| (*second, sum));
        self.timeline.add_total(by_second);
        for ((second, generation), sum) in sums {
            self.seconds.add(second, &sum);
            let age = self.generations.age(generation);
            self.total.add(age, second, sum);
        }
    }

    /// Adds what a report has besides cells; its series are those rows.
    fn count_rest(&mut self, report: &Report, numbers: &[usize]) {
        for (second, lags) in &report.lags {
            self.lag.merge(lags);
            // Those of a sum are no second's.
            if report.past.is_none() {
                self.seconds.lag(*second, lags.max_us);
            }
        }
        for (second, gauge) in &report.gauges {
            self.seconds.gauge(*second, *gauge);
        }
        for error in &report.errors {
            let owner = numbers[error.owner as usize];
            self.errors
                .merge(u32::try_from(owner).expect("rows are bounded"), error);
        }
        for (place, exception) in &report.exceptions {
            self.exceptions.merge(place, exception);
        }
        for counted in &report.checks {
            self.checks.merge(counted);
        }
        self.custom.merge(&report.custom);
        self.iterations.merge(report.iterations);
        self.stale_retries += report.stale_retries;
        self.folded += report.folded;
        self.last_end_us = self.last_end_us.max(report.last_end_us);
        self.pauses.ended(report.last_end_us);
    }

    /// Whether this many iterations have finished without beginning a single request.
    #[must_use]
    pub fn is_silent_after(&self, iterations: u64) -> bool {
        self.iterations.finished >= iterations
            && !self.table.keys().iter().any(|key| key.kind.is_request())
    }

    /// Sets how many users run now, and the most since the last call: users come and go in between.
    pub fn users(&mut self, running: u64, peak: u64) {
        self.users.running = running;
        self.users.peak = self.users.peak.max(peak);
    }

    /// Sets how many users the plan asks for from now on.
    pub fn asked(&mut self, users: u64) {
        self.users.asked = users;
    }

    /// Adds requests that were under way when their users were cut.
    pub fn in_flight(&mut self, requests: u64) {
        self.in_flight += requests;
    }

    /// Counts an exception that no load thread saw, at `at_us` after the run's epoch.
    pub fn exception(&mut self, at_us: u64, message: &str, location: &str) {
        self.exceptions.count(at_us, message, location, || None);
    }

    /// How many users are still in an older generation than the newest.
    pub fn behind(&mut self, users: u64) {
        self.users.behind = users;
    }

    /// The run begins at that moment, in µs since 1970: all times count from there.
    pub fn begin(&mut self, epoch_unix_us: i64) {
        self.epoch_unix_us = epoch_unix_us;
        self.ledger.begin(0);
    }

    /// A generation of the script goes into service; to be called before its first sample. From the
    /// second one on this is a reload: it is marked, and generations are counted separately.
    pub fn generation(&mut self, generation: Generation) {
        if !self.generations.all().is_empty() {
            self.rows.iter_mut().for_each(ByGeneration::grow_older);
            self.total.grow_older();
            self.settled.clear();
            let reload = Mark::Reload {
                generation: generation.n,
            };
            self.mark(generation.at_us, reload);
        }
        self.generations.announce(generation);
    }

    /// What the process has used since its start: CPU time in µs, largest resident set in bytes.
    pub fn generator(&mut self, cpu_us: u64, max_rss_bytes: u64) {
        self.cpu_us = cpu_us;
        self.ledger.cpu(cpu_us);
        self.max_rss_bytes = max_rss_bytes;
    }

    /// The workers of the run as they stand now.
    pub fn workers(&mut self, workers: Arc<[WorkerRow]>) {
        self.workers = workers;
    }

    /// Notes what happened at a time in µs since the run's epoch. The first 10,000 are kept.
    pub fn mark(&mut self, at_us: u64, mark: Mark) {
        if let Mark::Tainted { .. } = mark {
            self.seconds.taint(at_us / 1_000_000);
        }
        if self.marks.len() < MAX_MARKS {
            self.marks.push(Marked { at_us, mark });
        }
    }

    /// The run is paused: once the iterations that run have ended, rates do not count the time.
    pub fn pause(&mut self, at_us: u64) {
        self.pauses.pause(at_us);
        self.mark(at_us, Mark::Pause);
    }

    /// It goes on.
    pub fn resume(&mut self, at_us: u64) {
        self.rest_until(at_us);
        self.mark(at_us, Mark::Resume);
    }

    /// A pause is over, if there is one.
    fn rest_until(&mut self, at_us: u64) {
        if !self.pauses.is_paused() {
            return;
        }
        self.count_pending(None);
        if let Some(rest) = self.pauses.resume(at_us) {
            self.seconds.rest(rest);
        }
    }

    /// Resets all figures: rates and shares count from `at_us` on. The timeline, the marks and the
    /// generations stay, and so do names without a request since.
    ///
    /// What load threads have measured but not handed over by then, up to 0.1 s, counts as after
    /// it.
    pub fn reset(&mut self, at_us: u64) {
        self.count_pending(None);
        let texts = self.limits.texts;
        self.rows.fill_with(ByGeneration::default);
        self.total = ByGeneration::default();
        self.settled.clear();
        self.errors = Tally::new(texts);
        self.exceptions = Exceptions::new(texts);
        self.checks = Checks::new(texts);
        self.custom = CustomMetrics::default();
        self.iterations = Iterations::default();
        self.lag = RunLag::default();
        self.stale_retries = 0;
        self.folded = 0;
        self.in_flight = 0;
        self.users.peak = self.users.running;
        self.since_us = at_us;
        self.mark(at_us, Mark::Reset);
    }

    /// The load has ended: no user starts a task any more. Rates stay over the time up to here, so
    /// that a slow `on_stop` does not thin them out.
    pub fn end(&mut self, at_us: u64) {
        self.load_end_us.get_or_insert(at_us);
        self.rest_until(at_us);
    }

    /// Closes every second that is over. To be called after absorbing what threads handed over;
    /// samples that come later still count in their second.
    ///
    /// A second in which the generator lagged by more than [`LAG_LIMIT_US`](super::LAG_LIMIT_US) is
    /// tainted.
    pub fn tick(&mut self, now_us: u64) {
        self.count_pending(Some(now_us));
        let now = now_us / 1_000_000;
        self.timeline.reach(now);
        if let Some(rest) = self.pauses.reach(now_us) {
            self.seconds.rest(rest);
        }
        let tainted = self.seconds.close(now, self.users);
        for (second, lag_us) in tainted {
            self.taint(second * 1_000_000, lag_us);
        }
    }

    /// Marks a second as tainted, or raises the lag of one that is marked.
    fn taint(&mut self, at_us: u64, late_us: u64) {
        let known = self
            .marks
            .iter_mut()
            .rev()
            .find_map(|marked| match &mut marked.mark {
                Mark::Tainted { lag_us } if marked.at_us == at_us => Some(lag_us),
                _ => None,
            });
        match known {
            Some(lag_us) => *lag_us = late_us.max(*lag_us),
            None => self.mark(at_us, Mark::Tainted { lag_us: late_us }),
        }
    }
}

/// The number of a row for those who see it: the total has 0.
fn id_of(number: usize) -> u32 {
    u32::try_from(number + 1).expect("rows are bounded")
}

mod recalling;
mod showing;
use showing::Settled;
pub use showing::Times;

#[cfg(test)]
mod tests;
