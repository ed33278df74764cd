//! The control side: adds up the batches of all load threads and computes the summary.
//!
//! Owns everything cumulative. It reads no clock, waits for nobody, and prints nothing; the runner
//! brings it batches, the time and the number of users.

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use crate::stats::checks::Checks;
use crate::stats::dist::Dist;
use crate::stats::exceptions::Exceptions;
use crate::stats::figures::Figures;
use crate::stats::generations::{Aged, Generations, Span};
use crate::stats::history::{History, Mark, Marked};
use crate::stats::recorder::{Batch, Folded, Iterations, Limits};
use crate::stats::sample::Outcome;
use crate::stats::series::{SeriesKey, SeriesTable};
use crate::stats::summary::{
    Caveats, CounterRow, Distribution, ErrorRow, ExceptionRow, Generation, GenerationRows,
    Generator, MetricRow, Rows, Summary, Users, per_second,
};
use crate::stats::tally::Tally;
use crate::stats::window::{SECONDS, Slot};

/// A generator that acts later than this on what is due makes times doubtful: 10 ms, in µs.
pub const LAG_LIMIT_US: u64 = 10_000;
/// Marks beyond are not kept.
const MAX_MARKS: usize = 10_000;

/// Adds up what any number of recorders measured.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
    table: SeriesTable,
    series: Vec<Aged>,
    /// By thread: its recorder's numbers of series → ours.
    numbers: HashMap<u32, Vec<usize>>,
    errors: Tally,
    exceptions: Exceptions,
    checks: Checks,
    figures: Figures,
    iterations: Iterations,
    /// When the run began, µs since 1970.
    epoch_unix_us: i64,
    /// When the figures were set to zero last, µs since the epoch.
    since_us: u64,
    lag: Dist,
    /// The greatest lag since the last tick.
    recent_lag_us: u64,
    stale_retries: u64,
    folded: u64,
    users: Users,
    in_flight: u64,
    generations: Generations,
    cpu_us: u64,
    max_rss_bytes: u64,
    history: History,
    /// Seconds whose current figures are in the history.
    closed: u64,
    marks: Vec<Marked>,
    last_end_us: u64,
    load_end_us: Option<u64>,
}

impl Collector {
    /// An empty collector; `limits` bounds its series and texts.
    #[must_use]
    pub fn new(limits: Limits) -> Collector {
        Collector {
            limits,
            table: SeriesTable::new(limits.series),
            series: Vec::new(),
            numbers: HashMap::new(),
            errors: Tally::new(limits.texts),
            exceptions: Exceptions::new(limits.texts),
            checks: Checks::new(limits.texts),
            figures: Figures::default(),
            iterations: Iterations::default(),
            epoch_unix_us: 0,
            since_us: 0,
            lag: Dist::default(),
            recent_lag_us: 0,
            stale_retries: 0,
            folded: 0,
            users: Users::default(),
            in_flight: 0,
            generations: Generations::default(),
            cpu_us: 0,
            max_rss_bytes: 0,
            history: History::default(),
            closed: 0,
            marks: Vec::new(),
            last_end_us: 0,
            load_end_us: None,
        }
    }

