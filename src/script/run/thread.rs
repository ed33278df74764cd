//! What all users of one load thread share, as their scripts see it.
//!
//! Owns the way out for samples and log lines. Starting and stopping users is not its business.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use rhai::ImmutableString;
use tokio::sync::{mpsc, watch};

use super::generation::Generation;
use super::log::{Level, Line, Log};
use super::onlooker::{Event, Onlooker, Watch};
use super::said_once::{Once, SaidOnce};
use super::secret::Secrets;
use crate::clock::{Micros, Timers};
use crate::data::Value;
use crate::scenario::Random;
use crate::script::api::multipart::Uploads;
use crate::shared::Commons;
use crate::shared::appends::{Appender, Appends};
use crate::stats::{Batch, InFlight, Recorder, Summary};

/// What the whole run shares over all threads: a few numbers, none of them on the path of a
/// request, and what scripts share.
#[derive(Debug, Default)]
pub struct Shared {
    commons: Commons,
    /// What `setup` returned.
    setup: OnceLock<Value>,
    /// Users alive now, and the most that were at once.
    users: AtomicU32,
    peak: AtomicU32,
    /// Users that are not in the generation that is in service on their thread.
    behind: AtomicU32,
    /// What `exit_code` set, plus one; 0 if it was not called.
    exit_code: AtomicU32,
    /// The figures so far, once there are some.
    summary: OnceLock<watch::Receiver<Arc<Summary>>>,
    /// The files that scripts append to.
    appends: Appends,
    /// What has been said that is said once.
    said: SaidOnce,
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

    /// Users that are still in an older generation of the script.
    #[must_use]
    pub fn behind(&self) -> u32 {
        self.behind.load(Ordering::Relaxed)
    }

    fn more_behind(&self, users: u32) {
        self.behind.fetch_add(users, Ordering::Relaxed);
    }

    pub(crate) fn one_less_behind(&self) {
        self.behind.fetch_sub(1, Ordering::Relaxed);
    }

    /// The exit code that a script asked for last.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        u8::try_from(self.exit_code.load(Ordering::Relaxed).checked_sub(1)?).ok()
    }

    /// Lets scripts see the figures so far.
    pub fn show(&self, summary: watch::Receiver<Arc<Summary>>) {
        // There is one run; whoever comes first is it.
        let _ = self.summary.set(summary);
    }

    /// The figures so far, of at most a second ago.
    pub(crate) fn summary(&self) -> Option<Arc<Summary>> {
        Some(self.summary.get()?.borrow().clone())
    }

    /// Writes out what scripts have appended to files; gives what could not be written, by file.
    /// For the end of the run: it waits for the disk.
    #[must_use]
    pub fn finish_appends(&self) -> Vec<String> {
        self.appends.finish()
    }

    /// What scripts share: queues and the like.
    #[must_use]
    pub fn commons(&self) -> &Commons {
        &self.commons
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
    /// The script.
    pub generation: Generation,
    /// Who looks on at everything that users do; nobody does in a load test.
    pub onlooker: Option<Onlooker>,
}

/// A load thread, as the scripts on it see it.
pub struct Thread {
    pub(crate) timers: Timers,
    epoch: Cell<Micros>,
    epoch_unix_us: Cell<i64>,
    pub(crate) seed: u64,
    pub(crate) recorder: RefCell<Recorder>,
    /// Requests under way, as its recorder tells.
    pub(crate) in_flight: InFlight,
    outbox: RefCell<Outbox>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Log,
    pub(crate) environment: Arc<BTreeMap<String, String>>,
    /// The one in service: users that start or begin an iteration are in it.
    generation: RefCell<Rc<Generation>>,
    /// The files that this thread's users append to, by the names they use.
    appenders: RefCell<HashMap<ImmutableString, Appender>>,
    pub(crate) uploads: Uploads,
    cut: Cell<u64>,
    pub(crate) watch: Option<Rc<Watch>>,
    is_measured: Cell<bool>,
    /// Values of `once` that users of this thread make now: the user's number and the name.
    making: RefCell<Vec<(u64, Box<str>)>>,
}

