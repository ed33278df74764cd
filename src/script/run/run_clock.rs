//! The times of a run, as its scripts and its samples have them.
//!
//! Wall time is the machine's at the start of the run, and goes on by the monotonic clock: it never
//! jumps.

use crate::clock::Micros;

/// The moment a run began: all its times count from here.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    /// By the monotonic clock.
    pub epoch: Micros,
    /// In microseconds since 1970.
    pub epoch_unix_us: i64,
}

impl RunClock {
    /// Microseconds since the run began.
    pub(crate) fn run_us(self, moment: Micros) -> u64 {
        moment.since(self.epoch)
    }

    /// Microseconds since 1970, at that moment of the run.
    pub(crate) fn unix_us(self, moment: Micros) -> i64 {
        self.epoch_unix_us
            .saturating_add_unsigned(self.run_us(moment))
    }

    /// Seconds since 1970 at this many microseconds after the run began.
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds since 1970 have 51 bits"
    )]
    pub(crate) fn unix_s(self, run_us: u64) -> f64 {
        self.epoch_unix_us.saturating_add_unsigned(run_us) as f64 / 1e6
    }
}
