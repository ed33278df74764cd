//! The loop of one run, on the control thread.
//!
//! Owns the order of events: members get ready, begin, measure, stop, end. Events come from
//! `inbox`, members are in `fleet`, results in `numbers`; `hooks` and `reload` say which step is
//! next. Nothing here is on the path of a request.

mod calls;
mod going_on;
mod membership;
mod pausing;
mod reloading;
mod starting;
mod stopping;
mod wishes;
mod workers;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, timeout};

use self::going_on::GoingOn;
use self::wishes::Early;
use self::workers::Workers;
use super::assignments::Assignments;
use super::control::Control;
use super::emergency::{self, Emergency};
use super::fleet::{Fleet, MemberId};
use super::hooks::{Hooks, Phase};
use super::inbox::{Event, Inbox, Timer};
use super::load_thread::News;
use super::numbers::{Numbers, SILENT_ITERATIONS, UserCounts};
use super::reload::Reload;
use super::shape::{LiveShape, Turn};
use super::threads::Connections;
use super::{Command, Edition, End, Ended, Notice, State};
use crate::clock::{self, Micros};
use crate::load::{Classes, Division, Stage};
use crate::scenario;
use crate::script::Program;
use crate::shared::Milestone;
use crate::stats::Batch;
use crate::vu::PlanClock;

#[cfg(test)]
pub(super) use starting::start_with;
pub use starting::{Opening, go_on, open, start};
pub use wishes::Refusal;
pub(super) use wishes::Wish;

const SECOND: Duration = Duration::from_secs(1);

/// How long before its epoch a run is ordered to start whose members are in other processes, so that
/// they all begin at the same moment.
const FAR_LEAD: Duration = Duration::from_secs(1);

/// How long a run waits for somebody who could go on, once all members elsewhere are gone.
const DESERTED: Duration = Duration::from_secs(60);

/// How long after the end of a second it is closed if members are in other processes, whose reports
/// of it come within half a second: otherwise the newest second would lack what some of them did.
const FAR_DELAY: Duration = Duration::from_millis(700);

/// How long cancelled calls may take to unwind.
const UNWINDING: Duration = Duration::from_secs(1);

/// One run, in its parts.
struct Run {
    /// The first user's start; the next two fields are the same moment in microseconds since 1970
    /// and for tokio's timers.
    epoch: Micros,
    epoch_unix_us: i64,
    begun: Instant,
    /// What the plan's times are of.
    plan_clock: PlanClock,
    /// The state, but for a pause.
    under_way: State,
    /// What the generation in service was compiled from.
    edition: Arc<Edition>,
    reload: Reload,
    /// The next edition's program for the control thread, during a reload.
    opened: Option<Rc<Program>>,
    hooks: Hooks,
    early: Early,
    inbox: Inbox,
    fleet: Fleet,
    assignments: Assignments,
    /// The classes of each edition so far, in order.
    classes: Arc<[Classes]>,
    numbers: Numbers,
    /// The script's functions that run once, if it has any.
    control: Option<Control>,
    shape: Option<LiveShape>,
    to: Connections,
    state: watch::Sender<State>,
    notices: broadcast::Sender<Notice>,
    emergency: Emergency,
    /// When the current second ends, while users run.
    tick_at: Option<Instant>,
    /// Why the run is stopping.
    end: Option<End>,
    /// It was asked to end at once.
    is_killed: bool,
    /// Its members are in other processes, and may all be lost.
    is_far: bool,
    /// How long it waits for somebody who could go on, and until when it does.
    patience: Duration,
    deserted_at: Option<Instant>,
    /// It was another master's until now.
    going_on: Option<GoingOn>,
    /// Members have another script than this process, until the next reload.
    has_other_script: bool,
    workers: Workers,
    /// The latest moment for members to end.
    grace: Option<Instant>,
    is_over: bool,
}

impl Run {
    async fn go(mut self) {
        if self.control.is_some() {
            self.state.send_replace(State::SettingUp);
        }
        let declared = &self.edition.scenario.hooks;
        let run_time = self.fleet.plan().end();
        let steps = self.hooks.set_up(declared, run_time, Instant::now());
        self.do_all(steps);
        self.serve().await;
    }

    /// Until it is over.
    async fn serve(mut self) {
        while !self.is_over {
            let timers = self.timers();
            let event = self.inbox.next(timers).await;
            self.handle(event);
        }
        self.finish().await;
    }

