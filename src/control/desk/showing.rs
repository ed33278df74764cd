//! What is seen of the desk from outside.
//!
//! Owns keeping the view up to date with what happens; what happens is not decided here.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Desk, Looked, MOST_FINISHED, Pending};
use crate::control::reading::CheckedScript;
use crate::control::view::{GenerationView, RunView, ScriptView, Stage, View};
use crate::control::{Happening, SaveOutcome};
use crate::runner::{Handle, Notice, State};
use crate::script::diagnostic::Diagnostics;

impl Desk {
    /// Keeps what is seen from outside up to date.
    pub(super) fn take(&mut self, happening: &Happening) {
        match happening {
            Happening::Entered(state) => {
                if let Some(stage) = stage_of(state) {
                    self.publish(|view| view.stage = stage);
                }
            }
            Happening::Summary(summary) => {
                let summary = summary.clone();
                self.publish_run(|run| run.summary = Some(summary));
            }
            Happening::Notice(notice) => self.take_notice(notice),
            Happening::Saved(outcome) => self.take_save(outcome),
            Happening::Stopping(why) => {
                let why = why.clone();
                self.publish(|view| view.stage = Stage::Stopping(why));
            }
            Happening::Finished(run) => {
                self.is_interrupted |= run.interrupts > 0;
                self.publish(|view| {
                    view.stage = Stage::Stopped(run.why.clone());
                    let Some(current) = &mut view.run else {
                        return;
                    };
                    *current = Arc::new(current.finished(run));
                    let finished = Arc::make_mut(&mut view.finished);
                    finished.push(current.clone());
                    if finished.len() > MOST_FINISHED {
                        finished.remove(0);
                    }
                });
            }
            Happening::Interrupted { .. } => self.is_interrupted = true,
            Happening::Lost(_) => {}
        }
    }

    fn take_notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Reloaded {
                generation, hash, ..
            } => {
                // Of several that waited, only the last went into service.
                let same = |pending: &Pending| pending.generation.hash == *hash;
                let Some(at) = self.pending.iter().rposition(same) else {
                    return;
                };
                let Some(pending) = self.pending.drain(..=at).next_back() else {
                    return;
                };
                let number = *generation;
                self.publish_run(|run| {
                    let generation = GenerationView {
                        number,
                        ..pending.generation
                    };
                    run.generations.push(Arc::new(generation));
                    run.ends = pending.ends;
                    run.host = pending.host;
                    run.is_shaped = pending.is_shaped;
                    run.waits_for = 0;
                });
            }
            Notice::NotReloaded(_) => {
                self.pending.clear();
                self.publish_run(|run| run.waits_for = 0);
            }
            Notice::ReloadWaits { users } => {
                let users = *users;
                self.publish_run(|run| run.waits_for = users);
            }
            _ => {}
        }
    }

    fn take_save(&mut self, outcome: &SaveOutcome) {
        match outcome {
            SaveOutcome::Edited { checked, .. } => self.show_script(checked),
            SaveOutcome::Same { checked, .. } => {
                self.show_script(checked);
                self.looked(Ok(Looked::Same));
            }
            SaveOutcome::Broken(checked) => {
                self.show_script(checked);
                self.looked(Ok(Looked::Broken));
            }
            SaveOutcome::Unreadable(message) => {
                self.show_unreadable(message.clone());
                self.looked(Ok(Looked::Unreadable));
            }
        }
    }

    pub(super) fn show_script(&self, checked: &CheckedScript) {
        self.publish(|view| {
            view.script = Arc::new(script_view(checked, Some(&view.script)));
        });
    }

    pub(super) fn show_unreadable(&self, message: String) {
        self.publish(|view| {
            let script = Arc::make_mut(&mut view.script);
            (script.unreadable, script.is_ok) = (message, false);
            // Whatever was wrong with its text.
            script.findings = Diagnostics::default();
            script.read_unix_us = jiff::Timestamp::now().as_microsecond();
        });
    }

    pub(super) fn publish_run(&self, change: impl FnOnce(&mut RunView)) {
        self.publish(|view| {
            if let Some(run) = &mut view.run {
                change(Arc::make_mut(run));
            }
        });
    }

    pub(super) fn publish(&self, change: impl FnOnce(&mut View)) {
        publish(&self.view, change);
    }
}

/// Shows what a run has just done, so that whoever asked for it finds it done when they look. Its
/// own news of that come later.
pub(super) fn show_done(seen: &watch::Sender<Arc<View>>, run: u32, handle: &Handle) {
    let (summary, state) = (handle.summary(), handle.state());
    let (summary, stage) = (summary.borrow().clone(), stage_of(&state.borrow()));
    publish(seen, |view| {
        if let Some(current) = view.run.as_mut().filter(|current| current.number == run) {
            Arc::make_mut(current).summary = Some(summary);
            view.stage = stage.unwrap_or_else(|| view.stage.clone());
        }
    });
}

fn publish(seen: &watch::Sender<Arc<View>>, change: impl FnOnce(&mut View)) {
    seen.send_modify(|view| {
        let view = Arc::make_mut(view);
        view.seq += 1;
        change(view);
    });
}

/// Where a run that goes on stands.
fn stage_of(state: &State) -> Option<Stage> {
    Some(match state {
        State::Starting => Stage::Starting,
        State::SettingUp => Stage::SettingUp,
        State::Spawning => Stage::Spawning,
        State::Running => Stage::Running,
        State::Paused => Stage::Paused,
        State::Stopping(_) | State::Ended(_) => return None,
    })
}

/// How a script that was read is seen; `before` tells what the last one without errors declares.
pub(super) fn script_view(checked: &CheckedScript, before: Option<&ScriptView>) -> ScriptView {
    let declared = match &checked.scenario {
        Some(scenario) => Some(Arc::new(scenario.clone())),
        None => before.and_then(|before| before.declared.clone()),
    };
    ScriptView {
        path: checked.bundle.files()[0].path.clone(),
        files: checked.shown.clone(),
        findings: checked.findings.clone(),
        unreadable: String::new(),
        declared,
        is_ok: checked.scenario.is_some(),
        hash: checked.bundle.hash(&checked.inputs.sources),
        read_unix_us: jiff::Timestamp::now().as_microsecond(),
        is_watched: before.is_some_and(|before| before.is_watched),
    }
}
