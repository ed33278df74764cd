//! One virtual user's life: start, pick a task, run it, wait, stop.
//!
//! Owns the order of these and where a user may be stopped. What a function of the script does is
//! `script`'s business, how many users there are and when they start the runner's.
//!
//! | state | stopped by an order | then |
//! |---|---|---|
//! | on_start | cancelled at the task limit | ends, no on_stop |
//! | in a task | cancelled at the task limit | on_stop |
//! | waiting | at once | on_stop |
//! | on_stop | cancelled at its own limit | ends |

mod orders;
mod pace;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rhai::Dynamic;

use crate::clock::{self, Deadline, Micros};
use crate::coroutine::{Coroutine, Stacks};
use crate::scenario;
use crate::script::{Control, Ended, Failure, Function, Instance, Thread, User, seconds};

pub use orders::{Orders, Stopping};
use pace::Pace;

/// What a user needs besides its script.
pub struct Life {
    /// The thread it lives on.
    pub thread: Rc<Thread>,
    /// Where its tasks' stacks come from.
    pub stacks: Stacks,
    /// What its class declares.
    pub class: Rc<scenario::Class>,
    /// By which it is stopped.
    pub orders: Rc<Orders>,
    /// Iterations left to the whole run; `None` for no limit.
    pub budget: Option<Arc<AtomicU64>>,
    /// How long `on_stop` may take when the user ends by itself.
    pub on_stop_timeout: Duration,
}

/// How a user ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Death {
    /// It was told to, or used up the iterations.
    Stopped,
    /// By `stop_user()`.
    OwnWish,
    /// Its `on_start` failed.
    FailedToStart,
    /// By `stop_test("why")`: all others end too.
    StopTest(String),
}

/// What a failing `wait_time` closure is answered with: a loop without any wait would flood the
/// target.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long a task waits for a stack that cannot be had.
const STACK_RETRY: Duration = Duration::from_millis(100);

/// Runs one user from its start to its end.
///
/// Dropping it cuts the user: nothing is recorded any more and no `on_stop` runs.
pub async fn live(instance: Instance, life: Life) -> Death {
    let mut driver = Driver {
        user: instance.user().clone(),
        instance: Some(instance),
        deadline: Deadline::new(life.thread.timers()),
        life,
    };
    driver.meet_orders().await;
    if driver.has(Function::OnStart) {
        match driver.run(Function::OnStart, Limit::Task).await {
            Ok(_) => {}
            Err(Ended::Control(Control::Cancelled)) => return Death::Stopped,
            Err(Ended::Control(Control::StopTest(why))) => return Death::StopTest(why),
            Err(Ended::Control(Control::StopUser)) => return Death::OwnWish,
            Err(Ended::Control(_)) => {}
            Err(Ended::Failure(failure)) => {
                driver.user.exception(&failure);
                return Death::FailedToStart;
            }
        }
    }
    let death = driver.iterate().await;
    driver.stop().await;
    death
}

/// Which limit of a stop order applies to a call.
#[derive(Clone, Copy)]
enum Limit {
    Task,
    OnStop(Micros),
}

struct Driver {
    user: Rc<User>,
    /// Away while a function of the script runs.
    instance: Option<Instance>,
    deadline: Deadline,
    life: Life,
}

impl Driver {
    /// Lets orders wake this user from now on.
    async fn meet_orders(&self) {
        poll_fn(|cx| {
            self.life.orders.wake_with(cx.waker());
            Poll::Ready(())
        })
        .await;
    }

    fn has(&self, function: Function) -> bool {
        self.instance
            .as_ref()
            .is_some_and(|instance| instance.has(function))
    }

    /// One iteration after the other, until the user ends.
    async fn iterate(&mut self) -> Death {
        let mut pace = Pace::new(&self.life.class.wait, clock::now());
        while self.life.orders.stopping().is_none() && self.takes_iteration() {
            let task = self.user.draw(|random| self.life.class.pick(random));
            self.user.begin_iteration(pace.late_us(), pace.missed());
            self.life.thread.record(|recorder| {
                recorder.iteration_started();
                recorder.iterations_missed(pace.missed().map_or(0, |missed| missed.count));
            });
            let result = self.run(Function::Task(task), Limit::Task).await;
            let interrupted = matches!(result, Err(Ended::Control(Control::Cancelled)));
            self.life.thread.record(|recorder| {
                if interrupted {
                    recorder.iteration_interrupted();
                } else {
                    recorder.iteration_finished();
                }
            });
            match result {
                Ok(_) => {}
                Err(Ended::Failure(failure)) => self.user.exception(&failure),
                Err(Ended::Control(control)) => match control {
                    Control::Cancelled => return Death::Stopped,
                    Control::StopUser => return Death::OwnWish,
                    Control::StopTest(why) => return Death::StopTest(why),
                    Control::Reschedule
                    | Control::Unexpected
                    | Control::TooDeep
                    | Control::TopLevelTooLong => {}
                },
            }
            self.wait(&mut pace).await;
        }
        Death::Stopped
    }

