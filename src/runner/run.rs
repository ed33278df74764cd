//! The loop of one run, on the control thread.
//!
//! Owns the order of events: threads get ready, begin, measure, stop, end. Nothing here is on the
//! path of a request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::control::{Connections, Control};
use super::course::Course;
use super::emergency::Emergency;
use super::load_thread::{Config, News, Order};
use super::members::{self, Member};
use super::numbers::{Alive, Numbers, SILENT_ITERATIONS};
use super::once::until;
use super::reload::{self, Reload};
use super::shape::{LiveShape, Turn};
use super::wishes::{Refusal, Wish};
use super::{Command, Edition, End, Ended, Handle, Notice, Setup, State};
use crate::clock::{self, Micros};
use crate::load::{Division, Part, Plan, Stage};
use crate::scenario;
use crate::script::{Line, Outbox, Outcome, Shared};
use crate::shared::Milestone;
use crate::stats::Batch;
use crate::vu::Budget;

const SECOND: Duration = Duration::from_secs(1);

/// Full batches under way to the collector, per load thread.
const BATCHES: usize = 64;

/// Notices that a reader may be behind.
const NOTICES: usize = 1_024;

/// How long threads may take to end once their last limit has passed.
const LAST_GRACE: Duration = Duration::from_secs(3);

/// How long they may take after a second Ctrl-C: a person is waiting.
const KILL_GRACE: Duration = Duration::from_millis(500);

/// Everything that can happen to a run.
enum Event {
    Batch(u32, Batch),
    News(News),
    Line(Line),
    Command(Option<Command>),
    Tick,
    Look,
    StageBegins,
    PlanIsOver,
    ReloadDue,
    GraceIsOver,
}

/// Starts a run; must be called in a tokio runtime with local tasks.
///
/// # Errors
/// When the load threads cannot begin: no threads to be had, a certificate file that cannot be
/// read, a script that is another each time it is evaluated.
///
/// What the run says is kept for readers that ask for it before they wait for anything else.
pub async fn start(setup: Arc<Setup>) -> Result<Handle, String> {
    let shared = Arc::new(Shared::default());
    let edition = setup.edition.clone();
    let threads = setup.threads as usize;
    let (news_in, mut news) = mpsc::channel(64 + 4 * threads);
    let (lines_in, lines) = mpsc::channel(1_024);
    let (batches_in, batches) = mpsc::channel(BATCHES * threads);
    let to_control = Connections {
        batches: batches_in.clone(),
        log: lines_in.clone(),
        news: news_in.clone(),
        shared: shared.clone(),
    };
    let program = reload::on_control(&edition, false)?;
    let control = match &program {
        Some(program) if Control::is_in(&edition) => {
            let to = to_control.clone();
            Some(Control::open(&setup, &edition, 1, program.clone(), to)?)
        }
        _ => None,
    };
    let shape = program
        .filter(|_| LiveShape::is_in(&edition))
        .map(|program| LiveShape::new(&edition, program));
    let budget = edition.options.iterations.map(Budget::of);
    let mut members = Vec::new();
    for index in 0..setup.threads {
        let (spare_in, spare) = mpsc::channel(BATCHES);
        let outbox = Outbox {
            full: batches_in.clone(),
            spare,
        };
        members.push(Member::start(index, spare_in, |orders| Config {
            index,
            setup: setup.clone(),
            orders,
            news: news_in.clone(),
            outbox,
            log: lines_in.clone(),
            shared: shared.clone(),
            budget: budget.clone(),
            part: Part::new(index, setup.threads),
            adopted: vec![edition.classes(0)],
        })?);
    }
    members::all_ready(&mut news, members.len()).await?;
    let (commands_in, commands) = mpsc::channel(16);
    let (state_in, state) = watch::channel(State::Starting);
    let (notices, _) = broadcast::channel(NOTICES);
    let numbers = Numbers::new(jiff::Timestamp::now().as_microsecond());
    let summary = numbers.watch();
    shared.show(summary.clone());
    let run = Run {
        epoch: clock::now(),
        epoch_unix_us: 0,
        course: Course::new(edition.options.plan.clone()),
        setup,
        edition,
        members,
        numbers,
        news,
        lines,
        batches,
        commands,
        notices: notices.clone(),
        shared,
        budget,
        state: state_in,
        control,
        shape,
        to_control,
        reload: Reload::default(),
        told: Vec::new(),
        killed: false,
        early: Vec::new(),
        emergency: Emergency::new(),
        ended: 0,
        end: None,
        grace: None,
    };
    tokio::task::spawn_local(run.go());
    Ok(Handle {
        commands: commands_in,
        state,
        summary,
        notices,
    })
}

