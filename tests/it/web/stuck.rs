//! Clients that read nothing: what they cost, and that they are let go.
//!
//! A stream is stuck when everything between it and its client is full: what the client's socket takes
//! (as little as it may here), what the server's takes (512 KiB) and what its connection holds (some 400
//! KiB). With a thousand names that are long a frame has some 300 KB, so that it takes four of them, one
//! a second; with twenty names it would take minutes. From then on it is left for 30 s.

use std::time::{Duration, Instant};

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::Ui;
use super::client::Client;
use super::events::{self, Events, Known};

/// Each second about a thousand rows change. Without requests: this is not about the target.
const SCRIPT: &str = r#"
const LONG = "a name as long as addresses with many parameters are, such as this one here: ";
user("Many", #{
    wait_time: 0.04,
    state: #{ at: 0 },
    t: task(|| {
        for n in 0..50 {
            this.at = (this.at + 1) % 900;
            let name = `${LONG}${LONG}/products/${this.at}`;
            record(#{ type: "x", name: name, response_time: 1 });
        }
    }),
});
"#;

/// Streams that are not read.
const STUCK: usize = 9;

/// What may be between the server and a client that reads nothing, with room to spare.
const FULL: usize = 2 << 20;

/// How much the process may grow meanwhile. What the streams have not taken is ten times that.
const MOST_GROWTH: u64 = 8 << 20;

/// A stream over a socket that takes as little as a socket may, of a browser with that name.
fn small(ui: &Ui, browser: &str) -> Events {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2_048).unwrap();
    socket.connect(&ui.address.into()).unwrap();
    let client = Client::new(socket.into());
    let header = format!("user-agent: {browser}");
    events::ask_over(ui, client, "", &[&header])
        .1
        .expect("a stream")
}

/// Connections that the server has, as the system sees them.
fn connections(ui: &Ui) -> usize {
    let port = format!(":{:04X}", ui.address.port());
    let all = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let established = all.lines().filter(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        columns[1].ends_with(&port) && columns[3] == "01"
    });
    established.count()
}

#[test]
fn clients_that_read_nothing_cost_little_and_are_let_go() {
    let ui = Ui::of(SCRIPT, "-u 1 -r 100");
    ui.starts(&json!({}));
    let rows = |now: &serde_json::Value| now["rows"].as_array().map_or(0, Vec::len);
    ui.until("/api/v1/snapshot", |now| (rows(now) > 900).then_some(()));
    let mut reader = ui.events("", &["user-agent: Reader/1"]);
    let mut stuck: Vec<_> = (0..STUCK)
        .map(|n| small(&ui, &format!("Stuck/{}", n / 3)))
        .collect();
    assert!(connections(&ui) > STUCK);

    // Whoever reads is told each second, whatever becomes of the others.
    let mut known = Known::default();
    let read = |reader: &mut Events, known: &mut Known| {
        let frame = reader.next_of("frame").data;
        known.learn(&frame);
        assert_eq!(known.seconds.len() as u64, frame["t"].as_u64().unwrap());
    };
    while reader.bytes < FULL {
        read(&mut reader, &mut known);
    }
    let (begun, size) = (ui.run.resident(), reader.bytes);
    let stuck_at = known.seconds.len();
    // One of them wakes up and reads: what it was not told it is told at once.
    let mut woken = stuck.pop().unwrap();
    while known.seconds.len() < stuck_at + 8 {
        read(&mut reader, &mut known);
    }
    let mut late = Known::default();
    let mut frames = 0;
    while late.seconds.len() < known.seconds.len() {
        late.learn(&woken.next_of("frame").data);
        frames += 1;
    }
    assert_eq!(late.seconds[..known.seconds.len()], known.seconds);
    assert!(
        frames + 4 < known.seconds.len(),
        "{frames} frames are not each second's"
    );
    assert_eq!(late.rows.len(), 901);
    drop(woken);

    let waited = Instant::now();
    // Only the one that reads is left.
    while connections(&ui) > 1 {
        read(&mut reader, &mut known);
        assert!(
            waited.elapsed() < Duration::from_secs(40),
            "they are still there"
        );
    }
    assert!(
        waited.elapsed() > Duration::from_secs(10),
        "patience is 30 s"
    );
    let untaken = (reader.bytes - size) * stuck.len();
    let grown = ui.run.resident().saturating_sub(begun);
    assert!(
        untaken as u64 > 4 * MOST_GROWTH,
        "{untaken} bytes say little"
    );
    assert!(
        grown < MOST_GROWTH,
        "{grown} bytes more, of {untaken} not taken"
    );
    // Their places are free again.
    let again = small(&ui, "Stuck/0");
    drop((again, stuck));
    ui.stops();
    ui.ends().code(0);
}
