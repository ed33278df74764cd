//! The users of one load thread: starting them on time, stopping the last started first.
//!
//! Owns which users are alive on this thread. `load` works out how many there should be; `vu` runs
//! each of them.

use std::cell::{Cell, Ref, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, spawn_local};

use super::holding::Holding;
use super::load_thread::{News, Order, Start};
use super::moves::{Gaining, Yielding};
use super::places::{Place, Places};
use super::reports::Alarm;
use super::{Edition, Setup};
use crate::clock::{self, Micros};
use crate::coroutine::Stacks;
use crate::load::{Division, Mix, Part, Plan};
use crate::script::{Generation, Instance, Thread};
use crate::vu::{self, Budget, Fence, Orders, PlanClock, Signal, Stopping, UserEnd, UserParts};

/// How often measurements are handed over at least.
const HAND_OVER_EVERY: Duration = Duration::from_millis(100);

/// How long to start users in one go before the thread's other tasks run, in µs: at least, and at
/// most. Between the two, it is half the time that the others took since. Those that compute have 1
/// ms each, so with a fixed bound, starting 4,500 of them would take many rounds of seconds.
const START_FOR_US: (u64, u64) = (2_000, 50_000);

/// How long a user may take to end after the last limit of its stop order.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// The users of one thread.
pub(super) struct Crew {
    pub(super) thread: Rc<Thread>,
    stacks: Stacks,
    /// What the generation in service was compiled from.
    pub(super) edition: RefCell<Arc<Edition>>,
    /// The next generation and its edition, until it goes into service.
    pub(super) prepared: RefCell<Option<(Arc<Edition>, Generation)>>,
    pub(super) mix: RefCell<Mix>,
    /// Which users of the plan are this thread's.
    pub(super) holding: RefCell<Holding>,
    /// The users of gained slots that it is taking over, until all of them have been started.
    pub(super) gaining: Cell<Option<Gaining>>,
    /// Users that have to end before another thread may take over their slots.
    pub(super) yielding: RefCell<Vec<Yielding>>,
    plan: RefCell<Arc<Plan>>,
    /// What the plan's times are of.
    pub(super) plan_clock: Rc<PlanClock>,
    budget: Option<Budget>,
    pub(super) index: u32,
    pub(super) news: mpsc::Sender<(u32, News)>,
    /// By the order in which they were started.
    pub(super) alive: RefCell<BTreeMap<u64, Alive>>,
    /// How many there are, and the most since the last report. A place counts even between two
    /// users, when neither is alive.
    pub(super) users: Cell<u32>,
    pub(super) peak: Cell<u32>,
    started: Cell<u64>,
    /// By the plan's tracks.
    pub(super) places: RefCell<Vec<Places>>,
    /// The stage of the plan whose number of users this thread has reached.
    pub(super) arrived: Cell<Option<u32>>,
    /// Whether all users that the plan asks for have been started, and no more will be.
    pub(super) settled: Cell<bool>,
    /// All users have been told to stop.
    pub(super) is_stopping: Cell<bool>,
    changed: Notify,
}

/// A user of this thread.
pub(super) struct Alive {
    pub(super) orders: Rc<Orders>,
    /// The index of its class in the generation in service.
    pub(super) class: usize,
}

impl Crew {
    pub(super) fn new(
        thread: Rc<Thread>,
        setup: &Setup,
        edition: Arc<Edition>,
        index: u32,
        start: &Start,
        news: mpsc::Sender<(u32, News)>,
        (budget, fence): (Option<Budget>, Option<Fence>),
    ) -> Rc<Crew> {
        Rc::new(Crew {
            thread,
            stacks: Stacks::new(setup.threads),
            mix: RefCell::new(Mix::of(&start.classes)),
            holding: RefCell::new(Holding::begun(start.parts.of(index).clone())),
            gaining: Cell::new(None),
            yielding: RefCell::default(),
            plan: RefCell::new(start.plan.clone()),
            plan_clock: Rc::new(PlanClock::joining(start.pauses.0, start.pauses.1, fence)),
            edition: RefCell::new(edition),
            prepared: RefCell::default(),
            budget,
            index,
            news,
            alive: RefCell::default(),
            users: Cell::new(0),
            peak: Cell::new(0),
            started: Cell::new(0),
            places: RefCell::default(),
            arrived: Cell::new(None),
            settled: Cell::new(false),
            is_stopping: Cell::new(false),
            changed: Notify::new(),
        })
    }

