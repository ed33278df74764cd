//! A run that goes on under a master that was started again.
//!
//! Owns how it begins in the middle: at a time that is known, with members that have users already,
//! and without `setup`. Until it is known who has which users, none are dealt, and nobody who comes
//! begins.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Run, SECOND};
use crate::clock;
use crate::load::Slots;
use crate::runner::State;
use crate::runner::assignments::Assignments;
use crate::runner::elsewhere::{Going, HeldPlace, Joined};
use crate::runner::fleet::{MemberId, Standing};
use crate::runner::reload::Reload;
use crate::stats::Mark;
use crate::vu::PlanClock;

/// What a run that goes on does not know yet.
#[derive(Debug)]
pub(super) struct GoingOn {
    /// What members have had since before.
    claims: Vec<HeldPlace>,
    /// The generation that was said to be in service.
    generation: u16,
}

impl Run {
    /// Begins where the last master's run is now.
    pub(super) fn go_on(&mut self, going: &Going) {
        let elapsed = Duration::from_micros(going.elapsed_us);
        let now = clock::now();
        self.epoch = now - elapsed;
        self.begun = Instant::now().checked_sub(elapsed).unwrap_or(self.begun);
        self.epoch_unix_us = going.unix_us;
        self.classes = going.classes.clone();
        self.reload = Reload::resumed(going.generation);
        self.has_other_script = going.hash != self.edition.hash();
        self.going_on = Some(GoingOn {
            claims: Vec::new(),
            generation: going.generation,
        });
        let paused = going.pauses.1.map(Duration::from_micros);
        self.plan_clock = PlanClock::joining(going.pauses.0, paused.map(|it| now - it), None);
        self.numbers.begin(going.unix_us);
        self.numbers.go_on(going.elapsed_us);
        self.numbers.generation(going.generation, &going.hash, 0);
        if let Some(paused) = paused {
            self.numbers.pause((now - paused).since(self.epoch));
            self.state.send_replace(State::Paused);
        }
        let text = "the master was started again".into();
        self.numbers.mark(going.elapsed_us, Mark::Note { text });
        if let Some(value) = &going.setup {
            self.to.shared.set_setup_result(value.clone());
        }
        if let Some(control) = &self.control {
            control.begin(self.epoch, self.epoch_unix_us);
        }
        self.hooks.go_on();
        self.enter(State::Spawning);
        let seconds = elapsed.as_secs() + 1;
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.tick_at = Some(self.begun + SECOND * seconds + self.tick_delay());
        self.enter_stage();
        self.is_deserted();
        // Whoever looks before the first second is over sees which run it is.
        self.show();
    }

    /// A member of the last master's run goes on in this one.
    pub(super) fn hold(&mut self, held: HeldPlace, joined: oneshot::Sender<Joined>) {
        let id = MemberId(held.member);
        let Some(going_on) = &mut self.going_on else {
            return;
        };
        if self.fleet.has(id) {
            return;
        }
        let (member, told) = Joined::holding(&held, &self.to);
        if joined.send(told).is_err() {
            return;
        }
        going_on.claims.push(held);
        self.fleet.join(id, member);
        self.fleet.stand(id, Standing::Serving);
        self.deserted_at = None;
        if self.end.is_some() {
            self.fleet.order(id, self.stop_order());
        }
    }

    /// Nobody else comes from the last master: what nobody has is free.
    pub(super) fn settle(&mut self) {
        let Some(GoingOn { claims, generation }) = self.going_on.take() else {
            return;
        };
        let claims = claims.into_iter();
        let claims: Vec<HeldPlace> = claims
            .filter(|held| self.fleet.has(MemberId(held.member)))
            .collect();
        let generations = claims.iter().map(|held| held.generation);
        let newest = generations.clone().fold(generation, u16::max);
        if generations.into_iter().any(|it| it != newest) {
            self.has_other_script = true;
        }
        if newest != generation {
            self.reload = Reload::resumed(newest);
        }
        let count = claims.iter().flat_map(|held| &held.parts).next();
        let slots = match count.map(crate::load::Part::count) {
            Some(count) => owned(count, &claims),
            None => Slots::shared(self.fleet.threads()),
        };
        let number = claims.iter().map(|held| held.assignment).max();
        self.assignments = Assignments::resumed(slots, number.unwrap_or(0));
        if self.has_other_script {
            self.reload.take(self.edition.clone(), Instant::now());
        }
        self.stop_those_that_came();
        self.deal();
        self.look_at_reload();
        self.start_ready();
    }
}

/// Slots whose owners are what members say that they have; where two say so, the first is believed.
fn owned(count: u32, claims: &[HeldPlace]) -> Slots {
    const NOBODY: u32 = u32::MAX;
    let mut owners = vec![NOBODY; count as usize];
    for held in claims {
        for (thread, part) in (held.first..).zip(&held.parts) {
            for slot in part.slots() {
                if let Some(owner) = owners.get_mut(*slot as usize).filter(|it| **it == NOBODY) {
                    *owner = thread;
                }
            }
        }
    }
    Slots::owned(owners)
}
