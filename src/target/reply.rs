//! Putting answers together: a status, a content type and a body.
//!
//! Owns their form (errors are `{"error": …}`); `route` owns their contents.

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::Payload;

/// An answer to be sent.
pub(super) type Reply = Response<Payload>;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A text.
pub(super) fn text(body: impl Into<Payload>) -> Reply {
    with(StatusCode::OK, TEXT, body.into())
}

/// An HTML page.
pub(super) fn html(status: StatusCode, page: String) -> Reply {
    let mut reply = with(status, TEXT, Payload::Whole(page.into()));
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

/// A JSON document.
pub(super) fn json(status: StatusCode, document: &Value) -> Reply {
    let body = document.to_string();
    with(status, JSON, Payload::Whole(body.into()))
}

/// Bytes that mean nothing.
pub(super) fn binary(payload: Payload) -> Reply {
    with(StatusCode::OK, BINARY, payload)
}

/// `{"error": why}`.
pub(super) fn error(status: StatusCode, why: &str) -> Reply {
    json(status, &json!({ "error": why }))
}

/// A status without a body.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Payload::EMPTY);
    *reply.status_mut() = status;
    reply
}

/// A status, with a body that explains it if one is allowed.
pub(super) fn status(status: StatusCode) -> Reply {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return empty(status);
    }
    let reason = status.canonical_reason().unwrap_or("no name");
    let body = format!("{} {reason}\n", status.as_str());
    with(status, TEXT, Payload::Whole(body.into()))
}

/// A redirect to `location`.
pub(super) fn redirect(status: StatusCode, location: String) -> Reply {
    let mut reply = empty(status);
    let location = HeaderValue::try_from(location).expect("a path of ours is a header value");
    reply.headers_mut().insert(LOCATION, location);
    reply
}

/// 405 for a method that the route does not accept.
pub(super) fn wrong_method(allow: &'static str) -> Reply {
    let mut reply = error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

fn with(status: StatusCode, content_type: HeaderValue, payload: Payload) -> Reply {
    let mut reply = Response::new(payload);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}
