//! The web UI's server, as browsers and scripts see it: a katydid with `--web-port 0`, and requests.
//!
//! Every JSON answer that a test gets is held against docs/openapi.json by the way. Pages are tested
//! in web/test.

mod access;
mod again;
mod client;
mod compare;
mod described;
mod events;
mod fuzz;
mod life;
mod live;
mod locust;
mod numbers;
mod params;
mod reload;
mod runs;
mod stuck;
mod workers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::client::{Client, Reply};
use crate::tool::{BOUND, Finished, Running, Tool};

/// A script with a bit of everything.
const SCRIPT: &str = r#"
const LANGUAGE = param("language", "en", #{ choices: ["en", "ko"], help: "Of the shop" });
const PASSWORD = param("password", "", #{ secret: true });
user("Shopper", #{
    weight: 2,
    wait_time: 0.02,
    hello: task(#{ weight: 2, tags: ["fast"] }, || {
        this.client.get("/hello", #{ headers: #{ "Accept-Language": LANGUAGE } });
    }),
    missing: task(|| {
        let r = this.client.get("/status/404");
        r.check("there", r.status == 200);
        throw "missed";
    }),
});
user("Visitor", #{ wait_time: 0.02, look: task(|| { this.client.get("/coupons"); }) });
"#;

/// A katydid that serves its web UI.
struct Ui {
    run: Running,
    address: SocketAddr,
    /// Of the link: `http://` or `https://`, host and base path, without a token.
    link: String,
    base: String,
}

/// A katydid with that script, not yet started.
fn tool(script: &str) -> Tool {
    Tool::new()
        .file("script.rhai", script)
        .args("-f script.rhai --web-port 0")
}

impl Ui {
    fn of(script: &str, args: &str) -> Ui {
        Ui::start(tool(script).args(args))
    }

    fn start(tool: Tool) -> Ui {
        Ui::serving(tool.start())
    }

    /// One that has not said yet where.
    fn serving(mut run: Running) -> Ui {
        let line = run.says("web UI: ");
        let (_, link) = line.trim_end().split_once("web UI: ").unwrap();
        let link = link.to_owned();
        let (_, rest) = link.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.split('#').next().unwrap().trim_end_matches('/');
        let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
        Ui {
            run,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            base: if path.is_empty() {
                String::new()
            } else {
                format!("/{path}")
            },
            link,
        }
    }

    fn client(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    /// One request with these lines as headers.
    fn request(&self, request: &str, headers: &[&str], body: &[u8]) -> Reply {
        let (method, path) = request.split_once(' ').unwrap();
        let whole = format!("{method} {}{path}", self.base);
        let mut client = self.client();
        client.send(&whole, headers, body);
        let reply = client.reply(method);
        described::hold(method, path, &reply);
        reply
    }

    fn get(&self, path: &str) -> Reply {
        self.request(&format!("GET {path}"), &[], b"")
    }

    /// A JSON answer with that status.
    fn json(&self, status: u16, request: &str, body: &Value) -> Value {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let headers = ["content-type: application/json"];
        let reply = self.request(request, &headers, body.as_bytes());
        assert_eq!(reply.status, status, "{request} {body}: {}", reply.text());
        reply.json()
    }

    /// A JSON answer to a GET of the API.
    fn api(&self, path: &str) -> Value {
        self.json(200, &format!("GET /api/v1/{path}"), &Value::Null)
    }

    /// The state of the current run.
    fn state(&self) -> String {
        self.api("state")["state"].as_str().unwrap().to_owned()
    }

    /// Asks until an answer is as wanted.
    fn until<T>(&self, path: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        let mut client = self.client();
        let begun = Instant::now();
        loop {
            client.send(&format!("GET {}{path}", self.base), &[], b"");
            let reply = client.reply("GET");
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            let value = reply.json();
            if let Some(found) = wanted(&value) {
                return found;
            }
            assert!(begun.elapsed() < BOUND, "{path} stays {value}");
            // Leaves the cores to what is waited for.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the current run has that state.
    fn reaches(&self, state: &str) {
        self.until("/api/v1/state", |now| (now["state"] == state).then_some(()));
    }

    /// Waits until so many requests have been counted.
    fn counts(&self, requests: u64) {
        self.until("/api/v1/snapshot", |now| {
            let head = now["head"]["requests"].as_u64().unwrap_or(0);
            (head >= requests).then_some(())
        });
    }

    /// Starts a run and waits until its users are at work.
    fn starts(&self, wish: &Value) -> u64 {
        let started = self.json(201, "POST /api/v1/runs", wish);
        self.reaches("running");
        started["run"].as_u64().unwrap()
    }

    /// Stops the current run and waits for its end.
    fn stops(&self) {
        let stopped = self.json(200, "POST /api/v1/run/stop?wait=1", &Value::Null);
        assert_eq!(stopped, json!({ "state": "stopped" }));
    }

    /// Ctrl-C, and the end.
    fn ends(self) -> Finished {
        self.run.interrupt();
        self.run.finish()
    }
}

/// Writes bytes and reads whatever comes until the end.
fn raw(mut stream: impl Read + Write, bytes: &[u8]) -> String {
    stream.write_all(bytes).unwrap();
    let mut all = Vec::new();
    // A server that refuses may reset the connection.
    let _ = stream.read_to_end(&mut all);
    String::from_utf8_lossy(&all).into_owned()
}
