//! A response body that is read as it arrives.
//!
//! Owns the connection until the body has ended, then gives it back. If dropped earlier, it closes
//! the connection or resets its HTTP/2 stream. The caller interprets the bytes.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body as _, Incoming};

use super::body_buffer::TimeSlice;
use super::connection::{Bounds, Connection};
use super::decoder::Decoder;
use super::failure::Error;
use super::multiplex;
use super::response::encodings;
use super::session::Session;
use crate::clock::{Micros, now};

/// The body of a response that is still under way.
pub struct StreamedBody {
    source: Source,
    decoder: Decoder,
    /// Received, and not decoded yet.
    undecoded: Bytes,
    /// When the whole request must have ended.
    whole: Micros,
    received: u64,
    last_byte: Option<Micros>,
    /// The turn of a reader that takes piece after piece without having to wait.
    turn: Option<TimeSlice>,
}

enum Source {
    Single(Box<Connection>, Incoming),
    Shared(multiplex::Http2Body),
    Ended,
}

impl StreamedBody {
    pub(super) fn of_single(
        connection: Box<Connection>,
        body: Incoming,
        headers: &HeaderMap,
        bounds: &Bounds<'_>,
    ) -> StreamedBody {
        StreamedBody::new(Source::Single(connection, body), headers, bounds)
    }

    pub(super) fn of_shared(
        body: multiplex::Http2Body,
        headers: &HeaderMap,
        bounds: &Bounds<'_>,
    ) -> StreamedBody {
        StreamedBody::new(Source::Shared(body), headers, bounds)
    }

    fn new(source: Source, headers: &HeaderMap, bounds: &Bounds<'_>) -> StreamedBody {
        StreamedBody {
            source,
            decoder: Decoder::new(&encodings(headers)),
            undecoded: Bytes::new(),
            whole: bounds.whole,
            received: 0,
            last_byte: None,
            turn: None,
        }
    }

    /// The next piece of the body, decoded; `None` at its end and forever after. Waits for the
    /// server's next byte at most `network_timeout`, and for the end as long as the request's own
    /// `timeout` allows. `session` is the one that sent the request.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the body breaks off, is too late or damaged. Nothing more can be read then.
    pub async fn next(&mut self, session: &Session) -> Result<Option<Bytes>, Error> {
        let deadline = session.take_deadline();
        let bounds = Bounds {
            client: session.client(),
            deadline: &deadline,
            whole: self.whole,
            is_streamed: true,
            follows: false,
            is_unread: None,
        };
        self.source.resume(now());
        let result = poll_fn(|cx| {
            if self.turn.get_or_insert_with(TimeSlice::begin).is_over(cx) {
                return bounds.poll_overdue().map(Err);
            }
            let next = self.poll_next(cx, &bounds);
            if next.is_pending() {
                self.turn = None;
            }
            next
        })
        .await;
        session.put_deadline(deadline);
        if matches!(result, Ok(Some(_))) {
            return result;
        }
        let source = std::mem::replace(&mut self.source, Source::Ended);
        if let (Ok(None), Source::Single(connection, _)) = (&result, source) {
            session.put_idle(connection);
        }
        result
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        bounds: &Bounds<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            while !self.undecoded.is_empty() {
                let length = self.decoder.step().min(self.undecoded.len());
                let piece = self.undecoded.split_to(length);
                let decoded = self
                    .decoder
                    .push(piece, bounds.client.options().body_limit)?;
                if !decoded.is_empty() {
                    return Poll::Ready(Ok(Some(decoded)));
                }
            }
            let next = match &mut self.source {
                Source::Single(_, body) if body.is_end_stream() => Ok(None),
                Source::Single(connection, body) => {
                    std::task::ready!(connection.poll_next(body, cx, bounds))
                }
                Source::Shared(body) => std::task::ready!(body.poll_next(cx, bounds)),
                Source::Ended => return Poll::Ready(Ok(None)),
            };
            let Some(data) = next? else {
                return Poll::Ready(self.decoder.finish().map(|()| None));
            };
            self.received += data.len() as u64;
            self.last_byte = Some(self.source.last_read());
            self.undecoded = data;
        }
    }

    /// Body bytes received so far, as transferred.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// When the last of them arrived; `None` before the first.
    #[must_use]
    pub fn last_byte(&self) -> Option<Micros> {
        self.last_byte
    }
}

impl Source {
    /// A slow reader must not get an error that blames the server.
    fn resume(&mut self, at: Micros) {
        match self {
            Source::Single(connection, _) => connection.notes().resume(at),
            Source::Shared(body) => body.resume(at),
            Source::Ended => {}
        }
    }

    fn last_read(&self) -> Micros {
        match self {
            Source::Single(connection, _) => connection.notes().last_activity(),
            Source::Shared(body) => body.last_read(),
            Source::Ended => now(),
        }
    }
}

impl fmt::Debug for StreamedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedBody")
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
