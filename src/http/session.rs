//! One user's HTTP: its idle connections, cookies and headers, and the way of a request through
//! redirects, stale connections and retries.
//!
//! Does not read or write sockets itself (`connection`), nor decide what follows from a redirect
//! (`redirect`).

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::ext::ReasonPhrase;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Uri};
use rustls::ClientConfig;

use super::client::Client;
use super::connect::connect;
use super::connection::{Bounds, Connection};
use super::cookies::Jar;
use super::exchange::Exchange;
use super::failure::{Error, Limit};
use super::headers;
use super::redirect::next_hop;
use super::request::Request;
use super::response::Response;
use super::timeline::{Phase, Timeline};
use super::url::{Origin, Url};
use crate::clock::{Deadline, Micros, now};

/// Idle connections that a user keeps; Locust's `concurrency` is 10 too.
const MAX_IDLE: usize = 10;
/// Bodies up to this many bytes are copied rather than gathered, see [`Connection::open`].
const COPIED_BODY: usize = 16 * 1024;

/// One user's connections, cookies and headers.
///
/// Before its first request it is `size_of::<Session>()`, about 100 bytes, and nothing on the
/// heap; a connection adds about 12 KB, most of it hyper's buffers.
pub struct Session {
    client: Client,
    #[expect(
        clippy::vec_box,
        reason = "a connection is large, and moves twice a request"
    )]
    idle: RefCell<Vec<Box<Connection>>>,
    /// Left here by the last exchange, so that the next one's timeouts cost a store.
    deadline: Cell<Option<Deadline>>,
    kept: RefCell<Option<Box<Kept>>>,
}

/// What few users have, so allocated with the first of it.
#[derive(Default)]
struct Kept {
    headers: HeaderMap,
    jar: Jar,
    tls: Option<Arc<ClientConfig>>,
}

