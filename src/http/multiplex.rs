//! One HTTP/2 connection and many requests at a time on it.
//!
//! Driven by a task of its own: what the server sends (pings, settings, the end) must be handled
//! even while no request is under way. Dropping a request resets its stream, dropping the last
//! handle closes the socket. The session decides which connection to use.

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

use super::body_buffer::{BodyBuffer, ReceivedBody, TimeSlice};
use super::connection::Bounds;
use super::failure::{Error, Limit};
use super::stream::Stream;
use super::wire::{Traffic, Wire, WriteMark};
use crate::clock::Micros;

/// The largest head of a response, as for HTTP/1.
const MAX_HEAD: u32 = 256 * 1024;
/// How much a server may send before we consume it: per stream, and in all. Browsers and hyper
/// allow about as much; with the standard's 64 KiB every large body would wait for us.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 5 << 20;

pub(super) struct Http2Connection {
    sender: SendRequest<Bytes>,
    traffic: Rc<Traffic>,
    driver: JoinHandle<()>,
    /// It has carried a request before.
    is_used: Cell<bool>,
    is_retired: Cell<bool>,
    /// A request timed out, with nothing received since this moment.
    silent_since: Cell<Option<Micros>>,
}

/// What is measured of one request, whatever its result.
#[derive(Default)]
pub(super) struct StreamTimes {
    /// Body bytes handed over.
    pub(super) sent: u64,
    /// When the request was given to the kernel.
    pub(super) written: Option<WriteMark>,
    /// When the first byte of the response came.
    pub(super) first_byte: Option<Micros>,
}

/// Why there is no response on this connection.
pub(super) enum Refusal {
    /// The server declares that it did not process the request: it may be repeated.
    Unprocessed(Error),
    /// The connection is closed, and was or may have been when the request was sent.
    Gone,
    Failed(Error),
}

/// A response body as it arrives.
pub(super) struct Http2Body {
    stream: RecvStream,
    connection: Rc<Http2Connection>,
    /// When this stream last made progress.
    since: Micros,
}

impl Http2Connection {
    /// Sends the connection preface without waiting for the server's.
    pub(super) async fn open(stream: Stream) -> Result<Http2Connection, Error> {
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
            // Its requests get the error as well.
            let _ = connection.await;
        });
        Ok(Http2Connection {
            sender,
            traffic,
            driver,
            is_used: Cell::new(false),
            is_retired: Cell::new(false),
            silent_since: Cell::new(None),
        })
    }

    /// Whether it accepts another request, as far as is known.
    pub(super) fn is_usable(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let is_closed = |ready: Poll<Result<(), h2::Error>>| matches!(ready, Poll::Ready(Err(_)));
        !self.is_retired.get()
            && !self.driver.is_finished()
            && !is_closed(self.sender.clone().poll_ready(&mut cx))
    }

    /// Accepts no further requests; those under way continue.
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
        times: &mut StreamTimes,
    ) -> Result<(Parts, Http2Body), Refusal> {
        strip(message.headers_mut());
        let was_used = self.is_used.replace(true);
        let sent = self.sender.clone().send_request(message, body.is_empty());
        let (response, stream) = match sent {
            Ok(sent) => sent,
            // The server had already sent GOAWAY.
            Err(error) if error.is_go_away() || error.is_io() => {
                return Err(Refusal::Unprocessed(Error::from_h2(&error)));
            }
            Err(error) => return Err(Refusal::Failed(Error::from_h2(&error))),
        };
        let mut exchange = InFlightRequest {
            connection: self,
            response,
            upload: Upload { stream, left: body },
            since: begun,
        };
        let head = poll_fn(|cx| exchange.poll(cx, bounds, times)).await;
        let head = head.map_err(|error| self.refusal(error, was_used))?;
        let (parts, stream) = head.into_parts();
        let incoming = Http2Body {
            stream,
            connection: Rc::clone(self),
            since: self.traffic.last_read(),
        };
        Ok((parts, incoming))
    }

    fn refusal(&self, failure: StreamFailure, was_used: bool) -> Refusal {
        let error = match failure {
            StreamFailure::TimedOut(error) => return Refusal::Failed(error),
            StreamFailure::Stream(error) => error,
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
        // It did not even send an HTTP/2 preface: it does not speak HTTP/2.
        let is_broken = error.is_library() && error.is_go_away();
        if !was_used && is_broken && !self.traffic.greets() {
            return Refusal::Failed(Error::NoHttp2);
        }
        Refusal::Failed(known)
    }

    /// Notes a request that waited too long. After two in a row on a silent connection it may be
    /// dead, and the next request should get another; a single one may be a slow response.
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

impl Drop for Http2Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// RFC 9113, section 8.2.2: headers about an HTTP/1 connection are not allowed.
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
struct InFlightRequest<'a> {
    connection: &'a Http2Connection,
    response: ResponseFuture,
    upload: Upload,
    since: Micros,
}

enum StreamFailure {
    Stream(h2::Error),
    TimedOut(Error),
}

impl InFlightRequest<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        bounds: &Bounds<'_>,
        times: &mut StreamTimes,
    ) -> Poll<Result<hyper::Response<RecvStream>, StreamFailure>> {
        let traffic = &self.connection.traffic;
        let sent = self.upload.poll(cx);
        if sent > 0 {
            times.sent += sent;
            self.since = crate::clock::now();
        }
        if self.upload.left.is_empty() && times.written.is_none() {
            times.written = Some(traffic.mark());
        }
        if let Poll::Ready(response) = std::pin::Pin::new(&mut self.response).poll(cx) {
            times.first_byte = response.is_ok().then(|| traffic.last_read());
            return Poll::Ready(response.map_err(StreamFailure::Stream));
        }
        let written = times.written.as_ref().and_then(|mark| mark.get());
        let since = written.map_or(self.since, |at| at.max(self.since));
        self.connection
            .poll_expired(cx, bounds, since)
            .map(|error| Err(StreamFailure::TimedOut(error)))
    }
}

/// The body of a request, as far as the server's windows allow.
struct Upload {
    stream: SendStream<Bytes>,
    left: Bytes,
}

impl Upload {
    /// Hands over what may be sent now and returns how much that was. Errors surface at the
    /// response.
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

impl Http2Body {
    /// The whole body. `received` counts its bytes even when it fails.
    pub(super) async fn read(
        mut self,
        announced: Option<u64>,
        bounds: &Bounds<'_>,
        received: &mut u64,
    ) -> Result<ReceivedBody, Error> {
        if self.stream.is_end_stream() {
            return Ok(ReceivedBody::nothing());
        }
        let mut whole = BodyBuffer::new(announced, bounds)?;
        poll_fn(|cx| {
            let mut turn = None;
            loop {
                match std::task::ready!(self.poll_next(cx, bounds))? {
                    Some(data) => {
                        *received += data.len() as u64;
                        whole.push(data)?;
                        if turn.get_or_insert_with(TimeSlice::begin).is_over(cx) {
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
                // It can only fail once the stream has ended, when the window no longer matters.
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

    /// When the last byte of the connection arrived.
    pub(super) fn last_read(&self) -> Micros {
        self.since
    }

    /// Restarts the wait for the server at `at`: nothing was asked of it until then.
    pub(super) fn resume(&mut self, at: Micros) {
        self.since = self.since.max(at);
    }
}
