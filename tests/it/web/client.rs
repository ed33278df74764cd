//! A client of HTTP/1.1 in a few lines: it sends what it is told, and reads one answer at a time.
//!
//! Owns nothing of what is asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::tool::BOUND;

/// A connection.
pub(super) struct Client<S>(BufReader<S>);

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Client<TcpStream> {
    pub(super) fn new(stream: TcpStream) -> Client<TcpStream> {
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client(BufReader::new(stream))
    }
}

impl<S: Read + Write> Client<S> {
    pub(super) fn over(stream: S) -> Client<S> {
        Client(BufReader::new(stream))
    }

    /// Sends a request; `Host` and `Content-Length` are added where they are missing.
    pub(super) fn send(&mut self, request: &str, headers: &[&str], body: &[u8]) {
        let mut head = format!("{request} HTTP/1.1\r\n");
        let has = |name: &str| {
            let mut names = headers.iter().filter_map(|line| line.split_once(':'));
            names.any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        if !has("host") {
            head += "host: localhost\r\n";
        }
        if !has("content-length") && !body.is_empty() {
            head += &format!("content-length: {}\r\n", body.len());
        }
        for line in headers {
            head += line;
            head += "\r\n";
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        bytes.extend(body);
        // A server that refuses early may have closed already; its answer is there to be read.
        let _ = self.0.get_mut().write_all(&bytes);
    }

    /// The answer to a request with that method.
    pub(super) fn reply(&mut self, method: &str) -> Reply {
        let mut reply = self.head().expect("an answer");
        let length = reply.header("content-length");
        let length = length.map(|length| length.parse::<usize>().unwrap());
        if method == "HEAD" || matches!(reply.status, 204 | 304) {
            return reply;
        }
        match length {
            Some(length) => {
                reply.body.resize(length, 0);
                self.0.read_exact(&mut reply.body).unwrap();
            }
            None => {
                while let Some(chunk) = self.chunk() {
                    reply.body.extend(chunk);
                }
            }
        }
        reply
    }

    /// The head of an answer; `None` if the connection has ended.
    pub(super) fn head(&mut self) -> Option<Reply> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {first}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Reply {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// The next chunk of a body; `None` at its end.
    pub(super) fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(self.line()?.trim(), 16).unwrap();
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes).ok()?;
        bytes.truncate(length);
        (length > 0).then_some(bytes)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        let found = all.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {} `{}`", self.status, self.text());
        })
    }

    /// Fails unless it has that status.
    pub(super) fn status(self, expected: u16) -> Reply {
        assert_eq!(self.status, expected, "{}", self.text());
        self
    }
}
