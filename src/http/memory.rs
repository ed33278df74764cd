//! How much memory the bodies of all users may take together.
//!
//! One counter for the process, touched only by bodies that are not small. What a script makes of a
//! body (text, values) belongs to its user and is not counted here.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::failure::Error;

/// Bodies up to this many bytes are not counted: 10,000 users with one each have 655 MB.
pub(super) const UNCOUNTED: u64 = 64 * 1024;

/// Bytes are counted in steps of this size, to touch the counter rarely.
const STEP: u64 = 256 * 1024;

static ALL: Pool = Pool::new();

/// Limits the bytes that the bodies of all users take together; unlimited unless called.
pub fn limit_bodies(bytes: u64) {
    ALL.limit.store(bytes, Ordering::Relaxed);
}

#[derive(Debug)]
struct Pool {
    held: AtomicU64,
    limit: AtomicU64,
}

impl Pool {
    const fn new() -> Pool {
        Pool {
            held: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
        }
    }
}

/// One body's share of the pool, returned when dropped.
#[derive(Debug)]
pub struct Share {
    pool: &'static Pool,
    bytes: u64,
}

impl Default for Share {
    fn default() -> Share {
        Share {
            pool: &ALL,
            bytes: 0,
        }
    }
}

impl Share {
    /// Extends the share to a body of this many bytes.
    ///
    /// # Errors
    /// When all bodies together would exceed the limit.
    pub fn grow_to(&mut self, bytes: u64) -> Result<(), Error> {
        if bytes <= self.bytes || bytes <= UNCOUNTED {
            return Ok(());
        }
        let wanted = bytes.div_ceil(STEP).saturating_mul(STEP);
        let more = wanted - self.bytes;
        let limit = self.pool.limit.load(Ordering::Relaxed);
        let before = self.pool.held.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > limit {
            self.pool.held.fetch_sub(more, Ordering::Relaxed);
            return Err(Error::BodyMemory(limit));
        }
        self.bytes = wanted;
        Ok(())
    }

    /// Ties the share to the body: it is returned with the body's last clone.
    pub(super) fn keep(self, body: impl AsRef<[u8]> + Into<Bytes> + Send + 'static) -> Bytes {
        if self.bytes == 0 {
            return body.into();
        }
        Bytes::from_owner(CountedBody { body, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.pool.held.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

struct CountedBody<B> {
    body: B,
    _share: Share,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for CountedBody<B> {
    fn as_ref(&self) -> &[u8] {
        self.body.as_ref()
    }
}

/// Makes room in `whole` for `more` bytes. A length that a server announces, or a machine without
/// memory, must not end the process.
///
/// # Errors
/// When the system is out of memory.
pub(super) fn reserve(whole: &mut Vec<u8>, more: usize) -> Result<(), Error> {
    whole.try_reserve(more).map_err(|_| Error::NoMemory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(pool: &'static Pool) -> Share {
        Share { pool, bytes: 0 }
    }

    #[test]
    fn bodies_together_are_bounded_and_give_back_what_they_had() {
        static POOL: Pool = Pool::new();
        POOL.limit.store(4 * STEP, Ordering::Relaxed);
        let held = || POOL.held.load(Ordering::Relaxed);
        let mut small = share(&POOL);
        small.grow_to(UNCOUNTED).unwrap();
        assert_eq!(held(), 0);
        let mut one = share(&POOL);
        one.grow_to(UNCOUNTED + 1).unwrap();
        one.grow_to(STEP).unwrap();
        assert_eq!(held(), STEP);
        let mut other = share(&POOL);
        other.grow_to(3 * STEP).unwrap();
        assert_eq!(one.grow_to(STEP + 1), Err(Error::BodyMemory(4 * STEP)));
        assert_eq!(held(), 4 * STEP);
        let body = other.keep(vec![1_u8; 3]);
        let part = body.slice(1..2);
        drop(body);
        assert_eq!(held(), 4 * STEP);
        drop(part);
        assert_eq!(held(), STEP);
        one.grow_to(4 * STEP).unwrap();
        drop(one);
        assert_eq!((held(), small.keep(vec![1_u8]).as_ref()), (0, &[1_u8][..]));
    }

    #[test]
    fn no_length_ends_the_process() {
        let whole = &mut Vec::new();
        assert_eq!(reserve(whole, usize::MAX / 2), Err(Error::NoMemory));
        reserve(whole, 10).unwrap();
    }
}
