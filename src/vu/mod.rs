//! One virtual user's life: start, pick a task, run it, wait, stop.
//!
//! Owns the order of these and where a user may be stopped. What a function of the script does is
//! `script`'s business, how many users there are and when they start the runner's.
//!
//! | state | stopped by an order | then |
//! |---|---|---|
//! | on_start | cancelled at the task limit | ends, no on_stop |
//! | in a set's on_start | cancelled at the task limit | on_stop of the sets around it, on_stop |
//! | in a task | cancelled at the task limit | on_stop of its sets, innermost first, on_stop |
//! | waiting | at once | the same |
//! | on_stop | cancelled at its own limit | ends |

mod budget;
mod calls;
mod orders;
mod pace;
mod renewal;
mod sets;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use rhai::Dynamic;

use crate::clock::{self, Deadline, Micros};
use crate::coroutine::Stacks;
use crate::scenario::{self, Body, Function, Wait};
use crate::script::{Control, Ended, Failure, Instance, Thread, User, seconds};

pub(crate) use budget::Budget;
use budget::Taken;
use calls::Limit;
pub(crate) use orders::{Called, Orders, Stopping};
use pace::AfterSet;
use sets::Place;

/// What a user needs besides its script.
pub(crate) struct Life {
    /// The thread it lives on.
    pub thread: Rc<Thread>,
    /// Where its tasks' stacks come from.
    pub stacks: Stacks,
    /// What its class declares, in the generation that it starts in.
    pub class: Rc<scenario::Class>,
    /// By which it is stopped.
    pub orders: Rc<Orders>,
    /// Iterations left to the whole run; `None` for no limit.
    pub budget: Option<Budget>,
    /// How long `on_stop` may take when the user ends by itself.
    pub on_stop_timeout: Duration,
}

/// How a user ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// It was told to, or used up the iterations.
    Stopped,
    /// Its place is to be another's: after an edit of the script there are fewer users of its
    /// class, or none.
    Retired,
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

