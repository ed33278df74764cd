//! The iterations of a run with a limit: what is left, and where more may come from.
//!
//! Owns the number that users of this process may still begin. More come, if at all, from the
//! budget's maker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// Iterations that the users of this process may still begin; clones are the same.
///
/// All threads take from one number, with one atomic operation each. At zero, a final budget is
/// used up (in a single process it always is final); otherwise more may come, and users wait.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Iterations>);

#[derive(Debug)]
struct Iterations {
    left: AtomicU64,
    /// There will never be more.
    is_final: AtomicBool,
    /// There are more, or there never will be.
    more: Notify,
    /// Users are waiting for more.
    asked: Notify,
}

/// The answer to a user that wants an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// An iteration.
    One,
    /// None yet: more may come.
    Wait,
    /// None: all are used up.
    UsedUp,
}

impl Budget {
    /// A final budget of this many.
    pub(crate) fn of(count: u64) -> Budget {
        Budget::begun(count, true)
    }

    /// None at first: they are [given](Budget::give) as they are asked for.
    pub(crate) fn asking() -> Budget {
        Budget::begun(0, false)
    }

    fn begun(left: u64, is_final: bool) -> Budget {
        Budget(Arc::new(Iterations {
            left: left.into(),
            is_final: is_final.into(),
            more: Notify::new(),
            asked: Notify::new(),
        }))
    }

    /// Takes an iteration, if there is one.
    pub(crate) fn take(&self) -> Taken {
        let order = Ordering::Relaxed;
        let less = |left: u64| left.checked_sub(1);
        if self.0.left.fetch_update(order, order, less).is_ok() {
            return Taken::One;
        }
        match self.is_used_up() {
            true => Taken::UsedUp,
            false => Taken::Wait,
        }
    }

    /// Whether there is none left, and never will be.
    pub(crate) fn is_used_up(&self) -> bool {
        // Read again after the flag, to see all that were given before it was set.
        self.0.left.load(Ordering::Relaxed) == 0
            && self.0.is_final.load(Ordering::Acquire)
            && self.0.left.load(Ordering::Relaxed) == 0
    }

    /// Whether there is none at the moment, but more may come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.left.load(Ordering::Relaxed) == 0 && !self.0.is_final.load(Ordering::Acquire)
    }

    /// Waits until there are iterations, or never will be. The giver learns that users wait.
    pub(crate) async fn more(&self) {
        loop {
            let more = self.0.more.notified();
            let mut more = std::pin::pin!(more);
            // Registered before looking, so that what is given in between is not missed.
            more.as_mut().enable();
            if !self.is_waiting() {
                return;
            }
            self.0.asked.notify_one();
            more.await;
        }
    }
}

/// For the giver of iterations to this process.
impl Budget {
    /// Resolves when users are waiting for more.
    pub(crate) async fn asked(&self) {
        self.0.asked.notified().await;
    }

    /// Gives more; none if it is final.
    pub(crate) fn give(&self, count: u64) {
        if !self.0.is_final.load(Ordering::Acquire) {
            self.0.left.fetch_add(count, Ordering::Relaxed);
            self.0.more.notify_waiters();
        }
    }

    /// These are the last.
    pub(crate) fn close(&self) {
        self.0.is_final.store(true, Ordering::Release);
        self.0.more.notify_waiters();
    }

    /// Takes up to so many, for the users of another process.
    pub(crate) fn take_up_to(&self, most: u64) -> u64 {
        let order = Ordering::Relaxed;
        let less = |left: u64| Some(left - left.min(most));
        let left = self.0.left.fetch_update(order, order, less);
        left.unwrap_or(0).min(most)
    }

    /// Puts back what was taken for another process and not used there.
    pub(crate) fn put_back(&self, count: u64) {
        self.0.left.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes all that are left, to be given to others.
    pub(crate) fn give_back(&self) -> u64 {
        self.0.left.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn polled(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_budget_of_one_process_is_final_from_the_start() {
        let budget = Budget::of(2);
        assert_eq!([budget.take(), budget.take()], [Taken::One; 2]);
        assert!(budget.is_used_up() && !budget.is_waiting());
        assert_eq!(budget.take(), Taken::UsedUp);
        assert_eq!(polled(pin!(budget.more())), Poll::Ready(()));
        budget.give(5);
        assert_eq!(budget.take(), Taken::UsedUp);
    }

    #[test]
    fn who_finds_none_asks_and_waits_until_there_are_more_or_never_will_be() {
        let budget = Budget::asking();
        assert_eq!((budget.take(), budget.is_used_up()), (Taken::Wait, false));
        let mut asked = pin!(budget.asked());
        assert_eq!(polled(asked.as_mut()), Poll::Pending);
        let (mut one, mut other) = (pin!(budget.more()), pin!(budget.more()));
        assert_eq!(polled(one.as_mut()), Poll::Pending);
        assert_eq!(polled(other.as_mut()), Poll::Pending);
        assert_eq!(polled(asked), Poll::Ready(()));
        budget.give(1);
        assert_eq!(polled(one.as_mut()), Poll::Ready(()));
        assert_eq!(budget.take(), Taken::One);
        // The other comes too late, and asks again.
        assert_eq!(polled(other.as_mut()), Poll::Pending);
        assert_eq!(polled(pin!(budget.asked())), Poll::Ready(()));
        budget.close();
        assert_eq!(polled(other), Poll::Ready(()));
        assert_eq!((budget.take(), budget.is_used_up()), (Taken::UsedUp, true));
    }

    #[test]
    fn what_is_left_goes_back_once() {
        let budget = Budget::asking();
        budget.give(7);
        assert_eq!(budget.take(), Taken::One);
        assert_eq!((budget.give_back(), budget.give_back()), (6, 0));
        assert!(budget.is_waiting());
        // The last ones are not taken for none at all.
        budget.give(1);
        budget.close();
        assert_eq!((budget.is_used_up(), budget.take()), (false, Taken::One));
        assert!(budget.is_used_up());
    }

    #[test]
    fn another_process_takes_some_and_puts_back_the_rest() {
        let budget = Budget::of(10);
        assert_eq!((budget.take_up_to(7), budget.take_up_to(7)), (7, 3));
        assert!(budget.is_used_up());
        budget.put_back(2);
        assert_eq!((budget.take(), budget.take_up_to(9)), (Taken::One, 1));
        assert_eq!(budget.take(), Taken::UsedUp);
    }

    #[test]
    fn all_threads_together_take_as_many_as_were_given() {
        let budget = Budget::asking();
        let taken: u64 = std::thread::scope(|scope| {
            let take = || {
                let mut taken = 0;
                loop {
                    match budget.take() {
                        Taken::One => taken += 1,
                        Taken::Wait => std::thread::yield_now(),
                        Taken::UsedUp => return taken,
                    }
                }
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            for _ in 0..100 {
                budget.give(37);
            }
            budget.close();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(taken, 3_700);
    }
}
