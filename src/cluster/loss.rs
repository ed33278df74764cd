//! What is missing of a worker that has gone without its last reports.
//!
//! Owns the estimate. It is above the truth and says so: recorded at its last beat, less what came
//! of that, and what it may have recorded since. That is bounded by its users, each with a request
//! under way, and by twice its highest rate for as long as its users may have gone on: a dead
//! process's no longer than until shortly after its connection ended. Nobody can
//! know how fast users get that never told it: those of a worker that died in its first seconds
//! count as the fastest users of any worker.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Micros;

/// What load threads have recorded for so long may not be in a beat yet: they hand over ten times a
/// second.
const UNSEEN: Duration = Duration::from_millis(200);

/// What is known of one worker's numbers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Known {
    /// Samples in its life, at its last beat.
    recorded: u64,
    /// When that was, by the master's clock: when it was sent, if that is known.
    at: Micros,
    /// How long before that it was told, if the master was started again meanwhile.
    before: Duration,
    /// The most users it had since the beat before.
    users: u32,
    /// Its highest rate between two beats, in samples a second.
    rate: f64,
    /// The highest rate of one of its users.
    rate_of_user: f64,
}

impl Known {
    /// It was welcomed: nothing is recorded yet, as far as is known.
    #[must_use]
    pub fn new(now: Micros) -> Known {
        Known {
            at: now,
            ..Known::default()
        }
    }

    /// A beat came.
    pub fn on(&mut self, recorded: u64, at: Micros, users: u32) {
        let length = Duration::from_micros(at.since(self.at)).as_secs_f64();
        let new = recorded.saturating_sub(self.recorded);
        // Beats that come at once after a delay tell no rate.
        if new > 0 && length > 0.05 {
            let rate = new as f64 / length;
            self.rate = self.rate.max(rate);
            let users = self.users.max(users).max(1);
            self.rate_of_user = self.rate_of_user.max(rate / f64::from(users));
        }
        self.recorded = self.recorded.max(recorded);
        self.users = users;
        self.at = self.at.max(at);
        self.before = Duration::ZERO;
    }

    /// The master was started again, and by its clock it is `now`; it had written this down so long
    /// ago, when the last beat had come `since` then.
    pub fn restart(&mut self, now: Micros, since: Duration) {
        self.at = now;
        self.before += since;
    }

    /// Nothing was heard since the master was started again.
    #[must_use]
    pub fn is_of_before(&self) -> bool {
        !self.before.is_zero()
    }

    /// When the last beat was sent.
    #[must_use]
    pub fn at(&self) -> Micros {
        self.at
    }

    /// The highest rate of one user.
    #[must_use]
    pub fn rate_of_user(&self) -> f64 {
        self.rate_of_user
    }

    /// What may be missing, of which so many samples have come. It had at most `users`, whose
    /// fastest on any worker makes `rate_of_user`, was gone at `gone`, and they begin nothing `fence`
    /// after its last sign.
    #[must_use]
    pub fn missing(
        &self,
        counted: u64,
        users: u32,
        rate_of_user: f64,
        gone: Micros,
        fence: Duration,
    ) -> u64 {
        let users = users.max(self.users);
        let since = Duration::from_micros(gone.since(self.at));
        // Without a master users go on, as long as they find that there is none.
        let length = match self.before.is_zero() {
            true => since.min(fence),
            false => self.before + since,
        } + UNSEEN;
        // Users whose first request is under way have no rate yet: one a second.
        let per_user = rate_of_user.max(1.0);
        let rate = (2.0 * self.rate).max(2.0 * per_user * f64::from(users));
        let since = (rate * length.as_secs_f64()).ceil();
        // Truncation is meant: rates are far below 2^53.
        let since = since as u64 + u64::from(users);
        self.recorded.saturating_sub(counted) + since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FENCE: Duration = Duration::from_secs(12);

    fn at(secs: u64) -> Micros {
        Micros::default() + Duration::from_secs(secs)
    }

    #[test]
    fn it_is_what_was_told_and_not_counted_and_what_may_have_come_since() {
        let mut told = Known::new(at(0));
        told.on(100, at(1), 10);
        told.on(130, at(2), 10);
        // At 200 a second, 40 may not have been seen yet.
        assert_eq!(told.missing(130, 10, 10.0, at(2), FENCE), 10 + 40);
        assert_eq!(
            told.missing(120, 10, 10.0, at(3), FENCE),
            10 + 10 + 200 + 40
        );
        // Its users stand still 12 s later.
        assert_eq!(
            told.missing(130, 10, 10.0, at(99), FENCE),
            10 + 12 * 200 + 40
        );
    }

    #[test]
    fn who_never_told_anything_had_users_like_others() {
        let told = Known::new(at(0));
        assert_eq!(told.missing(0, 5, 30.0, at(1), FENCE), 5 + 300 + 60);
        assert_eq!(told.missing(0, 0, 30.0, at(1), FENCE), 0);
    }
}
