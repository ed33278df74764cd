//! Pausing a run, and going on.
//!
//! Owns plan time on the control thread: the time since the first user's start without pauses, which
//! decides stages, ramps and the end. Samples, seconds and marks keep to the time since that start.

use std::time::Duration;

use tokio::time::Instant;

use super::Run;
use crate::clock;
use crate::runner::load_thread::Order;
use crate::runner::{Notice, Refusal, State};

impl Run {
    /// Users finish their iteration and wait; plan time stands still.
    pub(super) fn pause(&mut self) -> Result<(), Refusal> {
        if self.plan_clock.is_paused() {
            return Err(Refusal::Paused);
        }
        // A stage that begins now has begun.
        self.enter_stage();
        self.plan_clock.pause(clock::now());
        self.fleet.order_all(&Order::Pause);
        let now_us = self.now_us();
        self.numbers.pause(now_us);
        self.state.send_replace(State::Paused);
        self.show();
        self.notice(Notice::Paused);
        Ok(())
    }

    /// The run goes on from where it stood.
    pub(super) fn resume(&mut self) -> Result<(), Refusal> {
        if !self.plan_clock.is_paused() {
            return Err(Refusal::NotPaused);
        }
        let now_us = self.now_us();
        self.numbers.resume(now_us);
        let paused_us = self.plan_clock.paused_until(clock::now());
        self.plan_clock.resume(paused_us);
        self.fleet.order_all(&Order::Resume { paused_us });
        self.state.send_replace(self.under_way.clone());
        self.show();
        self.notice(Notice::Resumed);
        Ok(())
    }

    /// Users are being started, or all have been: seen once a pause is over.
    pub(super) fn enter(&mut self, state: State) {
        self.under_way = state;
        if self.end.is_none() && !self.plan_clock.is_paused() {
            self.state.send_replace(self.under_way.clone());
        }
    }

    /// What the plan's times are of.
    pub(super) fn plan_time(&self) -> Duration {
        Duration::from_micros(self.plan_clock.now().since(self.epoch))
    }

    /// When plan time is `moment`; `None` while it stands still before that.
    pub(super) fn when(&self, moment: Duration) -> Option<Instant> {
        let stands_still = self.plan_clock.is_paused() && moment > self.plan_time();
        let paused = Duration::from_micros(self.plan_clock.paused_us());
        let at = self.begun.checked_add(moment)?.checked_add(paused);
        at.filter(|_| !stands_still)
    }
}
