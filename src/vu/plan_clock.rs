//! The time that a plan and its users' paces go by: it stands still while the run is paused.
//!
//! Owns the arithmetic between that time and the machine's. Moments on it are [`Micros`] as well:
//! the machine's clock less the paused time so far. Whoever keeps to it needs no correction after a
//! pause, and reading it costs three cells more than the machine's.
//!
//! A fence that has passed holds users as a pause does, but the plan's time goes on: what begins
//! late because of it is late.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::Notify;

use super::Fence;
use crate::clock::{self, Micros};

/// Plan time on one thread. Threads agree on it but for what an order takes to reach them.
#[derive(Debug, Default)]
pub(crate) struct PlanClock {
    /// The length of all pauses that are over, in µs.
    paused_us: Cell<u64>,
    /// Since when the run is paused, by the machine's clock.
    paused_at: Cell<Option<Micros>>,
    /// What it showed when the last pause began. It never goes back behind that, even where the
    /// order to pause came later than elsewhere: a user that has started is not to start again.
    reached: Cell<Micros>,
    /// `None` where users are run by this process alone.
    fence: Option<Fence>,
    resumed: Notify,
}

impl PlanClock {
    /// The clock of a thread that joins a run which has been paused for so long in all, and is
    /// paused since `paused_at` if that is given.
    pub(crate) fn joining(
        paused_us: u64,
        paused_at: Option<Micros>,
        fence: Option<Fence>,
    ) -> PlanClock {
        let clock = PlanClock {
            fence,
            ..PlanClock::default()
        };
        clock.paused_us.set(paused_us);
        if let Some(at) = paused_at {
            clock.pause(at);
        }
        clock
    }

    /// What it shows now.
    #[inline]
    pub(crate) fn now(&self) -> Micros {
        self.shows(clock::now())
    }

    /// What it shows when the machine's clock shows `wall`.
    #[inline]
    fn shows(&self, wall: Micros) -> Micros {
        let reached = self.reached.get();
        if self.is_paused() {
            return reached;
        }
        let paused = Duration::from_micros(self.paused_us.get());
        (wall - paused).max(reached)
    }

    /// What it would show now without the present pause.
    pub(crate) fn runs_on(&self) -> Micros {
        (clock::now() - Duration::from_micros(self.paused_us.get())).max(self.reached.get())
    }

