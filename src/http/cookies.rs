//! One user's cookies (RFC 6265), allocated with the first one.
//!
//! Owns when they are sent and how they are looked up by name; the rules are `cookie_store`'s.

use std::cell::RefCell;
use std::time::SystemTime;

use cookie_store::{CookieExpiration, CookieStore, RawCookie};
use hyper::HeaderMap;
use hyper::header::{HeaderValue, SET_COOKIE};

use super::url::Url;
use crate::clock::{Micros, now};

/// How many `Cookie` headers are remembered: the places that one user goes to again and again.
const REMEMBERED: usize = 4;

#[derive(Default)]
pub(super) struct Jar {
    filled: Option<Box<Filled>>,
}

#[derive(Default)]
struct Filled {
    store: CookieStore,
    /// Choosing cookies costs 12,000 instructions, as much as the rest of a request: the answers
    /// stand until a cookie changes or one expires.
    remembered: RefCell<Vec<Remembered>>,
}

struct Remembered {
    url: Url,
    /// Every cookie is for the whole of its host, as most are: then paths with ids in them have
    /// one answer.
    for_all_paths: bool,
    until: Micros,
    header: Option<HeaderValue>,
}

impl Remembered {
    /// What is chosen depends on origin and path, never on the query.
    fn is_for(&self, url: &Url) -> bool {
        self.url.origin() == url.origin()
            && (self.for_all_paths || self.url.path().path() == url.path().path())
    }
}

impl Jar {
    /// The `Cookie` header for `url` at the moment `at`; costs nothing while there are no cookies.
    pub(super) fn header(&self, url: &Url, at: Micros) -> Option<HeaderValue> {
        let filled = self.filled.as_ref()?;
        let mut remembered = filled.remembered.borrow_mut();
        let known = remembered.iter().find(|known| known.is_for(url));
        if let Some(known) = known
            && at < known.until
        {
            return known.header.clone();
        }
        if remembered.len() >= REMEMBERED || known.is_some() {
            remembered.clear();
        }
        let header = filled.choose(url);
        remembered.push(Remembered {
            url: url.clone(),
            for_all_paths: filled.store.iter_any().all(|cookie| &*cookie.path == "/"),
            until: filled.next_expiry(),
            header: header.clone(),
        });
        header
    }

    /// Stores what a response of `url` sets. What is malformed or not for that host is ignored,
    /// as a browser does.
    pub(super) fn store(&mut self, headers: &HeaderMap, url: &Url) {
        let mut set = headers.get_all(SET_COOKIE).iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let url = url.parsed();
        let store = self.change();
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
        let _ = self.change().insert_raw(&cookie, &url.parsed());
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        let found = self.iter().find(|(found, _)| *found == name)?;
        Some(found.1.to_owned())
    }

    /// Removes the cookies of that name, whatever their host and path.
    pub(super) fn remove(&mut self, name: &str) {
        if self.filled.is_none() {
            return;
        }
        let store = self.change();
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
        self.filled = None;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.filled
            .iter()
            .flat_map(|filled| filled.store.iter_unexpired())
            .map(|cookie| cookie.name_value())
    }

    fn change(&mut self) -> &mut CookieStore {
        let filled = self.filled.get_or_insert_default();
        filled.remembered.get_mut().clear();
        &mut filled.store
    }
}

impl Filled {
    fn choose(&self, url: &Url) -> Option<HeaderValue> {
        let mut header = String::new();
        for (name, value) in self.store.get_request_values(&url.parsed()) {
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

    fn next_expiry(&self) -> Micros {
        let (wall, at) = (SystemTime::now(), now());
        self.store
            .iter_unexpired()
            .filter_map(|cookie| match cookie.expires {
                CookieExpiration::AtUtc(moment) => Some(SystemTime::from(moment)),
                CookieExpiration::SessionEnd => None,
            })
            .map(|moment| at + moment.duration_since(wall).unwrap_or_default())
            .min()
            .unwrap_or(Micros::NEVER)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::url::Base;
    use super::*;

    fn jar(url: &Url, cookies: &[&'static str]) -> Jar {
        let mut jar = Jar::default();
        let headers = cookies
            .iter()
            .map(|cookie| (SET_COOKIE, HeaderValue::from_static(cookie)))
            .collect();
        jar.store(&headers, url);
        jar
    }

    fn deep_cookie() -> HeaderMap {
        [(SET_COOKIE, HeaderValue::from_static("deep=1; Path=/x"))]
            .into_iter()
            .collect()
    }

    #[test]
    fn an_answer_stands_until_a_cookie_changes_or_expires() {
        let url = Base::parse("http://a").unwrap().url("/x?1", &[]).unwrap();
        let mut jar = jar(&url, &["a=1; Path=/", "b=2; Path=/; Max-Age=100"]);
        let before = now();
        let first = jar.header(&url, before).unwrap();
        let remembered = |jar: &Jar| -> Vec<Micros> {
            let filled = jar.filled.as_ref().unwrap();
            let all = filled.remembered.borrow();
            all.iter().map(|known| known.until).collect()
        };
        let until = remembered(&jar)[0];
        assert!(before + Duration::from_secs(98) < until);
        assert!(until <= now() + Duration::from_secs(100));
        let other_query = Base::parse("http://a").unwrap().url("/x?2", &[]).unwrap();
        assert_eq!(jar.header(&other_query, before).unwrap(), first);
        assert_eq!(remembered(&jar).len(), 1);
        // Past its time it is chosen anew, and the old answer is gone.
        jar.header(&url, until);
        assert_eq!(remembered(&jar).len(), 1);
        jar.set("a", "3", &url);
        let changed = jar.header(&url, before).unwrap();
        assert!(changed.to_str().unwrap().contains("a=3"));
        let elsewhere = Base::parse("http://a").unwrap().url("/y", &[]).unwrap();
        assert_eq!(jar.header(&elsewhere, before).unwrap(), changed);
        assert_eq!(remembered(&jar).len(), 1);
        // With a cookie for one path, each path has its own answer.
        jar.store(&deep_cookie(), &url);
        assert!(
            !jar.header(&elsewhere, before)
                .unwrap()
                .to_str()
                .unwrap()
                .contains("deep")
        );
        assert!(
            jar.header(&url, before)
                .unwrap()
                .to_str()
                .unwrap()
                .contains("deep")
        );
        assert_eq!(remembered(&jar).len(), 2);
        jar.clear();
        assert_eq!(jar.header(&url, before), None);
    }
}
