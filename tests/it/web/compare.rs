//! Windows of runs, generations and whole runs, side by side.
//!
//! What they should add up to is taken from the document of the same run, and from its seconds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Ui, tool};
use crate::peer::{Peer, Shop};

const SCRIPT: &str = r#"
user("Shopper", #{
    wait_time: 0.01,
    hello: task(2, || { this.client.get("/hello"); }),
    missing: task(|| { this.client.get("/status/404"); }),
});
"#;

/// Requests and failures.
type Counts = (u64, u64);

fn counts_of(row: &Value) -> Counts {
    (row[1].as_u64().unwrap(), row[2].as_u64().unwrap())
}

/// What each name of a side has; the total has an empty one.
fn by_name(side: &Value, names: &Value) -> BTreeMap<String, Counts> {
    let names = names.as_array().unwrap();
    let rows = side["rows"].as_array().unwrap();
    let named = rows.iter().map(|row| {
        let name = names.iter().find(|name| name[0] == row[0]).unwrap();
        (name[3].as_str().unwrap().to_owned(), counts_of(row))
    });
    let all: BTreeMap<_, _> = named.collect();
    assert_eq!(all.len(), rows.len(), "a name is there once");
    all
}

/// The same of a document, or of a part of it.
fn documented(document: &Value) -> BTreeMap<String, Counts> {
    let rows = document["requests"].as_array().unwrap().iter();
    rows.chain([&document["total"]])
        .map(|row| {
            let counts = ["requests", "failures"].map(|field| row[field].as_u64().unwrap());
            (row["name"].as_str().unwrap().to_owned(), counts.into())
        })
        .collect()
}

fn added<'a>(
    parts: impl IntoIterator<Item = &'a BTreeMap<String, Counts>>,
) -> BTreeMap<String, Counts> {
    let mut sum: BTreeMap<String, Counts> = BTreeMap::new();
    for (name, counts) in parts.into_iter().flatten() {
        let all = sum.entry(name.clone()).or_default();
        *all = (all.0 + counts.0, all.1 + counts.1);
    }
    sum
}

impl Ui {
    fn compare(&self, a: &str, b: &str) -> Value {
        self.api(&format!("compare?a={a}&b={b}"))
    }
}

