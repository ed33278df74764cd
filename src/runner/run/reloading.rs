//! Carrying out a reload.
//!
//! Owns executing the steps that `reload` decides on, and the script's part on the control thread.

use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

use super::Run;
use crate::load::Division;
use crate::runner::control::Control;
use crate::runner::hooks::Phase;
use crate::runner::load_thread::{Adoption, Order};
use crate::runner::reload::{Adopted, ReloadStep, plan_after};
use crate::runner::shape::LiveShape;
use crate::runner::{Edition, Notice, Unable};
use crate::scenario::Event;
use crate::script::Program;

/// The script compiled for the control thread, once for everything that runs there; `None` if
/// nothing does and nothing of an earlier edition `is_open` there.
///
/// # Errors
/// When it no longer declares what it did when it was checked.
pub(super) fn on_control(edition: &Edition, is_open: bool) -> Result<Option<Rc<Program>>, Unable> {
    if is_open || Control::is_in(edition) || LiveShape::is_in(edition) {
        edition.compile().map(Some)
    } else {
        Ok(None)
    }
}

impl Run {
    /// Takes the waiting edition as many steps further as it can go.
    pub(super) fn look_at_reload(&mut self) {
        while self.end.is_none() && self.hooks.phase() == Phase::Measuring && self.may_reload() {
            let behind = self.fleet.levels().behind;
            let Some(step) = self.reload.look(behind, Instant::now()) else {
                return;
            };
            self.reload_by([step]);
        }
    }

    /// Whether somebody is there who can compile an edition, and is known.
    pub(super) fn may_reload(&self) -> bool {
        self.going_on.is_none() && self.fleet.ids().next().is_some()
    }

    pub(super) fn reload_by(&mut self, steps: impl IntoIterator<Item = ReloadStep>) {
        for step in steps {
            match step {
                ReloadStep::Open(edition) => self.open(&edition),
                ReloadStep::Prepare(members, preparation) => {
                    for id in members {
                        self.fleet.order(id, Order::Prepare(preparation.clone()));
                    }
                }
                ReloadStep::Adopt(_) if self.end.is_some() => {}
                ReloadStep::Adopt(adopted) => self.adopt(adopted),
                ReloadStep::Discard => {
                    self.opened = None;
                    self.fleet.order_all(&Order::Discard);
                }
                ReloadStep::Tell(notice) => self.notice(notice),
            }
        }
    }

    fn open(&mut self, edition: &Edition) {
        let steps = match on_control(edition, self.control.is_some()) {
            Ok(program) => {
                self.opened = program;
                self.reload.opened(self.at_work())
            }
            Err(why) => self.reload.abandon(why),
        };
        self.reload_by(steps);
    }

    /// Puts the edition that all members have prepared into service.
    fn adopt(&mut self, adopted: Adopted) {
        let Adopted {
            edition,
            number,
            mut remarks,
        } = adopted;
        if let Err(why) = self.renew_control(&edition, number) {
            self.fleet.order_all(&Order::Discard);
            return self.notice(Notice::NotReloaded(why));
        }
        if edition.scenario.hooks.setup && self.to.shared.setup_result().is_none() {
            remarks.push(
                "this run began without a `setup`, and now there is one: it runs when a run \
                 starts, so its result is not there"
                    .to_owned(),
            );
        }
        let elapsed = self.plan_time();
        let before = self.fleet.plan();
        let mixed = match before.division() {
            Division::Mixed => before.users_of(0, elapsed),
            Division::PerClass(_) => 0,
        };
        let counted = self.shape.as_ref().and_then(LiveShape::division);
        let plan = plan_after(before, &self.edition, &edition, counted, elapsed);
        // Announced before its first sample can arrive.
        let hash = edition.hash();
        self.numbers.generation(number, &hash, self.now_us());
        self.fleet.order_all(&Order::Adopt(Adoption {
            number,
            mixed,
            plan: plan.clone(),
        }));
        let classes = self.classes.iter().cloned();
        self.classes = classes.chain([edition.classes(mixed)]).collect();
        self.edition = edition;
        self.has_other_script = false;
        self.reload.in_service(self.at_work());
        if let Some(plan) = plan {
            self.fleet.restart(plan);
            if let Some(shape) = &mut self.shape {
                shape.forget_last();
            }
            self.enter_stage();
            self.ask_shape();
        }
        self.show();
        self.notice(Notice::Reloaded {
            generation: number,
            hash,
            remarks,
        });
        self.tell(Event::Reload);
    }

    /// Moves what runs on control (`teardown`, listeners, the shape's closure) to an edition.
    fn renew_control(&mut self, edition: &Arc<Edition>, number: u16) -> Result<(), Unable> {
        let Some(program) = self.opened.take() else {
            self.shape = None;
            return Ok(());
        };
        let shape = match LiveShape::is_in(edition) {
            true => {
                let (time, users) = (self.plan_time(), self.fleet.levels().users);
                let before = self.shape.as_ref();
                Some(LiveShape::edited(
                    edition,
                    program.clone(),
                    before,
                    time,
                    users,
                )?)
            }
            false => None,
        };
        if let Some(control) = &self.control {
            control.renew(control.prepare(edition, number, program)?);
        } else if Control::is_in(edition) {
            let control = Control::open(edition, number, program, &self.to)?;
            control.begin(self.epoch, self.epoch_unix_us);
            self.control = Some(control);
        }
        self.shape = shape;
        Ok(())
    }
}
