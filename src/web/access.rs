//! Who may do what: hosts, origins, tokens, cookies.
//!
//! Owns every decision to refuse a request before its handler sees it, and the headers that every
//! response carries. On a loopback address nothing is asked for but that the request was meant for
//! it; on any other, a token is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::Problem;

/// How long a browser stays logged in.
const COOKIE_LIFE: Duration = Duration::from_secs(30 * 86_400);

/// Wrong tokens from one address in a minute, before its log-ins are refused.
const MOST_WRONG: u32 = 10;

/// Addresses whose wrong tokens are counted apart; the rest share one count.
const MOST_ADDRESSES: usize = 1_024;

const MINUTE: Duration = Duration::from_secs(60);

/// The rules of one server.
pub(super) struct Access {
    /// What must be shown; none on loopback.
    token: Option<String>,
    port: u16,
    base_path: String,
    /// Whether it only listens to this machine, so that `Host` must name it.
    is_loopback: bool,
    is_read_only: bool,
    is_tls: bool,
    /// Origins of proxies that rewrite `Host`.
    origins: Vec<String>,
    wrong: Mutex<HashMap<Option<IpAddr>, (Instant, u32)>>,
}

/// What the rules depend on.
pub(super) struct Rules {
    pub(super) token: Option<String>,
    pub(super) port: u16,
    pub(super) base_path: String,
    pub(super) is_loopback: bool,
    pub(super) is_read_only: bool,
    pub(super) is_tls: bool,
    pub(super) origins: Vec<String>,
}

impl Access {
    pub(super) fn new(rules: Rules) -> Access {
        Access {
            token: rules.token,
            port: rules.port,
            base_path: rules.base_path,
            is_loopback: rules.is_loopback,
            is_read_only: rules.is_read_only,
            is_tls: rules.is_tls,
            origins: rules.origins,
            wrong: Mutex::default(),
        }
    }

