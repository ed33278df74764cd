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
    checks: Vec<Check<'a>>,
    counters: Vec<Counter<'a>>,
    metrics: Vec<Metric<'a>>,
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
            checks: checks.collect(),
            counters: counters.collect(),
            metrics: metrics.collect(),
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::output::fixture;

    fn document(summary: &Summary) -> Value {
        let mut text = Vec::new();
        let mut json = Json::new(&mut text);
        json.start(&fixture::run()).expect("memory");
        json.tick(summary).expect("memory");
        json.finish(summary).expect("memory");
        assert_eq!(
            text.iter().filter(|byte| **byte == b'\n').count(),
            1,
            "one line"
        );
        serde_json::from_slice(&text).expect("JSON")
    }

    fn validator() -> jsonschema::Validator {
        let schema = include_str!("../../docs/summary.schema.json");
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        jsonschema::meta::validate(&schema).expect("a valid schema");
        jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .expect("a schema")
    }

    #[test]
    fn documents_are_as_the_schema_says() {
        let validator = validator();
        for summary in [
            fixture::final_shop(),
            fixture::troubled(),
            fixture::figures(),
            fixture::nothing(),
        ] {
            let document = document(&summary);
            let errors: Vec<String> = validator
                .iter_errors(&document)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:#?}");
        }
    }

    #[test]
    fn the_schema_refuses_what_is_missing_null_or_unknown() {
        let validator = validator();
        let good = document(&fixture::final_shop());
        let changes: [fn(&mut Value); 5] = [
            |d| d["schema"] = 2.into(),
            |d| d["total"]["service_time_ms"]["p99"] = Value::Null,
            |d| d["requests"][0]["more"] = 1.into(),
            |d| {
                drop(
                    d["generator"]
                        .as_object_mut()
                        .expect("an object")
                        .remove("cpu_s"),
                )
            },
            |d| d["started_at"] = "yesterday".into(),
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(!validator.is_valid(&bad), "{bad}");
        }
    }

    #[test]
    fn own_figures_have_lists_of_their_own() {
        let document = document(&fixture::figures());
        insta::assert_snapshot!(document["counters"].to_string(), @r#"[{"name":"coupons","per_s":750.0,"total":1500}]"#);
        let metric = &document["metrics"][0];
        insta::assert_snapshot!(metric.to_string(), @r#"{"avg":74.875,"count":1000,"max":199.75,"min":-50.0,"name":"balance","p50":74.81249999999999,"p95":187.37499999999997,"p99":197.37499999999997}"#);
        assert_eq!(document["total"]["requests"], 0);
    }

    #[test]
    fn numbers_are_milliseconds_with_microseconds() {
        let document = document(&fixture::final_shop());
        insta::assert_snapshot!(serde_json::to_string_pretty(&document["total"]).expect("JSON"), @r#"
        {
          "bytes": 528000,
          "failures": 50,
          "kind": "total",
          "method": "",
          "name": "Aggregated",
          "requests": 1250,
          "response_time_ms": {
            "avg": 3.263,
            "max": 262.745,
            "min": 0.15,
            "p50": 0.212,
            "p66": 0.232,
            "p75": 0.243,
            "p80": 12.351,
            "p90": 12.855,
            "p95": 13.111,
            "p98": 13.255,
            "p99": 13.311,
            "p99_9": 262.745,
            "p99_99": 262.745
          },
          "rps": 125.0,
          "service_time_ms": {
            "avg": 2.728,
            "max": 13.341,
            "min": 0.15,
            "p50": 0.212,
            "p66": 0.232,
            "p75": 0.243,
            "p80": 0.249,
            "p90": 12.847,
            "p95": 13.095,
            "p98": 13.247,
            "p99": 13.295,
            "p99_9": 13.341,
            "p99_99": 13.341
          }
        }
        "#);
        let mut rest = document.clone();
        for rows in ["requests", "groups", "total"] {
            rest[rows] = Value::Null;
        }
        insta::assert_snapshot!(rest.to_string(), @r#"{"checks":[],"counters":[],"duration_s":10.0,"errors":[{"count":50,"error":"409 Conflict: \"sold out\", 0 left","method":"POST","name":"/coupons/1/issue"}],"exceptions":[{"count":1,"location":"scripts/hello.rhai:12:5","message":"index out of bounds"}],"generations":[{"at_s":0.0,"hash":"0f1e2d","n":1}],"generator":{"cpu_s":1.234567,"loop_lag_ms":{"max":0.068,"p50":0.064,"p99":0.068},"max_rss_bytes":12345678},"groups":null,"host":"http://127.0.0.1:8080","in_flight_at_stop":3,"iterations":{"dropped":0,"finished":1000,"interrupted":0,"missed":2,"started":1000},"metrics":[],"requests":null,"schema":1,"script":"scripts/hello.rhai","seed":42,"started_at":"2026-01-02T03:04:05.000Z","total":null,"users":{"asked":10,"peak":10},"version":"0.1.0"}"#);
    }

    #[test]
    fn the_total_is_the_sum_of_the_requests() {
        let document = document(&fixture::final_shop());
        let rows = document["requests"].as_array().expect("an array");
        for figure in ["requests", "failures", "bytes"] {
            let sum: u64 = rows
                .iter()
                .map(|row| row[figure].as_u64().expect("a count"))
                .sum();
            assert_eq!(document["total"][figure], sum, "{figure}");
        }
        assert_eq!(document["groups"][0]["name"], "checkout");
    }
}
