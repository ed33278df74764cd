//! The users of one load thread: starting them on time, stopping the last started first.
//!
//! Owns who is alive on this thread. How many there should be is the plan's arithmetic (`load`),
//! what each user does its life (`vu`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_local;

use super::load_thread::{News, Order};
use super::{Options, Setup};
use crate::clock::{self, Micros};
use crate::coroutine::Stacks;
use crate::load::{ClassShare, Division, Mix, Part, Plan};
use crate::scenario;
use crate::script::{Instance, Program, Thread};
use crate::vu::{self, Death, Life, Orders, Stopping};

/// How often measurements are handed over at least.
const HAND_OVER_EVERY: Duration = Duration::from_millis(100);

/// Users started in one go before the thread's other tasks run.
const STARTED_AT_ONCE: u32 = 32;

/// How long a user may take to end after the last limit of its stop order.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// The users of one thread.
pub(super) struct Crew {
    program: Rc<Program>,
    thread: Rc<Thread>,
    stacks: Stacks,
    classes: Vec<Rc<scenario::Class>>,
    mix: RefCell<Mix>,
    part: Part,
    options: Options,
    budget: Option<Arc<AtomicU64>>,
    news: mpsc::Sender<News>,
    /// By the order in which they were started.
    alive: RefCell<BTreeMap<u64, Rc<Orders>>>,
    started: Cell<u64>,
    /// By the plan's tracks.
    places: RefCell<Vec<Places>>,
    /// Whether all users that the plan asks for have been started, and no more will be.
    settled: Cell<bool>,
    changed: Notify,
}

/// The places of this thread's users in one track of the plan.
#[derive(Default)]
struct Places {
    /// Who took each place that is taken, as a key of `alive`; may have ended since. The last
    /// taken is the first freed.
    taken: Vec<u64>,
    /// How often each place has been taken. A user that takes a place anew has the ordinal of
    /// the one before, but draws other random numbers.
    lives: Vec<u32>,
}

impl Crew {
    pub(super) fn new(
        program: Rc<Program>,
        thread: Rc<Thread>,
        setup: &Setup,
        index: u32,
        news: mpsc::Sender<News>,
        budget: Option<Arc<AtomicU64>>,
    ) -> Rc<Crew> {
        let classes = &setup.scenario.classes;
        let shares: Vec<ClassShare> = classes.iter().map(|class| class.share).collect();
        Rc::new(Crew {
            program,
            thread,
            stacks: Stacks::new(setup.options.threads),
            classes: classes.iter().cloned().map(Rc::new).collect(),
            mix: RefCell::new(Mix::new(&shares)),
            part: Part::new(index, setup.options.threads),
            options: setup.options.clone(),
            budget,
            news,
            alive: RefCell::default(),
            started: Cell::new(0),
            places: RefCell::default(),
            settled: Cell::new(false),
            changed: Notify::new(),
        })
    }

    /// Follows orders until the one to stop has been carried out.
    pub(super) async fn serve(self: Rc<Self>, epoch: Micros, mut orders: mpsc::Receiver<Order>) {
        let regular = spawn_local(self.clone().hand_over_regularly());
        let mut pacer = spawn_local(self.clone().follow(self.options.plan.clone(), epoch));
        let limits = loop {
            match orders.recv().await {
                Some(Order::Start { .. }) => {}
                Some(Order::Follow(plan)) => {
                    pacer.abort();
                    self.settled.set(false);
                    pacer = spawn_local(self.clone().follow(plan, epoch));
                }
                Some(Order::Stop {
                    stop_timeout,
                    on_stop_timeout,
                }) => {
                    break (stop_timeout, on_stop_timeout);
                }
                // Nobody is left to report to.
                None => break (Duration::ZERO, Duration::ZERO),
            }
        };
        pacer.abort();
        self.stop_all(limits, &mut orders).await;
        regular.abort();
        self.thread.hand_over_all().await;
        let _ = self
            .news
            .send(News::Ended {
                cut: self.thread.cut_in_flight(),
            })
            .await;
    }

    /// Starts and stops users as `plan` asks for, whose times count from `epoch`.
    async fn follow(self: Rc<Self>, plan: Arc<Plan>, epoch: Micros) {
        let mut arrived = None;
        while !self.is_used_up() {
            let elapsed = Duration::from_micros(clock::now().since(epoch));
            if !self.adjust(&plan, elapsed) {
                tokio::task::yield_now().await;
                continue;
            }
            let stage = plan.change_at(elapsed).stage;
            if arrived != Some(stage) && self.part.has_arrived(&plan, elapsed) {
                arrived = Some(stage);
                self.tell(News::Spawned(stage));
            }
            let Some(next) = self.part.next_change(&plan, elapsed) else {
                break;
            };
            let due = epoch + next;
            self.thread.timers().sleep_until(due).await;
            let lag_us = u32::try_from(clock::now().since(due)).unwrap_or(u32::MAX);
            self.thread.record(|recorder| recorder.lag(lag_us));
        }
        self.settled.set(true);
        self.tell_if_idle();
    }

    /// Brings the number of users to what the plan asks for; false if so many were started that
    /// the thread's other tasks should run before the rest is.
    fn adjust(self: &Rc<Self>, plan: &Plan, elapsed: Duration) -> bool {
        let tracks = plan.division().tracks();
        self.places
            .borrow_mut()
            .resize_with(tracks, Places::default);
        let mut at_once = 0;
        for track in 0..tracks {
            let asked = self.part.users_of(plan, track, elapsed) as usize;
            while self.taken(track) > asked {
                self.stop_last(track);
            }
            while self.taken(track) < asked {
                if at_once == STARTED_AT_ONCE {
                    return false;
                }
                self.start(plan.division(), track);
                at_once += 1;
            }
        }
        true
    }

