//! How a run ends: who is told, how long members get, and what follows the last user.
//!
//! Owns the limits. What is called then is `hooks`'.

use std::time::Duration;

use tokio::time::Instant;

use super::Run;
use crate::runner::hooks::Phase;
use crate::runner::load_thread::Order;
use crate::runner::{End, State};
use crate::scenario;

/// How long members may take to end once their last limit has passed.
const LAST_GRACE: Duration = Duration::from_secs(3);

/// How long they may take after a second Ctrl-C, when somebody sits waiting.
pub(super) const KILL_GRACE: Duration = Duration::from_millis(500);

/// How long members elsewhere may take then: they only have to say what they have.
const FAR_GRACE: Duration = Duration::from_millis(200);

impl Run {
    /// Ends at once.
    pub(super) fn kill(&mut self) {
        self.is_killed = true;
        if self.hooks.phase() == Phase::Measuring {
            self.stop(End::Stopped);
            // The members only have to hand over what they measured.
            self.stop_at_once(match self.is_far {
                true => FAR_GRACE,
                false => KILL_GRACE,
            });
        }
        let steps = self.hooks.killed();
        self.do_all(steps);
    }

    /// Tells all members to stop; only the first reason counts. Before the first user, no user will
    /// start; after the last, `teardown` and listeners still finish.
    pub(super) fn stop(&mut self, why: End) {
        if self.end.is_some() {
            return;
        }
        if self.hooks.phase() != Phase::Measuring {
            let steps = self.hooks.stopped(why, Instant::now());
            return self.do_all(steps);
        }
        let options = &self.edition.options;
        let limits = options.stop_timeout + options.on_stop_timeout;
        self.end = Some(why.clone());
        // Who has users is not known yet under a new master: they have to come first.
        let coming = self
            .going_on
            .as_ref()
            .map_or(Duration::ZERO, |_| self.patience);
        self.grace = Some(Instant::now() + limits + LAST_GRACE + coming);
        let now_us = self.now_us();
        self.numbers.end(now_us);
        self.state.send_replace(State::Stopping(why));
        self.tell(scenario::Event::TestStopping);
        self.fleet.stop(&self.stop_order());
        self.look_at_last();
    }

    /// Tears down if the last member has ended, and no other can come.
    pub(super) fn look_at_last(&mut self) {
        let is_known = self.going_on.is_none() || self.is_killed;
        if self.end.is_some() && self.fleet.is_empty() && is_known {
            self.tear_down();
        }
    }

    /// Who is there is known now: they get as long as any.
    pub(super) fn stop_those_that_came(&mut self) {
        if self.end.is_some() {
            let options = &self.edition.options;
            let limits = options.stop_timeout + options.on_stop_timeout;
            let latest = Instant::now() + limits + LAST_GRACE;
            self.grace = Some(self.grace.map_or(latest, |grace| grace.min(latest)));
            self.look_at_last();
        }
    }

    /// The order to stop with the time limits of the edition in service.
    pub(super) fn stop_order(&self) -> Order {
        Order::Stop {
            stop_timeout: self.edition.options.stop_timeout,
            on_stop_timeout: self.edition.options.on_stop_timeout,
        }
    }

    /// Cancels the time limits of members that are stopping, and waits at most `grace` for them.
    pub(super) fn stop_at_once(&mut self, grace: Duration) {
        let latest = Instant::now() + grace;
        self.grace = Some(self.grace.map_or(latest, |grace| grace.min(latest)));
        self.fleet.stop(&Order::Stop {
            stop_timeout: Duration::ZERO,
            on_stop_timeout: Duration::ZERO,
        });
    }

    /// Stops the run as failed, even if it is already stopping for another reason.
    pub(super) fn fail(&mut self, message: String) {
        self.stop(End::Failed(message.clone()));
        self.end = Some(End::Failed(message));
    }

    /// Follows when the last user has ended, or the wait for it is over.
    pub(super) fn tear_down(&mut self) {
        if self.hooks.phase() != Phase::Measuring {
            return;
        }
        if self.control.is_some() {
            // `stats()` in `teardown` and listeners is to cover the whole run.
            self.show_all();
        }
        let has_control = self.control.is_some() && !self.is_killed;
        let limit = self.edition.options.on_stop_timeout;
        let steps = self.hooks.tear_down(has_control, limit, Instant::now());
        self.do_all(steps);
    }
}
