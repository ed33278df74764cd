//! A body put together from its pieces, within `body_limit` and the limit for all bodies.
//!
//! Knows neither where the pieces come from nor how they are decoded.

use std::task::Context;

use bytes::Bytes;

use super::connection::Bounds;
use super::failure::Error;
use super::io::come_again;
use super::memory::{self, Share, UNCOUNTED};
use crate::clock::{Micros, now};

/// The pieces of a body; a single piece is not copied.
pub(super) struct BodyBuffer<'a> {
    first: Bytes,
    rest: Vec<u8>,
    length: u64,
    announced: Option<u64>,
    limit: u64,
    share: Share,
    /// Asked once, when the body turns out to be large: whether it will never be read.
    is_unread: Option<&'a dyn Fn() -> bool>,
    is_discarded: bool,
}

/// How long pieces are read before other tasks get their turn, in µs.
const SLICE_US: u64 = 1_000;

/// Tells a loop that reads pieces while there are any to let other tasks run: a body may come in a
/// million pieces of one byte each. The loop's task is polled again after the others.
pub(super) struct TimeSlice(Micros);

impl TimeSlice {
    pub(super) fn begin() -> TimeSlice {
        TimeSlice(now())
    }

    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let at = now();
        let is_over = at.since(self.0) > SLICE_US;
        if is_over {
            self.0 = at;
            come_again(cx);
        }
        is_over
    }
}

/// What was read of a response body.
pub(super) struct ReceivedBody {
    /// Empty if it was not kept.
    pub(super) body: Bytes,
    pub(super) length: u64,
}

impl ReceivedBody {
    pub(super) fn nothing() -> ReceivedBody {
        ReceivedBody {
            body: Bytes::new(),
            length: 0,
        }
    }

    /// A body that came in one piece.
    pub(super) fn of(body: Bytes) -> ReceivedBody {
        ReceivedBody {
            length: body.len() as u64,
            body,
        }
    }
}

impl<'a> BodyBuffer<'a> {
    /// `announced` is the length given in the head.
    ///
    /// # Errors
    /// When that is more than the limit.
    pub(super) fn new(
        announced: Option<u64>,
        bounds: &Bounds<'a>,
    ) -> Result<BodyBuffer<'a>, Error> {
        let limit = bounds.client.options().body_limit;
        if announced.is_some_and(|length| length > limit) {
            return Err(Error::TooLarge(limit));
        }
        Ok(BodyBuffer {
            first: Bytes::new(),
            rest: Vec::new(),
            length: 0,
            announced,
            limit,
            share: Share::default(),
            is_unread: bounds.is_unread,
            is_discarded: false,
        })
    }

    /// Whether this piece is the whole body and too small to be counted, as most are: then nothing
    /// needs to be put together.
    pub(super) fn is_small_and_all(&self, data: &Bytes) -> bool {
        let length = data.len() as u64;
        self.length == 0 && length <= UNCOUNTED && length <= self.limit
    }

    pub(super) fn push(&mut self, data: Bytes) -> Result<(), Error> {
        let length = data.len() as u64;
        let before = self.length;
        if before + length > self.limit {
            return Err(Error::TooLarge(self.limit));
        }
        self.length += length;
        if self.length > UNCOUNTED {
            if self.is_unread.take().is_some_and(|ask| ask()) {
                self.is_discarded = true;
                (self.first, self.rest) = (Bytes::new(), Vec::new());
            }
            if self.is_discarded {
                return Ok(());
            }
            self.share.grow_to(self.length)?;
        }
        if before == 0 {
            self.first = data;
            return Ok(());
        }
        if self.rest.is_empty() {
            // The announced length was checked against the limit, so it can be trusted.
            let expected = usize::try_from(self.announced.unwrap_or(0)).unwrap_or(usize::MAX);
            memory::reserve(&mut self.rest, expected.max(2 * self.first.len()))?;
            self.rest.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        memory::reserve(&mut self.rest, data.len())?;
        self.rest.extend_from_slice(&data);
        Ok(())
    }

    pub(super) fn finish(self) -> ReceivedBody {
        ReceivedBody {
            length: self.length,
            body: match self.rest.is_empty() {
                true => self.share.keep(self.first),
                false => self.share.keep(self.rest),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[test]
    fn a_turn_that_was_long_ends_and_another_begins() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut turn = TimeSlice(Micros::default());
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                match turn.is_over(cx) {
                    true => Poll::Pending,
                    false => Poll::Ready(()),
                }
            })
            .await;
            assert!(polls > 1);
            assert!(TimeSlice::begin().0 > Micros::default());
        });
    }
}
