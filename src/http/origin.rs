//! Where a connection leads: scheme, host and port, or a Unix socket.
//!
//! Checked once, when a URL is read; names are never resolved here.

use std::fmt;
use std::path::Path;
use std::rc::Rc;

use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use url::Position;

use super::encoding::decode_percent;
use super::url::UrlError;

/// The scheme of a Unix socket.
pub(super) const UNIX: &str = "http+unix";

/// Scheme, host and port, or a Unix socket. Clones share it.
#[derive(Clone)]
pub struct Origin {
    shared: Rc<OriginParts>,
}

struct OriginParts {
    is_tls: bool,
    /// If it is a Unix socket, its path; the other fields then describe what it serves.
    socket: Option<Box<Path>>,
    /// Without the brackets of an IPv6 address.
    host: Box<str>,
    port: u16,
    host_header: HeaderValue,
    server_name: ServerName<'static>,
}

impl Origin {
    pub(super) fn from_parsed(parsed: &url::Url, text: &str) -> Result<Origin, UrlError> {
        let is_tls = match parsed.scheme() {
            "http" => false,
            "https" => true,
            UNIX => return Origin::of_socket(parsed, text),
            other => return Err(UrlError::Scheme(other.into())),
        };
        let invalid = |why: &str| UrlError::Invalid(text.into(), why.into());
        let host = parsed.host_str().ok_or_else(|| invalid("no host"))?;
        let port = parsed
            .port_or_known_default()
            .ok_or_else(|| invalid("no port"))?;
        let host_header = &parsed[Position::BeforeHost..Position::AfterPort];
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Origin {
            shared: Rc::new(OriginParts {
                is_tls,
                socket: None,
                host: bare.into(),
                port,
                host_header: HeaderValue::from_str(host_header)
                    .map_err(|_| invalid("the host can't be a header"))?,
                server_name: ServerName::try_from(bare.to_owned())
                    .map_err(|_| invalid("invalid domain name"))?,
            }),
        })
    }

    /// `http+unix://%2Frun%2Fapp.sock`, as in Python's requests-unixsocket. Its host name is
    /// `localhost`, as with curl's `--unix-socket`.
    fn of_socket(parsed: &url::Url, text: &str) -> Result<Origin, UrlError> {
        let invalid = |why: &str| UrlError::Invalid(text.into(), why.into());
        let path = decode_percent(parsed.host_str().unwrap_or_default());
        if path.is_empty() || parsed.port().is_some() {
            return Err(invalid(
                "the socket's path stands where a host does, its slashes as `%2F`",
            ));
        }
        Ok(Origin {
            shared: Rc::new(OriginParts {
                is_tls: false,
                socket: Some(Path::new(&path).into()),
                host: "localhost".into(),
                port: 80,
                host_header: HeaderValue::from_static("localhost"),
                server_name: ServerName::try_from("localhost")
                    .map_err(|_| invalid("invalid domain name"))?,
            }),
        })
    }

    /// The path of the Unix socket, if this is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.shared.socket.as_deref()
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(super) fn host_and_port(&self) -> String {
        let (host, port) = (self.host(), self.port());
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.shared.is_tls
    }

    /// The host's name or address, an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.shared.host
    }

    /// The port; the scheme's default if none was given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    pub(super) fn host_header(&self) -> &HeaderValue {
        &self.shared.host_header
    }

    pub(super) fn server_name(&self) -> &ServerName<'static> {
        &self.shared.server_name
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Origin) -> bool {
        let (a, b) = (&self.shared, &other.shared);
        let same_host = || a.is_tls == b.is_tls && a.port == b.port && a.host == b.host;
        Rc::ptr_eq(a, b) || (same_host() && a.socket == b.socket)
    }
}

impl Eq for Origin {}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.socket() {
            let path = path.to_string_lossy();
            return write!(
                f,
                "{UNIX}://{}",
                path.replace('%', "%25").replace('/', "%2F")
            );
        }
        f.write_str(if self.is_tls() { "https://" } else { "http://" })?;
        f.write_str(self.host_header().to_str().unwrap_or_default())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
