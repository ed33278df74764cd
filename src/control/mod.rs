//! Staying with runs: the script being followed, the current run, what a person asked for.
//!
//! Owns the one loop around a run, from its start to its exit code, whatever displays it. Runs may
//! follow one another. The caller decides what is shown, and how; the runner owns what happens
//! within a run.
//!
//! ```text
//! reading ─► Edition ─► Control::start ─► Control::next ─► Happening ─► screens, outputs
//! follow  ─► Happening::Saved ─► Control::reload ─┘             └─► Finished ─► Exit
//! ```

mod desk;
mod edit;
mod follow;
mod interrupts;
mod limits;
mod prepare;
mod preview;
mod reading;
mod resolve;
mod select;
mod view;
mod wish;

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;

use self::follow::Follower;
use crate::runner::{self, Edition, End, Ended, Handle, Notice, Setup, State, Unable};
use crate::script::diagnostic::Diagnostics;
use crate::script::{Bundle, Inputs, Level};
use crate::stats::Summary;

pub use desk::{AskError, Changed, Desk, DeskEvent, DeskHandle, Looked, ScriptSource, Started};
pub use edit::{Cause, Edit};
pub use follow::{SaveOutcome, WatchChoice};
pub use interrupts::Interrupts;
pub use limits::{cores, raise_open_files};
pub use prepare::{Prepared, no_host, prepare};
pub use preview::{Preview, preview};
pub use reading::{CheckInput, CheckedScript, evaluate, read};
pub(crate) use resolve::bases;
pub(crate) use select::{select, select_one};
pub use view::{GenerationView, RunView, ScriptView, Stage, View};
pub use wish::{Changes, Selection, Wish, WishError};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Ok,
    /// Requests failed or the script threw; the code is that of `--exit-code-on-error`.
    Failures(u8),
    /// The script asked for this code.
    Script(u8),
    /// Wrong usage, or a script that does not load.
    Usage,
    /// The run or a report could not be completed.
    Incomplete,
    /// Ended at once by a second Ctrl-C.
    Killed,
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failures(code) | Exit::Script(code) => code,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Killed => 130,
        }
    }
}

/// What happens around a run.
pub enum Happening {
    /// The figures so far, about once a second.
    Summary(Arc<Summary>),
    /// The run has entered this state, which is not yet its end.
    Entered(State),
    /// The run has something for a person to read.
    Notice(Notice),
    /// This many notices were lost, because they were not taken in time.
    Lost(u64),
    /// The script was saved.
    Saved(SaveOutcome),
    /// A person pressed Ctrl-C or the like. The first stops the run gracefully, the next ends it at
    /// once; both have already been passed on to the run.
    Interrupted {
        /// Whether it is the first during this run.
        is_first: bool,
    },
    /// The run is stopping, for this reason.
    Stopping(End),
    /// The run is over, and everything it had to say has been returned.
    Finished(FinishedRun),
}

/// A run that is over.
#[derive(Debug)]
pub struct FinishedRun {
    /// Why.
    pub why: End,
    /// How often a person asked for the end.
    pub interrupts: u32,
    /// Files of `append` that could not be written, each with the reason.
    pub unwritten: Vec<String>,
    /// The final figures.
    pub summary: Arc<Summary>,
    /// The run ended before it took over the last edition: that is for the next run.
    pub is_reload_pending: bool,
    exit_code: Option<u8>,
}

impl FinishedRun {
    /// How the process ends after this run. `is_complete` tells whether all outputs are complete;
    /// `on_failures` is the code for failed requests and scripts that threw.
    #[must_use]
    pub fn exit(&self, is_complete: bool, on_failures: u8) -> Exit {
        match (&self.why, self.exit_code) {
            _ if self.interrupts > 1 => Exit::Killed,
            (End::Failed(_), _) => Exit::Incomplete,
            _ if !is_complete || !self.unwritten.is_empty() => Exit::Incomplete,
            (_, Some(code)) => Exit::Script(code),
            _ if self.summary.total.failures > 0 || !self.summary.exceptions.is_empty() => {
                Exit::Failures(on_failures)
            }
            _ => Exit::Ok,
        }
    }
}

/// How a run is started: with load threads of this process, or of others. Given to a [`Control`], which
/// need not know.
pub type Starter = Box<dyn Fn(Arc<Setup>) -> Starting>;

/// A run that is being started.
pub type Starting = Pin<Box<dyn Future<Output = Result<Handle, Unable>>>>;

/// Stays with runs, one after another.
pub struct Control {
    interrupts: Interrupts,
    /// `None` for load threads of this process.
    starter: Option<Starter>,
    follower: Option<Follower>,
    run: Option<CurrentRun>,
}

