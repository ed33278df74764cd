//! One HTTP/1.1 connection and one request at a time on it.
//!
//! hyper's connection is polled inline by its user, never spawned: that saves two wake-ups a
//! request, and dropping it closes the socket. The session decides which connection to use and what
//! to do after a failure.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;

use super::body_buffer::{BodyBuffer, ReceivedBody, TimeSlice};
use super::client::Client;
use super::failure::{Error, Limit};
use super::io::{Io, Notes};
use super::origin::Origin;
use super::stream::{ReplayStream, Stream};
use crate::clock::{Deadline, Micros, now};

/// The largest head of a response; browsers and curl accept about as much.
const MAX_HEAD: usize = 256 * 1024;

/// The most lines in such a head, as in curl; hyper's default is 100.
const MOST_LINES: usize = 5_000;

/// The most bytes before a head is complete, interim responses included.
const MOST_BEFORE_HEAD: u64 = 4 * MAX_HEAD as u64;

pub(super) struct Connection {
    origin: Origin,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Io>, Full<Bytes>>,
    notes: Rc<Notes>,
    /// hyper has closed it; polling it again is not allowed.
    is_finished: bool,
    /// It has carried a request before.
    pub(super) is_reused: bool,
    /// A proxy forwards its requests: they carry the whole URL.
    pub(super) is_proxied: bool,
    /// Its last request was not fully sent: it can take no other.
    pub(super) is_spent: bool,
}

/// What bounds one exchange on a connection.
pub(super) struct Bounds<'a> {
    pub(super) client: &'a Client,
    pub(super) deadline: &'a Deadline,
    /// When the whole request must have ended.
    pub(super) whole: Micros,
    /// The caller reads the body as it arrives.
    pub(super) is_streamed: bool,
    /// Redirects are followed, so a redirect is not the final response.
    pub(super) follows: bool,
    /// Returns whether the body will never be read; `None` if it may be.
    pub(super) is_unread: Option<&'a dyn Fn() -> bool>,
}

/// The head of a response, which is ready once the connection has been driven far enough.
pub(super) trait Head: Future<Output = hyper::Result<hyper::Response<Incoming>>> {}

impl<F: Future<Output = hyper::Result<hyper::Response<Incoming>>>> Head for F {}

/// The body of a response: read, or still to be read.
pub(super) enum Body {
    Whole(ReceivedBody),
    Coming(Incoming),
}

impl Bounds<'_> {
    /// Whether the body of such a response is left for the caller to read.
    pub(super) fn streams(&self, status: StatusCode) -> bool {
        self.is_streamed && !(self.follows && status.is_redirection())
    }

    /// Ready once the request has used up its time; registers no waker. For loops that yield to
    /// other tasks while there is something to read.
    pub(super) fn poll_overdue(&self) -> Poll<Error> {
        match now() < self.whole {
            true => Poll::Pending,
            false => Poll::Ready(Error::TimedOut(Limit::Request)),
        }
    }

    /// Ready with the limit that was reached: `since + length`, or that of the whole request.
    pub(super) fn poll_expired(
        &self,
        cx: &mut Context<'_>,
        since: Micros,
        length: Duration,
        limit: Limit,
    ) -> Poll<Error> {
        let due = since + length;
        self.deadline.set(due.min(self.whole));
        self.deadline.poll_expired(cx).map(|()| {
            Error::TimedOut(if due < self.whole {
                limit
            } else {
                Limit::Request
            })
        })
    }
}

impl Connection {
    /// With `gathers`, a request's head and body are written from where they are (`writev`);
    /// otherwise the body is first copied behind the head, which is cheaper for a small one.
    pub(super) async fn open(
        origin: Origin,
        stream: Stream,
        gathers: bool,
    ) -> Result<Connection, Error> {
        let notes = Notes::new();
        let (sender, driver) = builder()
            .writev(gathers)
            .handshake(TokioIo::new(Io::new(stream, Rc::clone(&notes))))
            .await
            .map_err(|error| Error::from_hyper(&error))?;
        Ok(Connection {
            origin,
            sender,
            driver,
            notes,
            is_finished: false,
            is_reused: false,
            is_proxied: false,
            is_spent: false,
        })
    }

    /// Rewinds the connection to the head it could not read and makes it lenient: as many lines as
    /// curl accepts, and folded ones (removed by RFC 9112, section 5.2). Also returns the bytes of
    /// that head. hyper allocates for that many lines at each response and scans every header again
    /// for folds: too expensive for all responses to pay for.
    pub(super) async fn lenient(self) -> Result<(Connection, Bytes), Error> {
        let parts = self.driver.into_parts();
        let bytes = parts.read_buf;
        let stream = Stream::Replay(Box::new(ReplayStream {
            bytes: bytes.clone(),
            stream: parts.io.into_inner().into_stream(),
        }));
        let (sender, driver) = builder()
            .max_headers(MOST_LINES)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(Io::new(stream, Rc::clone(&self.notes))))
            .await
            .map_err(|error| Error::from_hyper(&error))?;
        let connection = Connection {
            sender,
            driver,
            is_finished: false,
            is_reused: false,
            ..self
        };
        Ok((connection, bytes))
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Whether it can take another request. After an exchange hyper may still have to reach the end
    /// of the message.
    pub(super) fn is_reusable(&mut self, client: &Client) -> bool {
        if !self.is_finished && !self.sender.is_ready() {
            self.drive(client);
        }
        !self.is_finished && !self.is_spent && self.sender.is_ready()
    }

