//! What a session keeps besides connections: headers, cookies, TLS tickets.
//!
//! Owns reading and changing it; how requests use it is `session`'s.

use std::rc::Rc;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use rustls::ClientConfig;

use super::cookies::Jar;
use super::session::Session;
use super::shared::Shared;
use super::url::Url;

/// What few users have, so allocated with the first of it.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) headers: HeaderMap,
    pub(super) jar: Jar,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// By origin, the one used last at the end: connections that several requests may share.
    pub(super) shared: Vec<Rc<Shared>>,
}

impl Session {
    /// A header that every request of this session has, unless it brings its own.
    pub fn set_header(&self, name: HeaderName, value: HeaderValue) {
        self.keep(|kept| drop(kept.headers.insert(name, value)));
    }

    /// How many headers the session would have with this one, and of how many bytes.
    #[must_use]
    pub fn size_of_headers_with(&self, name: &HeaderName, value: &HeaderValue) -> (usize, usize) {
        let size = |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len();
        let kept = self.kept.borrow();
        let others = kept.iter().flat_map(|kept| &kept.headers);
        let others = others.filter(|(other, _)| *other != name);
        others.fold((1, size(name, value)), |(count, bytes), (name, value)| {
            (count + 1, bytes + size(name, value))
        })
    }

    /// The session's header of that name.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<HeaderValue> {
        self.kept.borrow().as_ref()?.headers.get(name).cloned()
    }

    /// Removes a header of the session; the defaults stay.
    pub fn remove_header(&self, name: &HeaderName) {
        self.keep(|kept| drop(kept.headers.remove(name)));
    }

    /// Removes all headers of the session.
    pub fn clear_headers(&self) {
        self.keep(|kept| kept.headers = HeaderMap::new());
    }

    /// A copy of the session's headers.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let kept = self.kept.borrow();
        kept.as_ref()
            .map(|kept| kept.headers.clone())
            .unwrap_or_default()
    }

    /// Sets a cookie for the host of `url`, for all paths and until the session ends.
    pub fn set_cookie(&self, name: &str, value: &str, url: &Url) {
        self.keep(|kept| kept.jar.set(name, value, url));
    }

    /// The value of the first cookie of that name, of whatever host.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.kept.borrow().as_ref()?.jar.get(name)
    }

    /// Removes the cookies of that name, of all hosts and paths.
    pub fn remove_cookie(&self, name: &str) {
        self.keep(|kept| kept.jar.remove(name));
    }

    /// Removes all cookies.
    pub fn clear_cookies(&self) {
        self.keep(|kept| kept.jar.clear());
    }

    /// Names and values of all cookies that have not expired.
    #[must_use]
    pub fn cookies(&self) -> Vec<(String, String)> {
        let kept = self.kept.borrow();
        let Some(kept) = &*kept else {
            return Vec::new();
        };
        kept.jar
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Takes over what another session has: headers and cookies, and its connections if they are
    /// made as this one would make them. The other is new again.
    pub fn take_over(&self, other: &Session) {
        let mut kept = other.kept.take();
        let connections = other.idle.take();
        if self
            .client()
            .options()
            .connects_as(other.client().options())
        {
            *self.idle.borrow_mut() = connections;
        } else if let Some(kept) = &mut kept {
            kept.tls = None;
            kept.shared.clear();
        }
        *self.kept.borrow_mut() = kept;
    }

    pub(super) fn keep(&self, change: impl FnOnce(&mut Kept)) {
        change(self.kept.borrow_mut().get_or_insert_default());
    }
}
