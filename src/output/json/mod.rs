//! The one JSON document of `--json`, version 1; docs/summary.schema.json describes it.
//!
//! Owns when and where it is printed; `document` owns its contents.

mod document;
mod workers;

use std::io::{self, Write};

use crate::stats::Summary;

use self::document::Document;
pub use self::workers::Worker;
use super::{Output, OutputError, RunInfo};

/// Prints one document, on one line, when the run has finished.
#[derive(Debug)]
pub struct Json<W> {
    to: W,
    run: Option<RunInfo>,
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

/// The document for a summary.
#[must_use]
pub fn document(run: &RunInfo, summary: &Summary) -> String {
    serde_json::to_string(&Document::of(run, summary)).expect("a document is plain data")
}

impl<W: Write> Output for Json<W> {
    fn start(&mut self, run: &RunInfo) -> Result<(), OutputError> {
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::output::fixture;

    fn printed(summary: &Summary) -> Value {
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
        let schema = include_str!("../../../docs/summary.schema.json");
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
            fixture::final_reloaded(4),
            fixture::troubled(),
            fixture::figures(),
            fixture::with_workers(),
            fixture::nothing(),
        ] {
            let document = printed(&summary);
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
        let good = printed(&fixture::final_reloaded(2));
        let changes: [fn(&mut Value); 7] = [
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
            |d| d["by_generation"][0]["total"] = Value::Null,
            |d| d["marks"][0]["mark"] = "reset".into(),
        ];
        assert!(validator.is_valid(&good));
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(!validator.is_valid(&bad), "{bad}");
        }
    }

    #[test]
    fn own_figures_have_lists_of_their_own() {
        let document = printed(&fixture::figures());
        insta::assert_snapshot!(document["counters"].to_string(), @r#"[{"name":"coupons","per_s":750.0,"total":1500}]"#);
        let metric = &document["metrics"][0];
        insta::assert_snapshot!(metric.to_string(), @r#"{"avg":74.875,"count":1000,"max":199.75,"min":-50.0,"name":"balance","p50":74.81249999999999,"p95":187.37499999999997,"p99":197.37499999999997}"#);
        assert_eq!(document["total"]["requests"], 0);
    }

    #[test]
    fn a_pause_is_said_where_there_was_one() {
        let mut shop = fixture::shop();
        shop.pause(12_000_000);
        shop.resume(14_500_000);
        let document = printed(&shop.summary(20_000_000));
        assert!(validator().is_valid(&document));
        assert_eq!(document["paused_s"], 2.5);
        assert_eq!(document["duration_s"], 17.5);
        insta::assert_snapshot!(document["marks"].to_string(), @r#"[{"at_s":12.0,"mark":"pause"},{"at_s":14.5,"mark":"resume"}]"#);
        assert_eq!(printed(&fixture::final_shop()).get("paused_s"), None);
    }

    #[test]
    fn after_a_reload_rows_are_kept_by_generation() {
        let document = printed(&fixture::final_reloaded(4));
        insta::assert_snapshot!(document["generations"].to_string(), @r#"[{"at_s":0.0,"end_s":5.0,"hash":"1f2a9c1b77d0","n":1},{"at_s":5.0,"end_s":10.0,"hash":"2f2a9c1b77d0","n":2},{"at_s":10.0,"end_s":15.0,"hash":"3f2a9c1b77d0","n":3},{"at_s":15.0,"end_s":20.0,"hash":"4f2a9c1b77d0","n":4}]"#);
        insta::assert_snapshot!(document["marks"].to_string(), @r#"[{"at_s":5.0,"generation":2,"mark":"reload"},{"at_s":10.0,"generation":3,"mark":"reload"},{"at_s":15.0,"generation":4,"mark":"reload"}]"#);
        let parts = document["by_generation"].as_array().expect("an array");
        for rows in ["requests", "groups"] {
            assert!(parts[1][rows][0]["response_time_ms"]["p99_99"].is_number());
        }
        let spans: Vec<String> = parts
            .iter()
            .map(|part| {
                let total = &part["total"];
                format!(
                    "{}-{}: {} s to {} s, {} requests, {} a second",
                    part["first"],
                    part["last"],
                    part["at_s"],
                    part["end_s"],
                    total["requests"],
                    total["rps"]
                )
            })
            .collect();
        insta::assert_snapshot!(spans.join("\n"), @r"
        1-2: 0.0 s to 10.0 s, 222 requests, 22.2 a second
        3-3: 10.0 s to 15.0 s, 120 requests, 24.0 a second
        4-4: 15.0 s to 20.0 s, 120 requests, 24.0 a second
        ");
    }

    #[test]
    fn numbers_are_milliseconds_with_microseconds() {
        let document = printed(&fixture::final_shop());
        insta::assert_snapshot!(serde_json::to_string_pretty(&document["total"]).expect("JSON"), @r#"
        {
          "bytes": 528000,
          "certain_to": 1.0,
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
          },
          "unfinished": {
            "at_most_ms": {
              "max": 262.745,
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
            "count": 0,
            "max_ms": 0.0,
            "min_ms": 0.0
          }
        }
        "#);
        let mut rest = document.clone();
        for rows in ["requests", "groups", "total"] {
            rest[rows] = Value::Null;
        }
        insta::assert_snapshot!(rest.to_string(), @r#"{"by_generation":[],"checks":[],"counters":[],"duration_s":10.0,"errors":[{"count":50,"error":"409 Conflict: \"sold out\", 0 left","method":"POST","name":"/coupons/1/issue"}],"exceptions":[{"count":1,"first_s":2.5,"last_s":2.5,"location":"scripts/hello.rhai:12:5","message":"index out of bounds","stack":["nth (scripts/hello.rhai:12:5)","the task `hello` (scripts/hello.rhai:3:9)"]}],"generations":[{"at_s":0.0,"end_s":10.0,"hash":"0f1e2d","n":1}],"generator":{"cpu_s":1.234567,"loop_lag_ms":{"max":0.068,"p50":0.064,"p99":0.068},"max_rss_bytes":12345678},"groups":null,"host":"http://127.0.0.1:8080","in_flight_at_stop":3,"iterations":{"dropped":0,"finished":1000,"interrupted":0,"missed":2,"started":1000},"marks":[],"metrics":[],"requests":null,"schema":1,"script":"scripts/hello.rhai","seed":42,"started_at":"2026-01-02T03:04:05.000Z","total":null,"users":{"asked":10,"peak":10},"version":"0.1.0"}"#);
    }

    #[test]
    fn the_total_is_the_sum_of_the_requests() {
        let document = printed(&fixture::final_shop());
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
