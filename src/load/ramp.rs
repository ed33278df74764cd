//! One change of the number of users at a steady rate.
//!
//! Owns which ordinal starts or stops at which moment of the ramp; the ramp's own beginning is
//! time zero.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::Rate;

/// From one number of users to another, one at a time.
///
/// Going up, user n (from 0) starts (n - from) / rate after the beginning: the first one at once,
/// none of them in bunches. Going down, the last one in is the first one out: user from - 1 stops
/// at once, the others at the same rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    from: u32,
    to: u32,
    rate: Rate,
}

impl Ramp {
    /// A ramp from `from` users to `to`, changing `rate` of them a second.
    #[must_use]
    pub fn new(from: u32, to: u32, rate: Rate) -> Ramp {
        Ramp { from, to, rate }
    }

    /// The number of users when it is over.
    #[must_use]
    pub fn target(self) -> u32 {
        self.to
    }

    /// When the user with this ordinal starts (going up) or stops (going down), counted from the
    /// ramp's beginning; `None` if this ramp does not touch it.
    #[must_use]
    pub fn due(self, user: u32) -> Option<Duration> {
        if (self.from..self.to).contains(&user) {
            Some(self.change_at(user - self.from))
        } else if (self.to..self.from).contains(&user) {
            Some(self.change_at(self.from - 1 - user))
        } else {
            None
        }
    }

    /// How many users there should be, everything due by then included.
    #[must_use]
    pub fn users_at(self, elapsed: Duration) -> u32 {
        let changes = self.changes_by(elapsed);
        if self.to >= self.from {
            self.from + changes
        } else {
            self.from - changes
        }
    }

    /// How many users there are just before `elapsed`: what the next ramp begins from if this one
    /// is cut short there.
    #[must_use]
    pub fn users_before(self, elapsed: Duration) -> u32 {
        match elapsed.checked_sub(Duration::from_nanos(1)) {
            Some(before) => self.users_at(before),
            None => self.from,
        }
    }

    /// The number of users when it begins.
    #[must_use]
    pub fn origin(self) -> u32 {
        self.from
    }

    /// How many users start or stop a second during the ramp; 0 if none do.
    #[must_use]
    pub fn per_sec(self) -> f64 {
        if self.from == self.to {
            0.0
        } else {
            self.rate.per_sec()
        }
    }

    /// The first moment after `elapsed` at which the number changes; `None` once it is over.
    #[must_use]
    pub fn next_change(self, elapsed: Duration) -> Option<Duration> {
        let done = self.changes_by(elapsed);
        (done < self.changes()).then(|| self.change_at(done))
    }

    /// When the last user has started or stopped; zero if there is nothing to change.
    #[must_use]
    pub fn length(self) -> Duration {
        self.changes()
            .checked_sub(1)
            .map_or(Duration::ZERO, |last| self.change_at(last))
    }

    fn changes(self) -> u32 {
        self.from.abs_diff(self.to)
    }

    /// When change number `index` (from 0) is due, to the nanosecond.
    fn change_at(self, index: u32) -> Duration {
        Duration::try_from_secs_f64(f64::from(index) / self.rate.per_sec()).unwrap_or(Duration::MAX)
    }

    /// How many changes are due at `elapsed` or before.
    fn changes_by(self, elapsed: Duration) -> u32 {
        let changes = self.changes();
        if changes == 0 {
            return 0;
        }
        // `as` saturates. The product may be one off where `change_at` rounded the other way.
        let estimate = (elapsed.as_secs_f64() * self.rate.per_sec()) as u32;
        let mut last = estimate.min(changes - 1);
        while last > 0 && self.change_at(last) > elapsed {
            last -= 1;
        }
        while last + 1 < changes && self.change_at(last + 1) <= elapsed {
            last += 1;
        }
        last + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ramp(from: u32, to: u32, per_sec: f64) -> Ramp {
        Ramp::new(from, to, Rate::from_per_sec(per_sec).unwrap())
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn users_start_one_by_one() {
        let up = ramp(0, 4, 2.0);
        let due: Vec<_> = (0..5).map(|user| up.due(user)).collect();
        assert_eq!(
            due,
            [
                Some(ms(0)),
                Some(ms(500)),
                Some(ms(1000)),
                Some(ms(1500)),
                None
            ]
        );
        for (elapsed, users) in [(0, 1), (499, 1), (500, 2), (1499, 3), (1500, 4), (9999, 4)] {
            assert_eq!(up.users_at(ms(elapsed)), users, "{elapsed}");
        }
        assert_eq!(up.next_change(ms(0)), Some(ms(500)));
        assert_eq!(up.next_change(ms(750)), Some(ms(1000)));
        assert_eq!(up.next_change(ms(1500)), None);
        assert_eq!(up.length(), ms(1500));
    }

    #[test]
    fn the_last_in_is_the_first_out() {
        let down = ramp(5, 2, 10.0);
        let due: Vec<_> = (0..6).map(|user| down.due(user)).collect();
        assert_eq!(
            due,
            [None, None, Some(ms(200)), Some(ms(100)), Some(ms(0)), None]
        );
        assert_eq!(down.users_at(ms(0)), 4);
        assert_eq!(down.users_at(ms(200)), 2);
        assert_eq!(down.next_change(ms(200)), None);
    }

    #[test]
    fn a_ramp_to_where_one_is_changes_nothing() {
        let none = ramp(3, 3, 1.0);
        assert_eq!(none.users_at(Duration::MAX), 3);
        assert_eq!(none.next_change(Duration::ZERO), None);
        assert_eq!(none.length(), Duration::ZERO);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let slow = ramp(0, u32::MAX, 1e-300);
        assert_eq!(slow.due(u32::MAX - 1), Some(Duration::MAX));
        assert_eq!(slow.users_at(Duration::from_secs(1)), 1);
        let fast = ramp(0, u32::MAX, 1e9);
        assert_eq!(fast.users_at(Duration::MAX), u32::MAX);
    }

    proptest! {
        #[test]
        fn counting_agrees_with_the_due_times(
            from in 0_u32..200, to in 0_u32..200, per_sec in 0.01_f64..5_000.0, nanos in 0_u64..20_000_000_000,
        ) {
            let ramp = ramp(from, to, per_sec);
            let at = Duration::from_nanos(nanos);
            let changed = (0..200).filter(|user| ramp.due(*user).is_some_and(|due| due <= at)).count();
            prop_assert_eq!(ramp.users_at(at).abs_diff(from) as usize, changed);
            if let Some(next) = ramp.next_change(at) {
                prop_assert!(next > at);
                prop_assert_eq!(ramp.users_at(next).abs_diff(ramp.users_at(at)), 1);
            } else {
                prop_assert_eq!(ramp.users_at(at), to);
            }
        }

        #[test]
        fn at_its_own_due_time_a_user_is_there(user in 0_u32..1_000_000, per_sec in 0.001_f64..1e6) {
            let ramp = ramp(0, 1_000_000, per_sec);
            let due = ramp.due(user).unwrap();
            prop_assert_eq!(ramp.users_at(due), user + 1);
        }
    }
}
