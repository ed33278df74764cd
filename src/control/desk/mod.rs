//! The desk: where runs are asked for, changed and ended, by whoever sits at it: the command line,
//! or people in browsers.
//!
//! Owns what a run that starts now is asked, which runs there were, and what of all this is seen
//! from outside. `Control` stays with the current run. Nothing here is printed.

mod asks;
mod granting;
mod showing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::asks::{Answer, Ask};
use self::showing::script_view;
use super::edit::Cause;
use super::prepare::{Prepared, prepare};
use super::reading::CheckedScript;
use super::view::{GenerationView, RunView, Stage, View};
use super::wish::{Wish, WishError};
use super::{Control, Exit, Happening, SaveOutcome, WatchChoice, limits};
use crate::http::without_credentials;
use crate::runner::{Edition, Setup};
use crate::script::{Bundle, File, Level, Line};

pub use asks::{AskError, Changed, DeskHandle, Looked};

/// Requests that may wait for the desk.
const MOST_ASKS: usize = 64;

/// Runs that are kept when they are over.
const MOST_FINISHED: usize = 10;

/// Where the script comes from.
#[derive(Clone, Debug)]
pub enum ScriptSource {
    /// A file, read for each run.
    File(PathBuf),
    /// A text that is part of Katydid.
    Text(Bundle),
}

/// A run that has started, for outputs and the log.
#[derive(Debug)]
pub struct Started {
    /// Counted from 1 in this process.
    pub number: u32,
    /// The run as it is seen.
    pub run: Arc<RunView>,
    /// What the script's top level printed.
    pub printed: Vec<Line>,
    /// What a person should know before it runs.
    pub remarks: Vec<String>,
}

/// What happens at the desk.
pub enum DeskEvent {
    /// A run was asked for from outside, and has started.
    Started(Box<Started>),
    /// A change from outside brought this for the log.
    Told(Vec<(Level, String)>),
    /// Something around the current run.
    Happening(Happening),
}

/// An edition on its way into service.
struct Pending {
    generation: GenerationView,
    ends: Option<Duration>,
    host: String,
    is_shaped: bool,
}

/// An edition that the current run could take over.
struct NextEdition {
    edition: Edition,
    /// Each a warning.
    remarks: Vec<String>,
    pending: Pending,
}

/// See the module.
pub struct Desk {
    control: Control,
    source: ScriptSource,
    wish: Arc<Wish>,
    asks: mpsc::Receiver<Ask>,
    asks_in: mpsc::Sender<Ask>,
    view: watch::Sender<Arc<View>>,
    pending: Vec<Pending>,
    /// Who waits to hear what became of the script.
    looks: Vec<Answer<Looked>>,
    /// Keeps secrets out of everything shown.
    hide: fn(Vec<String>),
    /// Whether a person asked for the end of the process.
    is_interrupted: bool,
}

impl Desk {
    /// A desk without a run. `hide` keeps secrets out of everything shown.
    #[must_use]
    pub fn new(
        control: Control,
        source: ScriptSource,
        wish: Wish,
        checked: &CheckedScript,
        hide: fn(Vec<String>),
    ) -> Desk {
        let (asks_in, asks) = mpsc::channel(MOST_ASKS);
        let wish = Arc::new(wish);
        let view = View {
            seq: 0,
            stage: Stage::Ready,
            run: None,
            finished: Arc::default(),
            script: Arc::new(script_view(checked, None)),
            wish: wish.clone(),
            exit: None,
        };
        Desk {
            control,
            source,
            wish,
            asks,
            asks_in,
            view: watch::Sender::new(Arc::new(view)),
            pending: Vec::new(),
            looks: Vec::new(),
            hide,
            is_interrupted: false,
        }
    }

    /// The way here from another thread.
    #[must_use]
    pub fn handle(&self) -> DeskHandle {
        DeskHandle {
            asks: self.asks_in.clone(),
            view: self.view.subscribe(),
        }
    }

    /// What is seen from outside.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// Follows the script's file from now on, if it has one. Returns lines for the log. Must be
    /// called in a tokio runtime.
    pub fn follow(
        &mut self,
        checked: &CheckedScript,
        watching: WatchChoice,
    ) -> Vec<(Level, String)> {
        let ScriptSource::File(path) = &self.source else {
            return Vec::new();
        };
        let known = (&checked.bundle, &checked.inputs);
        let broken = checked.scenario.is_none().then_some(&checked.findings);
        let params = self.wish.params.clone();
        match self
            .control
            .follow(path.clone(), params, known, watching, broken)
        {
            Ok(notes) => {
                self.publish(|view| {
                    let is_watched = watching != WatchChoice::No;
                    Arc::make_mut(&mut view.script).is_watched = is_watched;
                });
                notes
            }
            Err(error) => vec![(Level::Warn, format!("the script is not followed: {error}"))],
        }
    }

    /// Starts a run of a script that has just been checked.
    ///
    /// # Errors
    /// Why it can't start.
    pub async fn begin(&mut self, checked: CheckedScript) -> Result<Started, AskError> {
        let wish = self.wish.clone();
        self.start(wish, checked).await
    }