pub(super) struct Run {
    pub(super) epoch: Micros,
    /// The same moment, in microseconds since 1970.
    pub(super) epoch_unix_us: i64,
    pub(super) setup: Arc<Setup>,
    /// What the generation in service was made of.
    pub(super) edition: Arc<Edition>,
    pub(super) reload: Reload,
    pub(super) members: Vec<Member>,
    pub(super) numbers: Numbers,
    news: mpsc::Receiver<News>,
    pub(super) lines: mpsc::Receiver<Line>,
    pub(super) batches: mpsc::Receiver<Batch>,
    pub(super) commands: mpsc::Receiver<Command>,
    notices: broadcast::Sender<Notice>,
    pub(super) shared: Arc<Shared>,
    /// Iterations left; `None` for no limit.
    budget: Option<Budget>,
    pub(super) state: watch::Sender<State>,
    pub(super) course: Course,
    pub(super) shape: Option<LiveShape>,
    /// The script's functions that run once, if it has any.
    pub(super) control: Option<Control>,
    /// What such functions are connected to.
    pub(super) to_control: Connections,
    /// Events whose listeners may still run.
    pub(super) told: Vec<oneshot::Receiver<Outcome>>,
    /// A second Ctrl-C.
    pub(super) killed: bool,
    /// What was asked of the run before it began, and who waits for an answer.
    pub(super) early: Vec<(Wish, oneshot::Sender<Result<(), Refusal>>)>,
    pub(super) emergency: Emergency,
    /// Threads that have ended.
    ended: usize,
    /// Why the run is stopping.
    pub(super) end: Option<End>,
    /// Until when threads may take to end.
    pub(super) grace: Option<Instant>,
}

impl Run {
    async fn go(mut self) {
        if self.set_up().await {
            self.measure().await;
            self.conclude().await;
        }
        self.finish();
    }

    /// From the first user to the end of the last.
    async fn measure(&mut self) {
        self.epoch = clock::now();
        let epoch = self.epoch;
        let begun = Instant::now();
        let unix_us = jiff::Timestamp::now().as_microsecond();
        self.epoch_unix_us = unix_us;
        self.numbers.begin(unix_us);
        self.numbers.generation(1, &self.edition.hash(), 0);
        self.order(&Order::Start { epoch, unix_us });
        if let Some(control) = &self.control {
            control.begin(epoch, unix_us);
        }
        self.state.send_replace(State::Spawning);
        self.enter_stage();
        self.ask_shape();
        for (wish, answer) in std::mem::take(&mut self.early) {
            let _ = answer.send(self.grant(wish));
        }
        let mut ticks = interval_at(begun + SECOND, SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let plan = self.course.plan();
            let over = plan.end().and_then(|end| begun.checked_add(end));
            let next_stage = plan.next_stage(self.elapsed());
            let next_stage = next_stage.and_then(|next| begun.checked_add(next));
            let grace = self.grace;
            let stopping = self.end.is_some();
            let look = self.reload.look_at();
            let trouble = Some(self.emergency.look_at());
            let event = tokio::select! {
                biased;
                Some(news) = self.news.recv() => Event::News(news),
                command = self.commands.recv(), if !stopping || grace.is_some() => {
                    Event::Command(command)
                }
                Some(batch) = self.batches.recv() => Event::Batch(batch.thread(), batch),
                Some(line) = self.lines.recv() => Event::Line(line),
                _ = ticks.tick() => Event::Tick,
                () = until(trouble) => Event::Look,
                () = until(look), if !stopping => Event::ReloadDue,
                () = until(over), if !stopping => Event::PlanIsOver,
                () = until(next_stage), if !stopping => Event::StageBegins,
                () = until(grace), if grace.is_some() => Event::GraceIsOver,
            };
            if !self.handle(event) {
                break;
            }
        }
    }

