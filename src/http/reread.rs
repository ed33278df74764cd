//! A head that hyper refused, read again: with more lines, folded ones, and with words for what is
//! wrong.
//!
//! Owns the second try and naming the faulty line. Only such responses pay for it; the connection
//! that it leaves is as good as any other.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;

use super::connection::Connection;
use super::failure::Error;
use super::io::Notes;

/// The most characters that are shown of a line or a name.
const MOST_SHOWN: usize = 40;

/// What is left of the first try.
pub(super) struct Reread {
    bytes: Bytes,
    written: u64,
}

/// The connection before the head that it could not read, a request that hyper needs to read one,
/// and what is to be finished after its exchange.
///
/// That request goes nowhere (see `Unread`), and only its method matters: there is no body after
/// HEAD.
#[cold]
pub(super) async fn again(
    connection: Box<Connection>,
    method: &Method,
) -> Result<(Box<Connection>, hyper::Request<Full<Bytes>>, Reread), Error> {
    let (connection, bytes) = connection.lenient().await?;
    let mut message = hyper::Request::new(Full::new(Bytes::new()));
    message.method_mut().clone_from(method);
    let written = connection.notes().take_written();
    let reread = Reread { bytes, written };
    Ok((Box::new(connection), message, reread))
}

impl Reread {
    /// Puts right what was counted meanwhile, and says which line was at fault.
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
