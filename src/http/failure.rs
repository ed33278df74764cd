//! Why there is no response, in words that group well.
//!
//! The texts go into the error report, one row each: they name no local port, no address and no
//! time. Errors of the standard library, hyper and rustls are translated here and nowhere else.

use std::fmt;
use std::io;

use rustix::io::Errno;
use rustls::AlertDescription;

use super::url::UrlError;
use crate::certificates::{OWN_AUTHORITY, UNKNOWN_ISSUER, in_words};

/// Why an exchange has no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The URL of the request or of a redirect can't be used.
    BadUrl(UrlError),
    /// The host name does not resolve.
    Resolve(Box<str>),
    /// The connection was refused.
    Refused,
    /// No route to the host.
    Unreachable,
    /// A time limit was reached.
    TimedOut(Limit),
    /// The TLS handshake failed: what was wrong.
    Tls(Box<str>),
    /// The server's certificate was not accepted: why.
    Certificate(Box<str>),
    /// The connection ended before a response began.
    ClosedEarly,
    /// The server reset the connection.
    Reset,
    /// The server closed a kept-alive connection while the request was on its way, and the
    /// method may not be repeated.
    Stale,
    /// The connection ended in the middle of the body.
    BodyCutShort,
    /// The body does not match its headers: what is wrong.
    Body(&'static str),
    /// The body, as received or decoded, is larger than this many bytes.
    TooLarge(u64),
    /// The bodies of all users together are larger than this many bytes.
    BodyMemory(u64),
    /// The system is out of memory for the body.
    NoMemory,
    /// The response's head is larger than we accept.
    HeadTooLarge,
    /// The head of the response breaks a rule: which one.
    Head(Box<str>),
    /// The response is not HTTP/1.
    NotHttp,
    /// The server does not speak HTTP/2.
    NoHttp2,
    /// HTTP/2 failed: what was wrong.
    Http2(Box<str>),
    /// The proxy could not be reached.
    Proxy(Box<Error>),
    /// The proxy refused a tunnel: its status and reason.
    Tunnel(u16, Box<str>),
    /// More redirects than this.
    Redirects(u32),
    /// The process may not open another file.
    NoFileDescriptor,
    /// All local ports to this address are in use.
    NoPort,
    /// A header made from the request's own data is invalid.
    BadRequest,
    /// Anything else that the operating system reports.
    Io(io::ErrorKind),
}

