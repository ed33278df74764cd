//! When a user's next iteration is meant to start, and how late it is.
//!
//! Pure arithmetic on moments. Lateness here is the user's own: its previous iteration overran.
//! The generator's lag is measured where the user wakes up, passed to the pace and kept apart: an
//! iteration that ends late only because it began late has not overrun.

use std::time::Duration;

use crate::clock::Micros;
use crate::scenario::Wait;
use crate::script::Missed;

/// What follows when a user has left a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterSet {
    /// The next task.
    AtOnce,
    /// The wait that applies outside of it.
    Wait,
}

/// The intended starts of one user.
pub(super) struct Pace {
    /// `None` unless the wait is a pacing.
    period: Option<Duration>,
    intended: Micros,
    late_us: u64,
    missed: Option<Missed>,
    /// How late the generator began the iteration that runs.
    lag_us: u64,
}

impl Pace {
    pub(super) fn new(wait: &Wait, now: Micros) -> Pace {
        let period = match wait {
            Wait::Pacing(period) if !period.is_zero() => Some(*period),
            _ => None,
        };
        Pace {
            period,
            intended: now,
            late_us: 0,
            missed: None,
            lag_us: 0,
        }
    }

    /// The planned iteration begins this much late because the thread was busy.
    pub(super) fn begun_late(&mut self, lag_us: u64) {
        self.lag_us = lag_us;
    }

    /// Continues with another wait. A pace takes its new period from the slot that has begun; a
    /// wait that becomes a pace counts from `start`, when the next iteration starts.
    pub(super) fn renew(&mut self, wait: &Wait, start: Micros) {
        let before = self.period;
        self.period = Pace::new(wait, start).period;
        if before.is_none() && self.period.is_some() {
            self.intended = start;
        }
    }

    /// Actual start − intended start of the coming iteration, in µs.
    pub(super) fn late_us(&self) -> u64 {
        self.late_us
    }

    /// The slots that passed before it.
    pub(super) fn missed(&self) -> Option<Missed> {
        self.missed
    }

    /// Counts no slot until `now` as missed, because another wait applied. Next comes an iteration
    /// that starts now, or a wait that finds a slot begun.
    pub(super) fn pass(&mut self, now: Micros, next: AfterSet) {
        let Some(period) = self.period else { return };
        let period_us = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        let passed_us = now.since(self.intended);
        if passed_us > period_us {
            let kept_us = match next {
                AfterSet::AtOnce => 0,
                AfterSet::Wait => period_us,
            };
            self.intended = self.intended + Duration::from_micros(passed_us - kept_us);
        }
    }

