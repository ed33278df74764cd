//! One HTTP/1.1 connection and one request at a time on it.
//!
//! hyper's connection is polled inline by whoever uses it, never spawned: that saves two
//! wake-ups a request, and dropping it closes the socket. Which connection is used for what, and
//! what follows from a failure, is the session's business.

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

use super::client::Client;
use super::collected::{Collected, Read, Turn};
use super::failure::{Error, Limit};
use super::io::{Io, Notes};
use super::origin::Origin;
use super::stream::{Stream, Unread};
use crate::clock::{Deadline, Micros, now};

/// The largest head of a response; browsers and curl accept about as much.
const MAX_HEAD: usize = 256 * 1024;

/// The most lines of such a head, as with curl; hyper takes 100 unless it is told otherwise.
const MOST_LINES: usize = 5_000;

/// What may come before a head is whole, that of interim responses included.
const MOST_BEFORE_HEAD: u64 = 4 * MAX_HEAD as u64;

pub(super) struct Connection {
    origin: Origin,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Io>, Full<Bytes>>,
    notes: Rc<Notes>,
    /// hyper has closed it; it must not be polled again.
    is_finished: bool,
    /// It has carried a request before.
    pub(super) is_reused: bool,
    /// A proxy passes its requests on: they name their whole URL.
    pub(super) is_proxied: bool,
    /// Its last request was not sent to its end: it can take no other.
    pub(super) is_spent: bool,
}

/// What bounds one exchange on a connection.
pub(super) struct Bounds<'a> {
    pub(super) client: &'a Client,
    pub(super) deadline: &'a Deadline,
    /// When the whole request must have ended.
    pub(super) whole: Micros,
    /// The body is read by whoever asked, as it comes.
    pub(super) is_streamed: bool,
    /// A redirect is no answer.
    pub(super) follows: bool,
    /// Says whether nobody will look at the body; `None` where it is known that somebody may.
    pub(super) is_unread: Option<&'a dyn Fn() -> bool>,
}

/// The head of a response, which hyper has ready once the connection was driven far enough.
pub(super) trait Head: Future<Output = hyper::Result<hyper::Response<Incoming>>> {}

impl<F: Future<Output = hyper::Result<hyper::Response<Incoming>>>> Head for F {}

/// The body of a response: read, or still to be read.
pub(super) enum Body {
    Whole(Read),
    Coming(Incoming),
}

impl Bounds<'_> {
    /// Whether the body of such a response is left to whoever asked.
    pub(super) fn streams(&self, status: StatusCode) -> bool {
        self.is_streamed && !(self.follows && status.is_redirection())
    }

    /// Ready when the whole request must have ended; wakes nobody. For whoever gives others their
    /// turn while there is something to read.
    pub(super) fn poll_overdue(&self) -> Poll<Error> {
        match now() < self.whole {
            true => Poll::Pending,
            false => Poll::Ready(Error::TimedOut(Limit::Request)),
        }
    }

    /// Ready with the limit that was reached: `since + length`, or the whole request's.
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
    /// else the body is copied behind the head first, which is cheaper for a small one.
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

    /// The same connection before the head that it could not read, which it now takes with as
    /// many lines as curl does, and folded ones (RFC 9112, section 5.2, has done away with
    /// these); and what came of that head. hyper takes memory for the many lines of each response, and
    /// looks at every header again for the folded ones: too dear to have all responses pay for it.
    pub(super) async fn lenient(self) -> Result<(Connection, Bytes), Error> {
        let parts = self.driver.into_parts();
        let bytes = parts.read_buf;
        let stream = Stream::Unread(Box::new(Unread {
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

    /// Whether it can take another request. After an exchange hyper may still have to see the
    /// end of the message.
    pub(super) fn is_reusable(&mut self, client: &Client) -> bool {
        if !self.is_finished && !self.sender.is_ready() {
            self.drive(client);
        }
        !self.is_finished && !self.is_spent && self.sender.is_ready()
    }

    /// Ready once the server has closed the idle connection; else wakes `cx` when it does.
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

    /// Sends the request that was taken and reads the response, unless it is to be streamed: then
    /// its head. `received` counts body bytes even when it fails. After a failure, or when
    /// cancelled, the connection is of no more use.
    pub(super) async fn exchange(
        &mut self,
        mut head: Pin<&mut impl Head>,
        bounds: &Bounds<'_>,
        received: &mut u64,
    ) -> Result<(Parts, Body), Error> {
        let client = bounds.client;
        let network = client.options().network_timeout;
        let mut quiet = Context::from_waker(Waker::noop());
        let response = poll_fn(|cx| {
            self.notes.polled_by(cx.waker());
            if !self.is_reused {
                self.notes.write_first();
            }
            loop {
                self.drive(client);
                if let Poll::Ready(result) = head.as_mut().poll(&mut quiet) {
                    return Poll::Ready(result.map_err(|error| Error::from_hyper(&error)));
                }
                if self.is_finished {
                    // It saw the end before it took the request, which waits for ever.
                    return Poll::Ready(Err(Error::ClosedEarly));
                }
                if !self.notes.must_read_again() {
                    break;
                }
            }
            // Each head has its limit; of interim ones (1xx) there may be any number.
            if self.notes.bytes_read() > MOST_BEFORE_HEAD {
                return Poll::Ready(Err(Error::HeadTooLarge));
            }
            pass_on(client, cx);
            bounds
                .poll_expired(cx, self.notes.last_activity(), network, Limit::Network)
                .map(Err)
        })
        .await?;
        let (parts, body) = response.into_parts();
        if bounds.streams(parts.status) {
            return Ok((parts, Body::Coming(body)));
        }
        let body = self.read(body, bounds, received).await?;
        Ok((parts, Body::Whole(body)))
    }

    async fn read(
        &mut self,
        mut body: Incoming,
        bounds: &Bounds<'_>,
        received: &mut u64,
    ) -> Result<Read, Error> {
        if body.is_end_stream() {
            return Ok(Read::nothing());
        }
        let mut whole = Collected::new(body.size_hint().exact(), bounds)?;
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
                        if turn.get_or_insert_with(Turn::begin).is_over(cx) {
                            return bounds.poll_overdue().map(Err);
                        }
                    }
                    None => return Poll::Ready(Ok(None)),
                }
            }
        })
        .await?;
        Ok(match only {
            Some(data) => Read::of(data),
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
                // hyper hands over one frame at a time: after taking one, let it go on.
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
            client.nudge().clear();
            let mut inner = Context::from_waker(client.quiet_waker());
            // Without a shutdown: a head that hyper could not read may be read again. Whoever
            // drops the connection closes the socket.
            self.is_finished = self.driver.poll_without_shutdown(&mut inner).is_ready();
        }
    }
}

/// What holds for every connection.
fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_header_size(MAX_HEAD)
        // As curl and browsers take them.
        .allow_spaces_after_header_name_in_responses(true);
    builder
}

/// hyper yielded in the middle of work: the task must come again.
fn pass_on(client: &Client, cx: &Context<'_>) {
    if client.nudge().is_set() {
        client.nudge().clear();
        cx.waker().wake_by_ref();
    }
}
