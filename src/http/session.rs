//! One user's HTTP: its idle connections, cookies and headers, and the way of a request through
//! redirects, stale connections and retries.
//!
//! Does not read or write sockets itself (`connection`), keep idle connections (`idle`), or decide
//! where a redirect leads (`redirect`).

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Uri};

use super::acquire::AnyConnection;
use super::client::Client;
use super::connection::{Body, Bounds, Connection};
use super::exchange::Exchange;
use super::failure::Error;
use super::headers;
use super::multiplex::{Http2Connection, Refusal, StreamTimes};
use super::progress::Progress;
use super::proxy::{Proxy, make_absolute};
use super::redirect::{next_hop, without_body};
use super::request::Request;
use super::reread;
use super::response::Response;
use super::state::SessionState;
use super::streamed::StreamedBody;
use super::tap::{AnsweredHop, SentHop};
use super::timeline::Phase;
use crate::clock::{Deadline, Micros, now};

/// One user's connections, cookies and headers.
///
/// Before its first request it is `size_of::<Session>()`, about 100 bytes, and nothing on the heap;
/// a connection adds about 12 KB, most of it hyper's buffers, an HTTP/2 connection about 15 KB.
pub struct Session {
    pub(super) client: Client,
    #[expect(
        clippy::vec_box,
        reason = "a connection is large, and moves twice a request"
    )]
    pub(super) idle: RefCell<Vec<Box<Connection>>>,
    /// Left here by the last exchange, so that setting the next one's timeouts costs a store.
    deadline: Cell<Option<Deadline>>,
    pub(super) state: RefCell<Option<Box<SessionState>>>,
    /// When the last request began.
    began: Cell<Micros>,
}

impl Session {
    /// A session without connections, cookies and headers.
    #[must_use]
    pub fn new(client: &Client) -> Session {
        Session {
            client: client.clone(),
            idle: RefCell::default(),
            deadline: Cell::new(None),
            state: RefCell::default(),
            began: Cell::default(),
        }
    }

    /// When the latest request began: tells the age of one that is cut.
    #[must_use]
    pub fn began(&self) -> Micros {
        self.began.get()
    }

