//! The target seen from outside, over sockets: every route, its refusals, and its counts.
//!
//! Uses a blocking client of a few lines, so as not to rely on Katydid's own.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Options, Target};

/// Only to fail instead of hanging: nothing here takes a hundredth of this.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(threads: usize, stock: u64) -> Target {
    let options = Options {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        threads,
        stock,
    };
    Target::start(options).expect("a free port")
}

/// One keep-alive connection.
struct Client(BufReader<TcpStream>);

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Client {
    fn connect(target: &Target) -> Client {
        let stream = TcpStream::connect(target.address()).expect("the target listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        Client(BufReader::new(stream))
    }

    fn write(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: target\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        let stream = self.0.get_mut();
        stream
            .write_all(request.as_bytes())
            .expect("the target reads");
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.write(method, path, headers, body);
        self.read(method).expect("an answer")
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    fn post(&mut self, path: &str, token: &str) -> Answer {
        let headers = format!("Authorization: Bearer {token}\r\n");
        self.send("POST", path, &headers, "")
    }

    fn login(&mut self, user: &str) -> String {
        let body = json!({ "user": user, "password": "secret" }).to_string();
        let answer = self.send("POST", "/login", "", &body);
        assert_eq!(answer.status, 200);
        answer.json()["token"].as_str().expect("a token").to_owned()
    }

    fn read(&mut self, method: &str) -> io::Result<Answer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let status = lines[0].split(' ').nth(1).expect("a status line");
        let headers = lines[1..].iter().map(|line| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_owned(), value.to_owned())
        });
        let mut answer = Answer {
            status: status.parse().expect("a number"),
            headers: headers.collect(),
            body: Vec::new(),
        };
        let bodiless = method == "HEAD" || matches!(answer.status, 204 | 304);
        if !bodiless {
            let length = answer.header("content-length").parse().expect("a length");
            answer.body = vec![0; length];
            self.0.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

#[test]
fn one_connection_takes_many_requests_and_they_are_counted() {
    let target = start(2, 1);
    let mut client = Client::connect(&target);
    for _ in 0..3 {
        let answer = client.get("/hello");
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, &b"Hello, world!\n"[..])
        );
    }
    client.get("/nowhere?x=1");
    let expected = json!({
        "total": 4, "by_path": { "/hello": 3, "other": 1 }, "connections": 1, "open": 1,
    });
    assert_eq!(client.get("/requests").json(), expected);
    assert_eq!(client.get("/requests").json(), expected);
    assert_eq!(target.counts().total, 4);
    assert_eq!(client.send("POST", "/reset", "", "").status, 204);
    assert_eq!(target.counts().total, 0);
    target.stop();
}

#[test]
fn refuses_what_it_does_not_know() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/hello/there", 404),
        ("POST", "/hello", 405),
        ("GET", "/login", 405),
        ("DELETE", "/coupons", 405),
        ("GET", "/delay/soon", 400),
        ("GET", "/delay/60001", 400),
        ("GET", "/delay/-1", 400),
        ("GET", "/delay/+1", 400),
        ("GET", "/delay/", 400),
        ("GET", "/status/199", 400),
        ("GET", "/status/600", 400),
        ("GET", "/bytes/100000001", 400),
        ("GET", "/bytes/99999999999999999999999", 400),
        ("GET", "/cut/0", 400),
        ("GET", "/redirect/x", 400),
        ("GET", "/stream/1000001", 400),
        ("GET", "/stream/1?delay=60001", 400),
        ("GET", "/redirect/1?status=200", 400),
        ("GET", "/cookies/set?a=b%3Bc", 400),
        ("POST", "/login", 400),
    ] {
        let answer = client.send(method, path, "", "");
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.json()["error"].is_string(), "{method} {path}");
    }
    assert_eq!(
        client.send("POST", "/hello", "", "").header("allow"),
        "GET, HEAD"
    );
    target.stop();
}

#[test]
fn head_gives_the_headers_alone() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    assert_eq!(
        client
            .send("HEAD", "/hello", "", "")
            .header("content-length"),
        "14"
    );
    let answer = client.send("HEAD", "/bytes/70000", "", "");
    assert_eq!(answer.header("content-length"), "70000");
    // The connection is still in step.
    assert_eq!(client.get("/hello").status, 200);
    target.stop();
}