    /// The timers, in order of precedence when two are due at once.
    fn timers(&self) -> [(Timer, Option<Instant>); 8] {
        let is_measuring = self.hooks.phase() == Phase::Measuring;
        let goes_on = is_measuring && self.end.is_none();
        let plan = self.fleet.plan();
        let at = |moment: Option<Duration>| self.when(moment?);
        let next_stage = || plan.next_stage(self.plan_time());
        [
            (Timer::Tick, self.tick_at.filter(|_| is_measuring)),
            (
                Timer::Trouble,
                is_measuring.then(|| self.emergency.look_at()),
            ),
            (
                Timer::Reload,
                self.reload
                    .due_at()
                    .filter(|_| goes_on && self.may_reload()),
            ),
            (Timer::Hooks, self.hooks.due_at()),
            (Timer::PlanIsOver, at(plan.end()).filter(|_| goes_on)),
            (Timer::StageBegins, goes_on.then(next_stage).and_then(at)),
            (Timer::Deserted, self.deserted_at.filter(|_| goes_on)),
            (Timer::Grace, self.grace.filter(|_| is_measuring)),
        ]
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::News(id, news) => self.take_news(id, news),
            Event::Coming(coming) => self.come(coming),
            Event::Command(command) => self.handle_command(command.unwrap_or(Command::Stop)),
            Event::Answered(call, outcome) => self.answered(call, outcome),
            Event::Batch(batch) => self.absorb(batch),
            Event::Report(report) => self.numbers.apply(&report),
            Event::Line(line) => self.notice(Notice::Script(line)),
            Event::Due(timer) => self.due(timer),
        }
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Ask(wish, answer) => self.handle_wish(wish, answer),
            Command::Stop => self.stop(End::Stopped),
            Command::Kill => self.kill(),
        }
    }

    fn due(&mut self, timer: Timer) {
        match timer {
            Timer::Tick => {
                self.tick();
                self.ask_shape();
            }
            Timer::Trouble => {
                if let Some(what) = self.emergency.look(&self.edition.scenario) {
                    self.fail(what);
                    self.stop_at_once(emergency::GRACE);
                }
            }
            Timer::Reload => self.look_at_reload(),
            Timer::Hooks => {
                let steps = self.hooks.due(Instant::now());
                self.do_all(steps);
            }
            Timer::PlanIsOver if self.fleet.plan().is_complete() => self.stop(End::Shape),
            Timer::PlanIsOver => self.stop(End::RunTime),
            Timer::StageBegins => self.enter_stage(),
            Timer::Deserted => self.fail(format!("no worker was there for {:?}", self.patience)),
            Timer::Grace => {
                // An earlier failure says more.
                if !matches!(self.end, Some(End::Failed(_))) {
                    let held = match self.is_far {
                        true => "a worker did not end in time",
                        false => "a load thread did not end in time: a script holds it in one call",
                    };
                    let workers = self.workers.not_ended();
                    self.end = Some(End::Failed(workers.unwrap_or_else(|| held.to_owned())));
                }
                self.tear_down();
            }
        }
    }

    fn take_news(&mut self, id: MemberId, news: News) {
        match news {
            News::Ready => self.fleet.is_ready(id),
            News::Assigned(number, levels) => {
                self.fleet.update_levels(id, levels.between());
                self.assigned(id, number);
            }
            News::Prepared { ticket, result } => {
                let steps = self.reload.prepared(id, ticket, result);
                self.reload_by(steps);
            }
            News::Adopted(levels) => {
                self.fleet.update_levels(id, levels);
                self.reload.adopted(id);
            }
            News::Levels(levels) => {
                self.fleet.update_levels(id, levels);
                self.look_at_users();
            }
            News::Failed(why) => self.fail(why.to_string()),
            News::StopTest(why) => self.stop(End::StopTest(why)),
            News::ExitCode(code) => self.to.shared.set_exit_code(code),
            News::Overflowed => self.notice(Notice::TooManyNames),
            News::Ended { cut } => self.ended(id, cut),
        }
        self.look_at_reload();
        self.start_ready();
    }

    /// Checks how far the members are in the plan.
    fn look_at_users(&mut self) {
        self.count_users();
        if self.hooks.phase() != Phase::Measuring {
            return;
        }
        // A member may reach a stage before this thread has entered it.
        self.enter_stage();
        if let Some(notice) = self.fleet.arrive() {
            self.to.shared.state().reach(Milestone::SpawningComplete);
            self.tell(scenario::Event::SpawningComplete);
            notice.into_iter().for_each(|notice| self.notice(notice));
            self.enter(State::Running);
        }
        let may_turn = self.shape.is_some();
        let is_settled = self.going_on.is_none() && !self.assignments.is_under_way();
        if is_settled && self.fleet.is_done(self.plan_time(), may_turn) {
            self.stop(End::Done);
        }
    }

    /// The first users start.
    fn begin(&mut self) {
        let lead = match self.is_far {
            true => FAR_LEAD,
            false => Duration::ZERO,
        };
        self.epoch = clock::now() + lead;
        self.begun = Instant::now() + lead;
        let lead_us = i64::try_from(lead.as_micros()).unwrap_or(0);
        self.epoch_unix_us = jiff::Timestamp::now().as_microsecond() + lead_us;
        let (epoch, unix_us) = (self.epoch, self.epoch_unix_us);
        self.numbers.begin(unix_us);
        self.numbers.generation(1, &self.edition.hash(), 0);
        if let Some(control) = &self.control {
            control.begin(epoch, unix_us);
        }
        self.enter(State::Spawning);
        self.tick_at = Some(self.begun + SECOND + self.tick_delay());
        self.enter_stage();
        self.ask_shape();
        self.handle_early();
        // What was asked for until now holds for them from the start.
        self.start_ready();
        // A member may have gone before it began.
        self.deal();
        self.look_at_reload();
        self.tell_of_workers();
    }

    /// Notes the stage of the plan that has begun, if one has.
    fn enter_stage(&mut self) {
        let Some((change, notice)) = self.fleet.enter_stage(self.plan_time()) else {
            return;
        };
        self.numbers.asked(change.to);
        notice.into_iter().for_each(|notice| self.notice(notice));
        if change.from != change.to {
            self.enter(State::Spawning);
        }
    }

    /// Goes to these numbers of users from now on.
    fn redirect(&mut self, division: Division, stage: &Stage) {
        let plan = self
            .fleet
            .plan()
            .redirected_at(self.plan_time(), division, stage);
        self.fleet.follow(Arc::new(plan));
        self.enter_stage();
    }

    /// Calls the shape's closure, if there is one, and follows it.
    fn ask_shape(&mut self) {
        let (time, users) = (self.plan_time(), self.fleet.levels().users);
        let goes_on = self.end.is_none() && !self.plan_clock.is_paused();
        let Some(shape) = self.shape.as_mut().filter(|_| goes_on) else {
            return;
        };
        let turn = shape.ask(time, users);
        for line in shape.said() {
            self.notice(Notice::Script(line));
        }
        match turn {
            Turn::Stay => {}
            Turn::To(division, stage) => self.redirect(division, &stage),
            Turn::Stop => self.stop(End::Shape),
            Turn::Fail(message) => self.stop(End::Failed(message)),
        }
    }

    fn absorb(&mut self, batch: Batch) {
        let thread = batch.thread();
        let spare = self.numbers.absorb(batch);
        self.fleet.give_back(thread, spare);
    }

    fn tick(&mut self) {
        let now = Instant::now();
        // The next tick closes seconds that were missed.
        let begun = self.begun + self.tick_delay();
        let seconds = now.duration_since(begun).as_secs() + 1;
        self.tick_at = Some(begun + Duration::from_secs(seconds));
        if self.fleet.is_used_up() {
            // No more users will start, even if the plan continues.
            self.to.shared.state().reach(Milestone::SpawningComplete);
        }
        let levels = self.fleet.levels();
        let alive = UserCounts {
            now: levels.users,
            peak: self.fleet.take_peak(),
            behind: levels.behind,
        };
        self.workers.show(&mut self.numbers);
        let is_silent = self.numbers.tick(self.now_us(), alive);
        if is_silent {
            let iterations = SILENT_ITERATIONS;
            self.notice(Notice::NothingMeasured { iterations });
        }
    }

    /// How long after the end of a second that is closed.
    fn tick_delay(&self) -> Duration {
        match self.is_far {
            true => FAR_DELAY,
            false => Duration::ZERO,
        }
    }

    /// Publishes the figures so far.
    fn show(&mut self) {
        let behind = self.fleet.levels().behind;
        self.workers.show(&mut self.numbers);
        self.numbers.show(self.now_us(), behind);
    }

    /// Publishes the figures including every sample received so far.
    fn show_all(&mut self) {
        while let Some(batch) = self.inbox.batch() {
            self.absorb(batch);
        }
        while let Some(report) = self.inbox.report() {
            self.numbers.apply(&report);
        }
        self.show();
    }

    /// Collects what is left and publishes the final result.
    async fn finish(mut self) {
        if let Some(control) = self.control.take() {
            // Cancelled calls unwind by themselves; after that their counts are here.
            let _ = timeout(UNWINDING, control.close()).await;
        }
        self.await_workers().await;
        self.show_all();
        while let Some(line) = self.inbox.line() {
            self.notice(Notice::Script(line));
        }
        self.tick();
        let ended = Ended {
            why: self.end.take().unwrap_or(End::Done),
            exit_code: self.to.shared.exit_code(),
            unwritten: self.to.shared.finish_appends(),
        };
        self.state.send_replace(State::Ended(ended));
    }

    fn notice(&self, notice: Notice) {
        // It fails only without a reader, which is fine.
        let _ = self.notices.send(notice);
    }

    fn now_us(&self) -> u64 {
        clock::now().since(self.epoch)
    }
}
