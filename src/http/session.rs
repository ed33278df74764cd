//! One user's HTTP: its idle connections, cookies and headers, and the way of a request through
//! redirects, stale connections and retries.
//!
//! Does not read or write sockets itself (`connection`), keep idle connections (`idle`), nor decide what follows from a redirect
//! (`redirect`).

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::response::Parts;
use hyper::{HeaderMap, Uri};

use super::client::Client;
use super::collected::Read;
use super::connection::{Body, Bounds, Connection};
use super::exchange::Exchange;
use super::failure::Error;
use super::headers;
use super::kept::Kept;
use super::multiplex::{Multiplexed, Passed, Refusal};
use super::obtain::Obtained;
use super::proxy::Proxy;
use super::redirect::{next_hop, without_body};
use super::request::Request;
use super::reread;
use super::response::Response;
use super::streamed::StreamedBody;
use super::tap::{AnsweredHop, SentHop};
use super::timeline::{Phase, Timeline};
use crate::clock::{Deadline, Micros, now};

/// One user's connections, cookies and headers.
///
/// Before its first request it is `size_of::<Session>()`, about 100 bytes, and nothing on the
/// heap; a connection adds about 12 KB, most of it hyper's buffers, one of HTTP/2 about 15 KB.
pub struct Session {
    pub(super) client: Client,
    #[expect(
        clippy::vec_box,
        reason = "a connection is large, and moves twice a request"
    )]
    pub(super) idle: RefCell<Vec<Box<Connection>>>,
    /// Left here by the last exchange, so that the next one's timeouts cost a store.
    deadline: Cell<Option<Deadline>>,
    pub(super) kept: RefCell<Option<Box<Kept>>>,
    /// When the last request began.
    began: Cell<Micros>,
}

/// What is measured along the way, kept whatever the end.
pub(super) struct Trip {
    pub(super) timeline: Timeline,
    /// The chain has left the origin it began at: no credentials go there.
    is_foreign: bool,
    first_byte: Option<Micros>,
    sent: u64,
    received: u64,
    redirects: u32,
    stale_retries: u32,
    retries: u32,
}

impl Session {
    /// A session without connections, cookies and headers.
    #[must_use]
    pub fn new(client: &Client) -> Session {
        Session {
            client: client.clone(),
            idle: RefCell::default(),
            deadline: Cell::new(None),
            kept: RefCell::default(),
            began: Cell::default(),
        }
    }