    /// Whether there is a run, even one about to end.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.control.is_running()
    }

    /// Whether a person asked for the end of the process.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// Tells everyone who watches that the process ends.
    pub fn close(&mut self, exit: Exit) {
        self.publish(|view| view.exit = Some(exit));
    }

    /// What happens next. Cancelling loses no happening; a request that is being granted is
    /// granted, but nobody learns of it.
    pub async fn next(&mut self) -> DeskEvent {
        loop {
            tokio::select! {
                happening = self.control.next() => {
                    self.take(&happening);
                    return DeskEvent::Happening(happening);
                }
                Some(ask) = self.asks.recv() => {
                    if let Some(event) = self.grant(ask).await {
                        return event;
                    }
                }
            }
        }
    }

    /// Goes on with a save that has been reported: with its edition during a run, else with its
    /// form. Returns lines for the log.
    pub async fn saved(&mut self, outcome: SaveOutcome) -> Vec<(Level, String)> {
        let SaveOutcome::Edited { checked, .. } = outcome else {
            return Vec::new();
        };
        if !self.control.is_running() {
            self.control.read(&checked);
            self.looked(Ok(Looked::Edited));
            return Vec::new();
        }
        let wish = self.wish.clone();
        match self.next_edition(&wish, *checked, Cause::Saved) {
            Ok(next) => {
                let lines = match next {
                    Some(next) => self.hand_over(next).await,
                    None => Vec::new(),
                };
                self.looked(Ok(Looked::Edited));
                lines
            }
            Err(error) => {
                self.control.refuse();
                self.looked(Err(AskError::Wish(error.clone())));
                let hint = error.hint.map(|hint| (Level::Error, hint));
                let goes_on = "the script that runs goes on".to_owned();
                let lines = [(Level::Error, error.message)].into_iter().chain(hint);
                lines.chain([(Level::Error, goes_on)]).collect()
            }
        }
    }

    /// Answers those who asked for the script to be read, if this is what became of it.
    fn looked(&mut self, result: Result<Looked, AskError>) {
        if self.control.was_asked() {
            for answer in self.looks.drain(..) {
                let _ = answer.send(result.clone());
            }
        }
    }

    /// The edition of a checked script for the current run. Changes nothing.
    fn next_edition(
        &self,
        wish: &Wish,
        checked: CheckedScript,
        cause: Cause,
    ) -> Result<Option<NextEdition>, WishError> {
        let files = checked.shown.clone();
        let Some(Prepared { edition, remarks }) = prepare(wish, checked)? else {
            return Ok(None);
        };
        let pending = Pending {
            generation: self.generation(wish, &edition, cause, files),
            ends: edition.options.plan.end(),
            host: host_of(&edition),
            is_shaped: edition.scenario.shape.is_some(),
        };
        Ok(Some(NextEdition {
            edition,
            remarks,
            pending,
        }))
    }

    /// Hands an edition to the current run. Returns lines for the log.
    async fn hand_over(&mut self, next: NextEdition) -> Vec<(Level, String)> {
        self.pending.push(next.pending);
        let more = self.control.reload(next.edition).await;
        let remarks = next.remarks.into_iter().chain(more);
        remarks.map(|remark| (Level::Warn, remark)).collect()
    }

    fn generation(
        &self,
        wish: &Wish,
        edition: &Edition,
        cause: Cause,
        files: Vec<File>,
    ) -> GenerationView {
        let script = &self.view.borrow().script;
        GenerationView {
            number: 1,
            hash: edition.hash(),
            cause,
            files,
            params: script.shown_params(&wish.params),
            scenario: Arc::new(edition.scenario.clone()),
        }
    }

    async fn start(
        &mut self,
        wish: Arc<Wish>,
        checked: CheckedScript,
    ) -> Result<Started, AskError> {
        let printed = checked.printed.clone();
        let files = checked.shown.clone();
        let prepared = prepare(&wish, checked).map_err(AskError::Wish)?;
        let Some(Prepared { edition, remarks }) = prepared else {
            return Err(AskError::Script(self.view.borrow().script.clone()));
        };
        let last = self.view.borrow().run.as_ref().map(|last| last.number);
        let number = last.map_or(1, |last| last + 1);
        let run = RunView {
            number,
            label: wish.label.clone(),
            script: edition.bundle.files()[0].path.clone(),
            host: host_of(&edition),
            seed: edition.inputs.seed,
            ends: edition.options.plan.end(),
            is_shaped: edition.scenario.shape.is_some(),
            summary: None,
            generations: vec![Arc::new(self.generation(
                &wish,
                &edition,
                Cause::Start,
                files,
            ))],
            waits_for: 0,
            why: None,
        };
        let setup = Setup {
            threads: wish.threads.unwrap_or_else(limits::cores),
            edition: Arc::new(edition),
            observer: None,
        };
        let started = self.control.start(setup).await;
        started.map_err(|why| AskError::Unable(why.to_string()))?;
        self.control.given(&wish.params);
        self.wish = wish.clone();
        self.pending.clear();
        let run = Arc::new(run);
        self.publish(|view| {
            view.stage = Stage::Starting;
            view.run = Some(run.clone());
            view.wish = wish;
        });
        Ok(Started {
            number,
            run,
            printed,
            remarks,
        })
    }
}

/// Where most requests go, without a password.
fn host_of(edition: &Edition) -> String {
    let host = edition.bases.iter().flatten().next();
    let host = host.map(|host| without_credentials(host).into_owned());
    host.unwrap_or_default()
}
