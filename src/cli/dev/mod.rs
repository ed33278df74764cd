//! `katydid dev`: users of a script run while it is written; each save is taken up.
//!
//! Owns the order of runs and saves. It is an ordinary run on one load thread that goes on with
//! what is saved, and the next run when that one is over. What is seen is kept by `board`.

mod board;
mod fold;
mod frame;
mod stage;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use self::board::{Board, Finding};
use self::stage::Stage;
use super::check::{Checked, Given};
use super::follow::{Follower, Found};
use super::select::{self, Wrong};
use super::{Exit, arguments, check, debug, limits, resolve, run, show};
use crate::runner::{self, Edition, End, Handle, Notice, Setup, State};
use crate::script::{Level, Onlooker, Shared};
use crate::stats::Summary;

/// How often the screen is looked at.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// What can be told of the run before it is heard.
const NOTICES: usize = 1_024;

/// Carries out `katydid dev`.
pub(super) fn dev(arguments: &arguments::Dev) -> Exit {
    let checked = match check::read(&arguments.script, &given(arguments)) {
        Ok(checked) => checked,
        Err(message) => {
            show::error(&message, Some("write one with `katydid new FILE`"));
            return Exit::Usage;
        }
    };
    run::on_control_thread(attend(arguments, checked))
}

/// For a script of which no run goes on.
fn given(arguments: &arguments::Dev) -> Given {
    Given::new(&arguments.shown.params, arguments.shown.seed)
}

/// What the person asked for by Ctrl-C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Stop,
    Kill,
}

/// One run after the other, until the person has enough.
async fn attend(arguments: &arguments::Dev, checked: Checked) -> Exit {
    let prepared = limits::Interrupts::listen().and_then(|interrupts| {
        let (path, params) = (arguments.script.clone(), arguments.shown.params.clone());
        let known = (&checked.bundle, &checked.inputs);
        let follower = Follower::new(path, params, known, arguments.watching())?;
        Ok((interrupts, follower))
    });
    let (interrupts, follower) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            show::error(&format!("cannot listen for signals: {error}"), None);
            return Exit::Incomplete;
        }
    };
    let follower = match &checked.scenario {
        Some(_) => follower,
        None => follower.broken(&checked.findings),
    };
    let board = Board::new(arguments.script.display().to_string());
    let mut ticks = interval(DRAW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut session = Session {
        arguments,
        follower,
        interrupts,
        ticks,
        stage: Arc::new(Mutex::new(Stage::new(board, arguments.shown.body))),
        totals: Totals::default(),
    };
    let asked = session.go(checked).await;
    let line = session.totals.line();
    session.stage().close(&line);
    match asked {
        Asked::Stop => Exit::Ok,
        Asked::Kill => Exit::Killed,
    }
}

/// What all runs together came to.
#[derive(Debug, Default)]
struct Totals {
    iterations: u64,
    requests: u64,
    failures: u64,
    exceptions: u64,
}

impl Totals {
    fn add(&mut self, summary: &Summary) {
        self.iterations += summary.iterations.finished;
        self.requests += summary.total.requests;
        self.failures += summary.total.failures;
        self.exceptions += summary.exceptions.iter().map(|row| row.count).sum::<u64>();
    }

    fn line(&self) -> String {
        let count = |number: u64, one: &str| match number {
            1 => format!("1 {one}"),
            number => format!("{number} {one}s"),
        };
        let mut parts = vec![
            count(self.iterations, "iteration"),
            count(self.requests, "request"),
            count(self.failures, "failure"),
        ];
        if self.exceptions > 0 {
            parts.push(count(self.exceptions, "exception"));
        }
        parts.join(", ")
    }
}

/// A person who writes a script.
struct Session<'a> {
    arguments: &'a arguments::Dev,
    follower: Follower,
    interrupts: limits::Interrupts,
    ticks: Interval,
    /// Users tell it from their own thread.
    stage: Arc<Mutex<Stage>>,
    totals: Totals,
}

