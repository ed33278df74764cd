//! What Katydid makes of answers that are not plain, held against curl and Python's requests: one
//! table, `rows.json`, which also says why wherever we do not agree with both.
//!
//! `record.py` beside it asks curl (7.88) and requests (2.34) again; the test asks only us. An
//! outcome is the status and the body, or what the next request of the session sent; `error` is no
//! response, or one that cannot be read.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::Value;

use crate::peer::Peer;
use crate::tool::Tool;

const ROWS: &str = include_str!("rows.json");

/// The headers that the server says it was sent.
const ECHOED: [&str; 6] = [
    "content-length",
    "content-type",
    "cookie",
    "authorization",
    "x-own",
    "referer",
];

const SCRIPT: &str = r#"
fn outcome(r) {
    if r.status == 0 { return "error"; }
    let outcome = "error";
    try { outcome = `${r.status} ${r.text}`; } catch { }
    outcome
}
const ROWS = json_file("rows.json");
user("U", #{ t: task(|| {
    let row = ROWS.next();
    let options = #{ name: "row" };
    if row.method == "POST" { options.form = #{ a: "1" }; }
    if row.auth { options.auth = ["ann", "secret"]; }
    if row.headers != () { options.headers = row.headers; }
    if row.method == "HEAD" { options.allow_redirects = true; }
    let r = this.client.request(row.method, `/${row.number}`, options);
    let text = outcome(r);
    if row.then && text != "error" {
        text = `${r.status} ${this.client.get("/echo").text}`;
    }
    append("outcomes", `${row.number}|${text}`);
    this.client.cookies.clear();
}) });"#;

/// The server of the table, as in `record.py`.
struct Table {
    address: std::net::SocketAddr,
}

impl Peer for Table {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Table {
    fn open(answers: Vec<(String, bool)>) -> Table {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let port = address.port().to_string();
        let answers: Arc<Vec<_>> = Arc::new(
            answers
                .into_iter()
                .map(|(answer, ends)| (latin1(&answer.replace("{port}", &port)), ends))
                .collect(),
        );
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let answers = answers.clone();
                std::thread::spawn(move || serve(&connection, &answers));
            }
        });
        Table { address }
    }
}

/// Text whose letters stand for bytes.
fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|letter| u8::try_from(u32::from(letter)).unwrap())
        .collect()
}

/// Answers the rows with what they say, and all else with what came. It ends when the client does.
fn serve(mut connection: &TcpStream, answers: &[(Vec<u8>, bool)]) -> Option<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line).ok()? == 0 {
                return None;
            }
            let line: String = line.iter().map(|byte| char::from(*byte)).collect();
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            let mut headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
            headers.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        reader.read_exact(&mut vec![0; length]).ok()?;
        let mut words = lines[0].split(' ');
        let (method, path) = (words.next()?, words.next()?);
        if let Ok(number) = path[1..].parse::<usize>() {
            let (answer, ends) = &answers[number];
            connection.write_all(answer).ok()?;
            if *ends {
                return None;
            }
            continue;
        }
        let mut text = format!("{method} {path}");
        for name in ECHOED {
            if let Some(value) = header(name) {
                text += &format!(" {name}={value}");
            }
        }
        // The usual one has a port, which is another each time.
        if header("host") == Some("own.example") {
            text += " host=own.example";
        }
        let body = latin1(&text);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.write_all(head.as_bytes()).ok()?;
        if method != "HEAD" {
            connection.write_all(&body).ok()?;
        }
    }
}

#[test]
fn answers_are_taken_as_by_curl_and_requests_or_the_table_says_why_not() {
    let rows: Vec<Value> = serde_json::from_str(ROWS).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let answers = rows
        .iter()
        .map(|row| (text(row, "answer"), row["ends"] == true));
    let table = Table::open(answers.collect());
    let asked = rows.iter().enumerate().map(|(number, row)| {
        let method = row["method"].as_str().unwrap_or("GET");
        serde_json::json!({
            "number": number, "method": method, "auth": row["auth"] == true,
            "then": row["then"] == true, "headers": row["headers"],
        })
    });
    let asked: Vec<_> = asked.collect();
    let run = Tool::running(SCRIPT)
        .file("rows.json", serde_json::to_string(&asked).unwrap())
        .on(&table)
        .args(&format!("-u 1 --threads 1 -i {}", rows.len()))
        .run();
    let port = table.address.port().to_string();
    let outcomes = fs::read_to_string(run.path("outcomes")).unwrap();
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let line = outcomes
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{number}|")));
        let ours = line.unwrap_or("nothing").replace(&port, "{port}");
        let what = text(row, "what");
        if ours != text(row, "katydid") {
            wrong.push(format!("{number} {what}: {ours}, not {}", row["katydid"]));
        }
        let agrees = ours == text(row, "curl") && ours == text(row, "requests");
        if agrees == row["why"].is_string() {
            wrong.push(format!(
                "{number} {what}: says no reason for {ours}, or has one and needs none"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), run.stderr);
}
