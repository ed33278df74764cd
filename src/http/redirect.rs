//! What the next request of a chain of redirects is.
//!
//! Pure: a response's status and `Location` in, the next hop out.

use hyper::header::LOCATION;
use hyper::{HeaderMap, Method, StatusCode};

use super::url::{Url, UrlError};

/// The next request of the chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) keeps_body: bool,
}

/// `None` if the response is not a redirect that can be followed.
///
/// As Locust's FastHttpUser: only 302 and 303 turn into a GET without a body; HEAD stays HEAD.
pub(super) fn next_hop(
    status: StatusCode,
    headers: &HeaderMap,
    method: &Method,
    url: &Url,
) -> Option<Result<Hop, UrlError>> {
    let becomes_get = match status {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => false,
        StatusCode::FOUND | StatusCode::SEE_OTHER => true,
        _ => return None,
    };
    let location = headers.get(LOCATION)?;
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

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::super::url::Base;
    use super::*;

    #[test]
    fn methods_and_bodies_follow_locust() {
        let url = Base::parse("http://a").unwrap().url("/x/y", &[]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("z"));
        let hop = |status: u16, method: &Method| {
            let status = StatusCode::from_u16(status).unwrap();
            let hop = next_hop(status, &headers, method, &url)?.unwrap();
            assert_eq!(hop.url.to_string(), "http://a/x/z");
            Some((hop.method, hop.keeps_body))
        };
        for status in [301, 307, 308] {
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