    /// Follows orders until the one to stop has been carried out.
    pub(super) async fn serve(self: Rc<Self>, epoch: Micros, mut orders: mpsc::Receiver<Order>) {
        let regular = spawn_local(self.clone().hand_over_regularly());
        let renewed = spawn_local(self.clone().report_when_nobody_is_behind());
        let mut pacer = self.follow_from_now(epoch);
        let limits = loop {
            match orders.recv().await {
                Some(Order::Follow(plan)) => {
                    pacer.abort();
                    self.set_plan(plan);
                    pacer = self.follow_from_now(epoch);
                }
                Some(Order::Assign { assignment, pace }) => {
                    pacer.abort();
                    let part = assignment.parts.of(self.index).clone();
                    self.assign(assignment.number, part, pace, epoch);
                    pacer = self.follow_from_now(epoch);
                }
                Some(Order::Pause) => self.plan_clock.pause(clock::now()),
                Some(Order::Resume { paused_us }) => self.plan_clock.resume(paused_us),
                // For threads that have not begun.
                Some(Order::Start(_) | Order::CatchUp(..)) => {}
                Some(Order::Prepare(preparation)) => self.prepare(preparation),
                Some(Order::Discard) => *self.prepared.borrow_mut() = None,
                Some(Order::Adopt(adoption)) => {
                    pacer.abort();
                    self.adopt(adoption);
                    self.tell_for_sure(News::Adopted(self.levels()));
                    pacer = self.follow_from_now(epoch);
                }
                Some(Order::Stop {
                    stop_timeout,
                    on_stop_timeout,
                }) => {
                    break (stop_timeout, on_stop_timeout);
                }
                // The run is gone.
                None => break (Duration::ZERO, Duration::ZERO),
            }
        };
        pacer.abort();
        self.stop_all(limits, &mut orders).await;
        regular.abort();
        renewed.abort();
        self.thread.hand_over_all().await;
        let cut = self.thread.cut_in_flight();
        for last in [News::Levels(self.levels()), News::Ended { cut }] {
            let _ = self.news.send((self.index, last)).await;
        }
    }

    /// Follows another plan, once it is [followed](Crew::follow_from_now).
    pub(super) fn set_plan(&self, plan: Arc<Plan>) {
        *self.plan.borrow_mut() = plan;
        self.arrived.set(None);
    }

    pub(super) fn plan(&self) -> Arc<Plan> {
        self.plan.borrow().clone()
    }

    /// What the numbers of users count.
    pub(super) fn division(&self) -> Division {
        self.plan.borrow().division()
    }

    /// Starts and stops users from now on as the plan asks for.
    fn follow_from_now(self: &Rc<Self>, epoch: Micros) -> JoinHandle<()> {
        self.settled.set(false);
        spawn_local(self.clone().follow(self.plan(), epoch))
    }

    /// Starts and stops users as `plan` asks for, whose times count from `epoch`.
    async fn follow(self: Rc<Self>, plan: Arc<Plan>, epoch: Micros) {
        let _told = Alarm(&self);
        // The epoch may lie in the future, so that all machines begin together.
        self.plan_reaches(epoch).await;
        let mut others_us = 0;
        while !self.is_used_up() {
            self.plan_clock.resumed().await;
            let elapsed = Duration::from_micros(self.plan_clock.now().since(epoch));
            if !self.adjust(&plan, elapsed, others_us / 2) {
                let left = clock::now();
                tokio::task::yield_now().await;
                others_us = clock::now().since(left);
                continue;
            }
            let gained = self.next_gained();
            let stage = plan.change_at(elapsed).stage;
            let has_arrived = || gained.is_none() && self.part().has_arrived(&plan, elapsed);
            if self.arrived.get() != Some(stage) && has_arrived() {
                self.arrived.set(Some(stage));
                self.report();
            }
            let next = self.part().next_change(&plan, elapsed);
            let next = next.map(|next| epoch + next);
            let Some(due) = next.into_iter().chain(gained).min() else {
                break;
            };
            self.plan_reaches(due).await;
            let [due, now] = [due, self.plan_clock.now()].map(|at| self.plan_clock.wall(at));
            self.thread.lags(due, now);
        }
        self.settled.set(true);
        self.report();
    }

