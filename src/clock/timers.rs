//! One timerfd per thread and a heap of due times.
//!
//! Owns when a waiting future is woken; the caller knows what it waits for. Entries are never
//! searched for: one that was cancelled or moved stays in the heap until it is due, or until most
//! of the heap is stale; then its slot's ticket no longer matches and it is dropped.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Micros, now};

/// Up to this many stale entries are never worth a cleanup.
const SPARE_ENTRIES: usize = 256;

/// The timers of one thread. Clones share them.
#[derive(Clone)]
pub struct Timers {
    shared: Rc<TimerState>,
}

struct TimerState {
    heap: RefCell<BinaryHeap<Reverse<Entry>>>,
    slots: RefCell<Slots>,
    fd: AsyncFd<OwnedFd>,
    /// When the timerfd will fire; `NEVER` when it is not armed.
    armed: Cell<Micros>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    due: Micros,
    slot: u32,
    ticket: u32,
}

/// Wakers by slot. A slot's ticket changes whenever its entry in the heap stops counting.
#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    waker: Option<Waker>,
    ticket: u32,
}

impl Timers {
    /// Makes the timers of this thread; needs a running tokio runtime.
    ///
    /// # Errors
    /// When the process may not open another file descriptor.
    pub fn new() -> io::Result<Timers> {
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        #[expect(
            deprecated,
            reason = "an `OwnedFd` keeps its descriptor, all that the unsafe constructor asks"
        )]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
        Ok(Timers {
            shared: Rc::new(TimerState {
                heap: RefCell::default(),
                slots: RefCell::default(),
                fd,
                armed: Cell::new(Micros::NEVER),
            }),
        })
    }

    /// Wakes what is due, forever: to be spawned once on the thread's runtime.
    pub async fn run(self) {
        let shared = self.shared;
        poll_fn(move |cx| -> Poll<()> {
            while let Poll::Ready(Ok(mut guard)) = shared.fd.poll_read_ready(cx) {
                let mut expirations = [0_u8; 8];
                // If there is nothing to read, another pass already took it.
                let _ = rustix::io::read(shared.fd.get_ref(), &mut expirations);
                guard.clear_ready();
                shared.armed.set(Micros::NEVER);
                shared.fire();
            }
            Poll::Pending
        })
        .await;
    }

    /// A future that is ready at `due` and never before.
    #[must_use]
    pub fn sleep_until(&self, due: Micros) -> Sleep {
        let deadline = Deadline::new(self);
        deadline.set(due);
        Sleep { deadline }
    }
}

impl TimerState {
    /// Adds an entry. Each slot has one that counts: with more than twice as many, most of the heap
    /// is stale and is cleaned up, which costs each stale entry as much again as adding it did.
    fn push(&self, entry: Entry) {
        let mut heap = self.heap.borrow_mut();
        heap.push(Reverse(entry));
        let slots = self.slots.borrow();
        if heap.len() > 2 * slots.all.len() + SPARE_ENTRIES {
            heap.retain(|Reverse(entry)| slots.all[entry.slot as usize].ticket == entry.ticket);
        }
    }

    fn fire(&self) {
        let now = now();
        loop {
            let entry = {
                let mut heap = self.heap.borrow_mut();
                match heap.peek() {
                    Some(Reverse(entry)) if entry.due <= now => heap.pop(),
                    Some(Reverse(entry)) => {
                        let due = entry.due;
                        drop(heap);
                        self.arm(due, now);
                        return;
                    }
                    None => return,
                }
            };
            let Some(Reverse(entry)) = entry else { return };
            let waker = {
                let mut slots = self.slots.borrow_mut();
                let slot = &mut slots.all[entry.slot as usize];
                if slot.ticket == entry.ticket {
                    slot.ticket = slot.ticket.wrapping_add(1);
                    slot.waker.clone()
                } else {
                    None
                }
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn arm(&self, due: Micros, now: Micros) {
        if due >= self.armed.get() {
            return;
        }
        self.armed.set(due);
        // A zero value would disarm the timerfd: at least one nanosecond.
        let nanos = due.since(now).saturating_mul(1_000).max(1);
        let value = Timespec {
            tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
        };
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: value,
        };
        // It fails only for an invalid time, which the arithmetic above rules out.
        let _ = timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once);
    }
}

/// A due time that may be moved any number of times.
///
/// Moving it later costs nothing: the entry in the heap is left where it is and armed again only
/// when it fires too early. So a timeout per request costs a store, not a timer.
pub struct Deadline {
    timers: Timers,
    slot: u32,
    due: Cell<Micros>,
    /// The due time of this slot's entry in the heap, and the ticket it was made with.
    entry: Cell<Option<(Micros, u32)>>,
}

impl Deadline {
    /// A deadline that is not set.
    #[must_use]
    pub fn new(timers: &Timers) -> Deadline {
        let slot = {
            let mut slots = timers.shared.slots.borrow_mut();
            match slots.free.pop() {
                Some(slot) => slot,
                None => {
                    slots.all.push(Slot {
                        waker: None,
                        ticket: 0,
                    });
                    u32::try_from(slots.all.len() - 1).expect("fewer than 2^32 timers a thread")
                }
            }
        };
        Deadline {
            timers: timers.clone(),
            slot,
            due: Cell::new(Micros::NEVER),
            entry: Cell::new(None),
        }
    }