    /// Ready once the server has closed the idle connection; otherwise wakes `cx` when it does.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>, client: &Client) -> Poll<()> {
        self.notes.polled_by(cx.waker());
        self.drive(client);
        if self.notes.must_read_again() {
            self.drive(client);
        }
        if self.is_finished {
            return Poll::Ready(());
        }
        pass_on(client, cx);
        Poll::Pending
    }

    /// Takes a request, to be sent by [`exchange`](Connection::exchange). A request is large, and
    /// an `async` function would copy it into its future.
    pub(super) fn take(&mut self, request: hyper::Request<Full<Bytes>>) -> impl Head + use<> {
        self.sender.send_request(request)
    }

    /// Sends the request that was taken and reads the response, or only its head if it is to be
    /// streamed. `keep` puts the head where it stays. `received` counts body bytes even on failure.
    /// After a failure or a cancellation the connection is unusable.
    pub(super) async fn exchange<H>(
        &mut self,
        mut head: Pin<&mut impl Head>,
        keep: impl Fn(Parts) -> H,
        bounds: &Bounds<'_>,
        received: &mut u64,
    ) -> Result<(H, Body), Error> {
        let client = bounds.client;
        let network = client.options().network_timeout;
        let mut quiet = Context::from_waker(Waker::noop());
        let (head, body, is_streamed) = poll_fn(|cx| {
            self.notes.polled_by(cx.waker());
            if !self.is_reused {
                self.notes.write_first();
            }
            loop {
                self.drive(client);
                match head.as_mut().poll(&mut quiet) {
                    Poll::Ready(Ok(response)) => {
                        let (head, body) = response.into_parts();
                        let is_streamed = bounds.streams(head.status);
                        return Poll::Ready(Ok((keep(head), body, is_streamed)));
                    }
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Err(Error::from_hyper(&error)));
                    }
                    Poll::Pending => {}
                }
                if self.is_finished {
                    // hyper saw the end before it took the request, which would wait forever.
                    return Poll::Ready(Err(Error::ClosedEarly));
                }
                if !self.notes.must_read_again() {
                    break;
                }
            }
            // The limit is per head: there may be any number of interim ones (1xx).
            if self.notes.bytes_read() > MOST_BEFORE_HEAD {
                return Poll::Ready(Err(Error::HeadTooLarge));
            }
            pass_on(client, cx);
            bounds
                .poll_expired(cx, self.notes.last_activity(), network, Limit::Network)
                .map(Err)
        })
        .await?;
        if is_streamed {
            return Ok((head, Body::Coming(body)));
        }
        let body = self.read(body, bounds, received).await?;
        Ok((head, Body::Whole(body)))
    }

    async fn read(
        &mut self,
        mut body: Incoming,
        bounds: &Bounds<'_>,
        received: &mut u64,
    ) -> Result<ReceivedBody, Error> {
        if body.is_end_stream() {
            return Ok(ReceivedBody::nothing());
        }
        let mut whole = BodyBuffer::new(body.size_hint().exact(), bounds)?;
        let only = poll_fn(|cx| {
            let mut turn = None;
            loop {
                match ready!(self.poll_next(&mut body, cx, bounds))? {
                    Some(data) => {
                        *received += data.len() as u64;
                        let is_last = body.is_end_stream();
                        if is_last && whole.is_small_and_all(&data) {
                            return Poll::Ready(Ok(Some(data)));
                        }
                        whole.push(data)?;
                        if is_last {
                            return Poll::Ready(Ok(None));
                        }
                        if turn.get_or_insert_with(TimeSlice::begin).is_over(cx) {
                            return bounds.poll_overdue().map(Err);
                        }
                    }
                    None => return Poll::Ready(Ok(None)),
                }
            }
        })
        .await?;
        Ok(match only {
            Some(data) => ReceivedBody::of(data),
            None => whole.finish(),
        })
    }

    /// The next piece of a response's body; `None` at its end.
    pub(super) fn poll_next(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
        bounds: &Bounds<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        let client = bounds.client;
        let mut quiet = Context::from_waker(Waker::noop());
        self.notes.polled_by(cx.waker());
        let mut is_driven = false;
        loop {
            match Pin::new(&mut *body).poll_frame(&mut quiet) {
                Poll::Ready(Some(Ok(frame))) => {
                    is_driven = false;
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Ok(Some(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(Error::from_hyper_body(&error)));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                // hyper hands over one frame at a time: drive it on after taking one.
                Poll::Pending if self.notes.must_read_again() || !is_driven => {
                    is_driven = true;
                    self.drive(client);
                }
                Poll::Pending => break,
            }
        }
        pass_on(client, cx);
        bounds
            .poll_expired(
                cx,
                self.notes.last_activity(),
                client.options().network_timeout,
                Limit::Network,
            )
            .map(Err)
    }

    fn drive(&mut self, client: &Client) {
        if !self.is_finished {
            client.wake_flag().clear();
            let mut inner = Context::from_waker(client.quiet_waker());
            // Without a shutdown, because a head that hyper could not read may be read again.
            // Dropping the connection closes the socket.
            self.is_finished = self.driver.poll_without_shutdown(&mut inner).is_ready();
        }
    }
}

/// The settings of every connection.
fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_header_size(MAX_HEAD)
        // curl and browsers accept them.
        .allow_spaces_after_header_name_in_responses(true);
    builder
}

/// If hyper yielded in the middle of its work, the task must be polled again.
fn pass_on(client: &Client, cx: &Context<'_>) {
    if client.wake_flag().is_set() {
        client.wake_flag().clear();
        cx.waker().wake_by_ref();
    }
}
