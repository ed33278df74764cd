//! The stream of frames and its other form, polling: nothing is left out, and how many there may be.
//!
//! Clients that read nothing are in `stuck`.

use serde_json::{Value, json};

use super::events::{self, Events, Known};
use super::{SCRIPT, Ui};
use crate::peer::{Peer, Shop};

fn begun(more: &str) -> (Shop, Ui) {
    let shop = Shop::open();
    let ui = Ui::of(SCRIPT, &format!("-H {} -u 3 -r 100 {more}", shop.url()));
    (shop, ui)
}

#[test]
fn a_stream_tells_everything_in_order() {
    let (_shop, ui) = begun("");
    ui.starts(&json!({ "run_time": "3s" }));
    let mut stream = ui.events("", &[]);
    let mut known = Known::default();
    let (mut seq, mut frames) = (0, 0);
    let instance = ui.api("info")["instance"].as_str().unwrap().to_owned();
    loop {
        let event = stream.next().unwrap();
        assert!(matches!(event.kind.as_str(), "frame" | "now"), "{event:?}");
        assert_eq!(event.id, format!("{instance}.1.{}", event.data["seq"]));
        assert!(event.seq() >= seq, "{seq} before {}", event.seq());
        let before = known.seconds.len();
        seq = event.seq();
        known.learn(&event.data);
        let is_new = known.seconds.len() > before;
        assert_eq!(event.kind == "frame", is_new || frames == 0, "{before}");
        frames += usize::from(event.kind == "frame");
        if event.data["state"] == "stopped" {
            break;
        }
    }
    assert!(frames >= 3, "{frames}");
    let mut lines = known.log.clone();
    lines.dedup();
    assert_eq!(lines, known.log, "no line twice");
    assert!(lines.is_sorted());
    let snapshot = ui.api("snapshot");
    let whole = Known::of(&snapshot);
    assert_eq!(known.seconds, whole.seconds);
    assert_eq!(known.rows, whole.rows);
    assert_eq!(
        known.seconds.iter().sum::<u64>(),
        snapshot["head"]["requests"].as_u64().unwrap()
    );

    // The end of the process is the last event, with its code.
    ui.run.interrupt();
    let end = stream.next_of("end");
    assert_eq!(end.data["exit_code"], 1);
    assert!(stream.next().is_none());
    ui.run.finish().code(1);
}

#[test]
fn who_comes_again_is_told_the_rest() {
    let (_shop, ui) = begun("");
    ui.starts(&json!({}));
    let mut stream = ui.events("", &[]);
    let mut known = Known::default();
    let mut last = stream.next_of("frame");
    known.learn(&last.data);
    while known.seconds.len() < 2 {
        last = stream.next().unwrap();
        known.learn(&last.data);
    }
    drop(stream);
    ui.until("/api/v1/state", |now| {
        (now["t"].as_u64()? >= 5).then_some(())
    });
    let header = format!("last-event-id: {}", last.id);
    // By its header, as browsers do it, and by the query.
    let after = format!("?after={}", last.seq());
    for (query, headers) in [("", vec![header.as_str()]), (after.as_str(), vec![])] {
        let mut again = ui.events(query, &headers);
        let first = again.next().unwrap();
        assert_eq!(first.kind, "frame");
        let t = first.data["t"].as_u64().unwrap();
        let from = first.data["seconds"]["from"].as_u64().unwrap();
        assert!(t >= 5 && from <= 2, "{from} to {t}");
        let mut caught_up = Known {
            seconds: known.seconds.clone(),
            rows: known.rows.clone(),
            log: Vec::new(),
        };
        caught_up.learn(&first.data);
        assert_eq!(caught_up.seconds.len(), usize::try_from(t).unwrap());
        assert!(caught_up.rows.len() >= 4, "{:?}", caught_up.rows);
    }

    // An event of another process means nothing here: everything is told.
    let mut stranger = ui.events("", &["last-event-id: other.1.999999"]);
    let first = stranger.next_of("frame");
    assert_eq!(first.data["seconds"]["from"], 0);
    assert_eq!(first.data["rows"].as_array().unwrap().len(), 4);
    ui.ends();
}

#[test]
fn of_another_run_a_stream_knows_nothing() {
    let (_shop, ui) = begun("");
    ui.starts(&json!({}));
    let mut stream = ui.events("", &[]);
    let last = stream.next_of("frame");
    ui.counts(5);
    ui.stops();
    ui.json(201, "POST /api/v1/runs", &json!({}));
    let resync = stream.next_of("resync");
    assert_eq!(resync.data, json!({}));
    assert!(resync.id.contains(".2."), "{resync:?}");
    // What follows is of the new run alone.
    let next = stream.next().unwrap();
    assert_eq!(next.data["run"], 2);

    // So does a client that was away meanwhile.
    let header = format!("last-event-id: {}", last.id);
    let mut again = ui.events("", &[&header]);
    assert_eq!(again.next().unwrap().kind, "resync");
    ui.ends();
}

