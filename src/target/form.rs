//! `/form`: a typical log-in page, with a token against request forgery.
//!
//! Owns the page and comparing its hidden token with the cookie sent along with it; the caller
//! decides who may log in.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hyper::StatusCode;
use hyper::header::{HeaderValue, SET_COOKIE};
use url::form_urlencoded;

use super::reply::{self, Reply};

/// The page with a new token, which is also set as a cookie.
pub(super) fn page() -> Reply {
    let token = format!("{:016x}", RandomState::new().hash_one(()));
    let page = format!(
        "<!doctype html>\n<title>Log in</title>\n<h1>Log in</h1>\n\
         <form action=\"/form\" method=\"post\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"{token}\">\n\
         <input name=\"user\"> <input type=\"password\" name=\"password\">\n\
         <button>Log in</button>\n</form>\n"
    );
    let mut reply = reply::html(StatusCode::OK, page);
    let cookie = HeaderValue::try_from(format!("csrf={token}; Path=/form; HttpOnly"));
    let cookie = cookie.expect("hexadecimal digits are a header value");
    reply.headers_mut().insert(SET_COOKIE, cookie);
    reply
}

/// Answers the form as it was sent back: 403 for a wrong token, 401 for a wrong user.
pub(super) fn submitted(
    cookies: &str,
    body: &[u8],
    log_in: impl FnOnce(&str, &str) -> bool,
) -> Reply {
    let fields: HashMap<_, _> = form_urlencoded::parse(body).collect();
    let field = |name: &str| fields.get(name).map_or("", |value| &**value);
    let mut pairs = cookies.split([';', ',']).map(str::trim);
    let token = pairs.find_map(|pair| pair.strip_prefix("csrf="));
    if token.is_none_or(|token| token.is_empty() || token != field("csrf")) {
        return text_reply(StatusCode::FORBIDDEN, "wrong token");
    }
    if !log_in(field("user"), field("password")) {
        return text_reply(StatusCode::UNAUTHORIZED, "wrong user or password");
    }
    text_reply(StatusCode::OK, "Welcome")
}

fn text_reply(status: StatusCode, what: &str) -> Reply {
    let page = format!("<!doctype html>\n<title>{what}</title>\n<h1>{what}</h1>\n");
    reply::html(status, page)
}
