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
use crate::load::{ClassShare, Mix, Ramp, Split};
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
    split: Split,
    index: u32,
    options: Options,
    budget: Option<Arc<AtomicU64>>,
    news: mpsc::Sender<News>,
    /// By ordinal: the last one started is the first one stopped.
    alive: RefCell<BTreeMap<u32, Rc<Orders>>>,
    /// The number, on this thread, of the next user to start.
    next: Cell<u32>,
    /// Whether all users that the ramp asks for have been started.
    spawned: Cell<bool>,
    changed: Notify,
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
            split: Split::new(setup.options.threads),
            index,
            options: setup.options.clone(),
            budget,
            news,
            alive: RefCell::default(),
            next: Cell::new(0),
            spawned: Cell::new(false),
            changed: Notify::new(),
        })
    }

    /// Follows orders until the one to stop has been carried out.
    pub(super) async fn serve(self: Rc<Self>, epoch: Micros, mut orders: mpsc::Receiver<Order>) {
        let regular = spawn_local(self.clone().hand_over_regularly());
        let ramp = Ramp::new(0, self.options.users, self.options.rate);
        let mut pacer = spawn_local(self.clone().follow(ramp, epoch));
        let limits = loop {
            match orders.recv().await {
                Some(Order::Start { .. }) => {}
                Some(Order::Users { ramp, begun }) => {
                    pacer.abort();
                    self.spawned.set(false);
                    pacer = spawn_local(self.clone().follow(ramp, begun));
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

    /// Starts and stops users as `ramp`, which began at `begun`, asks for.
    async fn follow(self: Rc<Self>, ramp: Ramp, begun: Micros) {
        while !self.is_used_up() {
            let elapsed = Duration::from_micros(clock::now().since(begun));
            let asked = ramp.users_at(elapsed);
            let mine = self.split.users_of(self.index, asked);
            let mut at_once = 0;
            while self.next.get() < mine && at_once < STARTED_AT_ONCE {
                self.start();
                at_once += 1;
            }
            if self.next.get() < mine {
                tokio::task::yield_now().await;
                continue;
            }
            while self.next.get() > mine {
                self.stop_last();
            }
            if mine == self.split.users_of(self.index, ramp.target()) {
                break;
            }
            // On the way up this thread's own next user decides, on the way down any change may.
            let own = self
                .split
                .user_of(self.index, mine)
                .and_then(|user| ramp.due(user));
            let next = own
                .filter(|due| *due > elapsed)
                .or_else(|| ramp.next_change(elapsed));
            let Some(next) = next else { break };
            let due = begun + next;
            self.thread.timers().sleep_until(due).await;
            let lag_us = u32::try_from(clock::now().since(due)).unwrap_or(u32::MAX);
            self.thread.record(|recorder| recorder.lag(lag_us));
        }
        if !self.is_used_up() {
            self.tell(News::Spawned);
        }
        self.spawned.set(true);
        self.tell_if_idle();
    }

    /// Whether the run's iterations are used up: users that start now would find nothing to do.
    fn is_used_up(&self) -> bool {
        self.budget
            .as_ref()
            .is_some_and(|budget| budget.load(Ordering::Relaxed) == 0)
    }

    /// Starts this thread's next user.
    fn start(self: &Rc<Self>) {
        let number = self.next.replace(self.next.get() + 1);
        let Some(ordinal) = self.split.user_of(self.index, number) else {
            return;
        };
        let Some(class) = self.mix.borrow_mut().class_of(ordinal) else {
            return;
        };
        let orders = Rc::new(Orders::default());
        let program = &self.program;
        let instance = Instance::new(
            program,
            &program.classes()[class],
            &self.thread,
            u64::from(ordinal),
        );
        let life = Life {
            thread: self.thread.clone(),
            stacks: self.stacks.clone(),
            class: self.classes[class].clone(),
            orders: orders.clone(),
            budget: self.budget.clone(),
            on_stop_timeout: self.options.on_stop_timeout,
        };
        self.alive.borrow_mut().insert(ordinal, orders);
        self.thread.shared().user_started();
        let guard = Alive {
            crew: self.clone(),
            ordinal,
        };
        spawn_local(async move {
            let death = vu::live(instance, life).await;
            guard.crew.bury(death);
            drop(guard);
        });
    }

    /// Tells the user that was started last to stop.
    fn stop_last(&self) {
        let Some(number) = self.next.get().checked_sub(1) else {
            return;
        };
        self.next.set(number);
        let Some(ordinal) = self.split.user_of(self.index, number) else {
            return;
        };
        if let Some(orders) = self.alive.borrow().get(&ordinal) {
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
                    Some(Order::Start { .. } | Order::Users { .. }) => {}
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
        if (self.spawned.get() || self.is_used_up()) && self.alive.borrow().is_empty() {
            self.tell(News::Idle);
        }
    }

    /// There are only a few kinds of news, each told once or twice a run.
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
    ordinal: u32,
}

impl Drop for Alive {
    fn drop(&mut self) {
        let crew = &self.crew;
        crew.alive.borrow_mut().remove(&self.ordinal);
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