#[test]
fn answers_as_asked() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    assert_eq!(client.get("/delay/1").body, b"1 ms\n");
    for status in [200, 204, 304, 404, 418, 503, 599] {
        assert_eq!(client.get(&format!("/status/{status}")).status, status);
    }
    for length in [0, 1, 65_536, 65_537, 1_000_000] {
        assert_eq!(
            client.get(&format!("/bytes/{length}")).body,
            vec![b'k'; length]
        );
    }
    let answer = client.send("PUT", "/echo?a=1", "", "{\"b\":2}");
    let expected = json!({ "method": "PUT", "query": "a=1", "body": "{\"b\":2}" });
    assert_eq!(answer.json(), expected);
    let answer = client.send("GET", "/headers", "X-Two: a\r\nx-two: b\r\n", "");
    assert_eq!(answer.json()["headers"]["x-two"], "a, b");
    assert_eq!(client.get("/text").body, super::text::TEXT.as_bytes());
    let answer = client.send("GET", "/text", "Accept-Encoding: gzip, br;q=0\r\n", "");
    assert_eq!(answer.header("content-encoding"), "gzip");
    target.stop();
}

#[test]
fn anything_shows_the_request_and_what_its_body_means() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let shown = client
        .send("PUT", "/anything/a?b=1&b=2", form, "c=3")
        .json();
    let fields = ["method", "path", "version", "body"].map(|name| shown[name].clone());
    assert_eq!(fields, ["PUT", "/anything/a", "1.1", "c=3"]);
    assert_eq!(shown["query"], json!({ "b": ["1", "2"] }));
    assert_eq!(shown["form"], json!({ "c": "3" }));
    assert_eq!(shown["headers"]["host"], "target");
    let shown = client.send("POST", "/anything", "", "{\"a\":[1]}").json();
    assert_eq!(shown["json"], json!({ "a": [1] }));
    let multipart = "Content-Type: multipart/form-data; boundary=b\r\n";
    assert_eq!(client.send("POST", "/anything", multipart, "x").status, 400);
    target.stop();
}

#[test]
fn lines_come_one_by_one() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    client.write("GET", "/stream/3?delay=1", "", "");
    let mut received = String::new();
    while !received.ends_with("0\r\n\r\n") {
        assert!(client.0.read_line(&mut received).expect("not the end yet") > 0);
    }
    let (_, body) = received.split_once("\r\n\r\n").expect("a whole head");
    let chunk = |number| format!("7\r\nline {number}\n\r\n");
    assert_eq!(body, chunk(1) + &chunk(2) + &chunk(3) + "0\r\n\r\n");
    // The connection is still in step.
    assert_eq!(client.get("/hello").status, 200);
    target.stop();
}

#[test]
fn redirects_hop_by_hop() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    let answer = client.get("/redirect/2");
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, "/redirect/1")
    );
    let answer = client.get("/redirect/1?status=307");
    let location = "/redirect/0?status=307";
    assert_eq!((answer.status, answer.header("location")), (307, location));
    assert_eq!(client.get(location).status, 200);
    assert_eq!(
        client.get("/redirect/loop").header("location"),
        "/redirect/loop"
    );
    target.stop();
}

#[test]
fn cookies_go_both_ways() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    let answer = client.get("/cookies/set?a=1&b=x%3Dy");
    let set = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let set = set.map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    assert_eq!(set, ["a=1; Path=/", "b=x=y; Path=/"]);
    let answer = client.send(
        "GET",
        "/cookies",
        "Cookie: a=1; b=x=y\r\nCookie: c=\r\n",
        "",
    );
    assert_eq!(
        answer.json(),
        json!({ "cookies": { "a": "1", "b": "x=y", "c": "" } })
    );
    target.stop();
}

#[test]
fn the_form_wants_its_token_back_and_a_user_that_may_log_in() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    let mut page = || {
        let answer = client.get("/form");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        let cookie = answer.header("set-cookie").to_owned();
        let token = cookie
            .strip_prefix("csrf=")
            .and_then(|rest| rest.split_once(';'));
        let token = token.expect("a cookie with attributes").0.to_owned();
        let page = String::from_utf8(answer.body).expect("a page is text");
        let field = format!("<input type=\"hidden\" name=\"csrf\" value=\"{token}\">");
        assert!(page.contains(&field), "{page}");
        token
    };
    let (token, other) = (page(), page());
    assert_ne!(token, other, "each page has a token of its own");
    let mut submit = |cookie: &str, body: &str| {
        let headers =
            format!("Cookie: {cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
        let answer = client.send("POST", "/form", &headers, body);
        let page = String::from_utf8(answer.body).expect("a page is text");
        let title = page
            .split_once("<h1>")
            .and_then(|(_, rest)| rest.split_once("</h1>"));
        (answer.status, title.expect("a headline").0.to_owned())
    };
    let right = format!("csrf={token}&user=a%20b&password=secret");
    let cookie = format!("csrf={token}");
    assert_eq!(submit(&cookie, &right), (200, "Welcome".to_owned()));
    let among_others = format!("a=1; {cookie}; b=2");
    assert_eq!(submit(&among_others, &right).0, 200);
    let refused = (403, "wrong token".to_owned());
    assert_eq!(submit(&format!("csrf={other}"), &right), refused);
    assert_eq!(submit("a=1", &right), refused);
    assert_eq!(submit("csrf=", "csrf=&user=a&password=secret"), refused);
    assert_eq!(submit(&cookie, "user=a&password=secret"), refused);
    for wrong in ["user=a&password=guess", "password=secret", "user=a"] {
        let body = format!("csrf={token}&{wrong}");
        let (status, what) = submit(&cookie, &body);
        assert_eq!(
            (status, what.as_str()),
            (401, "wrong user or password"),
            "{body}"
        );
    }
    assert_eq!(client.send("DELETE", "/form", "", "").status, 405);
    target.stop();
}

