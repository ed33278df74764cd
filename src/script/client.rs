//! `this.client`: requests of a user, and its session's headers and cookies.
//!
//! Owns the way from a call in a script to a sample. What a response offers is in `response`,
//! what may stand in `#{…}` of a request in `request`.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use rhai::{Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use super::failure::Control;
use super::request::Asked;
use super::response::{Answer, Response};
use super::user::User;
use crate::coroutine::{self, NotAwaited};
use crate::http::{self, Url};
use crate::stats::{Kind, SeriesId};

type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

/// The client of one user, as its script holds it. Also the tag by which natives find the user.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) user: Rc<User>,
}

/// `this.client.headers`
#[derive(Clone)]
struct Headers(Rc<User>);

/// `this.client.cookies`
#[derive(Clone)]
struct Cookies(Rc<User>);

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Client>("client")
        .register_type_with_name::<Headers>("session headers")
        .register_type_with_name::<Cookies>("session cookies")
        .register_get("headers", |client: &mut Client| {
            Headers(client.user.clone())
        })
        .register_get("cookies", |client: &mut Client| {
            Cookies(client.user.clone())
        });
    for (name, method) in [
        ("get", Method::GET),
        ("post", Method::POST),
        ("put", Method::PUT),
        ("patch", Method::PATCH),
        ("delete", Method::DELETE),
        ("head", Method::HEAD),
        ("options", Method::OPTIONS),
    ] {
        let plain = method.clone();
        engine.register_fn(
            name,
            move |context: NativeCallContext, client: &mut Client, path: &str| {
                send(&context, &client.user, &plain, path, None)
            },
        );
        engine.register_fn(
            name,
            move |context: NativeCallContext, client: &mut Client, path: &str, options: Map| {
                send(&context, &client.user, &method, path, Some(options))
            },
        );
    }
    engine
        .register_fn(
            "request",
            |context: NativeCallContext, client: &mut Client, method: &str, path: &str| {
                send(&context, &client.user, &parsed(method)?, path, None)
            },
        )
        .register_fn(
            "request",
            |context: NativeCallContext,
             client: &mut Client,
             method: &str,
             path: &str,
             options: Map| {
                send(
                    &context,
                    &client.user,
                    &parsed(method)?,
                    path,
                    Some(options),
                )
            },
        )
        .register_indexer_get(|headers: &mut Headers, name: &str| headers.get(name))
        .register_indexer_set(|headers: &mut Headers, name: &str, value: Dynamic| {
            headers.set(name, &value)
        })
        .register_fn("clear", |headers: &mut Headers| {
            headers.0.session.clear_headers()
        })
        .register_indexer_get(|cookies: &mut Cookies, name: &str| {
            cookies
                .0
                .session
                .cookie(name)
                .map_or(Dynamic::UNIT, Dynamic::from)
        })
        .register_indexer_set(|cookies: &mut Cookies, name: &str, value: Dynamic| {
            cookies.set(name, &value)
        })
        .register_fn("clear", |cookies: &mut Cookies| {
            cookies.0.session.clear_cookies()
        });
}

/// Gives a new user's session what its class asks for.
pub(super) fn start_session(user: &Rc<User>) {
    let headers = Headers(user.clone());
    for (name, value) in &user.class.headers {
        // Names and values were checked when the class was read.
        let _ = headers.set(name, &Dynamic::from(value.clone()));
    }
    let base = user.base.borrow();
    let from_host = base.as_ref().and_then(http::Base::credentials);
    let from_class = user
        .class
        .auth
        .as_ref()
        .map(|(name, word)| (name.as_str(), word.as_str()));
    if let Some((name, password)) = from_class.or(from_host) {
        user.session
            .set_header(AUTHORIZATION, http::basic_auth(name, password));
    }
}

fn parsed(method: &str) -> Result<Method> {
    Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| format!("`{method}` is no HTTP method").into())
}

/// Checks a header of a script.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is no name of a header"))?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        format!("the header `{name}` may not contain line breaks or control letters")
    })?;
    Ok((header, value))
}

impl Headers {
    fn get(&self, name: &str) -> Dynamic {
        let value = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .and_then(|name| self.0.session.header(&name));
        match value {
            Some(value) => String::from_utf8_lossy(value.as_bytes())
                .into_owned()
                .into(),
            None => Dynamic::UNIT,
        }
    }