/// Which time limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `connection_timeout`: DNS, TCP and TLS together.
    Connection,
    /// `network_timeout`: one wait for the server's next byte.
    Network,
    /// The request's own `timeout`, redirects and retries included.
    Request,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::BadUrl(error) => error.fmt(f),
            Error::Resolve(host) => write!(f, "host `{host}` could not be resolved"),
            Error::Refused => f.write_str("connection refused"),
            Error::Unreachable => f.write_str("host unreachable"),
            Error::TimedOut(Limit::Connection) => f.write_str("timed out while connecting"),
            Error::TimedOut(Limit::Network) => f.write_str("timed out waiting for the server"),
            Error::TimedOut(Limit::Request) => f.write_str("request timed out"),
            Error::Tls(what) => write!(f, "TLS handshake failed: {what}"),
            // Trusting an authority only helps if it is unknown.
            Error::Certificate(why) if [UNKNOWN_ISSUER, OWN_AUTHORITY].contains(&&**why) => write!(
                f,
                "certificate not accepted: {why} (trust it with `ca: \"file.pem\"`, or skip the check with `insecure: true`)"
            ),
            Error::Certificate(why) => write!(
                f,
                "certificate not accepted: {why} (skip the check with `insecure: true`)"
            ),
            Error::ClosedEarly => f.write_str("server closed the connection without a response"),
            Error::Reset => f.write_str("connection reset by the server"),
            Error::Stale => f.write_str(
                "kept-alive connection was closed by the server as the request was sent",
            ),
            Error::BodyCutShort => {
                f.write_str("server closed the connection in the middle of the body")
            }
            Error::Body(what) => write!(f, "invalid body: {what}"),
            Error::TooLarge(limit) => write!(f, "body larger than the limit of {limit} bytes"),
            Error::BodyMemory(limit) => write!(
                f,
                "bodies of all users together larger than the limit of {limit} bytes (raise `--body-memory`, read large bodies with `stream: true`, or start fewer users)"
            ),
            Error::NoMemory => f.write_str(
                "out of memory for the body (read large bodies with `stream: true`, or start fewer users)",
            ),
            Error::HeadTooLarge => f.write_str("response headers too large (more than 5,000 lines, or 256 KiB)"),
            Error::Head(what) => write!(f, "response head is invalid: {what}"),
            Error::NotHttp => f.write_str("response is not HTTP/1"),
            Error::NoHttp2 => f.write_str(
                "server does not take HTTP/2 (with `http: \"auto\"` it may choose, by TLS)",
            ),
            Error::Http2(what) => write!(f, "HTTP/2: {what}"),
            Error::Proxy(error) => write!(f, "proxy: {error}"),
            Error::Tunnel(407, reason) => write!(
                f,
                "proxy refused the tunnel: 407 {reason} (give its credentials: `proxy: \"http://user:password@host:port\"`)"
            ),
            Error::Tunnel(status, reason) => {
                write!(f, "proxy refused the tunnel: {status} {reason}")
            }
            Error::Redirects(limit) => write!(f, "more than {limit} redirects"),
            Error::NoFileDescriptor => {
                f.write_str("out of file descriptors (raise `ulimit -n` or start fewer users)")
            }
            Error::NoPort => f.write_str(
                "out of local ports to this target (widen `net.ipv4.ip_local_port_range`, or spread the users over more machines or target addresses)",
            ),
            Error::BadRequest => f.write_str("request could not be encoded"),
            Error::Io(kind) => write!(f, "{kind}"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Whether `max_retries` covers it: the connection failed or timed out.
    pub(super) fn is_retryable(&self) -> bool {
        match self {
            Error::Refused
            | Error::Unreachable
            | Error::Resolve(_)
            | Error::TimedOut(Limit::Connection | Limit::Network)
            | Error::ClosedEarly
            | Error::Reset
            | Error::Stale
            | Error::BodyCutShort
            | Error::Io(_) => true,
            Error::Proxy(error) => error.is_retryable(),
            Error::BadUrl(_)
            | Error::TimedOut(Limit::Request)
            | Error::Tls(_)
            | Error::Certificate(_)
            | Error::Body(_)
            | Error::TooLarge(_)
            | Error::BodyMemory(_)
            | Error::NoMemory
            | Error::HeadTooLarge
            | Error::Head(_)
            | Error::NotHttp
            | Error::NoHttp2
            | Error::Http2(_)
            | Error::Tunnel(..)
            | Error::Redirects(_)
            | Error::NoFileDescriptor
            | Error::NoPort
            | Error::BadRequest => false,
        }
    }

    /// Whether the connection had simply been closed, as a kept-alive one may be at any time.
    pub(super) fn is_gone(&self) -> bool {
        matches!(
            self,
            Error::ClosedEarly | Error::Reset | Error::Io(io::ErrorKind::NotConnected)
        )
    }

    /// Whether hyper refused a head that can still be read again by more lenient rules; heads
    /// refused for other reasons are already dropped by then.
    pub(super) fn is_of_unread_head(&self) -> bool {
        match self {
            Error::HeadTooLarge => true,
            Error::Head(what) => **what == *NO_HEADER,
            _ => false,
        }
    }

    pub(super) fn from_io(error: &io::Error) -> Error {
        if let Some(tls) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            return Error::from_tls(tls);
        }
        match Errno::from_io_error(error) {
            Some(Errno::CONNREFUSED) => Error::Refused,
            Some(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN | Errno::HOSTDOWN) => {
                Error::Unreachable
            }
            Some(Errno::TIMEDOUT) => Error::TimedOut(Limit::Connection),
            Some(Errno::MFILE | Errno::NFILE) => Error::NoFileDescriptor,
            Some(Errno::ADDRNOTAVAIL) => Error::NoPort,
            Some(Errno::CONNRESET | Errno::CONNABORTED | Errno::PIPE) => Error::Reset,
            _ => match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::ClosedEarly,
                kind => Error::Io(kind),
            },
        }
    }

    fn from_tls(error: &rustls::Error) -> Error {
        match error {
            rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
                return Error::NoHttp2;
            }
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                let why = "server asks for a certificate (give one with `client_cert`)";
                return Error::Tls(why.into());
            }
            _ => {}
        }
        let rustls::Error::InvalidCertificate(why) = error else {
            return Error::Tls(error.to_string().into());
        };
        Error::Certificate(in_words(why).into())
    }

    /// Translates an error of hyper before or within a response's head.
    pub(super) fn from_hyper(error: &hyper::Error) -> Error {
        if error.is_parse_too_large() {
            return Error::HeadTooLarge;
        }
        if error.is_parse() {
            return in_head(error).map_or(Error::NotHttp, |what| Error::Head(what.into()));
        }
        if error.is_user() {
            return Error::BadRequest;
        }
        match io_cause(error) {
            Some(cause) => Error::from_io(cause),
            None => Error::ClosedEarly,
        }
    }

    /// Translates an error of h2 about a stream or its connection.
    pub(super) fn from_h2(error: &h2::Error) -> Error {
        if let Some(io) = error.get_io() {
            return match (Error::from_io(io), io.kind()) {
                // Made by h2 itself at the end of the connection.
                (_, io::ErrorKind::BrokenPipe) => Error::ClosedEarly,
                (known, _) => known,
            };
        }
        let Some(reason) = error.reason() else {
            return Error::BadRequest;
        };
        let what = match (error.is_remote(), error.is_go_away()) {
            (true, true) => "server closed the connection",
            (true, false) => "server reset the stream",
            (false, _) => "server broke the rules",
        };
        let which = if error.is_remote() {
            ""
        } else {
            broken(reason)
        };
        Error::Http2(format!("{what}: {reason:?}{which}").into())
    }

    /// Translates an error of h2 in the middle of a body.
    pub(super) fn from_h2_body(error: &h2::Error) -> Error {
        match Error::from_h2(error) {
            Error::ClosedEarly => Error::BodyCutShort,
            known => known,
        }
    }

    /// Translates an error of hyper in the middle of a body.
    pub(super) fn from_hyper_body(error: &hyper::Error) -> Error {
        match io_cause(error) {
            Some(cause) => match cause.kind() {
                io::ErrorKind::UnexpectedEof => Error::BodyCutShort,
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
                    if Errno::from_io_error(cause).is_none() =>
                {
                    match Error::from_io(cause) {
                        tls @ Error::Tls(_) => tls,
                        _ => Error::Body("malformed chunk"),
                    }
                }
                _ => Error::from_io(cause),
            },
            None => Error::BodyCutShort,
        }
    }
}

