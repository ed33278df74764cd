//! `katydid dev`: users of a script run while it is written; each save is taken up.
//!
//! Owns the order of runs and saves. It is an ordinary run on one load thread that goes on with
//! what is saved, and the next run when that one is over. What is seen is kept by `board`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::select::{self, Wrong};
use super::{arguments, debug, resolve, run};
use crate::control::{Checked, Control, Exit, Finished, Given, Happening, SaveOutcome};
use crate::runner::{Edition, End, Notice, Setup};
use crate::screen::dev::{Board, Finding, Stage};
use crate::screen::show;
use crate::script::{Level, Onlooker};
use crate::stats::Summary;

/// How often the screen is looked at.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Carries out `katydid dev`.
pub(super) fn dev(arguments: &arguments::Dev) -> Exit {
    let checked = match super::read(&arguments.script, &given(arguments)) {
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

/// One run after the other, until the person has enough.
async fn attend(arguments: &arguments::Dev, checked: Checked) -> Exit {
    let mut control = match run::listen() {
        Ok(interrupts) => Control::new(interrupts),
        Err(exit) => return exit,
    };
    let (path, params) = (arguments.script.clone(), arguments.shown.params.clone());
    let known = (&checked.bundle, &checked.inputs);
    let broken = checked.scenario.is_none().then_some(&checked.findings);
    let notes = match control.follow(path, params, known, arguments.watching(), broken) {
        Ok(notes) => notes,
        Err(error) => {
            show::error(&format!("cannot listen for signals: {error}"), None);
            return Exit::Incomplete;
        }
    };
    let board = Board::new(arguments.script.display().to_string());
    let mut ticks = interval(DRAW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut session = Session {
        arguments,
        control,
        ticks,
        stage: Arc::new(Mutex::new(Stage::new(board, arguments.shown.body))),
        totals: Totals::default(),
    };
    for (level, note) in notes {
        session.stage().note(level, note);
    }
    let exit = session.go(checked).await;
    let line = session.totals.line();
    session.stage().close(&line);
    exit
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
    control: Control,
    ticks: Interval,
    /// Users tell it from their own thread.
    stage: Arc<Mutex<Stage>>,
    totals: Totals,
}

impl Session<'_> {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        locked(&self.stage)
    }

    /// Runs a script and whatever is saved after it, until the person has enough.
    async fn go(&mut self, checked: Checked) -> Exit {
        if let Some(ready) = self.taken(checked, None) {
            self.start(ready).await;
        }
        loop {
            let happening = tokio::select! {
                happening = self.control.next() => happening,
                _ = self.ticks.tick() => {
                    self.stage().draw();
                    continue;
                }
            };
            match happening {
                Happening::Saved(outcome) => self.saved(outcome).await,
                Happening::Notice(notice) => self.heed(&notice),
                Happening::Finished(run) => {
                    self.totals.add(&run.summary);
                    if let Some(exit) = self.finished(&run).await {
                        return exit;
                    }
                }
                // Without a run it ends at once.
                Happening::Interrupted { .. } if !self.control.is_running() => return Exit::Ok,
                Happening::Interrupted { is_first: true } => self.stage().stop(),
                Happening::Lost(count) => {
                    let text = format!("{count} messages were dropped");
                    self.stage().note(Level::Warn, text);
                }
                // The screen has the figures.
                Happening::Interrupted { .. } | Happening::Summary(_) | Happening::Stopping(_) => {}
            }
        }
    }

    /// A run is over; gives the exit code if that is what the person asked for.
    async fn finished(&mut self, run: &Finished) -> Option<Exit> {
        for message in &run.unwritten {
            self.stage().note(Level::Error, message.clone());
        }
        match run.interrupts {
            0 => {}
            1 => return Some(Exit::Ok),
            _ => return Some(Exit::Killed),
        }
        self.over(&run.why);
        if run.is_reload_pending {
            self.start_anew().await;
        }
        None
    }

    /// Starts what was saved last. It is read once more: what was made for the run that is over
    /// goes on with its data.
    async fn start_anew(&mut self) {
        let news = match self.stage().board.is_broken {
            true => "mended: started",
            false => "started anew",
        };
        match super::read(&self.arguments.script, &given(self.arguments)) {
            Ok(checked) => {
                if let Some(ready) = self.taken(checked, Some(news)) {
                    self.start(ready).await;
                }
            }
            Err(message) => self.stage().broken(vec![Finding::Wrong(message, None)]),
        }
    }

    /// What a checked script comes to with this command line; shows what is wrong with it, else
    /// the `news`.
    fn taken(&mut self, checked: Checked, news: Option<&str>) -> Option<Ready> {
        show::hide(checked.hidden.clone());
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
                self.control.refuse();
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

    /// Starts a run; the next save starts another if it can't begin.
    async fn start(&mut self, Ready { edition, .. }: Ready) {
        self.stage().board.begin(edition.hash());
        let told = self.stage.clone();
        let setup = Setup {
            threads: 1,
            environment: Arc::new(edition.inputs.environment.clone()),
            edition: Arc::new(edition),
            onlooker: Some(Onlooker::new(self.arguments.shown.body, move |event| {
                locked(&told).hear(event)
            })),
        };
        if let Err(message) = self.control.start(setup).await {
            self.over(&End::Failed(message));
        }
    }

    /// Takes a save: for the run that goes on, or for the next one.
    async fn saved(&mut self, outcome: SaveOutcome) {
        match outcome {
            SaveOutcome::Edited { .. } | SaveOutcome::Same { .. } if !self.control.is_running() => {
                self.start_anew().await;
            }
            SaveOutcome::Edited {
                checked,
                was_broken,
            } => {
                let news = was_broken.then_some("mended");
                if let Some(Ready { edition, .. }) = self.taken(*checked, news) {
                    for remark in self.control.reload(edition).await {
                        self.stage().note(Level::Warn, remark);
                    }
                }
            }
            SaveOutcome::Same { was_broken: true } => {
                let news = "mended: the script is again as it runs";
                self.stage().good(Vec::new(), Some(news));
            }
            SaveOutcome::Same { was_broken: false } => {
                let text = "the script has not changed".to_owned();
                self.stage().note(Level::Info, text);
            }
            SaveOutcome::Broken(checked) => {
                self.taken(*checked, None);
            }
            SaveOutcome::Unreadable(message) => {
                self.stage().broken(vec![Finding::Wrong(message, None)]);
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

/// Whoever panicked has left nothing half-done that would be worse than no screen.
fn locked(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
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
