//! How a user is told to stop, by its thread.
//!
//! Owns the two limits of a stop and the waker; what a user does about it is in the life.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use crate::clock::Micros;

/// A stop order: until when what may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopping {
    /// A task that still runs then is cancelled.
    pub tasks_until: Micros,
    /// An `on_stop` that still runs then is cancelled.
    pub on_stop_until: Micros,
}

/// What a user is called for between two iterations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// Its script was replaced: it goes on with the one in service.
    Renew,
    /// Its place is to be another's: it runs its `on_stop` and ends.
    Retire,
}

/// The orders for one user: shared by its life and the thread's roster.
#[derive(Default)]
pub(crate) struct Orders {
    stopping: Cell<Option<Stopping>>,
    /// There is nothing left to wait for.
    woken: Cell<bool>,
    /// Something to be heard between two iterations.
    called: Cell<Option<Called>>,
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

    /// Ends the user's wait, now and from now on: the run's iterations are used up, and it need
    /// not wait to find that out.
    pub(crate) fn wake(&self) {
        self.woken.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Calls the user: it hears it before its next iteration, or at once if it waits for that.
    pub(crate) fn call(&self, called: Called) {
        self.called.set(Some(called));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// What it was called for last.
    #[must_use]
    pub(crate) fn called(&self) -> Option<Called> {
        self.called.get()
    }

    pub(super) fn hear(&self) -> Option<Called> {
        self.called.take()
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
