//! Counting what arrived, by route and by connection.
//!
//! Owns the numbers that a load test is checked against. What counts as received is decided in
//! `serve`: a request is counted once its head has been read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::path::Route;

/// What the target has received since it started or was reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests whose head was read, except for `/requests` and `/reset`.
    pub total: u64,
    /// Requests by route pattern (`/delay/:ms`); routes never requested are absent, and every
    /// unknown path counts as `other`.
    pub by_path: BTreeMap<&'static str, u64>,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now; a reset leaves this alone.
    pub open: u64,
}

/// The counts of one thread. Aligned so that two of them never share a cache line, nor the pair
/// of lines that a processor fetches together.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Counter {
    by_route: [AtomicU64; Route::ALL.len()],
    accepted: AtomicU64,
    open: AtomicU64,
}

impl Counts {
    pub(super) fn sum(counters: &[Counter]) -> Counts {
        let mut counts = Counts::default();
        for counter in counters {
            for route in Route::ALL {
                let requests = counter.by_route[route as usize].load(Relaxed);
                if requests > 0 {
                    counts.total += requests;
                    *counts.by_path.entry(route.pattern()).or_default() += requests;
                }
            }
            counts.connections += counter.accepted.load(Relaxed);
            counts.open += counter.open.load(Relaxed);
        }
        counts
    }
}

impl Counter {
    pub(super) fn request(&self, route: Route) {
        if !matches!(route, Route::Requests | Route::Reset) {
            self.by_route[route as usize].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn opened(&self) {
        self.accepted.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    pub(super) fn reset(&self) {
        for requests in &self.by_route {
            requests.store(0, Relaxed);
        }
        self.accepted.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_the_threads_up_and_leaves_the_counter_itself_out() {
        let counters = [Counter::default(), Counter::default()];
        counters[0].opened();
        counters[1].opened();
        counters[1].closed();
        counters[0].request(Route::Hello);
        counters[1].request(Route::Hello);
        counters[1].request(Route::Delay);
        counters[1].request(Route::Requests);
        counters[0].request(Route::Reset);
        let expected = Counts {
            total: 3,
            by_path: BTreeMap::from([("/hello", 2), ("/delay/:ms", 1)]),
            connections: 2,
            open: 1,
        };
        assert_eq!(Counts::sum(&counters), expected);
    }

    #[test]
    fn a_reset_keeps_what_is_open() {
        let counters = [Counter::default()];
        counters[0].opened();
        counters[0].request(Route::Hello);
        counters[0].reset();
        let expected = Counts {
            open: 1,
            ..Counts::default()
        };
        assert_eq!(Counts::sum(&counters), expected);
    }
}