/// A user makes a value of `once` for as long as this lives.
pub(crate) struct Making {
    thread: Rc<Thread>,
    what: (u64, Box<str>),
}

impl Drop for Making {
    fn drop(&mut self) {
        let mut making = self.thread.making.borrow_mut();
        making.retain(|other| *other != self.what);
    }
}

impl Thread {
    /// A thread made of its parts.
    #[must_use]
    pub fn new(parts: ThreadParts) -> Thread {
        let secrets = Secrets::default();
        secrets.add_all(parts.generation.program().secrets());
        let watch = parts.onlooker.map(|onlooker| Watch::new(onlooker, secrets));
        parts.generation.enter_service(watch.as_ref());
        Thread {
            watch,
            log: Log::new(parts.log),
            timers: parts.timers,
            epoch: Cell::new(parts.epoch),
            epoch_unix_us: Cell::new(parts.epoch_unix_us),
            seed: parts.seed,
            in_flight: parts.recorder.in_flight(),
            recorder: RefCell::new(parts.recorder),
            outbox: RefCell::new(parts.outbox),
            shared: parts.shared,
            environment: parts.environment,
            uploads: Uploads::default(),
            generation: RefCell::new(Rc::new(parts.generation)),
            appenders: RefCell::default(),
            cut: Cell::new(0),
            is_measured: Cell::new(true),
            making: RefCell::default(),
        }
    }

    /// Whether that user makes the value of `once` of that name.
    pub(crate) fn is_making(&self, user: u64, name: &str) -> bool {
        let making = self.making.borrow();
        making
            .iter()
            .any(|(maker, made)| *maker == user && **made == *name)
    }

    /// That user begins to make that value.
    pub(crate) fn begin_making(self: &Rc<Self>, user: u64, name: &str) -> Making {
        let what = (user, Box::from(name));
        self.making.borrow_mut().push(what.clone());
        Making {
            thread: self.clone(),
            what,
        }
    }

    /// The generation in service.
    #[must_use]
    pub fn generation(&self) -> Rc<Generation> {
        self.generation.borrow().clone()
    }

    /// Puts a generation into service. Users of the one before are behind until they renew. What
    /// was secret stays so.
    pub fn adopt(&self, generation: Generation) {
        let before = self.generation();
        let secrets = generation.program().secrets();
        secrets.add_all(before.program().secrets());
        if let Some(watch) = &self.watch {
            watch.learn(secrets);
        }
        generation.enter_service(self.watch.as_ref());
        self.generation.replace(Rc::new(generation));
        self.shared.more_behind(before.leave_service());
    }

