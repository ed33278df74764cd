//! Cookies that a server sets and a user does not keep, or keeps without ever sending them.
//!
//! Owns the reasons, their wording, and what browsers require beyond `cookie_store`'s rules. The
//! caller decides how they are reported.

use std::fmt;

use cookie_store::RawCookie;

/// Why a cookie is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its `Domain` is neither the host nor a parent domain of it.
    Domain,
    /// Name and value together have more than 4,096 bytes.
    TooLong,
    /// The prefix `__Host-` or `__Secure-` of its name promises what it does not keep.
    Prefix,
    /// It is `Secure`, but the request went over plain http and not to this machine.
    Secure,
    /// It has no name, or bytes that are not UTF-8.
    Malformed,
}

/// A cookie that is of no use. Does not contain its value, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCookie {
    /// Its name as far as it is known, shortened for display.
    pub name: Box<str>,
    /// Who set it.
    pub host: Box<str>,
    /// Why it is of no use.
    pub reason: Reason,
}

/// The most characters of a name.
const MOST_SHOWN: usize = 60;

impl RefusedCookie {
    pub(super) fn new(header: &[u8], host: &str, reason: Reason) -> RefusedCookie {
        // Without `=` the text may be the value.
        let end = header.iter().position(|byte| b"=;".contains(byte));
        let name = end
            .filter(|end| header[*end] == b'=')
            .map(|end| &header[..end]);
        let name = String::from_utf8_lossy(name.unwrap_or_default());
        RefusedCookie {
            name: name.trim().chars().take(MOST_SHOWN).collect(),
            host: host.into(),
            reason,
        }
    }
}

impl Reason {
    /// A different bit for each reason.
    #[must_use]
    pub fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for RefusedCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RefusedCookie { name, host, reason } = self;
        match &**name {
            "" => write!(f, "a cookie of {host} ")?,
            name => write!(f, "cookie `{name}` of {host} ")?,
        }
        f.write_str(match reason {
            Reason::Domain => "is refused: its `Domain` is another host's",
            Reason::TooLong => {
                "is refused: name and value have more than 4096 bytes, the most that browsers keep"
            }
            Reason::Prefix => {
                "is refused: a name with `__Secure-` needs `Secure`, one with `__Host-` also \
                 `Path=/` and no `Domain`"
            }
            Reason::Secure => {
                "is not sent back: it is `Secure`, and the host is asked over plain http"
            }
            Reason::Malformed => "is refused: it has no name, or is not UTF-8",
        })
    }
}

/// Whether `Secure` cookies may be sent there: over TLS or to this machine, as in browsers and
/// curl.
pub(super) fn is_trustworthy(url: &url::Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// Whether a cookie is what its name promises (RFC 6265bis, section 4.1.3), which browsers and curl
/// hold it to.
pub(super) fn keeps_its_prefix(cookie: &RawCookie<'_>) -> bool {
    let is_secure = cookie.secure() == Some(true);
    if cookie.name().starts_with("__Host-") {
        return is_secure && cookie.path() == Some("/") && cookie.domain().is_none();
    }
    !cookie.name().starts_with("__Secure-") || is_secure
}
