//! The result of a run so far, as plain rows: computed once, formatted many times.
//!
//! Every number says its unit, its window and what is counted. How a number looks in a table or a
//! file is not decided here.

use std::sync::Arc;

use super::batch::Iterations;
use super::custom_metrics::CustomMetrics;
use super::dist::{Dist, ranks as ranks_of};
use super::exceptions::Exceptions;
use super::history::{History, Marked};
use super::intervals;
use super::pauses::Pauses;
use super::series::SeriesKey;
use super::sum::Sum;
use super::tally::{Tally, TallyEntry};
use super::timeline::Timeline;
use super::trace::Trace;
use super::unfinished::Unfinished;
use super::workers::WorkerRow;

/// The quantiles of every [`Distribution`]; the last is the maximum.
pub const QUANTILES: [f64; 11] = [
    0.50, 0.66, 0.75, 0.80, 0.90, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0,
];

/// Times in µs: exact minimum, mean and maximum, and quantiles to three significant digits.
/// All zeros when `count` is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distribution {
    /// Times in it.
    pub count: u64,
    /// Exact.
    pub min_us: u64,
    /// Exact.
    pub max_us: u64,
    /// Exact sum divided by `count`.
    pub mean_us: f64,
    /// In the order of [`QUANTILES`]. Quantile q is at least the ⌈q·count⌉-th smallest time, at
    /// most 0.1 % above it, and never outside the minimum and maximum.
    pub quantiles_us: [u64; 11],
}

impl Distribution {
    /// Of several parts together, added up in `sum`.
    pub(super) fn of_all<'a>(parts: impl Iterator<Item = &'a Dist>, sum: &mut Sum) -> Distribution {
        let (whole, quantiles_us) = Dist::of_all(parts, sum, &QUANTILES);
        Distribution::of(&whole, quantiles_us)
    }

    /// Likewise, and the ends of the 95 % intervals of its median, p95 and p99.
    pub(super) fn with_intervals<'a>(
        parts: impl Iterator<Item = &'a Dist>,
        sum: &mut Sum,
    ) -> (Distribution, [u64; 6]) {
        const COUNT: usize = QUANTILES.len();
        let (whole, values) = Dist::at_ranks_of_all(parts, sum, |count| {
            let mut ranks = [0; COUNT + 6];
            ranks[..COUNT].copy_from_slice(&ranks_of(count, &QUANTILES));
            ranks[COUNT..].copy_from_slice(&intervals::ranks(count));
            ranks
        });
        let mut quantiles_us = std::array::from_fn(|nth| values[nth]);
        quantiles_us[COUNT - 1] = whole.max_us;
        let ends_us = std::array::from_fn(|nth| values[COUNT + nth]);
        (Distribution::of(&whole, quantiles_us), ends_us)
    }

    fn of(whole: &Dist, quantiles_us: [u64; QUANTILES.len()]) -> Distribution {
        Distribution {
            count: whole.count,
            min_us: whole.min_us,
            max_us: whole.max_us,
            mean_us: whole.mean_us(),
            quantiles_us,
        }
    }

    /// The median, in µs.
    #[must_use]
    pub fn p50_us(&self) -> u64 {
        self.quantiles_us[0]
    }

    /// The 95th percentile, in µs.
    #[must_use]
    pub fn p95_us(&self) -> u64 {
        self.quantiles_us[5]
    }

    /// The 99th percentile, in µs.
    #[must_use]
    pub fn p99_us(&self) -> u64 {
        self.quantiles_us[7]
    }

    /// Whether the mean or any quantile is more than 1 % away from the other's.
    #[must_use]
    pub fn differs(&self, other: &Distribution) -> bool {
        #[allow(
            clippy::cast_precision_loss,
            reason = "compared to one part in a hundred"
        )]
        let is_far = |a: u64, b: u64| (a as f64 - b as f64).abs() > 0.01 * a.min(b) as f64;
        (self.mean_us - other.mean_us).abs() > 0.01 * self.mean_us.min(other.mean_us)
            || self
                .quantiles_us
                .iter()
                .zip(other.quantiles_us)
                .any(|(a, b)| is_far(*a, b))
    }
}

