//! `this.client`: a way to one host, with its session's headers and cookies.
//!
//! Owns what a client is: a user, a session, an address. How a request becomes a sample is
//! `sending`'s, what may stand in `#{…}` of a request `request`'s.

use std::rc::Rc;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use super::batch;
use super::fields::{header, header_text, sendable};
use super::headers;
use super::sending::{self, Asks};
use super::sent::Sent;
use crate::http::{self, Session, Url};
use crate::script::run::routes::Destination;
use crate::script::run::said_once::Once;
use crate::script::run::user::User;
use crate::script::value;

type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

/// A client of a user, as its script holds it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) user: Rc<User>,
    pub(crate) channel: Rc<Channel>,
}

/// The way to one host: connections, cookies, headers, and what is known of its paths.
pub(crate) struct Channel {
    pub(crate) session: Session,
    pub(crate) destination: Rc<Destination>,
}

/// `client.headers`
#[derive(Clone)]
struct Headers(Rc<Channel>);

/// `client.cookies`
#[derive(Clone)]
struct Cookies(Client);

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Client>("client")
        .register_type_with_name::<Headers>("session headers")
        .register_type_with_name::<Cookies>("session cookies")
        .register_get("headers", |client: &mut Client| {
            Headers(client.channel.clone())
        })
        .register_get("cookies", |client: &mut Client| Cookies(client.clone()));
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
                sending::send(&context, client, &plain, path, Asks::Nothing)
            },
        );
        engine.register_fn(
            name,
            move |context: NativeCallContext, client: &mut Client, path: &str, options: Map| {
                sending::send(&context, client, &method, path, Asks::Options(options))
            },
        );
    }
    for (name, asks) in [
        ("request", Asks::Options as fn(Map) -> Asks),
        ("rest", Asks::Json),
    ] {
        engine.register_fn(
            name,
            move |context: NativeCallContext, client: &mut Client, method: &str, path: &str| {
                let method = parsed(method)?;
                sending::send(&context, client, &method, path, asks(Map::new()))
            },
        );
        engine.register_fn(
            name,
            move |context: NativeCallContext,
                  client: &mut Client,
                  method: &str,
                  path: &str,
                  options: Map| {
                let method = parsed(method)?;
                sending::send(&context, client, &method, path, asks(options))
            },
        );
    }
    engine
        .register_fn(
            "batch",
            |context: NativeCallContext, client: &mut Client, requests: Array| {
                batch::send(&context, client, &requests)
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
            let value = cookies.0.channel.session.cookie(name);
            value.map_or(Dynamic::UNIT, Dynamic::from)
        })
        .register_indexer_set(|cookies: &mut Cookies, name: &str, value: Dynamic| {
            cookies.set(name, &value)
        })
        .register_fn("clear", |cookies: &mut Cookies| {
            cookies.0.channel.session.clear_cookies()
        });
}

impl Client {
    /// What is about to be sent, if scripts ask for it.
    pub(crate) fn sent_if_asked(&self, request: &http::Request) -> Option<Box<Sent>> {
        let keeps = self.user.class.keeps_requests;
        keeps.then(|| Sent::of(&self.channel.session, request))
    }

    /// Warns of a cookie that is of no use to this user. Costs a look where there is none.
    pub(crate) fn tell_refused_cookie(&self) {
        if let Some(refused) = self.channel.session.client().take_refused_cookie() {
            self.warn_of(&refused);
        }
    }

    #[cold]
    fn warn_of(&self, refused: &http::RefusedCookie) {
        let once = Once::RefusedCookie(refused.reason.bit());
        let (who, text) = (self.user.described(), refused.to_string());
        self.user.thread.warn_once(once, who, String::new(), text);
    }

    /// The client that a user has from the start.
    pub(crate) fn of(user: &Rc<User>) -> Client {
        Client {
            user: user.clone(),
            channel: user.channel.clone(),
        }
    }
}

