//! One HTTP/2 connection and many requests at a time on it.
//!
//! A task of its own drives it: what the server sends (pings, settings, the end) must be dealt
//! with while no request is under way. Dropping a request resets its stream, dropping the last
//! handle closes the socket. Which connection is used for what is the session's business.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use hyper::HeaderMap;
use hyper::header::{CONNECTION, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use hyper::http::response::Parts;
use tokio::task::{JoinHandle, spawn_local};

use super::collected::{Collected, Read, Turn};
use super::connection::Bounds;
use super::failure::{Error, Limit};
use super::stream::Stream;
use super::wire::{Mark, Traffic, Wire};
use crate::clock::Micros;

/// The largest head of a response, as for HTTP/1.
const MAX_HEAD: u32 = 256 * 1024;
/// What a server may send before we have taken it: one stream, and all together. Browsers and
/// hyper allow about as much; with the 64 KiB of the standard every large body would wait for us.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 5 << 20;

pub(super) struct Multiplexed {
    sender: SendRequest<Bytes>,
    traffic: Rc<Traffic>,
    driver: JoinHandle<()>,
    /// It has carried a request before.
    is_used: Cell<bool>,
    is_retired: Cell<bool>,
    /// A request timed out, and nothing had come since this moment.
    silent_since: Cell<Option<Micros>>,
}

/// What is measured of one request, whatever becomes of it.
#[derive(Default)]
pub(super) struct Passed {
    /// Body bytes handed over.
    pub(super) sent: u64,
    /// When the request was given to the kernel.
    pub(super) written: Option<Mark>,
    /// When the first byte of the response came.
    pub(super) first_byte: Option<Micros>,
}

/// Why there is no response on this connection.
pub(super) enum Refusal {
    /// The server says that it did not process the request: it may be repeated.
    Unprocessed(Error),
    /// The connection is gone, and was when the request was sent, or may have been.
    Gone,
    Failed(Error),
}

/// A response's body as it comes.
pub(super) struct Incoming {
    stream: RecvStream,
    connection: Rc<Multiplexed>,
    /// When this stream last got on.
    since: Micros,
}

impl Multiplexed {
    /// Greets the server; its answer is not awaited.
    pub(super) async fn open(stream: Stream) -> Result<Multiplexed, Error> {
        let traffic = Traffic::new();
        let wire = Wire::new(stream, Rc::clone(&traffic));
        let (sender, connection) = Builder::new()
            .enable_push(false)
            .max_header_list_size(MAX_HEAD)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake::<_, Bytes>(wire)
            .await
            .map_err(|error| Error::from_h2(&error))?;
        let driver = spawn_local(async move {
            // Its requests learn the error too.
            let _ = connection.await;
        });
        Ok(Multiplexed {
            sender,
            traffic,
            driver,
            is_used: Cell::new(false),
            is_retired: Cell::new(false),
            silent_since: Cell::new(None),
        })
    }

    /// Whether it takes another request, as far as is known.
    pub(super) fn is_usable(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let is_closed = |ready: Poll<Result<(), h2::Error>>| matches!(ready, Poll::Ready(Err(_)));
        !self.is_retired.get()
            && !self.driver.is_finished()
            && !is_closed(self.sender.clone().poll_ready(&mut cx))
    }

    /// Takes no further request; those under way go on.
    pub(super) fn retire(&self) {
        self.is_retired.set(true);
    }

    /// Sends a request and waits for the head of its response.
    pub(super) async fn send(
        self: &Rc<Self>,
        mut message: hyper::Request<()>,
        body: Bytes,
        bounds: &Bounds<'_>,
        begun: Micros,
        passed: &mut Passed,
    ) -> Result<(Parts, Incoming), Refusal> {
        strip(message.headers_mut());
        let was_used = self.is_used.replace(true);
        let sent = self.sender.clone().send_request(message, body.is_empty());
        let (response, stream) = match sent {
            Ok(sent) => sent,
            // The server took its leave before.
            Err(error) if error.is_go_away() || error.is_io() => {
                return Err(Refusal::Unprocessed(Error::from_h2(&error)));
            }
            Err(error) => return Err(Refusal::Failed(Error::from_h2(&error))),
        };
        let mut exchange = Exchange {
            connection: self,
            response,
            upload: Upload { stream, left: body },
            since: begun,
        };
        let head = poll_fn(|cx| exchange.poll(cx, bounds, passed)).await;
        let head = head.map_err(|error| self.refusal(error, was_used))?;
        let (parts, stream) = head.into_parts();
        let incoming = Incoming {
            stream,
            connection: Rc::clone(self),
            since: self.traffic.last_read(),
        };
        Ok((parts, incoming))
    }

    fn refusal(&self, failure: Failure, was_used: bool) -> Refusal {
        let error = match failure {
            Failure::TimedOut(error) => return Refusal::Failed(error),
            Failure::Stream(error) => error,
        };
        let known = Error::from_h2(&error);
        let is_refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let took_leave = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        if error.is_remote() && (is_refused || took_leave) {
            return Refusal::Unprocessed(known);
        }
        if was_used && known.is_gone() {
            return Refusal::Gone;
        }
        // It does not even greet as a server of HTTP/2: it is one that does not speak it.
        let is_broken = error.is_library() && error.is_go_away();
        if !was_used && is_broken && !self.traffic.greets() {
            return Refusal::Failed(Error::NoHttp2);
        }
        Refusal::Failed(known)
    }

    /// A request has waited too long. Two in a row on a silent connection: it may be dead, and
    /// the next request had better have another. One alone may be a slow answer.
    fn timed_out(&self) {
        let last_read = self.traffic.last_read();
        if self.silent_since.replace(Some(last_read)) == Some(last_read) {
            self.retire();
        }
    }

    fn poll_expired(
        &self,
        cx: &mut Context<'_>,
        bounds: &Bounds<'_>,
        since: Micros,
    ) -> Poll<Error> {
        let network = bounds.client.options().network_timeout;
        let expired = bounds.poll_expired(cx, since, network, Limit::Network);
        if expired == Poll::Ready(Error::TimedOut(Limit::Network)) {
            self.timed_out();
        }
        expired
    }
}

impl Drop for Multiplexed {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// RFC 9113, section 8.2.2: what speaks of an HTTP/1 connection has no place here.
fn strip(headers: &mut HeaderMap) {
    for name in [
        CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ] {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|value| value != "trailers") {
        headers.remove(TE);
    }
}

/// A request under way.
struct Exchange<'a> {
    connection: &'a Multiplexed,
    response: ResponseFuture,
    upload: Upload,
    since: Micros,
}

enum Failure {
    Stream(h2::Error),
    TimedOut(Error),
}

impl Exchange<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        bounds: &Bounds<'_>,
        passed: &mut Passed,
    ) -> Poll<Result<hyper::Response<RecvStream>, Failure>> {
        let traffic = &self.connection.traffic;
        let sent = self.upload.poll(cx);
        if sent > 0 {
            passed.sent += sent;
            self.since = crate::clock::now();
        }
        if self.upload.left.is_empty() && passed.written.is_none() {
            passed.written = Some(traffic.mark());
        }
        if let Poll::Ready(response) = std::pin::Pin::new(&mut self.response).poll(cx) {
            passed.first_byte = response.is_ok().then(|| traffic.last_read());
            return Poll::Ready(response.map_err(Failure::Stream));
        }
        let written = passed.written.as_ref().and_then(|mark| mark.get());
        let since = written.map_or(self.since, |at| at.max(self.since));
        self.connection
            .poll_expired(cx, bounds, since)
            .map(|error| Err(Failure::TimedOut(error)))
    }
}

