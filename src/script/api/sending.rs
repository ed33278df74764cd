//! From a call in a script to a request, and from its end to a record with an open verdict.
//!
//! Owns what is sent, waiting for it, and what is counted when it is cut. `request` reads the
//! options; `verdict` decides what becomes of the verdict.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use rhai::{EvalAltResult, Map, NativeCallContext};

use super::request::RequestOptions;
use super::request_record::{Counting, RequestRecord};
use super::response::Response;
use crate::clock::{self, Micros};
use crate::coroutine::{self, NotAwaited};
use crate::http;
use crate::script::api::channel::Client;
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::listeners::cannot_wait;
use crate::script::run::routes::Route;
use crate::script::run::verdict::{self, Open};
use crate::stats::Kind;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Rhai's call level of a request made directly in the function that Katydid called.
const OUTERMOST: usize = 1;

/// The options of a request, not read yet.
pub(crate) enum RawOptions {
    /// None, as in `this.client.get("/hello")`.
    None,
    /// `#{…}`
    Any(Map),
    /// `#{…}`, of a request whose response has to be JSON.
    Json(Map),
}

/// Sends a request and waits for its answer.
pub(crate) fn send(
    context: &NativeCallContext,
    client: &Client,
    method: &Method,
    path: &str,
    raw: RawOptions,
) -> Result<Response> {
    let position = context.call_position();
    let user = &client.user;
    verdict::settle(user, position);
    let is_json = matches!(raw, RawOptions::Json(_));
    let Prepared { request, counting } = match raw {
        RawOptions::None => Prepared::plain(client, method, path)?,
        RawOptions::Any(options) => {
            let source = context.call_source().unwrap_or_default();
            Prepared::of(client, method, path, &options, source)?
        }
        RawOptions::Json(options) => {
            let source = context.call_source().unwrap_or_default();
            let mut prepared = Prepared::with(client, method, path, &options, source)?;
            prepared.speak_json(client);
            prepared
        }
    };

    let sent = client.sent_if_asked(&request);
    let begun = Cell::new(false);
    let is_unread = || {
        let unread = &user.generation.program.unread;
        let source = context.call_source().unwrap_or_default();
        let is_outermost = context.call_level() == OUTERMOST && user.drops_value.get();
        unread.has(source, position, is_outermost)
    };
    // An observer sees every body.
    let may_be_unread = !is_json && user.thread.tracer.is_none();
    let is_unread = may_be_unread.then_some(&is_unread as &dyn Fn() -> bool);
    let sending = pin!(async {
        begun.set(true);
        let _under_way = user.thread.in_flight.begin();
        client.channel.session.send_for(request, is_unread).await
    });
    let exchange = coroutine::await_pinned(sending).map_err(|why| {
        let cut = begun
            .get()
            .then(|| (&counting, client.channel.session.began()));
        not_awaited(client, why, cut)
    })?;
    let answer = RequestRecord::of(client, (method, path), &counting, position, sent, exchange);
    verdict::keep_open(user, Open::One(answer.clone()));
    if is_json {
        answer.expect_json()?;
    }
    Ok(Response(answer))
}

/// The error for a script whose wait was cut short, with the requests that were pending then, and
/// when each began.
pub(crate) fn not_awaited<'a>(
    client: &Client,
    why: NotAwaited,
    pending: impl IntoIterator<Item = (&'a Counting, Micros)>,
) -> Box<EvalAltResult> {
    match why {
        NotAwaited::Cancelled => {
            let (user, now) = (&client.user, clock::now());
            for (counting, began) in pending {
                user.thread.count_cut(1);
                let late_us = user.late_us.take();
                if let Some(series) = counting.series {
                    let age_us = now.since(began);
                    let generation = user.generation.number();
                    user.thread.record(|recorder| {
                        let at_us = user.thread.run_us(now);
                        recorder.unfinished(series, generation, at_us, age_us, age_us + late_us);
                    });
                }
            }
            Control::Cancelled.into()
        }
        NotAwaited::Outside => cannot_wait("a request"),
    }
}

/// A request that is ready to be sent, and how it counts.
pub(crate) struct Prepared {
    /// Shared with others of its route, if it has no options.
    pub(crate) request: Rc<http::Request>,
    pub(crate) counting: Counting,
}

impl Prepared {
    /// A request without options.
    fn plain(client: &Client, method: &Method, path: &str) -> Result<Prepared> {
        let Client { user, channel } = client;
        let Route { request, series } = match channel.destination.find(method, path) {
            Some(known) => known,
            None => {
                let url = channel.url(user, path, &[])?;
                let mut request = http::Request::new(method.clone(), url);
                request.allow_redirects = *method != Method::HEAD;
                let series = user
                    .thread
                    .record(|recorder| recorder.series(&Kind::Http, method.as_str(), path));
                let route = Route {
                    request: Rc::new(request),
                    series,
                };
                channel.destination.remember(path, &route);
                route
            }
        };
        Ok(Prepared {
            request,
            counting: Counting {
                series: Some(series),
                name: None,
                expect: Vec::new(),
            },
        })
    }

    /// A request with options, if there are any, of the script `source`.
    pub(crate) fn of(
        client: &Client,
        method: &Method,
        path: &str,
        options: &Map,
        source: &str,
    ) -> Result<Prepared> {
        if options.is_empty() {
            Prepared::plain(client, method, path)
        } else {
            Prepared::with(client, method, path, options, source)
        }
    }

    fn with(
        client: &Client,
        method: &Method,
        path: &str,
        options: &Map,
        source: &str,
    ) -> Result<Prepared> {
        let Client { user, channel } = client;
        let mut asked = RequestOptions::read(options, user, source)?;
        let url = channel.url(user, path, &asked.params)?;
        let mut request = http::Request::new(method.clone(), url);
        request.allow_redirects = asked.allow_redirects.unwrap_or(*method != Method::HEAD);
        asked.apply(&mut request);
        let name = asked.name.as_deref().unwrap_or(path);
        let series = asked.record.then(|| {
            user.thread.record(|recorder| match &asked.protocol {
                None => recorder.series(&Kind::Http, method.as_str(), name),
                Some(protocol) => {
                    recorder.series(&Kind::Protocol(protocol.clone()), protocol, name)
                }
            })
        });
        Ok(Prepared {
            request: Rc::new(request),
            counting: Counting {
                series,
                name: asked.name,
                expect: asked.expect,
            },
        })
    }

    /// Sets the headers for JSON, sent (if there is a body) and accepted, unless the script or its
    /// session sets them otherwise.
    fn speak_json(&mut self, client: &Client) {
        let session = &client.channel.session;
        let request = Rc::make_mut(&mut self.request);
        let headers = &mut request.headers;
        if !headers.contains_key(ACCEPT) && session.header(&ACCEPT).is_none() {
            headers.insert(ACCEPT, JSON);
        }
        if !request.body.is_empty()
            && !headers.contains_key(CONTENT_TYPE)
            && session.header(&CONTENT_TYPE).is_none()
        {
            headers.insert(CONTENT_TYPE, JSON);
        }
    }
}