    /// Waits until plan time is `due`.
    async fn plan_reaches(&self, due: Micros) {
        while self.plan_clock.now() < due {
            let wall = self.plan_clock.wall(due);
            self.thread.timers().sleep_until(wall).await;
            self.plan_clock.resumed().await;
        }
    }

    /// Brings the number of users to what the plan asks for; false if that took so long that the
    /// thread's other tasks should run before the rest is started.
    fn adjust(self: &Rc<Self>, plan: &Plan, elapsed: Duration, long_us: u64) -> bool {
        let long_us = long_us.clamp(START_FOR_US.0, START_FOR_US.1);
        let tracks = plan.division().tracks();
        self.places
            .borrow_mut()
            .resize_with(tracks, Places::default);
        let until = clock::now() + Duration::from_micros(long_us);
        for track in 0..tracks {
            let asked = self.part().users_of(plan, track, elapsed) as usize;
            while self.taken(track) > asked {
                self.stop_last(track);
            }
            while let Some(index) = self.next_place(track, asked) {
                self.start(plan.division(), Place { track, index });
                if clock::now() > until {
                    return false;
                }
            }
        }
        self.start_gained(plan.division(), until)
    }

    fn part(&self) -> Ref<'_, Part> {
        Ref::map(self.holding.borrow(), Holding::part)
    }

    /// The next place of a track for which a user should start now.
    fn next_place(&self, track: usize, asked: usize) -> Option<usize> {
        let places = &mut self.places.borrow_mut()[track];
        let next = Some(places.taken()).filter(|taken| *taken < asked);
        places.next_open().or(next)
    }

    fn taken(&self, track: usize) -> usize {
        self.places.borrow()[track].taken()
    }

    /// Whether the run's iterations are used up: users that start now would find nothing to do.
    pub(super) fn is_used_up(&self) -> bool {
        self.budget.as_ref().is_some_and(Budget::is_used_up)
    }

    /// Starts a user in a place that is free or vacant.
    pub(super) fn start(self: &Rc<Self>, division: Division, place: Place) {
        if self.begin(division, place) {
            self.thread.shared().user_started();
            self.users.set(self.users.get() + 1);
            self.peak.set(self.peak.get().max(self.users.get()));
        }
    }

    /// Like [`Crew::start`], but the user is already counted. False if the place stays empty.
    pub(super) fn begin(self: &Rc<Self>, division: Division, place: Place) -> bool {
        let Some((ordinal, class)) = self.user_of(division, place) else {
            self.places.borrow_mut()[place.track].leave_vacant(place.index);
            return false;
        };
        let serial = self.started.replace(self.started.get() + 1);
        let lives = self.places.borrow_mut()[place.track].take(place.index, serial);
        let incarnation = self
            .holding
            .borrow()
            .incarnation(place.track, ordinal, lives);
        let generation = self.thread.generation();
        let orders = Rc::new(Orders::default());
        // Unique among all users of the run, across tracks.
        let number = u64::from(ordinal) * division.tracks() as u64 + place.track as u64;
        let instance = Instance::respawned(
            &generation.classes()[class],
            &self.thread,
            number,
            incarnation,
        );
        let parts = UserParts {
            thread: self.thread.clone(),
            stacks: self.stacks.clone(),
            class: generation.plan(class).clone(),
            orders: orders.clone(),
            plan_clock: self.plan_clock.clone(),
            budget: self.budget.clone(),
            on_stop_timeout: self.edition.borrow().options.on_stop_timeout,
        };
        self.alive.borrow_mut().insert(
            serial,
            Alive {
                orders: orders.clone(),
                class,
            },
        );
        let guard = Guard {
            crew: self.clone(),
            serial,
        };
        let lives = async move {
            let end = vu::live(instance, parts).await;
            // It may have ended by itself before it saw the signal.
            let is_retired = orders.signal() == Some(Signal::Retire);
            match end {
                UserEnd::StopTest(why) => guard.crew.tell_for_sure(News::StopTest(why)),
                UserEnd::Retired => guard.vacate(),
                UserEnd::Stopped | UserEnd::ByScript | UserEnd::FailedToStart if is_retired => {
                    guard.vacate();
                }
                UserEnd::Stopped | UserEnd::ByScript | UserEnd::FailedToStart => {}
            }
            drop(guard);
        };
        match self.thread.watched(serial, lives) {
            Ok(watched) => spawn_local(watched),
            Err(lives) => spawn_local(lives),
        };
        true
    }

    /// The ordinal (within its track) and the class of the user in a place; `None` if it stays
    /// empty.
    pub(super) fn user_of(&self, division: Division, place: Place) -> Option<(u32, usize)> {
        let index = u32::try_from(place.index).expect("a plan has fewer than 2^32 users");
        let ordinal = self.part().ordinal(place.track, index)?;
        let class = match division {
            Division::Mixed => self.mix.borrow_mut().class_of(ordinal)?,
            Division::PerClass(_) => place.track,
        };
        Some((ordinal, class))
    }

    /// Stops the last started user of a track.
    fn stop_last(&self, track: usize) {
        let Some(serial) = self.places.borrow_mut()[track].free_last() else {
            return;
        };
        self.stop_users([&serial]);
    }

    /// Stops those of these users that have not ended.
    pub(super) fn stop_users<'a>(&self, serials: impl IntoIterator<Item = &'a u64>) {
        let edition = self.edition.borrow();
        let options = &edition.options;
        let stopping = stopping(options.stop_timeout, options.on_stop_timeout);
        let alive = self.alive.borrow();
        for user in serials.into_iter().filter_map(|serial| alive.get(serial)) {
            user.orders.stop(stopping);
        }
    }

    /// Stops all users within these limits, or the limits of a later order.
    async fn stop_all(&self, limits: (Duration, Duration), orders: &mut mpsc::Receiver<Order>) {
        let mut last = self.stop_within(limits);
        loop {
            tokio::select! {
                () = self.all_ended() => return,
                () = self.thread.timers().sleep_until(last) => return,
                order = orders.recv() => match order {
                    Some(Order::Stop { stop_timeout, on_stop_timeout }) => {
                        last = self.stop_within((stop_timeout, on_stop_timeout));
                    }
                    // They came too late.
                    Some(_) => {}
                    // The run is gone.
                    None => return,
                },
            }
        }
    }

    /// Stops all users; returns the moment when the last of them must have ended.
    fn stop_within(&self, (stop_timeout, on_stop_timeout): (Duration, Duration)) -> Micros {
        let stopping = stopping(stop_timeout, on_stop_timeout);
        self.is_stopping.set(true);
        for user in self.alive.borrow().values() {
            user.orders.stop(stopping);
        }
        stopping.on_stop_until + LAST_GRACE
    }

    async fn all_ended(&self) {
        while !self.alive.borrow().is_empty() {
            self.changed.notified().await;
        }
    }

    async fn hand_over_regularly(self: Rc<Self>) {
        let _told = Alarm(&self);
        let mut overflow_told = false;
        let mut due = clock::now();
        loop {
            due = (due + HAND_OVER_EVERY).max(clock::now());
            self.thread.timers().sleep_until(due).await;
            self.thread.lags(due, clock::now());
            let overflowed = self.thread.record(|recorder| recorder.overflowed());
            if overflowed && !overflow_told {
                overflow_told = true;
                self.tell_for_sure(News::Overflowed);
            }
            if self.is_used_up() {
                self.alive
                    .borrow()
                    .values()
                    .for_each(|user| user.orders.wake());
            }
            self.plan_clock.look_at_fence();
            self.thread.hand_over();
            self.report_regularly();
            self.stacks.trim();
        }
    }
}

fn stopping(stop_timeout: Duration, on_stop_timeout: Duration) -> Stopping {
    let tasks_until = clock::now() + stop_timeout;
    Stopping {
        tasks_until,
        on_stop_until: tasks_until + on_stop_timeout,
    }
}

/// Notes the end of a user, however it ends.
struct Guard {
    crew: Rc<Crew>,
    serial: u64,
}

impl Guard {
    /// The user is gone and another may take its place, together with its count: at no moment may
    /// the run look as if no users were left.
    fn vacate(&self) {
        let crew = &self.crew;
        let was_alive = crew.alive.borrow_mut().remove(&self.serial).is_some();
        if was_alive && !crew.replace(self.serial) {
            self.is_over();
        }
    }

    /// Stops counting the user.
    fn is_over(&self) {
        let users = &self.crew.users;
        users.set(users.get() - 1);
        self.crew.thread.shared().user_ended();
        self.crew.yielded(self.serial);
        self.crew.changed.notify_one();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.crew.alive.borrow_mut().remove(&self.serial).is_some() {
            self.is_over();
        }
        drop(Alarm(&self.crew));
        let crew = &self.crew;
        if crew.is_idle() {
            crew.report();
        }
    }
}