#[test]
fn a_cut_body_ends_in_the_middle() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    client.write("GET", "/cut/1000", "", "");
    let mut received = Vec::new();
    // The kernel decides whether this is seen as an end or as a reset.
    let _ = client.0.read_to_end(&mut received);
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    assert_eq!(received.len() - head.expect("a whole head") - 4, 500);
    target.stop();
}

#[test]
fn a_stalled_request_ends_with_its_client_or_with_the_target() {
    let target = start(2, 1);
    let mut leaver = Client::connect(&target);
    leaver.write("GET", "/stall", "", "");
    let mut stayer = Client::connect(&target);
    stayer.write("GET", "/stall", "", "");
    let mut watcher = Client::connect(&target);
    let mut until = |field: &str, expected: u64| {
        let patience = Instant::now() + PATIENCE;
        while watcher.get("/requests").json()[field] != expected {
            assert!(
                Instant::now() < patience,
                "{field} does not become {expected}"
            );
        }
    };
    until("total", 2);
    until("open", 3);
    drop(leaver);
    until("open", 2);
    target.stop();
    assert!(stayer.read("GET").is_err());
}

#[test]
fn a_coupon_needs_a_login() {
    let target = start(1, 1);
    let mut client = Client::connect(&target);
    for body in [
        "{}",
        "[]",
        "{\"user\":\"mia\",\"password\":\"guess\"}",
        "{\"user\":\"mia\"}",
    ] {
        assert_eq!(
            client.send("POST", "/login", "", body).status,
            401,
            "{body}"
        );
    }
    assert_eq!(client.post("/coupons/1/issue", "0").status, 401);
    assert_eq!(client.send("POST", "/coupons/1/issue", "", "").status, 401);
    let token = client.login("mia");
    assert_eq!(client.post("/coupons/9/issue", &token).status, 404);
    assert_eq!(client.post("/coupons/one/issue", &token).status, 400);
    let answer = client.post("/coupons/2/issue", &token);
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.json(),
        json!({ "serial": 1, "coupon": 2, "left": 0 })
    );
    let answer = client.post("/coupons/2/issue", &token);
    assert_eq!(
        (answer.status, answer.json()),
        (409, json!({ "error": "sold out" }))
    );
    assert_eq!(client.get("/coupons").json()["coupons"][1]["left"], 0);
    client.send("POST", "/reset", "", "");
    assert_eq!(client.get("/coupons").json()["coupons"][1]["left"], 1);
    assert_eq!(client.post("/coupons/2/issue", &token).json()["serial"], 2);
    assert_eq!(client.post("/logout", &token).status, 204);
    assert_eq!(client.post("/logout", &token).status, 401);
    assert_eq!(client.post("/coupons/1/issue", &token).status, 401);
    target.stop();
}

#[test]
fn sixteen_at_once_get_exactly_the_stock() {
    const STOCK: usize = 100;
    let target = start(2, STOCK as u64);
    let serials = thread::scope(|scope| {
        let shoppers = (0..16).map(|shopper| {
            let mut client = Client::connect(&target);
            scope.spawn(move || {
                let token = client.login(&format!("user-{shopper}"));
                let mut serials = Vec::new();
                loop {
                    let answer = client.post("/coupons/1/issue", &token);
                    if answer.status != 201 {
                        assert_eq!(answer.status, 409);
                        return serials;
                    }
                    serials.push(answer.json()["serial"].as_u64().expect("a serial"));
                }
            })
        });
        let shoppers = shoppers.collect::<Vec<_>>();
        let serials = shoppers
            .into_iter()
            .flat_map(|shopper| shopper.join().expect("no panic"));
        serials.collect::<Vec<_>>()
    });
    assert_eq!(serials.len(), STOCK);
    assert_eq!(serials.iter().collect::<HashSet<_>>().len(), STOCK);
    // Each of the sixteen was refused once.
    let counts = target.counts();
    assert_eq!(counts.by_path["/coupons/:id/issue"], STOCK as u64 + 16);
    assert_eq!(counts.connections, 16);
    target.stop();
}

#[test]
fn a_taken_port_is_an_error() {
    let target = start(1, 1);
    let options = Options {
        address: target.address(),
        ..Options::default()
    };
    let second = Target::start(options).map(|second| second.address());
    assert_eq!(
        second.map_err(|error| error.kind()),
        Err(io::ErrorKind::AddrInUse)
    );
    target.stop();
}
