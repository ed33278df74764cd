//! One user's cookies (RFC 6265), allocated with the first one.
//!
//! Owns when they are sent and how they are looked up by name; `cookie_store` has the rules.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use cookie_store::{Cookie, CookieError, CookieExpiration, CookieStore, RawCookie, StoreAction};
use hyper::HeaderMap;
use hyper::header::{HeaderValue, SET_COOKIE};

use super::refused::{Reason, is_trustworthy, keeps_its_prefix};
use super::url::Url;
use crate::clock::{Micros, now};

/// How many `Cookie` headers are cached: one for each place that a user keeps going back to.
const REMEMBERED: usize = 4;

/// How many cookies of one domain are kept, as Chrome does. RFC 6265, section 6.1, asks for 50.
const MOST_OF_A_DOMAIN: usize = 180;
/// How many are kept in all (same section).
const MOST: usize = 3_000;
/// Up to this many, expired cookies are not looked for.
const FEW: usize = 16;
/// The most bytes of name and value together, as in browsers; larger ones are not kept.
const MOST_BYTES: usize = 4_096;

#[derive(Default)]
pub(super) struct Jar {
    filled: Option<Box<JarContents>>,
}

#[derive(Default)]
struct JarContents {
    store: CookieStore,
    /// All cookies in the store, oldest first. A new value does not change a cookie's age (RFC
    /// 6265, section 5.3).
    by_age: VecDeque<Key>,
    /// At how many cookies expired ones are next removed.
    swept_at: usize,
    /// Choosing cookies costs 12,000 instructions, as much as the rest of a request, so headers are
    /// cached until a cookie changes or expires.
    remembered: RefCell<Vec<CachedHeader>>,
}

#[derive(Clone, PartialEq, Eq)]
struct Key {
    domain: String,
    path: String,
    name: String,
}

impl Key {
    fn of(cookie: &Cookie<'_>) -> Key {
        Key {
            domain: String::from(&cookie.domain),
            path: String::from(&cookie.path),
            name: cookie.name().to_owned(),
        }
    }
}

struct CachedHeader {
    url: Url,
    /// Every cookie covers the whole of its host, as most do: then paths that contain ids share one
    /// header.
    for_all_paths: bool,
    until: Micros,
    header: Option<HeaderValue>,
}

impl CachedHeader {
    /// The choice depends on origin and path, never on the query.
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
        remembered.push(CachedHeader {
            url: url.clone(),
            for_all_paths: filled.store.iter_any().all(|cookie| &*cookie.path == "/"),
            until: filled.next_expiry(),
            header: header.clone(),
        });
        header
    }

    /// Stores what a response of `url` sets. What is malformed or not for that host is ignored, as
    /// in browsers, and passed to `refused`.
    pub(super) fn store(
        &mut self,
        headers: &HeaderMap,
        url: &Url,
        mut refused: impl FnMut(&[u8], Reason),
    ) {
        let mut set = headers.get_all(SET_COOKIE).iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let Ok(url) = url.parsed() else {
            return;
        };
        let filled = self.change();
        for value in set {
            if let Err(reason) = filled.store(value.as_bytes(), &url) {
                refused(value.as_bytes(), reason);
            }
        }
        filled.bound();
    }

    /// Sets a cookie for the whole host of `url`, as if the host had sent it.
    pub(super) fn set(&mut self, name: &str, value: &str, url: &Url) {
        let cookie = RawCookie::build((name.to_owned(), value.to_owned()))
            .path("/")
            .build();
        if let Ok(url) = url.parsed()
            && let Ok(cookie) = Cookie::try_from_raw_cookie(&cookie, &url)
        {
            let filled = self.change();
            // Its domain is the host itself.
            let _ = filled.insert(cookie.into_owned(), &url);
            filled.bound();
        }
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
        self.change().drop_if(|key, _| key.name == name);
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

    fn change(&mut self) -> &mut JarContents {
        let filled = self.filled.get_or_insert_default();
        filled.remembered.get_mut().clear();
        filled
    }
}

impl JarContents {
    fn store(&mut self, header: &[u8], url: &url::Url) -> Result<(), Reason> {
        let text = std::str::from_utf8(header).map_err(|_| Reason::Malformed)?;
        let cookie = Cookie::parse(text, url).map_err(|error| match error {
            CookieError::DomainMismatch => Reason::Domain,
            _ => Reason::Malformed,
        })?;
        if cookie.name().len() + cookie.value().len() > MOST_BYTES {
            return Err(Reason::TooLong);
        }
        if !keeps_its_prefix(&cookie) {
            return Err(Reason::Prefix);
        }
        let is_deletion = cookie.is_expired();
        let is_stranded = cookie.secure() == Some(true) && !is_trustworthy(url) && !is_deletion;
        self.insert(cookie.into_owned(), url)?;
        // Kept anyway: a later request to the host may use https.
        if is_stranded {
            Err(Reason::Secure)
        } else {
            Ok(())
        }
    }

