//! Where a user goes on with an edited script: between two iterations, wherever it is.
//!
//! Owns what happens to its place in the tasks: sets that are gone are left, by their own
//! `on_stop`, before the user changes its script. What it keeps is `script`'s business.

use super::{Called, Death, Driver, Limit, Next};
use crate::clock;
use crate::script::{Control, Ended, Function};

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
            if let Next::End(death) = self.leave_what_is_gone().await {
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
        match result {
            Err(Ended::Failure(failure)) => {
                self.user.exception(&failure);
                None
            }
            Err(Ended::Control(control)) => end_by(control),
            Ok(_) => None,
        }
    }

    /// Leaves the innermost set, which the edited script does not have, by its own `on_stop`.
    async fn leave_what_is_gone(&mut self) -> Next {
        let result = match self.place.on_stop() {
            Some(on_stop) => {
                self.user.set_in_set(false);
                self.run(on_stop, Limit::Task).await
            }
            None => Ok(rhai::Dynamic::UNIT),
        };
        self.place.leave_gone(clock::now());
        self.user.set_in_set(self.place.is_in_set());
        match result {
            Err(Ended::Failure(failure)) => self.user.exception(&failure),
            Err(Ended::Control(control)) => {
                if let Some(death) = end_by(control) {
                    return Next::End(death);
                }
            }
            Ok(_) => {}
        }
        Next::Wait
    }
}

/// How a user ends by a control call of a hook, if it does.
fn end_by(control: Control) -> Option<Death> {
    match control {
        Control::Cancelled => Some(Death::Stopped),
        Control::StopUser => Some(Death::OwnWish),
        Control::StopTest(why) => Some(Death::StopTest(why)),
        _ => None,
    }
}
