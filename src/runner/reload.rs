//! How a run goes on with an edited script: a transaction over all load threads.
//!
//! Owns its steps and what a person is told of them. What a load thread does is `takeover`'s.
//!
//! | step | ends when | and if a thread cannot |
//! |---|---|---|
//! | waiting | no user is in the generation before the present one | |
//! | preparing | each thread, one after the other, has made its generation | all drop it |
//! | adopting | each thread has put it into service, and counted who is behind | |
//!
//! One thread after the other, for each is busy while it compiles; a later edition takes the
//! place of one that waits.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::control::Control;
use super::load_thread::{Adoption, Order};
use super::run::Run;
use super::shape::LiveShape;
use super::{Edition, Notice};
use crate::clock::{self, Micros};
use crate::load::{Division, Plan};
use crate::scenario::Event;
use crate::script::Program;

/// How often it is looked whether an edition still has to wait.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long an edition waits before that is told: most users are through in no time.
const TELL_AFTER_US: u64 = 1_000_000;

/// Where a run stands with its editions.
#[derive(Default)]
pub(super) struct Reload {
    /// Generations before the present one.
    replaced: u16,
    /// What is to come next, and since when.
    waiting: Option<(Arc<Edition>, Micros)>,
    was_told: bool,
    /// When to look next whether it still has to.
    look_at: Option<Instant>,
    preparing: Option<Preparing>,
    /// Threads that have not yet said that they have put the last one into service: until then
    /// nobody knows how many users are behind.
    adopting: usize,
}

/// An edition of which the threads make their generations.
struct Preparing {
    edition: Arc<Edition>,
    /// The script on the control thread, if anything of it runs there.
    program: Option<Rc<Program>>,
    /// Threads that have made theirs.
    made: usize,
    remarks: Vec<String>,
}

impl Reload {
    /// When to look whether the edition that waits may be begun with; `None` if there is none. A
    /// moment, not a time to wait: the loop may always have something else to do before.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.look_at.filter(|_| self.is_waiting())
    }

    /// Whether an edition waits until users have left the generation before the present one.
    fn is_waiting(&self) -> bool {
        self.waiting.is_some() && self.preparing.is_none() && self.adopting == 0
    }

    /// Takes an edition, in place of one that has not been begun.
    pub(super) fn take(&mut self, edition: Arc<Edition>) {
        self.waiting = Some((edition, clock::now()));
        self.look_at = Some(Instant::now());
    }
}

/// The script on the control thread, compiled once for all that runs there; `None` if nothing
/// does, and nothing of a script before it `is_open`.
///
/// # Errors
/// When it is not what it was when it was checked.
pub(super) fn on_control(edition: &Edition, is_open: bool) -> Result<Option<Rc<Program>>, String> {
    if is_open || Control::is_in(edition) || LiveShape::is_in(edition) {
        edition.compile().map(Some)
    } else {
        Ok(None)
    }
}

impl Run {
    /// Begins with the edition that waits, if it need not wait any more.
    pub(super) fn try_reload(&mut self) {
        if self.end.is_some() || !self.reload.is_waiting() {
            return;
        }
        let behind = self.shared.behind();
        if behind > 0 {
            self.reload.look_at = Some(Instant::now() + LOOK_EVERY);
            let since = self.reload.waiting.as_ref().map(|(_, since)| *since);
            let is_long = since.is_some_and(|since| clock::now().since(since) > TELL_AFTER_US);
            if is_long && !self.reload.was_told {
                self.reload.was_told = true;
                self.notice(Notice::ReloadWaits { users: behind });
            }
            return;
        }
        self.reload.was_told = false;
        let Some((edition, _)) = self.reload.waiting.take() else {
            return;
        };
        match on_control(&edition, self.control.is_some()) {
            Ok(program) => {
                self.reload.preparing = Some(Preparing {
                    edition,
                    program,
                    made: 0,
                    remarks: Vec::new(),
                });
                self.prepare_next();
            }
            Err(message) => self.notice(Notice::NotReloaded(message)),
        }
    }

    /// Lets the next thread make its generation, or puts it into service when all have.
    fn prepare_next(&mut self) {
        let Some(preparing) = &self.reload.preparing else {
            return;
        };
        let Some(number) = self.next_number() else {
            self.abandon("65,535 generations of a script are all that a run can have".to_owned());
            return;
        };
        match self.members.get(preparing.made) {
            Some(member) => member.order(Order::Prepare(preparing.edition.clone(), number)),
            None => self.adopt(number),
        }
    }

    fn next_number(&self) -> Option<u16> {
        self.reload.replaced.checked_add(2)
    }

    /// A thread has made its generation, or could not.
    pub(super) fn prepared(&mut self, result: Result<Vec<String>, String>) {
        let Some(preparing) = &mut self.reload.preparing else {
            return;
        };
        match result {
            Ok(remarks) => {
                preparing.made += 1;
                preparing.remarks = remarks;
                self.prepare_next();
            }
            Err(message) => self.abandon(message),
        }
    }

    /// A thread has put what it prepared into service.
    pub(super) fn adopted(&mut self) {
        self.reload.adopting = self.reload.adopting.saturating_sub(1);
        self.try_reload();
    }

    /// Gives an edition up: the generation in service stays.
    fn abandon(&mut self, message: String) {
        self.reload.preparing = None;
        self.order(&Order::Discard);
        self.notice(Notice::NotReloaded(message));
        self.try_reload();
    }

