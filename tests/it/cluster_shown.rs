//! What a master shows of its workers: in its log, to its script, and in each of its outputs.
//!
//! What the page and the API show is in `web/workers`.

use std::fs;
use std::io::Read;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::peer::Shop;
use crate::tool::{Running, Tool};

const SCRIPT: &str = r#"
user("U", #{ wait_time: 0.01, t: task(|| { this.client.get("/hello"); }) });
on("worker_connect", |w| print(`hello ${w.worker} of ${w.name} with ${w.threads} and ${w.users}`));
on("worker_lost", |w| print(`farewell ${w.worker} of ${w.name} with ${w.threads} and ${w.users}`));
"#;

pub(crate) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    name.trim().to_owned()
}

/// A master of that script, and the port where it waits for workers.
fn master(script: &str, shop: &Shop, arguments: &str) -> (Running, String) {
    let mut master = Tool::running(script)
        .on(shop)
        .args(&format!("--master --master-bind-port 0 {arguments}"))
        .start();
    let line = master.says("waiting for workers on ");
    let port = line.rsplit(':').next().unwrap().trim().to_owned();
    (master, port)
}

pub(crate) fn worker(port: &str) -> Running {
    let arguments = format!("--worker --threads 1 --master-port {port}");
    Tool::new().args(&arguments).start()
}

/// The data that a report has in it.
fn embedded(html: &str) -> Value {
    let (_, data) = html.split_once("id=\"katydid-run\"").unwrap();
    let (_, data) = data.split_once('>').unwrap();
    let (packed, _) = data.split_once('<').unwrap();
    let packed = BASE64_STANDARD.decode(packed.trim()).unwrap();
    let mut text = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(&packed[..]);
    unpacked.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The rows of a file, by their titles.
fn rows(csv: &str) -> Vec<serde_json::Map<String, Value>> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let titles = lines.next().unwrap();
    let row = |cells: Vec<&str>| {
        let cells = titles.iter().zip(cells);
        let cells = cells.map(|(title, cell)| ((*title).to_owned(), cell.into()));
        cells.collect()
    };
    lines.map(row).collect()
}

#[test]
fn every_output_names_each_worker_and_what_is_missing_of_one_that_was_killed() {
    let shop = Shop::open();
    let files = "--csv out --html out.html";
    let arguments = format!("-u 10 -r 100 --expect-workers 2 {files}");
    let (mut run, port) = master(SCRIPT, &shop, &arguments);
    let first = worker(&port);
    let mut second = worker(&port);
    let host = host_name();
    run.says_each(&[
        &format!(" ({host}) is ready: 2 of 2"),
        &format!("hello 0 of {host} with 1 and "),
        &format!("hello 1 of {host} with 1 and "),
        "all users spawned: 10",
    ]);
    shop.receives("/hello", 1_000);
    first.kill();
    let line = run.says(&format!(" ({host}) is gone: its users move to the others"));
    let (_, named) = line.split_once("worker ").unwrap();
    let lost: usize = named.split(' ').next().unwrap().parse().unwrap();
    let left = 1 - lost;
    run.says(&format!("farewell {lost} of {host} with 1 and "));
    let before = shop.counts().total;
    shop.receives("/hello", before + 500);
    run.interrupt();
    second.says("the run is over: all numbers are with the master");
    second.finish().code(0);
    let finished = run.finish();
    let document = finished.document();

    let workers = document.0["workers"].as_array().unwrap();
    let of = |number: usize| &workers[number];
    assert_eq!(workers.len(), 2);
    for (number, state) in [(lost, "lost"), (left, "left")] {
        assert_eq!(of(number)["number"], number);
        assert_eq!(of(number)["name"], host.as_str());
        assert_eq!(of(number)["address"], "127.0.0.1");
        assert_eq!(of(number)["state"], state);
        assert_eq!(of(number)["threads"], 1);
        assert!(of(number)["most"]["cpu"].as_f64().unwrap() > 0.0);
        assert!(of(number)["most"]["rss_bytes"].as_u64().unwrap() > 1 << 20);
        // The clock of both is this machine's.
        let clock = &of(number)["clock"];
        let offset = clock["offset_ms"].as_f64().unwrap().abs();
        assert!(
            offset <= clock["error_ms"].as_f64().unwrap() + 1.0,
            "{clock}"
        );
    }
    let missing = of(lost)["missing"].as_u64().unwrap();
    let counted = shop.counts().total;
    let reported = document.count("/total/requests");
    let cut = document.count("/in_flight_at_stop");
    assert!(missing > 0 && of(left)["missing"] == 0);
    assert!(
        counted <= reported + cut + missing,
        "{counted}: {reported}, {cut}, {missing}"
    );
    let samples: u64 = workers
        .iter()
        .map(|it| it["samples"].as_u64().unwrap())
        .sum();
    assert_eq!(samples, reported);

    let seconds = of(lost)["counted_s"].as_f64().unwrap().floor();
    let note = format!(
        "LOST: worker {lost} ({host}) is lost. Nothing that it measured after second {seconds:.0} of the \
         run is in any figure: up to {missing} requests"
    );
    let said = finished.stderr.replace('\n', " ");
    assert!(
        said.contains(&note),
        "`{note}` is missing:\n{}",
        finished.stderr
    );
    // The log says the same number.
    let line = format!("worker {lost} ({host}) was lost: up to {missing} requests");
    assert!(
        said.contains(&line),
        "`{line}` is missing:\n{}",
        finished.stderr
    );
    assert!(said.contains(&format!("worker {left} ({host})")));

    let csv = fs::read_to_string(finished.path("out_workers.csv")).unwrap();
    let rows = rows(&csv);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[lost]["State"], "lost");
    assert_eq!(rows[lost]["Missing At Most"], missing.to_string());
    assert_eq!(rows[left]["Samples"], of(left)["samples"].to_string());

    let html = fs::read_to_string(finished.path("out.html")).unwrap();
    let report = embedded(&html);
    assert_eq!(report["snapshot"]["workers"], document.0["workers"]);
    let warnings = report["snapshot"]["warnings"].as_array().unwrap();
    assert!(
        warnings.iter().any(|it| it == note.as_str()),
        "{warnings:?}"
    );
}

