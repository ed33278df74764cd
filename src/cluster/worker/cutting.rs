//! When a worker's reports are cut.
//!
//! Owns that they end with seconds of the run, and that not all workers send theirs at once.

use std::time::Duration;

use super::Worker;
use crate::clock::Micros;
use crate::cluster::BEAT;

/// How long after the end of a second its report is cut: load threads hand over ten times a second.
const CUT_AFTER: Duration = Duration::from_millis(150);

/// Over which time the reports of all workers are spread, in µs.
const CUT_SPREAD_US: u64 = 300_000;

impl<R: Clone> Worker<R> {
    /// When the report after one that is cut now is due: a little after the end of a second of the
    /// run, so that the master has all of that when it shows it. Not all workers send theirs at once.
    pub(super) fn next_cut(&self, now: Micros) -> Micros {
        let Some(began) = self.memory.began() else {
            return now + BEAT;
        };
        // Truncation is meant: the process is random.
        let spread_us = self.card.process.0 as u64 % CUT_SPREAD_US;
        let first = began + CUT_AFTER + Duration::from_micros(spread_us);
        let wait_us = match first.since(now) {
            0 => 1_000_000 - now.since(first) % 1_000_000,
            before => before.min(1_000_000),
        };
        now + Duration::from_micros(wait_us)
    }
}
