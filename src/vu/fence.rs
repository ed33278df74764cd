//! Until when users may begin iterations without hearing from whoever runs them from elsewhere.
//!
//! Owns the way of that moment from the thread that knows it to load threads, which only read it: an
//! atomic load and a look at the clock before each iteration. What begins past it might begin a
//! second time elsewhere, so nothing does; what has begun goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Micros;

/// The moment, by this machine's clock. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Fence(Arc<AtomicU64>);

impl Fence {
    /// One that has passed: whoever knows better says so.
    pub(crate) fn closed() -> Fence {
        Fence(Arc::new(AtomicU64::new(0)))
    }

    /// Iterations may begin before that moment. May be called from any thread.
    pub(crate) fn set(&self, until: Micros) {
        // Nothing else is read by it.
        self.0.store(until.get(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_passed(&self, now: Micros) -> bool {
        self.until() <= now
    }

    #[inline]
    fn until(&self) -> Micros {
        Micros::default() + Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}