    /// Handles one event; false when the run is over.
    fn handle(&mut self, event: Event) -> bool {
        match event {
            Event::Batch(thread, batch) => self.absorb(thread, batch),
            Event::News(news) => return self.hear(news),
            Event::Line(line) => self.notice(Notice::Script(line)),
            Event::Command(Some(Command::Stop)) => self.stop(End::Stopped),
            Event::Command(Some(Command::Ask(wish, answer))) => {
                // Whoever asked may have gone.
                let _ = answer.send(self.grant(wish));
            }
            Event::ReloadDue => self.try_reload(),
            Event::Command(Some(Command::Kill)) => {
                self.killed = true;
                self.stop(End::Stopped);
                let now = Instant::now();
                self.grace = self.grace.map(|grace| grace.min(now + KILL_GRACE));
                // The threads have nothing to wait for, but what they have measured to hand over.
                self.order(&Order::Stop {
                    stop_timeout: Duration::ZERO,
                    on_stop_timeout: Duration::ZERO,
                });
            }
            // Nobody steers or watches any more.
            Event::Command(None) if self.end.is_none() => self.stop(End::Stopped),
            Event::Command(None) => return false,
            Event::Tick => {
                self.tick();
                self.ask_shape();
            }
            Event::Look => self.look_for_trouble(),
            Event::StageBegins => self.enter_stage(),
            Event::PlanIsOver if self.course.plan().is_complete() => self.stop(End::Shape),
            Event::PlanIsOver => self.stop(End::RunTime),
            Event::GraceIsOver => {
                self.give_up();
                return false;
            }
        }
        true
    }

    fn hear(&mut self, news: News) -> bool {
        let threads = self.members.len();
        match news {
            // Nobody is given another part in a run of its own.
            News::Ready | News::Yielded(_) => {}
            News::Prepared(result) => self.prepared(result),
            News::Adopted => self.adopted(),
            News::Failed(message) => {
                self.stop(End::Failed(message.clone()));
                self.end = Some(End::Failed(message));
            }
            News::Spawned(stage) => {
                // A thread may be there before this one has looked at the time.
                self.enter_stage();
                if let Some(notice) = self.course.arrive(stage, threads) {
                    self.shared.commons().reach(Milestone::SpawningComplete);
                    self.tell(scenario::Event::SpawningComplete);
                    notice.into_iter().for_each(|notice| self.notice(notice));
                    if self.end.is_none() {
                        self.state.send_replace(State::Running);
                    }
                }
            }
            News::Idle if self.is_settled() && self.shared.users() == 0 => self.stop(End::Done),
            News::Idle => {}
            News::StopTest(why) => self.stop(End::StopTest(why)),
            News::Overflowed => self.notice(Notice::TooManyNames),
            News::Ended { cut } => {
                self.numbers.in_flight(cut);
                self.ended += 1;
                return self.ended < threads;
            }
        }
        true
    }

    /// Notes the stage of the plan that has begun, if one has.
    pub(super) fn enter_stage(&mut self) {
        let Some((change, notice)) = self.course.enter(self.elapsed()) else {
            return;
        };
        self.numbers.asked(change.to);
        notice.into_iter().for_each(|notice| self.notice(notice));
        if self.end.is_none() && change.from != change.to {
            self.state.send_replace(State::Spawning);
        }
    }

    /// Goes to other numbers of users from now on.
    pub(super) fn turn(&mut self, division: Division, stage: &Stage) {
        let plan = self.course.plan().turned(self.elapsed(), division, stage);
        let plan: Arc<Plan> = Arc::new(plan);
        self.order(&Order::Follow(plan.clone()));
        self.course.turn(plan);
        self.enter_stage();
    }

