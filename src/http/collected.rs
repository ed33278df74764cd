//! A body put together from what came of it, within the limit of `body_limit`.
//!
//! Where the pieces come from is not known here, nor how they are decoded.

use bytes::Bytes;

use super::failure::Error;

/// The pieces of a body; one alone is not copied.
pub(super) struct Collected {
    first: Bytes,
    rest: Vec<u8>,
    length: u64,
    announced: Option<u64>,
    limit: u64,
}

impl Collected {
    /// `announced` is the length that the head told.
    ///
    /// # Errors
    /// When that is more than `limit`.
    pub(super) fn new(announced: Option<u64>, limit: u64) -> Result<Collected, Error> {
        if announced.is_some_and(|length| length > limit) {
            return Err(Error::TooLarge(limit));
        }
        Ok(Collected {
            first: Bytes::new(),
            rest: Vec::new(),
            length: 0,
            announced,
            limit,
        })
    }

    pub(super) fn push(&mut self, data: Bytes) -> Result<(), Error> {
        let length = data.len() as u64;
        if self.length + length > self.limit {
            return Err(Error::TooLarge(self.limit));
        }
        if self.length == 0 {
            self.first = data;
        } else {
            if self.rest.is_empty() {
                // The limit was checked, so the announcement can be believed.
                let expected = usize::try_from(self.announced.unwrap_or(0)).unwrap_or(0);
                self.rest.reserve(expected.max(2 * self.first.len()));
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(&data);
        }
        self.length += length;
        Ok(())
    }

    pub(super) fn finish(self) -> Bytes {
        if self.rest.is_empty() {
            self.first
        } else {
            Bytes::from(self.rest)
        }
    }
}