    /// The client that it shares with the other users of its class.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and waits for the whole response, redirects included.
    ///
    /// Concurrent requests take a connection each, or share one over HTTP/2. Failures are in the
    /// exchange, along with what was measured. Dropping the future cancels the request and closes
    /// its connection.
    pub fn send<'a>(
        &'a self,
        request: impl Borrow<Request> + 'a,
    ) -> impl Future<Output = Exchange> + 'a {
        self.send_for(request, None)
    }

    /// Like [`send`](Session::send), for a response whose body may never be read: if it turns out
    /// to be large and `is_unread` returns true, the body is received but not kept.
    pub async fn send_for(
        &self,
        request: impl Borrow<Request>,
        is_unread: Option<&dyn Fn() -> bool>,
    ) -> Exchange {
        let request = request.borrow();
        let started = now();
        self.began.set(started);
        let mut progress = Progress::new(started);
        let deadline = self.take_deadline();
        let bounds = Bounds {
            client: &self.client,
            deadline: &deadline,
            whole: match request.timeout {
                Some(timeout) => started + timeout,
                None => Micros::NEVER,
            },
            is_streamed: request.stream,
            follows: request.allow_redirects,
            is_unread,
        };
        let result = self.follow(request, &bounds, &mut progress).await;
        self.put_deadline(deadline);
        progress.end(result, started, now())
    }

    pub(super) fn take_deadline(&self) -> Deadline {
        let deadline = self.deadline.take();
        deadline.unwrap_or_else(|| Deadline::new(self.client.timers()))
    }

    pub(super) fn put_deadline(&self, deadline: Deadline) {
        deadline.set(Micros::NEVER);
        self.deadline.set(Some(deadline));
    }

    async fn follow(
        &self,
        asked: &Request,
        bounds: &Bounds<'_>,
        progress: &mut Progress,
    ) -> Result<Box<Response>, Error> {
        let max_redirects = self.client.options().max_redirects;
        // The target of a redirect; copying every request for the few that have one would cost them
        // all.
        let mut redirected: Option<Box<Request>> = None;
        loop {
            let request = redirected.as_deref().unwrap_or(asked);
            let response = self.attempt(request, bounds, progress).await?;
            if !request.allow_redirects || !response.status().is_redirection() {
                return Ok(response);
            }
            let next = next_hop(
                response.status(),
                response.headers(),
                &request.method,
                &request.url,
            );
            let Some(next) = next else {
                return Ok(response);
            };
            let next = next.map_err(Error::BadUrl)?;
            if progress.redirects >= max_redirects {
                return Err(Error::Redirects(max_redirects));
            }
            progress.redirects += 1;
            // Nothing of the exchange is under way from here to the next connection.
            progress.timeline.enter(Phase::Blocked, now());
            // Once foreign, always foreign: another origin may have chosen where the chain leads.
            progress.is_foreign |= next.url.origin() != request.url.origin();
            let mut request = redirected.unwrap_or_else(|| Box::new(asked.clone()));
            request.method = next.method;
            request.url = next.url;
            if !next.keeps_body {
                request.body = Bytes::new();
                without_body(&mut request.headers);
            }
            redirected = Some(request);
        }
    }

    /// One hop with its retries.
    async fn attempt(
        &self,
        request: &Request,
        bounds: &Bounds<'_>,
        progress: &mut Progress,
    ) -> Result<Box<Response>, Error> {
        let mut retries_left = self.client.options().max_retries;
        let mut only_fresh = false;
        loop {
            let idle = match only_fresh {
                true => None,
                false => self.take_idle(request.url.origin()),
            };
            let acquired = match idle {
                Some(connection) => {
                    progress.timeline.rename(Phase::Send);
                    Ok(AnyConnection::Single(connection))
                }
                // Boxed because it is rare, and much larger than the rest of this future.
                None => Box::pin(self.acquire(request, bounds, progress)).await,
            };
            let outcome = match acquired {
                Ok(AnyConnection::Single(connection)) => {
                    self.exchange(connection, request, bounds, progress).await
                }
                Ok(AnyConnection::Shared(connection)) => {
                    let multiplexed =
                        self.multiplex(connection, request, bounds, progress, !only_fresh);
                    Box::pin(multiplexed).await
                }
                Err(error) => Outcome::Failed(error),
            };
            let error = match outcome {
                Outcome::Answered(response) => return Ok(response),
                Outcome::Stale => {
                    only_fresh = true;
                    progress.stale_retries += 1;
                    continue;
                }
                Outcome::Failed(error) => error,
            };
            if retries_left == 0 || !error.is_retryable() {
                return Err(error);
            }
            retries_left -= 1;
            progress.retries += 1;
            progress.timeline.enter(Phase::Blocked, now());
        }
    }

    async fn exchange(
        &self,
        mut connection: Box<Connection>,
        request: &Request,
        bounds: &Bounds<'_>,
        progress: &mut Progress,
    ) -> Outcome {
        let mut message = hyper::Request::new(Full::new(request.body.clone()));
        let is_proxied = connection.is_proxied;
        let head_length = match self.fill(&mut message, request, is_proxied, progress) {
            Ok(length) => length,
            Err(error) => {
                self.put_idle(connection);
                return Outcome::Failed(error);
            }
        };
        connection.notes().begin(progress.timeline.mark());
        let keep = |head| Response::begun(head, &self.client, &request.url);
        let mut result = {
            let head = pin!(connection.take(message));
            connection
                .exchange(head, keep, bounds, &mut progress.received)
                .await
        };
        if let Err(error) = &result
            && error.is_of_unread_head()
        {
            let sent = connection.notes().written().saturating_sub(head_length);
            connection.is_spent = sent < request.body.len() as u64;
            let received = &mut progress.received;
            let again = reread::again(connection, &request.method, keep, bounds, received);
            (connection, result) = match Box::pin(again).await {
                Ok(reread) => reread,
                Err(error) => return Outcome::Failed(error),
            };
        }
        let notes = connection.notes();
        let (written, first_byte) = (notes.written(), notes.first_read());
        // What arrived before anything was written is not the response: a server may send `408` as
        // it closes an idle connection. curl does not use such a connection either, and like curl
        // we take whatever comes after the first written byte as the response.
        let spoke_first = written == 0 && first_byte.is_some();
        if let Err(error) = &result
            && connection.is_reused
            && (first_byte.is_none() || spoke_first)
            && error.is_gone()
        {
            if written == 0 || request.method.is_idempotent() {
                progress.timeline.rename(Phase::Blocked);
                return Outcome::Stale;
            }
            progress.sent += written.saturating_sub(head_length);
            return Outcome::Failed(Error::Stale);
        }
        progress.sent += written.saturating_sub(head_length);
        progress.close_phases(notes.last_write(), first_byte);
        match result {
            Ok((mut response, body)) => {
                match body {
                    Body::Whole(body) => {
                        self.put_idle(connection);
                        response.keep(body);
                    }
                    Body::Coming(body) => {
                        let headers = response.headers();
                        let coming = StreamedBody::of_single(connection, body, headers, bounds);
                        response.coming = Some(Box::new(coming));
                    }
                }
                self.answered(&response, request);
                Outcome::Answered(response)
            }
            Err(error) if spoke_first && error.is_gone() => Outcome::Failed(Error::NotHttp),
            Err(error) => Outcome::Failed(error),
        }
    }

    /// Sends a request on a connection that others may use at the same time.
    async fn multiplex(
        &self,
        connection: Rc<Http2Connection>,
        request: &Request,
        bounds: &Bounds<'_>,
        progress: &mut Progress,
        may_repeat: bool,
    ) -> Outcome {
        let mut headers = self.client.take_map();
        let merged = self.merge_headers(&mut headers, request, progress);
        let message = merged.and_then(|()| {
            let message = headers::message(headers, request);
            message.ok_or(Error::BadRequest)
        });
        let message = match message {
            Ok(message) => message,
            Err(error) => return Outcome::Failed(error),
        };
        let begun = progress.timeline.mark();
        let mut times = StreamTimes::default();
        let head = connection
            .send(message, request.body.clone(), bounds, begun, &mut times)
            .await;
        let written = times.written.and_then(|mark| mark.get());
        let unsent = times.sent == 0 && written.is_none();
        let repeat = match &head {
            Err(Refusal::Unprocessed(_)) => may_repeat,
            Err(Refusal::Gone) => may_repeat && (unsent || request.method.is_idempotent()),
            Err(Refusal::Failed(_)) | Ok(_) => false,
        };
        if repeat {
            progress.timeline.rename(Phase::Blocked);
            return Outcome::Stale;
        }
        progress.sent += times.sent;
        progress.close_phases(written, times.first_byte);
        let (parts, incoming) = match head {
            Ok(head) => head,
            Err(Refusal::Gone) => return Outcome::Failed(Error::Stale),
            Err(Refusal::Unprocessed(error) | Refusal::Failed(error)) => {
                return Outcome::Failed(error);
            }
        };
        let is_streamed = bounds.streams(parts.status);
        let mut response = Response::begun(parts, &self.client, &request.url);
        if is_streamed {
            let coming = StreamedBody::of_shared(incoming, response.headers(), bounds);
            response.coming = Some(Box::new(coming));
        } else {
            let announced = headers::announced(response.headers());
            let received = &mut progress.received;
            match incoming.read(announced, bounds, received).await {
                Ok(body) => response.keep(body),
                Err(error) => return Outcome::Failed(error),
            }
        }
        self.answered(&response, request);
        Outcome::Answered(response)
    }

    /// Fills in a request's message, to be written to its origin or a proxy. Returns how many of
    /// the bytes written will not be body.
    fn fill(
        &self,
        message: &mut hyper::Request<Full<Bytes>>,
        request: &Request,
        is_proxied: bool,
        progress: &Progress,
    ) -> Result<u64, Error> {
        let (method, url) = (&request.method, &request.url);
        *message.method_mut() = method.clone();
        *message.headers_mut() = self.client.take_map();
        self.merge_headers(message.headers_mut(), request, progress)?;
        let length = headers::head_length(request.body.len(), method, url, message.headers());
        if is_proxied {
            let proxy = self.client.options().proxy.as_ref();
            let authorization = proxy.and_then(Proxy::authorization);
            return Ok(length.saturating_add(make_absolute(message, url, authorization)?));
        }
        *message.uri_mut() = Uri::from(url.path().clone());
        Ok(length)
    }

    /// The headers that `request` is sent with: its own, the session's, cookies, the defaults.
    ///
    /// Empty if there are too many to be sent.
    #[must_use]
    pub fn headers_for(&self, request: &Request) -> HeaderMap {
        let mut map = HeaderMap::new();
        match self.merge_headers(&mut map, request, &Progress::new(now())) {
            Ok(()) => map,
            Err(_) => HeaderMap::new(),
        }
    }

    /// Puts the headers that a request is sent with into an empty map. Tells the observer.
    fn merge_headers(
        &self,
        map: &mut HeaderMap,
        request: &Request,
        progress: &Progress,
    ) -> Result<(), Error> {
        let state = self.state.borrow();
        let session = state.as_ref().map(|state| &state.headers);
        let origin = request.url.origin();
        headers::fill(map, origin, &request.headers, session, progress.is_foreign)?;
        if request.body.is_empty() {
            headers::say_empty(map, &request.method);
        }
        if request.cookies
            && let Some(state) = &*state
            && !map.contains_key(hyper::header::COOKIE)
            && let Some(cookies) = state.jar.header(&request.url, progress.timeline.mark())
        {
            map.insert(hyper::header::COOKIE, cookies);
        }
        if let Some(tap) = self.client.tapped() {
            tap.sends(&SentHop {
                method: &request.method,
                url: &request.url,
                headers: map,
                body: &request.body,
            });
        }
        Ok(())
    }

    /// Stores the cookies of a response that has been received. Tells the observer.
    fn answered(&self, response: &Response, request: &Request) {
        if request.cookies && headers::set_cookies(response.headers()) {
            self.change_state(|state| {
                let refused = |header: &[u8], reason| {
                    self.client.cookie_refused(header, &request.url, reason);
                };
                state.jar.store(response.headers(), &request.url, refused);
            });
        }
        if let Some(tap) = self.client.tapped() {
            tap.answers(&AnsweredHop {
                method: &request.method,
                url: &request.url,
                version: response.version,
                status: response.status,
                headers: response.headers(),
            });
        }
    }
}

/// The outcome of one request on one connection.
enum Outcome {
    Answered(Box<Response>),
    /// The kept-alive connection was closed already, and the request may be repeated.
    Stale,
    Failed(Error),
}
