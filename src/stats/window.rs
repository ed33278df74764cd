//! The last seconds of a series: what current rates and current percentiles are computed from.
//!
//! Seconds are whole seconds since the run's epoch, and a sample counts in the one in which its
//! response arrived. The history of the whole run is kept elsewhere.

use super::dist::Dist;
use super::sample::Outcome;

/// Current figures are over up to this many completed seconds.
pub(super) const SECONDS: u64 = 10;
/// Room for the seconds of the window, the running one and one that is late.
const SLOTS: usize = 12;

/// A ring of the latest seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// The latest second any sample fell into.
    newest: u64,
    slots: [Slot; SLOTS],
}

/// One second.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) response: Dist,
}

impl Slot {
    pub(super) fn merge(&mut self, other: &Slot) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.response.merge(&other.response);
    }
}

impl Window {
    /// Adds a sample whose response arrived at `end_us`; one that is older than the ring is
    /// forgotten here (and only here).
    #[inline]
    pub(super) fn record(&mut self, end_us: u64, outcome: Outcome, response_us: u64) {
        if let Some(slot) = self.slot(end_us / 1_000_000) {
            slot.requests += 1;
            slot.failures += u64::from(outcome == Outcome::Failure);
            slot.response.record(response_us);
        }
    }

    /// Adds all of `other`; associative and commutative: what the later of both has outlived is
    /// forgotten in whatever order.
    pub(super) fn merge(&mut self, other: &Window) {
        for second in other.seconds() {
            let theirs = &other.slots[place(second)];
            if theirs.requests > 0
                && let Some(ours) = self.slot(second)
            {
                ours.merge(theirs);
            }
        }
    }

    /// The sum over the completed seconds of the window that ends before second `now`, and how many
    /// seconds that is.
    pub(super) fn completed(&self, now: u64) -> (Slot, u64) {
        let first = now.saturating_sub(SECONDS);
        let mut sum = Slot::default();
        for second in self
            .seconds()
            .filter(|second| (first..now).contains(second))
        {
            sum.merge(&self.slots[place(second)]);
        }
        (sum, now - first)
    }

    fn seconds(&self) -> impl Iterator<Item = u64> + use<> {
        self.newest.saturating_sub(SLOTS as u64 - 1)..=self.newest
    }

    #[inline]
    fn slot(&mut self, second: u64) -> Option<&mut Slot> {
        if second > self.newest {
            let stale = (second - self.newest).min(SLOTS as u64);
            for later in 1..=stale {
                self.slots[place(second - stale + later)] = Slot::default();
            }
            self.newest = second;
        }
        let is_kept = self.newest - second < SLOTS as u64;
        is_kept.then(|| &mut self.slots[place(second)])
    }
}

fn place(second: u64) -> usize {
    usize::try_from(second % SLOTS as u64).expect("less than the ring's length")
}