    fn set(&self, name: &str, value: &Dynamic) -> Result<()> {
        if value.is_unit() {
            let (name, _) = header(name, "")?;
            self.0.session.remove_header(&name);
        } else {
            let (name, value) = header(name, &value.to_string())?;
            self.0.session.set_header(name, value);
        }
        Ok(())
    }
}

impl Cookies {
    fn set(&self, name: &str, value: &Dynamic) -> Result<()> {
        if value.is_unit() {
            self.0.session.remove_cookie(name);
        } else {
            let url = self.0.url("/", &[])?;
            self.0.session.set_cookie(name, &value.to_string(), &url);
        }
        Ok(())
    }
}

impl User {
    /// The URL of a request: absolute, or relative to the user's host.
    pub(super) fn url(&self, path: &str, params: &[(String, String)]) -> Result<Url> {
        let base = self.base.borrow();
        let url = match &*base {
            Some(base) => base.url(path, params),
            None if path.starts_with("http://") || path.starts_with("https://") => {
                http::Base::parse(path).and_then(|base| base.url(path, params))
            }
            None => {
                return Err(format!(
                    "`{path}` needs a host: give one with `-H http://…` or set `host` in the class `{}`",
                    self.class.name
                )
                .into());
            }
        };
        url.map_err(|wrong| wrong.to_string().into())
    }

    fn series(&self, method: &Method, name: &str) -> SeriesId {
        self.thread
            .record(|recorder| recorder.series(&Kind::Http, method.as_str(), name))
    }
}

fn send(
    context: &NativeCallContext,
    user: &Rc<User>,
    method: &Method,
    path: &str,
    options: Option<Map>,
) -> Result<Response> {
    let position = context.call_position();
    user.settle(position);
    let Prepared {
        request,
        series,
        name,
        expect,
    } = match options {
        None => Prepared::plain(user, method, path)?,
        Some(options) => Prepared::with(user, method, path, options)?,
    };

    let begun = Cell::new(false);
    let sending = pin!(async {
        begun.set(true);
        user.session.send(request).await
    });
    let exchange = coroutine::await_pinned(sending);
    let exchange = match exchange {
        Ok(exchange) => exchange,
        Err(NotAwaited::Cancelled) => {
            if begun.get() {
                user.thread.count_cut();
            }
            return Err(Control::Cancelled.into());
        }
        Err(NotAwaited::Outside) => {
            return Err(
                "a request can only be made where its user may wait: in a task or a hook".into(),
            );
        }
    };
    let name = name.as_deref().unwrap_or(path);
    let answer = Rc::new(Answer::new(user, series, name, &expect, position, exchange));
    user.keep_open(answer.clone());
    Ok(Response(answer))
}

/// A request that is ready to be sent, and how it counts.
struct Prepared {
    request: http::Request,
    series: SeriesId,
    /// Its row, if that is not its path.
    name: Option<String>,
    expect: Vec<u16>,
}

impl Prepared {
    /// A request without options.
    fn plain(user: &User, method: &Method, path: &str) -> Result<Prepared> {
        let routes = &user.thread.routes[user.class.index];
        let (url, series) = match routes.find(method, path) {
            Some(known) => known,
            None => {
                let url = user.url(path, &[])?;
                let series = user.series(method, path);
                routes.learn(method, path, &url, series);
                (url, series)
            }
        };
        let mut request = http::Request::new(method.clone(), url);
        request.allow_redirects = *method != Method::HEAD;
        Ok(Prepared {
            request,
            series,
            name: None,
            expect: Vec::new(),
        })
    }

    fn with(user: &User, method: &Method, path: &str, options: Map) -> Result<Prepared> {
        let mut asked = Asked::read(options)?;
        let mut request = http::Request::new(method.clone(), user.url(path, &asked.params)?);
        request.allow_redirects = asked.allow_redirects.unwrap_or(*method != Method::HEAD);
        asked.apply(&mut request);
        let series = user.series(method, asked.name.as_deref().unwrap_or(path));
        Ok(Prepared {
            request,
            series,
            name: asked.name,
            expect: asked.expect,
        })
    }
}
