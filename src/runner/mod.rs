//! A run: load threads, spawning, collecting, stopping.
//!
//! Owns the one loop of a run and the [`Handle`] that steers and watches it. Checking a script and
//! computing or showing a summary are done elsewhere.
//!
//! ```text
//! Handle ─► inbox ─► run ─► fleet ─► Order ─► threads, one member of perhaps several ─► load threads
//! Summary ◄─ watch ◄─ numbers ◄─ Batch ◄──────────────────────────────────────────────┤
//!             inbox ◄─ News: ready, prepared, how many users there are, ended ◄───────┘
//! ```

mod assignments;
mod control;
mod crew;
mod edition;
pub mod elsewhere;
mod emergency;
mod fleet;
mod holding;
mod hooks;
mod inbox;
mod load_thread;
mod memory;
mod moves;
mod numbers;
mod places;
mod plan_progress;
mod reload;
mod reports;
mod run;
mod shape;
mod takeover;
#[cfg(test)]
mod tests;
mod threads;
mod unable;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::load::{Change, Plan};
use crate::script::{Line, Observer};
use crate::stats::Summary;
use crate::units::Rate;

#[cfg(test)]
pub(crate) use assignments::{Assignment, Assignments};
pub use edition::Edition;
#[cfg(test)]
pub(crate) use fleet::MemberId;
pub use memory::allowed as allowed_memory;
#[cfg(test)]
pub(crate) use reload::{Reload, ReloadStep};
use run::Wish;
pub use run::{Opening, Refusal, go_on, open, start};
pub use unable::Unable;
pub use usage::{Used, used};

/// The options of a run, fully resolved.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many users there should be when, and when the run ends.
    pub plan: Arc<Plan>,
    /// Iterations over all users; `None` for no limit.
    pub iterations: Option<u64>,
    /// What a running task gets to finish when its user is stopped.
    pub stop_timeout: Duration,
    /// What all `on_stop` together get.
    pub on_stop_timeout: Duration,
}

/// Everything the load threads need to begin, the same for all of them.
#[derive(Debug)]
pub struct Setup {
    /// The script that the run begins with.
    pub edition: Arc<Edition>,
    /// The number of load threads; each machine may have a different one.
    pub threads: u32,
    /// Sees everything that users do, for debugging.
    pub observer: Option<Observer>,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has begun yet.
    Starting,
    /// `setup` and listeners of `test_start` run.
    SettingUp,
    /// Users are being started.
    Spawning,
    /// All users have been started.
    Running,
    /// Users finish their iteration and wait, and plan time stands still.
    Paused,
    /// Users are being stopped, for this reason.
    Stopping(End),
    /// It is over; the last summary is final.
    Ended(Ended),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub why: End,
    /// The script's `exit_code`.
    pub exit_code: Option<u8>,
    /// Files of `append` that could not be written: why, each.
    pub unwritten: Vec<String>,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time was up.
    RunTime,
    /// Its shape was over.
    Shape,
    /// All users had ended by themselves, or the iterations were used up.
    Done,
    /// It was stopped through its handle, such as by Ctrl-C.
    Stopped,
    /// A script called `stop_test`.
    StopTest(String),
    /// It could not go on; what was measured until then is kept.
    Failed(String),
}

/// Steers and watches a run. Clones are equivalent; when the last one is dropped, the run stops.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
    summary: watch::Receiver<Arc<Summary>>,
    notices: broadcast::Sender<Notice>,
}

/// What a handle can ask for.
#[derive(Debug)]
enum Command {
    Stop,
    Kill,
    Ask(Wish, oneshot::Sender<Result<(), Refusal>>),
}

impl Handle {
    /// Stops the run gracefully: running tasks get the stop timeout, then `on_stop` runs.
    pub fn stop(&self) {
        // If the queue is full, there is already a command in it that stops the run.
        let _ = self.commands.try_send(Command::Stop);
    }

    /// Ends the run at once, without `on_stop`; what was measured is kept.
    pub fn kill(&self) {
        let _ = self.commands.try_send(Command::Kill);
    }

    /// Goes to another number of users at `rate` a second; the last started stop first. A request
    /// made during `setup`, here or with one of the functions below, is carried out and answered
    /// when `setup` is over.
    ///
    /// # Errors
    /// Under a shape with numbers for each class, when the run is stopping or over, and when too
    /// many requests are pending during `setup`.
    ///
    /// Dropping the future after its first poll does not take the request back.
    pub async fn set_users(&self, users: u32, rate: Rate) -> Result<(), Refusal> {
        self.ask(Wish::Users { users, rate }).await
    }

