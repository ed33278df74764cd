//! One run, told in every way there is: the figures are the same.
//!
//! Windows have coarser buckets than the whole run: their quantiles are up to 0.8 % above.

use serde_json::Value;

use super::{Ui, tool};
use crate::peer::{Peer, Shop};

const SCRIPT: &str = r#"
user("Shopper", #{
    wait_time: 0.01,
    hello: task(2, || { this.client.get("/hello"); }),
    slow: task(|| { this.client.get("/delay/3", #{ name: "slow, \"quoted\"" }); }),
    missing: task(|| { this.client.get("/status/404"); }),
    wrong: task(|| { this.priced(#{}); }),
    priced: |goods| goods.price + 1,
});
"#;

/// The rows of a CSV file, by their headings.
fn csv(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| row.iter().map(str::to_owned).collect())
        .collect()
}

fn ms(us: &Value) -> f64 {
    us.as_f64().unwrap() / 1e3
}

#[test]
fn page_document_and_files_say_the_same() {
    let shop = Shop::open();
    let files = tool(SCRIPT).args("-u 5 -r 100 -t 3s --autostart --json --csv out");
    let ui = Ui::start(files.args(&format!("-H {}", shop.url())));
    ui.reaches("stopped");
    let snapshot = ui.api("snapshot");
    let document = ui.api("runs/1")["document"].clone();
    let names = snapshot["names"].as_array().unwrap();
    let rows = snapshot["rows"].as_array().unwrap();
    let series: Vec<&Value> = document["requests"]
        .as_array()
        .unwrap()
        .iter()
        .chain([&document["total"]])
        .collect();
    assert_eq!((names.len(), rows.len()), (series.len(), series.len()));
    let downloaded = ui.get("/stats/requests/csv").status(200).text();
    let table = csv(&downloaded);
    for one in &series {
        let at = names
            .iter()
            .position(|name| name[3] == one["name"] && name[2] == one["method"]);
        let row = &rows[at.unwrap()];
        let line = table.iter().find(|line| one["name"] == line[1]).unwrap();
        for (column, field) in [(1, "requests"), (2, "failures")] {
            assert_eq!(row[column].as_u64(), one[field].as_u64(), "{one}");
            assert_eq!(line[column + 1], one[field].to_string());
        }
        let times = &one["response_time_ms"];
        for (column, field) in [
            (3, "p50"),
            (4, "p66"),
            (7, "p90"),
            (8, "p95"),
            (10, "p99"),
            (11, "p99_9"),
            (12, "p99_99"),
            (13, "max"),
            (14, "min"),
        ] {
            assert_eq!(
                ms(&row[column]),
                times[field].as_f64().unwrap(),
                "{field} of {one}"
            );
        }
        assert_eq!(line[4], times["p50"].to_string());
    }

    let whole = ui.api("window");
    for window in whole["rows"].as_array().unwrap() {
        let row = rows.iter().find(|row| row[0] == window[0]).unwrap();
        assert_eq!((&window[1], &window[2]), (&row[1], &row[2]), "counts");
        for column in 3..13 {
            let (coarse, exact) = (
                window[column].as_f64().unwrap(),
                row[column].as_f64().unwrap(),
            );
            assert!(
                coarse >= exact && coarse <= exact * 1.008 + 1.0,
                "{coarse} for {exact}"
            );
        }
        assert_eq!((&window[13], &window[14]), (&row[13], &row[14]), "extremes");
    }

    the_history_is_windows(&ui);
    exceptions_say_the_same(&ui, &document);
    traces_add_up(&ui);
    let failures = ui.get("/stats/failures/csv").status(200).text();
    let exceptions = ui.get("/exceptions/csv").status(200).text();
    let run = ui.ends();
    let printed: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(printed, document, "--json");
    assert_eq!(
        std::fs::read_to_string(run.path("out_stats.csv")).unwrap(),
        downloaded,
        "--csv"
    );
    assert_eq!(
        std::fs::read_to_string(run.path("out_failures.csv")).unwrap(),
        failures
    );
    assert_eq!(
        std::fs::read_to_string(run.path("out_exceptions.csv")).unwrap(),
        exceptions
    );
}

/// Each second's percentiles in the file of the full history are those of the ten seconds up to it.
fn the_history_is_windows(ui: &Ui) {
    let history = csv(&ui
        .get("/stats/requests_full_history/csv")
        .status(200)
        .text());
    assert!(history.len() >= 3, "{history:?}");
    for (line, end) in history.iter().zip(1_u64..) {
        let from = end.saturating_sub(10);
        let window = ui.api(&format!("window?from={from}&to={end}"));
        assert_eq!(
            (&window["from"], &window["to"]),
            (&from.into(), &end.into())
        );
        let total = &window["rows"][0];
        assert!(total[1].as_u64().unwrap() > 0, "{window}");
        // Ten percentiles and the maximum; `50%` is the file's seventh column.
        for column in 3..14 {
            let written: f64 = line[column + 3].parse().unwrap();
            assert_eq!(written, ms(&total[column]), "{column} up to second {end}");
        }
    }
}

/// When failures and exceptions happened: all of them, between the first and the last.
fn traces_add_up(ui: &Ui) {
    let number = |of: &Value| of.as_u64().unwrap();
    for what in ["errors", "exceptions"] {
        let rows = ui.api(what)["rows"].clone();
        assert!(!rows.as_array().unwrap().is_empty(), "{what}");
        for row in rows.as_array().unwrap() {
            let trace = &row["trace"];
            // Three seconds have room for one stretch each.
            assert_eq!(trace["step"], 1, "{row}");
            let counts: Vec<u64> = trace["counts"]
                .as_array()
                .unwrap()
                .iter()
                .map(number)
                .collect();
            assert_eq!(counts.iter().sum::<u64>(), number(&row["count"]), "{row}");
            let seconds = [&row["first_us"], &row["last_us"]].map(|us| number(us) / 1_000_000);
            assert_eq!(number(&trace["from"]), seconds[0], "{row}");
            assert_eq!(counts.len() as u64, seconds[1] - seconds[0] + 1, "{row}");
        }
    }
}

/// How often, when and through which functions the script threw.
fn exceptions_say_the_same(ui: &Ui, document: &Value) {
    let told = ui.api("exceptions")["rows"].clone();
    assert_eq!(told, ui.api("snapshot")["exceptions"]);
    let [one] = &told.as_array().unwrap()[..] else {
        panic!("{told}")
    };
    let place = one["location"].as_str().unwrap();
    let stack = [
        format!("priced ({place})"),
        "the task `wrong` (script.rhai:7:27)".to_owned(),
    ];
    assert_eq!(one["stack"], serde_json::json!(stack));
    assert!(place.starts_with("script.rhai:8:"), "{place}");
    let (first, last) = (&one["first_us"], &one["last_us"]);
    let (first_us, last_us) = (first.as_u64().unwrap(), last.as_u64().unwrap());
    assert!(first_us < last_us && last_us < 4_000_000, "{one}");

    let written = &document["exceptions"][0];
    for field in ["message", "location", "count", "stack"] {
        assert_eq!(written[field], one[field]);
    }
    for (field, us) in [("first_s", first), ("last_s", last)] {
        let seconds = us.as_f64().unwrap() / 1e6;
        assert!((written[field].as_f64().unwrap() - seconds).abs() < 1e-3);
    }
    let locusts = ui.get("/exceptions").status(200).json()["exceptions"][0].clone();
    assert_eq!(locusts["count"], one["count"]);
    let lines = [place, &stack[0], &stack[1]];
    assert_eq!(locusts["traceback"], lines.join("\n"));
    let table = csv(&ui.get("/exceptions/csv").status(200).text());
    assert_eq!(table[0][2], lines.join("; "));
}
