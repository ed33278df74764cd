//! What a session keeps besides connections: headers, cookies, TLS tickets.
//!
//! Owns reading and changing it; `session` uses it for requests.

use std::rc::Rc;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use rustls::ClientConfig;

use super::cookies::Jar;
use super::session::Session;
use super::slot::ConnectionSlot;
use super::url::Url;

/// State that few users have, so allocated on first use.
#[derive(Default)]
pub(super) struct SessionState {
    pub(super) headers: HeaderMap,
    pub(super) jar: Jar,
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// Connections that several requests may share, by origin, the most recently used last.
    pub(super) shared: Vec<Rc<ConnectionSlot>>,
}

impl Session {
    /// Sets a header for every request of this session that does not bring its own.
    pub fn set_header(&self, name: HeaderName, value: HeaderValue) {
        self.change_state(|state| drop(state.headers.insert(name, value)));
    }

    /// How many headers the session would have with this one, and their bytes.
    #[must_use]
    pub fn size_of_headers_with(&self, name: &HeaderName, value: &HeaderValue) -> (usize, usize) {
        let size = |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len();
        let state = self.state.borrow();
        let others = state.iter().flat_map(|state| &state.headers);
        let others = others.filter(|(other, _)| *other != name);
        others.fold((1, size(name, value)), |(count, bytes), (name, value)| {
            (count + 1, bytes + size(name, value))
        })
    }

    /// The session's header of that name.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<HeaderValue> {
        self.state.borrow().as_ref()?.headers.get(name).cloned()
    }

    /// Removes a header of the session; the defaults stay.
    pub fn remove_header(&self, name: &HeaderName) {
        self.change_state(|state| drop(state.headers.remove(name)));
    }

    /// Removes all headers of the session.
    pub fn clear_headers(&self) {
        self.change_state(|state| state.headers = HeaderMap::new());
    }

    /// A copy of the session's headers.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let state = self.state.borrow();
        state
            .as_ref()
            .map(|state| state.headers.clone())
            .unwrap_or_default()
    }

    /// Sets a cookie for the host of `url`, for all paths and until the session ends.
    pub fn set_cookie(&self, name: &str, value: &str, url: &Url) {
        self.change_state(|state| state.jar.set(name, value, url));
    }

    /// The value of the first cookie of that name, whatever its host.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.state.borrow().as_ref()?.jar.get(name)
    }

    /// Removes the cookies of that name, of all hosts and paths.
    pub fn remove_cookie(&self, name: &str) {
        self.change_state(|state| state.jar.remove(name));
    }

    /// Removes all cookies.
    pub fn clear_cookies(&self) {
        self.change_state(|state| state.jar.clear());
    }

    /// Names and values of all cookies that have not expired.
    #[must_use]
    pub fn cookies(&self) -> Vec<(String, String)> {
        let state = self.state.borrow();
        let Some(state) = &*state else {
            return Vec::new();
        };
        state
            .jar
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Takes over the headers and cookies of another session, and its connections if both make them
    /// in the same way. The other is empty afterwards.
    pub fn take_over(&self, other: &Session) {
        let mut state = other.state.take();
        let connections = other.idle.take();
        if self
            .client()
            .options()
            .connects_as(other.client().options())
        {
            *self.idle.borrow_mut() = connections;
        } else if let Some(state) = &mut state {
            state.tls = None;
            state.shared.clear();
        }
        *self.state.borrow_mut() = state;
    }

    pub(super) fn change_state(&self, change: impl FnOnce(&mut SessionState)) {
        change(self.state.borrow_mut().get_or_insert_default());
    }
}
