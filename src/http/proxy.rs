//! A proxy between the users and their targets: its address, its credentials, its tunnels.
//!
//! Owns what is sent to a proxy: requests in absolute form for plain targets, and a tunnel
//! (`CONNECT`) for TLS and HTTP/2.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderValue, PROXY_AUTHORIZATION};
use hyper::{StatusCode, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::failure::Error;
use super::origin::Origin;
use super::request::basic_auth;
use super::url::{Base, Url, UrlError};

/// The largest head of an answer to `CONNECT`.
const MAX_HEAD: usize = 64 * 1024;

/// How much of a proxy's reason for a refusal is shown, in characters.
const SHOWN_CHARS: usize = 200;

/// A proxy reached by plain HTTP. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    shared: Rc<ProxyParts>,
}

#[derive(PartialEq, Eq)]
struct ProxyParts {
    origin: Origin,
    authorization: Option<HeaderValue>,
}

/// Why a text is not a proxy that we can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// It is not a URL.
    Url(UrlError),
    /// A scheme other than `http`.
    Scheme(Box<str>),
    /// It has more than an address.
    Path,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyError::Url(error) => error.fmt(f),
            ProxyError::Scheme(scheme) => write!(
                f,
                "a proxy of scheme `{scheme}` is not supported (use `http://host:port`, which carries https too)"
            ),
            ProxyError::Path => f.write_str("a proxy is an address without a path"),
        }
    }
}

impl std::error::Error for ProxyError {}

impl Proxy {
    /// Reads `http://user:password@host:port`; without a port it is 80.
    ///
    /// # Errors
    /// When it is not such a URL; the message says what was probably meant.
    pub fn parse(text: &str) -> Result<Proxy, ProxyError> {
        if let Some((scheme, _)) = text.split_once("://")
            && !scheme.eq_ignore_ascii_case("http")
        {
            return Err(ProxyError::Scheme(scheme.into()));
        }
        let base = Base::parse(text).map_err(ProxyError::Url)?;
        if !matches!(base.path(), "" | "/") {
            return Err(ProxyError::Path);
        }
        let authorization = base
            .credentials()
            .map(|(user, password)| basic_auth(user, password));
        Ok(Proxy {
            shared: Rc::new(ProxyParts {
                origin: base.origin,
                authorization,
            }),
        })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// The value of `Proxy-Authorization`.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.shared.authorization.as_ref()
    }