/// What is measured along the way, kept whatever the end.
struct Trip {
    timeline: Timeline,
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
        }
    }

    /// The client that it shares with the other users of its class.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and waits for the whole response, redirects included.
    ///
    /// Two at once take two connections. Failures are in the exchange, with what was measured.
    /// Dropping the future cancels the request and closes its connection.
    pub async fn send(&self, request: Request) -> Exchange {
        let started = now();
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
        let deadline = self
            .deadline
            .take()
            .unwrap_or_else(|| Deadline::new(self.client.timers()));
        let bounds = Bounds {
            client: &self.client,
            deadline: &deadline,
            whole: match request.timeout {
                Some(timeout) => started + timeout,
                None => Micros::NEVER,
            },
        };
        let result = self.follow(request, &bounds, &mut trip).await;
        deadline.set(Micros::NEVER);
        self.deadline.set(Some(deadline));
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

    async fn follow(
        &self,
        mut request: Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
    ) -> Result<Response, Error> {
        let max_redirects = self.client.options().max_redirects;
        loop {
            let response = self.attempt(&request, bounds, trip).await?;
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
            request.method = next.method;
            request.url = next.url;
            if !next.keeps_body {
                request.body = Bytes::new();
            }
        }
    }

    /// One hop with its repetitions.
    async fn attempt(
        &self,
        request: &Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
    ) -> Result<Response, Error> {
        let mut retries_left = self.client.options().max_retries;
        let mut only_fresh = false;
        loop {
            let idle = match only_fresh {
                true => None,
                false => self.take_idle(request.url.origin()),
            };
            let outcome = match idle {
                Some(connection) => {
                    trip.timeline.rename(Phase::Send);
                    self.exchange(connection, request, bounds, trip).await
                }
                // Rare, and much larger than the rest of this future.
                None => match Box::pin(self.open(request, bounds, trip)).await {
                    Ok(connection) => self.exchange(connection, request, bounds, trip).await,
                    Err(error) => Outcome::Failed(error),
                },
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

    async fn open(
        &self,
        request: &Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
    ) -> Result<Box<Connection>, Error> {
        let origin = request.url.origin();
        let begun = now();
        let tls = origin.is_tls().then(|| self.tls_config());
        let stream = {
            let resolver = self.client.resolver();
            let mut connecting = pin!(connect(resolver, origin, tls, &mut trip.timeline));
            let length = self.client.options().connection_timeout;
            poll_fn(|cx| match connecting.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => bounds
                    .poll_expired(cx, begun, length, Limit::Connection)
                    .map(Err),
            })
            .await?
        };
        let gathers = request.body.len() > COPIED_BODY;
        let connection = Connection::open(origin.clone(), stream, gathers).await?;
        Ok(Box::new(connection))
    }

    async fn exchange(
        &self,
        mut connection: Box<Connection>,
        request: &Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
    ) -> Outcome {
        let headers = self.headers_of(request, trip);
        let (method, url) = (&request.method, &request.url);
        let head_length = headers::head_length(request.body.len(), method, url, &headers);
        let mut message = hyper::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = method.clone();
        *message.uri_mut() = Uri::from(url.path().clone());
        *message.headers_mut() = headers;
        connection.notes().begin(trip.timeline.mark());
        let result = connection
            .exchange(message, bounds, &mut trip.received)
            .await;
        let notes = connection.notes();
        let (written, first_byte) = (notes.written(), notes.first_read());
        if let Err(error) = &result
            && connection.is_reused
            && first_byte.is_none()
            && error.is_gone()
        {
            if written == 0 || method.is_idempotent() {
                trip.timeline.rename(Phase::Blocked);
                return Outcome::Stale;
            }
            trip.sent += written.saturating_sub(head_length);
            return Outcome::Failed(Error::Stale);
        }
        trip.first_byte = first_byte;
        trip.sent += written.saturating_sub(head_length);
        if let Some(at) = notes.last_write() {
            trip.timeline.enter(Phase::Wait, at);
        }
        if let Some(at) = first_byte {
            trip.timeline.enter(Phase::Receive, at);
        }
        match result {
            Ok((parts, body)) => {
                self.put_idle(connection);
                if request.cookies {
                    self.store_cookies(&parts.headers, url);
                }
                Outcome::Answered(Response {
                    client: self.client.clone(),
                    status: parts.status,
                    reason: parts.extensions.get::<ReasonPhrase>().cloned(),
                    version: parts.version,
                    headers: parts.headers,
                    body,
                    url: url.clone(),
                })
            }
            Err(error) => Outcome::Failed(error),
        }
    }

    fn headers_of(&self, request: &Request, trip: &Trip) -> HeaderMap {
        let mut map = self.client.take_map();
        let kept = self.kept.borrow();
        let session = kept.as_ref().map(|kept| &kept.headers);
        headers::fill(
            &mut map,
            request.url.origin(),
            &request.headers,
            session,
            trip.is_foreign,
        );
        if request.cookies
            && let Some(kept) = &*kept
            && !map.contains_key(hyper::header::COOKIE)
            && let Some(cookies) = kept.jar.header(&request.url, trip.timeline.mark())
        {
            map.insert(hyper::header::COOKIE, cookies);
        }
        map
    }

    fn tls_config(&self) -> Arc<ClientConfig> {
        let mut kept = self.kept.borrow_mut();
        let config = &mut kept.get_or_insert_default().tls;
        Arc::clone(config.get_or_insert_with(|| self.client.trust().config()))
    }

    fn store_cookies(&self, headers: &HeaderMap, url: &Url) {
        if headers.contains_key(hyper::header::SET_COOKIE) {
            self.keep(|kept| kept.jar.store(headers, url));
        }
    }

    fn take_idle(&self, origin: &Origin) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        // The one used last is the least likely to be stale.
        let at = idle
            .iter()
            .rposition(|connection| connection.origin() == origin)?;
        Some(idle.remove(at))
    }

    fn put_idle(&self, mut connection: Box<Connection>) {
        if !connection.is_reusable(&self.client) {
            return;
        }
        connection.is_reused = true;
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= MAX_IDLE {
            idle.remove(0);
        }
        if idle.capacity() == 0 {
            idle.reserve_exact(1);
        }
        idle.push(connection);
    }

    /// Closes the idle connections whose server has closed them, and wakes `cx` when one closes
    /// later. To be polled while the user waits; costs nothing without idle connections.
    pub fn poll_idle(&self, cx: &mut Context<'_>) {
        self.idle
            .borrow_mut()
            .retain_mut(|connection| connection.poll_closed(cx, &self.client).is_pending());
    }

    /// Closes all idle connections and frees their memory.
    pub fn close_idle(&self) {
        self.idle.take();
    }

    /// How many idle connections there are.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.idle.borrow().len()
    }

    /// A header that every request of this session has, unless it brings its own.
    pub fn set_header(&self, name: HeaderName, value: HeaderValue) {
        self.keep(|kept| drop(kept.headers.insert(name, value)));
    }

    /// The session's header of that name.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<HeaderValue> {
        self.kept.borrow().as_ref()?.headers.get(name).cloned()
    }

    /// Removes a header of the session; the defaults stay.
    pub fn remove_header(&self, name: &HeaderName) {
        self.keep(|kept| drop(kept.headers.remove(name)));
    }

    /// Removes all headers of the session.
    pub fn clear_headers(&self) {
        self.keep(|kept| kept.headers = HeaderMap::new());
    }

    /// A copy of the session's headers.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let kept = self.kept.borrow();
        kept.as_ref()
            .map(|kept| kept.headers.clone())
            .unwrap_or_default()
    }

    /// Sets a cookie for the host of `url`, for all paths and until the session ends.
    pub fn set_cookie(&self, name: &str, value: &str, url: &Url) {
        self.keep(|kept| kept.jar.set(name, value, url));
    }

    /// The value of the first cookie of that name, of whatever host.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.kept.borrow().as_ref()?.jar.get(name)
    }

    /// Removes the cookies of that name, of all hosts and paths.
    pub fn remove_cookie(&self, name: &str) {
        self.keep(|kept| kept.jar.remove(name));
    }

    /// Removes all cookies.
    pub fn clear_cookies(&self) {
        self.keep(|kept| kept.jar.clear());
    }

    /// Names and values of all cookies that have not expired.
    #[must_use]
    pub fn cookies(&self) -> Vec<(String, String)> {
        let kept = self.kept.borrow();
        let Some(kept) = &*kept else {
            return Vec::new();
        };
        kept.jar
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn keep(&self, change: impl FnOnce(&mut Kept)) {
        change(self.kept.borrow_mut().get_or_insert_default());
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("idle_connections", &self.idle_connections())
            .finish_non_exhaustive()
    }
}

/// What became of one request on one connection.
enum Outcome {
    Answered(Response),
    /// The kept-alive connection was closed already, and the request may be repeated.
    Stale,
    Failed(Error),
}