    pub(super) fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Refuses a request that was not meant for this server, comes from a foreign page, or lacks the
    /// token. `path` is below the base path.
    pub(super) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        path: &str,
    ) -> Result<(), Problem> {
        self.check_host(uri, headers)?;
        let is_change = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
            || matches!(path, "/stop" | "/stats/reset");
        let has_bearer = self.has_bearer(headers);
        let is_api = path.starts_with("/api/");
        if is_api && text(headers, "sec-fetch-site") == Some("cross-site") {
            return Err(refused("this request comes from another site's page"));
        }
        if is_change && !has_bearer {
            self.check_origin(uri, headers)?;
            if matches!(*method, Method::GET | Method::HEAD) && is_browser(headers) {
                let detail = "a browser changes nothing by GET: use POST";
                return Err(refused(detail));
            }
        }
        if is_public(path) || path == "/api/v1/login" {
            return Ok(());
        }
        if self.token.is_some() && !has_bearer && !self.has_cookie(headers) {
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "a token is needed");
            return Err(problem.hint("it is in Katydid's log, as a link"));
        }
        if is_change && self.is_read_only && path != "/api/v1/logout" {
            return Err(refused("this Katydid is read-only (--web-read-only)"));
        }
        Ok(())
    }

    /// A rebound name leads a browser here with a foreign `Host`.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        if !self.is_loopback {
            return Ok(());
        }
        let Some(host) = host_of(uri, headers) else {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "the request has no host",
            ));
        };
        let name = without_port(&host);
        let is_admitted = self.origins.iter().any(|origin| {
            let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
            authority.eq_ignore_ascii_case(&host)
                || without_port(authority).eq_ignore_ascii_case(name)
        });
        if is_loopback_name(name) || is_admitted {
            return Ok(());
        }
        let problem = refused("this address is only for this machine, by a name such as localhost");
        Err(problem.hint("a proxy that rewrites `Host` needs `--web-origin URL`"))
    }

    fn check_origin(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let foreign = || refused("this request comes from another site's page");
        if let Some(site) = text(headers, "sec-fetch-site")
            && site != "same-origin"
        {
            return Err(foreign());
        }
        let Some(origin) = text(headers, "origin") else {
            return Ok(());
        };
        let host = host_of(uri, headers).unwrap_or_default();
        let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
        let is_ours = !host.is_empty() && authority.eq_ignore_ascii_case(&host);
        let is_admitted = self
            .origins
            .iter()
            .any(|admitted| admitted.eq_ignore_ascii_case(origin));
        if is_ours || is_admitted {
            Ok(())
        } else {
            Err(foreign())
        }
    }

    fn has_bearer(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return false;
        };
        let given = text(headers, header::AUTHORIZATION.as_str());
        given
            .and_then(|given| given.strip_prefix("Bearer "))
            .is_some_and(|given| is_same(given, token))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let all = headers.get_all(header::COOKIE).iter();
        let cookies = all.filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
        pairs.any(|pair| match pair.trim().split_once('=') {
            Some((known, value)) => known == name && self.is_valid(value),
            None => false,
        })
    }

    /// Cookies know no ports: two Katydids on one machine each have their own.
    fn cookie_name(&self) -> String {
        format!("katydid_{}", self.port)
    }

    fn is_valid(&self, cookie: &str) -> bool {
        let Some((expiry, _)) = cookie.split_once('.') else {
            return false;
        };
        let is_over = expiry.parse().map_or(true, |expiry: u64| expiry < now_s());
        !is_over && is_same(cookie, &self.signed(expiry))
    }

    /// `expiry.HMAC`, so that the server need not remember who is logged in.
    fn signed(&self, expiry: &str) -> String {
        let key = self.token.as_deref().unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length will do");
        mac.update(b"katydid cookie ");
        mac.update(expiry.as_bytes());
        let code = BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        format!("{expiry}.{code}")
    }

    /// The cookie for whoever shows the right token.
    pub(super) fn log_in(&self, from: IpAddr, token: &str) -> Result<String, Problem> {
        let Some(known) = &self.token else {
            return Ok(self.cookie(""));
        };
        let now = Instant::now();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|_, (since, _)| now.duration_since(*since) < MINUTE);
        let mut from = Some(network(from));
        if wrong.len() >= MOST_ADDRESSES && !wrong.contains_key(&from) {
            from = None;
        }
        let count = wrong.get(&from).map_or(0, |(_, count)| *count);
        if count >= MOST_WRONG {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens");
            return Err(problem.retry_after(60));
        }
        if is_same(token, known) {
            let expiry = (now_s() + COOKIE_LIFE.as_secs()).to_string();
            return Ok(self.cookie(&self.signed(&expiry)));
        }
        wrong.entry(from).or_insert((now, 0)).1 += 1;
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "this is not the token",
        ))
    }

    /// A `Set-Cookie` with this value; an empty one logs out.
    pub(super) fn cookie(&self, value: &str) -> String {
        let life = match value {
            "" => 0,
            _ => COOKIE_LIFE.as_secs(),
        };
        let path = match self.base_path.as_str() {
            "" => "/",
            path => path,
        };
        let secure = if self.is_tls { "; Secure" } else { "" };
        format!(
            "{}={value}; Path={path}; Max-Age={life}; HttpOnly; SameSite=Strict{secure}",
            self.cookie_name()
        )
    }
}

/// The page and its parts hold no data.
fn is_public(path: &str) -> bool {
    matches!(path, "/" | "/login" | "/healthz" | "/api/v1/info") || path.starts_with("/assets/")
}

fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail)
}

/// Browsers always send one of both, also for images, prefetches and typed addresses.
fn is_browser(headers: &HeaderMap) -> bool {
    let is_mozilla = |agent: &str| agent.starts_with("Mozilla/");
    headers
        .keys()
        .any(|name| name.as_str().starts_with("sec-fetch-"))
        || text(headers, "user-agent").is_some_and(is_mozilla)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Host and port as the client named them; HTTP/2 has them in the URI.
fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    match uri.authority() {
        Some(authority) => Some(authority.to_string()),
        None => text(headers, "host").map(str::to_owned),
    }
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host
            .split_once(']')
            .map_or(host, |(name, _)| &host[..=name.len()]);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_loopback_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

/// The network of an address whose attempts count as one: a household has a /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let bits = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(bits.into())
        }
    }
}

/// In constant time, whatever the lengths.
fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (Sha256::digest(a.as_bytes()), Sha256::digest(b.as_bytes()));
    a.as_slice().ct_eq(b.as_slice()).into()
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