    /// The file of that name, to append to.
    pub(crate) fn appender(&self, file: &ImmutableString) -> Result<Appender, String> {
        let mut appenders = self.appenders.borrow_mut();
        if let Some(known) = appenders.get(file) {
            return Ok(known.clone());
        }
        let appender = self.shared.appends.open(file)?;
        appenders.insert(file.clone(), appender.clone());
        Ok(appender)
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

    /// Records that something that was due is begun only now, for want of the thread. How much
    /// later that is, in µs.
    pub fn lags(&self, due: Micros, now: Micros) -> u64 {
        let lag_us = now.since(due);
        let told_us = u32::try_from(lag_us).unwrap_or(u32::MAX);
        self.record(|recorder| recorder.lag(self.run_us(now), told_us));
        lag_us
    }

    /// Sends what was recorded to the collector; keeps it if the queue is full.
    pub fn hand_over(&self) {
        self.hand_over_from(&mut self.recorder.borrow_mut());
    }

    fn hand_over_from(&self, recorder: &mut Recorder) {
        let mut outbox = self.outbox.borrow_mut();
        let Outbox { full, spare } = &mut *outbox;
        if let Ok(permit) = full.try_reserve() {
            permit.send(self.measured(recorder.take(spare.try_recv().ok())));
        }
    }

    /// Sends what was recorded to the collector and waits for room in the queue: for the end of
    /// the run, when nothing may be kept.
    pub async fn hand_over_all(&self) {
        let full = self.outbox.borrow().full.clone();
        if let Ok(permit) = full.reserve().await {
            permit.send(self.measured(self.recorder.borrow_mut().take(None)));
        }
    }

    /// From now on no request of this thread counts; all else that is recorded does.
    pub fn measures_nothing(&self) {
        self.is_measured.set(false);
    }

    /// Whether requests count.
    pub(crate) fn is_measured(&self) -> bool {
        self.is_measured.get()
    }

    fn measured(&self, mut batch: Batch) -> Batch {
        let generation = self.generation();
        let secrets = generation.program().secrets();
        batch.rewrite(|text| {
            let (reported, is_cut) = reported(text, secrets);
            if let Some(cut) = reported.as_ref().filter(|_| is_cut) {
                let start: String = cut.chars().take(60).collect();
                let what = format!(
                    "a name or a failure has more than {LONGEST} bytes, and is reported without \
                     the rest: `{start}…` (a request's `name` may be another)"
                );
                self.warn_once(Once::CutText, String::new(), String::new(), what);
            }
            reported
        });
        if self.is_measured.get() {
            batch
        } else {
            batch.without_samples()
        }
    }

    /// The life of a user, told to whoever looks on as that of this number.
    ///
    /// # Errors
    /// The life as it is, when nobody looks on.
    pub fn watched<F>(&self, user: u64, life: F) -> Result<impl Future<Output = ()> + use<F>, F>
    where
        F: Future<Output = ()>,
    {
        let Some(watch) = self.watch.clone() else {
            return Err(life);
        };
        Ok(async move {
            let mut life = pin!(life);
            poll_fn(|cx| {
                watch.turn_to(user);
                life.as_mut().poll(cx)
            })
            .await;
            watch.tell(Event::UserEnds);
        })
    }

    /// Warns of what has not been said in this run yet.
    pub(crate) fn warn_once(&self, once: Once, who: String, place: String, text: String) {
        if self.shared.said.is_first(once) {
            self.say(Level::Warn, who, place, text);
        }
    }

    /// A line that a script prints.
    pub(crate) fn say(&self, level: Level, who: String, place: String, text: String) {
        match &self.watch {
            None => self.log.print(level, who, place, text),
            Some(watch) => watch.tell(Event::Said(Line {
                level,
                who,
                place,
                text,
                dropped: 0,
            })),
        }
    }

    /// Requests that were in flight when their users were cut.
    #[must_use]
    pub fn cut_in_flight(&self) -> u64 {
        self.cut.get()
    }

    pub(crate) fn count_cut(&self, requests: u64) {
        self.cut.set(self.cut.get() + requests);
    }

    /// The random stream of a user of this run.
    pub(crate) fn random(&self, class: &str, ordinal: u64) -> Random {
        Random::of_user(self.seed, class, ordinal)
    }

    /// The run begins: all times count from here.
    pub fn begin(&self, epoch: Micros, unix_us: i64) {
        self.epoch.set(epoch);
        self.epoch_unix_us.set(unix_us);
    }

    /// Microseconds since 1970, at that moment of the run.
    pub(crate) fn unix_us(&self, moment: Micros) -> i64 {
        let begun = self.epoch_unix_us.get();
        begun.saturating_add_unsigned(self.run_us(moment))
    }

    /// Seconds since 1970, of a moment so many microseconds after the run began.
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds since 1970 have 51 bits"
    )]
    pub(crate) fn unix_s(&self, run_us: u64) -> f64 {
        self.epoch_unix_us.get().saturating_add_unsigned(run_us) as f64 / 1e6
    }

    /// Microseconds since the run began.
    pub(crate) fn run_us(&self, moment: Micros) -> u64 {
        moment.since(self.epoch.get())
    }
}

/// The longest text that is reported, in bytes: names and failures of megabytes would keep tables
/// and files busy for minutes.
const LONGEST: usize = 1_000;

/// What is reported in the place of a text, if that is something else, and whether it was cut.
fn reported(text: &str, secrets: &Secrets) -> (Option<String>, bool) {
    let hidden = secrets.hidden(text);
    let text = hidden.as_deref().unwrap_or(text);
    if text.len() <= LONGEST {
        return (hidden, false);
    }
    let end = text.floor_char_boundary(LONGEST);
    (Some(format!("{}…", &text[..end])), true)
}