#[test]
fn windows_add_up_to_the_document() {
    let shop = Shop::open();
    let ui = Ui::of(
        SCRIPT,
        &format!("-H {} -u 5 -r 3 -t 4s --autostart", shop.url()),
    );
    ui.reaches("stopped");
    let document = ui.api("runs/1")["document"].clone();
    let snapshot = ui.api("snapshot");
    let seconds = snapshot["t"].as_u64().unwrap();
    assert!(seconds >= 4, "{seconds}");
    let mut parts = Vec::new();
    for second in 0..seconds {
        let (from, to) = (second, second + 1);
        let both = ui.compare(&format!("1@{from}-{to}"), "1");
        let side = &both["a"];
        assert_eq!(side["label"], format!("{from} to {to} s"));
        assert_eq!(side["seconds"], 1.0);
        let counts = by_name(side, &both["names"]);
        let index = usize::try_from(second).unwrap();
        let of_second = ["requests", "failures"].map(|figure| {
            let all = &snapshot["seconds"][figure];
            all[index].as_u64().unwrap()
        });
        let total = side["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row[0] == 0);
        assert_eq!(
            total.map_or((0, 0), counts_of),
            of_second.into(),
            "second {second}"
        );
        let window = ui.api(&format!("window?from={from}&to={to}"));
        assert_eq!((&window["from"], &window["to"]), (&json!(from), &json!(to)));
        assert_eq!(window["rows"].as_array().unwrap().len(), counts.len());
        for row in window["rows"].as_array().unwrap() {
            let same = |other: &&Value| counts_of(other) == counts_of(row) && other[8] == row[8];
            assert!(
                side["rows"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|other| same(&other)),
                "{row}"
            );
        }
        parts.push(counts);
    }
    let whole = documented(&document);
    assert_eq!(added(&parts), whole);
    // The last one may have begun after the last request.
    assert!(
        parts[..4].iter().all(|part| part.len() == 3),
        "each second has all names: {parts:?}"
    );

    // Any cut is a sum of its seconds; an end that is too late is that of the run.
    let both = ui.compare("1@1-3", "1@3-9999");
    assert_eq!(by_name(&both["a"], &both["names"]), added(&parts[1..3]));
    assert_eq!(by_name(&both["b"], &both["names"]), added(&parts[3..]));
    let whole_run = ui.compare("1", "1/gen:1");
    for side in ["a", "b"] {
        assert_eq!(
            by_name(&whole_run[side], &whole_run["names"]),
            whole,
            "{side}"
        );
        // By the number of a row: both ends for each of p50, p95 and p99, by coarser buckets.
        for row in whole_run[side]["rows"].as_array().unwrap() {
            let ends = &whole_run[side]["intervals"][row[0].to_string()];
            let us = |value: &Value| value.as_f64().unwrap();
            for (nth, column) in [3, 8, 10].iter().enumerate() {
                let (from, to) = (us(&ends[2 * nth]), us(&ends[2 * nth + 1]));
                let percentile = us(&row[*column]);
                assert!(
                    0.0 < from && from <= percentile * 1.008 + 1.0 && percentile <= to,
                    "{side}: {ends} around {row}"
                );
            }
        }
    }
    ui.ends().code(1);
}

#[test]
fn runs_and_generations_are_matched_by_name() {
    let shop = Shop::open();
    let ui = Ui::start(tool(SCRIPT).args(&format!("-H {} -u 3 -r 100 --no-watch", shop.url())));
    ui.starts(&json!({}));
    ui.counts(10);
    // The name that was second comes first, so that numbers of rows differ between the runs.
    let edited = SCRIPT.replace("/hello", "/coupons");
    ui.run.edit("script.rhai", &edited);
    let reloaded = ui.json(200, "POST /api/v1/run/reload?wait=1", &Value::Null);
    assert_eq!(reloaded, json!({ "outcome": "edited", "generation": 2 }));
    ui.until("/api/v1/snapshot", |now| {
        let generations = now["by_generation"].as_array()?;
        let total = |at: usize| generations.get(at)?["rows"][0][1].as_u64();
        (total(1)? >= 10).then_some(())
    });
    ui.stops();
    ui.starts(&json!({ "classes": ["Shopper"] }));
    ui.counts(10);
    ui.stops();

    let documents = [1, 2].map(|run| ui.api(&format!("runs/{run}"))["document"].clone());
    let parts = documents[0]["by_generation"].as_array().unwrap();
    assert_eq!(parts.len(), 2);
    let both = ui.compare("1/gen:1", "1/gen:2");
    for (side, part) in ["a", "b"].iter().zip(parts) {
        let counts = by_name(&both[side], &both["names"]);
        assert_eq!(counts, documented(part), "{side}");
    }
    let (a, b) = (
        by_name(&both["a"], &both["names"]),
        by_name(&both["b"], &both["names"]),
    );
    assert!(
        a.contains_key("/hello") && !a.contains_key("/coupons"),
        "{a:?}"
    );
    assert!(b.contains_key("/coupons"), "{b:?}");
    assert_eq!(added([&a, &b]), documented(&documents[0]));

    let both = ui.compare("1", "2");
    for (side, document) in ["a", "b"].iter().zip(&documents) {
        assert_eq!(
            by_name(&both[side], &both["names"]),
            documented(document),
            "{side}"
        );
        assert_eq!(both[side]["seconds"], document["duration_s"]);
    }
    // The same the other way round: numbers of names follow the first.
    let turned = ui.compare("2", "1");
    assert_eq!(
        by_name(&turned["a"], &turned["names"]),
        documented(&documents[1])
    );
    assert_eq!(
        by_name(&turned["b"], &turned["names"]),
        documented(&documents[0])
    );
    ui.ends().code(1);
}

#[test]
fn windows_that_there_are_not_are_named() {
    let ui = Ui::of("user(\"U\", #{ t: task(|| 0) });", "-u 1 -r 100 -i 1");
    for path in ["compare?a=1&b=1", "window"] {
        ui.json(404, &format!("GET /api/v1/{path}"), &Value::Null);
    }
    ui.json(201, "POST /api/v1/runs", &json!({}));
    ui.reaches("stopped");
    for (query, status, field, words) in [
        ("compare", 422, "a", "a window is expected"),
        ("compare?a=1", 422, "b", "a window is expected"),
        ("compare?b=1", 422, "a", "a window is expected"),
        ("compare?a=&b=1", 422, "a", "names no window"),
        ("compare?a=one&b=1", 422, "a", "names no window"),
        ("compare?a=1&b=run:1", 422, "b", "names no window"),
        ("compare?a=1@&b=1", 422, "a", "names no window"),
        ("compare?a=1@1&b=1", 422, "a", "names no window"),
        ("compare?a=1@-1-2&b=1", 422, "a", "names no window"),
        ("compare?a=1@0-1-2&b=1", 422, "a", "names no window"),
        ("compare?a=1@0-0.5&b=1", 422, "a", "names no window"),
        (
            "compare?a=1@0-99999999999999999999&b=1",
            422,
            "a",
            "names no window",
        ),
        ("compare?a=1/gen:&b=1", 422, "a", "names no window"),
        ("compare?a=1/gen:1@0-1&b=1", 422, "a", "names no window"),
        ("compare?a=1/generation:1&b=1", 422, "a", "names no window"),
        ("compare?a=1@5-3&b=1", 422, "a", "ends after it begins"),
        ("compare?a=1&b=1@0-0", 422, "b", "ends after it begins"),
        ("compare?a=1@7000-7001&b=1", 422, "a", "the run has only"),
        (
            "compare?a=1/gen:2&b=1",
            404,
            "",
            "no rows of this generation",
        ),
        (
            "compare?a=1/gen:0&b=1",
            404,
            "",
            "no rows of this generation",
        ),
        ("compare?a=2&b=1", 404, "", "no run 2"),
        ("compare?a=1&b=0@0-1", 404, "", "no run 0"),
        ("window?from=x", 422, "from", "whole number"),
        ("window?to=-1", 422, "to", "whole number"),
        ("window?from=2&to=2", 422, "to", "ends after it begins"),
        ("window?from=7000", 422, "from", "the run has only"),
        ("window?run=2", 404, "", "no run 2"),
    ] {
        let refused = ui.json(status, &format!("GET /api/v1/{query}"), &Value::Null);
        assert_eq!(
            refused["field"].as_str().unwrap_or_default(),
            field,
            "{query}"
        );
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{query}: {refused}");
        if words == "names no window" {
            let hint = refused["hint"].as_str().unwrap();
            assert!(hint.contains("RUN@FROM-TO"), "{query}: {refused}");
        }
    }
    // A run without a request has a window all the same.
    let both = ui.compare("1@0-1", "1");
    assert_eq!(both["a"]["label"], "0 to 1 s");
    ui.ends().code(0);
}