    fn taken(&self, track: usize) -> usize {
        self.places.borrow()[track].taken.len()
    }

    /// Whether the run's iterations are used up: users that start now would find nothing to do.
    fn is_used_up(&self) -> bool {
        self.budget
            .as_ref()
            .is_some_and(|budget| budget.load(Ordering::Relaxed) == 0)
    }

    /// Starts this thread's next user of a track.
    fn start(self: &Rc<Self>, division: Division, track: usize) {
        let serial = self.started.replace(self.started.get() + 1);
        let (index, life) = self.places.borrow_mut()[track].take(serial);
        let Some(ordinal) = self.part.ordinal(track, index) else {
            return;
        };
        let class = match division {
            Division::Mixed => self.mix.borrow_mut().class_of(ordinal),
            Division::PerClass(_) => Some(track),
        };
        let Some(class) = class else {
            return;
        };
        let orders = Rc::new(Orders::default());
        let program = &self.program;
        // One number for each user of the run, whatever its track.
        let number = u64::from(ordinal) * division.tracks() as u64 + track as u64;
        let instance = Instance::again(
            program,
            &program.classes()[class],
            &self.thread,
            number,
            life,
        );
        let life = Life {
            thread: self.thread.clone(),
            stacks: self.stacks.clone(),
            class: self.classes[class].clone(),
            orders: orders.clone(),
            budget: self.budget.clone(),
            on_stop_timeout: self.options.on_stop_timeout,
        };
        self.alive.borrow_mut().insert(serial, orders);
        self.thread.shared().user_started();
        let guard = Alive {
            crew: self.clone(),
            serial,
        };
        spawn_local(async move {
            let death = vu::live(instance, life).await;
            guard.crew.bury(death);
            drop(guard);
        });
    }

    /// Tells the user of a track that was started last to stop.
    fn stop_last(&self, track: usize) {
        let Some(serial) = self.places.borrow_mut()[track].taken.pop() else {
            return;
        };
        if let Some(orders) = self.alive.borrow().get(&serial) {
            orders.stop(stopping(
                self.options.stop_timeout,
                self.options.on_stop_timeout,
            ));
        }
    }

    /// Stops all users within these limits, or those of a later order.
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
                    Some(Order::Start { .. } | Order::Follow(_)) => {}
                    // Nobody is left to report to.
                    None => return,
                },
            }
        }
    }

    /// Tells all users to stop; returns when the last of them must have ended.
    fn stop_within(&self, (stop_timeout, on_stop_timeout): (Duration, Duration)) -> Micros {
        let stopping = stopping(stop_timeout, on_stop_timeout);
        for orders in self.alive.borrow().values() {
            orders.stop(stopping);
        }
        stopping.on_stop_until + LAST_GRACE
    }

    async fn all_ended(&self) {
        while !self.alive.borrow().is_empty() {
            self.changed.notified().await;
        }
    }

    fn bury(&self, death: Death) {
        if let Death::StopTest(why) = death {
            self.tell(News::StopTest(why));
        }
    }

    fn tell_if_idle(&self) {
        if (self.settled.get() || self.is_used_up()) && self.alive.borrow().is_empty() {
            self.tell(News::Idle);
        }
    }

    /// There are only a few kinds of news, each told once or twice a stage.
    fn tell(&self, news: News) {
        let _ = self.news.try_send(news);
    }

    async fn hand_over_regularly(self: Rc<Self>) {
        let mut overflow_told = false;
        let mut due = clock::now();
        loop {
            due = (due + HAND_OVER_EVERY).max(clock::now());
            self.thread.timers().sleep_until(due).await;
            let lag_us = u32::try_from(clock::now().since(due)).unwrap_or(u32::MAX);
            let overflowed = self.thread.record(|recorder| {
                recorder.lag(lag_us);
                recorder.overflowed()
            });
            if overflowed && !overflow_told {
                overflow_told = true;
                self.tell(News::Overflowed);
            }
            if self.is_used_up() {
                self.alive
                    .borrow()
                    .values()
                    .for_each(|orders| orders.wake());
            }
            self.thread.hand_over();
            self.stacks.trim();
        }
    }
}

impl Places {
    /// Takes the next place; gives its index, and how often it was taken before.
    fn take(&mut self, serial: u64) -> (u32, u32) {
        let index = self.taken.len();
        self.taken.push(serial);
        if self.lives.len() == index {
            self.lives.push(0);
        }
        let life = self.lives[index];
        self.lives[index] += 1;
        let index = u32::try_from(index).expect("a plan has fewer than 2^32 users");
        (index, life)
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
struct Alive {
    crew: Rc<Crew>,
    serial: u64,
}

impl Drop for Alive {
    fn drop(&mut self) {
        let crew = &self.crew;
        crew.alive.borrow_mut().remove(&self.serial);
        crew.thread.shared().user_ended();
        crew.changed.notify_one();
        if std::thread::panicking() {
            crew.tell(News::Failed(
                "a load thread panicked: this is a bug of Katydid".to_owned(),
            ));
        }
        crew.tell_if_idle();
    }
}