    /// Moves the deadline; [`Micros::NEVER`] unsets it. A waiting task is woken at the new time
    /// only after polling again.
    pub fn set(&self, due: Micros) {
        self.due.set(due);
    }

    /// When it is due.
    #[must_use]
    pub fn due(&self) -> Micros {
        self.due.get()
    }

    /// Ready once the deadline has passed; otherwise wakes the caller then.
    pub fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.due.get();
        if due == Micros::NEVER {
            return Poll::Pending;
        }
        let shared = &self.timers.shared;
        let mut slots = shared.slots.borrow_mut();
        let slot = &mut slots.all[self.slot as usize];
        if let Some((armed, ticket)) = self.entry.get()
            && ticket == slot.ticket
            && armed <= due
        {
            // The entry fires early enough; what to do is decided then.
            set_waker(&mut slot.waker, cx);
            return Poll::Pending;
        }
        let now = now();
        if due <= now {
            return Poll::Ready(());
        }
        slot.ticket = slot.ticket.wrapping_add(1);
        let ticket = slot.ticket;
        set_waker(&mut slot.waker, cx);
        drop(slots);
        self.entry.set(Some((due, ticket)));
        shared.push(Entry {
            due,
            slot: self.slot,
            ticket,
        });
        shared.arm(due, now);
        Poll::Pending
    }
}

fn set_waker(current: &mut Option<Waker>, cx: &Context<'_>) {
    if !current
        .as_ref()
        .is_some_and(|waker| waker.will_wake(cx.waker()))
    {
        *current = Some(cx.waker().clone());
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut slots = self.timers.shared.slots.borrow_mut();
        let slot = &mut slots.all[self.slot as usize];
        slot.ticket = slot.ticket.wrapping_add(1);
        slot.waker = None;
        slots.free.push(self.slot);
    }
}

/// See [`Timers::sleep_until`]. Dropping it cancels the wait.
pub struct Sleep {
    deadline: Deadline,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.deadline.poll_expired(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn deadlines_that_are_gone_do_not_pile_up() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap();
        runtime.block_on(async {
            let timers = Timers::new().unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            let hour = now() + Duration::from_secs(3_600);
            let kept: Vec<_> = (0..10).map(|_| timers.sleep_until(hour)).collect();
            let mut kept: Vec<_> = kept.into_iter().map(Box::pin).collect();
            assert!(
                kept.iter_mut()
                    .all(|sleep| sleep.as_mut().poll(&mut cx).is_pending())
            );
            // Each request of a batch sets one for a minute and needs it for a moment.
            for _ in 0..10_000 {
                let deadline = Deadline::new(&timers);
                deadline.set(hour);
                assert!(deadline.poll_expired(&mut cx).is_pending());
            }
            let heap = timers.shared.heap.borrow();
            assert!(heap.len() <= 2 * 11 + SPARE_ENTRIES, "{}", heap.len());
            let slots = timers.shared.slots.borrow();
            let counts =
                |entry: &&Reverse<Entry>| slots.all[entry.0.slot as usize].ticket == entry.0.ticket;
            assert_eq!(heap.iter().filter(counts).count(), 10);
        });
    }
}
