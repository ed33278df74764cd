//! A run: when meets who. Load threads, spawning, collecting, stopping.
//!
//! Owns the one loop of a run and the [`Handle`] by which everybody steers and watches it. How a
//! script is checked, a summary computed or shown is not its business.
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

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::load::{Change, Plan};
use crate::script::{Line, Observer};
use crate::stats::Summary;
use crate::units::Rate;

pub use edition::Edition;
pub use memory::allowed as allowed_memory;
use run::Wish;
pub use run::{Refusal, start};
pub use unable::Unable;

/// What a person asked for, everything resolved.
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
    /// Load threads: each machine has its own number.
    pub threads: u32,
    /// The environment, for `env`.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Who looks on at all that users do, for debugging one of them.
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
    /// What its script asked for with `exit_code`.
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
    /// A person stopped it.
    Stopped,
    /// A script called `stop_test`.
    StopTest(String),
    /// It could not go on; what was measured until then is kept.
    Failed(String),
}

/// Steers a run and watches it. Clones do the same. When the last one is gone, the run stops.
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
        // A full queue holds commands enough to stop it.
        let _ = self.commands.try_send(Command::Stop);
    }

    /// Ends the run at once, without `on_stop`; what was measured is kept.
    pub fn kill(&self) {
        let _ = self.commands.try_send(Command::Kill);
    }

    /// Goes to another number of users at `rate` a second; the last started stop first. What is asked
    /// for during `setup`, here or in the three functions below, is done and answered when it is over.
    ///
    /// # Errors
    /// Under a shape with numbers for each class, when the run is stopping or over, and during `setup`
    /// when more is asked for than the run remembers.
    ///
    /// Dropping the future after its first poll changes nothing: the run does it all the same.
    pub async fn set_users(&self, users: u32, rate: Rate) -> Result<(), Refusal> {
        self.ask(Wish::Users { users, rate }).await
    }

    /// Ends the run when it has gone on for so long from its first user on, which may be at once;
    /// `None` for no limit. The end of a shape stays.
    ///
    /// # Errors
    /// When the run is stopping or over, and during `setup` when more is asked for than the run
    /// remembers.
    pub async fn set_run_time(&self, run_time: Option<Duration>) -> Result<(), Refusal> {
        self.ask(Wish::RunTime(run_time)).await
    }

    /// Sets all figures to zero; the timeline and the marks stay.
    ///
    /// # Errors
    /// When the run is stopping or over, and during `setup` when more is asked for than the run
    /// remembers.
    pub async fn reset(&self) -> Result<(), Refusal> {
        self.ask(Wish::Reset).await
    }

    /// Notes something in the timeline of the run.
    ///
    /// # Errors
    /// When the run is stopping or over, and during `setup` when more is asked for than the run
    /// remembers.
    pub async fn note(&self, text: String) -> Result<(), Refusal> {
        self.ask(Wish::Note(text)).await
    }

    async fn ask(&self, wish: Wish) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(Command::Ask(wish, answer)).await;
        sent.map_err(|_| Refusal::Ended)?;
        answered.await.unwrap_or(Err(Refusal::Ended))
    }

    /// Goes on with an edited script: every load thread makes a generation of it, one after the
    /// other, and when all have, it goes into service on all of them. Each user changes between two
    /// iterations; none is stopped for it, and no request is cut. If one thread cannot, nothing
    /// changes.
    ///
    /// What became of it is told by [`Notice::Reloaded`] and [`Notice::NotReloaded`], and
    /// [`Summary::generations`](crate::stats::Summary::generations) has it. While users are still
    /// in the generation before the one in service, an edition waits, and a later one takes its
    /// place.
    ///
    /// # Errors
    /// When the run is stopping or over. `Ok` says that it was taken, not that it goes into service.
    pub async fn reload(&self, edition: Arc<Edition>) -> Result<(), Refusal> {
        self.ask(Wish::Reload(edition)).await
    }

    /// The state, and its changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// What a person should read, from now on; any number of readers have all of it.
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

/// What a person should read while the run goes on. Bounded: of what a reader is too slow for, the
/// oldest is lost to it, and it is told how many.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A script printed it.
    Script(Line),
    /// Users are being started or stopped. Ramps that only go on where one of the last seconds
    /// went are not told of.
    Ramping(Change),
    /// The last [`Notice::Ramping`] has been carried out; some users may have ended already.
    Arrived(Change),
    /// The first iterations, so many, made no request and recorded nothing.
    NothingMeasured {
        /// How many.
        iterations: u64,
    },
    /// An edited script is in service.
    Reloaded {
        /// The number of its generation, from 2.
        generation: u16,
        /// What names it.
        hash: String,
        /// What its users should know of: keys of their state that begin anew.
        remarks: Vec<String>,
    },
    /// An edited script could not go into service: the one before stays.
    NotReloaded(Unable),
    /// An edited script waits for users that are still in the generation before the present one.
    ReloadWaits {
        /// How many.
        users: u32,
    },
    /// More names of requests than are kept apart.
    TooManyNames,
    /// `setup` (or a listener of `test_start`) has been running for so long.
    SettingUp {
        /// Whole seconds.
        seconds: u64,
    },
    /// The script's functions of that kind were not done in time, and were ended.
    Late {
        /// Such as `teardown`.
        what: &'static str,
        /// What they had.
        limit: Duration,
    },
}
