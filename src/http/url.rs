//! Where a request goes: an origin and a path, checked and encoded once.
//!
//! A path is taken as written: appended to the base by plain concatenation, as in Locust, with dot
//! segments left alone, and only what is not allowed in a request line percent-encoded. Names are
//! never resolved here.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use hyper::http::uri::PathAndQuery;
use url::Position;

use super::encoding::{decode_percent, push_encoded, push_params};
use super::origin::{Origin, UNIX};

/// The longest URL in a request line (the path, or the whole URL for a proxy): hyper's own limit.
/// Most servers accept 8 KB.
const MAX_URL: usize = u16::MAX as usize - 1;

/// How much of an invalid `Location` is shown, in characters.
const SHOWN_CHARS: usize = 200;

/// A user's `host`: an origin, a path that is prepended to every relative one, and credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Scheme, host and port.
    pub origin: Origin,
    path: Rc<str>,
    credentials: Option<(Rc<str>, Rc<str>)>,
}

/// An absolute URL of a request. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    shared: Rc<UrlParts>,
}

#[derive(Debug, PartialEq, Eq)]
struct UrlParts {
    origin: Origin,
    path: PathAndQuery,
}

/// Why a text is not a URL that we can request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// `localhost:8080` instead of `http://localhost:8080`.
    NoScheme(Box<str>),
    /// A scheme other than http and https.
    Scheme(Box<str>),
    /// A redirect to a scheme other than http and https. A server must not choose a socket of this
    /// machine.
    Redirected(Box<str>),
    /// Longer than can be sent: 65,534 bytes.
    TooLong,
    /// The URL parser refused it: the text and the reason.
    Invalid(Box<str>, Box<str>),
    /// A relative path without its slash.
    NoSlash(Box<str>),
    /// `user:password@` in the URL of a single request.
    Credentials,
    /// A `host` with a query or a fragment.
    QueryInHost,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlError::NoScheme(text) => {
                write!(f, "`{text}` has no scheme (did you mean `http://{text}`?)")
            }
            UrlError::Scheme(scheme) => {
                write!(
                    f,
                    "scheme `{scheme}` is not supported (use `http`, `https`, or `http+unix` for a socket)"
                )
            }
            UrlError::Redirected(scheme) => write!(
                f,
                "redirect to a URL of scheme `{scheme}` is not followed (only `http` and `https` are; with `allow_redirects: false` the redirect is the response)"
            ),
            UrlError::TooLong => write!(
                f,
                "URL is longer than {MAX_URL} bytes (send long data in the body)"
            ),
            UrlError::Invalid(text, why) => write!(f, "`{text}` is not a URL: {why}"),
            UrlError::NoSlash(path) => write!(
                f,
                "path `{path}` does not begin with a slash (did you mean `/{path}`?)"
            ),
            UrlError::Credentials => f.write_str(
                "credentials in a request's URL are not used (pass `auth: [user, password]`)",
            ),
            UrlError::QueryInHost => f.write_str(
                "a host can't have a query or a fragment (put it into the request's path)",
            ),
        }
    }
}

impl std::error::Error for UrlError {}

