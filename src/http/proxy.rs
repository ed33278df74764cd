//! A proxy between the users and their targets: its address, its credentials, its tunnels.
//!
//! Owns what is said to a proxy. A plain target's requests are sent to it in absolute form, which
//! is the connection's business; for TLS and HTTP/2 it opens a tunnel (`CONNECT`).

use std::fmt;
use std::rc::Rc;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::failure::Error;
use super::origin::Origin;
use super::request::basic_auth;
use super::url::{Base, UrlError};

/// The largest head of an answer to `CONNECT`.
const MAX_HEAD: usize = 64 * 1024;

/// A proxy that is spoken to by plain HTTP. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    shared: Rc<Parts>,
}

#[derive(PartialEq, Eq)]
struct Parts {
    origin: Origin,
    authorization: Option<HeaderValue>,
}

/// Why a text is no proxy that we can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// It is no URL.
    Url(UrlError),
    /// A scheme other than `http`.
    Scheme(Box<str>),
    /// There is more than an address.
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
    /// When it is no such URL; the text says what was probably meant.
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
            shared: Rc::new(Parts {
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

    /// Has the proxy connect to `target`: from then on `tcp` leads there.
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
        // The target speaks only when it is spoken to: nothing of it can follow yet.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > MAX_HEAD {
                return Err(Error::Proxy(Box::new(Error::HeadTooLarge)));
            }
            if tcp.read_buf(&mut head).await.map_err(of_proxy)? == 0 {
                return Err(Error::Proxy(Box::new(Error::ClosedEarly)));
            }
            // A refusal may have a body, which nobody reads.
            if let Some(refusal) = refusal(&head) {
                return Err(refusal);
            }
        }
        Ok(())
    }
}

/// The error that an answer to `CONNECT` stands for, once its first line is there; `None` for a
/// success.
fn refusal(head: &[u8]) -> Option<Error> {
    let end = head.iter().position(|&byte| byte == b'\n')?;
    let line = String::from_utf8_lossy(&head[..end]);
    let mut words = line.trim_end().splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|status| status.parse::<u16>().ok());
    match status {
        Some(200..300) if version.starts_with("HTTP/1.") => None,
        Some(status) if version.starts_with("HTTP/1.") => {
            let reason = words.next().filter(|reason| !reason.is_empty());
            let reason = reason.or_else(|| StatusCode::from_u16(status).ok()?.canonical_reason());
            Some(Error::Tunnel(status, reason.unwrap_or_default().into()))
        }
        _ => Some(Error::Proxy(Box::new(Error::NotHttp))),
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
        assert_eq!(refusal(b"HTTP/1.1 200"), None);
        assert_eq!(refusal(b"HTTP/1.0 200 Connection established\r\n"), None);
        assert_eq!(
            refusal(b"HTTP/1.1 407 \r\nx: y\r\n\r\nbody"),
            Some(Error::Tunnel(407, "Proxy Authentication Required".into()))
        );
        assert_eq!(
            refusal(b"SSH-2.0-x\r\n"),
            Some(Error::Proxy(Box::new(Error::NotHttp)))
        );
    }
}
