//! One request as the script describes it.
//!
//! Headers common to all requests (host, user agent, session headers, cookies) are added when it is
//! sent.

use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method};

use super::url::Url;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method; sent as it is.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The request's own headers. They win over the session's and over the defaults; a `Cookie`
    /// here replaces the jar's.
    pub headers: HeaderMap,
    /// The body; empty for none. Clones share it. It is copied once, into hyper's buffer, on a
    /// connection that was opened for a request with a body of at most 16 KiB; else not at all.
    pub body: Bytes,
    /// The limit for the whole exchange, redirects and retries included.
    pub timeout: Option<Duration>,
    /// Whether redirects are followed; otherwise the redirect is the response.
    pub allow_redirects: bool,
    /// Whether the session's cookies are sent and the response's are stored.
    pub cookies: bool,
    /// Whether the response is returned with its head, and its body read as it arrives
    /// ([`Response::take_body`](super::Response::take_body)).
    pub stream: bool,
}

impl Request {
    /// A request without headers and body that follows redirects and uses cookies.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Request {
        Request {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: None,
            allow_redirects: true,
            cookies: true,
            stream: false,
        }
    }
}

/// The value of an `Authorization` header for basic authentication (RFC 7617, UTF-8), marked as
/// sensitive.
#[must_use]
pub fn basic_auth(user: &str, password: &str) -> HeaderValue {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let mut value =
        HeaderValue::try_from(format!("Basic {encoded}")).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_auth_is_rfc_7617() {
        // The example of section 2, and the one of section 2.1 with UTF-8.
        assert_eq!(
            basic_auth("Aladdin", "open sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(basic_auth("test", "123\u{a3}"), "Basic dGVzdDoxMjPCow==");
        assert!(basic_auth("a", "b").is_sensitive());
    }
}
