//! The one JSON document of `--json`, version 1; docs/summary.schema.json describes it.
//!
//! Its structs live here alone. Times are ms with µs precision, nothing is ever null, and a
//! distribution without times is all zeros.

use std::io::{self, Write};

use serde::Serialize;

use crate::stats::{self, Row, Summary};

use super::numbers::{mean_ms, ms, rate, seconds};
use super::{Output, OutputError, Run};

/// Prints one document, on one line, when the run has finished.
#[derive(Debug)]
pub struct Json<W> {
    to: W,
    run: Option<Run>,
}

impl<W: Write> Json<W> {
    /// Prints to `to`.
    pub fn new(to: W) -> Json<W> {
        Json { to, run: None }
    }

    fn print(&mut self, document: &Document<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, document)?;
        self.to.write_all(b"\n")?;
        self.to.flush()
    }
}

impl<W: Write> Output for Json<W> {
    fn start(&mut self, run: &Run) -> Result<(), OutputError> {
        self.run = Some(run.clone());
        Ok(())
    }

    fn tick(&mut self, _summary: &Summary) -> Result<(), OutputError> {
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        self.print(&Document::of(&run, summary))
            .map_err(|error| OutputError::Stream("stdout", error))
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    version: &'a str,
    script: &'a str,
    host: &'a str,
    seed: u64,
    started_at: String,
    duration_s: f64,
    users: Users,
    iterations: Iterations,
    in_flight_at_stop: u64,
    generations: Vec<Generation<'a>>,
    requests: Vec<Series<'a>>,
    total: Series<'a>,
    groups: Vec<Series<'a>>,
    errors: Vec<Failure<'a>>,
    exceptions: Vec<Exception<'a>>,
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
}

#[derive(Serialize)]
struct Distribution {
    min: f64,
    avg: f64,
    max: f64,
    p50: f64,
    p66: f64,
    p75: f64,
    p80: f64,
    p90: f64,
    p95: f64,
    p98: f64,
    p99: f64,
    p99_9: f64,
    p99_99: f64,
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
    fn of(run: &'a Run, summary: &'a Summary) -> Document<'a> {
        let stats::Iterations {
            started,
            finished,
            interrupted,
            missed,
            dropped,
        } = summary.iterations;
        let generations = summary.generations.iter().map(|generation| Generation {
            n: generation.n,
            hash: &generation.hash,
            at_s: seconds(generation.at_us),
        });
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
        });
        let lag = &summary.generator.lag;
        Document {
            schema: 1,
            version: &run.version,
            script: &run.script,
            host: &run.host,
            seed: run.seed,
            started_at: format!("{:.3}", run.started_at),
            duration_s: seconds(summary.elapsed_us),
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
            generations: generations.collect(),
            requests: summary.requests.iter().map(Series::of).collect(),
            total: Series::of(&summary.total),
            groups: summary.groups.iter().map(Series::of).collect(),
            errors: errors.collect(),
            exceptions: exceptions.collect(),
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

impl<'a> Series<'a> {
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
        }
    }
}

impl Distribution {
    fn of(times: &stats::Distribution) -> Distribution {
        let [p50, p66, p75, p80, p90, p95, p98, p99, p99_9, p99_99, max] =
            times.quantiles_us.map(ms);
        Distribution {
            min: ms(times.min_us),
            avg: mean_ms(times.mean_us),
            max,
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
        }
    }
}
