//! `katydid dev`: users run while their script is being written; each save is picked up.
//!
//! Owns the order of runs and saves. It is an ordinary run on one load thread that goes on with
//! each save, followed by another run when it is over. `board` keeps what is shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{arguments, debug, run};
use crate::control::{
    self, CheckInput, CheckedScript, Control, Exit, FinishedRun, Happening, SaveOutcome, WishError,
};
use crate::runner::{Edition, End, Notice, Setup};
use crate::screen::dev::{Board, LiveScreen, SaveProblem};
use crate::screen::show;
use crate::script::{Level, Observer};
use crate::stats::Summary;

/// How often the screen is updated.
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

/// The inputs for a script that is read for a new run.
fn given(arguments: &arguments::Dev) -> CheckInput {
    CheckInput::new(&arguments.shown.params, arguments.shown.seed)
}

/// One run after another, until the person quits.
async fn attend(arguments: &arguments::Dev, checked: CheckedScript) -> Exit {
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
        live: Arc::new(Mutex::new(LiveScreen::new(board, arguments.shown.body))),
        totals: Totals::default(),
    };
    for (level, note) in notes {
        session.live().note(level, note);
    }
    let exit = session.go(checked).await;
    let line = session.totals.line();
    session.live().close(&line);
    exit
}

/// The sums over all runs.
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

/// A session of a person writing a script.
struct Session<'a> {
    arguments: &'a arguments::Dev,
    control: Control,
    ticks: Interval,
    /// Shared, because events arrive on the load thread.
    live: Arc<Mutex<LiveScreen>>,
    totals: Totals,
}