    /// Puts the edition that all threads have prepared into service.
    fn adopt(&mut self, number: u16) {
        let Some(Preparing {
            edition,
            program,
            mut remarks,
            ..
        }) = self.reload.preparing.take()
        else {
            return;
        };
        if self.end.is_some() {
            return;
        }
        if let Err(message) = self.renew_control(&edition, number, program) {
            return self.abandon(message);
        }
        if edition.scenario.hooks.setup && self.shared.setup_result().is_none() {
            remarks.push(
                "this run began without a `setup`, and now there is one: it runs when a run \
                 starts, so its result is not there"
                    .to_owned(),
            );
        }
        let elapsed = self.elapsed();
        let mixed = match self.course.plan().division() {
            Division::Mixed => self.course.plan().users_of(0, elapsed),
            Division::PerClass(_) => 0,
        };
        let plan = self.plan_of(&edition, elapsed);
        // Before any sample of it can come.
        let hash = edition.hash();
        self.numbers.generation(number, &hash, self.now_us());
        self.order(&Order::Adopt(Adoption {
            mixed,
            plan: plan.clone(),
        }));
        self.edition = edition;
        self.reload.replaced += 1;
        self.reload.adopting = self.members.len();
        if let Some(plan) = plan {
            self.course.begin_anew(plan);
            if let Some(shape) = &mut self.shape {
                shape.forget_last();
            }
            self.enter_stage();
        }
        self.show();
        self.notice(Notice::Reloaded {
            generation: number,
            hash,
            remarks,
        });
        self.tell(Event::Reload);
    }

    /// Brings what runs on control to an edition: `teardown`, listeners, the shape's closure.
    fn renew_control(
        &mut self,
        edition: &Arc<Edition>,
        number: u16,
        program: Option<Rc<Program>>,
    ) -> Result<(), String> {
        let Some(program) = program else {
            self.shape = None;
            return Ok(());
        };
        if let Some(control) = &self.control {
            control.renew(control.prepare(edition, number, program.clone())?);
        } else if Control::is_in(edition) {
            let to = self.to_control.clone();
            let control = Control::open(&self.setup, edition, number, program.clone(), to)?;
            control.begin(self.epoch, self.epoch_unix_us);
            self.control = Some(control);
        }
        let shape = self.shape.take();
        self.shape = LiveShape::is_in(edition).then(|| match shape {
            Some(shape) => shape.renewed(edition, program),
            None => LiveShape::new(edition, program),
        });
        Ok(())
    }

    /// The plan to follow with an edition; `None` if that asks for the same users as the one in
    /// service, whatever has become of its plan since.
    fn plan_of(&self, edition: &Edition, elapsed: Duration) -> Option<Arc<Plan>> {
        let (before, after) = (&self.edition.options.plan, &edition.options.plan);
        let plan = self.course.plan();
        let is_scripted = LiveShape::is_in(edition);
        let are_tracks_the_same =
            plan.division() == Division::Mixed || edition.names().eq(self.edition.names());
        let is_shape_the_same = before == after && LiveShape::is_in(&self.edition) == is_scripted;
        if is_shape_the_same && are_tracks_the_same {
            return None;
        }
        // A shape's closure will say where to go: until then the numbers stay.
        let division = match (is_scripted, plan.division()) {
            (true, Division::PerClass(_)) => Division::PerClass(edition.scenario.classes.len()),
            (true, Division::Mixed) => Division::Mixed,
            (false, _) => after.division(),
        };
        // By track of the plan to come: how many users there are.
        let from: Vec<u32> = match (plan.division(), division) {
            (Division::Mixed, Division::Mixed) => vec![plan.users_of(0, elapsed)],
            (Division::PerClass(_), Division::PerClass(_)) => {
                let of = |name| {
                    let track = self.edition.names().position(|known| known == name);
                    track.map_or(0, |track| plan.users_of(track, elapsed))
                };
                edition.names().map(of).collect()
            }
            // The numbers count something else: all users make place for others.
            (_, division) => vec![0; division.tracks()],
        };
        let number = plan.change_at(elapsed).stage;
        Some(Arc::new(match is_scripted {
            true => Plan::staying(division, elapsed, &from, number).within(after.end()),
            false => after.joined(elapsed, &from, number),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Options;
    use crate::scenario::Scenario;
    use crate::script::{Bundle, Inputs};

    fn edition(script: &str) -> Arc<Edition> {
        Arc::new(Edition {
            bundle: Bundle::from_text("s.rhai", script),
            inputs: Inputs::default(),
            declared: Scenario::default(),
            scenario: Scenario::default(),
            bases: Vec::new(),
            options: Options {
                plan: Arc::new(Plan::idle(Division::Mixed)),
                iterations: None,
                stop_timeout: Duration::ZERO,
                on_stop_timeout: Duration::ZERO,
            },
        })
    }

    #[test]
    fn the_latest_edition_waits_and_is_looked_at_at_a_fixed_moment() {
        let mut reload = Reload::default();
        assert_eq!(reload.look_at(), None);
        reload.take(edition("one"));
        reload.take(edition("two"));
        let waiting = |reload: &Reload| reload.waiting.as_ref().map(|(edition, _)| edition.hash());
        assert_eq!(waiting(&reload), Some(edition("two").hash()));
        // However often the loop asks: it does not move away.
        let at = reload.look_at();
        assert!(at.is_some_and(|at| at <= Instant::now()));
        assert_eq!(reload.look_at(), at);
        // While threads still put the last one into service, nobody knows who is behind.
        reload.adopting = 1;
        assert_eq!(reload.look_at(), None);
        reload.adopting = 0;
        assert_eq!(reload.look_at(), at);
    }
}