    /// Asks the proxy to connect `tcp` to `target`.
    pub(super) async fn tunnel(&self, tcp: &mut TcpStream, target: &Origin) -> Result<(), Error> {
        let of_proxy = |error| Error::Proxy(Box::new(Error::from_io(&error)));
        let target = target.host_and_port();
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
        if let Some(authorization) = self.authorization() {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        tcp.write_all(&request).await.map_err(of_proxy)?;
        let mut head = Vec::new();
        let mut read = 0;
        loop {
            // Peeked at first, so that nothing behind the head is consumed: that belongs to the
            // target.
            let mut ahead = [0; 1_024];
            let length = tcp.peek(&mut ahead).await.map_err(of_proxy)?;
            if length == 0 {
                return Err(Error::Proxy(Box::new(Error::ClosedEarly)));
            }
            let searched = head.len().saturating_sub(END_LESS_ONE);
            let known = head.len();
            head.extend_from_slice(&ahead[..length]);
            let end = head_end(&head[searched..]).map(|end| searched + end);
            head.truncate(end.unwrap_or(head.len()));
            let taken = &mut ahead[..head.len() - known];
            read += tcp.read_exact(taken).await.map_err(of_proxy)?;
            // A refusal may have a body, which is not read.
            match (status_of(&head), end) {
                (Some(refusal @ Err(_)), _) => return refusal.map(drop),
                (Some(Ok(status)), Some(_)) if status < 200 => head.clear(),
                (Some(Ok(_)), Some(_)) => return Ok(()),
                _ if read > MAX_HEAD => {
                    return Err(Error::Proxy(Box::new(Error::HeadTooLarge)));
                }
                _ => {}
            }
        }
    }
}

/// Turns a request into one for a proxy: the whole URL in its request line, and the proxy's
/// credentials unless the request brings its own. Returns how many bytes its head grows by.
#[cold]
pub(super) fn make_absolute(
    message: &mut hyper::Request<Full<Bytes>>,
    url: &Url,
    authorization: Option<&HeaderValue>,
) -> Result<u64, Error> {
    let mut grown = url.origin().to_string().len();
    // The path alone was short enough, and origins are checked: it can only be too long.
    *message.uri_mut() =
        Uri::try_from(url.to_string()).map_err(|_| Error::BadUrl(UrlError::TooLong))?;
    if let Some(authorization) = authorization
        && !message.headers().contains_key(PROXY_AUTHORIZATION)
    {
        grown += PROXY_AUTHORIZATION.as_str().len() + authorization.len() + ": \r\n".len();
        let headers = message.headers_mut();
        headers.insert(PROXY_AUTHORIZATION, authorization.clone());
    }
    Ok(grown as u64)
}

/// How many bytes of `\r\n\r\n` may have arrived with an earlier part.
const END_LESS_ONE: usize = 3;

/// Where a head ends, its empty line included. A line may end without a CR (RFC 9112, section
/// 2.2).
fn head_end(head: &[u8]) -> Option<usize> {
    let breaks = head.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    breaks.map(|(at, _)| at + 1).find_map(|next| {
        let rest = &head[next..];
        match rest {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        }
    })
}

/// The status of an answer to `CONNECT` once its first line is there, 1xx or 2xx; any other is
/// the error that it stands for.
fn status_of(head: &[u8]) -> Option<Result<u16, Error>> {
    let end = head.iter().position(|&byte| byte == b'\n')?;
    let line = String::from_utf8_lossy(&head[..end]);
    let mut words = line.trim_end().splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|status| status.parse::<u16>().ok());
    match status {
        // Switching to another protocol is not a valid answer here.
        Some(status @ (100 | 102..300)) if version.starts_with("HTTP/1.") => Some(Ok(status)),
        Some(status) if version.starts_with("HTTP/1.") => {
            let reason = words.next().filter(|reason| !reason.is_empty());
            let reason = reason.or_else(|| StatusCode::from_u16(status).ok()?.canonical_reason());
            let reason = reason.unwrap_or_default();
            let reason: String = reason.chars().take(SHOWN_CHARS).collect();
            Some(Err(Error::Tunnel(status, reason.into())))
        }
        _ => Some(Err(Error::Proxy(Box::new(Error::NotHttp)))),
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the credentials.
        fmt::Debug::fmt(&self.shared.origin, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_with_credentials() {
        let proxy = Proxy::parse("http://us%40er:pa%3Ass@[::1]:3128").unwrap();
        assert_eq!(proxy.origin().to_string(), "http://[::1]:3128");
        assert_eq!(proxy.authorization(), Some(&basic_auth("us@er", "pa:ss")));
        assert_eq!(format!("{proxy:?}"), "http://[::1]:3128");
        assert_eq!(Proxy::parse("http://p").unwrap().origin().port(), 80);
    }

    #[test]
    fn what_is_no_proxy_says_why() {
        let error = |text| Proxy::parse(text).unwrap_err().to_string();
        assert!(error("localhost:3128").contains("did you mean `http://localhost:3128`?"));
        assert!(error("https://p:1").contains("`https` is not supported"));
        assert!(error("socks5://p:1").contains("`socks5` is not supported"));
        assert!(error("http://p:1/x").contains("without a path"));
        assert!(error("http://").contains("not a URL"));
    }

    #[test]
    fn answers_to_connect() {
        assert_eq!(status_of(b"HTTP/1.1 200"), None);
        assert_eq!(
            status_of(b"HTTP/1.0 200 Connection established\r\n"),
            Some(Ok(200))
        );
        assert_eq!(status_of(b"HTTP/1.1 100 Continue\n"), Some(Ok(100)));
        assert_eq!(
            status_of(b"HTTP/1.1 407 \r\nx: y\r\n\r\nbody"),
            Some(Err(Error::Tunnel(
                407,
                "Proxy Authentication Required".into()
            )))
        );
        assert!(matches!(
            status_of(b"HTTP/1.1 101 x\r\n"),
            Some(Err(Error::Tunnel(101, _)))
        ));
        assert_eq!(
            status_of(b"SSH-2.0-x\r\n"),
            Some(Err(Error::Proxy(Box::new(Error::NotHttp))))
        );
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        assert_eq!(head_end(b"a\r\nb\r\n\r\nmore"), Some(8));
        assert_eq!(head_end(b"a\nb\n\nmore"), Some(5));
        assert_eq!(head_end(b"a\nb\n\r\nmore"), Some(6));
        assert_eq!(head_end(b"a\r\nb\r\n"), None);
        assert_eq!(head_end(b"a\r\nb\r\n\r"), None);
    }
}