impl Base {
    /// Reads a `host` such as `http://user:pass@localhost:8080/api`.
    ///
    /// # Errors
    /// When it is not an http(s) URL; the message says what was probably meant.
    pub fn parse(host: &str) -> Result<Base, UrlError> {
        let parsed = parse(host)?;
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(UrlError::QueryInHost);
        }
        let credentials = (!parsed.username().is_empty()).then(|| {
            (
                decode_percent(parsed.username()).into(),
                decode_percent(parsed.password().unwrap_or_default()).into(),
            )
        });
        // The parser turns an empty path into a slash.
        let path = if parsed.path() == "/" && !host.ends_with('/') {
            ""
        } else {
            parsed.path()
        };
        Ok(Base {
            origin: Origin::from_parsed(&parsed, host)?,
            path: path.into(),
            credentials,
        })
    }

    /// The path that is prepended to every relative one.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The credentials of `user:password@`, decoded.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials
            .as_ref()
            .map(|(user, password)| (&**user, &**password))
    }

    /// The URL of `path`, relative to this base or absolute, with `params` added to its query.
    ///
    /// Costs two allocations for a relative path that needs no encoding.
    ///
    /// # Errors
    /// When an absolute URL is not valid, or a relative path lacks its slash.
    pub fn url(&self, path: &str, params: &[(String, String)]) -> Result<Url, UrlError> {
        if is_absolute(path) {
            return absolute(path, params);
        }
        let mut target = Vec::with_capacity(self.path.len() + path.len() + 1);
        // Between `http://host` and `?x` the root's slash is implied.
        if self.path.is_empty() && matches!(path.as_bytes().first(), None | Some(b'?' | b'#')) {
            target.push(b'/');
        }
        // `http://host/` and `/x`: two slashes are never meant.
        let base = match path.starts_with('/') {
            true => self.path.strip_suffix('/').unwrap_or(&self.path),
            false => &self.path,
        };
        target.extend_from_slice(base.as_bytes());
        push_encoded(&mut target, path);
        if target.first() != Some(&b'/') {
            return Err(UrlError::NoSlash(path.into()));
        }
        push_params(&mut target, params);
        Url::new(self.origin.clone(), target)
    }
}

impl Url {
    /// Reads the URL of a request that needs no host; `params` are added to its query.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn absolute(text: &str, params: &[(String, String)]) -> Result<Url, UrlError> {
        absolute(text, params)
    }

    fn new(origin: Origin, target: Vec<u8>) -> Result<Url, UrlError> {
        if target.len() > MAX_URL {
            return Err(UrlError::TooLong);
        }
        let path = PathAndQuery::from_maybe_shared(Bytes::from(target)).map_err(|error| {
            UrlError::Invalid(origin.to_string().into(), error.to_string().into())
        })?;
        Ok(Url {
            shared: Rc::new(UrlParts { origin, path }),
        })
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// Path and query as in the request line.
    #[must_use]
    pub fn path(&self) -> &PathAndQuery {
        &self.shared.path
    }

    /// What a `Location` header of this URL's response points to (RFC 3986, section 5).
    pub(super) fn join(&self, location: &[u8]) -> Result<Url, UrlError> {
        let text = text_of(location);
        let text = text.trim();
        // It may be 256 KB long and contain anything the server likes.
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        let joined = self
            .parsed()?
            .join(text)
            .map_err(|error| UrlError::Invalid(shown.as_str().into(), error.to_string().into()))?;
        if !matches!(joined.scheme(), "http" | "https") {
            let scheme: String = joined.scheme().chars().take(SHOWN_CHARS).collect();
            return Err(UrlError::Redirected(scheme.into()));
        }
        let origin = Origin::from_parsed(&joined, &shown)?;
        let own = self.origin();
        let stays = match own.socket() {
            None => origin == *own,
            // A server behind a socket knows itself only by that name.
            Some(_) => !origin.is_tls() && origin.host() == "localhost" && origin.port() == 80,
        };
        let origin = if stays { own.clone() } else { origin };
        let mut target = Vec::new();
        push_encoded(
            &mut target,
            &joined[Position::BeforePath..Position::AfterQuery],
        );
        Url::new(origin, target)
    }

    /// The parsed form that the cookie jar and redirects need; parsing is too slow to do for every
    /// request.
    pub(super) fn parsed(&self) -> Result<url::Url, UrlError> {
        let text = match self.origin().socket() {
            None => self.to_string(),
            Some(_) => format!("http://localhost{}", self.path()),
        };
        // An origin and a path should form a URL, but the parser has many rules about hosts that
        // are not ours.
        url::Url::parse(&text).map_err(|error| {
            let origin = self.origin().to_string();
            UrlError::Invalid(origin.into(), error.to_string().into())
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path())
    }
}

/// Whether a request's path is a complete URL, which needs no host.
#[must_use]
pub fn is_absolute(path: &str) -> bool {
    let starts = |scheme: &str| {
        path.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    !path.starts_with('/') && (starts("http://") || starts("https://") || starts("http+unix://"))
}

fn absolute(text: &str, params: &[(String, String)]) -> Result<Url, UrlError> {
    let after_scheme = text.find("://").map_or(0, |at| at + 3);
    let authority_end = text[after_scheme..]
        .find(['/', '?', '#', '\\'])
        .map_or(text.len(), |at| after_scheme + at);
    let parsed = parse(&text[..authority_end])?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(UrlError::Credentials);
    }
    let rest = &text[authority_end..];
    let mut target = Vec::with_capacity(rest.len() + 1);
    if !rest.starts_with('/') {
        target.push(b'/');
    }
    push_encoded(&mut target, rest);
    push_params(&mut target, params);
    Url::new(Origin::from_parsed(&parsed, text)?, target)
}

fn parse(text: &str) -> Result<url::Url, UrlError> {
    let Some((scheme, _)) = text.split_once("://") else {
        return Err(UrlError::NoScheme(text.into()));
    };
    let known = ["http", "https", UNIX];
    if !known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(UrlError::Scheme(scheme.into()));
    }
    url::Url::parse(text).map_err(|error| UrlError::Invalid(text.into(), error.to_string().into()))
}

