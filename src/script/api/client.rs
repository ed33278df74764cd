//! `this.client`: what a script can do with a client, its headers and its cookies.
//!
//! Owns the methods. `channel` is what a client consists of, `request` reads a request's options,
//! `sending` sends it.

use std::rc::Rc;

use hyper::Method;
use hyper::header::HeaderName;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::batch;
use super::fields::{header, header_text, sendable};
use super::headers;
use super::sending::{self, RawOptions};
use crate::script::api::channel::{Channel, Client};
use crate::script::results::Result;
use crate::script::run::user::User;
use crate::script::value;

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
                sending::send(&context, client, &plain, path, RawOptions::None)
            },
        );
        engine.register_fn(
            name,
            move |context: NativeCallContext, client: &mut Client, path: &str, options: Map| {
                sending::send(&context, client, &method, path, RawOptions::Any(options))
            },
        );
    }
    for (name, raw) in [
        ("request", RawOptions::Any as fn(Map) -> RawOptions),
        ("rest", RawOptions::Json),
    ] {
        engine.register_fn(
            name,
            move |context: NativeCallContext, client: &mut Client, method: &str, path: &str| {
                let method = parsed(method)?;
                sending::send(&context, client, &method, path, raw(Map::new()))
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
                sending::send(&context, client, &method, path, raw(options))
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

/// Carries over a client, its headers or its cookies for a user that renews.
pub(crate) fn carry_over(value: &mut Dynamic, from: &Rc<User>, to: &Rc<User>) {
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