impl Session<'_> {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        locked(&self.stage)
    }

    /// Runs a script and whatever is saved after it; gives how the person ended it.
    async fn go(&mut self, checked: Checked) -> Asked {
        for (level, note) in self.follower.notes() {
            self.stage().note(level, note);
        }
        let mut ready = self.taken(checked, None);
        loop {
            let ended = match ready.take() {
                Some(ready) => self.run(ready).await,
                None => Ok(Next::Wait),
            };
            let saved = match ended {
                Ok(Next::StartAnew) => Ok(()),
                Ok(Next::Wait) => self.saved().await,
                Err(asked) => Err(asked),
            };
            if let Err(asked) = saved {
                return asked;
            }
            // Read once more: what was made for the run that is over goes on with its data.
            let was_broken = self.stage().board.is_broken;
            let news = if was_broken {
                "mended: started"
            } else {
                "started anew"
            };
            ready = match check::read(&self.arguments.script, &given(self.arguments)) {
                Ok(checked) => self.taken(checked, Some(news)),
                Err(message) => {
                    self.stage().broken(vec![Finding::Wrong(message, None)]);
                    None
                }
            };
        }
    }

    /// What a checked script comes to with this command line; shows what is wrong with it, else
    /// the `news`.
    fn taken(&mut self, checked: Checked, news: Option<&str>) -> Option<Ready> {
        let mut stage = locked(&self.stage);
        let mut findings = Vec::new();
        if !checked.findings.is_empty() {
            let files = checked.shown.clone();
            findings.push(Finding::Script(files, checked.findings.clone()));
        }
        let (said, shown) = (checked.said.clone(), checked.shown.clone());
        let ready = match ready(self.arguments, checked) {
            Ok(Some(ready)) => ready,
            Ok(None) => {
                stage.broken(findings);
                return None;
            }
            Err(wrong) => {
                findings.push(Finding::Wrong(wrong.message, wrong.hint));
                self.follower.refuse();
                stage.broken(findings);
                return None;
            }
        };
        stage.good(findings, news);
        for (level, text) in said.iter().flat_map(show::script_words) {
            stage.note(level, text);
        }
        let Ready { edition, class } = &ready;
        let name = &edition.scenario.classes[*class].name;
        if edition.bases[*class].is_none() {
            stage.note(Level::Warn, show::no_host(name));
        }
        stage.board.source(edition.hash(), name.clone(), shown);
        Some(ready)
    }

    /// Waits for a save that could be run, when nothing runs.
    async fn saved(&mut self) -> Result<(), Asked> {
        loop {
            tokio::select! {
                found = self.follower.next() => match found {
                    Found::Edited { .. } | Found::Same { .. } => return Ok(()),
                    Found::Broken(checked) => {
                        self.taken(*checked, None);
                    }
                    Found::Unreadable(message) => {
                        self.stage().broken(vec![Finding::Wrong(message, None)]);
                    }
                },
                _ = self.ticks.tick() => self.stage().draw(),
                () = self.interrupts.next() => return Err(Asked::Stop),
            }
        }
    }

    /// One run, from its start to its end.
    async fn run(&mut self, Ready { edition, .. }: Ready) -> Result<Next, Asked> {
        self.follower.took(&edition);
        self.stage().board.begin(edition.hash());
        let told = self.stage.clone();
        let setup = Setup {
            environment: Arc::new(edition.inputs.environment.clone()),
            edition: Arc::new(edition),
            onlooker: Some(Onlooker::new(self.arguments.shown.body, move |event| {
                locked(&told).hear(event)
            })),
        };
        let (notices_in, notices) = mpsc::channel(NOTICES);
        let (handle, shared) = match runner::start(Arc::new(setup), notices_in).await {
            Ok(started) => started,
            Err(message) => {
                self.over(&End::Failed(message));
                return Ok(Next::Wait);
            }
        };
        let ended = self.until_ended(&handle, notices, &shared).await;
        self.totals.add(&handle.summary().borrow());
        ended
    }

    async fn until_ended(
        &mut self,
        handle: &Handle,
        mut notices: mpsc::Receiver<Notice>,
        shared: &Shared,
    ) -> Result<Next, Asked> {
        let mut state = handle.state();
        let mut asked = None;
        // A save that the run has not taken up yet; if it ends before, it is for the next.
        let mut is_pending = false;
        loop {
            let now = state.borrow_and_update().clone();
            if let State::Ended(end) = now {
                while let Ok(notice) = notices.try_recv() {
                    is_pending &= !is_answer(&notice);
                    self.heed(&notice);
                }
                for message in shared.finish_appends() {
                    self.stage().note(Level::Error, message);
                }
                return match asked {
                    Some(asked) => Err(asked),
                    None => {
                        self.over(&end);
                        Ok(match is_pending {
                            true => Next::StartAnew,
                            false => Next::Wait,
                        })
                    }
                };
            }
            tokio::select! {
                changed = state.changed() => if changed.is_err() {
                    let end = End::Failed("the run ended without a result".to_owned());
                    self.over(&end);
                    return Ok(Next::Wait);
                },
                Some(notice) = notices.recv() => {
                    is_pending &= !is_answer(&notice);
                    self.heed(&notice);
                }
                found = self.follower.next(), if asked.is_none() => {
                    if let Some(edition) = self.found(found) {
                        is_pending = true;
                        handle.reload(Arc::new(edition));
                    }
                }
                _ = self.ticks.tick() => self.stage().draw(),
                () = self.interrupts.next() => if asked.is_none() {
                    asked = Some(Asked::Stop);
                    self.stage().stop();
                    handle.stop();
                } else {
                    asked = Some(Asked::Kill);
                    handle.kill();
                }
            }
        }
    }

    /// What a save comes to for the run that goes on.
    fn found(&mut self, found: Found) -> Option<Edition> {
        match found {
            Found::Edited {
                checked,
                was_broken,
            } => {
                let news = was_broken.then_some("mended");
                let Ready { edition, .. } = self.taken(*checked, news)?;
                for remark in self.follower.took(&edition) {
                    self.stage().note(Level::Warn, remark);
                }
                Some(edition)
            }
            Found::Same { was_broken: true } => {
                let news = "mended: the script is again as it runs";
                self.stage().good(Vec::new(), Some(news));
                None
            }
            Found::Same { was_broken: false } => {
                let text = "the script has not changed".to_owned();
                self.stage().note(Level::Info, text);
                None
            }
            Found::Broken(checked) => {
                self.taken(*checked, None);
                None
            }
            Found::Unreadable(message) => {
                self.stage().broken(vec![Finding::Wrong(message, None)]);
                None
            }
        }
    }

    /// Takes what the run has to say.
    fn heed(&self, notice: &Notice) {
        let mut stage = self.stage();
        match notice {
            // The screen has the number of users.
            Notice::Ramping(_) | Notice::Arrived(_) | Notice::SettingUp { seconds: 0 } => {}
            Notice::Reloaded {
                generation,
                hash,
                remarks,
            } => {
                stage.serve(*generation, hash.clone());
                for remark in remarks {
                    stage.note(Level::Warn, remark.clone());
                }
            }
            Notice::NotReloaded(why) => {
                stage.broken(vec![Finding::Wrong(why.clone(), None)]);
            }
            other => {
                for (level, text) in show::words(other) {
                    stage.note(level, text);
                }
            }
        }
    }

    /// The run is over, but the person is not done.
    fn over(&self, end: &End) {
        let (level, why) = match end {
            End::Done => (Level::Warn, "all users have ended by themselves".to_owned()),
            End::StopTest(why) => (Level::Warn, show::stopped(why)),
            End::Failed(message) => (Level::Error, message.clone()),
            End::RunTime | End::Shape | End::Stopped => (Level::Warn, "the run is over".to_owned()),
        };
        self.stage().over(level, why);
    }
}

