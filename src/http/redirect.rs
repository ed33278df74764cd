//! What the next request of a chain of redirects is.
//!
//! Pure: a response's status and `Location` in, the next hop out.

use hyper::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, EXPECT,
    HeaderName, LOCATION, TRANSFER_ENCODING,
};
use hyper::{HeaderMap, Method, StatusCode};

use super::url::{Url, UrlError};

/// Headers that describe a body and are dropped with it.
const OF_BODY: [HeaderName; 7] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
    TRANSFER_ENCODING,
    EXPECT,
];

/// The next request of the chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) keeps_body: bool,
}

/// `None` if the response is not a redirect that can be followed.
///
/// As Locust and requests: 302 and 303 turn into a GET without a body (HEAD stays HEAD), and after
/// 301 a POST does, as with curl and browsers too: RFC 9110, section 15.4.2, allows it for the
/// sake of history. A PUT after 302 stays one with curl and browsers.
pub(super) fn next_hop(
    status: StatusCode,
    headers: &HeaderMap,
    method: &Method,
    url: &Url,
) -> Option<Result<Hop, UrlError>> {
    let becomes_get = match status {
        StatusCode::MOVED_PERMANENTLY => method == Method::POST,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        StatusCode::FOUND | StatusCode::SEE_OTHER => true,
        _ => return None,
    };
    let location = headers.get(LOCATION)?;
    // It leads nowhere: curl and requests return the response as it is.
    if location.as_bytes().trim_ascii().is_empty() {
        return None;
    }
    let next = url.join(location.as_bytes()).map(|url| Hop {
        method: if becomes_get && method != Method::HEAD {
            Method::GET
        } else {
            method.clone()
        },
        url,
        keeps_body: !becomes_get,
    });
    Some(next)
}

/// Removes the headers of a body that is not sent again: neither browsers nor curl nor requests
/// send a GET with the `Content-Type` of the form before it.
pub(super) fn without_body(headers: &mut HeaderMap) {
    for name in &OF_BODY {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::super::url::Base;
    use super::*;

    #[test]
    fn methods_and_bodies_change_as_elsewhere() {
        let url = Base::parse("http://a").unwrap().url("/x/y", &[]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("z"));
        let hop = |status: u16, method: &Method| {
            let status = StatusCode::from_u16(status).unwrap();
            let hop = next_hop(status, &headers, method, &url)?.unwrap();
            assert_eq!(hop.url.to_string(), "http://a/x/z");
            Some((hop.method, hop.keeps_body))
        };
        assert_eq!(hop(301, &Method::POST), Some((Method::GET, false)));
        for method in [Method::PUT, Method::DELETE, Method::HEAD] {
            assert_eq!(hop(301, &method), Some((method, true)));
        }
        for status in [307, 308] {
            assert_eq!(hop(status, &Method::POST), Some((Method::POST, true)));
        }
        for status in [302, 303] {
            assert_eq!(hop(status, &Method::POST), Some((Method::GET, false)));
            assert_eq!(hop(status, &Method::HEAD), Some((Method::HEAD, false)));
        }
        for status in [200, 300, 304, 305, 404] {
            assert_eq!(hop(status, &Method::GET), None);
        }
        assert!(next_hop(StatusCode::FOUND, &HeaderMap::new(), &Method::GET, &url).is_none());
    }
}