/// One series, or the total.
///
/// Times are over **all** its requests that ended, failures included (Locust's meaning, and what a
/// reader of a table expects); the failures' own times are kept apart in `failed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number in the run, which stays; the total's is 0.
    pub id: u32,
    /// The second of the run in which anything of it but its rates changed last, as far as summaries
    /// were made.
    pub changed: u64,
    /// Kind, method and name; the total's method is empty and its name is `Aggregated`.
    pub key: SeriesKey,
    /// Requests that ended, failures included.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Requests a second over [`Summary::elapsed_us`], or a generation's time.
    pub rps: f64,
    /// Failures a second over the same time.
    pub failures_per_s: f64,
    /// Requests a second, the mean over the last up to ten completed seconds without paused time;
    /// falls to zero when nothing completes any more.
    pub current_rps: f64,
    /// Failures a second, likewise.
    pub current_failures_per_s: f64,
    /// End of the response − actual start, of all requests.
    pub service: Distribution,
    /// End of the response − intended start, of all requests, and of the slots that paced users
    /// missed (so its `count` may be above `requests`).
    pub response: Distribution,
    /// Requests that were cut before they ended. The quantiles of `service` and `response` take them
    /// as over at their age, and so are lower bounds; count, minimum, mean and maximum do not know
    /// them.
    pub unfinished: Unfinished,
    /// The highest of [`QUANTILES`] that would be the same to 1 % however long they took; 1 without
    /// them.
    pub certain_to: f64,
    /// 95 % intervals of the response times, in µs: the lower and the upper end of the median's, of
    /// p95's and of p99's. They assume that requests are independent of each other. Only of the total
    /// and of rows of [`GenerationRows`]; zeros in others.
    pub intervals_us: [u64; 6],
    /// The response times of the failures alone.
    pub failed: Distribution,
    /// Response times over the last up to ten completed seconds, without missed slots.
    pub current: Distribution,
}

/// `count` over a time, per second; zero over no time.
#[allow(
    clippy::cast_precision_loss,
    reason = "rates need no more than 53 bits"
)]
pub(super) fn per_second(count: u64, over_us: u64) -> f64 {
    if over_us == 0 {
        0.0
    } else {
        count as f64 * 1e6 / over_us as f64
    }
}

/// A failure text of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRow {
    /// The series' method.
    pub method: Arc<str>,
    /// The series' name.
    pub name: Arc<str>,
    /// The text.
    pub error: Arc<str>,
    /// Occurrences.
    pub count: u64,
    /// First occurrence, µs since the run's epoch.
    pub first_us: u64,
    /// Last occurrence, µs since the run's epoch.
    pub last_us: u64,
    /// When they occurred.
    pub trace: Trace,
}

impl ErrorRow {
    /// Most frequent first; the owners are numbers of `keys`.
    pub(super) fn all(errors: &Tally, keys: &[SeriesKey]) -> Vec<ErrorRow> {
        let row = |entry: &TallyEntry| {
            let key = &keys[entry.owner as usize];
            ErrorRow {
                method: Arc::clone(&key.method),
                name: Arc::clone(&key.name),
                error: Arc::clone(&entry.text),
                count: entry.count,
                first_us: entry.first_us,
                last_us: entry.last_us,
                trace: entry.trace.clone(),
            }
        };
        let mut rows: Vec<ErrorRow> = errors.entries().iter().map(row).collect();
        rows.sort_by(|a, b| {
            (b.count, &a.name, &a.method, &a.error).cmp(&(a.count, &b.name, &b.method, &b.error))
        });
        rows
    }
}

