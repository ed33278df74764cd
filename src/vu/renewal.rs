//! Where a user goes on with an edited script: between two iterations, wherever it is.
//!
//! Owns what happens to its place in the tasks: sets that are gone are left, by their own
//! `on_stop`, before the user changes its script. What it keeps is `script`'s business.

use super::{Called, Death, Driver, Limit};
use crate::clock;
use crate::scenario::Function;

impl Driver {
    /// Does what the user was called for; gives how it ends, if it does.
    pub(super) async fn heed(&mut self) -> Option<Death> {
        match self.life.orders.hear()? {
            Called::Retire => Some(Death::Retired),
            Called::Renew => self.renew().await,
        }
    }

    /// Goes on in the generation in service.
    async fn renew(&mut self) -> Option<Death> {
        let generation = self.life.thread.generation();
        let Some(class) = generation.class_named(&self.life.class.name) else {
            return Some(Death::Retired);
        };
        let class = generation.plan(class).clone();
        while !self.place.is_within(&class) {
            let result = self.stop_set().await;
            self.place.leave_gone(clock::now());
            self.user.set_in_set(self.place.is_in_set());
            if let Some(death) = self.after_hook(result) {
                return Some(death);
            }
        }
        // While a set's `on_stop` waited, the script may have been edited once more.
        if self.life.orders.called().is_some() {
            return None;
        }
        let instance = self.instance.as_mut();
        let instance = instance.expect("no function of it is running");
        if !instance.renew() {
            return Some(Death::Retired);
        }
        self.user = instance.user().clone();
        self.place.renew(class.clone(), clock::now());
        self.life.class = class;
        if !self.has(Function::OnReload) {
            return None;
        }
        // It belongs to the class: there is no set for it to leave.
        self.user.set_in_set(false);
        let result = self.run(Function::OnReload, Limit::Task).await;
        self.user.set_in_set(self.place.is_in_set());
        self.place.go_on(clock::now());
        self.after_hook(result)
    }
}