/// Runs one user from its start to its end.
///
/// Dropping it cuts the user: nothing is recorded any more and no `on_stop` runs.
pub(crate) async fn live(instance: Instance, life: Life) -> Death {
    let mut driver = Driver {
        user: instance.user().clone(),
        instance: Some(instance),
        deadline: Deadline::new(life.thread.timers()),
        place: Place::new(life.class.clone(), clock::now()),
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
    // The pace counts from here: its first slot is not `on_start`'s.
    driver.place = Place::new(driver.life.class.clone(), clock::now());
    let death = driver.iterate().await;
    driver.stop().await;
    death
}

/// What a user does after a task, or after it has entered or left a set.
enum Next {
    /// It waits, as its place says.
    Wait,
    /// It goes on at once.
    AtOnce,
    /// It ends.
    End(Death),
}

/// What comes next for a user between two iterations.
enum Picked {
    ToDo(Body),
    /// Nothing yet: it may have been told something.
    Again,
    /// The run's iterations are used up.
    Nothing,
}

struct Driver {
    user: Rc<User>,
    /// Away while a function of the script runs.
    instance: Option<Instance>,
    deadline: Deadline,
    place: Place,
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

    /// One iteration after the other, in whatever sets, until the user ends.
    async fn iterate(&mut self) -> Death {
        while self.life.orders.stopping().is_none() {
            if self.life.orders.called().is_some() {
                if let Some(death) = self.heed().await {
                    return death;
                }
                // Meanwhile it may have been told to stop, or been called once more.
                continue;
            }
            let picked = match self.life.budget {
                None => Picked::ToDo(self.pick()),
                Some(_) => self.pick_within_budget().await,
            };
            let mut next = match picked {
                Picked::ToDo(Body::Function(task)) => self.iteration(task).await,
                Picked::ToDo(Body::Set(set)) => self.enter(set).await,
                Picked::Again => continue,
                Picked::Nothing => break,
            };
            loop {
                next = match next {
                    Next::Wait => self.wait().await,
                    Next::AtOnce => break,
                    Next::End(death) => return death,
                };
            }
        }
        Death::Stopped
    }

    /// Runs a task that is a function.
    async fn iteration(&mut self, task: usize) -> Next {
        let (late_us, missed) = self.place.take_late();
        self.user.begin_iteration(late_us, missed);
        self.life.thread.record(|recorder| {
            recorder.iteration_started();
            recorder.iterations_missed(missed.map_or(0, |missed| missed.count));
        });
        let result = self.run(Function::Task(task), Limit::Task).await;
        self.user.end_requests();
        let interrupted = matches!(result, Err(Ended::Control(Control::Cancelled)));
        self.life.thread.record(|recorder| {
            if interrupted {
                recorder.iteration_interrupted();
            } else {
                recorder.iteration_finished();
            }
        });
        let next = match result {
            Ok(_) => Next::Wait,
            Err(ended) => self.after(ended).await,
        };
        self.user.end_iteration(!interrupted);
        next
    }

    /// What follows a call that ended so.
    async fn after(&mut self, ended: Ended) -> Next {
        let control = match ended {
            Ended::Failure(failure) => {
                self.user.exception(&failure);
                return Next::Wait;
            }
            Ended::Control(control) => control,
        };
        match control {
            Control::Interrupt { waits } => self.leave(waits).await,
            Control::Cancelled => Next::End(Death::Stopped),
            Control::StopUser => Next::End(Death::OwnWish),
            Control::StopTest(why) => Next::End(Death::StopTest(why)),
            Control::Reschedule { waits: false } => Next::AtOnce,
            Control::Reschedule { waits: true }
            | Control::Unexpected
            | Control::TooDeep
            | Control::NestedTooDeep
            | Control::MemoryIsShort
            | Control::TooMuchMemory(_)
            | Control::TopLevelTooLong
            | Control::NotLoaded => Next::Wait,
        }
    }

    /// Enters a set. If its `on_start` does not return, the user is outside again: its `on_stop`
    /// does not run, as that of a user whose `on_start` failed.
    async fn enter(&mut self, set: usize) -> Next {
        let on_start = self.place.enter(set, clock::now());
        self.user.set_in_set(true);
        let Some(on_start) = on_start else {
            return Next::AtOnce;
        };
        let result = self.run(on_start, Limit::Task).await;
        let Err(ended) = result else {
            return Next::AtOnce;
        };
        let next = match ended {
            Ended::Control(Control::Interrupt { waits: false }) => AfterSet::AtOnce,
            _ => AfterSet::Wait,
        };
        self.go_outside(next);
        match ended {
            Ended::Control(Control::Interrupt { .. }) if next == AfterSet::AtOnce => Next::AtOnce,
            Ended::Control(Control::Interrupt { .. }) => Next::Wait,
            // In the set around it, or outside of all, this is a call that ended so.
            ended => self.after(ended).await,
        }
    }

    /// Leaves the innermost set, at its own wish.
    async fn leave(&mut self, waits: bool) -> Next {
        let (after, next) = match waits {
            true => (AfterSet::Wait, Next::Wait),
            false => (AfterSet::AtOnce, Next::AtOnce),
        };
        let result = self.stop_set().await;
        self.go_outside(after);
        self.after_hook(result).map_or(next, Next::End)
    }

    /// Runs the `on_stop` of the innermost set, before the user leaves it.
    async fn stop_set(&mut self) -> Result<Dynamic, Ended> {
        let Some(on_stop) = self.place.on_stop() else {
            return Ok(Dynamic::UNIT);
        };
        // There it is too late to leave.
        self.user.set_in_set(false);
        self.run(on_stop, Limit::Task).await
    }

    /// What follows a hook that ended so: a mistake is counted, and the user goes on unless it was
    /// told to end.
    fn after_hook(&self, result: Result<Dynamic, Ended>) -> Option<Death> {
        match result {
            Err(Ended::Failure(failure)) => self.user.exception(&failure),
            Err(Ended::Control(Control::Cancelled)) => return Some(Death::Stopped),
            Err(Ended::Control(Control::StopUser)) => return Some(Death::OwnWish),
            Err(Ended::Control(Control::StopTest(why))) => return Some(Death::StopTest(why)),
            Ok(_) | Err(Ended::Control(_)) => {}
        }
        None
    }

    /// The innermost set is no longer the user's place.
    fn go_outside(&mut self, next: AfterSet) {
        self.place.leave(clock::now(), next);
        self.user.set_in_set(self.place.is_in_set());
    }

    fn pick(&mut self) -> Body {
        self.user.draw(|random| self.place.next(random))
    }

    /// Like [`Driver::pick`], within the run's limit of iterations: a task that is a function takes one.
    async fn pick_within_budget(&mut self) -> Picked {
        if self.life.budget.as_ref().is_some_and(Budget::is_waiting) {
            self.waited_for_more(|orders| orders.called().is_some())
                .await;
            return Picked::Again;
        }
        let body = self.pick();
        loop {
            let budget = self.life.budget.as_ref();
            let taken = match (budget, &body) {
                (Some(budget), Body::Function(_)) => budget.take(),
                (Some(budget), Body::Set(_)) if budget.is_used_up() => Taken::UsedUp,
                (Some(_), Body::Set(_)) | (None, _) => Taken::One,
            };
            match taken {
                Taken::One => return Picked::ToDo(body),
                Taken::UsedUp => return Picked::Nothing,
                // Others were faster. What it is to do is settled, so it does not hear now that it
                // is called.
                Taken::Wait => self.waited_for_more(|_| false).await,
            }
            if self.life.orders.stopping().is_some() {
                return Picked::Again;
            }
        }
    }

    /// Waits until there are iterations, or never will be, or the user is told to stop, or it need
    /// not wait for another reason.
    async fn waited_for_more(&self, is_over: impl Fn(&Orders) -> bool) {
        let Some(budget) = &self.life.budget else {
            return;
        };
        let mut more = pin!(budget.more());
        poll_fn(|cx| {
            let orders = &self.life.orders;
            if orders.stopping().is_some() || is_over(orders) {
                return Poll::Ready(());
            }
            self.user.poll_idle(cx);
            more.as_mut().poll(cx)
        })
        .await;
    }

    /// Waits for the start of the next iteration, or until the user is told to stop.
    async fn wait(&mut self) -> Next {
        let (wait, function) = self.place.wait();
        let length = match self.user.draw(|random| wait.draw(random)) {
            None if self.has(function) && *wait == Wait::Script => {
                match self.script_wait(function).await {
                    Ok(length) => Some(length),
                    Err(control) => return self.after(Ended::Control(control)).await,
                }
            }
            drawn => drawn,
        };
        let ended = clock::now();
        let due = self.place.plan(ended, length);
        if due < ended {
            // The generator has not caught up yet with how late it was.
            self.lags(due, ended);
        }
        if due <= ended {
            return Next::AtOnce;
        }
        while self.life.orders.called().is_some() || !self.waited_until(due).await {
            // It is called between two iterations: what it runs then may end after `due`.
            if self.life.orders.ends_wait() {
                break;
            }
            if let Some(death) = self.heed().await {
                return Next::End(death);
            }
            if due <= clock::now() {
                return Next::AtOnce;
            }
        }
        if !self.life.orders.ends_wait() {
            self.lags(due, clock::now());
        }
        Next::AtOnce
    }

    /// The iteration that comes was due and begins only now, for want of the thread.
    fn lags(&mut self, due: Micros, now: Micros) {
        let lag_us = self.life.thread.lags(due, now);
        self.place.begun_late(lag_us);
        self.user.begun_late(lag_us);
    }

    /// Waits until `due`, or until there is nothing left to wait for; false if the user is called
    /// before.
    async fn waited_until(&mut self, due: Micros) -> bool {
        self.deadline.set(due);
        let is_over = poll_fn(|cx| {
            if self.life.orders.ends_wait() {
                return Poll::Ready(true);
            }
            if self.life.orders.called().is_some() {
                return Poll::Ready(false);
            }
            self.user.poll_idle(cx);
            self.deadline.poll_expired(cx).map(|()| true)
        })
        .await;
        self.deadline.set(Micros::NEVER);
        is_over
    }

    /// What the closure of `wait_time` returns.
    ///
    /// # Errors
    /// The control call by which it ended, if that says more than that there is no wait.
    async fn script_wait(&mut self, function: Function) -> Result<Duration, Control> {
        let wrong = match self.run(function, Limit::Task).await {
            Ok(value) => match seconds(&value) {
                Ok(length) => return Ok(length),
                Err(message) => Box::new(Failure::of_wait(message)),
            },
            Err(Ended::Failure(failure)) => failure,
            Err(Ended::Control(Control::Reschedule { .. } | Control::Unexpected)) => {
                return Ok(Duration::ZERO);
            }
            Err(Ended::Control(control)) => return Err(control),
        };
        self.user.exception(&wrong);
        Ok(WAIT_AFTER_FAILURE)
    }

    /// Runs `on_stop` of the sets that the user is in, innermost first, and its own, whatever it
    /// was doing before.
    async fn stop(&mut self) {
        let until = match self.life.orders.stopping() {
            Some(stopping) => stopping.on_stop_until,
            None => clock::now() + self.life.on_stop_timeout,
        };
        self.user.set_in_set(false);
        while self.place.is_in_set() {
            if let Some(on_stop) = self.place.on_stop() {
                self.last_words(on_stop, until).await;
            }
            self.place.leave(clock::now(), AfterSet::Wait);
        }
        if self.has(Function::OnStop) {
            self.last_words(Function::OnStop, until).await;
        }
    }

    async fn last_words(&mut self, on_stop: Function, until: Micros) {
        if let Err(Ended::Failure(failure)) = self.run(on_stop, Limit::OnStop(until)).await {
            self.user.exception(&failure);
        }
    }
}