    /// Plans the iteration after one that ended at `ended`; returns when it is meant to start,
    /// which lies in the past by as much as the generator is late. `wait` is the wait that was
    /// drawn, `None` for a pacing.
    ///
    /// A paced user that overran starts at once, in the latest slot that has begun. The slots
    /// before that one are missed: they are counted, not caught up with.
    pub(super) fn next(&mut self, ended: Micros, wait: Option<Duration>) -> Micros {
        (self.late_us, self.missed) = (0, None);
        let lag_us = std::mem::take(&mut self.lag_us);
        let Some(period) = self.period else {
            self.intended = ended + wait.unwrap_or_default();
            return self.intended;
        };
        let next = self.intended + period;
        let period_us = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        // As if it had been begun in time.
        let took_us = ended.since(self.intended).saturating_sub(lag_us);
        let Some(over_us) = took_us.checked_sub(period_us).filter(|over| *over > 0) else {
            self.intended = next;
            return next;
        };
        let count = over_us / period_us;
        self.intended = next + Duration::from_micros(period_us.saturating_mul(count));
        self.late_us = over_us % period_us;
        self.missed = (count > 0).then_some(Missed {
            first: next,
            period_us,
            count,
        });
        self.intended + Duration::from_micros(self.late_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn other_waits_start_when_they_are_over() {
        let start = clock::now();
        let mut pace = Pace::new(&Wait::Constant(S), start);
        assert_eq!(pace.next(start + 3 * S, Some(S)), start + 4 * S);
        assert_eq!((pace.late_us(), pace.missed()), (0, None));
        assert_eq!(pace.next(start + 9 * S, None), start + 9 * S);
    }

    #[test]
    fn a_paced_user_in_time_keeps_its_slots() {
        let start = clock::now();
        let mut pace = Pace::new(&Wait::Pacing(S), start);
        // It ends 0.3 s and exactly 1 s after its start: the next slots do not drift.
        assert_eq!(pace.next(start + S.mul_f64(0.3), None), start + S);
        assert_eq!(pace.next(start + 2 * S, None), start + 2 * S);
        assert_eq!((pace.late_us(), pace.missed()), (0, None));
    }

    #[test]
    fn one_that_overruns_starts_at_once_in_the_slot_that_has_begun() {
        let start = clock::now();
        let mut pace = Pace::new(&Wait::Pacing(S), start);
        let ended = start + S.mul_f64(1.25);
        assert_eq!(pace.next(ended, None), ended);
        assert_eq!((pace.late_us(), pace.missed()), (250_000, None));
        // The slot it is in began at 1 s: the next one is at 2 s.
        assert_eq!(pace.next(start + S.mul_f64(1.5), None), start + 2 * S);
    }

    #[test]
    fn slots_that_passed_are_missed_and_never_caught_up_with() {
        let start = clock::now();
        let mut pace = Pace::new(&Wait::Pacing(S), start);
        let ended = start + S.mul_f64(4.5);
        assert_eq!(pace.next(ended, None), ended);
        assert_eq!(pace.late_us(), 500_000);
        let missed = Missed {
            first: start + S,
            period_us: 1_000_000,
            count: 3,
        };
        assert_eq!(pace.missed(), Some(missed));
        assert_eq!(pace.next(start + S.mul_f64(4.6), None), start + 5 * S);
        assert_eq!((pace.late_us(), pace.missed()), (0, None));
    }

    #[test]
    fn what_the_generator_is_late_is_no_lateness_of_the_user() {
        let start = clock::now();
        let mut pace = Pace::new(&Wait::Pacing(S), start);
        // It takes 0.9 s of its slot, but was begun 0.3 s late: it is over 0.2 s into the next,
        // which is begun late again, and no slot is missed.
        pace.begun_late(300_000);
        assert_eq!(pace.next(start + S.mul_f64(1.2), None), start + S);
        assert_eq!((pace.late_us(), pace.missed()), (0, None));
        // It takes 0.5 s there: what was lost is made up for.
        pace.begun_late(200_000);
        assert_eq!(pace.next(start + S.mul_f64(1.7), None), start + 2 * S);
        assert_eq!((pace.late_us(), pace.missed()), (0, None));
        // One that overruns by 2.25 s, begun 0.5 s late: its own 2.25 s count, and it stays late.
        pace.begun_late(500_000);
        let due = pace.next(start + S.mul_f64(5.75), None);
        assert_eq!(due, start + S.mul_f64(5.25));
        assert_eq!(pace.late_us(), 250_000);
        assert_eq!(pace.missed().map(|missed| missed.count), Some(2));
        // It was told once: the next iteration was begun in time.
        assert_eq!(
            pace.next(start + S.mul_f64(6.5), None),
            start + S.mul_f64(6.5)
        );
        assert_eq!(pace.late_us(), 500_000);
    }

    #[test]
    fn another_wait_is_gone_on_with_from_the_iteration_that_comes() {
        let start = clock::now();
        let mut pace = Pace::new(&Wait::Constant(9 * S), start);
        // It waits until 10 s; the pace that it gets meanwhile has its first slot there.
        let due = pace.next(start + S, Some(9 * S));
        pace.renew(&Wait::Pacing(S), due);
        assert_eq!(pace.next(start + S.mul_f64(10.5), None), start + 11 * S);
        assert_eq!((pace.late_us(), pace.missed()), (0, None));
        // Another period counts from the slot that was planned.
        pace.renew(&Wait::Pacing(4 * S), start + 11 * S);
        assert_eq!(pace.next(start + S.mul_f64(11.5), None), start + 15 * S);
        // And none waits for itself alone again.
        pace.renew(&Wait::Constant(2 * S), start + 15 * S);
        assert_eq!(pace.next(start + 30 * S, Some(2 * S)), start + 32 * S);
        assert_eq!((pace.late_us(), pace.missed()), (0, None));
    }
}
