//! When a worker's reports are cut, and when beats are not waited for.
//!
//! Owns that reports end with seconds of the run, and that not all workers send theirs at once.

use std::time::Duration;

use super::Worker;
use crate::clock::Micros;
use crate::cluster::BEAT;

/// How long after the end of a second its report is cut: load threads hand over ten times a second.
const CUT_AFTER: Duration = Duration::from_millis(150);

/// Over which time the reports of all workers are spread, in µs.
const CUT_SPREAD_US: u64 = 300_000;

/// With so many letters on their way, a beat is sent at each look at the clock.
const PRESSED: usize = 1_000;

impl<R: Clone> Worker<R> {
    /// Whether the next beat is not to be waited for: a range may only be given out when all have
    /// heard how far, and letters are kept until a beat says that they have arrived. The master knows
    /// how fast users are by what was recorded between two beats.
    pub(super) fn is_pressed(&self) -> bool {
        self.questions.want_numbers() || self.up.len() > PRESSED || self.has_rate
    }

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
