//! Granting what is asked of the desk.
//!
//! Whatever may be refused is checked before anything is done: a request that is refused has changed
//! nothing.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::asks::{Answer, Ask, AskError, Changed};
use super::showing::script_view;
use super::{Desk, DeskEvent, ScriptSource, Started};
use crate::control::edit::Edit;
use crate::control::preview::preview;
use crate::control::reading::{CheckInput, CheckedScript, evaluate, read};
use crate::control::view::Stage;
use crate::runner::{Handle, Refusal};
use crate::script::Level;
use crate::units::Rate;

/// Stack of the thread that evaluates a script: as large as a load thread's.
const STACK: usize = 64 << 20;

impl Desk {
    /// Grants a request from outside, or refuses it.
    pub(super) async fn grant(&mut self, ask: Ask) -> Option<DeskEvent> {
        match ask {
            Ask::Start(edit, answer) => {
                let (result, event) = match self.start_anew(&edit).await {
                    Ok(started) => {
                        let number = started.number;
                        (Ok(number), Some(DeskEvent::Started(Box::new(started))))
                    }
                    Err(error) => (Err(error), None),
                };
                let _ = answer.send(result);
                event
            }
            Ask::Change(run, edit, answer) => {
                let (result, lines) = match self.change(run, &edit).await {
                    Ok((changed, lines)) => (Ok(changed), lines),
                    Err(error) => (Err(error), Vec::new()),
                };
                let _ = answer.send(result);
                (!lines.is_empty()).then_some(DeskEvent::Told(lines))
            }
            Ask::Configure(edit, answer) => {
                if self.control.is_running() {
                    let (result, lines) = match self.change(None, &edit).await {
                        Ok((_, lines)) => (Ok(()), lines),
                        Err(error) => (Err(error), Vec::new()),
                    };
                    let _ = answer.send(result);
                    return (!lines.is_empty()).then_some(DeskEvent::Told(lines));
                }
                let _ = answer.send(self.wish_for(&edit));
                None
            }
            Ask::Stop(is_at_once, answer) => {
                let _ = answer.send(self.stop(is_at_once));
                None
            }
            Ask::Pause(answer) => {
                self.steer(answer, async |handle| handle.pause().await);
                None
            }
            Ask::Resume(answer) => {
                self.steer(answer, async |handle| handle.resume().await);
                None
            }
            Ask::Reset(answer) => {
                let result = match self.control.handle() {
                    Some(handle) => handle.reset().await.map_err(AskError::Run),
                    None => Err(self.wrong_stage()),
                };
                let _ = answer.send(result);
                None
            }
            Ask::Note(text, answer) => {
                let result = match self.control.handle() {
                    Some(handle) => handle.note(text).await.map_err(AskError::Run),
                    None => Err(self.wrong_stage()),
                };
                let _ = answer.send(result);
                None
            }
            Ask::Reload(answer) => {
                self.control.look_again();
                let _ = answer.send(Ok(()));
                None
            }
        }
    }

    /// Changes what the next run is asked.
    fn wish_for(&mut self, edit: &Edit) -> Result<(), AskError> {
        let wish = edit.applied_to(&self.wish);
        if let Some(declared) = &self.view().script.declared {
            preview(&wish, declared).map_err(AskError::Wish)?;
        }
        let wish = Arc::new(wish);
        self.wish = wish.clone();
        self.publish(|view| view.wish = wish);
        Ok(())
    }

    /// Asks the current run for something, without waiting for the answer: that may take as long as
    /// `setup` does.
    fn steer(
        &self,
        answer: Answer<()>,
        wish: impl AsyncFnOnce(Handle) -> Result<(), Refusal> + 'static,
    ) {
        let Some(handle) = self.control.handle().cloned() else {
            let _ = answer.send(Err(self.wrong_stage()));
            return;
        };
        spawn_local(async move { answer.send(wish(handle).await.map_err(AskError::Run)) });
    }

    fn wrong_stage(&self) -> AskError {
        AskError::Stage(self.view.borrow().stage.clone())
    }

    /// Reads the script, and starts a run of it.
    async fn start_anew(&mut self, edit: &Edit) -> Result<Started, AskError> {
        if self.control.is_running() {
            return Err(self.wrong_stage());
        }
        let wish = Arc::new(edit.applied_to(&self.wish));
        let given = CheckInput {
            user_memory: wish.user_memory,
            ..CheckInput::new(&wish.params, wish.seed)
        };
        let checked = self.evaluated(given).await?;
        let declared = checked.scenario.as_ref();
        let declared = declared.expect("a script that was evaluated declares something");
        preview(&wish, declared).map_err(AskError::Wish)?;
        self.control.given(&wish.params);
        self.start(wish, checked).await
    }