/// What comes after a run.
enum Next {
    /// The next one, when something has been saved.
    Wait,
    /// The next one at once: something was saved that came too late for this one.
    StartAnew,
}

/// Whoever panicked has left nothing half-done that would be worse than no screen.
fn locked(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a notice says what has become of a save.
fn is_answer(notice: &Notice) -> bool {
    matches!(notice, Notice::Reloaded { .. } | Notice::NotReloaded(_))
}

/// A script that can be run, and which of its classes has users.
struct Ready {
    edition: Edition,
    class: usize,
}

/// What a checked script comes to; `None` if that is broken.
///
/// # Errors
/// What of the command line does not fit.
fn ready(arguments: &arguments::Dev, checked: Checked) -> Result<Option<Ready>, Wrong> {
    let Some(declared) = checked.scenario else {
        return Ok(None);
    };
    let name = arguments.class.as_deref();
    let (mut scenario, class) = select::select_one(&arguments.changes, name, &declared)?;
    // The person says how many users there are.
    scenario.shape = None;
    let bases =
        resolve::bases(arguments.shown.host.as_deref(), &scenario).map_err(|message| Wrong {
            message,
            hint: None,
        })?;
    let edition = Edition {
        options: debug::options(&scenario, class, arguments.users, None),
        bundle: checked.bundle,
        inputs: checked.inputs,
        declared,
        scenario,
        bases,
    };
    Ok(Some(Ready { edition, class }))
}