/// As many streams as `browser` is given of so many it asks for, and the status of the next.
fn streams(ui: &Ui, browser: &str, most: usize) -> (Vec<Events>, u16) {
    let header = format!("user-agent: {browser}");
    let mut all = Vec::new();
    for _ in 0..most {
        match events::ask(ui, "", &[&header]) {
            (_, Some(stream)) => all.push(stream),
            (status, None) => return (all, status),
        }
    }
    (all, 200)
}

#[test]
fn a_browser_has_three_streams_and_polls_for_the_rest() {
    let (_shop, ui) = begun("");
    ui.starts(&json!({}));
    let (mut all, status) = streams(&ui, "Fox/1", 9);
    assert_eq!((all.len(), status), (3, 503));
    let headers = ["accept: text/event-stream", "user-agent: Fox/1"];
    let refused = ui.request("GET /api/v1/live", &headers, b"").status(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.text().contains("poll"), "{}", refused.text());
    let polled = ui.request("GET /api/v1/live", &["user-agent: Fox/1"], b"");
    assert_eq!(polled.status(200).json()["run"], 1);
    // Another browser has its own.
    assert_eq!(streams(&ui, "Owl/1", 1).1, 200);
    // One that is closed makes room, as soon as the server has seen that.
    all.pop();
    let again = ui.until("/api/v1/state", |_| streams(&ui, "Fox/1", 1).0.pop());
    all.push(again);
    for stream in &mut all {
        assert_eq!(stream.next_of("frame").data["run"], 1);
    }
    ui.ends();
}

#[test]
fn there_are_sixty_four_streams_in_all() {
    let (_shop, ui) = begun("");
    ui.starts(&json!({}));
    let mut all = Vec::new();
    let mut status = 200;
    for browser in 0..30 {
        let (some, last) = streams(&ui, &format!("Browser/{browser}"), 3);
        all.extend(some);
        status = last;
        if status != 200 {
            break;
        }
    }
    assert_eq!((all.len(), status), (64, 503));
    // Polling works, and whoever streams goes on.
    let polled = ui.get("/api/v1/live").status(200).json();
    assert_eq!(polled["run"], 1);
    for stream in &mut all {
        let first = stream.next_of("frame").data["t"].as_u64().unwrap();
        let next = loop {
            let event = stream.next_of("frame");
            if event.data["t"] != first {
                break event.data["t"].as_u64().unwrap();
            }
        };
        assert!(next > first);
    }
    ui.stops();
    ui.ends();
}

#[test]
fn polling_leaves_nothing_out_either() {
    let (_shop, ui) = begun("");
    ui.starts(&json!({ "run_time": "3s" }));
    let mut known = Known::default();
    let mut frame = ui.get("/api/v1/live").status(200).json();
    known.learn(&frame);
    while frame["state"] != "stopped" {
        let seq = frame["seq"].as_u64().unwrap();
        frame = ui
            .get(&format!("/api/v1/live?after={seq}"))
            .status(200)
            .json();
        assert!(frame["seq"].as_u64().unwrap() >= seq);
        known.learn(&frame);
    }
    let whole = Known::of(&ui.api("snapshot"));
    assert_eq!((&known.seconds, &known.rows), (&whole.seconds, &whole.rows));

    // Whoever knows all waits for news, but not for long, and is told no figures twice. Lines of the
    // log may be: they have numbers.
    let seq = frame["seq"].as_u64().unwrap();
    let nothing = ui.get(&format!("/api/v1/live?after={seq}")).json();
    assert_eq!(nothing["seq"], seq);
    for absent in ["errors", "exceptions", "checks", "marks", "form"] {
        assert_eq!(nothing[absent], Value::Null, "{absent}");
    }
    for (query, field) in [("after=x", "after"), ("series=1,x", "series")] {
        let refused = ui.json(422, &format!("GET /api/v1/live?{query}"), &Value::Null);
        assert_eq!(refused["field"], field);
    }
    // As another run begins, a client that polls gets all of it.
    ui.starts(&json!({}));
    ui.counts(5);
    let other = ui.get(&format!("/api/v1/live?after={seq}")).json();
    assert_eq!(
        (&other["run"], &other["seconds"]["from"]),
        (&json!(2), &json!(0))
    );
    assert!(other["errors"].is_array() || other["head"]["failures"] == 0);
    ui.ends();
}

#[test]
fn tabs_without_a_table_get_the_total_alone() {
    let (_shop, ui) = begun("");
    ui.starts(&json!({}));
    ui.counts(20);
    let mut stream = ui.events("?rows=0&series=1", &[]);
    let first = stream.next_of("frame");
    // The first one is whole: rows that never change again are in no other.
    assert_eq!(first.data["rows"].as_array().unwrap().len(), 4);
    let next = stream.next_of("frame").data;
    let ids: Vec<_> = next["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row[0])
        .collect();
    assert_eq!(ids, [0]);
    assert!(
        next["series"]["1"]
            .as_array()
            .is_some_and(|slots| !slots.is_empty()),
        "{next}"
    );
    ui.ends();
}
