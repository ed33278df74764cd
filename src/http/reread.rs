//! A second, lenient reading of a head that hyper refused: with more lines, folded ones, and an
//! explanation of what is wrong.
//!
//! Owns the second attempt and finding the faulty line. Only such responses pay for it, and the
//! connection stays as usable as any other.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;

use super::connection::Connection;
use super::failure::Error;
use super::io::Notes;

/// How much of a line or a name is shown, in characters.
const MOST_SHOWN: usize = 40;

/// What the second attempt must restore or explain once it is over.
pub(super) struct LenientRetry {
    bytes: Bytes,
    written: u64,
}

/// Returns the connection rewound to the head it could not read, the dummy request that hyper needs
/// to read a response, and what to finish after its exchange.
///
/// That request goes nowhere (see `ReplayStream`), and only its method matters: a response to HEAD
/// has no body.
#[cold]
pub(super) async fn again(
    connection: Box<Connection>,
    method: &Method,
) -> Result<(Box<Connection>, hyper::Request<Full<Bytes>>, LenientRetry), Error> {
    let (connection, bytes) = connection.lenient().await?;
    let mut message = hyper::Request::new(Full::new(Bytes::new()));
    message.method_mut().clone_from(method);
    let written = connection.notes().take_written();
    let reread = LenientRetry { bytes, written };
    Ok((Box::new(connection), message, reread))
}

impl LenientRetry {
    /// Restores the byte counts and names the faulty line.
    #[cold]
    pub(super) fn finish<T>(self, notes: &Notes, result: &mut Result<T, Error>) {
        notes.set_written(self.written);
        if let Err(Error::Head(what)) = result
            && let Some(fault) = faulty_line(&self.bytes)
        {
            *what = fault.into();
        }
    }
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
