//! What a request was sent with, for scripts that read it: `r.request`.
//!
//! Kept only if a script of the bundle reads it, so that the others do not pay.

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use rhai::{Dynamic, Map};

use super::fields::header_text;
use crate::http::{Request, Session, Url};

/// A request as it was sent, before any redirect.
pub(crate) struct Sent {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Sent {
    /// What is about to be sent.
    pub(crate) fn of(session: &Session, request: &Request) -> Box<Sent> {
        Box::new(Sent {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: session.headers_for(request),
            body: request.body.clone(),
        })
    }

    /// `#{ method, url, headers, body }`; the body is text, or bytes if it is none.
    pub(crate) fn map(&self) -> Map {
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
pub(crate) fn joined(headers: &HeaderMap) -> Map {
    let mut map = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers.get_all(name).iter().map(header_text).collect();
        map.insert(name.as_str().into(), values.join(", ").into());
    }
    map
}
