//! The plan of a run: what the runner asks while time passes.
//!
//! Owns how many users there should be at each moment and when the run is over. It answers from
//! elapsed time only, so a further kind of plan (stages, a shape, arrivals) is a further way to
//! make a `Plan`, not a further question.

use std::time::Duration;

use super::Ramp;
use crate::units::Rate;

/// How many users there should be as time passes, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    ramp: Ramp,
    run_time: Option<Duration>,
}

impl Plan {
    /// A closed plan: up to `users` users at `rate` a second, kept until `run_time` is over, or
    /// until somebody stops them if there is none. The run time counts from the start of the
    /// ramp, as Locust's does.
    #[must_use]
    pub fn closed(users: u32, rate: Rate, run_time: Option<Duration>) -> Plan {
        Plan {
            ramp: Ramp::new(0, users, rate),
            run_time,
        }
    }

    /// How many users there should be at `elapsed`; zero once the plan is over.
    #[must_use]
    pub fn users_at(self, elapsed: Duration) -> u32 {
        if self.is_over(elapsed) {
            0
        } else {
            self.ramp.users_at(elapsed)
        }
    }

    /// When the user with this ordinal starts; `None` if it never does.
    #[must_use]
    pub fn start_of(self, user: u32) -> Option<Duration> {
        self.ramp.due(user).filter(|due| !self.is_over(*due))
    }

    /// The first moment after `elapsed` at which [`Plan::users_at`] changes; `None` if it never
    /// does again.
    #[must_use]
    pub fn next_change(self, elapsed: Duration) -> Option<Duration> {
        if self.is_over(elapsed) {
            return None;
        }
        match (self.ramp.next_change(elapsed), self.run_time) {
            (Some(change), Some(end)) => Some(change.min(end)),
            (change, end) => change.or(end),
        }
    }

    /// When all users have been started; `None` if the plan is over before.
    #[must_use]
    pub fn spawned_at(self) -> Option<Duration> {
        Some(self.ramp.length()).filter(|length| !self.is_over(*length))
    }

    /// When the run ends by itself; `None` if only a person or the users end it.
    #[must_use]
    pub fn end(self) -> Option<Duration> {
        self.run_time
    }

    /// The number of users at the top of the plan.
    #[must_use]
    pub fn peak_users(self) -> u32 {
        self.ramp.target()
    }

    fn is_over(self, elapsed: Duration) -> bool {
        self.run_time.is_some_and(|end| elapsed >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(users: u32, per_sec: f64, run_time_ms: Option<u64>) -> Plan {
        let rate = Rate::from_per_sec(per_sec).unwrap();
        Plan::closed(users, rate, run_time_ms.map(Duration::from_millis))
    }

    /// Every moment at which the number of users changes, and what it is from then on.
    fn changes(plan: Plan) -> Vec<(u128, u32)> {
        let mut at = Duration::ZERO;
        let mut all = vec![(0, plan.users_at(at))];
        while let Some(next) = plan.next_change(at) {
            at = next;
            all.push((at.as_millis(), plan.users_at(at)));
        }
        all
    }

    #[test]
    fn users_ramp_up_and_stay() {
        let plan = closed(3, 10.0, None);
        assert_eq!(changes(plan), [(0, 1), (100, 2), (200, 3)]);
        assert_eq!(plan.spawned_at(), Some(Duration::from_millis(200)));
        assert_eq!(plan.end(), None);
    }

    #[test]
    fn the_run_time_ends_them_all_at_once() {
        let plan = closed(3, 10.0, Some(1000));
        assert_eq!(changes(plan), [(0, 1), (100, 2), (200, 3), (1000, 0)]);
    }

    #[test]
    fn a_run_may_end_before_its_ramp() {
        let plan = closed(100, 10.0, Some(200));
        assert_eq!(changes(plan), [(0, 1), (100, 2), (200, 0)]);
        assert_eq!(plan.spawned_at(), None);
        assert_eq!(plan.start_of(1), Some(Duration::from_millis(100)));
        assert_eq!(plan.start_of(2), None);
        assert_eq!(plan.start_of(100), None);
    }

    #[test]
    fn no_users_and_no_time_are_plans_too() {
        assert_eq!(changes(closed(0, 1.0, None)), [(0, 0)]);
        assert_eq!(changes(closed(5, 1.0, Some(0))), [(0, 0)]);
        assert_eq!(closed(7, 1.0, None).peak_users(), 7);
    }
}
