//! The figures of a run as the API has them: rows, seconds, marks, errors.
//!
//! Owns their form on the wire; everything comes from one [`Summary`], so that no two views can
//! disagree. Rows are arrays, so that 500 of them are small.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Serialize, Serializer};

use crate::screen::show::clean;
use crate::stats::{self, History, Mark, Row, Stretch, Summary, Trace, WindowedRow};

/// `[id, kind, method, name]`.
pub(super) type Name = (u32, String, String, String);

/// `[from, len, histogram]`.
pub(super) type Slot = (u64, u64, String);

/// A number of a row: whole ones are written without a point, which makes most rows a third shorter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Column(pub(super) f64);

impl Serialize for Column {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, and between 0 and 2^53"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_whole = self.0.fract() == 0.0 && (0.0..9e15).contains(&self.0);
        if is_whole {
            serializer.serialize_u64(self.0 as u64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

fn columns(numbers: Vec<f64>) -> Vec<Column> {
    numbers.into_iter().map(Column).collect()
}

/// The columns of a row: id, requests, failures, ten percentiles, maximum, minimum, mean, bytes sent
/// and received, four rates, four service times, unfinished, certain to which quantile. Times in µs.
pub(super) fn row(row: &Row) -> Vec<Column> {
    let response = &row.response;
    let mut columns = counts(row.id, row.requests, row.failures);
    columns.extend(times(response));
    columns.extend([wide(row.sent), wide(row.received)]);
    columns.extend([
        rounded(row.rps),
        rounded(row.failures_per_s),
        rounded(row.current_rps),
        rounded(row.current_failures_per_s),
    ]);
    columns.extend(service(&row.service));
    columns.extend([wide(row.unfinished.count), row.certain_to]);
    self::columns(columns)
}

/// A row over a window of `seconds`.
pub(super) fn windowed_row(row: &WindowedRow, seconds: f64) -> Vec<Column> {
    let per_s = |count: u64| match seconds {
        0.0 => 0.0,
        seconds => rounded(wide(count) / seconds),
    };
    let mut columns = counts(row.id, row.requests, row.failures);
    columns.extend(times(&row.response));
    columns.extend([wide(row.sent), wide(row.received)]);
    columns.extend([per_s(row.requests), per_s(row.failures), 0.0, 0.0]);
    columns.extend(service(&row.service));
    columns.extend([wide(row.unfinished), row.certain_to]);
    self::columns(columns)
}

fn counts(id: u32, requests: u64, failures: u64) -> Vec<f64> {
    let mut columns = Vec::with_capacity(28);
    columns.extend([f64::from(id), wide(requests), wide(failures)]);
    columns
}

fn times(response: &stats::Distribution) -> impl Iterator<Item = f64> {
    let quantiles = response.quantiles_us[..10].to_vec();
    let ends = [response.max_us, response.min_us];
    let all = quantiles.into_iter().chain(ends).map(wide);
    all.chain([rounded(response.mean_us)])
}

fn service(service: &stats::Distribution) -> [f64; 4] {
    let percentiles = [service.p50_us(), service.p95_us(), service.p99_us()];
    let [p50, p95, p99] = percentiles.map(wide);
    [p50, p95, p99, rounded(service.mean_us)]
}

/// JSON has no other numbers; exact below 2^53.
#[allow(clippy::cast_precision_loss, reason = "counts and µs stay below 2^53")]
fn wide(n: u64) -> f64 {
    n as f64
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The name of a row.
pub(super) fn name(row: &Row) -> Name {
    let key = &row.key;
    (
        row.id,
        key.kind.as_str().to_owned(),
        clean(&key.method).into_owned(),
        clean(&key.name).into_owned(),
    )
}

/// All rows of a summary: the total, requests, groups.
pub(super) fn all_rows(summary: &Summary) -> impl Iterator<Item = &Row> {
    let named = summary.requests.iter().chain(&summary.groups);
    std::iter::once(&summary.total).chain(named)
}

/// A stretch of the timeline.
pub(super) fn slot(stretch: &Stretch<'_>) -> Slot {
    (
        stretch.from,
        stretch.len,
        BASE64_STANDARD.encode(&stretch.bytes),
    )
}

/// Seconds of the run, a column for each figure.
#[derive(Default, Serialize)]
pub(super) struct Seconds {
    from: u64,
    step: u64,
    requests: Vec<u64>,
    failures: Vec<u64>,
    missed: Vec<u64>,
    sent: Vec<u64>,
    received: Vec<u64>,
    users: Vec<u64>,
    asked: Vec<u64>,
    behind: Vec<u64>,
    in_flight: Vec<u64>,
    cpu_us: Vec<u64>,
    lag_us: Vec<u64>,
    tainted: Vec<u8>,
    /// For most of them.
    paused: Vec<u8>,
}

impl Seconds {
    /// Those from `from` to before `to`.
    pub(super) fn of(history: &History, from: u64, to: u64) -> Seconds {
        let mut all = Seconds {
            from,
            step: 1,
            ..Seconds::default()
        };
        for second in (from..to).map_while(|at| history.get(at)) {
            all.requests.push(second.requests);
            all.failures.push(second.failures);
            all.missed.push(second.missed);
            all.sent.push(second.sent);
            all.received.push(second.received);
            all.users.push(second.users);
            all.asked.push(second.asked);
            all.behind.push(second.behind);
            all.in_flight.push(second.in_flight);
            all.cpu_us.push(second.cpu_us);
            all.lag_us.push(second.lag_us);
            all.tainted.push(u8::from(second.is_tainted));
            all.paused.push(u8::from(2 * second.paused_us > 1_000_000));
        }
        all
    }
}

#[derive(Serialize)]
pub(super) struct MarkForm {
    at_us: u64,
    kind: &'static str,
    value: Option<u64>,
    text: String,
}

/// What happened to the run, in order.
pub(super) fn marks(summary: &Summary) -> Vec<MarkForm> {
    let form = |marked: &stats::Marked| {
        let (kind, value, text) = match &marked.mark {
            Mark::Reload { generation } => ("reload", Some(u64::from(*generation)), String::new()),
            Mark::Users { asked } => ("users", Some(*asked), String::new()),
            Mark::RunTime { ends_us } => ("run_time", *ends_us, String::new()),
            Mark::Note { text } => ("note", None, clean(text).into_owned()),
            Mark::Pause => ("pause", None, String::new()),
            Mark::Resume => ("resume", None, String::new()),
            Mark::Reset => ("reset", None, String::new()),
            Mark::Tainted { lag_us } => ("tainted", Some(*lag_us), String::new()),
        };
        MarkForm {
            at_us: marked.at_us,
            kind,
            value,
            text,
        }
    };
    summary.marks.iter().map(form).collect()
}

/// When something happened, by stretches of the run.
#[derive(Serialize)]
struct TraceForm {
    from: u64,
    step: u64,
    counts: Vec<u64>,
}

impl TraceForm {
    fn of(trace: &Trace) -> TraceForm {
        TraceForm {
            from: trace.from(),
            step: trace.step(),
            counts: trace.counts().to_vec(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ErrorForm {
    method: String,
    name: String,
    error: String,
    count: u64,
    first_us: u64,
    last_us: u64,
    trace: TraceForm,
}

/// Failures by text, most frequent first.
pub(super) fn errors(summary: &Summary) -> Vec<ErrorForm> {
    let form = |row: &stats::ErrorRow| ErrorForm {
        method: clean(&row.method).into_owned(),
        name: clean(&row.name).into_owned(),
        error: clean(&row.error).into_owned(),
        count: row.count,
        first_us: row.first_us,
        last_us: row.last_us,
        trace: TraceForm::of(&row.trace),
    };
    summary.errors.iter().map(form).collect()
}

#[derive(Serialize)]
pub(super) struct ExceptionForm {
    message: String,
    location: String,
    count: u64,
    first_us: u64,
    last_us: u64,
    stack: Vec<String>,
    trace: TraceForm,
}

/// Exceptions of the script, most frequent first.
pub(super) fn exceptions(summary: &Summary) -> Vec<ExceptionForm> {
    let form = |row: &stats::ExceptionRow| ExceptionForm {
        message: clean(&row.message).into_owned(),
        location: clean(&row.location).into_owned(),
        count: row.count,
        first_us: row.first_us,
        last_us: row.last_us,
        stack: row.frames().map(|line| clean(line).into_owned()).collect(),
        trace: TraceForm::of(&row.trace),
    };
    summary.exceptions.iter().map(form).collect()
}

#[derive(Serialize)]
pub(super) struct CheckForm {
    name: String,
    passes: u64,
    fails: u64,
}

/// The script's checks.
pub(super) fn checks(summary: &Summary) -> Vec<CheckForm> {
    let form = |row: &stats::CheckRow| CheckForm {
        name: clean(&row.name).into_owned(),
        passes: row.passes,
        fails: row.fails,
    };
    summary.checks.iter().map(form).collect()
}

#[derive(Serialize)]
pub(super) struct CounterForm {
    name: String,
    total: u64,
    per_s: f64,
}

/// The script's counters.
pub(super) fn counters(summary: &Summary) -> Vec<CounterForm> {
    let form = |row: &stats::CounterRow| CounterForm {
        name: clean(&row.name).into_owned(),
        total: row.total,
        per_s: rounded(row.per_s),
    };
    summary.counters.iter().map(form).collect()
}

#[derive(Serialize)]
pub(super) struct MetricForm {
    name: String,
    count: u64,
    min: f64,
    avg: f64,
    max: f64,
    p50: f64,
    p95: f64,
    p99: f64,
}

/// The script's metrics, in the script's units.
pub(super) fn metrics(summary: &Summary) -> Vec<MetricForm> {
    let form = |row: &stats::MetricRow| MetricForm {
        name: clean(&row.name).into_owned(),
        count: row.count,
        min: row.min,
        avg: row.mean,
        max: row.max,
        p50: row.p50,
        p95: row.p95,
        p99: row.p99,
    };
    summary.metrics.iter().map(form).collect()
}