/// A `Location` as text. Bytes that are not UTF-8 are percent-encoded as they are, as in curl.
fn text_of(location: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(location) {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for &byte in location {
        match byte.is_ascii() {
            true => text.push(char::from(byte)),
            false => text += &format!("%{byte:02X}"),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(host: &str, path: &str) -> String {
        Base::parse(host)
            .unwrap()
            .url(path, &[])
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_path_is_appended_as_it_is_written() {
        assert_eq!(url("http://a:1", "/x?y=1&z"), "http://a:1/x?y=1&z");
        assert_eq!(url("http://a:80/", "x"), "http://a/x");
        assert_eq!(url("http://a/api", "/../x"), "http://a/api/../x");
        assert_eq!(url("http://a/api", ""), "http://a/api");
        assert_eq!(url("http://a/", "/x"), "http://a/x");
        assert_eq!(url("http://a", "?q"), "http://a/?q");
        assert_eq!(url("http://a", ""), "http://a/");
        assert_eq!(url("http://[::1]:9", "/x"), "http://[::1]:9/x");
        assert_eq!(url("http://a", "/x#part"), "http://a/x");
    }

    #[test]
    fn absolute_urls_replace_the_base() {
        assert_eq!(
            url("http://a/api", "https://B:8443/x/../y?z"),
            "https://b:8443/x/../y?z"
        );
        assert_eq!(url("http://a", "HTTP://b?z"), "http://b/?z");
        let error = Base::parse("http://a").unwrap().url("http://u:p@b/", &[]);
        assert_eq!(error, Err(UrlError::Credentials));
    }

    #[test]
    fn params_join_the_query() {
        let base = Base::parse("http://a").unwrap();
        let params = [
            ("q".to_owned(), "a b&c".to_owned()),
            ("ü".to_owned(), String::new()),
        ];
        let with = |path| base.url(path, &params).unwrap().to_string();
        assert_eq!(with("/x"), "http://a/x?q=a+b%26c&%C3%BC=");
        assert_eq!(with("/x?y=1"), "http://a/x?y=1&q=a+b%26c&%C3%BC=");
    }

    #[test]
    fn hosts_that_are_none_say_what_was_meant() {
        let error = |host| Base::parse(host).unwrap_err().to_string();
        assert_eq!(
            error("localhost:8080"),
            "`localhost:8080` has no scheme (did you mean `http://localhost:8080`?)"
        );
        assert_eq!(
            error("ftp://a"),
            "scheme `ftp` is not supported (use `http`, `https`, or `http+unix` for a socket)"
        );
        assert!(error("http://a:99999").contains("invalid port"));
        assert_eq!(
            Base::parse("http://a/?x").unwrap_err(),
            UrlError::QueryInHost
        );
        assert_eq!(
            Base::parse("http://a")
                .unwrap()
                .url("x", &[])
                .unwrap_err()
                .to_string(),
            "path `x` does not begin with a slash (did you mean `/x`?)"
        );
    }

    #[test]
    fn a_url_of_its_own_needs_no_host() {
        let params = [("c".to_owned(), "d".to_owned())];
        let url = Url::absolute("http://h/a?b", &params).unwrap();
        assert_eq!(url.to_string(), "http://h/a?b&c=d");
        assert!(is_absolute("HTTP+unix://x/") && !is_absolute("/http://x"));
    }

    #[test]
    fn credentials_leave_the_host() {
        let base = Base::parse("http://us%40er:p%3Ass@a:8080/x").unwrap();
        assert_eq!(base.credentials(), Some(("us@er", "p:ss")));
        assert_eq!(base.origin.to_string(), "http://a:8080");
        assert_eq!((base.origin.host(), base.origin.port()), ("a", 8080));
    }

    #[test]
    fn locations_resolve_against_the_url() {
        let from = Base::parse("http://a:1")
            .unwrap()
            .url("/x/y?z", &[])
            .unwrap();
        let to = |location: &str| from.join(location.as_bytes()).unwrap().to_string();
        assert_eq!(to("/b"), "http://a:1/b");
        assert_eq!(to("../b?c"), "http://a:1/b?c");
        assert_eq!(to("//h/b"), "http://h/b");
        assert_eq!(to("https://h/ü#f"), "https://h/%C3%BC");
        assert_eq!(to("http://user:password@h/b"), "http://h/b");
        assert_eq!(to("http://h/\r\nx: y"), "http://h/x:%20y");
        assert!(from.join(b"http://").is_err());
    }

    #[test]
    fn no_location_leads_to_a_socket() {
        let tcp = Base::parse("http://a:1").unwrap();
        let socket = Base::parse("http+unix://%2Frun%2Fa.sock").unwrap();
        for from in [tcp, socket] {
            let from = from.url("/x", &[]).unwrap();
            for (location, scheme) in [
                ("http+unix://%2Frun%2Fb.sock/x", "http+unix"),
                ("HTTP+UNIX://%2Frun%2Fb.sock/x", "http+unix"),
                (" http+unix:%2Frun%2Fb.sock", "http+unix"),
                ("\thttp+\nunix://%2Frun%2Fb.sock", "http+unix"),
                ("unix:///run/b.sock", "unix"),
                ("file:///etc/passwd", "file"),
                ("ftp://h/", "ftp"),
                ("mailto:x", "mailto"),
            ] {
                let refused = UrlError::Redirected(scheme.into());
                assert_eq!(from.join(location.as_bytes()), Err(refused), "{location}");
            }
            for location in [
                "//%2Frun%2Fb.sock/x",
                "/http+unix://b/",
                "http+unix",
                "//[x",
            ] {
                let joined = from.join(location.as_bytes());
                assert!(
                    joined.is_err() || joined.unwrap().origin().socket() == from.origin().socket(),
                    "{location}"
                );
            }
        }
    }

    #[test]
    fn a_url_has_a_longest_length_and_errors_have_one_too() {
        let base = Base::parse("http://a").unwrap();
        let long = |length: usize| "/".to_owned() + &"x".repeat(length - 1);
        assert!(base.url(&long(MAX_URL), &[]).is_ok());
        let from = base.url("/", &[]).unwrap();
        assert_eq!(base.url(&long(MAX_URL + 1), &[]), Err(UrlError::TooLong));
        assert_eq!(
            from.join(long(MAX_URL + 1).as_bytes()),
            Err(UrlError::TooLong)
        );
        let invalid = format!("http://[{}", "x".repeat(100_000));
        assert!(from.join(invalid.as_bytes()).unwrap_err().to_string().len() < 300);
        let scheme = format!("{}://x", "x".repeat(100_000));
        assert!(from.join(scheme.as_bytes()).unwrap_err().to_string().len() < 400);
    }

    proptest! {
        #[test]
        fn any_path_with_a_slash_can_be_sent(path in "/\\PC*", name in "\\PC*", value in "\\PC*") {
            let base = Base::parse("http://a").unwrap();
            let url = base.url(&path, &[(name, value)]).unwrap();
            prop_assert!(url.path().as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
