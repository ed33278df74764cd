//! What each route answers.
//!
//! Owns the arguments, their limits and the contents of the answers; `serve` has the connections
//! and `shop` the coupons.

use std::collections::BTreeMap;
use std::future::pending;
use std::str::FromStr;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, COOKIE, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::body::{Lines, Payload};
use super::count::Counts;
use super::path::Route;
use super::reply::{self, Reply};
use super::serve::Answer;
use super::shop::{Issue, Shop};
use super::{ServerState, echo, form, text};

const MAX_DELAY: Duration = Duration::from_secs(60);
const MAX_BYTES: u64 = 100_000_000;
const MAX_LINES: u64 = 1_000_000;
/// Larger request bodies are refused with 413.
const MAX_REQUEST_BODY: usize = 10_000_000;

/// Answers one request.
pub(super) fn answer(shared: &Arc<ServerState>, request: Request<Incoming>) -> Answer {
    let (route, argument) = Route::of(request.uri().path());
    if let Some(allow) = route.allow()
        && !allow.split(", ").any(|method| method == request.method())
    {
        return Answer::Now(Some(reply::wrong_method(allow)));
    }
    let reply = match route {
        Route::Hello => reply::text(Bytes::from_static(b"Hello, world!\n")),
        Route::Login => {
            let shared = Arc::clone(shared);
            return later(async move {
                match body(request).await {
                    Ok(body) => login(&shared, &body),
                    Err(reply) => reply,
                }
            });
        }
        Route::Logout => logout(shared, &request),
        Route::Coupons => coupons(shared),
        Route::Issue => issue(shared, &request, argument),
        Route::Delay => match number(argument).map(Duration::from_millis) {
            Some(delay) if delay <= MAX_DELAY => {
                return later(async move {
                    tokio::time::sleep(delay).await;
                    reply::text(format!("{} ms\n", delay.as_millis()))
                });
            }
            _ => bad_request("the delay is a whole number of milliseconds up to 60000"),
        },
        Route::Status => match number(argument).filter(|status| (200..600).contains(status)) {
            Some(status) => reply::status(
                StatusCode::from_u16(status).expect("200 to 599 are all status codes"),
            ),
            None => bad_request("the status is a number from 200 to 599"),
        },
        Route::Bytes => match number(argument).filter(|length| *length <= MAX_BYTES) {
            Some(length) => reply::binary(Payload::Filler(length)),
            None => bad_request("the length is a whole number of bytes up to 100000000"),
        },
        Route::Cut => match number(argument) {
            Some(length) if (1..=MAX_BYTES).contains(&length) => reply::binary(Payload::Cut {
                announced: length,
                sent: length / 2,
                flushed: false,
            }),
            _ => bad_request("the length is a whole number of bytes from 1 to 100000000"),
        },
        Route::Redirect => redirect(argument, request.uri().query().unwrap_or("")),
        Route::Cookies => cookies(&request),
        Route::SetCookies => set_cookies(request.uri().query().unwrap_or("")),
        Route::Stall => return later(pending()),
        Route::Headers => echo::headers(&request),
        Route::Echo => return later(echo::echo(request)),
        Route::Anything => return later(echo::anything(request)),
        Route::Stream => match stream(argument, request.uri().query().unwrap_or("")) {
            Some(payload) => reply::text(payload),
            None => bad_request(
                "the lines are a whole number up to 1000000 or `endless`, the delay of each is up to 60000 ms",
            ),
        },
        Route::Text => text::reply(&header(&request, &ACCEPT_ENCODING)),
        Route::Form if request.method() != Method::POST => form::page(),
        Route::Form => {
            let shared = Arc::clone(shared);
            return later(async move {
                let cookies = header(&request, &COOKIE);
                match body(request).await {
                    Ok(body) => form::submitted(&cookies, &body, |user, password| {
                        shop(&shared).login(user, password).is_some()
                    }),
                    Err(reply) => reply,
                }
            });
        }
        Route::Requests => requests(&Counts::sum(&shared.counters)),
        Route::Reset => {
            shop(shared).restock();
            for counter in &shared.counters {
                counter.reset();
            }
            reply::empty(StatusCode::NO_CONTENT)
        }
        Route::Other => reply::error(StatusCode::NOT_FOUND, "no such path"),
    };
    Answer::Now(Some(reply))
}

fn later(reply: impl Future<Output = Reply> + Send + 'static) -> Answer {
    Answer::Later(Box::pin(reply))
}

fn number<N: FromStr>(argument: &str) -> Option<N> {
    // Rust accepts a sign, a path may not have one.
    let digits = argument.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| argument.parse().ok()).flatten()
}

fn bad_request(why: &str) -> Reply {
    reply::error(StatusCode::BAD_REQUEST, why)
}

/// The values of a header, joined as in RFC 9110; empty if it is absent.
pub(super) fn header(request: &Request<Incoming>, name: &HeaderName) -> String {
    let values = request.headers().get_all(name).iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
    values.collect::<Vec<_>>().join(", ")
}

