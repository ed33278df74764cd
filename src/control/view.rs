//! What `control` says of itself to whoever watches from another thread, such as the web UI.
//!
//! Plain data behind pointers: publishing a view costs a few counters, and reading it holds up
//! nobody.

use std::sync::Arc;
use std::time::Duration;

use super::edit::Cause;
use super::wish::Wish;
use super::{Exit, FinishedRun};
use crate::runner::End;
use crate::scenario::{Param, Scenario};
use crate::script::File;
use crate::script::diagnostic::Diagnostics;
use crate::stats::Summary;

/// Where the current or the last run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There has been no run yet.
    Ready,
    /// Load threads start.
    Starting,
    /// `setup` runs.
    SettingUp,
    /// Users are being started.
    Spawning,
    /// All users have been started.
    Running,
    /// Users finish their iteration and wait.
    Paused,
    /// Users are being stopped.
    Stopping(End),
    /// It is over.
    Stopped(End),
}

impl Stage {
    /// Whether a run is at hand: it can be stopped, and no other can be started.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !matches!(self, Stage::Ready | Stage::Stopped(_))
    }
}

/// Everything there is to see. Each one published has a higher `seq`.
#[derive(Clone, Debug)]
pub struct View {
    /// Counts what was published.
    pub seq: u64,
    /// Where the current or the last run stands.
    pub stage: Stage,
    /// The current or the last run.
    pub run: Option<Arc<RunView>>,
    /// Runs that are over, oldest first: the latest ten.
    pub finished: Arc<Vec<Arc<RunView>>>,
    /// The script as it was last read.
    pub script: Arc<ScriptView>,
    /// What a run that starts now is asked.
    pub wish: Arc<Wish>,
    /// Set once, when the process is about to end: how.
    pub exit: Option<Exit>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct RunView {
    /// Counted from 1 in this process.
    pub number: u32,
    /// What a person calls it.
    pub label: String,
    /// The script, as it was named.
    pub script: String,
    /// Where requests go, without a password.
    pub host: String,
    /// Of all random choices.
    pub seed: u64,
    /// When it ends by itself, counted from its first user; `None` if it does not.
    pub ends: Option<Duration>,
    /// Whether the script decides how many users there are.
    pub is_shaped: bool,
    /// The figures so far; `None` before the first.
    pub summary: Option<Arc<Summary>>,
    /// What each generation was made of, in their order.
    pub generations: Vec<Arc<GenerationView>>,
    /// So many users are still in an older generation and an edition waits for them.
    pub waits_for: u32,
    /// Why it ended, once it has.
    pub why: Option<End>,
}

/// A script in service.
#[derive(Clone, Debug)]
pub struct GenerationView {
    /// From 1.
    pub number: u16,
    /// Of the script, its imports and its data.
    pub hash: String,
    /// Why it went into service.
    pub cause: Cause,
    /// Its text, with secrets hidden.
    pub files: Vec<File>,
    /// The parameters that were given, secrets as `***`.
    pub params: Vec<(String, String)>,
    /// What the run made of it: its classes and tasks, without those that were not selected.
    pub scenario: Arc<Scenario>,
}

/// The script as it was last read.
#[derive(Clone, Debug, Default)]
pub struct ScriptView {
    /// As it was named.
    pub path: String,
    /// Its text, with secrets hidden.
    pub files: Vec<File>,
    /// What is wrong with it, or doubtful.
    pub findings: Diagnostics,
    /// Why it could not be read at all; empty if it could.
    pub unreadable: String,
    /// What it declares; of the last one without errors.
    pub declared: Option<Arc<Scenario>>,
    /// Whether it can be run as it was last read.
    pub is_ok: bool,
    /// Of its text and data.
    pub hash: String,
    /// When it was read, µs since 1970.
    pub read_unix_us: i64,
    /// Whether a save is noticed.
    pub is_watched: bool,
}

impl ScriptView {
    /// A parameter that it takes.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&Param> {
        let params = &self.declared.as_ref()?.params;
        params.iter().find(|param| param.name == name)
    }

    /// Values as they may be seen: secrets as `***`.
    pub(super) fn shown_params(&self, params: &[(String, String)]) -> Vec<(String, String)> {
        let shown = |(name, value): &(String, String)| {
            let is_plain = self.param(name).is_some_and(|param| !param.secret);
            let value = if is_plain { value } else { "***" };
            (name.clone(), value.to_owned())
        };
        params.iter().map(shown).collect()
    }
}

impl RunView {
    /// This run when it is over.
    pub(super) fn finished(&self, run: &FinishedRun) -> RunView {
        RunView {
            summary: Some(run.summary.clone()),
            why: Some(run.why.clone()),
            waits_for: 0,
            ..self.clone()
        }
    }
}
