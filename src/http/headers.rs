//! The headers that a request is sent with: its own, the session's, the defaults.
//!
//! Owns their precedence, and which of them may not follow a redirect to another origin.

use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, SET_COOKIE, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{HeaderMap, Method, Uri};

use super::failure::Error;
use super::origin::Origin;
use super::request::Request;
use super::url::Url;

const USER_AGENT_VALUE: HeaderValue =
    HeaderValue::from_static(concat!("katydid/", env!("CARGO_PKG_VERSION")));
const ACCEPT_ENCODING_VALUE: HeaderValue = HeaderValue::from_static("gzip, deflate, br");

/// `HeaderMap` panics soon above this; we add a few names of our own.
const MOST_NAMES: usize = 24_000;

/// Fills an empty map. With `is_foreign`, headers meant only for the first origin are left out.
///
/// # Errors
/// When there are too many headers.
pub(super) fn fill(
    map: &mut HeaderMap,
    origin: &Origin,
    own: &HeaderMap,
    session: Option<&HeaderMap>,
    is_foreign: bool,
) -> Result<(), Error> {
    let may_go = |name: &HeaderName| !is_foreign || !is_for_one_origin(name);
    if own.is_empty() && session.is_none_or(HeaderMap::is_empty) {
        map.append(HOST, origin.host_header().clone());
        map.append(USER_AGENT, USER_AGENT_VALUE);
        map.append(ACCEPT_ENCODING, ACCEPT_ENCODING_VALUE);
        return Ok(());
    }
    if own.keys_len() + session.map_or(0, HeaderMap::keys_len) > MOST_NAMES {
        return Err(Error::BadRequest);
    }
    let host = (own.get(HOST).filter(|_| !is_foreign))
        .or_else(|| session?.get(HOST).filter(|_| !is_foreign))
        .unwrap_or_else(|| origin.host_header());
    map.append(HOST, host.clone());
    for (name, value) in own {
        if name != HOST && may_go(name) {
            map.append(name, value.clone());
        }
    }
    for (name, value) in session.into_iter().flatten() {
        if name != HOST && !own.contains_key(name) && may_go(name) {
            map.append(name, value.clone());
        }
    }
    for (name, value) in [
        (USER_AGENT, USER_AGENT_VALUE),
        (ACCEPT_ENCODING, ACCEPT_ENCODING_VALUE),
    ] {
        map.entry(name).or_insert(value);
    }
    Ok(())
}

/// Announces an empty body where one is expected: some servers and proxies answer 411 otherwise
/// (RFC 9110, section 8.6). requests and Locust do the same; curl does for `-d ""`.
pub(super) fn say_empty(map: &mut HeaderMap, method: &Method) {
    if expects_body(method) && !map.contains_key(TRANSFER_ENCODING) {
        map.entry(CONTENT_LENGTH)
            .or_insert(const { HeaderValue::from_static("0") });
    }
}

fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn is_for_one_origin(name: &HeaderName) -> bool {
    name == AUTHORIZATION || name == COOKIE || name == PROXY_AUTHORIZATION || name == HOST
}

/// Whether a response sets cookies. Scanning its few names is cheaper than a lookup in the map.
pub(super) fn set_cookies(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| *name == SET_COOKIE)
}

/// How many of the bytes written are not body, to tell how much of a body was sent. Includes what
/// hyper adds. Without a body it does not matter, and is `u64::MAX`.
pub(super) fn head_length(
    body_length: usize,
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
) -> u64 {
    if body_length == 0 {
        return u64::MAX;
    }
    const AROUND_LINE: usize = "  HTTP/1.1\r\n".len();
    const AROUND_HEADER: usize = ": \r\n".len();
    let mut length = method.as_str().len() + url.path().as_str().len() + AROUND_LINE + "\r\n".len();
    for (name, value) in headers {
        length += name.as_str().len() + value.len() + AROUND_HEADER;
    }
    if !headers.contains_key(hyper::header::CONTENT_LENGTH) {
        length += "content-length".len() + AROUND_HEADER + body_length.to_string().len();
    }
    length as u64
}

/// The head of a request as HTTP/2 has it: the host is its authority, and the length of a body is
/// announced, as hyper does for HTTP/1. `None` if the host is invalid.
pub(super) fn message(mut headers: HeaderMap, request: &Request) -> Option<hyper::Request<()>> {
    let url = &request.url;
    let authority = headers.remove(HOST)?;
    let scheme = if url.origin().is_tls() {
        "https"
    } else {
        "http"
    };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority.as_bytes())
        .path_and_query(url.path().clone())
        .build()
        .ok()?;
    let length = request.body.len();
    if length > 0 {
        let entry = headers.entry(CONTENT_LENGTH);
        entry.or_insert_with(|| HeaderValue::from(length));
    }
    let mut message = hyper::Request::new(());
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = uri;
    *message.headers_mut() = headers;
    Some(message)
}

/// The length of a body as announced in its head.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::ACCEPT;

    use super::super::url::Base;
    use super::*;

    fn map(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    fn filled(own: &HeaderMap, session: &HeaderMap, is_foreign: bool) -> Vec<(String, String)> {
        let origin = Base::parse("http://a:1").unwrap().origin;
        let mut all = HeaderMap::new();
        fill(&mut all, &origin, own, Some(session), is_foreign).unwrap();
        all.iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn the_request_wins_over_the_session_and_that_over_the_defaults() {
        let own = map(&[(ACCEPT, "own")]);
        let session = map(&[(ACCEPT, "session"), (USER_AGENT, "session")]);
        let expected = [
            ("host", "a:1"),
            ("accept", "own"),
            ("user-agent", "session"),
            ("accept-encoding", "gzip, deflate, br"),
        ];
        let expected: Vec<(String, String)> = expected
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        assert_eq!(filled(&own, &session, false), expected);
    }

    #[test]
    fn credentials_stay_at_their_origin() {
        let own = map(&[(AUTHORIZATION, "x"), (HOST, "virtual")]);
        let session = map(&[(COOKIE, "y")]);
        let names = |is_foreign| -> Vec<String> {
            let all = filled(&own, &session, is_foreign);
            all.into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        };
        assert_eq!(
            names(false)[..3],
            ["host=virtual", "authorization=x", "cookie=y"]
        );
        assert_eq!(names(true)[0], "host=a:1");
        assert!(
            !names(true)
                .iter()
                .any(|name| name.starts_with("auth") || name.starts_with("cook"))
        );
    }
}