#[test]
fn what_workers_print_is_in_the_masters_log_with_who_said_it() {
    let script = r#"
user("U", #{ wait_time: 0.05, t: task(|| {
    this.client.get("/hello");
    print(`from ${this.client.get("/hello").status}`);
}) });
"#;
    let shop = Shop::open();
    let (mut run, port) = master(script, &shop, "-u 1 -r 100 --expect-workers 1 -i 3");
    let mut first = worker(&port);
    let host = host_name();
    run.says(&format!("worker 0 ({host}) U 0 script.rhai:4: from 200"));
    // Its own log has it too.
    first.says("U 0 script.rhai:4: from 200");
    first.says("the run is over: all numbers are with the master");
    first.finish().code(0);
    let finished = run.finish().code(0);
    let lines = finished.stderr.lines();
    let printed = lines.filter(|line| line.contains(": from 200")).count();
    assert_eq!(printed, 3, "{}", finished.stderr);
}

#[test]
fn lines_beyond_a_bound_are_left_out_and_counted() {
    let script = r#"
user("U", #{ t: task(|| {
    for n in 0..90 { print(`line ${n}`); }
    this.client.get("/hello");
}) });
"#;
    let shop = Shop::open();
    let (mut run, port) = master(script, &shop, "-u 1 -r 100 --expect-workers 1");
    let mut first = worker(&port);
    let host = host_name();
    run.says(&format!("lines of worker 0 ({host}) are left out"));
    run.interrupt();
    first.says("the run is over: all numbers are with the master");
    first.finish().code(0);
    run.finish().code(0);
}

#[test]
fn a_worker_that_stands_still_at_the_end_is_named() {
    let shop = Shop::open();
    let (mut run, port) = master(
        SCRIPT,
        &shop,
        "-u 4 -r 100 --expect-workers 1 --on-stop-timeout 1",
    );
    let still = worker(&port);
    let host = host_name();
    run.says("all users spawned: 4");
    shop.receives("/hello", 200);
    still.signal(rustix::process::Signal::STOP);
    run.says(&format!(
        "worker 0 ({host}) is missing: no sign of it for 5 s"
    ));
    run.interrupt();
    let finished = run.finish().code(3);
    let why = format!("worker 0 ({host}) did not end in time");
    assert!(finished.stderr.contains(&why), "{}", finished.stderr);
    let document = finished.document();
    assert_eq!(document.0["workers"][0]["state"], "lost");
    let missing = document.count("/workers/0/missing");
    let counted = shop.counts().total;
    let reported = document.count("/total/requests");
    assert!(
        reported <= counted && counted <= reported + missing,
        "{counted}: {reported}, {missing}"
    );
}