    /// Limits the run to this time from its first user on, pauses not counted; if that has passed, the run ends at
    /// once. `None` for no limit. A shape still ends it.
    ///
    /// # Errors
    /// When the run is stopping or over, and when too many requests are pending during `setup`.
    pub async fn set_run_time(&self, run_time: Option<Duration>) -> Result<(), Refusal> {
        self.ask(Wish::RunTime(run_time)).await
    }

    /// Pauses the run: users finish their iteration and wait, and no others start. What the plan
    /// decides, paces and the run time stand still until [`Handle::resume`]. A new number of users
    /// is gone to after that; an edition goes into service during the pause.
    ///
    /// # Errors
    /// When the run is paused, stopping or over, and when too many requests are pending during
    /// `setup`.
    pub async fn pause(&self) -> Result<(), Refusal> {
        self.ask(Wish::Pause).await
    }

    /// Goes on after a pause, from where the run stood.
    ///
    /// # Errors
    /// When the run is not paused, is stopping or over, and when too many requests are pending
    /// during `setup`.
    pub async fn resume(&self) -> Result<(), Refusal> {
        self.ask(Wish::Resume).await
    }

    /// Resets all figures to zero; the timeline and the marks stay.
    ///
    /// # Errors
    /// When the run is stopping or over, and when too many requests are pending during `setup`.
    pub async fn reset(&self) -> Result<(), Refusal> {
        self.ask(Wish::Reset).await
    }

    /// Adds a note to the run's timeline.
    ///
    /// # Errors
    /// When the run is stopping or over, and when too many requests are pending during `setup`.
    pub async fn note(&self, text: String) -> Result<(), Refusal> {
        self.ask(Wish::Note(text)).await
    }

    async fn ask(&self, wish: Wish) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(Command::Ask(wish, answer)).await;
        sent.map_err(|_| Refusal::Ended)?;
        answered.await.unwrap_or(Err(Refusal::Ended))
    }

    /// Switches to an edited script: the load threads compile it one after the other, and when all
    /// have, it goes into service on all of them. Each user switches between two iterations; no
    /// user is stopped for it and no request is cut. If one thread fails, nothing changes.
    ///
    /// [`Notice::Reloaded`] or [`Notice::NotReloaded`] gives the outcome, and
    /// [`Summary::generations`](crate::stats::Summary::generations) records it. While users are
    /// still in the generation before the one in service, an edition waits, and a later one
    /// replaces it.
    ///
    /// # Errors
    /// When the run is stopping or over. `Ok` means accepted, not yet in service.
    pub async fn reload(&self, edition: Arc<Edition>) -> Result<(), Refusal> {
        self.ask(Wish::Reload(edition)).await
    }

    /// The state, and its changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Notices from now on; every reader gets all of them.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// The result so far, about once a second; after the end the final one.
    #[must_use]
    pub fn summary(&self) -> watch::Receiver<Arc<Summary>> {
        self.summary.clone()
    }
}

/// News of a run for people to read. Bounded: a reader that falls behind loses the oldest notices
/// and learns how many.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A script printed it.
    Script(Line),
    /// Users are being started or stopped. A ramp that only continues in the direction of one
    /// announced in the last seconds is left out.
    Ramping(Change),
    /// The last [`Notice::Ramping`] is complete; some users may have ended already.
    Arrived(Change),
    /// The run is paused.
    Paused,
    /// The run goes on after a pause.
    Resumed,
    /// The first iterations made no request and recorded nothing.
    NothingMeasured {
        /// How many there have been.
        iterations: u64,
    },
    /// An edited script is in service.
    Reloaded {
        /// The number of its generation, from 2.
        generation: u16,
        /// What names it.
        hash: String,
        /// What its author should know, such as which keys of a user's state were reset.
        remarks: Vec<String>,
    },
    /// An edited script could not go into service; the previous one stays.
    NotReloaded(Unable),
    /// An edited script waits for users that are still in the generation before the current one.
    ReloadWaits {
        /// How many.
        users: u32,
    },
    /// More names of requests than are kept apart.
    TooManyNames,
    /// `setup` (or a listener of `test_start`) is still running.
    SettingUp {
        /// For how many whole seconds.
        seconds: u64,
    },
    /// A function that runs once exceeded its time limit and was ended.
    Late {
        /// Such as `teardown`.
        what: &'static str,
        /// The time it was given.
        limit: Duration,
    },
}