impl Session<'_> {
    fn live(&self) -> MutexGuard<'_, LiveScreen> {
        locked(&self.live)
    }

    /// Runs a script and whatever is saved after it, until the person quits.
    async fn go(&mut self, checked: CheckedScript) -> Exit {
        if let Some(runnable) = self.prepare(checked, None) {
            self.start(runnable).await;
        }
        loop {
            let happening = tokio::select! {
                happening = super::next(&mut self.control) => happening,
                _ = self.ticks.tick() => {
                    self.live().draw();
                    continue;
                }
            };
            match happening {
                Happening::Saved(outcome) => self.saved(outcome).await,
                Happening::Notice(notice) => self.handle_notice(&notice),
                Happening::Finished(run) => {
                    self.totals.add(&run.summary);
                    if let Some(exit) = self.finished(&run).await {
                        return exit;
                    }
                }
                // Without a run, quit at once.
                Happening::Interrupted { .. } if !self.control.is_running() => return Exit::Ok,
                Happening::Interrupted { is_first: true } => self.live().stop(),
                Happening::Lost(count) => {
                    self.live().note(Level::Warn, show::dropped(count));
                }
                // The screen has the figures.
                Happening::Entered(_)
                | Happening::Interrupted { .. }
                | Happening::Summary(_)
                | Happening::Stopping(_) => {}
            }
        }
    }

    /// Handles the end of a run; returns the exit code if the person asked for it.
    async fn finished(&mut self, run: &FinishedRun) -> Option<Exit> {
        for message in &run.unwritten {
            self.live().note(Level::Error, message.clone());
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

    /// Starts what was saved last. It is read again, because the edition made for the previous run
    /// continues with that run's data.
    async fn start_anew(&mut self) {
        let news = match self.live().board.is_broken {
            true => "mended: started",
            false => "started anew",
        };
        match super::read(&self.arguments.script, &given(self.arguments)) {
            Ok(checked) => {
                if let Some(runnable) = self.prepare(checked, Some(news)) {
                    self.start(runnable).await;
                }
            }
            Err(message) => self.live().broken(vec![SaveProblem::Wrong(message, None)]),
        }
    }

    /// Turns a checked script into one that can be run with this command line; shows what is wrong
    /// with it, or else the `news`.
    fn prepare(&mut self, checked: CheckedScript, news: Option<&str>) -> Option<RunnableScript> {
        let mut live = locked(&self.live);
        let mut findings = Vec::new();
        if !checked.findings.is_empty() {
            let files = checked.shown.clone();
            findings.push(SaveProblem::Script(files, checked.findings.clone()));
        }
        let (printed, shown) = (checked.printed.clone(), checked.shown.clone());
        let runnable = match runnable(self.arguments, checked) {
            Ok(Some(runnable)) => runnable,
            Ok(None) => {
                live.broken(findings);
                return None;
            }
            Err(wrong) => {
                findings.push(SaveProblem::Wrong(wrong.message, wrong.hint));
                self.control.refuse();
                live.broken(findings);
                return None;
            }
        };
        live.good(findings, news);
        for (level, text) in printed.iter().flat_map(show::script_words) {
            live.note(level, text);
        }
        let RunnableScript { edition, class } = &runnable;
        let name = &edition.scenario.classes[*class].name;
        if edition.bases[*class].is_none() {
            live.note(Level::Warn, control::no_host(name));
        }
        live.board.source(edition.hash(), name.clone(), shown);
        Some(runnable)
    }

    /// Starts a run; the next save starts another if it can't begin.
    async fn start(&mut self, RunnableScript { edition, .. }: RunnableScript) {
        self.live().board.begin(edition.hash());
        let live = self.live.clone();
        let setup = Setup {
            threads: 1,
            edition: Arc::new(edition),
            observer: Some(Observer::new(self.arguments.shown.body, move |event| {
                locked(&live).take_event(event)
            })),
        };
        if let Err(why) = self.control.start(setup).await {
            self.over(&End::Failed(why.to_string()));
        }
    }

    /// Takes a save, for the current run or the next one.
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
                if let Some(RunnableScript { edition, .. }) = self.prepare(*checked, news) {
                    for remark in self.control.reload(edition).await {
                        self.live().note(Level::Warn, remark);
                    }
                }
            }
            SaveOutcome::Same {
                was_broken: true, ..
            } => {
                let news = "mended: the script is again as it runs";
                self.live().good(Vec::new(), Some(news));
            }
            SaveOutcome::Same {
                was_broken: false, ..
            } => {
                let text = "the script has not changed".to_owned();
                self.live().note(Level::Info, text);
            }
            SaveOutcome::Broken(checked) => {
                self.prepare(*checked, None);
            }
            SaveOutcome::Unreadable(message) => {
                self.live().broken(vec![SaveProblem::Wrong(message, None)]);
            }
        }
    }

    /// Handles a notice of the run.
    fn handle_notice(&self, notice: &Notice) {
        let mut live = self.live();
        match notice {
            // The screen has the number of users.
            Notice::Ramping(_) | Notice::Arrived(_) | Notice::SettingUp { seconds: 0 } => {}
            Notice::Reloaded {
                generation,
                hash,
                remarks,
            } => {
                live.serve(*generation, hash.clone());
                for remark in remarks {
                    live.note(Level::Warn, remark.clone());
                }
            }
            Notice::NotReloaded(why) => {
                live.broken(vec![SaveProblem::Wrong(why.to_string(), None)]);
            }
            other => {
                for (level, text) in show::words(other) {
                    live.note(level, text);
                }
            }
        }
    }

    /// Notes that the run is over although the person has not quit.
    fn over(&self, end: &End) {
        let (level, why) = match end {
            End::Done => (Level::Warn, "all users have ended by themselves".to_owned()),
            End::StopTest(why) => (Level::Warn, show::stopped(why)),
            End::Failed(message) => (Level::Error, message.clone()),
            End::RunTime | End::Shape | End::Stopped => (Level::Warn, "the run is over".to_owned()),
        };
        self.live().over(level, why);
    }
}

/// A panic while the lock was held leaves nothing worse than having no screen.
fn locked(live: &Mutex<LiveScreen>) -> MutexGuard<'_, LiveScreen> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A script that can be run, and the class that has users.
struct RunnableScript {
    edition: Edition,
    class: usize,
}

/// Makes a checked script runnable; `None` if it is broken.
///
/// # Errors
/// What on the command line does not fit the script.
fn runnable(
    arguments: &arguments::Dev,
    checked: CheckedScript,
) -> Result<Option<RunnableScript>, WishError> {
    let Some(declared) = checked.scenario else {
        return Ok(None);
    };
    let name = arguments.class.as_deref();
    let (mut scenario, class) = control::select_one(&arguments.changes.changes(), name, &declared)?;
    // The number of users is the person's choice.
    scenario.shape = None;
    let bases = control::bases(arguments.shown.host.as_deref(), &scenario)?;
    let edition = Edition {
        options: debug::options(&scenario, class, arguments.users, None),
        bundle: checked.bundle,
        inputs: checked.inputs,
        declared,
        scenario,
        bases,
    };
    Ok(Some(RunnableScript { edition, class }))
}
