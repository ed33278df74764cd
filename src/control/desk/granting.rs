//! Granting what is asked of the desk.
//!
//! Whatever may be refused is checked before anything is done: a request that is refused has changed
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::asks::{Answer, Ask, AskError, Changed, Looked};
use super::showing::{script_view, show_done};
use super::{Desk, DeskEvent, ScriptSource, Started};
use crate::control::edit::Edit;
use crate::control::preview::{Preview, preview};
use crate::control::reading::{CheckInput, CheckedScript, evaluate, read};
use crate::control::view::{RunView, Stage};
use crate::control::wish::{Wish, WishError};
use crate::runner::{Handle, Refusal};
use crate::script::Level;
use crate::units::Rate;

/// Stack of the thread that evaluates a script: as large as a load thread's.
const STACK: usize = 64 << 20;

/// A run that has not answered for so long keeps the request until its `setup` is over.
const AT_ONCE: Duration = Duration::from_millis(200);

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
                self.pass_on(answer, async |handle| handle.pause().await);
                None
            }
            Ask::Resume(answer) => {
                self.pass_on(answer, async |handle| handle.resume().await);
                None
            }
            Ask::Reset(answer) => {
                self.pass_on(answer, async |handle| handle.reset().await);
                None
            }
            Ask::Note(text, answer) => {
                self.pass_on(answer, async |handle| handle.note(text).await);
                None
            }
            Ask::Reload(answer) => {
                self.look(answer);
                None
            }
        }
    }

    /// Has the run answer, which it does during `setup` only when that is over.
    fn pass_on<A>(&self, answer: Answer<()>, ask: A)
    where
        A: AsyncFnOnce(Handle) -> Result<(), Refusal> + 'static,
    {
        let Some(handle) = self.control.handle().cloned() else {
            let _ = answer.send(Err(self.wrong_stage()));
            return;
        };
        let (seen, run) = (
            self.view.clone(),
            self.view().run.as_ref().map(|run| run.number),
        );
        tokio::task::spawn_local(async move {
            let done = ask(handle.clone()).await;
            if let (Ok(()), Some(run)) = (done, run) {
                show_done(&seen, run, &handle);
            }
            let _ = answer.send(done.map_err(AskError::Run));
        });
    }

    /// Has the script read again; the answer comes with what became of it.
    fn look(&mut self, answer: Answer<Looked>) {
        if matches!(self.view.borrow().stage, Stage::Stopping(_)) {
            let _ = answer.send(Err(self.wrong_stage()));
        } else if self.control.look_again() {
            self.looks.retain(|waiting| !waiting.is_closed());
            self.looks.push(answer);
        } else {
            // A text that is part of Katydid.
            let _ = answer.send(Ok(Looked::Same));
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
        let checked = match self.evaluated(given, edit).await {
            Ok(checked) => checked,
            Err(error) => return Err(self.blamed(&wish, error)),
        };
        if let Some(declared) = &checked.scenario {
            preview(&wish, declared).map_err(AskError::Wish)?;
        }
        self.show_script(&checked);
        self.start(wish, checked).await
    }

    /// Why a script has mistakes with this wish: a parameter, if the script that was right before
    /// says so.
    fn blamed(&self, wish: &Wish, error: AskError) -> AskError {
        let view = self.view();
        let declared = view.script.declared.as_ref();
        match declared.map(|declared| preview(wish, declared)) {
            Some(Err(wrong)) if wrong.field == Some("params") => AskError::Wish(wrong),
            _ => error,
        }
    }

    /// Evaluates the script on a thread of its own. If it has mistakes, that is shown, unless it may
    /// be due to the parameters of `edit`, which then are not taken over.
    async fn evaluated(
        &mut self,
        given: CheckInput,
        edit: &Edit,
    ) -> Result<CheckedScript, AskError> {
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
                if checked.scenario.is_some() {
                    return Ok(checked);
                }
                if edit.params.is_empty() {
                    self.show_script(&checked);
                }
                Err(AskError::Script(Arc::new(script_view(&checked, None))))
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
        let current = self.changeable(run)?;
        let wish = edit.applied_to(&self.wish);
        let plan = self.plan_of(&current, edit, &wish)?;
        // Whatever may still be refused comes first.
        let next = match edit.cause() {
            Some(cause) => {
                let given = self.control.check_input(&wish);
                let checked = self.evaluated(given, edit).await?;
                let shown = script_view(&checked, Some(&self.view.borrow().script));
                let next = self.next_edition(&wish, checked, cause);
                let next = next.map_err(AskError::Wish)?;
                next.map(|next| (next, cause, shown))
            }
            None => None,
        };
        let Some(handle) = self.control.handle().cloned() else {
            return Err(self.wrong_stage());
        };
        let mut changed = Changed::default();
        if edit.sets_users() {
            let (users, per_s) = (plan.users, plan.spawn_rate);
            // A run with a shape gets its users with the edition that leaves the shape.
            if !current.is_shaped {
                let rate = Rate::from_per_sec(per_s).expect("it was one");
                taken(handle.set_users(users, rate)).await?;
            }
            changed
                .done
                .push(format!("users: {users} at {per_s} a second"));
        }
        if let Some(run_time) = edit.run_time {
            taken(handle.set_run_time(run_time)).await?;
            changed.done.push("run time".to_owned());
        }
        let mut lines = Vec::new();
        if let Some((next, cause, shown)) = next {
            self.publish(|view| view.script = Arc::new(shown));
            lines = self.hand_over(next).await;
            self.control.given(&wish.params);
            changed.is_reloading = true;
            changed
                .done
                .push(format!("{}: an edition goes into service", cause.as_str()));
        }
        if edit.label.is_some() {
            changed.done.push("label".to_owned());
        }
        self.changed(edit, Arc::new(wish), plan.end);
        Ok((changed, lines))
    }

    /// The current run, if it is that one and can be changed.
    fn changeable(&self, run: Option<u32>) -> Result<Arc<RunView>, AskError> {
        let view = self.view();
        let is_at_work = view.stage.is_active() && !matches!(view.stage, Stage::Stopping(_));
        let current = view.run.clone();
        match current.filter(|_| is_at_work && self.control.is_running()) {
            Some(current) if run.is_none_or(|run| run == current.number) => Ok(current),
            Some(current) => Err(AskError::OtherRun(current.number)),
            None => Err(AskError::Stage(view.stage.clone())),
        }
    }

    /// What a changed wish comes to, if the run can be changed so.
    fn plan_of(&self, current: &RunView, edit: &Edit, wish: &Wish) -> Result<Preview, AskError> {
        let script = self.view().script.clone();
        let Some(declared) = &script.declared else {
            return Err(AskError::Script(script));
        };
        let plan = preview(wish, declared).map_err(AskError::Wish)?;
        let is_shaped = plan.scenario.shape.is_some();
        if edit.sets_users() && (is_shaped || (current.is_shaped && edit.use_shape.is_none())) {
            return Err(AskError::Shaped);
        }
        let before = preview(&self.wish, declared).ok();
        let iterations = before.map(|before| before.iterations);
        let is_other_seed = |seed| seed != self.wish.seed && seed != Some(current.seed);
        let fixed = |field| WishError::new("it cannot be changed during a run").of(field);
        if edit.iterations.is_some() && iterations != Some(plan.iterations) {
            return Err(AskError::Wish(fixed("iterations")));
        }
        if edit.seed.is_some_and(is_other_seed) {
            return Err(AskError::Wish(fixed("seed")));
        }
        Ok(plan)
    }

    /// Shows that the current run was changed.
    fn changed(&mut self, edit: &Edit, wish: Arc<Wish>, ends: Option<Duration>) {
        self.wish = wish.clone();
        self.publish(|view| {
            view.wish = wish;
            let Some(run) = &mut view.run else {
                return;
            };
            let run = Arc::make_mut(run);
            if let Some(label) = &edit.label {
                run.label.clone_from(label);
            }
            if edit.run_time.is_some() {
                run.ends = ends;
            }
        });
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

/// Waits until the run has taken a request, or keeps it until `setup` is over.
async fn taken(request: impl Future<Output = Result<(), Refusal>>) -> Result<(), AskError> {
    // What it refuses it refuses at once.
    match timeout(AT_ONCE, request).await {
        Ok(taken) => taken.map_err(AskError::Run),
        Err(_) => Ok(()),
    }
}
