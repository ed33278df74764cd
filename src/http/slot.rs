//! The connection to one origin that several requests of a user share.
//!
//! Ensures that there is only one: requests that come while it is being opened wait for it.
//! `multiplex` sends on it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::{Mutex, MutexGuard};

use super::multiplex::Http2Connection;
use super::origin::Origin;

pub(super) struct ConnectionSlot {
    origin: Origin,
    connection: RefCell<Option<Rc<Http2Connection>>>,
    /// Locked while a connection is being opened.
    gate: Mutex<()>,
    /// The server chose HTTP/1.1 last time, so there was nothing to share.
    is_http1: Cell<bool>,
}

impl ConnectionSlot {
    pub(super) fn new(origin: Origin) -> Rc<ConnectionSlot> {
        Rc::new(ConnectionSlot {
            origin,
            connection: RefCell::default(),
            gate: Mutex::new(()),
            is_http1: Cell::new(false),
        })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The connection, if there is one that accepts requests.
    pub(super) fn usable(&self) -> Option<Rc<Http2Connection>> {
        let mut connection = self.connection.borrow_mut();
        if connection.as_ref().is_some_and(|held| !held.is_usable()) {
            // Requests under way keep it alive.
            *connection = None;
        }
        connection.clone()
    }

    /// Waits for the right to open a connection; `None` if there is no need to take turns.
    pub(super) async fn gate(&self) -> Option<MutexGuard<'_, ()>> {
        if self.is_http1.get() {
            return None;
        }
        let gate = self.gate.lock().await;
        (!self.is_http1.get()).then_some(gate)
    }

    pub(super) fn keep(&self, connection: &Rc<Http2Connection>) {
        self.is_http1.set(false);
        *self.connection.borrow_mut() = Some(Rc::clone(connection));
    }

    pub(super) fn speaks_http1(&self) {
        self.is_http1.set(true);
    }
}