    fn insert(&mut self, cookie: Cookie<'static>, url: &url::Url) -> Result<(), Reason> {
        let key = Key::of(&cookie);
        match self.store.insert(cookie, url) {
            // An expired one is replaced like any other and keeps its age.
            Ok(StoreAction::Inserted) => self.by_age.push_back(key),
            Ok(StoreAction::ExpiredExisting) => self.drop_if(|other, _| *other == key),
            // It deletes a cookie that does not exist.
            Ok(StoreAction::UpdatedExisting) | Err(CookieError::Expired) => {}
            Err(_) => return Err(Reason::Domain),
        }
        Ok(())
    }

    fn drop_if(&mut self, mut is_dropped: impl FnMut(&Key, &CookieStore) -> bool) {
        let store = &mut self.store;
        self.by_age.retain(|key| {
            let is_kept = !is_dropped(key, store);
            if !is_kept {
                store.remove(&key.domain, &key.path, &key.name);
            }
            is_kept
        });
    }

    /// Removes expired cookies, then the oldest of any domain that has too many, then the oldest
    /// overall (RFC 6265, section 5.3). Free for the few cookies of an ordinary site.
    fn bound(&mut self) {
        if self.by_age.len() <= self.swept_at.max(FEW) {
            return;
        }
        self.drop_if(|key, store| !store.contains(&key.domain, &key.path, &key.name));
        if self.by_age.len() > MOST_OF_A_DOMAIN {
            let mut excess: HashMap<String, usize> = HashMap::new();
            for key in &self.by_age {
                *excess.entry(key.domain.clone()).or_default() += 1;
            }
            excess.retain(|_, count| *count > MOST_OF_A_DOMAIN);
            self.drop_if(|key, _| match excess.get_mut(&key.domain) {
                Some(count) if *count > MOST_OF_A_DOMAIN => {
                    *count -= 1;
                    true
                }
                _ => false,
            });
        }
        let over = self.by_age.len().saturating_sub(MOST);
        for key in self.by_age.drain(..over) {
            self.store.remove(&key.domain, &key.path, &key.name);
        }
        // Next at twice as many, so that the cost is amortised, but never above the limit.
        self.swept_at = (2 * self.by_age.len()).min(MOST_OF_A_DOMAIN);
    }