/// An exception of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionRow {
    /// What it said.
    pub message: Arc<str>,
    /// Where it was thrown.
    pub location: Arc<str>,
    /// Occurrences.
    pub count: u64,
    /// First occurrence, µs since the run's epoch; zero if it was before, in `setup`.
    pub first_us: u64,
    /// Last occurrence, µs since the run's epoch.
    pub last_us: u64,
    /// The functions that the first one happened in, innermost first, each in a line with the place in
    /// it: `price (shop.rhai:12:5)`. Bounded; `None` if it happened in no function of the script.
    pub stack: Option<Arc<str>>,
    /// When they occurred.
    pub trace: Trace,
}

impl ExceptionRow {
    /// The lines of the call stack.
    pub fn frames(&self) -> impl Iterator<Item = &str> {
        self.stack.iter().flat_map(|stack| stack.lines())
    }

    /// Most frequent first.
    pub(super) fn all(exceptions: &Exceptions) -> Vec<ExceptionRow> {
        let row = |(place, entry): (&Arc<str>, &TallyEntry)| ExceptionRow {
            message: Arc::clone(&entry.text),
            location: Arc::clone(place),
            count: entry.count,
            first_us: entry.first_us,
            last_us: entry.last_us,
            stack: entry.stack.clone(),
            trace: entry.trace.clone(),
        };
        let mut rows: Vec<ExceptionRow> = exceptions.entries().map(row).collect();
        rows.sort_by(|a, b| {
            (b.count, &a.location, &a.message).cmp(&(a.count, &b.location, &b.message))
        });
        rows
    }
}

/// A check of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRow {
    /// Its name.
    pub name: Arc<str>,
    /// How often it held.
    pub passes: u64,
    /// How often it did not.
    pub fails: u64,
}

/// A counter of the script's own.
#[derive(Clone, Debug, PartialEq)]
pub struct CounterRow {
    /// What the script calls it.
    pub name: Arc<str>,
    /// All that was added, over all threads.
    pub total: u64,
    /// `total` per second of [`Summary::elapsed_us`].
    pub per_s: f64,
}

impl CounterRow {
    pub(super) fn all(custom: &CustomMetrics, elapsed_us: u64) -> Vec<CounterRow> {
        let row = |(name, total): (&Arc<str>, &u64)| CounterRow {
            name: Arc::clone(name),
            total: *total,
            per_s: per_second(*total, elapsed_us),
        };
        custom.counters.iter().map(row).collect()
    }
}

/// A metric of the script's own, in the script's own unit.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRow {
    /// What the script calls it.
    pub name: Arc<str>,
    /// Values that were added.
    pub count: u64,
    /// Exact.
    pub min: f64,
    /// Exact.
    pub mean: f64,
    /// Exact.
    pub max: f64,
    /// The median. Quantiles are at most 0.1 % above the value they stand for.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
}

impl MetricRow {
    pub(super) fn all(custom: &CustomMetrics) -> Vec<MetricRow> {
        let rows = custom.metrics.iter().map(|(name, spread)| {
            let [p50, p95, p99] = spread.quantiles([0.5, 0.95, 0.99]);
            MetricRow {
                name: Arc::clone(name),
                count: spread.count,
                min: spread.min,
                mean: spread.mean(),
                max: spread.max,
                p50,
                p95,
                p99,
            }
        });
        rows.collect()
    }
}

/// A version of the script that sent samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// From 1.
    pub n: u16,
    /// Hash of the script and its imports.
    pub hash: Arc<str>,
    /// When it took over, µs since the run's epoch.
    pub at_us: u64,
}

/// What the samples of one generation, or of several in a row, add up to; together with the
/// others' exactly what the summary's own rows say.
///
/// A series that has no sample of them has no row. Rates are over the time from when the first
/// took over until the next one did, without paused time; what its users still sent later counts as well. Current
/// figures are those of their samples alone.
#[derive(Clone, Debug)]
pub struct GenerationRows {
    /// The first of them.
    pub first: Generation,
    /// The last of them: the first, but for the earlier ones, which share their rows.
    pub last: Generation,
    /// When the next one took over, or [`Summary::end_us`]; µs since the run's epoch.
    pub end_us: u64,
    /// Requests by name and method, in that order.
    pub requests: Vec<Row>,
    /// The sum of `requests`.
    pub total: Row,
    /// Groups by name; never part of the total.
    pub groups: Vec<Row>,
}