/// The current run.
struct CurrentRun {
    handle: Handle,
    state: watch::Receiver<State>,
    summary: watch::Receiver<Arc<Summary>>,
    notices: broadcast::Receiver<Notice>,
    interrupts: u32,
    is_stopping: bool,
    is_reload_pending: bool,
    /// The run is over, but there may still be notices.
    ended: Option<Ended>,
}

/// The result of one wait.
enum Event {
    State,
    Summary,
    Notice(Result<Notice, RecvError>),
    Saved(SaveOutcome),
    Interrupt,
}

impl Control {
    /// Starts out without a run and without a script to follow.
    #[must_use]
    pub fn new(interrupts: Interrupts) -> Control {
        Control {
            interrupts,
            starter: None,
            follower: None,
            run: None,
        }
    }

    /// Starts runs in another way than with load threads of this process.
    #[must_use]
    pub fn starting(self, starter: Starter) -> Control {
        Control {
            starter: Some(starter),
            ..self
        }
    }

    /// Follows the script at `path` from now on, which was `known` when it was read; with findings,
    /// if that could not be run. Returns what a person should know about how its files are watched.
    /// Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn follow(
        &mut self,
        path: PathBuf,
        params: Vec<(String, String)>,
        known: (&Bundle, &Inputs),
        watching: WatchChoice,
        broken: Option<&Diagnostics>,
    ) -> io::Result<Vec<(Level, String)>> {
        let follower = Follower::new(path, params, known, watching)?;
        let mut follower = match broken {
            Some(findings) => follower.broken(findings),
            None => follower,
        };
        let notes = follower.notes();
        self.follower = Some(follower);
        Ok(notes)
    }

    /// Starts a run, replacing one that is over. Must be called in a tokio runtime with local
    /// tasks.
    ///
    /// # Errors
    /// Why the load threads cannot start.
    pub async fn start(&mut self, setup: Setup) -> Result<(), Unable> {
        self.run = None;
        if let Some(follower) = &mut self.follower {
            follower.took(&setup.edition);
        }
        let setup = Arc::new(setup);
        let handle = match &self.starter {
            None => runner::start(setup).await?,
            // What is waited for may never come.
            Some(starter) => tokio::select! {
                handle = starter(setup) => handle?,
                () = self.interrupts.next() => {
                    return Err(Unable::System("interrupted before the run began".to_owned()));
                }
            },
        };
        let mut summary = handle.summary();
        summary.mark_unchanged();
        self.run = Some(CurrentRun {
            state: handle.state(),
            notices: handle.notices(),
            summary,
            handle,
            interrupts: 0,
            is_stopping: false,
            is_reload_pending: false,
            ended: None,
        });
        Ok(())
    }

    /// Hands an edition to the current run; if that is about to end, the edition is for the next.
    /// Returns what a person should know about its data.
    pub async fn reload(&mut self, edition: Edition) -> Vec<String> {
        let remarks = match &mut self.follower {
            Some(follower) => follower.took(&edition),
            None => Vec::new(),
        };
        if let Some(run) = self.run.as_mut() {
            // A run only refuses it when ending, and then reports it as pending.
            run.is_reload_pending = true;
            let _ = run.handle.reload(Arc::new(edition)).await;
        }
        remarks
    }

    /// Whether there is a current run, even one about to end.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// The handle that steers the current run.
    #[must_use]
    pub fn handle(&self) -> Option<&Handle> {
        Some(&self.run.as_ref()?.handle)
    }

    /// From now on, scripts are given these values for their parameters.
    fn given(&mut self, params: &[(String, String)]) {
        if let Some(follower) = &mut self.follower {
            follower.given(params);
        }
    }

    /// What the script of the current run is given when it is evaluated again, with these values for
    /// its parameters.
    fn check_input(&self, wish: &Wish) -> CheckInput {
        match &self.follower {
            Some(follower) => CheckInput {
                params: wish.params.clone(),
                ..follower.check_input()
            },
            None => CheckInput {
                user_memory: wish.user_memory,
                ..CheckInput::new(&wish.params, wish.seed)
            },
        }
    }

    /// Reads the script again, as a signal would; false if no script is followed.
    fn look_again(&mut self) -> bool {
        if let Some(follower) = &mut self.follower {
            follower.look_again();
        }
        self.follower.is_some()
    }

    /// Whether a person asked for the outcome of the last save.
    fn was_asked(&self) -> bool {
        self.follower.as_ref().is_some_and(Follower::was_asked)
    }

    /// Notes a save that no run takes over.
    fn read(&mut self, checked: &CheckedScript) {
        if let Some(follower) = &mut self.follower {
            follower.read(checked);
        }
    }

    /// Notes that the last save can't be run after all, or not with this command line.
    pub fn refuse(&mut self) {
        if let Some(follower) = &mut self.follower {
            follower.refuse();
        }
    }

    /// What happens next; without a run, only saves and interrupts. Cancelling loses nothing.
    pub async fn next(&mut self) -> Happening {
        loop {
            if let Some(happening) = self.ending() {
                return happening;
            }
            let is_stopping = self.run.as_ref().is_some_and(|run| run.is_stopping);
            let event = tokio::select! {
                event = of_run(&mut self.run) => event,
                saved = saved(&mut self.follower), if !is_stopping => Event::Saved(saved),
                () = self.interrupts.next() => Event::Interrupt,
            };
            if let Some(happening) = self.take(event) {
                return happening;
            }
        }
    }

    fn take(&mut self, event: Event) -> Option<Happening> {
        match event {
            Event::Saved(outcome) => Some(Happening::Saved(outcome)),
            Event::Interrupt => {
                let Some(run) = &mut self.run else {
                    return Some(Happening::Interrupted { is_first: true });
                };
                run.interrupts += 1;
                match run.interrupts {
                    1 => run.handle.stop(),
                    _ => run.handle.kill(),
                }
                let is_first = run.interrupts == 1;
                Some(Happening::Interrupted { is_first })
            }
            Event::Notice(notice) => self.noticed(notice),
            Event::Summary => {
                let run = self.run.as_mut()?;
                let summary = run.summary.borrow_and_update().clone();
                Some(Happening::Summary(summary))
            }
            Event::State => {
                let run = self.run.as_mut()?;
                let now = run.state.borrow_and_update().clone();
                let why = match now {
                    State::Starting
                    | State::SettingUp
                    | State::Spawning
                    | State::Running
                    | State::Paused => {
                        return Some(Happening::Entered(now));
                    }
                    State::Stopping(why) => why,
                    State::Ended(ended) => {
                        let why = ended.why.clone();
                        run.ended = Some(ended);
                        why
                    }
                };
                // A run may end before it is seen to stop.
                let was_stopping = std::mem::replace(&mut run.is_stopping, true);
                (!was_stopping).then_some(Happening::Stopping(why))
            }
        }
    }

    fn noticed(&mut self, notice: Result<Notice, RecvError>) -> Option<Happening> {
        match notice {
            Ok(notice) => {
                let is_refused = matches!(notice, Notice::NotReloaded(_));
                if is_refused && let Some(follower) = &mut self.follower {
                    follower.lost();
                }
                if let Some(run) = &mut self.run {
                    let is_answer = is_refused || matches!(notice, Notice::Reloaded { .. });
                    run.is_reload_pending &= !is_answer;
                }
                Some(Happening::Notice(notice))
            }
            Err(RecvError::Lagged(lost)) => Some(Happening::Lost(lost)),
            Err(RecvError::Closed) => None,
        }
    }

    /// What a finished run still has to give: its last notices, then its result.
    fn ending(&mut self) -> Option<Happening> {
        let run = self.run.as_mut()?;
        run.ended.as_ref()?;
        match run.notices.try_recv() {
            Ok(notice) => return self.noticed(Ok(notice)),
            Err(TryRecvError::Lagged(lost)) => return Some(Happening::Lost(lost)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => {}
        }
        let run = self.run.take()?;
        let ended = run.ended?;
        let summary = run.summary.borrow().clone();
        Some(Happening::Finished(FinishedRun {
            why: ended.why,
            interrupts: run.interrupts,
            unwritten: ended.unwritten,
            summary,
            is_reload_pending: run.is_reload_pending,
            exit_code: ended.exit_code,
        }))
    }
}

/// What happens within the current run; pends forever without one.
async fn of_run(run: &mut Option<CurrentRun>) -> Event {
    let Some(run) = run else {
        return std::future::pending().await;
    };
    tokio::select! {
        changed = run.state.changed() => {
            if changed.is_err() {
                let why = End::Failed("the run ended without a result".to_owned());
                run.ended = Some(Ended { why, exit_code: None, unwritten: Vec::new() });
            }
            Event::State
        }
        Ok(()) = run.summary.changed() => Event::Summary,
        notice = run.notices.recv() => Event::Notice(notice),
    }
}

/// The outcome of the next save; pends forever if no script is followed.
async fn saved(follower: &mut Option<Follower>) -> SaveOutcome {
    match follower {
        Some(follower) => follower.next().await,
        None => std::future::pending().await,
    }
}
