//! Moving a user to an edited script, between two iterations.
//!
//! Owns the user's place in the tasks: sets that no longer exist are left, through their own
//! `on_stop`, before the switch. `script` carries over the user's state.

use super::{Driver, Limit, Signal, UserEnd};
use crate::scenario::Function;

impl Driver {
    /// Acts on the pending signal; returns how the user ends, if it does.
    pub(super) async fn handle_signal(&mut self) -> Option<UserEnd> {
        match self.parts.orders.take_signal()? {
            Signal::Retire => Some(UserEnd::Retired),
            Signal::Renew => self.renew().await,
        }
    }

    /// Moves to the generation in service.
    async fn renew(&mut self) -> Option<UserEnd> {
        let generation = self.parts.thread.generation();
        let Some(class) = generation.class_named(&self.parts.class.name) else {
            return Some(UserEnd::Retired);
        };
        let class = generation.plan(class).clone();
        while !self.place.is_within(&class) {
            let result = self.stop_set().await;
            let now = self.now();
            self.place.leave_gone(now);
            self.user.set_in_set(self.place.is_in_set());
            if let Some(end) = self.after_hook(result) {
                return Some(end);
            }
        }
        // The script may have been edited again while a set's `on_stop` waited.
        if self.parts.orders.signal().is_some() {
            return None;
        }
        if !self.change_over() {
            return Some(UserEnd::Retired);
        }
        if !self.has(Function::OnReload) {
            return None;
        }
        // `on_reload` belongs to the class: it has no set to leave.
        self.user.set_in_set(false);
        let result = self.run(Function::OnReload, Limit::Task).await;
        self.user.set_in_set(self.place.is_in_set());
        let now = self.now();
        self.place.go_on(now);
        self.after_hook(result)
    }

    /// Has it in the generation in service from now on, in sets that its class there has too; false
    /// if it is to make way.
    pub(super) fn change_over(&mut self) -> bool {
        let generation = self.parts.thread.generation();
        let Some(class) = generation.class_named(&self.parts.class.name) else {
            return false;
        };
        let instance = self.instance.as_mut();
        let instance = instance.expect("no function of it is running");
        if !instance.renew() {
            return false;
        }
        self.user = instance.user().clone();
        let (class, now) = (generation.plan(class).clone(), self.now());
        self.place.renew(class.clone(), now);
        self.parts.class = class;
        true
    }
}