/// Which rule a server broke if we end a connection or stream with this reason.
fn broken(reason: h2::Reason) -> &'static str {
    match reason {
        h2::Reason::PROTOCOL_ERROR => " (a frame that may not come there, or malformed headers)",
        h2::Reason::FLOW_CONTROL_ERROR => " (it sent more than it was allowed to)",
        h2::Reason::STREAM_CLOSED => " (a frame on a stream that was closed)",
        h2::Reason::FRAME_SIZE_ERROR => " (a frame too long or too short for its type)",
        h2::Reason::COMPRESSION_ERROR => " (its headers can't be decompressed)",
        h2::Reason::ENHANCE_YOUR_CALM => " (it sent far more frames than the requests need)",
        _ => "",
    }
}

/// Which rule an HTTP/1 head broke; `None` if it is not an HTTP/1 head at all. hyper distinguishes
/// them only by their texts.
fn in_head(error: &hyper::Error) -> Option<&'static str> {
    match error.to_string().as_str() {
        "invalid content-length parsed" => Some(
            "its `Content-Length` is no number, too large, or comes twice with different values",
        ),
        "unexpected transfer-encoding parsed" => {
            Some("its `Transfer-Encoding` does not end with `chunked`, or HTTP/1.0 has none")
        }
        "invalid HTTP header parsed" => Some(NO_HEADER),
        _ if error.is_parse_status() => Some("its status is not a number of three digits"),
        _ => None,
    }
}

/// `reread` finds out which line.
const NO_HEADER: &str = "a line after the status is no header";

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = inner.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn operating_system_errors_get_their_names() {
        let from =
            |errno: Errno| Error::from_io(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert_eq!(from(Errno::MFILE), Error::NoFileDescriptor);
        assert_eq!(from(Errno::NFILE), Error::NoFileDescriptor);
        assert_eq!(from(Errno::ADDRNOTAVAIL), Error::NoPort);
        assert_eq!(from(Errno::CONNREFUSED), Error::Refused);
        assert_eq!(from(Errno::HOSTUNREACH), Error::Unreachable);
        assert_eq!(from(Errno::CONNRESET), Error::Reset);
        assert!(Error::NoFileDescriptor.to_string().contains("`ulimit -n`"));
    }

    #[test]
    fn certificate_errors_group_and_say_what_to_do() {
        let error = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let text = Error::from_io(&io::Error::new(io::ErrorKind::InvalidData, error)).to_string();
        assert_eq!(
            text,
            "certificate not accepted: it has expired (skip the check with `insecure: true`)"
        );
        // Another authority only helps if the issuer is unknown.
        let why = |why| Error::from_tls(&rustls::Error::InvalidCertificate(why)).to_string();
        assert!(!why(CertificateError::NotValidForName).contains("`ca: "));
        assert!(why(CertificateError::UnknownIssuer).contains("`ca: "));
    }
}