/// The body of a request, as far as the server's windows allow.
struct Upload {
    stream: SendStream<Bytes>,
    left: Bytes,
}

impl Upload {
    /// Hands over what may go now; says how much that was. An error shows at the response.
    fn poll(&mut self, cx: &mut Context<'_>) -> u64 {
        let mut sent = 0;
        while !self.left.is_empty() {
            self.stream.reserve_capacity(self.left.len());
            let capacity = match self.stream.capacity() {
                0 => match self.stream.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(capacity))) => capacity,
                    Poll::Ready(Some(Err(_)) | None) | Poll::Pending => break,
                },
                capacity => capacity,
            };
            let chunk = self.left.split_to(capacity.min(self.left.len()));
            let length = chunk.len() as u64;
            if self.stream.send_data(chunk, self.left.is_empty()).is_err() {
                break;
            }
            sent += length;
        }
        sent
    }
}

impl Incoming {
    /// The whole body. `received` counts its bytes even when it fails.
    pub(super) async fn read(
        mut self,
        announced: Option<u64>,
        bounds: &Bounds<'_>,
        received: &mut u64,
    ) -> Result<Read, Error> {
        if self.stream.is_end_stream() {
            return Ok(Read::nothing());
        }
        let mut whole = Collected::new(announced, bounds)?;
        poll_fn(|cx| {
            let mut turn = None;
            loop {
                match std::task::ready!(self.poll_next(cx, bounds))? {
                    Some(data) => {
                        *received += data.len() as u64;
                        whole.push(data)?;
                        if turn.get_or_insert_with(Turn::begin).is_over(cx) {
                            return bounds.poll_overdue().map(Err);
                        }
                    }
                    None => return Poll::Ready(Ok(())),
                }
            }
        })
        .await?;
        Ok(whole.finish())
    }

    /// The next piece of the body; `None` at its end.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        bounds: &Bounds<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        match self.stream.poll_data(cx) {
            Poll::Ready(Some(Ok(data))) => {
                self.since = self.connection.traffic.last_read();
                // It can fail only when the stream has ended, and then nobody waits for it.
                let _ = self.stream.flow_control().release_capacity(data.len());
                Poll::Ready(Ok(Some(data)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(Error::from_h2_body(&error))),
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Pending => self
                .connection
                .poll_expired(cx, bounds, self.since)
                .map(Err),
        }
    }

    /// When the last byte of the connection came.
    pub(super) fn last_read(&self) -> Micros {
        self.since
    }

    /// Waits for the server anew from `at` on: until then nobody asked.
    pub(super) fn resume(&mut self, at: Micros) {
        self.since = self.since.max(at);
    }
}
