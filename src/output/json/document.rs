//! What the JSON document consists of, and where each of its numbers comes from.
//!
//! These structs are private to this file. Times are ms with µs precision, nothing is ever null,
//! and a distribution without times is all zeros.

use serde::Serialize;

use crate::stats::{self, Row, Summary};

use super::super::numbers::{mean_ms, ms, rate, seconds};
use super::super::{RunInfo, at};
use super::workers::Worker;

/// The whole document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: u32,
    version: &'a str,
    script: &'a str,
    host: &'a str,
    seed: u64,
    started_at: String,
    duration_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_s: Option<f64>,
    users: Users,
    iterations: Iterations,
    in_flight_at_stop: u64,
    generations: Vec<Generation<'a>>,
    by_generation: Vec<GenerationRows<'a>>,
    requests: Vec<Series<'a>>,
    total: Series<'a>,
    groups: Vec<Series<'a>>,
    errors: Vec<Failure<'a>>,
    exceptions: Vec<Exception<'a>>,
    checks: Vec<Check<'a>>,
    counters: Vec<Counter<'a>>,
    metrics: Vec<Metric<'a>>,
    marks: Vec<Mark>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    workers: Vec<Worker>,
    generator: Generator,
}

#[derive(Serialize)]
struct Users {
    asked: u64,
    peak: u64,
}

#[derive(Serialize)]
struct Iterations {
    started: u64,
    finished: u64,
    interrupted: u64,
    missed: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct Generation<'a> {
    n: u16,
    hash: &'a str,
    at_s: f64,
    end_s: f64,
}

#[derive(Serialize)]
struct GenerationRows<'a> {
    first: u16,
    last: u16,
    at_s: f64,
    end_s: f64,
    requests: Vec<Series<'a>>,
    total: Series<'a>,
    groups: Vec<Series<'a>>,
}

#[derive(Serialize)]
struct Series<'a> {
    kind: &'a str,
    method: &'a str,
    name: &'a str,
    requests: u64,
    failures: u64,
    rps: f64,
    bytes: u64,
    service_time_ms: Distribution,
    response_time_ms: Distribution,
    unfinished: Unfinished,
    certain_to: f64,
}

#[derive(Serialize)]
struct Unfinished {
    count: u64,
    min_ms: f64,
    max_ms: f64,
    at_most_ms: AtMost,
}

/// Upper bounds of the response time's percentiles; `None` where there is none.
#[derive(Serialize)]
struct AtMost {
    #[serde(flatten)]
    percentiles: Percentiles<Option<f64>>,
    max: Option<f64>,
}

impl AtMost {
    fn of(unfinished: &stats::Unfinished) -> AtMost {
        let (percentiles, max) = Percentiles::of(unfinished.at_most_us.map(|us| us.map(ms)));
        AtMost { percentiles, max }
    }
}

/// The quantiles of [`stats::Distribution`] by name, but the last, which is the maximum.
#[derive(Serialize)]
struct Percentiles<T> {
    p50: T,
    p66: T,
    p75: T,
    p80: T,
    p90: T,
    p95: T,
    p98: T,
    p99: T,
    p99_9: T,
    p99_99: T,
}

impl<T> Percentiles<T> {
    /// Them and the maximum.
    fn of(quantiles: [T; 11]) -> (Percentiles<T>, T) {
        let [p50, p66, p75, p80, p90, p95, p98, p99, p99_9, p99_99, max] = quantiles;
        let percentiles = Percentiles {
            p50,
            p66,
            p75,
            p80,
            p90,
            p95,
            p98,
            p99,
            p99_9,
            p99_99,
        };
        (percentiles, max)
    }
}

#[derive(Serialize)]
struct Distribution {
    min: f64,
    avg: f64,
    max: f64,
    #[serde(flatten)]
    percentiles: Percentiles<f64>,
}

#[derive(Serialize)]
struct Failure<'a> {
    method: &'a str,
    name: &'a str,
    error: &'a str,
    count: u64,
}

#[derive(Serialize)]
struct Exception<'a> {
    message: &'a str,
    location: &'a str,
    count: u64,
    first_s: f64,
    last_s: f64,
    stack: Vec<&'a str>,
}

#[derive(Serialize)]
struct Check<'a> {
    name: &'a str,
    passes: u64,
    fails: u64,
}

#[derive(Serialize)]
struct Counter<'a> {
    name: &'a str,
    total: u64,
    per_s: f64,
}

#[derive(Serialize)]
struct Metric<'a> {
    name: &'a str,
    count: u64,
    min: f64,
    avg: f64,
    max: f64,
    p50: f64,
    p95: f64,
    p99: f64,
}

#[derive(Serialize)]
struct Mark {
    at_s: f64,
    #[serde(flatten)]
    what: MarkKind,
}

#[derive(Serialize)]
#[serde(tag = "mark", rename_all = "lowercase")]
enum MarkKind {
    Reload {
        generation: u16,
    },
    Users {
        asked: u64,
    },
    #[serde(rename = "run_time")]
    RunTime {
        ends_s: Option<f64>,
    },
    Note {
        text: String,
    },
    Pause,
    Resume,
    Reset,
    Tainted {
        lag_ms: f64,
    },
}

#[derive(Serialize)]
struct Generator {
    cpu_s: f64,
    max_rss_bytes: u64,
    loop_lag_ms: Lag,
}

#[derive(Serialize)]
struct Lag {
    p50: f64,
    p99: f64,
    max: f64,
}

