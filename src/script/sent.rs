//! What a request was sent with, for scripts that ask: `r.request`.
//!
//! Kept only where a script of the bundle asks for it, so that the others do not pay.

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use rhai::{Dynamic, Map};

use super::bundle::Bundle;
use super::client::Client;
use crate::http::{Request, Url};

/// A request as it was sent, before any redirect.
pub(super) struct Sent {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Sent {
    /// What is about to be sent, if scripts ask for it.
    pub(super) fn if_asked(client: &Client, request: &Request) -> Option<Box<Sent>> {
        client
            .user
            .class
            .keeps_requests
            .then(|| Sent::of(client, request))
    }

    fn of(client: &Client, request: &Request) -> Box<Sent> {
        Box::new(Sent {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: client.channel.session.headers_for(request),
            body: request.body.clone(),
        })
    }

    /// `#{ method, url, headers, body }`; the body is text, or bytes if it is none.
    pub(super) fn map(&self) -> Map {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => text.to_owned().into(),
            Err(_) => Dynamic::from_blob(self.body.to_vec()),
        };
        let mut map = Map::new();
        map.insert("method".into(), self.method.as_str().to_owned().into());
        map.insert("url".into(), self.url.to_string().into());
        map.insert("headers".into(), joined(&self.headers).into());
        map.insert("body".into(), body);
        map
    }
}

/// All headers; those of one name are joined by `, `.
pub(super) fn joined(headers: &HeaderMap) -> Map {
    let mut map = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        map.insert(name.as_str().into(), values.join(", ").into());
    }
    map
}

/// Whether a script of the bundle may read `.request` of something.
pub(super) fn asked_for(bundle: &Bundle) -> bool {
    bundle.files().iter().any(|file| reads_request(&file.text))
}

/// Looks for `.request` that is not called, whatever it is of: a comment costs a little, a
/// property that was overlooked would be wrong.
fn reads_request(text: &str) -> bool {
    text.match_indices("request").any(|(at, word)| {
        let before = text[..at].trim_end();
        let after = &text[at + word.len()..];
        let goes_on = after.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        before.ends_with('.') && !goes_on && !after.trim_start().starts_with('(')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_property_counts() {
        for text in [
            "r.request",
            "r.request.url",
            "r\n  . request;",
            "r?.request",
        ] {
            assert!(reads_request(text), "{text}");
        }
        for text in [
            "this.client.request(\"GET\", \"/\")",
            "c.request (\"GET\", \"/\")",
            "on(\"request\", f)",
            "r.requests",
            "my_request",
        ] {
            assert!(!reads_request(text), "{text}");
        }
    }
}
