//! The times of a run, as its scripts and its samples have them.
//!
//! Wall time is the machine's at the start of the run, and goes on by the monotonic clock: it never
//! jumps.

use std::cell::Cell;

use crate::clock::Micros;

/// The moment a run began, by the monotonic clock and in microseconds since 1970.
#[derive(Debug)]
pub struct RunClock {
    epoch: Cell<Micros>,
    unix_us: Cell<i64>,
}

impl RunClock {
    /// Of a run that began at `epoch`, which is `unix_us` microseconds after 1970.
    #[must_use]
    pub fn new(epoch: Micros, unix_us: i64) -> RunClock {
        RunClock {
            epoch: Cell::new(epoch),
            unix_us: Cell::new(unix_us),
        }
    }

    /// The run begins: all times count from here.
    pub fn begin(&self, epoch: Micros, unix_us: i64) {
        self.epoch.set(epoch);
        self.unix_us.set(unix_us);
    }

    /// Microseconds since the run began.
    pub(crate) fn run_us(&self, moment: Micros) -> u64 {
        moment.since(self.epoch.get())
    }

    /// Microseconds since 1970, at that moment of the run.
    pub(crate) fn unix_us(&self, moment: Micros) -> i64 {
        let begun = self.unix_us.get();
        begun.saturating_add_unsigned(self.run_us(moment))
    }

    /// Seconds since 1970, of a moment so many microseconds after the run began.
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds since 1970 have 51 bits"
    )]
    pub(crate) fn unix_s(&self, run_us: u64) -> f64 {
        self.unix_us.get().saturating_add_unsigned(run_us) as f64 / 1e6
    }
}
