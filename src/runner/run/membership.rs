//! Members that come and go while a run goes on.
//!
//! Owns what the run does then; `assignments` works out which member gets which users.

use std::collections::BTreeSet;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Run;
use crate::runner::assignments::Assignment;
use crate::runner::elsewhere::{Coming, Joined};
use crate::runner::fleet::{MemberId, Standing};
use crate::runner::hooks::Phase;
use crate::runner::load_thread::{Order, Start};
#[cfg(test)]
use crate::runner::threads;

impl Run {
    /// Tells scripts how many users there are, if none of them are here to be counted.
    pub(super) fn count_users(&self) {
        if self.is_far {
            self.to.shared.users_are(self.fleet.levels().users);
        }
    }

    pub(super) fn come(&mut self, coming: Coming) {
        match coming {
            Coming::Joins { threads, joined } if self.end.is_none() => {
                self.join_from_elsewhere(threads, joined);
            }
            // Whoever waits for it learns that the run is over.
            Coming::Joins { .. } => {}
            #[cfg(test)]
            Coming::JoinsHere { threads } => {
                let (id, first) = self.fleet.next();
                let number = self.reload.number();
                match threads::start(id, first, threads, &self.edition, number, &self.to) {
                    Ok(member) => self.fleet.join(id, member),
                    Err(why) => self.fail(why.to_string()),
                }
            }
            Coming::Held { held, joined } => self.hold(held, joined),
            Coming::Settled => self.settle(),
            Coming::Deposed(why) => self.abandon(why),
            Coming::Gone(id) => self.ended(MemberId(id), 0),
            Coming::Deal => self.deal(),
            Coming::Leaves(id) => self.leave(MemberId(id)),
            Coming::Worker(event, card) => self.worker(event, card),
        }
    }

    fn join_from_elsewhere(&mut self, threads: u32, joined: oneshot::Sender<Joined>) {
        let (id, first) = self.fleet.next();
        let number = self.reload.number();
        let (member, told) = Joined::new(id, first, threads, &self.edition, number, &self.to);
        // If nobody waits for it, there is nobody who could join.
        if joined.send(told).is_ok() {
            self.fleet.join(id, member);
            self.deserted_at = None;
        }
    }

    fn leave(&mut self, id: MemberId) {
        match self.fleet.is_serving(id) {
            true => {
                self.fleet.stand(id, Standing::Leaving);
                self.deal();
            }
            // A member without users has nothing to hand over.
            false => self.fleet.order(id, self.stop_order()),
        }
    }

    /// Starts members that are ready, unless they would miss something that is in progress.
    pub(super) fn start_ready(&mut self) {
        let is_too_early = self.hooks.phase() != Phase::Measuring
            || self.reload.is_under_way()
            || self.going_on.is_some()
            || self.has_other_script && self.fleet.ids().next().is_some();
        if is_too_early || self.end.is_some() {
            return;
        }
        let number = self.reload.number();
        let mut have_started = false;
        for (id, made) in self.fleet.ready() {
            if made == number {
                self.start(id);
                have_started = true;
            } else {
                self.fleet.stand(id, Standing::Preparing { number });
                self.fleet
                    .order(id, Order::CatchUp(self.edition.clone(), number));
            }
        }
        if have_started {
            self.deal_soon();
        }
    }

    /// Starts a member. One that was there when the slots were dealt has its share of users at
    /// once; a late one gets its share when the others have given it up.
    fn start(&mut self, id: MemberId) {
        let start = Start {
            epoch: self.epoch,
            unix_us: self.epoch_unix_us,
            plan: self.fleet.plan().clone(),
            parts: self.assignments.parts().clone(),
            classes: self.classes.clone(),
            pauses: (self.plan_clock.paused_us(), self.plan_clock.paused_at()),
        };
        self.fleet.stand(id, Standing::Serving);
        self.fleet.order(id, Order::Start(start));
    }

    /// Deals all users because members have come or gone. Those elsewhere come and go several at a
    /// time, and whoever brings them says when it is quiet.
    fn deal_soon(&mut self) {
        if !self.is_far {
            self.deal();
        }
    }

    /// Deals all users to the members that are staying.
    pub(super) fn deal(&mut self) {
        let is_known = self.hooks.phase() == Phase::Measuring && self.going_on.is_none();
        if self.end.is_some() || !is_known {
            return;
        }
        let threads = self.fleet.serving_threads();
        if self.assignments.are_dealt_to(&threads) {
            return;
        }
        let assignment = self.assignments.deal(&threads, self.at_work());
        self.assign(assignment);
    }

    /// A member has carried out an assignment.
    pub(super) fn assigned(&mut self, id: MemberId, number: u16) {
        let next = self.assignments.done(id, number, self.at_work());
        self.assign(next);
    }

    /// A member has ended, with so many requests in flight when their users were cut.
    pub(super) fn ended(&mut self, id: MemberId, cut: u64) {
        self.numbers.in_flight(cut);
        self.lose(id);
        self.count_users();
        if self.fleet.is_empty() && self.end.is_none() {
            match self.is_far {
                true => self.is_deserted(),
                false => self.tear_down(),
            }
        }
        self.look_at_last();
    }

    /// Nobody is there who could go on; somebody may come.
    pub(super) fn is_deserted(&mut self) {
        self.deserted_at
            .get_or_insert(Instant::now() + self.patience);
    }

    /// The run is another master's now, and so are its members: nothing is waited for, and nothing
    /// torn down that is in use.
    fn abandon(&mut self, why: String) {
        self.is_killed = true;
        self.fleet.clear();
        self.fail(why);
        self.tear_down();
        let steps = self.hooks.killed();
        self.do_all(steps);
    }

    fn lose(&mut self, id: MemberId) {
        let was_serving = self.fleet.is_serving(id);
        self.fleet.leave(id);
        let steps = self.reload.left(id);
        self.reload_by(steps);
        let next = self.assignments.left(id, self.at_work());
        self.assign(next);
        if was_serving && !self.fleet.is_empty() {
            self.deal_soon();
        }
    }

    fn assign(&mut self, assignment: Option<Assignment>) {
        if let Some(assignment) = assignment {
            let pace = self.fleet.pace();
            self.fleet.order_all(&Order::Assign { assignment, pace });
        }
        if self.assignments.is_under_way() {
            return;
        }
        let leaving: Vec<_> = self.fleet.leaving().collect();
        for id in leaving {
            // It has handed over its users.
            self.fleet.order(id, self.stop_order());
        }
        if self.assignments.is_stale() {
            self.deal();
        }
    }

    /// The members that have begun.
    pub(super) fn at_work(&self) -> BTreeSet<MemberId> {
        self.fleet.ids().collect()
    }
}