    /// In the order of RFC 6265, section 5.4: longer paths first, then those set earlier. The store
    /// keeps no order, and servers do care.
    fn choose(&self, url: &Url) -> Option<HeaderValue> {
        let mut header = String::new();
        let url = url.parsed().ok()?;
        let mut chosen = self.store.matches(&url);
        chosen.sort_by_cached_key(|cookie| {
            let key = Key::of(cookie);
            let age = self.by_age.iter().position(|known| *known == key);
            (Reverse(key.path.len()), age)
        });
        for (name, value) in chosen.iter().map(|cookie| cookie.name_value()) {
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
        jar.store(&headers, url, |_, _| {});
        jar
    }

    #[test]
    fn a_cookie_that_is_of_no_use_says_why() {
        let at = |base: &str| Base::parse(base).unwrap().url("/x", &[]).unwrap();
        let long = format!("a={}", "x".repeat(MOST_BYTES));
        for (base, cookie, reason) in [
            ("http://a.b", "a=1; Domain=other", Some(Reason::Domain)),
            ("http://a.b", "a=1; Domain=c.a.b", Some(Reason::Domain)),
            ("http://a.b", "a=1; Domain=b", None),
            ("http://a.b", "__Host-a=1; Secure", Some(Reason::Prefix)),
            ("http://a.b", "a=1; Secure", Some(Reason::Secure)),
            ("https://a.b", "a=1; Secure", None),
            ("http://localhost", "a=1; Secure", None),
            ("http://127.0.0.1", "a=1; Secure", None),
            ("http://[::1]", "a=1; Secure", None),
            ("http://a.b", "=1", Some(Reason::Malformed)),
            ("http://a.b", "a=\u{e9}", Some(Reason::Malformed)),
            ("http://a.b", long.as_str(), Some(Reason::TooLong)),
            ("http://a.b", "a=1; Max-Age=0", None),
            ("http://a.b", "a=1; Max-Age=0; Secure", None),
            ("http://a.b", "a=1; Path=/y", None),
        ] {
            let bytes: Vec<u8> = cookie.chars().map(|c| c as u8).collect();
            let value = HeaderValue::from_bytes(&bytes).unwrap();
            let headers = [(SET_COOKIE, value)].into_iter().collect();
            let mut refused = None;
            Jar::default().store(&headers, &at(base), |_, reason| refused = Some(reason));
            assert_eq!(refused, reason, "{base} {cookie:.40}");
        }
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
        // After expiry the choice is made again and the cached header is gone.
        jar.header(&url, until);
        assert_eq!(remembered(&jar).len(), 1);
        jar.set("a", "3", &url);
        let changed = jar.header(&url, before).unwrap();
        assert!(changed.to_str().unwrap().contains("a=3"));
        let elsewhere = Base::parse("http://a").unwrap().url("/y", &[]).unwrap();
        assert_eq!(jar.header(&elsewhere, before).unwrap(), changed);
        assert_eq!(remembered(&jar).len(), 1);
        // With a cookie for one path, each path has its own header.
        jar.store(&deep_cookie(), &url, |_, _| {});
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

    fn set_all(jar: &mut Jar, url: &Url, cookies: impl Iterator<Item = String>) {
        let values = cookies.map(|cookie| (SET_COOKIE, HeaderValue::try_from(cookie).unwrap()));
        jar.store(&values.collect(), url, |_, _| {});
    }

    fn names(jar: &Jar) -> Vec<&str> {
        let mut names: Vec<_> = jar.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    /// How many there are in both lists, expired ones included.
    fn count(jar: &Jar) -> usize {
        let filled = jar.filled.as_ref().unwrap();
        assert_eq!(filled.by_age.len(), filled.store.iter_any().count());
        filled.by_age.len()
    }

    #[test]
    fn a_domain_has_so_many_cookies_and_the_oldest_go_first() {
        let url = Base::parse("http://a").unwrap().url("/", &[]).unwrap();
        let mut jar = Jar::default();
        for round in 0..20 {
            let many = (0..100).map(|number| format!("c{:04}=1", round * 100 + number));
            set_all(&mut jar, &url, many);
        }
        assert_eq!(count(&jar), MOST_OF_A_DOMAIN);
        let left = names(&jar);
        assert_eq!((left[0], left[179]), ("c1820", "c1999"));
        // A new value does not make a cookie younger.
        set_all(&mut jar, &url, ["c1820=2".into(), "d=1".into()].into_iter());
        assert_eq!(names(&jar)[0], "c1821");
        // Adding one at a time does not get around the limit.
        for number in 0..400 {
            set_all(&mut jar, &url, std::iter::once(format!("d{number:03}=1")));
        }
        assert_eq!(count(&jar), MOST_OF_A_DOMAIN);
        assert_eq!(names(&jar)[0], "d220");
    }

    #[test]
    fn all_domains_together_have_so_many() {
        let mut jar = Jar::default();
        for host in 0..40 {
            let base = Base::parse(&format!("http://h{host}.test")).unwrap();
            let url = base.url("/", &[]).unwrap();
            set_all(
                &mut jar,
                &url,
                (0..100).map(|number| format!("n{number}=1")),
            );
            assert!(count(&jar) <= MOST);
        }
        assert_eq!(count(&jar), MOST);
        let gone = Base::parse("http://h9.test")
            .unwrap()
            .url("/", &[])
            .unwrap();
        let kept = Base::parse("http://h10.test")
            .unwrap()
            .url("/", &[])
            .unwrap();
        assert_eq!(jar.header(&gone, now()), None);
        assert!(jar.header(&kept, now()).is_some());
    }

    #[test]
    fn what_has_expired_is_not_kept() {
        let url = Base::parse("http://a").unwrap().url("/", &[]).unwrap();
        let mut jar = jar(&url, &["a=1", "b=2"]);
        // Expired by the server: one that exists and one that does not.
        set_all(
            &mut jar,
            &url,
            ["a=1; Max-Age=0".into(), "x=1; Max-Age=0".into()].into_iter(),
        );
        assert_eq!((count(&jar), names(&jar)), (1, vec!["b"]));
        // A cookie that comes again is a new one.
        set_all(&mut jar, &url, std::iter::once("a=1".to_owned()));
        assert_eq!((count(&jar), names(&jar)), (2, vec!["a", "b"]));
        let filled = jar.filled.as_mut().unwrap();
        assert_eq!(filled.by_age[0].name, "b");
    }

    #[test]
    fn a_cookie_has_so_many_bytes() {
        let url = Base::parse("http://a").unwrap().url("/", &[]).unwrap();
        let mut jar = Jar::default();
        let sized = |bytes: usize| format!("n={}", "v".repeat(bytes - 1));
        set_all(&mut jar, &url, std::iter::once(sized(MOST_BYTES + 1)));
        assert_eq!(jar.header(&url, now()), None);
        set_all(&mut jar, &url, std::iter::once(sized(MOST_BYTES)));
        assert!(jar.header(&url, now()).is_some());
    }
}
