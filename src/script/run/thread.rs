//! What all users of one load thread share, as their scripts see it.
//!
//! Owns how texts leave the thread: secrets hidden, long ones cut. The runner starts and stops
//! users.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use rhai::ImmutableString;
use tokio::sync::mpsc;

use super::generation::{Behind, Generation};
use super::log::{Level, Line, Log};
use super::observer::{Event, Observer, Tracer};
use super::run_clock::RunClock;
use super::said_once::Once;
use super::secret::Secrets;
use super::whole::Shared;
use crate::clock::{Micros, Timers};
use crate::scenario::Random;
use crate::script::api::multipart::Uploads;
use crate::shared::appends::Appender;
use crate::stats::{Batch, InFlight, Outbox, Recorder};

/// What the runner gives a load thread for its scripts; none of it changes.
pub struct ThreadParts {
    /// The thread's timers.
    pub timers: Timers,
    /// When the run began; samples count from it.
    pub clock: Cell<RunClock>,
    /// The seed of the run.
    pub seed: u64,
    /// The recorder, and its channel to the collector.
    pub outbox: Outbox,
    /// What all threads share.
    pub shared: Arc<Shared>,
}

/// A load thread, as the scripts on it see it.
pub struct Thread {
    /// What it was given.
    pub parts: ThreadParts,
    /// Requests in flight, reported by its recorder.
    pub(crate) in_flight: InFlight,
    pub(crate) log: Log,
    /// The one in service: users join it when they start or begin an iteration.
    generation: RefCell<Rc<Generation>>,
    /// Users that are still in an older one.
    pub(crate) behind: Rc<Behind>,
    /// The files that this thread's users append to, by the names they use.
    appenders: RefCell<HashMap<ImmutableString, Appender>>,
    pub(crate) uploads: Uploads,
    cut: Cell<u64>,
    pub(crate) tracer: Option<Rc<Tracer>>,
}

impl Thread {
    /// A thread whose users begin in `generation` and print to `log`. `observer` sees everything
    /// that they do; a load test has none.
    #[must_use]
    pub fn new(
        parts: ThreadParts,
        generation: Generation,
        log: mpsc::Sender<Line>,
        observer: Option<Observer>,
    ) -> Thread {
        let secrets = Secrets::default();
        secrets.add_all(generation.program().secrets());
        let tracer = observer.map(|observer| Tracer::new(observer, secrets));
        generation.enter_service(tracer.as_ref());
        Thread {
            in_flight: parts.outbox.record(|recorder| recorder.in_flight()).0,
            parts,
            log: Log::new(log),
            generation: RefCell::new(Rc::new(generation)),
            behind: Rc::default(),
            appenders: RefCell::default(),
            uploads: Uploads::default(),
            cut: Cell::new(0),
            tracer,
        }
    }

    /// The generation in service.
    #[must_use]
    pub fn generation(&self) -> Rc<Generation> {
        self.generation.borrow().clone()
    }

    /// Puts a generation into service. Users of the previous one are behind until they renew. Old
    /// secrets stay hidden.
    pub fn adopt(&self, generation: Generation) {
        let before = self.generation();
        let secrets = generation.program().secrets();
        secrets.add_all(before.program().secrets());
        if let Some(tracer) = &self.tracer {
            tracer.add_secrets(secrets);
        }
        generation.enter_service(self.tracer.as_ref());
        self.generation.replace(Rc::new(generation));
        self.behind.more(before.leave_service());
    }

    /// Users that are still in an older generation than the one in service.
    #[must_use]
    pub fn behind(&self) -> u32 {
        self.behind.users()
    }

    /// Resolves when the next time comes that no users are behind.
    pub async fn nobody_behind(&self) {
        self.behind.nobody().await;
    }

    /// The file of that name, to append to.
    pub(crate) fn appender(&self, file: &ImmutableString) -> Result<Appender, String> {
        let mut appenders = self.appenders.borrow_mut();
        if let Some(known) = appenders.get(file) {
            return Ok(known.clone());
        }
        let appender = self.parts.shared.append_to(file)?;
        appenders.insert(file.clone(), appender.clone());
        Ok(appender)
    }

    /// The thread's timers.
    #[must_use]
    pub fn timers(&self) -> &Timers {
        &self.parts.timers
    }

    /// What all threads share.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.parts.shared
    }

    /// Records something; `record` must not keep the recorder.
    #[inline]
    pub fn record<R>(&self, record: impl FnOnce(&mut Recorder) -> R) -> R {
        let (result, is_full) = self.parts.outbox.record(record);
        if is_full {
            self.hand_over();
        }
        result
    }

    /// Records that something due began only now because the thread was busy; returns by how much,
    /// in µs.
    pub fn lags(&self, due: Micros, now: Micros) -> u64 {
        let lag_us = now.since(due);
        let told_us = u32::try_from(lag_us).unwrap_or(u32::MAX);
        self.record(|recorder| recorder.lag(self.run_us(now), told_us));
        lag_us
    }

    /// Sends what was recorded to the collector; keeps it if the queue is full.
    pub fn hand_over(&self) {
        self.parts
            .outbox
            .hand_over(|batch| self.hide_and_cut(batch));
    }

    /// Sends what was recorded to the collector and waits for room in the queue.
    pub async fn hand_over_all(&self) {
        let outbox = &self.parts.outbox;
        outbox.hand_over_all(|batch| self.hide_and_cut(batch)).await;
    }

    /// Microseconds since the run began.
    pub(crate) fn run_us(&self, moment: Micros) -> u64 {
        self.parts.clock.get().run_us(moment)
    }

    /// Hides secrets in the texts of a batch, and cuts long ones.
    fn hide_and_cut(&self, batch: &mut Batch) {
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
    }

    /// Wraps a user's future so that the observer learns which user its events are about.
    ///
    /// # Errors
    /// The future itself, when there is no observer.
    pub fn watched<F>(&self, user: u64, life: F) -> Result<impl Future<Output = ()> + use<F>, F>
    where
        F: Future<Output = ()>,
    {
        let Some(tracer) = self.tracer.clone() else {
            return Err(life);
        };
        Ok(async move {
            let mut life = pin!(life);
            poll_fn(|cx| {
                tracer.switch_to(user);
                life.as_mut().poll(cx)
            })
            .await;
            tracer.tell(Event::UserEnds);
        })
    }

    /// Gives a warning unless it has been given in this run.
    pub(crate) fn warn_once(&self, once: Once, who: String, place: String, text: String) {
        if self.parts.shared.says_first(once) {
            self.say(Level::Warn, who, place, text);
        }
    }

    /// A line that a script prints.
    pub(crate) fn say(&self, level: Level, who: String, place: String, text: String) {
        match &self.tracer {
            None => self.log.print(level, who, place, text),
            Some(tracer) => tracer.tell(Event::Said(Line {
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
        Random::of_user(self.parts.seed, class, ordinal)
    }
}

/// The longest text that is reported, in bytes: names and failures of megabytes would take minutes
/// to write into tables and files.
const LONGEST: usize = 1_000;

/// What to report instead of a text, if anything, and whether it was cut.
fn reported(text: &str, secrets: &Secrets) -> (Option<String>, bool) {
    let hidden = secrets.hidden(text);
    let text = hidden.as_deref().unwrap_or(text);
    if text.len() <= LONGEST {
        return (hidden, false);
    }
    let end = text.floor_char_boundary(LONGEST);
    (Some(format!("{}…", &text[..end])), true)
}
