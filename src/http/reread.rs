//! A head that hyper refused, read again: with more lines, folded ones, and with words for what is
//! wrong.
//!
//! Owns the second try and naming the faulty line. Only such responses pay for it; the connection
//! that it leaves is as good as any other.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::http::response::Parts;

use super::connection::{Body, Bounds, Connection};
use super::failure::Error;

/// The most characters that are shown of a line or a name.
const MOST_SHOWN: usize = 40;

/// What comes of an exchange on a connection that could not read the response's head, and the
/// connection from then on.
pub(super) async fn exchange(
    connection: Box<Connection>,
    method: &Method,
    bounds: &Bounds<'_>,
    received: &mut u64,
) -> Result<(Box<Connection>, Result<(Parts, Body), Error>), Error> {
    let (connection, bytes) = connection.lenient().await?;
    let mut connection = Box::new(connection);
    // hyper reads no response without a request. This one goes nowhere (see `Unread`), and only
    // its method matters: there is no body after HEAD.
    let mut message = hyper::Request::new(Full::new(Bytes::new()));
    message.method_mut().clone_from(method);
    let written = connection.notes().take_written();
    let head = std::pin::pin!(connection.take(message));
    let mut result = connection.exchange(head, bounds, received).await;
    connection.notes().set_written(written);
    if let Err(Error::Head(what)) = &mut result
        && let Some(fault) = faulty_line(&bytes)
    {
        *what = fault.into();
    }
    Ok((connection, result))
}

/// What is wrong with the first line of a head that is no header.
fn faulty_line(head: &[u8]) -> Option<String> {
    let mut lines = head.split_inclusive(|byte| *byte == b'\n').skip(1);
    lines.find_map(|line| {
        let is_whole = line.ends_with(b"\n");
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        fault_of(line.strip_suffix(b"\r").unwrap_or(line), is_whole)
    })
}

fn fault_of(line: &[u8], is_whole: bool) -> Option<String> {
    // Blank before a colon: taken, as by curl.
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
