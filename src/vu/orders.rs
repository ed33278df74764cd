//! How a thread stops and signals its users.
//!
//! Owns the two limits of a stop and the waker; the driver (`vu`) acts on them.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use crate::clock::Micros;

/// An order to stop, with its two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopping {
    /// A task that still runs then is cancelled.
    pub tasks_until: Micros,
    /// An `on_stop` that still runs then is cancelled.
    pub on_stop_until: Micros,
}

/// What a user is to do before its next iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Its script was replaced: move to the one in service.
    Renew,
    /// Give up its place: run `on_stop` and end.
    Retire,
}

/// The orders for one user, shared by its driver and the crew.
#[derive(Default)]
pub(crate) struct Orders {
    stopping: Cell<Option<Stopping>>,
    /// Waiting is over for good: no iterations are left.
    woken: Cell<bool>,
    /// Pending, until the user takes it between two iterations.
    signal: Cell<Option<Signal>>,
    waker: RefCell<Option<Waker>>,
}

impl Orders {
    /// Tells the user to stop. A second order replaces the first.
    pub(crate) fn stop(&self, stopping: Stopping) {
        self.stopping.set(Some(stopping));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Ends this wait and all later ones: the run's iterations are used up, and the user need not
    /// wait to find that out.
    pub(crate) fn wake(&self) {
        self.woken.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Sends a signal, which replaces a pending one. The user acts on it before its next
    /// iteration, or at once if it is waiting for that.
    pub(crate) fn send(&self, signal: Signal) {
        self.signal.set(Some(signal));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The pending signal.
    #[must_use]
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.signal.get()
    }

    pub(super) fn take_signal(&self) -> Option<Signal> {
        self.signal.take()
    }

    pub(super) fn ends_wait(&self) -> bool {
        self.woken.get() || self.stopping.get().is_some()
    }

    /// The order to stop, if there is one.
    #[must_use]
    pub(crate) fn stopping(&self) -> Option<Stopping> {
        self.stopping.get()
    }

    pub(super) fn wake_with(&self, waker: &Waker) {
        *self.waker.borrow_mut() = Some(waker.clone());
    }
}
