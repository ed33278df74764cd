//! `client.batch([…])`: several requests at once, as a browser makes them.
//!
//! Owns reading the list and sending it with a bound. Each request is prepared, counted and
//! judged like any other; the task waits once, for all of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use hyper::Method;
use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::client::parsed;
use super::request_record::RequestRecord;
use super::response::Response;
use super::sending::{Prepared, not_awaited};
use crate::clock::{self, Micros};
use crate::coroutine;
use crate::http::{Exchange, Request, Session};
use crate::script::api::channel::Client;
use crate::script::results::Result;
use crate::script::run::verdict::{self, Open};
use crate::script::value;
use crate::stats::InFlight;

/// Sends all requests of the list; their responses in the list's order, all verdicts open.
pub(crate) fn send(context: &NativeCallContext, client: &Client, list: &Array) -> Result<Array> {
    let position = context.call_position();
    let user = &client.user;
    verdict::settle(user, position);
    let source = context.call_source().unwrap_or_default();
    let mut requests = Vec::with_capacity(list.len());
    let mut counted = Vec::with_capacity(list.len());
    for (index, element) in list.iter().enumerate() {
        let prepared = Element::read(element)
            .and_then(|element| {
                let Element {
                    method,
                    path,
                    options,
                } = &element;
                Ok((
                    Prepared::of(client, method, path, options, source)?,
                    element.path,
                ))
            })
            .map_err(|error| format!("element {index} of the batch: {error}"))?;
        let (Prepared { request, counting }, path) = prepared;
        let sent = client.sent_if_asked(&request);
        let method = request.method.clone();
        requests.push(request);
        counted.push((counting, method, path, sent));
    }

    // By the place in the list: when each began that has not ended.
    let under_way = RefCell::new(BTreeMap::new());
    let channel = &client.channel;
    let at_once = channel.session.client().options().concurrency as usize;
    let in_flight = &user.thread.in_flight;
    let sending = all(&channel.session, requests, at_once, &under_way, in_flight);
    let exchanges = coroutine::await_in(sending).map_err(|why| {
        let pending = under_way.take().into_iter();
        let pending = pending.map(|(index, began)| (&counted[index].0, began));
        not_awaited(client, why, pending)
    })?;
    let mut answers = Vec::with_capacity(exchanges.len());
    for (exchange, (counting, method, path, sent)) in exchanges.into_iter().zip(counted) {
        let asked = (&method, path.as_str());
        answers.push(RequestRecord::of(
            client, asked, &counting, position, sent, exchange,
        ));
    }
    verdict::keep_open(user, Open::Many(answers.clone()));
    let responses = answers.into_iter().map(Response);
    Ok(responses.map(Dynamic::from).collect())
}

/// Sends all, with a limit on how many at once, and counts those in flight.
async fn all(
    session: &Session,
    requests: Vec<Rc<Request>>,
    at_once: usize,
    under_way: &RefCell<BTreeMap<usize, Micros>>,
    in_flight: &InFlight,
) -> Vec<Exchange> {
    type Sending<'a> = Pin<Box<dyn Future<Output = Exchange> + 'a>>;
    let mut exchanges: Vec<Option<Exchange>> = requests.iter().map(|_| None).collect();
    let mut waiting = requests.into_iter().enumerate();
    let mut running: Vec<(usize, Sending<'_>)> = Vec::new();
    poll_fn(|cx| {
        loop {
            while running.len() < at_once
                && let Some((index, request)) = waiting.next()
            {
                under_way.borrow_mut().insert(index, clock::now());
                running.push((
                    index,
                    Box::pin(async move {
                        let _under_way = in_flight.begin();
                        session.send(request).await
                    }),
                ));
            }
            if running.is_empty() {
                return Poll::Ready(());
            }
            let before = running.len();
            running.retain_mut(|(index, sending)| match sending.as_mut().poll(cx) {
                Poll::Ready(exchange) => {
                    exchanges[*index] = Some(exchange);
                    under_way.borrow_mut().remove(index);
                    false
                }
                Poll::Pending => true,
            });
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    drop(running);
    exchanges.into_iter().flatten().collect()
}

/// One request of the list.
struct Element {
    method: Method,
    path: String,
    options: Map,
}

impl Element {
    /// `["POST", "/path", #{…}]`; also `"/path"`, and `#{ method, path, … }`.
    fn read(element: &Dynamic) -> Result<Element> {
        if let Some(path) = value::text(element) {
            return Element::new("GET", path, Map::new());
        }
        if let Some(parts) = element.read_lock::<Array>() {
            let text = |at: usize| parts.get(at).and_then(value::text);
            let options = parts.get(2).map_or(Some(Map::new()), |options| {
                Some(options.read_lock::<Map>()?.clone())
            });
            if let (Some(method), Some(path), Some(options), 2..=3) =
                (text(0), text(1), options, parts.len())
            {
                return Element::new(&method, path, options);
            }
        } else if let Some(map) = element.read_lock::<Map>() {
            let mut options = map.clone();
            let method = options.remove("method").unwrap_or_else(|| "GET".into());
            let path = options.remove("path");
            if let (Some(method), Some(path)) =
                (value::text(&method), path.as_ref().and_then(value::text))
            {
                return Element::new(&method, path, options);
            }
        }
        Err(
            "a request is written `[\"GET\", \"/path\"]`, with `#{…}` as a third if it has options"
                .into(),
        )
    }

    fn new(method: &str, path: String, options: Map) -> Result<Element> {
        Ok(Element {
            method: parsed(method)?,
            path,
            options,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let element = rhai::Engine::new().eval::<Dynamic>(text).unwrap();
        let element = Element::read(&element).map_err(|error| error.to_string())?;
        let options: Vec<_> = element.options.keys().map(|key| key.as_str()).collect();
        Ok(format!("{} {} {options:?}", element.method, element.path))
    }

    #[test]
    fn an_element_is_a_path_a_list_or_a_map() {
        for (text, expected) in [
            (r#""/a""#, r#"GET /a []"#),
            (r#"["put", "/a"]"#, r#"PUT /a []"#),
            (r#"["POST", "/a", #{ json: 1 }]"#, r#"POST /a ["json"]"#),
            (r#"#{ path: "/a", name: "b" }"#, r#"GET /a ["name"]"#),
            (r#"#{ method: "POST", path: "/a" }"#, r#"POST /a []"#),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "7",
            "[]",
            r#"["GET"]"#,
            r#"["GET", 7]"#,
            r#"["GET", "/a", 7]"#,
            r#"["GET", "/a", #{}, 1]"#,
            r#"#{ method: "GET" }"#,
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("a request is written"), "{text}: {error}");
        }
        assert!(read(r#"["G T", "/a"]"#).unwrap_err().contains("`G T`"));
    }
}
