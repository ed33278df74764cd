//! What is asked of the desk from other threads, and why it may refuse.
//!
//! Owns the way there and back; `granting` does what is asked.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::control::edit::Edit;
use crate::control::view::{ScriptView, Stage, View};
use crate::control::wish::WishError;
use crate::runner::Refusal;

/// What is asked of the desk from another thread.
pub(super) enum Ask {
    Start(Edit, Answer<u32>),
    Change(Option<u32>, Edit, Answer<Changed>),
    Configure(Edit, Answer<()>),
    Stop(bool, Answer<()>),
    Pause(Answer<()>),
    Resume(Answer<()>),
    Reset(Answer<()>),
    Note(String, Answer<()>),
    Reload(Answer<Looked>),
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, AskError>>;

/// Why the desk refuses. Whatever it refuses has changed nothing.
#[derive(Clone, Debug)]
pub enum AskError {
    /// Not in this stage of a run.
    Stage(Stage),
    /// Another run is at hand: its number.
    OtherRun(u32),
    /// A field does not fit the script.
    Wish(WishError),
    /// The script has mistakes, or cannot be read.
    Script(Arc<ScriptView>),
    /// A shape of the script decides how many users there are.
    Shaped,
    /// The run refuses.
    Run(Refusal),
    /// The load threads cannot start.
    Unable(String),
    /// The process is ending.
    Ending,
}

/// What became of a script that was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It has not changed.
    Same,
    /// It has, and can be run. During a run its edition is on its way into service.
    Edited,
    /// It has mistakes, which the view tells.
    Broken,
    /// It could not be read; the view tells why.
    Unreadable,
}

/// What a change came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// In words, each thing that was done.
    pub done: Vec<String>,
    /// An edition is on its way into service.
    pub is_reloading: bool,
}

/// The way to the desk from another thread.
#[derive(Clone)]
pub struct DeskHandle {
    pub(super) asks: mpsc::Sender<Ask>,
    pub(super) view: watch::Receiver<Arc<View>>,
}

impl DeskHandle {
    /// What there is to see, and its changes.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Starts a run with these changes to the wish; returns its number. The script is read anew.
    ///
    /// # Errors
    /// Why it can't start; then nothing has changed.
    pub async fn start(&self, edit: Edit) -> Result<u32, AskError> {
        self.ask(|answer| Ask::Start(edit, answer)).await
    }

    /// Changes the current run, if it has this number.
    ///
    /// # Errors
    /// Why it can't be changed so; then nothing has changed.
    pub async fn change(&self, run: Option<u32>, edit: Edit) -> Result<Changed, AskError> {
        self.ask(|answer| Ask::Change(run, edit, answer)).await
    }

    /// Changes what the current run is asked, or the next one if there is none.
    ///
    /// # Errors
    /// Why it can't be changed so; then nothing has changed.
    pub async fn configure(&self, edit: Edit) -> Result<(), AskError> {
        self.ask(|answer| Ask::Configure(edit, answer)).await
    }

    /// Stops the current run; at once, or as its time limits say. Returns when that has begun.
    ///
    /// # Errors
    /// Without a run that could be stopped.
    pub async fn stop(&self, is_at_once: bool) -> Result<(), AskError> {
        self.ask(|answer| Ask::Stop(is_at_once, answer)).await
    }

    /// Pauses the current run; during `setup`, once that is over.
    ///
    /// # Errors
    /// Without a run, or when it is paused or stopping.
    pub async fn pause(&self) -> Result<(), AskError> {
        self.ask(Ask::Pause).await
    }

    /// Goes on with the current run after a pause.
    ///
    /// # Errors
    /// Without a run, or when it is not paused.
    pub async fn resume(&self) -> Result<(), AskError> {
        self.ask(Ask::Resume).await
    }

    /// Sets the figures of the current run to zero; during `setup`, when that is over.
    ///
    /// # Errors
    /// Without a run, or when it is stopping.
    pub async fn reset(&self) -> Result<(), AskError> {
        self.ask(Ask::Reset).await
    }

    /// Adds a note to the timeline of the current run; during `setup`, when that is over.
    ///
    /// # Errors
    /// Without a run, or when it is stopping.
    pub async fn note(&self, text: String) -> Result<(), AskError> {
        self.ask(|answer| Ask::Note(text, answer)).await
    }

    /// Reads the script again as a signal would.
    ///
    /// # Errors
    /// While a run is stopping; when the wish does not fit the script any more.
    pub async fn reload(&self) -> Result<Looked, AskError> {
        self.ask(Ask::Reload).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(Answer<T>) -> Ask) -> Result<T, AskError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.asks.send(ask(answer)).await;
        sent.map_err(|_| AskError::Ending)?;
        answered.await.unwrap_or(Err(AskError::Ending))
    }
}
