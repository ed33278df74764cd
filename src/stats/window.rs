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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ends_s: &[u64]) -> Window {
        let mut window = Window::default();
        for second in ends_s {
            window.record(
                second * 1_000_000 + 999_999,
                Outcome::Success,
                1_000 + second,
            );
        }
        window
    }

    fn requests(window: &Window, now: u64) -> (u64, u64) {
        let (sum, seconds) = window.completed(now);
        assert_eq!(sum.requests, sum.response.count);
        (sum.requests, seconds)
    }

    #[test]
    fn the_window_is_the_last_ten_completed_seconds() {
        let window = of(&[0, 0, 1, 5, 9, 10]);
        assert_eq!(requests(&window, 0), (0, 0));
        assert_eq!(requests(&window, 1), (2, 1));
        assert_eq!(requests(&window, 10), (5, 10));
        assert_eq!(requests(&window, 11), (4, 10));
        assert_eq!(requests(&window, 12), (3, 10));
        assert_eq!(
            requests(&window, 21),
            (0, 10),
            "falls to zero when nothing completes"
        );
        assert_eq!(requests(&window, 1_000_000), (0, 10));
    }

    #[test]
    fn a_late_sample_counts_in_its_own_second_and_a_very_late_one_is_forgotten() {
        let window = of(&[20, 9, 8, 50, 39, 38]);
        assert_eq!(requests(&window, 51), (1, 10));
        assert_eq!(requests(&window, 49), (1, 10), "second 39");
        assert_eq!(
            requests(&window, 48),
            (1, 10),
            "38 has left the ring, 39 not"
        );
    }

    #[test]
    fn failures_are_counted_among_the_requests() {
        let mut window = of(&[3]);
        window.record(3_500_000, Outcome::Failure, 7);
        let (sum, _) = window.completed(4);
        assert_eq!((sum.requests, sum.failures, sum.response.min_us), (2, 1, 7));
    }

    #[test]
    fn merging_forgets_the_same_in_any_order() {
        let parts = [
            of(&[1, 2, 3]),
            of(&[12, 13]),
            of(&[40, 35]),
            of(&[30, 29, 28]),
            of(&[]),
        ];
        let merged = |order: [usize; 5]| {
            let mut sum = Window::default();
            for part in order {
                sum.merge(&parts[part]);
            }
            (30..45).map(|now| requests(&sum, now)).collect::<Vec<_>>()
        };
        let expected = merged([0, 1, 2, 3, 4]);
        // Seconds 28 to 37 and 29 to 38, of which 28 has left the ring; 31 to 40.
        assert_eq!(
            [expected[8], expected[9], expected[11]],
            [(3, 10), (3, 10), (2, 10)]
        );
        for order in [[4, 3, 2, 1, 0], [2, 0, 3, 4, 1], [3, 2, 1, 0, 4]] {
            assert_eq!(merged(order), expected);
        }
    }
}