    /// What the machine's clock shows when this one shows `moment`, unless there is a pause before.
    #[inline]
    pub(crate) fn wall(&self, moment: Micros) -> Micros {
        moment + Duration::from_micros(self.paused_us.get())
    }

    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_at.get().is_some()
    }

    /// Whether users may begin nothing now.
    #[inline]
    pub(crate) fn holds_users(&self) -> bool {
        self.is_paused() || self.is_fenced()
    }

    #[inline]
    fn is_fenced(&self) -> bool {
        let fence = self.fence.as_ref();
        fence.is_some_and(|fence| fence.has_passed(clock::now()))
    }

    /// Since when the run is paused, by the machine's clock.
    pub(crate) fn paused_at(&self) -> Option<Micros> {
        self.paused_at.get()
    }

    /// The length of all pauses that are over, in µs.
    pub(crate) fn paused_us(&self) -> u64 {
        self.paused_us.get()
    }

    /// The length of all pauses, the present one until `wall`, in µs.
    pub(crate) fn paused_until(&self, wall: Micros) -> u64 {
        let at = self.paused_at.get();
        self.paused_us.get() + at.map_or(0, |at| wall.since(at))
    }

    /// Stands still from now on; `wall` is what the machine's clock shows.
    pub(crate) fn pause(&self, wall: Micros) {
        self.reached.set(self.shows(wall));
        self.paused_at.set(Some(wall));
    }

    /// Goes on; `paused_us` is the length of all pauses. Every thread of a run is given the same, so
    /// they agree again however late each of them heard of it.
    pub(crate) fn resume(&self, paused_us: u64) {
        self.paused_us.set(paused_us);
        self.paused_at.set(None);
        self.resumed.notify_waiters();
    }

    /// Wakes whoever waits for a fence that has been moved; to be called a few times a second, for
    /// the thread that moves it wakes nobody here.
    pub(crate) fn look_at_fence(&self) {
        if self.fence.is_some() && !self.holds_users() {
            self.resumed.notify_waiters();
        }
    }

    /// Waits while users may begin nothing.
    pub(crate) async fn resumed(&self) {
        while self.holds_users() {
            let mut resumed = pin!(self.resumed.notified());
            // Registered before looking, so that nothing in between is missed.
            resumed.as_mut().enable();
            if self.holds_users() {
                resumed.await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn at(us: u64) -> Micros {
        Micros::default() + Duration::from_micros(us)
    }

    /// What it shows at these times of the machine's clock.
    fn shown<const N: usize>(clock: &PlanClock, wall_us: [u64; N]) -> [u64; N] {
        wall_us.map(|us| clock.shows(at(us)).get())
    }

    #[test]
    fn it_stands_still_in_a_pause_and_then_goes_on_from_there() {
        let clock = PlanClock::default();
        assert_eq!(shown(&clock, [0, 700]), [0, 700]);
        clock.pause(at(1_000));
        assert_eq!(shown(&clock, [1_000, 1_500, 9_000]), [1_000; 3]);
        assert_eq!(clock.paused_until(at(4_000)), 3_000);
        clock.resume(clock.paused_until(at(4_000)));
        assert_eq!(shown(&clock, [4_000, 4_001, 5_000]), [1_000, 1_001, 2_000]);
        assert_eq!(clock.wall(at(2_000)), at(5_000));
        clock.pause(at(5_000));
        clock.resume(clock.paused_until(at(6_000)));
        assert_eq!(
            (clock.paused_us(), shown(&clock, [7_000])),
            (4_000, [3_000])
        );
    }

    #[test]
    fn threads_that_hear_of_it_late_never_go_back_and_agree_again() {
        let (control, thread) = (PlanClock::default(), PlanClock::default());
        control.pause(at(1_000));
        thread.pause(at(1_040));
        let paused_us = control.paused_until(at(3_000));
        control.resume(paused_us);
        thread.resume(paused_us);
        // What was due by 1,040 has been done: it is not due again.
        assert_eq!(shown(&thread, [3_000, 3_040, 3_100]), [1_040, 1_040, 1_100]);
        assert_eq!(
            shown(&control, [3_000, 3_040, 3_100]),
            [1_000, 1_040, 1_100]
        );
    }

    #[test]
    fn a_thread_that_joins_a_paused_run_shows_what_the_others_do() {
        let clock = PlanClock::joining(500, Some(at(2_000)), None);
        assert_eq!(shown(&clock, [2_000, 8_000]), [1_500; 2]);
        assert_eq!(clock.paused_until(at(8_000)), 6_500);
        clock.resume(6_500);
        assert_eq!(shown(&clock, [8_100]), [1_600]);
        assert_eq!(
            shown(&PlanClock::joining(500, None, None), [2_000]),
            [1_500]
        );
    }

    #[test]
    fn who_waits_goes_on_when_the_run_does() {
        let clock = PlanClock::default();
        let polled = |future: std::pin::Pin<&mut dyn Future<Output = ()>>| {
            future.poll(&mut Context::from_waker(Waker::noop()))
        };
        assert_eq!(polled(pin!(clock.resumed())), Poll::Ready(()));
        clock.pause(at(1));
        let mut waiting = pin!(clock.resumed());
        assert_eq!(polled(waiting.as_mut()), Poll::Pending);
        clock.resume(1);
        clock.pause(at(2));
        assert_eq!(polled(waiting.as_mut()), Poll::Pending, "paused again");
        clock.resume(2);
        assert_eq!(polled(waiting), Poll::Ready(()));
    }

    #[test]
    fn a_fence_holds_who_would_begin_and_time_goes_on() {
        let fence = Fence::closed();
        let clock = PlanClock::joining(0, None, Some(fence.clone()));
        let polled = |future: std::pin::Pin<&mut dyn Future<Output = ()>>| {
            future.poll(&mut Context::from_waker(Waker::noop()))
        };
        let mut waiting = pin!(clock.resumed());
        assert_eq!(polled(waiting.as_mut()), Poll::Pending);
        assert_eq!(shown(&clock, [1_000, 2_000]), [1_000, 2_000]);
        clock.look_at_fence();
        assert_eq!(polled(waiting.as_mut()), Poll::Pending, "it has passed");
        fence.set(Micros::NEVER);
        assert!(!clock.holds_users());
        clock.look_at_fence();
        assert_eq!(polled(waiting), Poll::Ready(()));
        fence.set(clock::now());
        assert!(clock.holds_users());
    }
}
