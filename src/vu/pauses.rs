//! What a pause of the run is to a user: it finishes its iteration and is held until the run goes on.
//! A fence that has passed is the same to it.
//!
//! Owns where a user is held, and the ways between plan time, which its waits and its pace go by,
//! and the machine's. A pause is looked at before each iteration and when a wait is over, so users
//! in a long wait need not even be told.
//!
//! For as long as a user went on after the order to pause, it stays behind when the run goes on:
//! otherwise all that had no wait, or the same, would begin at one moment, and be in step from then
//! on.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::{Driver, Orders, Signal, UserEnd};
use crate::clock::Micros;
use crate::script::Missed;

impl Driver {
    /// Plan time, which for what it has begun goes on in a pause.
    pub(super) fn now(&self) -> Micros {
        self.parts.plan_clock.now().max(self.ran_until)
    }

    /// A function of the script has ended, perhaps in a pause.
    #[inline]
    pub(super) fn has_run(&mut self) {
        if self.parts.plan_clock.is_paused() && !self.is_waiting {
            self.ran_until = self.parts.plan_clock.runs_on();
        }
    }

    /// Holds it until plan time has come as far as it has. A signal comes in between.
    pub(super) async fn rest(&mut self) {
        self.is_waiting = true;
        let until = self.now();
        if self.waited_until(until).await {
            self.is_waiting = false;
            if !self.parts.orders.ends_wait() {
                self.lags(until, self.now());
            }
        }
    }

    /// Whether it may begin nothing. Without iterations left it need not wait to find that out.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.parts.plan_clock.holds_users() && !self.parts.orders.ends_wait()
    }

    /// Waits until the run goes on, a signal comes, or nothing is left to wait for.
    pub(super) async fn held(&self) {
        let over = |orders: &Orders| orders.signal().is_some() || orders.ends_wait();
        self.waited_for(self.parts.plan_clock.resumed(), over).await;
    }

    /// Holds a user that is to start in a pause, such as one that takes the place of another after
    /// an edit. Returns how it ends, if it never starts.
    pub(super) async fn held_before_start(&mut self) -> Option<UserEnd> {
        while self.is_held() {
            self.held().await;
            match self.parts.orders.take_signal() {
                Some(Signal::Retire) => return Some(UserEnd::Retired),
                // It has no state yet that `on_reload` could look at.
                Some(Signal::Renew) if !self.change_over() => return Some(UserEnd::Retired),
                Some(Signal::Renew) | None => {}
            }
        }
        let is_stopped = self.parts.orders.stopping().is_some();
        is_stopped.then_some(UserEnd::Stopped)
    }

    /// Waits for that, or until the user is stopped, or `is_over`.
    pub(super) async fn waited_for(
        &self,
        what: impl Future<Output = ()>,
        is_over: impl Fn(&Orders) -> bool,
    ) {
        let mut what = pin!(what);
        poll_fn(|cx| {
            let orders = &self.parts.orders;
            if orders.stopping().is_some() || is_over(orders) {
                return Poll::Ready(());
            }
            self.user.poll_idle(cx);
            what.as_mut().poll(cx)
        })
        .await;
    }

    /// Waits until plan time is `due`, or until nothing is left to wait for; false if a signal comes
    /// first.
    pub(super) async fn waited_until(&mut self, due: Micros) -> bool {
        loop {
            self.deadline.set(self.parts.plan_clock.wall(due));
            let is_over = poll_fn(|cx| {
                if self.parts.orders.ends_wait() {
                    return Poll::Ready(true);
                }
                if self.parts.orders.signal().is_some() {
                    return Poll::Ready(false);
                }
                self.user.poll_idle(cx);
                self.deadline.poll_expired(cx).map(|()| true)
            })
            .await;
            self.deadline.set(Micros::NEVER);
            if !is_over || self.parts.orders.ends_wait() || self.has_come(due) {
                return is_over;
            }
            // A pause has come meanwhile: what is left of the wait comes after it.
            self.held().await;
        }
    }

    /// Whether plan time is `due`, and goes on.
    fn has_come(&self, due: Micros) -> bool {
        !self.parts.plan_clock.holds_users() && self.parts.plan_clock.now() >= due
    }

    /// How late the iteration that begins now is, and what was missed before it, by the machine's
    /// clock; told once.
    pub(super) fn taken_late(&mut self) -> (u64, Option<Missed>) {
        let (late_us, missed) = self.place.take_late();
        let on_the_wall = |missed: Missed| Missed {
            first: self.parts.plan_clock.wall(missed.first),
            ..missed
        };
        (late_us, missed.map(on_the_wall))
    }
}
