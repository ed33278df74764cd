//! A stream of events as a browser reads it, and what of a run a page has put together from it.
//!
//! Owns the form of server-sent events; what the frames say is the tests'.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use super::Ui;
use super::client::Client;
use crate::tool::BOUND;

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: String,
    /// `instance.run.seq`; empty for the end.
    pub(super) id: String,
    pub(super) data: Value,
}

impl Event {
    /// Which of the views it tells.
    pub(super) fn seq(&self) -> u64 {
        self.id.rsplit('.').next().unwrap().parse().unwrap()
    }
}

/// A stream that has been opened.
pub(super) struct Events {
    client: Client<TcpStream>,
    rest: String,
    /// How many bytes of events have come.
    pub(super) bytes: usize,
}

/// Asks for a stream with these lines as headers; the status of the answer, and the stream if it is
/// one.
pub(super) fn ask(ui: &Ui, query: &str, headers: &[&str]) -> (u16, Option<Events>) {
    ask_over(ui, ui.client(), query, headers)
}

pub(super) fn ask_over(
    ui: &Ui,
    mut client: Client<TcpStream>,
    query: &str,
    headers: &[&str],
) -> (u16, Option<Events>) {
    let mut all = vec!["accept: text/event-stream"];
    all.extend(headers);
    client.send(&format!("GET {}/api/v1/live{query}", ui.base), &all, b"");
    let head = client.head().expect("an answer");
    let is_stream = head.header("content-type") == Some("text/event-stream");
    assert_eq!(is_stream, head.status == 200);
    let stream = is_stream.then(|| Events {
        client,
        rest: String::new(),
        bytes: 0,
    });
    (head.status, stream)
}

impl Ui {
    /// A stream, which has to be granted.
    pub(super) fn events(&self, query: &str, headers: &[&str]) -> Events {
        ask(self, query, headers).1.expect("a stream")
    }
}

impl Events {
    /// The next event; `None` when the stream has ended. Comments are passed over.
    pub(super) fn next(&mut self) -> Option<Event> {
        let begun = Instant::now();
        loop {
            while let Some((text, rest)) = self.rest.split_once("\n\n") {
                let event = event(text);
                self.rest = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            assert!(begun.elapsed() < BOUND, "nothing but comments");
            let chunk = self.client.chunk()?;
            self.bytes += chunk.len();
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event of that kind.
    pub(super) fn next_of(&mut self, kind: &str) -> Event {
        let begun = Instant::now();
        loop {
            let event = self.next().expect("an event");
            if event.kind == kind {
                return event;
            }
            assert!(begun.elapsed() < BOUND, "no {kind}");
        }
    }
}

fn event(text: &str) -> Option<Event> {
    let field = |name: &str| {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    let kind = field("event");
    (!kind.is_empty()).then(|| Event {
        kind,
        id: field("id"),
        data: serde_json::from_str(&field("data")).unwrap(),
    })
}

/// What a page knows of a run: the latest of each second and of each row.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Known {
    /// Requests of each second.
    pub(super) seconds: Vec<u64>,
    pub(super) rows: BTreeMap<u64, Value>,
    pub(super) log: Vec<u64>,
}

impl Known {
    pub(super) fn of(snapshot: &Value) -> Known {
        let mut known = Known::default();
        known.learn(snapshot);
        known
    }

    /// Adds a frame, which must leave no second out.
    pub(super) fn learn(&mut self, frame: &Value) {
        let seconds = &frame["seconds"];
        assert_eq!(seconds["step"], 1);
        let from = usize::try_from(seconds["from"].as_u64().unwrap()).unwrap();
        assert!(
            from <= self.seconds.len(),
            "{from} after {:?}",
            self.seconds
        );
        let new = seconds["requests"].as_array().unwrap();
        let all = self.seconds.len().max(from + new.len());
        self.seconds.resize(all, 0);
        for (at, count) in new.iter().enumerate() {
            self.seconds[from + at] = count.as_u64().unwrap();
        }
        for row in frame["rows"].as_array().unwrap() {
            self.rows.insert(row[0].as_u64().unwrap(), row.clone());
        }
        let lines = frame["log"].as_array().unwrap();
        self.log
            .extend(lines.iter().map(|line| line["seq"].as_u64().unwrap()));
    }
}