    /// When the request that was begun last was: for how old one is that is cut.
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
    /// Several at once take a connection each, or share one of HTTP/2. Failures are in the exchange, with what was measured.
    /// Dropping the future cancels the request and closes its connection.
    pub fn send<'a>(
        &'a self,
        request: impl Borrow<Request> + 'a,
    ) -> impl Future<Output = Exchange> + 'a {
        self.send_for(request, None)
    }

    /// The same for a response whose body is perhaps dropped unread: if it turns out to be large,
    /// `is_unread` is asked, and if it says so the body is received and not kept.
    pub async fn send_for(
        &self,
        request: impl Borrow<Request>,
        is_unread: Option<&dyn Fn() -> bool>,
    ) -> Exchange {
        let request = request.borrow();
        let started = now();
        self.began.set(started);
        let mut trip = Trip {
            timeline: Timeline::new(started),
            is_foreign: false,
            first_byte: None,
            sent: 0,
            received: 0,
            redirects: 0,
            stale_retries: 0,
            retries: 0,
        };
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
        let result = self.follow(request, &bounds, &mut trip).await;
        self.put_deadline(deadline);
        let ended = now();
        trip.timeline.enter(Phase::Blocked, ended);
        Exchange {
            result,
            started,
            first_byte: trip.first_byte,
            ended,
            phases: trip.timeline.phases(),
            sent: trip.sent,
            received: trip.received,
            redirects: trip.redirects,
            stale_retries: trip.stale_retries,
            retries: trip.retries,
        }
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
        trip: &mut Trip,
    ) -> Result<Box<Response>, Error> {
        let max_redirects = self.client.options().max_redirects;
        // Where a redirect leads; few requests have one, and a copy of each would cost all.
        let mut redirected: Option<Box<Request>> = None;
        loop {
            let request = redirected.as_deref().unwrap_or(asked);
            let response = self.attempt(request, bounds, trip).await?;
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
            if trip.redirects >= max_redirects {
                return Err(Error::Redirects(max_redirects));
            }
            trip.redirects += 1;
            // From here to the next connection nothing of the exchange is under way.
            trip.timeline.enter(Phase::Blocked, now());
            // Once abroad, always abroad: another origin may have chosen where the chain goes.
            trip.is_foreign |= next.url.origin() != request.url.origin();
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

    /// One hop with its repetitions.
    async fn attempt(
        &self,
        request: &Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
    ) -> Result<Box<Response>, Error> {
        let mut retries_left = self.client.options().max_retries;
        let mut only_fresh = false;
        loop {
            let idle = match only_fresh {
                true => None,
                false => self.take_idle(request.url.origin()),
            };
            let obtained = match idle {
                Some(connection) => {
                    trip.timeline.rename(Phase::Send);
                    Ok(Obtained::Single(connection))
                }
                // Rare, and much larger than the rest of this future.
                None => Box::pin(self.obtain(request, bounds, trip)).await,
            };
            let outcome = match obtained {
                Ok(Obtained::Single(connection)) => {
                    self.exchange(connection, request, bounds, trip).await
                }
                Ok(Obtained::Shared(connection)) => {
                    let multiplexed =
                        self.multiplex(connection, request, bounds, trip, !only_fresh);
                    Box::pin(multiplexed).await
                }
                Err(error) => Outcome::Failed(error),
            };
            let error = match outcome {
                Outcome::Answered(response) => return Ok(response),
                Outcome::Stale => {
                    only_fresh = true;
                    trip.stale_retries += 1;
                    continue;
                }
                Outcome::Failed(error) => error,
            };
            if retries_left == 0 || !error.is_retryable() {
                return Err(error);
            }
            retries_left -= 1;
            trip.retries += 1;
            trip.timeline.enter(Phase::Blocked, now());
        }
    }

    async fn exchange(
        &self,
        mut connection: Box<Connection>,
        request: &Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
    ) -> Outcome {
        let (method, url) = (&request.method, &request.url);
        let mut message = hyper::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = method.clone();
        match self.headers_of(request, trip) {
            Ok(headers) => *message.headers_mut() = headers,
            Err(error) => return Outcome::Failed(error),
        }
        let mut head_length =
            headers::head_length(request.body.len(), method, url, message.headers());
        if connection.is_proxied {
            match Proxy::address(self.client.options().proxy.as_ref(), &mut message, url) {
                Ok(grown) => head_length = head_length.saturating_add(grown),
                Err(error) => {
                    self.put_idle(connection);
                    return Outcome::Failed(error);
                }
            }
        } else {
            *message.uri_mut() = Uri::from(url.path().clone());
        }
        connection.notes().begin(trip.timeline.mark());
        let mut reread = None;
        let mut result = loop {
            let head = pin!(connection.take(message));
            let result = connection.exchange(head, bounds, &mut trip.received).await;
            match &result {
                Err(error) if error.is_of_unread_head() && reread.is_none() => {}
                _ => break result,
            }
            let sent = connection.notes().written().saturating_sub(head_length);
            connection.is_spent = sent < request.body.len() as u64;
            match Box::pin(reread::again(connection, method)).await {
                Ok((lenient, dummy, rest)) => {
                    (connection, message, reread) = (lenient, dummy, Some(rest));
                }
                Err(error) => return Outcome::Failed(error),
            }
        };
        if let Some(reread) = reread {
            reread.finish(connection.notes(), &mut result);
        }
        let notes = connection.notes();
        let (written, first_byte) = (notes.written(), notes.first_read());
        // What came before anything was written is no answer: a server may say `408` when it ends
        // an idle connection. curl does not use such a connection either; and as with curl, what
        // comes after the first byte was written is the answer.
        let spoke_first = written == 0 && first_byte.is_some();
        if let Err(error) = &result
            && connection.is_reused
            && (first_byte.is_none() || spoke_first)
            && error.is_gone()
        {
            if written == 0 || method.is_idempotent() {
                trip.timeline.rename(Phase::Blocked);
                return Outcome::Stale;
            }
            trip.sent += written.saturating_sub(head_length);
            return Outcome::Failed(Error::Stale);
        }
        trip.sent += written.saturating_sub(head_length);
        trip.passed(notes.last_write(), first_byte);
        match result {
            Ok((parts, Body::Whole(body))) => {
                self.put_idle(connection);
                Outcome::Answered(self.response(parts, body, None, request))
            }
            Ok((parts, Body::Coming(body))) => {
                let coming = StreamedBody::of_single(connection, body, &parts.headers, bounds);
                Outcome::Answered(self.response(parts, Read::nothing(), Some(coming), request))
            }
            Err(error) if spoke_first && error.is_gone() => Outcome::Failed(Error::NotHttp),
            Err(error) => Outcome::Failed(error),
        }
    }

    /// A request on a connection that others may use at the same time.
    async fn multiplex(
        &self,
        connection: Rc<Multiplexed>,
        request: &Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
        may_repeat: bool,
    ) -> Outcome {
        let headers = self.headers_of(request, trip).ok();
        let message = headers.and_then(|headers| headers::message(headers, request));
        let Some(message) = message else {
            return Outcome::Failed(Error::BadRequest);
        };
        let begun = trip.timeline.mark();
        let mut passed = Passed::default();
        let head = connection
            .send(message, request.body.clone(), bounds, begun, &mut passed)
            .await;
        let written = passed.written.and_then(|mark| mark.get());
        let unsent = passed.sent == 0 && written.is_none();
        let repeat = match &head {
            Err(Refusal::Unprocessed(_)) => may_repeat,
            Err(Refusal::Gone) => may_repeat && (unsent || request.method.is_idempotent()),
            Err(Refusal::Failed(_)) | Ok(_) => false,
        };
        if repeat {
            trip.timeline.rename(Phase::Blocked);
            return Outcome::Stale;
        }
        trip.sent += passed.sent;
        trip.passed(written, passed.first_byte);
        let (parts, incoming) = match head {
            Ok(head) => head,
            Err(Refusal::Gone) => return Outcome::Failed(Error::Stale),
            Err(Refusal::Unprocessed(error) | Refusal::Failed(error)) => {
                return Outcome::Failed(error);
            }
        };
        if bounds.streams(parts.status) {
            let coming = StreamedBody::of_shared(incoming, &parts.headers, bounds);
            return Outcome::Answered(self.response(parts, Read::nothing(), Some(coming), request));
        }
        let announced = headers::announced(&parts.headers);
        let read = incoming.read(announced, bounds, &mut trip.received).await;
        match read {
            Ok(body) => Outcome::Answered(self.response(parts, body, None, request)),
            Err(error) => Outcome::Failed(error),
        }
    }

    /// The headers that `request` is sent with: its own, the session's, cookies, the defaults.
    ///
    /// Nothing if they are too many to be sent.
    #[must_use]
    pub fn headers_for(&self, request: &Request) -> HeaderMap {
        self.merged_headers(request, false, now())
            .unwrap_or_default()
    }

    fn headers_of(&self, request: &Request, trip: &Trip) -> Result<HeaderMap, Error> {
        self.merged_headers(request, trip.is_foreign, trip.timeline.mark())
    }

    fn merged_headers(
        &self,
        request: &Request,
        is_foreign: bool,
        at: Micros,
    ) -> Result<HeaderMap, Error> {
        let mut map = self.client.take_map();
        let kept = self.kept.borrow();
        let session = kept.as_ref().map(|kept| &kept.headers);
        headers::fill(
            &mut map,
            request.url.origin(),
            &request.headers,
            session,
            is_foreign,
        )?;
        if request.body.is_empty() {
            headers::say_empty(&mut map, &request.method);
        }
        if request.cookies
            && let Some(kept) = &*kept
            && !map.contains_key(hyper::header::COOKIE)
            && let Some(cookies) = kept.jar.header(&request.url, at)
        {
            map.insert(hyper::header::COOKIE, cookies);
        }
        if let Some(tap) = self.client.tapped() {
            tap.sends(&SentHop {
                method: &request.method,
                url: &request.url,
                headers: &map,
                body: &request.body,
            });
        }
        Ok(map)
    }

    fn response(
        &self,
        parts: Parts,
        read: Read,
        coming: Option<StreamedBody>,
        request: &Request,
    ) -> Box<Response> {
        if request.cookies && headers::set_cookies(&parts.headers) {
            self.keep(|kept| {
                let refused = |header: &[u8], reason| {
                    self.client.cookie_refused(header, &request.url, reason);
                };
                kept.jar.store(&parts.headers, &request.url, refused);
            });
        }
        if let Some(tap) = self.client.tapped() {
            tap.answers(&AnsweredHop {
                method: &request.method,
                url: &request.url,
                version: parts.version,
                status: parts.status,
                headers: &parts.headers,
            });
        }
        Box::new(Response {
            client: self.client.clone(),
            status: parts.status,
            extensions: parts.extensions,
            version: parts.version,
            headers: parts.headers,
            length: read.length,
            body: RefCell::new(read.body),
            coming: coming.map(Box::new),
            url: request.url.clone(),
        })
    }
}

impl Trip {
    /// A response began, or nothing more will come: the phases that are over.
    fn passed(&mut self, written: Option<Micros>, first_byte: Option<Micros>) {
        self.first_byte = first_byte;
        if let Some(at) = written {
            self.timeline.enter(Phase::Wait, at);
        }
        if let Some(at) = first_byte {
            self.timeline.enter(Phase::Receive, at);
        }
    }
}

/// What became of one request on one connection.
enum Outcome {
    Answered(Box<Response>),
    /// The kept-alive connection was closed already, and the request may be repeated.
    Stale,
    Failed(Error),
}