impl<'a> Document<'a> {
    /// The document for a run.
    pub(super) fn of(run: &'a RunInfo, summary: &'a Summary) -> Document<'a> {
        let stats::Iterations {
            started,
            finished,
            interrupted,
            missed,
            dropped,
        } = summary.iterations;
        let errors = summary.errors.iter().map(|row| Failure {
            method: &row.method,
            name: &row.name,
            error: &row.error,
            count: row.count,
        });
        let exceptions = summary.exceptions.iter().map(|row| Exception {
            message: &row.message,
            location: &row.location,
            count: row.count,
            first_s: seconds(row.first_us),
            last_s: seconds(row.last_us),
            stack: row.frames().collect(),
        });
        let checks = summary.checks.iter().map(|row| Check {
            name: &row.name,
            passes: row.passes,
            fails: row.fails,
        });
        let counters = summary.counters.iter().map(|row| Counter {
            name: &row.name,
            total: row.total,
            per_s: rate(row.per_s),
        });
        let metrics = summary.metrics.iter().map(|row| Metric {
            name: &row.name,
            count: row.count,
            min: row.min,
            avg: row.mean,
            max: row.max,
            p50: row.p50,
            p95: row.p95,
            p99: row.p99,
        });
        let lag = &summary.generator.lag;
        Document {
            schema: 1,
            version: &run.version,
            script: &run.script,
            host: &run.host,
            seed: run.seed,
            started_at: format!("{:.3}", at(summary, 0)),
            duration_s: seconds(summary.elapsed_us),
            paused_s: Some(summary.paused_us()).filter(|us| *us > 0).map(seconds),
            users: Users {
                asked: summary.users.asked,
                peak: summary.users.peak,
            },
            iterations: Iterations {
                started,
                finished,
                interrupted,
                missed,
                dropped,
            },
            in_flight_at_stop: summary.in_flight,
            generations: Generation::all(summary),
            by_generation: summary
                .by_generation
                .iter()
                .map(|rows| GenerationRows::of(rows))
                .collect(),
            requests: Series::all(&summary.requests),
            total: Series::of(&summary.total),
            groups: Series::all(&summary.groups),
            errors: errors.collect(),
            exceptions: exceptions.collect(),
            checks: checks.collect(),
            counters: counters.collect(),
            metrics: metrics.collect(),
            marks: summary.marks.iter().map(Mark::of).collect(),
            workers: Worker::all(summary),
            generator: Generator {
                cpu_s: seconds(summary.generator.cpu_us),
                max_rss_bytes: summary.generator.max_rss_bytes,
                loop_lag_ms: Lag {
                    p50: ms(lag.p50_us()),
                    p99: ms(lag.p99_us()),
                    max: ms(lag.max_us),
                },
            },
        }
    }
}

impl<'a> Generation<'a> {
    fn all(summary: &'a Summary) -> Vec<Generation<'a>> {
        let starts = summary.generations.iter().map(|next| next.at_us);
        let ends = starts.skip(1).chain([summary.end_us]);
        let all = summary.generations.iter().zip(ends);
        all.map(|(generation, end_us)| Generation {
            n: generation.n,
            hash: &generation.hash,
            at_s: seconds(generation.at_us),
            end_s: seconds(end_us),
        })
        .collect()
    }
}

impl<'a> GenerationRows<'a> {
    fn of(rows: &'a stats::GenerationRows) -> GenerationRows<'a> {
        GenerationRows {
            first: rows.first.n,
            last: rows.last.n,
            at_s: seconds(rows.first.at_us),
            end_s: seconds(rows.end_us),
            requests: Series::all(&rows.requests),
            total: Series::of(&rows.total),
            groups: Series::all(&rows.groups),
        }
    }
}

impl Mark {
    fn of(marked: &stats::Marked) -> Mark {
        Mark {
            at_s: seconds(marked.at_us),
            what: match marked.mark {
                stats::Mark::Reload { generation } => MarkKind::Reload { generation },
                stats::Mark::Users { asked } => MarkKind::Users { asked },
                stats::Mark::RunTime { ends_us } => MarkKind::RunTime {
                    ends_s: ends_us.map(seconds),
                },
                stats::Mark::Note { ref text } => MarkKind::Note {
                    text: text.to_string(),
                },
                stats::Mark::Pause => MarkKind::Pause,
                stats::Mark::Resume => MarkKind::Resume,
                stats::Mark::Reset => MarkKind::Reset,
                stats::Mark::Tainted { lag_us } => MarkKind::Tainted { lag_ms: ms(lag_us) },
            },
        }
    }
}

impl<'a> Series<'a> {
    fn all(rows: &'a [Row]) -> Vec<Series<'a>> {
        rows.iter().map(Series::of).collect()
    }

    fn of(row: &'a Row) -> Series<'a> {
        Series {
            kind: row.key.kind.as_str(),
            method: &row.key.method,
            name: &row.key.name,
            requests: row.requests,
            failures: row.failures,
            rps: rate(row.rps),
            bytes: row.received,
            service_time_ms: Distribution::of(&row.service),
            response_time_ms: Distribution::of(&row.response),
            unfinished: Unfinished {
                count: row.unfinished.count,
                min_ms: ms(row.unfinished.min_us),
                max_ms: ms(row.unfinished.max_us),
                at_most_ms: AtMost::of(&row.unfinished),
            },
            certain_to: row.certain_to,
        }
    }
}

impl Distribution {
    fn of(times: &stats::Distribution) -> Distribution {
        let (percentiles, _) = Percentiles::of(times.quantiles_us.map(ms));
        Distribution {
            min: ms(times.min_us),
            avg: mean_ms(times.mean_us),
            max: ms(times.max_us),
            percentiles,
        }
    }
}