impl Channel {
    /// A way to a host that has these headers and credentials from the start.
    pub(crate) fn new(
        session: Session,
        destination: Rc<Destination>,
        headers: &[(String, String)],
        auth: Option<&(String, String)>,
    ) -> Rc<Channel> {
        for (name, value) in headers_of(headers, auth, destination.base().as_ref()) {
            session.set_header(name, value);
        }
        Channel::of(session, destination)
    }

    /// A way to a host for a session that has its headers.
    pub(crate) fn of(session: Session, destination: Rc<Destination>) -> Rc<Channel> {
        Rc::new(Channel {
            session,
            destination,
        })
    }

    /// The URL of a request: absolute, or relative to the host.
    pub(crate) fn url(&self, user: &User, path: &str, params: &[(String, String)]) -> Result<Url> {
        match self.destination.url(path, params) {
            Some(url) => url.map_err(|wrong| wrong.to_string().into()),
            None => Err(format!(
                "`{path}` needs a host: give one with `-H http://…` or set `host` in the class `{}`",
                user.class.name
            )
            .into()),
        }
    }
}

/// What a session has from the start: these headers, and the credentials, if only of the host.
pub(crate) fn headers_of(
    headers: &[(String, String)],
    auth: Option<&(String, String)>,
    base: Option<&http::Base>,
) -> Vec<(HeaderName, HeaderValue)> {
    // What is no header was refused when the options were read.
    let headers = headers.iter();
    let headers = headers.filter_map(|(name, value)| header(name, value).ok());
    let given = auth.map(|(name, password)| (name.as_str(), password.as_str()));
    let credentials = given.or_else(|| base?.credentials());
    let credentials =
        credentials.map(|(name, password)| (AUTHORIZATION, http::basic_auth(name, password)));
    headers.chain(credentials).collect()
}

/// A client, its headers or its cookies, kept by a user that goes on with another script.
pub(crate) fn take_along(value: &mut Dynamic, from: &Rc<User>, to: &Rc<User>) {
    let own = |channel: &mut Rc<Channel>| {
        if Rc::ptr_eq(channel, &from.channel) {
            *channel = to.channel.clone();
        }
    };
    if let Some(mut client) = value.write_lock::<Client>() {
        client.user = to.clone();
        own(&mut client.channel);
    } else if let Some(mut headers) = value.write_lock::<Headers>() {
        own(&mut headers.0);
    } else if let Some(mut cookies) = value.write_lock::<Cookies>() {
        cookies.0.user = to.clone();
        own(&mut cookies.0.channel);
    }
}

/// A method by its name.
pub(crate) fn parsed(method: &str) -> Result<Method> {
    Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| format!("`{method}` is no HTTP method").into())
}

/// The value of a header or cookie.
fn text_of(name: &str, value: &Dynamic) -> Result<String, String> {
    let kind = value::kind(value);
    sendable(value).ok_or_else(|| format!("`{name}` is text or a number, not {kind}"))
}

impl Headers {
    fn get(&self, name: &str) -> Dynamic {
        let value = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .and_then(|name| self.0.session.header(&name));
        match value {
            Some(value) => header_text(&value).into(),
            None => Dynamic::UNIT,
        }
    }

    fn set(&self, name: &str, value: &Dynamic) -> Result<()> {
        if value.is_unit() {
            let (name, _) = header(name, "")?;
            self.0.session.remove_header(&name);
        } else {
            let (name, value) = header(name, &text_of(name, value)?)?;
            let (count, bytes) = self.0.session.size_of_headers_with(&name, &value);
            headers::check(count, bytes)?;
            self.0.session.set_header(name, value);
        }
        Ok(())
    }
}

impl Cookies {
    fn set(&self, name: &str, value: &Dynamic) -> Result<()> {
        let Client { user, channel } = &self.0;
        if value.is_unit() {
            channel.session.remove_cookie(name);
        } else {
            let url = channel.url(user, "/", &[])?;
            channel
                .session
                .set_cookie(name, &text_of(name, value)?, &url);
        }
        Ok(())
    }
}
