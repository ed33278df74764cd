//! A second, lenient reading of a head that hyper refused: with more lines, folded ones, and an
//! explanation of what is wrong.
//!
//! Owns the second attempt and finding the faulty line. Only such responses pay for it, and the
//! connection stays as usable as any other.

use std::pin::pin;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::http::response::Parts;

use super::connection::{Body, Bounds, Connection};
use super::failure::Error;

/// How much of a line or a name is shown, in characters.
const MOST_SHOWN: usize = 40;

/// Reads the head that `connection` could not read, and what follows it, as
/// [`Connection::exchange`] does, which tells what `keep` and `received` are. Returns the
/// connection and the outcome.
///
/// hyper needs a request to read a response. This one goes nowhere (see `ReplayStream`), and only
/// its method matters: a response to HEAD has no body.
///
/// # Errors
/// When there is no second attempt.
#[cold]
pub(super) async fn again<H>(
    connection: Box<Connection>,
    method: &Method,
    keep: impl Fn(Parts) -> H,
    bounds: &Bounds<'_>,
    received: &mut u64,
) -> Result<(Box<Connection>, Result<(H, Body), Error>), Error> {
    let (mut connection, bytes) = connection.lenient().await?;
    let mut dummy = hyper::Request::new(Full::new(Bytes::new()));
    dummy.method_mut().clone_from(method);
    let written = connection.notes().take_written();
    let head = pin!(connection.take(dummy));
    let mut result = connection.exchange(head, keep, bounds, received).await;
    connection.notes().set_written(written);
    if let Err(Error::Head(what)) = &mut result
        && let Some(fault) = faulty_line(&bytes)
    {
        *what = fault.into();
    }
    Ok((Box::new(connection), result))
}

/// What is wrong with the first line of a head that is not a header.
fn faulty_line(head: &[u8]) -> Option<String> {
    let mut lines = head.split_inclusive(|byte| *byte == b'\n').skip(1);
    lines.find_map(|line| {
        let is_whole = line.ends_with(b"\n");
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        fault_of(line.strip_suffix(b"\r").unwrap_or(line), is_whole)
    })
}

fn fault_of(line: &[u8], is_whole: bool) -> Option<String> {
    // A blank before the colon is accepted, as in curl.
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return (is_whole && !line.is_empty() && !is_blank(line[0]))
            .then(|| format!("the line `{}` has no colon", shown(line)));
    };
    let (name, value) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
    if name.first().is_none_or(|first| is_blank(*first)) {
        return name.is_empty().then(|| "a header has no name".to_owned());
    }
    if hyper::header::HeaderName::from_bytes(name).is_err() {
        return Some(format!(
            "the name of the header `{}` has a blank or an odd byte",
            shown(name)
        ));
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    value.iter().any(is_control).then(|| {
        format!(
            "the value of the header `{}` has a control character",
            shown(name)
        )
    })
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut start: String = text.chars().take(MOST_SHOWN).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start.escape_debug().to_string()
}
