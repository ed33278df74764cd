//! One user's cookies (RFC 6265), allocated with the first one.
//!
//! Owns when they are sent and how they are looked up by name; the rules are `cookie_store`'s.

use cookie_store::{CookieStore, RawCookie};
use hyper::HeaderMap;
use hyper::header::{HeaderValue, SET_COOKIE};

use super::url::Url;

#[derive(Default)]
pub(super) struct Jar {
    store: Option<Box<CookieStore>>,
}

impl Jar {
    /// The `Cookie` header for `url`; costs nothing while there are no cookies.
    pub(super) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let store = self.store.as_ref()?;
        let mut header = String::new();
        for (name, value) in store.get_request_values(&url.parsed()) {
            if !header.is_empty() {
                header.push_str("; ");
            }
            header.push_str(name);
            header.push('=');
            header.push_str(value);
        }
        if header.is_empty() {
            return None;
        }
        HeaderValue::try_from(header).ok()
    }

    /// Stores what a response of `url` sets. What is malformed or not for that host is ignored,
    /// as a browser does.
    pub(super) fn store(&mut self, headers: &HeaderMap, url: &Url) {
        let mut set = headers.get_all(SET_COOKIE).iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let url = url.parsed();
        let store = self.store.get_or_insert_default();
        for value in set {
            if let Ok(text) = value.to_str() {
                let _ = store.parse(text, &url);
            }
        }
    }

    /// Sets a cookie for the whole host of `url`, as if it had sent it.
    pub(super) fn set(&mut self, name: &str, value: &str, url: &Url) {
        let cookie = RawCookie::build((name.to_owned(), value.to_owned()))
            .path("/")
            .build();
        let store = self.store.get_or_insert_default();
        let _ = store.insert_raw(&cookie, &url.parsed());
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        let found = self.iter().find(|(found, _)| *found == name)?;
        Some(found.1.to_owned())
    }

    /// Removes the cookies of that name, whatever their host and path.
    pub(super) fn remove(&mut self, name: &str) {
        let Some(store) = &mut self.store else { return };
        let found: Vec<(String, String)> = store
            .iter_any()
            .filter(|cookie| cookie.name() == name)
            .map(|cookie| {
                let domain = String::from(&cookie.domain);
                (domain, cookie.path.to_string())
            })
            .collect();
        for (domain, path) in found {
            store.remove(&domain, &path, name);
        }
    }

    pub(super) fn clear(&mut self) {
        self.store = None;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.store
            .iter()
            .flat_map(|store| store.iter_unexpired())
            .map(|cookie| cookie.name_value())
    }
}
