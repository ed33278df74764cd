//! The run second by second, and the marks on its time axis.
//!
//! Samples that a thread hands over late still count in the second in which they ended. `seconds`
//! closes seconds and computes their figures over several of them.

use std::sync::Arc;

use super::cell::Cell;

/// One second of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// Requests whose response arrived in it, failures included.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// Slots that paced users missed, by when the request ended that answered them.
    pub missed: u64,
    /// Bytes sent by those requests.
    pub sent: u64,
    /// Bytes received by them.
    pub received: u64,
    /// Virtual users when it was closed.
    pub users: u64,
    /// Virtual users that were asked for then.
    pub asked: u64,
    /// Virtual users that were still in an older generation of the script than the newest then.
    pub behind: u64,
    /// Requests in flight at its end, as last reported by load threads: up to 0.1 s before.
    pub in_flight: u64,
    /// CPU time that the load generator used in it, in µs.
    pub cpu_us: u64,
    /// The most that the load generator was late with anything in it, in µs.
    pub lag_us: u64,
    /// Requests a second, the mean over the up to ten seconds that end with this one, without paused
    /// time.
    pub rps: f64,
    /// Failures a second, likewise.
    pub failures_per_s: f64,
    /// Median response time over the same seconds, in µs; zero without requests.
    pub p50_us: u64,
    /// 95th percentile, likewise.
    pub p95_us: u64,
    /// For how much of it nobody was at work because the run was paused, in µs.
    pub paused_us: u64,
    /// The load generator itself was late in it: its times may not be the target's.
    pub is_tainted: bool,
}

impl Second {
    /// Adds what ended in it.
    pub(super) fn count(&mut self, cell: &Cell) {
        self.requests += cell.requests();
        self.failures += cell.failures();
        self.missed += cell.missed();
        self.sent = self.sent.saturating_add(cell.sent);
        self.received = self.received.saturating_add(cell.received);
    }

    /// All of it but what is computed of several seconds.
    pub(super) fn as_numbers(&self) -> [u64; 15] {
        [
            self.requests,
            self.failures,
            self.missed,
            self.sent,
            self.received,
            self.users,
            self.asked,
            self.behind,
            self.in_flight,
            self.cpu_us,
            self.lag_us,
            self.p50_us,
            self.p95_us,
            self.paused_us,
            u64::from(self.is_tainted),
        ]
    }

    /// One of those numbers.
    pub(super) fn of_numbers(numbers: [u64; 15]) -> Second {
        let [
            requests,
            failures,
            missed,
            sent,
            received,
            users,
            asked,
            behind,
            in_flight,
            cpu_us,
            lag_us,
            p50_us,
            p95_us,
            paused_us,
            is_tainted,
        ] = numbers;
        Second {
            requests,
            failures,
            missed,
            sent,
            received,
            users,
            asked,
            behind,
            in_flight,
            cpu_us,
            lag_us,
            p50_us,
            p95_us,
            paused_us,
            is_tainted: is_tainted > 0,
            ..Second::default()
        }
    }

    /// Adds what another collector, or another member of the run, had of it. Figures over several
    /// seconds are computed anew.
    pub(super) fn recall(&mut self, other: &Second) {
        let sums = [
            (&mut self.requests, other.requests),
            (&mut self.failures, other.failures),
            (&mut self.missed, other.missed),
            (&mut self.sent, other.sent),
            (&mut self.received, other.received),
            (&mut self.users, other.users),
            (&mut self.in_flight, other.in_flight),
            (&mut self.cpu_us, other.cpu_us),
        ];
        for (ours, theirs) in sums {
            *ours = ours.saturating_add(theirs);
        }
        let most = [
            (&mut self.asked, other.asked),
            (&mut self.behind, other.behind),
            (&mut self.lag_us, other.lag_us),
            (&mut self.p50_us, other.p50_us),
            (&mut self.p95_us, other.p95_us),
            (&mut self.paused_us, other.paused_us),
        ];
        for (ours, theirs) in most {
            *ours = theirs.max(*ours);
        }
        self.is_tainted |= other.is_tainted;
    }
}

/// Something that happened to the run and explains a change in its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The script was replaced by this generation.
    Reload {
        /// Its number.
        generation: u16,
    },
    /// The number of users was set.
    Users {
        /// How many.
        asked: u64,
    },
    /// The run time was set.
    RunTime {
        /// In µs since the run's epoch; `None` for no limit.
        ends_us: Option<u64>,
    },
    /// A note was added.
    Note {
        /// Its text.
        text: Arc<str>,
    },
    /// The run was paused: users finish their iteration and wait.
    Pause,
    /// It went on.
    Resume,
    /// The statistics were set to zero.
    Reset,
    /// In this second the load generator was late by up to `lag_us`.
    Tainted {
        /// The greatest lag, in µs.
        lag_us: u64,
    },
}

/// A mark and when it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// µs since the run's epoch.
    pub at_us: u64,
    /// What happened.
    pub mark: Mark,
}

/// Seconds in one shared piece.
const CHUNK: usize = 600;
/// Seven days; what comes later is not in the history (it is in everything else). 75 MB.
pub(super) const MAX_SECONDS: u64 = 7 * 86_400;

/// All seconds since the run's epoch. Cloning shares them: an hour costs six counters.
#[derive(Clone, Debug, Default)]
pub struct History {
    chunks: Vec<Arc<Vec<Second>>>,
}

impl History {
    /// The seconds from the first to the latest that has a sample or was closed.
    pub fn iter(&self) -> impl Iterator<Item = &Second> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks
            .last()
            .map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One second, counted from zero.
    #[must_use]
    pub fn get(&self, second: u64) -> Option<&Second> {
        let index = usize::try_from(second).ok()?;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    /// The second to change, made (with those before it) when there is none; a piece that a
    /// snapshot shares is copied once.
    pub(super) fn second(&mut self, second: u64) -> Option<&mut Second> {
        let kept = Some(second).filter(|second| *second < MAX_SECONDS)?;
        let index = usize::try_from(kept).ok()?;
        while self.len() <= index {
            if self.len().is_multiple_of(CHUNK) {
                self.chunks.push(Arc::default());
            }
            let missing = index + 1 - self.len();
            let last = Arc::make_mut(self.chunks.last_mut().expect("one was pushed"));
            let wanted = CHUNK.min(last.len() + missing);
            last.resize(wanted, Second::default());
        }
        Some(&mut Arc::make_mut(&mut self.chunks[index / CHUNK])[index % CHUNK])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_made_on_demand_and_a_clone_does_not_change() {
        let mut history = History::default();
        assert!(history.is_empty());
        history.second(1_900).expect("within the bound").requests = 7;
        let before = history.clone();
        history.second(3).expect("within the bound").requests = 1;
        history.second(599).expect("within the bound").requests = 2;

        assert_eq!(history.len(), 1_901);
        assert_eq!(history.iter().count(), 1_901);
        assert_eq!(history.iter().map(|s| s.requests).sum::<u64>(), 10);
        assert_eq!(before.iter().map(|s| s.requests).sum::<u64>(), 7);
        assert_eq!(history.get(599).map(|s| s.requests), Some(2));
        assert_eq!(history.get(1_901), None);
    }

    #[test]
    fn a_time_beyond_the_bound_allocates_nothing() {
        let mut history = History::default();
        assert!(history.second(u64::MAX / 1_000_000).is_none());
        assert!(history.is_empty());
    }
}