    /// Asks the shape's closure, if there is one, and does what it says.
    fn ask_shape(&mut self) {
        let (elapsed, users) = (self.elapsed(), self.shared.users());
        let Some(shape) = self.shape.as_mut().filter(|_| self.end.is_none()) else {
            return;
        };
        let turn = shape.ask(elapsed, users);
        for line in shape.said() {
            self.notice(Notice::Script(line));
        }
        match turn {
            Turn::Stay => {}
            Turn::To(division, stage) => self.turn(division, &stage),
            Turn::Stop => self.stop(End::Shape),
            Turn::Fail(message) => self.stop(End::Failed(message)),
        }
    }

    fn is_used_up(&self) -> bool {
        self.budget.as_ref().is_some_and(Budget::is_used_up)
    }

    /// True if no user will be started any more.
    fn is_settled(&self) -> bool {
        let may_turn = self.shape.is_some();
        self.is_used_up() || !may_turn && self.course.is_settled(self.elapsed(), self.members.len())
    }

    /// Tells all threads to stop; only the first reason counts.
    pub(super) fn stop(&mut self, why: End) {
        if self.end.is_some() {
            return;
        }
        let options = &self.edition.options;
        let (stop_timeout, on_stop_timeout) = (options.stop_timeout, options.on_stop_timeout);
        self.end = Some(why.clone());
        self.grace = Some(Instant::now() + stop_timeout + on_stop_timeout + LAST_GRACE);
        let now_us = self.now_us();
        self.numbers.end(now_us);
        self.state.send_replace(State::Stopping(why));
        self.tell(scenario::Event::TestStopping);
        self.order(&Order::Stop {
            stop_timeout,
            on_stop_timeout,
        });
    }

    pub(super) fn order(&self, order: &Order) {
        for member in &self.members {
            member.order(order.clone());
        }
    }

    pub(super) fn absorb(&mut self, thread: u32, batch: Batch) {
        let spare = self.numbers.absorb(batch);
        if let Some(member) = self.members.get(thread as usize) {
            member.give_back(spare);
        }
    }

    fn tick(&mut self) {
        if self.is_used_up() {
            // Nobody will be started any more, even if the plan goes on.
            self.shared.commons().reach(Milestone::SpawningComplete);
        }
        let is_silent = self.numbers.tick(self.now_us(), self.alive());
        if is_silent {
            let iterations = SILENT_ITERATIONS;
            self.notice(Notice::NothingMeasured { iterations });
        }
    }

    fn alive(&self) -> Alive {
        Alive {
            now: self.shared.users(),
            peak: self.shared.peak_users(),
            behind: self.shared.behind(),
        }
    }

    /// Shows the figures so far.
    pub(super) fn show(&mut self) {
        self.numbers.show(self.now_us(), self.alive());
    }

    /// Shows the figures with all samples that have come so far.
    pub(super) fn show_all(&mut self) {
        while let Ok(batch) = self.batches.try_recv() {
            self.absorb(batch.thread(), batch);
        }
        self.show();
    }

    /// Takes what is left and shows the final result.
    fn finish(mut self) {
        self.show_all();
        while let Ok(line) = self.lines.try_recv() {
            self.notice(Notice::Script(line));
        }
        if self.ended == self.members.len() {
            // They have said so: what is left is dropping their runtimes.
            self.members.iter_mut().for_each(Member::join);
        }
        self.tick();
        let ended = Ended {
            why: self.end.take().unwrap_or(End::Done),
            exit_code: self.shared.exit_code(),
            unwritten: self.shared.finish_appends(),
        };
        self.state.send_replace(State::Ended(ended));
    }

    pub(super) fn notice(&self, notice: Notice) {
        // Nobody need listen.
        let _ = self.notices.send(notice);
    }

    pub(super) fn now_us(&self) -> u64 {
        clock::now().since(self.epoch)
    }

    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_micros(self.now_us())
    }
}
