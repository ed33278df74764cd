//! The connections of one user that carry no request at the moment.
//!
//! Owns how many there are, and closing those that the server has closed. HTTP/2 connections, which
//! several requests share, are kept in `slot`.

use std::fmt;
use std::task::Context;

use super::connection::Connection;
use super::origin::Origin;
use super::session::Session;

impl Session {
    pub(super) fn take_idle(&self, origin: &Origin) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        // The most recently used one is the least likely to be stale.
        let at = idle
            .iter()
            .rposition(|connection| connection.origin() == origin)?;
        Some(idle.remove(at))
    }

    pub(super) fn put_idle(&self, mut connection: Box<Connection>) {
        if !connection.is_reusable(&self.client) {
            return;
        }
        connection.is_reused = true;
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= self.client.options().concurrency as usize {
            idle.remove(0);
        }
        if idle.capacity() == 0 {
            idle.reserve_exact(1);
        }
        idle.push(connection);
    }

    /// Drops idle connections that the server has closed, and wakes `cx` when it closes another. To
    /// be polled while the user waits; free without idle connections.
    pub fn poll_idle(&self, cx: &mut Context<'_>) {
        self.idle
            .borrow_mut()
            .retain_mut(|connection| connection.poll_closed(cx, &self.client).is_pending());
    }

    /// Closes all idle connections and frees their memory.
    pub fn close_idle(&self) {
        self.idle.take();
        if let Some(state) = &mut *self.state.borrow_mut() {
            state.shared.clear();
        }
    }

    /// How many idle connections there are, not counting HTTP/2.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.idle.borrow().len()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("idle_connections", &self.idle_connections())
            .finish_non_exhaustive()
    }
}
