//! What a worker's machine is doing, as its beats tell.
//!
//! Owns looking once a second, and making shares of the second out of what the kernel counts.

use std::time::Duration;

use crate::clock::{self, Micros};
use crate::cluster::BEAT;
use crate::cluster::message::Machine;
use crate::cluster::offset::Estimate;
use crate::runner::{self, Used};

/// Looks at the process once a second.
#[derive(Debug)]
pub(super) struct Meter {
    /// CPU seconds that its load threads can use in a second.
    cores: u32,
    memory_bytes: u64,
    last: (Micros, Used),
    machine: Machine,
}

impl Meter {
    /// Of a process with so many load threads.
    pub(super) fn new(threads: u32) -> Meter {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        Meter {
            cores: threads.min(cores).max(1),
            memory_bytes: runner::allowed_memory(),
            last: (clock::now(), runner::used()),
            machine: Machine::default(),
        }
    }

    /// How late load threads were in the last second: 99th percentile and the most, in µs.
    pub(super) fn lagged(&mut self, [p99_us, most_us]: [u64; 2]) {
        self.machine.lag_p99_us = p99_us;
        self.machine.lag_us = most_us;
    }

    /// No load thread is at work any more.
    pub(super) fn rests(&mut self) {
        self.lagged([0, 0]);
    }

    /// What to say now; `clock` is what is known of the master's.
    pub(super) fn machine(&mut self, clock: Option<Estimate>) -> Machine {
        let now = clock::now();
        let (before, used) = self.last;
        if before + BEAT <= now {
            let next = runner::used();
            let length = Duration::from_micros(now.since(before));
            self.machine = Machine {
                cpu_us: next.cpu_us,
                cpu: permille(next.cpu_us - used.cpu_us, length * self.cores),
                throttled: permille(next.throttled_us.saturating_sub(used.throttled_us), length),
                rss_bytes: next.rss_bytes,
                memory_bytes: self.memory_bytes,
                zero_unix_us: zero_unix_us(now),
                ..self.machine
            };
            self.last = (now, next);
        }
        self.machine.clock_error_us = clock.map(|known| known.error_us);
        self.machine
    }
}

/// When this machine's clock showed zero, in µs since 1970, if that began now.
fn zero_unix_us(now: Micros) -> i64 {
    let unix_us = jiff::Timestamp::now().as_microsecond();
    unix_us.saturating_sub_unsigned(now.get())
}

/// So much of that time, in thousandths; never above the whole, since the two are not read at one
/// moment.
fn permille(us: u64, of: Duration) -> u16 {
    let of = u64::try_from(of.as_micros()).unwrap_or(u64::MAX).max(1);
    let share = us.saturating_mul(1_000) / of;
    u16::try_from(share).map_or(1_000, |share| share.min(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_load_threads_can_use() {
        let second = Duration::from_secs(1);
        assert_eq!(permille(950_000, second), 950);
        assert_eq!(permille(950_000, second * 2), 475);
        assert_eq!(permille(1_010_000, second), 1_000);
        assert_eq!(permille(u64::MAX, Duration::ZERO), 1_000);
    }
}
