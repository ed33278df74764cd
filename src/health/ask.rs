//! Asking a process on this machine, as `katydid health` does: in an image there is no `curl`.
//!
//! Owns the question and reading the answer.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that is read of it.
const LONGEST: u64 = 4_096;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Does it move, or should it be started again?
    Alive,
    /// Does it move, and can it do what it is there for?
    Ready,
}

impl Question {
    fn path(self) -> &'static str {
        match self {
            Question::Alive => "/livez",
            Question::Ready => "/readyz",
        }
    }

    pub(super) fn at(path: &str) -> Option<Question> {
        let all = [Question::Alive, Question::Ready];
        all.into_iter().find(|question| question.path() == path)
    }
}

/// Asks whoever answers on this port of loopback: whether all is well, and what it says.
///
/// # Errors
/// When nobody answers, or something else than a Katydid does.
pub fn ask(port: u16, question: Question) -> io::Result<(bool, String)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let path = question.path();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    let parts = answer.split_once("\r\n\r\n");
    let status = answer.split(' ').nth(1);
    match (status, parts) {
        (Some(status @ ("200" | "503")), Some((_, text))) => {
            Ok((status == "200", text.trim().to_owned()))
        }
        _ => Err(io::Error::other("this is not the health port of a Katydid")),
    }
}