/// Virtual users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// What was last asked for.
    pub asked: u64,
    /// Running now.
    pub running: u64,
    /// The most that ran at once.
    pub peak: u64,
    /// Still in an older generation of the script than the newest.
    pub behind: u64,
}

/// The load generator itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Generator {
    /// CPU time of the process, user and system, in µs.
    pub cpu_us: u64,
    /// Largest resident set of the process, in bytes.
    pub max_rss_bytes: u64,
    /// How late the generator acted on what was due.
    pub lag: Distribution,
}

/// What a report must own up to; all zero or false in a healthy run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// Numbers too large for their field (an hour, 4 GiB) and cut.
    pub clipped: u64,
    /// Samples summed up on their thread because the control side did not keep up; they count
    /// everywhere but perhaps in current percentiles.
    pub folded: u64,
    /// Requests sent anew because a kept-alive connection had gone stale.
    pub stale_retries: u64,
    /// There were more series than the limit: some share a row.
    pub too_many_names: bool,
    /// There were more counters or metrics of the script's own than the limit: some share a row.
    pub too_many_figures: bool,
    /// A counter of the script's own is at the largest number there is and stays there.
    pub is_counter_full: bool,
    /// There were more failure texts or exceptions than the limit: some share a row.
    pub too_many_texts: bool,
}

/// Everything that outputs format.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The run's epoch, when its first user began: µs since 1970.
    pub epoch_unix_us: i64,
    /// When it was computed, µs since the run's epoch.
    pub now_us: u64,
    /// What rates are over, and the run's duration: up to now, or once the load has ended up to
    /// its end (or the last response, if that came later); without paused time.
    pub elapsed_us: u64,
    /// Where that ends, µs since the run's epoch.
    pub end_us: u64,
    /// When the run was paused.
    pub pauses: Pauses,
    /// When the figures were last reset, µs since the run's epoch; 0 if they never were.
    pub since_us: u64,
    /// Virtual users.
    pub users: Users,
    /// Iterations.
    pub iterations: Iterations,
    /// Requests that were under way when their users were cut.
    pub in_flight: u64,
    /// Versions of the script, in their order.
    pub generations: Vec<Generation>,
    /// After a reload, oldest first: all earlier generations together if there are any, the one
    /// before the newest, and the newest. Empty in a run without one, whose rows are the newest's.
    /// Rows that stay as they are, long after a reload, are those of the previous summary.
    pub by_generation: Vec<Arc<GenerationRows>>,
    /// Requests by name and method, in that order.
    pub requests: Vec<Row>,
    /// The sum of `requests`.
    pub total: Row,
    /// Groups by name; never part of the total.
    pub groups: Vec<Row>,
    /// Failures by text, most frequent first.
    pub errors: Vec<ErrorRow>,
    /// Exceptions, most frequent first.
    pub exceptions: Vec<ExceptionRow>,
    /// Checks by name.
    pub checks: Vec<CheckRow>,
    /// The script's own counters, by name.
    pub counters: Vec<CounterRow>,
    /// The script's own metrics, by name.
    pub metrics: Vec<MetricRow>,
    /// Second by second.
    pub history: History,
    /// The times of every row, stretch by stretch.
    pub timeline: Timeline,
    /// In the order they were set.
    pub marks: Vec<Marked>,
    /// The load generator itself.
    pub generator: Generator,
    /// By number; empty in a run whose users are all in this process.
    pub workers: Arc<[WorkerRow]>,
    /// What to warn of.
    pub warnings: Warnings,
}

impl Summary {
    /// The paused time that rates leave out, in µs; since the figures were last reset.
    #[must_use]
    pub fn paused_us(&self) -> u64 {
        self.pauses.within(self.since_us, self.end_us)
    }
}
