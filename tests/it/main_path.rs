//! The main job: the repository's scripts against the embedded target, and what is reported of it.
//!
//! What is reported is held against what the server counted, and the outputs against each other.

use serde_json::Value;

use crate::peer::Shop;
use crate::tool::{Document, Tool};

/// What a run that is cut off at its end may differ by from what the server counted.
fn assert_conserved(document: &Document, counted: u64, users: u64) {
    let reported = document.count("/total/requests");
    let in_flight = document.count("/in_flight_at_stop");
    assert!(reported > 0, "nothing happened");
    assert!(
        reported <= counted && counted <= reported + in_flight,
        "{reported} reported, {counted} counted, {in_flight} in flight"
    );
    assert!(in_flight <= users, "{in_flight} in flight of {users} users");
}

#[test]
fn hello_ends_when_its_time_is_up_and_no_request_is_lost() {
    for (users, threads) in [(1, 1), (20, 1), (20, 4)] {
        let shop = Shop::open();
        let run = Tool::running_file("scripts/hello.rhai")
            .args(&format!("-u {users} -r 1000 -t 1s --threads {threads}"))
            .on(&shop)
            .run()
            .code(0);
        let document = run.document();
        let counted = shop.counts().total;
        assert_conserved(&document, counted, users);
        assert_eq!(document.row("/hello").0, document.count("/total/requests"));
        assert_eq!(document.count("/users/asked"), users);
        assert_eq!(document.count("/users/peak"), users);
        let duration = document.number("/duration_s");
        // Never less; more by what stopping takes.
        assert!((1.0..3.0).contains(&duration), "{duration}");
        let [started, finished, interrupted] = ["started", "finished", "interrupted"]
            .map(|name| document.count(&format!("/iterations/{name}")));
        assert_eq!(started, finished + interrupted);
        // Each connection served all of its user's requests.
        assert_eq!(shop.counts().connections, users);
    }
}

#[test]
fn the_coupon_shop_is_sold_out_exactly_and_everybody_logs_out() {
    let stock = 3;
    let shop = Shop::with_stock(stock);
    let run = Tool::running_file("scripts/coupon.rhai")
        .args("-u 20 -r 1000 -t 3s")
        .on(&shop)
        .run()
        .code(0);
    let document = run.document();
    assert_conserved(&document, shop.counts().total, 20);
    // Sold out is a correct answer, and logging out is done at the very end.
    assert_eq!(document.count("/total/failures"), 0);
    assert_eq!(document.row("/login"), (20, 0));
    assert_eq!(document.row("/logout"), (20, 0));
    assert_eq!(shop.count("/logout"), 20);
    let (issues, _) = document.row("/coupons/[id]/issue");
    assert!(issues > 3 * stock, "only {issues} asked for a coupon");
}