    /// Adds a batch and gives it back empty. About 20 ns a sample.
    ///
    /// Batches of one thread must come in the order they were taken.
    pub fn absorb(&mut self, mut batch: Batch) -> Batch {
        let mut numbers = self.numbers.remove(&batch.thread).unwrap_or_default();
        for key in &batch.defined {
            let number = self.table.number(&key.kind, &key.method, &key.name);
            numbers.push(number.index());
        }
        self.series
            .resize_with(self.table.keys().len(), Aged::default);
        for sample in &batch.samples {
            let number = numbers[sample.series.index()];
            let age = self.generations.age(sample.generation);
            self.series[number].record(age, sample);
            if self.table.keys()[number].kind.is_request() {
                let failures = u64::from(sample.outcome == Outcome::Failure);
                self.count(sample.end_us() / 1_000_000, 1, failures);
            }
            self.last_end_us = self.last_end_us.max(sample.end_us());
        }
        for slots in &batch.slots {
            let age = self.generations.age(slots.generation);
            self.series[numbers[slots.series.index()]].slots(age, slots);
        }
        for ((series, generation), ages) in &batch.unfinished {
            let age = self.generations.age(*generation);
            self.series[numbers[series.index()]].cut(age, ages);
        }
        for us in &batch.lags_us {
            self.lag.record(u64::from(*us));
            self.recent_lag_us = self.recent_lag_us.max(u64::from(*us));
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
        if let Some(figures) = batch.figures.take() {
            self.figures.merge(&figures);
        }
        self.iterations.merge(batch.iterations);
        self.stale_retries += batch.stale_retries;
        if let Some(folded) = batch.folded.take() {
            self.unfold(&folded, &numbers);
        }
        self.numbers.insert(batch.thread, numbers);
        batch.clear();
        batch
    }

    fn unfold(&mut self, folded: &Folded, numbers: &[usize]) {
        for ((id, generation), stats) in &folded.series {
            let age = self.generations.age(*generation);
            self.series[numbers[id.index()]].merge(age, stats);
        }
        for (second, (requests, failures)) in &folded.seconds {
            self.count(*second, *requests, *failures);
        }
        self.lag.merge(&folded.lag);
        self.recent_lag_us = self.recent_lag_us.max(folded.lag.max_us);
        self.folded += folded.samples;
        self.last_end_us = self.last_end_us.max(folded.last_end_us);
    }

    fn count(&mut self, second: u64, requests: u64, failures: u64) {
        if let Some(second) = self.history.second(second) {
            second.requests += requests;
            second.failures += failures;
        }
    }

    /// Whether so many iterations have finished, and no request was even begun.
    #[must_use]
    pub fn is_silent_after(&self, iterations: u64) -> bool {
        self.iterations.finished >= iterations
            && !self.table.keys().iter().any(|key| key.kind.is_request())
    }

    /// How many users run now, and how many did at most so far: users come and go between two
    /// calls.
    pub fn users(&mut self, running: u64, peak: u64) {
        self.users.running = running;
        self.users.peak = self.users.peak.max(peak);
    }

    /// How many users are asked for from now on.
    pub fn asked(&mut self, users: u64) {
        self.users.asked = users;
    }

    /// Adds requests that were under way when their users were cut.
    pub fn in_flight(&mut self, requests: u64) {
        self.in_flight += requests;
    }

    /// Counts an exception that no load thread saw.
    pub fn exception(&mut self, message: &str, location: &str) {
        self.exceptions.count(message, location);
    }

    /// How many users are still in an older generation than the newest.
    pub fn behind(&mut self, users: u64) {
        self.users.behind = users;
    }

    /// The run begins at that moment, in µs since 1970: all times count from there.
    pub fn begin(&mut self, epoch_unix_us: i64) {
        self.epoch_unix_us = epoch_unix_us;
    }

    /// A version of the script takes over; call it before any of its samples comes. From the
    /// second on this is a reload: it is marked, and figures of generations are kept apart.
    pub fn generation(&mut self, generation: Generation) {
        if !self.generations.all().is_empty() {
            self.series.iter_mut().for_each(Aged::grow_older);
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
        self.max_rss_bytes = max_rss_bytes;
    }

    /// Notes what happened at a time in µs since the run's epoch. The first 10,000 are kept.
    pub fn mark(&mut self, at_us: u64, mark: Mark) {
        if let Mark::Tainted { .. } = mark
            && let Some(second) = self.history.second(at_us / 1_000_000)
        {
            second.is_tainted = true;
        }
        if self.marks.len() < MAX_MARKS {
            self.marks.push(Marked { at_us, mark });
        }
    }

    /// Sets all figures to zero: rates and shares count from `at_us` on. The timeline, the marks
    /// and the generations stay, and so do names without a request since.
    ///
    /// What a load thread has measured by then and not yet handed over counts after it: 0.1 s.
    pub fn reset(&mut self, at_us: u64) {
        let texts = self.limits.texts;
        self.series.fill_with(Aged::default);
        self.errors = Tally::new(texts);
        self.exceptions = Exceptions::new(texts);
        self.checks = Checks::new(texts);
        self.figures = Figures::default();
        self.iterations = Iterations::default();
        self.lag = Dist::default();
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
    }

    /// Closes every second that is over. Call it after absorbing what the threads hand over.
    ///
    /// If the generator lagged by more than [`LAG_LIMIT_US`] since the last call, the latest
    /// second that is over is tainted.
    pub fn tick(&mut self, now_us: u64) {
        let now = now_us / 1_000_000;
        if self.recent_lag_us > LAG_LIMIT_US && now > self.closed {
            let lag_us = mem::take(&mut self.recent_lag_us);
            self.mark((now - 1) * 1_000_000, Mark::Tainted { lag_us });
        }
        for second in self.closed..now {
            let first = (second + 1).saturating_sub(SECONDS);
            let length_us = (second + 1 - first) * 1_000_000;
            let mut sums = (0, 0);
            for past in (first..=second).filter_map(|past| self.history.get(past)) {
                sums = (sums.0 + past.requests, sums.1 + past.failures);
            }
            let current = Distribution::of(&self.window(second + 1).response);
            let users = self.users.running;
            let Some(open) = self.history.second(second) else {
                break;
            };
            open.users = users;
            open.rps = per_second(sums.0, length_us);
            open.failures_per_s = per_second(sums.1, length_us);
            open.p50_us = current.p50_us();
            open.p95_us = current.p95_us();
        }
        self.closed = self.closed.max(now);
    }

    /// The last seconds of all requests together.
    fn window(&self, now: u64) -> Slot {
        let mut sum = Slot::default();
        for (_, series) in self.series().filter(|(key, _)| key.kind.is_request()) {
            for part in series.parts() {
                sum.merge(&part.window.completed(now).0);
            }
        }
        sum
    }

    fn series(&self) -> impl Iterator<Item = (&SeriesKey, &Aged)> {
        self.table.keys().iter().zip(&self.series)
    }

    /// Everything so far, as rows. Costs 2 µs a series of few distinct times and up to 250 µs one of
    /// thousands, after a reload about three times that; meant for once a second.
    #[must_use]
    pub fn summary(&self, now_us: u64) -> Arc<Summary> {
        let elapsed_us = match self.load_end_us {
            Some(end_us) => end_us.max(self.last_end_us),
            None => now_us,
        };
        let elapsed_us = elapsed_us.saturating_sub(self.since_us);
        let whole = self.series().map(|(key, series)| (key, series.whole()));
        let rows = Rows::of(whole, now_us, elapsed_us);
        let clipped: u64 = self.series.iter().map(Aged::clipped).sum();
        Arc::new(Summary {
            epoch_unix_us: self.epoch_unix_us,
            now_us,
            elapsed_us,
            users: self.users,
            iterations: self.iterations,
            in_flight: self.in_flight,
            generations: self.generations.all().to_vec(),
            by_generation: self.by_generation(now_us, elapsed_us),
            requests: rows.requests,
            total: rows.total,
            groups: rows.groups,
            errors: ErrorRow::all(&self.errors, self.table.keys()),
            exceptions: ExceptionRow::all(&self.exceptions),
            checks: self.checks.rows(),
            counters: CounterRow::all(&self.figures, elapsed_us),
            metrics: MetricRow::all(&self.figures),
            history: self.history.clone(),
            marks: self.marks.clone(),
            generator: Generator {
                cpu_us: self.cpu_us,
                max_rss_bytes: self.max_rss_bytes,
                lag: Distribution::of(&self.lag),
            },
            caveats: Caveats {
                clipped: clipped + self.lag.clipped + self.figures.clipped(),
                folded: self.folded,
                stale_retries: self.stale_retries,
                too_many_names: self.table.overflowed(),
                too_many_figures: self.figures.overflowed(),
                is_counter_full: self.figures.is_full(),
                too_many_texts: self.errors.overflowed()
                    || self.exceptions.overflowed()
                    || self.checks.overflowed(),
            },
        })
    }

    fn by_generation(&self, now_us: u64, elapsed_us: u64) -> Vec<GenerationRows> {
        let rows = |span: Span<'_>| {
            let parts = self
                .series()
                .filter_map(|(key, series)| Some((key, Cow::Borrowed(series.part(span.age)?))));
            let from_us = span.first.at_us.max(self.since_us);
            let over_us = span.end_us.saturating_sub(from_us);
            let Rows {
                requests,
                total,
                groups,
            } = Rows::of(parts, now_us, over_us);
            GenerationRows {
                first: span.first.clone(),
                last: span.last.clone(),
                end_us: span.end_us,
                requests,
                total,
                groups,
            }
        };
        self.generations
            .spans(elapsed_us)
            .into_iter()
            .map(rows)
            .collect()
    }
}

#[cfg(test)]
mod tests;