pub(super) async fn body(request: Request<Incoming>) -> Result<Bytes, Reply> {
    let limited = Limited::new(request.into_body(), MAX_REQUEST_BODY);
    match limited.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(_) => Err(reply::error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than 10000000 bytes or broken",
        )),
    }
}

/// `n` lines or `endless`; `?delay=50` waits that many milliseconds before each but the first.
fn stream(lines: &str, query: &str) -> Option<Payload> {
    let count = match lines {
        "endless" => u64::MAX,
        _ => number(lines).filter(|count| *count <= MAX_LINES)?,
    };
    let delay = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "delay");
    let delay = match delay {
        Some((_, delay)) => Duration::from_millis(number(&delay)?),
        None => Duration::ZERO,
    };
    (delay <= MAX_DELAY).then(|| Payload::Lines(Box::new(Lines::new(count, delay))))
}

fn shop(shared: &ServerState) -> MutexGuard<'_, Shop> {
    shared
        .shop
        .lock()
        .expect("nothing panics while the shop is locked")
}

fn login(shared: &ServerState, body: &[u8]) -> Reply {
    let Ok(document) = serde_json::from_slice::<Value>(body) else {
        return bad_request("the body is not JSON");
    };
    let field = |name| document.get(name).and_then(Value::as_str).unwrap_or("");
    match shop(shared).login(field("user"), field("password")) {
        Some(token) => reply::json(StatusCode::OK, &json!({ "token": token })),
        None => reply::error(StatusCode::UNAUTHORIZED, "wrong user or password"),
    }
}

/// The token of an `Authorization: Bearer` header.
fn bearer(request: &Request<Incoming>) -> &str {
    let value = request.headers().get(AUTHORIZATION);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}

fn not_logged_in() -> Reply {
    reply::error(StatusCode::UNAUTHORIZED, "not logged in")
}

fn logout(shared: &ServerState, request: &Request<Incoming>) -> Reply {
    if shop(shared).logout(bearer(request)) {
        reply::empty(StatusCode::NO_CONTENT)
    } else {
        not_logged_in()
    }
}

fn coupons(shared: &ServerState) -> Reply {
    let coupons = shop(shared)
        .coupons()
        .map(|coupon| json!({ "id": coupon.id, "name": coupon.name, "left": coupon.left }))
        .collect::<Vec<_>>();
    reply::json(StatusCode::OK, &json!({ "coupons": coupons }))
}

fn issue(shared: &ServerState, request: &Request<Incoming>, id: &str) -> Reply {
    let Some(id) = number(id) else {
        return bad_request("the id of a coupon is a number");
    };
    let mut shop = shop(shared);
    if !shop.knows(bearer(request)) {
        return not_logged_in();
    }
    match shop.issue(id) {
        Issue::Issued { serial, left } => reply::json(
            StatusCode::CREATED,
            &json!({ "serial": serial, "coupon": id, "left": left }),
        ),
        Issue::SoldOut => reply::error(StatusCode::CONFLICT, "sold out"),
        Issue::Unknown => reply::error(StatusCode::NOT_FOUND, "no such coupon"),
    }
}

/// `n` more hops, or `loop`; `?status=307` and the like choose the kind of redirect.
fn redirect(hops: &str, query: &str) -> Reply {
    let status = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "status");
    let status = match status.as_ref().map_or("302", |(_, status)| status) {
        "301" => StatusCode::MOVED_PERMANENTLY,
        "302" => StatusCode::FOUND,
        "303" => StatusCode::SEE_OTHER,
        "307" => StatusCode::TEMPORARY_REDIRECT,
        "308" => StatusCode::PERMANENT_REDIRECT,
        _ => return bad_request("the status of a redirect is 301, 302, 303, 307 or 308"),
    };
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    if hops == "loop" {
        return reply::redirect(status, format!("/redirect/loop{query}"));
    }
    match number::<u32>(hops) {
        Some(0) => reply::text("arrived\n"),
        Some(hops) => reply::redirect(status, format!("/redirect/{}{query}", hops - 1)),
        None => bad_request("the hops are a whole number or `loop`"),
    }
}

fn cookies(request: &Request<Incoming>) -> Reply {
    let values = request.headers().get_all(COOKIE).iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut cookies = BTreeMap::new();
    for value in values {
        for pair in value.split(';').filter(|pair| !pair.trim().is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            cookies.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    reply::json(StatusCode::OK, &json!({ "cookies": cookies }))
}

fn set_cookies(query: &str) -> Reply {
    let mut reply = reply::text("set\n");
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let valid = |text: &str| !text.contains([';', ',', '"', '\\', ' ']) && text.is_ascii();
        let header = HeaderValue::try_from(format!("{name}={value}; Path=/"));
        match header {
            Ok(header) if valid(&name) && valid(&value) && !name.contains('=') => {
                reply.headers_mut().append(SET_COOKIE, header);
            }
            _ => return bad_request("a cookie holds no `;`, `,`, `\"`, `\\`, space or non-ASCII"),
        }
    }
    reply
}

fn requests(counts: &Counts) -> Reply {
    reply::json(
        StatusCode::OK,
        &json!({
            "total": counts.total,
            "by_path": counts.by_path,
            "connections": counts.connections,
            "open": counts.open,
        }),
    )
}