#[test]
fn a_document_is_all_that_stdout_has_and_is_as_the_schema_says() {
    let shop = Shop::open();
    let script = r#"
        user("Reader", #{
            good: task(|| { this.client.get("/hello"); }),
            bad: task(|| { this.client.get("/status/503"); }),
            wrong: task(|| { this.client.post("/echo", #{ json: [1, 2] }); throw "too bad"; }),
        });
        print("the script speaks");"#;
    let run = Tool::running(script)
        .args("-u 3 -r 100 -i 60 --seed 7")
        .on(&shop)
        .run()
        .code(1)
        .says(&["the script speaks"]);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    let Document(document) = run.document();
    let schema = include_str!("../../docs/summary.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let wrong: Vec<_> = validator.iter_errors(&document).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    let rows = document["requests"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for number in ["requests", "failures", "bytes"] {
        let sum: u64 = rows.iter().map(|row| row[number].as_u64().unwrap()).sum();
        assert_eq!(document["total"][number], sum, "{number}");
    }
    let of_kind = |list: &str| {
        let rows = document[list].as_array().unwrap();
        let sum: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
        sum
    };
    assert_eq!(document["total"]["failures"], of_kind("errors"));
    assert_eq!(
        Document(document.clone()).row("/echo").1,
        of_kind("exceptions")
    );
    assert_eq!(document["seed"], 7);
    assert_eq!(document["script"], "script.rhai");
    assert_eq!(document["host"], crate::peer::Peer::url(&shop));
    let peak = document["users"]["peak"].as_u64().unwrap();
    assert!((1..=3).contains(&peak), "{peak}");
}

#[test]
fn the_same_seed_makes_the_same_choices() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            a: task(3, || { print("a", random(1, 1000), random_string(4)); }),
            b: task(|| { print("b", random()); }),
        });"#;
    let run = |seed: &str| {
        let run = Tool::running(script)
            .args("-i 20 --threads 2 --seed")
            .arg(seed)
            .on(&shop)
            .run()
            .code(0);
        run.printed().join("\n")
    };
    let (one, again, other) = (run("5"), run("5"), run("6"));
    assert_eq!(one.lines().count(), 20);
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn csv_files_are_complete_and_equal_to_the_document() {
    let shop = Shop::open();
    let script = r#"
        user("Reader", #{
            good: task(|| { this.client.get("/hello"); }),
            bad: task(|| { this.client.get("/status/503"); }),
            wrong: task(|| { throw "too bad"; }),
        });"#;
    let run = Tool::running(script)
        .args("-u 3 -r 100 -i 60 --csv results/run --csv-full-history")
        .on(&shop)
        .run()
        .code(1);
    let document = run.document();
    let read = |suffix: &str| {
        let mut reader = csv::Reader::from_path(run.path(&format!("results/run{suffix}"))).unwrap();
        let titles = reader.headers().unwrap().clone();
        let rows = reader.records().map(|row| {
            let row = row.unwrap();
            let row = titles.iter().zip(row.iter());
            row.map(|(title, cell)| (title.to_owned(), cell.to_owned()))
                .collect::<std::collections::HashMap<_, _>>()
        });
        rows.collect::<Vec<_>>()
    };
    let stats = read("_stats.csv");
    assert_eq!(stats.len(), 3);
    for row in &stats {
        let reported = match row["Name"].as_str() {
            "Aggregated" => (
                document.count("/total/requests"),
                document.count("/total/failures"),
            ),
            name => document.row(name),
        };
        let written = [&row["Request Count"], &row["Failure Count"]];
        let written = written.map(|cell| cell.parse::<u64>().unwrap());
        assert_eq!(written, [reported.0, reported.1]);
    }
    let longest: f64 = stats.last().unwrap()["Max Response Time"].parse().unwrap();
    assert_eq!(longest, document.number("/total/response_time_ms/max"));

    let history = read("_stats_history.csv");
    let last = history.last().unwrap();
    assert_eq!(last["Name"], "Aggregated");
    assert_eq!(
        last["Total Request Count"],
        document.count("/total/requests").to_string()
    );
    assert!(history.iter().any(|row| row["Name"] == "/hello"));

    let failures = read("_failures.csv");
    let written: Vec<_> = failures
        .iter()
        .map(|row| {
            (
                row["Name"].clone(),
                row["Error"].clone(),
                row["Occurrences"].parse::<u64>().unwrap(),
            )
        })
        .collect();
    assert_eq!(written, document.errors());
    let exceptions = read("_exceptions.csv");
    let written: Vec<_> = exceptions
        .iter()
        .map(|row| (row["Message"].clone(), row["Count"].parse::<u64>().unwrap()))
        .collect();
    let reported = document.exceptions().into_iter();
    let reported: Vec<(_, u64)> = reported
        .map(|(message, _, count)| (message, count))
        .collect();
    assert_eq!(written, reported);
}

#[test]
fn tables_come_every_two_seconds_and_at_the_end() {
    let shop = Shop::open();
    let mut run = Tool::new()
        .file(
            "script.rhai",
            r#"user("U", #{ wait_time: 0.1, t: task(|| { this.client.get("/hello"); }) });"#,
        )
        .args("-f script.rhai --headless -u 2")
        .on(&shop)
        .start();
    run.says("/hello");
    run.says("Aggregated");
    run.interrupt();
    let run = run.finish().code(0).says(&["Response time percentiles"]);
    assert_eq!(run.stdout, "");
}
