//! Ten thousand damaged requests: none brings the server down, and what is refused changes nothing.
//!
//! Always the same ones; they go over one connection as long as it lasts.

use serde_json::{Value, json};

use super::{SCRIPT, Ui};

const REQUESTS: usize = 10_000;

/// Numbers that look like chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const METHODS: [&str; 6] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"];

/// None of them stops or starts anything as it stands, or waits.
const PATHS: [&str; 24] = [
    "/",
    "/swarm",
    "/user",
    "/stats/requests",
    "/stats/report",
    "/stats/requests/csv",
    "/tasks",
    "/logs",
    "/assets/x",
    "/api/v1/info",
    "/api/v1/form",
    "/api/v1/check",
    "/api/v1/runs",
    "/api/v1/runs/1",
    "/api/v1/run",
    "/api/v1/run/note",
    "/api/v1/snapshot",
    "/api/v1/timeline",
    "/api/v1/window",
    "/api/v1/compare",
    "/api/v1/logs",
    "/api/v1/script",
    "/api/v1/login",
    "/api/v1/errors",
];

const QUERIES: [&str; 12] = [
    "",
    "?run=1",
    "?run=-1",
    "?run=99999999999999999999",
    "?from=5&to=1",
    "?from=0&to=9",
    "?series=1,2,3,4,5,6,7",
    "?series=x",
    "?a=1&b=1@0-1",
    "?a=1@5&b=/gen:",
    "?generation=70000",
    "?%zz=%",
];

/// Each has something wrong: whatever is asked to change is refused.
const BODIES: [&str; 16] = [
    "",
    "user_count=abc&spawn_rate=1",
    "user_count=1&spawn_rate=0",
    "user_count=1",
    "user_count=1&spawn_rate=1&evil=1",
    "user_count=1&spawn_rate=1&user_classes=Nobody",
    "{",
    "[]",
    "{\"users\":-1}",
    "{\"users\":1e99}",
    "{\"spawn_rate\":\"nan\"}",
    "{\"classes\":[\"Nobody\"]}",
    "{\"params\":{\"nothing\":\"1\"}}",
    "{\"text\":\"\"}",
    "{\"user_class_name\":\"Nobody\"}",
    "{\"host\":\"nonsense\"}",
];

/// A path or a body with a byte more, less or other.
fn damaged(chance: &mut Chance, text: &str) -> String {
    let mut all: Vec<char> = text.chars().collect();
    let at = chance.below(all.len() + 1);
    let other = ['%', '"', '{', '/', '?', '\u{e9}', '0', 'x'][chance.below(8)];
    match chance.below(4) {
        0 => all.insert(at, other),
        1 if at < all.len() => all[at] = other,
        2 if at < all.len() => {
            all.remove(at);
        }
        _ => {}
    }
    all.into_iter().collect()
}

fn kept(ui: &Ui) -> Value {
    let snapshot = ui.api("snapshot");
    json!([
        snapshot["state"],
        snapshot["run"],
        snapshot["form"]["wish"],
        snapshot["marks"]
    ])
}

#[test]
fn ten_thousand_damaged_requests_bring_nothing_down_and_change_nothing() {
    let ui = Ui::of(SCRIPT, "-u 3");
    let before = kept(&ui);
    let mut chance = Chance(778_899);
    let mut client = ui.client();
    for n in 0..REQUESTS {
        let method = chance.of(&METHODS);
        let whole = format!("{}{}", chance.of(&PATHS), chance.of(&QUERIES));
        let path = damaged(&mut chance, &whole);
        let path: String = path.chars().filter(char::is_ascii_graphic).collect();
        let path = if path.starts_with('/') {
            path
        } else {
            format!("/{path}")
        };
        let body = chance.of(&BODIES);
        let body = match method {
            "GET" | "HEAD" => String::new(),
            // A start without a body would be one as the command line asks.
            _ if body.is_empty() => "{".to_owned(),
            _ => body.to_owned(),
        };
        let kind = chance.of(&[
            "content-type: application/json",
            "content-type: text/plain",
            "x: y",
        ]);
        client.send(&format!("{method} {path}"), &[kind], body.as_bytes());
        let reply = client.reply(method);
        let status = reply.status;
        assert!(
            status < 500,
            "{n}: {method} {path} {body}: {status} {}",
            reply.text()
        );
        if reply.header("connection") == Some("close") {
            client = ui.client();
        }
    }
    assert_eq!(kept(&ui), before);
    ui.ends().code(0);
}