    /// Takes one of the run's iterations, if there is a limit; false when they are used up.
    fn takes_iteration(&self) -> bool {
        let Some(budget) = &self.life.budget else {
            return true;
        };
        let taken = budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        taken.is_ok()
    }

    /// Waits for the start of the next iteration, or until the user is told to stop.
    async fn wait(&mut self, pace: &mut Pace) {
        let drawn = self.user.draw(|random| self.life.class.wait.draw(random));
        let length = match drawn {
            None if self.has(Function::Wait) => Some(self.script_wait().await),
            drawn => drawn,
        };
        let ended = clock::now();
        let due = pace.next(ended, length);
        if due <= ended {
            return;
        }
        self.deadline.set(due);
        poll_fn(|cx| {
            if self.life.orders.ends_wait() {
                return Poll::Ready(());
            }
            self.user.session().poll_idle(cx);
            self.deadline.poll_expired(cx)
        })
        .await;
        self.deadline.set(Micros::NEVER);
        if !self.life.orders.ends_wait() {
            let lag_us = u32::try_from(clock::now().since(due)).unwrap_or(u32::MAX);
            self.life.thread.record(|recorder| recorder.lag(lag_us));
        }
    }

    /// What the closure of `wait_time` returns.
    async fn script_wait(&mut self) -> Duration {
        let wrong = match self.run(Function::Wait, Limit::Task).await {
            Ok(value) => match seconds(&value) {
                Ok(length) => return length,
                Err(message) => Box::new(Failure::of_wait(message)),
            },
            Err(Ended::Failure(failure)) => failure,
            Err(Ended::Control(_)) => return Duration::ZERO,
        };
        self.user.exception(&wrong);
        WAIT_AFTER_FAILURE
    }

    /// Runs `on_stop`, whatever the user was doing before.
    async fn stop(&mut self) {
        if !self.has(Function::OnStop) {
            return;
        }
        let until = match self.life.orders.stopping() {
            Some(stopping) => stopping.on_stop_until,
            None => clock::now() + self.life.on_stop_timeout,
        };
        if let Err(Ended::Failure(failure)) = self.run(Function::OnStop, Limit::OnStop(until)).await
        {
            self.user.exception(&failure);
        }
    }

    /// Runs a function of the script in a coroutine.
    async fn run(&mut self, function: Function, limit: Limit) -> Result<Dynamic, Ended> {
        let mut coroutine = self.coroutine(function).await;
        let mut waited = false;
        let (instance, result) = poll_fn(|cx| {
            let poll = self.poll(&mut coroutine, limit, cx);
            waited |= poll.is_pending();
            poll
        })
        .await;
        self.instance = Some(instance);
        if !waited {
            // A task that never waits must not keep the thread from its other users.
            tokio::task::yield_now().await;
        }
        result
    }

    /// A coroutine for a call, as soon as there is a stack for it.
    async fn coroutine(&mut self, function: Function) -> Coroutine<Returned> {
        let stack = loop {
            match self.life.stacks.take() {
                Ok(stack) => break stack,
                Err(error) => {
                    self.user.exception(&Failure::of_stack(&error));
                    self.life
                        .thread
                        .timers()
                        .sleep_until(clock::now() + STACK_RETRY)
                        .await;
                }
            }
        };
        let mut instance = self
            .instance
            .take()
            .expect("no other function of it is running");
        Coroutine::new(stack, move || {
            let result = instance.call(function);
            (instance, result)
        })
    }

    fn poll(
        &self,
        coroutine: &mut Coroutine<Returned>,
        limit: Limit,
        cx: &mut Context<'_>,
    ) -> Poll<Returned> {
        let until = match limit {
            Limit::Task => self
                .life
                .orders
                .stopping()
                .map(|stopping| stopping.tasks_until),
            // A later order may leave less.
            Limit::OnStop(until) => Some(
                self.life
                    .orders
                    .stopping()
                    .map_or(until, |stopping| stopping.on_stop_until.min(until)),
            ),
        };
        if let Some(until) = until {
            self.deadline.set(until);
            if until <= clock::now() || self.deadline.poll_expired(cx).is_ready() {
                coroutine.cancel();
            }
        }
        Pin::new(coroutine).poll(cx)
    }
}

/// What comes back from a call: the user, and how it went.
type Returned = (Instance, Result<Dynamic, Ended>);
