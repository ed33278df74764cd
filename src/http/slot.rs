//! The connection to one origin that several requests of a user share.
//!
//! Owns that there is one: who comes while it is being opened waits for it. What is sent on it
//! is `multiplex`'s.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::{Mutex, MutexGuard};

use super::multiplex::Multiplexed;
use super::origin::Origin;

pub(super) struct Shared {
    origin: Origin,
    connection: RefCell<Option<Rc<Multiplexed>>>,
    /// Held while a connection is being opened.
    gate: Mutex<()>,
    /// The server chose HTTP/1.1 the last time: there was nothing to share.
    is_http1: Cell<bool>,
}

impl Shared {
    pub(super) fn new(origin: Origin) -> Rc<Shared> {
        Rc::new(Shared {
            origin,
            connection: RefCell::default(),
            gate: Mutex::new(()),
            is_http1: Cell::new(false),
        })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The connection, if there is one that takes requests.
    pub(super) fn usable(&self) -> Option<Rc<Multiplexed>> {
        let mut connection = self.connection.borrow_mut();
        if connection.as_ref().is_some_and(|held| !held.is_usable()) {
            // What is under way on it keeps it.
            *connection = None;
        }
        connection.clone()
    }

    /// The right to open a connection, as soon as nobody else is about it; `None` if there is
    /// no need to take turns.
    pub(super) async fn gate(&self) -> Option<MutexGuard<'_, ()>> {
        if self.is_http1.get() {
            return None;
        }
        let gate = self.gate.lock().await;
        (!self.is_http1.get()).then_some(gate)
    }

    pub(super) fn keep(&self, connection: &Rc<Multiplexed>) {
        self.is_http1.set(false);
        *self.connection.borrow_mut() = Some(Rc::clone(connection));
    }

    pub(super) fn speaks_http1(&self) {
        self.is_http1.set(true);
    }
}
