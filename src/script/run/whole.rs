//! What exists once for a whole run, as scripts of one process see it.
//!
//! Owns a few numbers, none of them on the path of a request, and the way to what scripts share. On
//! a worker the run is elsewhere: it is told how that stands, and its scripts ask.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;

use super::said_once::{Once, SaidOnce};
use crate::data::Value;
use crate::shared::appends::{Appender, Appends};
use crate::shared::{Elsewhere, Milestone, SharedState};
use crate::stats::{RowFigures, RunFigures, Summary};

/// The longest name of a row that a worker asks for.
const LONGEST_NAME: usize = 1_000;

/// What the whole run shares over all threads: a few numbers, none of them on the path of a
/// request, and what scripts share.
#[derive(Debug, Default)]
pub struct Shared {
    state: SharedState,
    /// What `setup` returned.
    setup: OnceLock<Value>,
    /// Users alive now, for scripts that ask.
    users: AtomicU32,
    /// What `exit_code` set, plus one; 0 if it was not called.
    exit_code: AtomicU32,
    /// The figures so far, once there are some.
    summary: OnceLock<watch::Receiver<Arc<Summary>>>,
    /// The files that scripts append to.
    appends: Appends,
    /// Warnings that are given once, and have been.
    said: SaidOnce,
    /// How many workers there are, if the load comes from some.
    workers: AtomicU32,
    /// What a worker is told of the run.
    told: Option<Told>,
}

/// What a worker is told of the run that it is a part of.
#[derive(Debug)]
struct Told {
    /// The worker's number.
    index: u32,
    figures: Mutex<Arc<RunFigures>>,
    /// The names of rows that scripts look at.
    rows: Mutex<BTreeSet<Box<str>>>,
}

/// The most rows whose figures all workers are told.
const ROWS: usize = 100;

impl Shared {
    /// For a master: what scripts share is kept `elsewhere`, for its own functions as for workers.
    pub(crate) fn of_master(elsewhere: Arc<dyn Elsewhere>) -> Shared {
        Shared {
            state: SharedState::elsewhere(elsewhere),
            ..Shared::default()
        }
    }

    /// For the worker of that number, for which all of it is elsewhere.
    pub(crate) fn of_worker(index: u32, elsewhere: Arc<dyn Elsewhere>) -> Shared {
        Shared {
            state: SharedState::elsewhere(elsewhere.clone()),
            appends: Appends::elsewhere(elsewhere),
            told: Some(Told {
                index,
                figures: Mutex::default(),
                rows: Mutex::default(),
            }),
            ..Shared::default()
        }
    }

    /// A worker is told how the run stands, and of how many workers it is one.
    pub fn tell(&self, workers: u32, figures: &Arc<RunFigures>) {
        self.workers_are(workers);
        if let Some(told) = &self.told {
            locked(&told.figures).clone_from(figures);
        }
        // Whoever waits for that looks at the figures then.
        if figures.is_spawned {
            self.state.reach(Milestone::SpawningComplete);
        }
    }

    /// How the run stands, for its workers; with the rows of these names.
    #[must_use]
    pub fn figures(&self, rows: &BTreeSet<Box<str>>) -> RunFigures {
        // First, for there may be more users than were counted when it happened, but no fewer.
        let is_spawned = self.state.has_happened(Milestone::SpawningComplete);
        let summary = self.summary();
        let row = |name: &str| {
            let figures = summary.as_ref()?.figures_of(name)?;
            Some((name.into(), figures))
        };
        RunFigures {
            users: self.users(),
            is_spawned,
            total: summary.as_ref().map(|it| RowFigures::from(&it.total)),
            rows: rows.iter().filter_map(|name| row(name)).collect(),
        }
    }

    /// The rows that scripts of this worker look at, by the names they give.
    #[must_use]
    pub fn rows_looked_at(&self) -> Vec<Box<str>> {
        let told = self.told.as_ref();
        told.map_or_else(Vec::new, |told| {
            locked(&told.rows).iter().cloned().collect()
        })
    }

    /// There are so many workers.
    pub fn workers_are(&self, workers: u32) {
        self.workers.store(workers, Ordering::Relaxed);
    }

    /// There are so many users, none of them in this process.
    pub fn users_are(&self, users: u32) {
        self.users.store(users, Ordering::Relaxed);
    }

    /// The number of this worker, and how many there are; one process is all of it.
    pub(crate) fn worker(&self) -> (u32, u32) {
        let index = self.told.as_ref().map_or(0, |told| told.index);
        (index, self.workers.load(Ordering::Relaxed).max(1))
    }

    /// Users alive now, in the whole run.
    #[must_use]
    pub fn users(&self) -> u32 {
        match &self.told {
            Some(told) => locked(&told.figures).users,
            None => self.users.load(Ordering::Relaxed),
        }
    }

    /// Notes that a user has been started.
    pub fn user_started(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a user has ended.
    pub fn user_ended(&self) {
        self.users.fetch_sub(1, Ordering::Relaxed);
    }

    /// The exit code that a script asked for last.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        u8::try_from(self.exit_code.load(Ordering::Relaxed).checked_sub(1)?).ok()
    }

    /// Lets scripts see the figures so far.
    pub fn show(&self, summary: watch::Receiver<Arc<Summary>>) {
        // There is one run, so the first call is the only one.
        let _ = self.summary.set(summary);
    }

    /// The figures of all requests so far, of about a second ago.
    pub(crate) fn total(&self) -> Option<RowFigures> {
        match &self.told {
            Some(told) => locked(&told.figures).total,
            None => Some(RowFigures::from(&self.summary()?.total)),
        }
    }

    /// The figures of the row of that name. A worker is told of those that its scripts have looked
    /// at, from the next second on.
    pub(crate) fn row(&self, name: &str) -> Option<RowFigures> {
        let Some(told) = &self.told else {
            return self.summary()?.figures_of(name);
        };
        let mut rows = locked(&told.rows);
        if rows.len() < ROWS && name.len() <= LONGEST_NAME && !rows.contains(name) {
            rows.insert(name.into());
        }
        drop(rows);
        let figures = locked(&told.figures).clone();
        let mut rows = figures.rows.iter();
        rows.find(|(known, _)| **known == *name)
            .map(|(_, row)| *row)
    }

    fn summary(&self) -> Option<Arc<Summary>> {
        Some(self.summary.get()?.borrow().clone())
    }

    /// The file of that path, to append to.
    ///
    /// # Errors
    /// Why lines cannot be appended to it.
    pub(crate) fn append_to(&self, path: &str) -> Result<Appender, String> {
        self.appends.open(path)
    }

    /// Whether nobody has given that warning yet.
    pub(crate) fn says_first(&self, once: Once) -> bool {
        self.said.is_first(once)
    }

    /// Flushes the files that scripts append to; returns what could not be written, by file. For
    /// the end of the run, because it waits for the disk.
    #[must_use]
    pub fn finish_appends(&self) -> Vec<String> {
        self.appends.finish()
    }

    /// What scripts share: queues and the like.
    #[must_use]
    pub fn state(&self) -> &SharedState {
        &self.state
    }

    /// What `setup` returned; `None` before it has.
    #[must_use]
    pub fn setup_result(&self) -> Option<&Value> {
        self.setup.get()
    }

    /// Keeps what `setup` returned, for all threads; only the first time counts.
    pub fn set_setup_result(&self, value: Value) {
        let _ = self.setup.set(value);
    }

    pub(crate) fn set_exit_code(&self, code: u8) {
        self.exit_code.store(u32::from(code) + 1, Ordering::Relaxed);
    }
}

/// Nothing under these locks can panic half-way.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
