//! The script's functions that run once, as the loop calls them.
//!
//! Owns doing what `hooks` says and telling listeners; which call is next is decided there, and the
//! functions run beside the loop, in `control`.

use tokio::time::Instant;

use super::Run;
use crate::runner::hooks::{HookStep, Phase};
use crate::runner::{End, Notice, State};
use crate::scenario;
use crate::script::{Call, Outcome};

impl Run {
    pub(super) fn do_all(&mut self, steps: Vec<HookStep>) {
        for step in steps {
            match step {
                HookStep::Call(call) => self.call(call),
                HookStep::CancelCalls => self.inbox.cancel_calls(),
                HookStep::SpeakOf { seconds } => self.notice(Notice::SettingUp { seconds }),
                HookStep::Keep(value) => self.to.shared.set_setup_result(value),
                HookStep::Begin => self.begin(),
                HookStep::NeverBegin(why) => {
                    self.end = Some(why.clone());
                    self.state.send_replace(State::Stopping(why));
                }
                HookStep::Late { what, limit } => {
                    let message = format!("`{what}` took longer than {limit:?} and was ended");
                    let now_us = self.now_us();
                    self.numbers
                        .exception(now_us, &message, "--on-stop-timeout");
                    self.notice(Notice::Late { what, limit });
                }
                HookStep::Close => self.is_over = true,
            }
        }
    }

    fn call(&mut self, call: Call) {
        if let Some(control) = &self.control {
            self.inbox.expect(call, control.call(call, Vec::new()));
        }
    }

    /// Calls an event's listeners without waiting for them.
    pub(super) fn tell(&mut self, event: scenario::Event) {
        if self.edition.scenario.hooks.listeners.contains(&event) {
            self.call(Call::Listeners(event));
        }
    }

    pub(super) fn answered(&mut self, call: Call, outcome: Outcome) {
        if let (Phase::Measuring, Outcome::StopTest(why)) = (self.hooks.phase(), &outcome) {
            self.stop(End::StopTest(why.clone()));
        }
        self.told_of_worker(call);
        let steps = self.hooks.answered(call, outcome, Instant::now());
        self.do_all(steps);
    }
}