    /// Evaluates the script on a thread of its own, and shows what became of it: unless its files
    /// are those that were right before, so that it is the values that are wrong.
    ///
    /// # Errors
    /// When it cannot be read, or has mistakes.
    async fn evaluated(&mut self, given: CheckInput) -> Result<CheckedScript, AskError> {
        let source = self.source.clone();
        let (answer, answered) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("check".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let _ = answer.send(match source {
                    ScriptSource::File(path) => read(&path, &given),
                    ScriptSource::Text(bundle) => Ok(evaluate(bundle, &given)),
                });
            });
        if let Err(error) = thread {
            return Err(AskError::Unable(format!(
                "cannot check the script: {error}"
            )));
        }
        let panicked = || Err("the check of the script panicked".to_owned());
        match answered.await.unwrap_or_else(|_| panicked()) {
            Ok(checked) => {
                (self.hide)(checked.hidden.clone());
                let before = self.view.borrow().script.clone();
                let now = script_view(&checked, Some(&before));
                if checked.scenario.is_none() && before.is_ok && before.hash == now.hash {
                    return Err(AskError::Script(Arc::new(now)));
                }
                self.show_script(&checked);
                match checked.scenario {
                    Some(_) => Ok(checked),
                    None => Err(AskError::Script(self.view.borrow().script.clone())),
                }
            }
            Err(message) => {
                self.show_unreadable(message);
                Err(AskError::Script(self.view.borrow().script.clone()))
            }
        }
    }

    /// Changes the current run.
    async fn change(
        &mut self,
        run: Option<u32>,
        edit: &Edit,
    ) -> Result<(Changed, Vec<(Level, String)>), AskError> {
        let view = self.view();
        let current = view.run.clone().filter(|_| view.stage.is_active());
        let Some(current) = current.filter(|_| self.control.is_running()) else {
            return Err(AskError::Stage(view.stage.clone()));
        };
        if run.is_some_and(|run| run != current.number) {
            return Err(AskError::OtherRun(current.number));
        }
        if matches!(view.stage, Stage::Stopping(_)) {
            return Err(AskError::Stage(view.stage.clone()));
        }
        let sets_users = edit.users.is_some() || edit.spawn_rate.is_some();
        if sets_users && current.is_shaped && edit.use_shape != Some(false) {
            return Err(AskError::Run(Refusal::PerClass));
        }
        let wish = edit.applied_to(&self.wish);
        if let Some(declared) = &view.script.declared {
            preview(&wish, declared).map_err(AskError::Wish)?;
        }
        // Whatever may still be refused comes first.
        let mut lines = Vec::new();
        let mut changed = Changed::default();
        if let Some(cause) = edit.cause() {
            let given = self.control.check_input(&wish);
            let checked = self.evaluated(given).await?;
            let before = std::mem::replace(&mut self.wish, Arc::new(wish.clone()));
            match self.go_on_with(&wish, checked, cause).await {
                Ok(more) => lines.extend(more),
                Err(error) => {
                    self.wish = before;
                    return Err(AskError::Wish(error));
                }
            }
            self.control.given(&wish.params);
            changed.is_reloading = true;
            changed
                .done
                .push(format!("{}: an edition goes into service", cause.as_str()));
        }
        let Some(handle) = self.control.handle() else {
            return Err(self.wrong_stage());
        };
        if sets_users {
            let (users, rate) = (wish.users.unwrap_or(1), wish.spawn_rate);
            let rate = rate.unwrap_or(Rate::from_per_sec(1.0).expect("a rate"));
            handle.set_users(users, rate).await.map_err(AskError::Run)?;
            changed
                .done
                .push(format!("users: {users} at {} a second", rate.per_sec()));
        }
        if let Some(run_time) = edit.run_time {
            handle.set_run_time(run_time).await.map_err(AskError::Run)?;
            changed.done.push("run time".to_owned());
        }
        let label = edit.label.clone();
        let wish = Arc::new(wish);
        self.wish = wish.clone();
        let run_time = edit.run_time;
        self.publish(|view| {
            view.wish = wish;
            if let Some(run) = &mut view.run {
                let run = Arc::make_mut(run);
                run.label = label.unwrap_or(std::mem::take(&mut run.label));
                run.ends = run_time.unwrap_or(run.ends);
            }
        });
        Ok((changed, lines))
    }

    fn stop(&mut self, is_at_once: bool) -> Result<(), AskError> {
        let handle = self.control.handle().ok_or_else(|| self.wrong_stage())?;
        let is_stopping = matches!(self.view.borrow().stage, Stage::Stopping(_));
        if is_at_once || is_stopping {
            handle.kill();
        } else {
            handle.stop();
        }
        Ok(())
    }
}
