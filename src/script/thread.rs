//! What all users of one load thread share, as their scripts see it.
//!
//! Owns the way out for samples and log lines. Starting and stopping users is not its business.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::mpsc;

use super::log::{Line, Log};
use super::routes::Routes;
use crate::clock::{Micros, Timers};
use crate::http;
use crate::scenario::Random;
use crate::stats::{Batch, Recorder};

/// What the whole run shares over all threads: a few numbers, none of them on the path of a
/// request.
#[derive(Debug, Default)]
pub struct Shared {
    /// Users alive now, and the most that were at once.
    users: AtomicU32,
    peak: AtomicU32,
    /// What `exit_code` set, plus one; 0 if it was not called.
    exit_code: AtomicU32,
}

impl Shared {
    /// Users alive now, over all load threads.
    #[must_use]
    pub fn users(&self) -> u32 {
        self.users.load(Ordering::Relaxed)
    }

    /// The most users that were alive at once. Short lives between two looks count too.
    #[must_use]
    pub fn peak_users(&self) -> u32 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Notes that a user has been started.
    pub fn user_started(&self) {
        let users = self.users.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(users, Ordering::Relaxed);
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

    pub(super) fn set_exit_code(&self, code: u8) {
        self.exit_code.store(u32::from(code) + 1, Ordering::Relaxed);
    }
}

/// Where a thread's batches go, and where emptied ones come back from. Both queues are bounded:
/// when the first is full, the recorder folds; when the second is empty, a batch is allocated.
pub struct Outbox {
    /// To the collector.
    pub full: mpsc::Sender<Batch>,
    /// From the collector.
    pub spare: mpsc::Receiver<Batch>,
}

/// What the runner gives a load thread for its scripts.
pub struct ThreadParts {
    /// The thread's timers.
    pub timers: Timers,
    /// The moment the run began; samples count from it.
    pub epoch: Micros,
    /// The same moment, in microseconds since 1970.
    pub epoch_unix_us: i64,
    /// The seed of the run.
    pub seed: u64,
    /// The thread's recorder.
    pub recorder: Recorder,
    /// Where its batches go.
    pub outbox: Outbox,
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Where log lines go.
    pub log: mpsc::Sender<Line>,
    /// The environment as it was when Katydid started.
    pub environment: Arc<BTreeMap<String, String>>,
    /// The HTTP client of each class.
    pub clients: Vec<http::Client>,
    /// Where the relative requests of each class go.
    pub bases: Vec<Option<http::Base>>,
}

/// A load thread, as the scripts on it see it.
pub struct Thread {
    pub(super) timers: Timers,
    pub(super) epoch: Micros,
    pub(super) epoch_unix_us: i64,
    pub(super) seed: u64,
    pub(super) recorder: RefCell<Recorder>,
    outbox: RefCell<Outbox>,
    pub(super) shared: Arc<Shared>,
    pub(super) log: Log,
    pub(super) environment: Arc<BTreeMap<String, String>>,
    pub(super) clients: Vec<http::Client>,
    pub(super) bases: Vec<Option<http::Base>>,
    pub(super) generation: Cell<u16>,
    /// By class.
    pub(super) routes: Vec<Routes>,
    cut: Cell<u64>,
}

impl Thread {
    /// A thread made of its parts.
    #[must_use]
    pub fn new(parts: ThreadParts) -> Thread {
        Thread {
            log: Log::new(parts.log),
            timers: parts.timers,
            epoch: parts.epoch,
            epoch_unix_us: parts.epoch_unix_us,
            seed: parts.seed,
            recorder: RefCell::new(parts.recorder),
            outbox: RefCell::new(parts.outbox),
            shared: parts.shared,
            environment: parts.environment,
            routes: parts.clients.iter().map(|_| Routes::default()).collect(),
            clients: parts.clients,
            bases: parts.bases,
            generation: Cell::new(1),
            cut: Cell::new(0),
        }
    }

    /// The thread's timers.
    #[must_use]
    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    /// What all threads share.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Records something; the thread's recorder may not be kept.
    pub fn record<R>(&self, record: impl FnOnce(&mut Recorder) -> R) -> R {
        let mut recorder = self.recorder.borrow_mut();
        let result = record(&mut recorder);
        if recorder.is_full() {
            self.hand_over_from(&mut recorder);
        }
        result
    }

    /// Sends what was recorded to the collector; keeps it if the queue is full.
    pub fn hand_over(&self) {
        self.hand_over_from(&mut self.recorder.borrow_mut());
    }

    fn hand_over_from(&self, recorder: &mut Recorder) {
        let mut outbox = self.outbox.borrow_mut();
        let Outbox { full, spare } = &mut *outbox;
        if let Ok(permit) = full.try_reserve() {
            permit.send(recorder.take(spare.try_recv().ok()));
        }
    }

    /// Sends what was recorded to the collector and waits for room in the queue: for the end of
    /// the run, when nothing may be kept.
    pub async fn hand_over_all(&self) {
        let full = self.outbox.borrow().full.clone();
        if let Ok(permit) = full.reserve().await {
            permit.send(self.recorder.borrow_mut().take(None));
        }
    }

    /// Requests that were in flight when their users were cut.
    #[must_use]
    pub fn cut_in_flight(&self) -> u64 {
        self.cut.get()
    }

    pub(super) fn count_cut(&self) {
        self.cut.set(self.cut.get() + 1);
    }

    /// The random stream of a user of this run.
    pub(super) fn random(&self, class: &str, ordinal: u64) -> Random {
        Random::of_user(self.seed, class, ordinal)
    }

    /// Microseconds since the run began.
    pub(super) fn run_us(&self, moment: Micros) -> u64 {
        moment.since(self.epoch)
    }
}
