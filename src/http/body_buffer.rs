//! A body put together from what came of it, within the limits of `body_limit` and of all bodies
//! together.
//!
//! Where the pieces come from is not known here, nor how they are decoded.

use std::task::Context;

use bytes::Bytes;

use super::connection::Bounds;
use super::failure::Error;
use super::io::come_again;
use super::memory::{self, Share, UNCOUNTED};
use crate::clock::{Micros, now};

/// The pieces of a body; one alone is not copied.
pub(super) struct Collected<'a> {
    first: Bytes,
    rest: Vec<u8>,
    length: u64,
    announced: Option<u64>,
    limit: u64,
    share: Share,
    /// Asked once, when it turns out to be large: whether nobody will look at it.
    is_unread: Option<&'a dyn Fn() -> bool>,
    is_discarded: bool,
}

/// How long pieces are read before others have their turn, in µs.
const SLICE_US: u64 = 1_000;

/// Whether it is the others' turn, for whoever reads pieces while there are any: a body may have a
/// million of one byte each. Its task is polled again after them.
pub(super) struct Turn(Micros);

impl Turn {
    pub(super) fn begin() -> Turn {
        Turn(now())
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

/// What was read of a response's body.
pub(super) struct Read {
    /// Empty if it was not kept.
    pub(super) body: Bytes,
    pub(super) length: u64,
}

impl Read {
    pub(super) fn nothing() -> Read {
        Read {
            body: Bytes::new(),
            length: 0,
        }
    }

    /// A body that came in one piece.
    pub(super) fn of(body: Bytes) -> Read {
        Read {
            length: body.len() as u64,
            body,
        }
    }
}

impl<'a> Collected<'a> {
    /// `announced` is the length that the head told.
    ///
    /// # Errors
    /// When that is more than the limit.
    pub(super) fn new(announced: Option<u64>, bounds: &Bounds<'a>) -> Result<Collected<'a>, Error> {
        let limit = bounds.client.options().body_limit;
        if announced.is_some_and(|length| length > limit) {
            return Err(Error::TooLarge(limit));
        }
        Ok(Collected {
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

    /// Whether a piece is all of a body that counts against nothing, as most are: then it need not
    /// be put together.
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
            // The limit was checked, so the announcement can be believed.
            let expected = usize::try_from(self.announced.unwrap_or(0)).unwrap_or(usize::MAX);
            memory::reserve(&mut self.rest, expected.max(2 * self.first.len()))?;
            self.rest.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        memory::reserve(&mut self.rest, data.len())?;
        self.rest.extend_from_slice(&data);
        Ok(())
    }

    pub(super) fn finish(self) -> Read {
        Read {
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
            let mut turn = Turn(Micros::default());
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
            assert!(Turn::begin().0 > Micros::default());
        });
    }
}
