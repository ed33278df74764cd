//! One virtual user from start to end: pick a task, run it, wait, repeat, stop.
//!
//! Owns the order of these steps and the points where a user can be stopped. `script` runs the
//! functions themselves; the runner decides how many users there are and when they start.
//!
//! | state | stopped by an order | then |
//! |---|---|---|
//! | on_start | cancelled at the task limit | ends, no on_stop |
//! | in a set's on_start | cancelled at the task limit | on_stop of the sets around it, on_stop |
//! | in a task | cancelled at the task limit | on_stop of its sets, innermost first, on_stop |
//! | waiting, or held by a pause or a fence | at once | the same |
//! | on_stop | cancelled at its own limit | ends |

mod budget;
mod calls;
mod fence;
mod orders;
mod pace;
mod pauses;
mod plan_clock;
mod renewal;
mod sets;

use std::future::poll_fn;
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
pub(crate) use fence::Fence;
pub(crate) use orders::{Orders, Signal, Stopping};
use pace::AfterSet;
pub(crate) use plan_clock::PlanClock;
use sets::Place;

/// What a user needs besides its script.
pub(crate) struct UserParts {
    /// The thread it lives on.
    pub thread: Rc<Thread>,
    /// Where its tasks' stacks come from.
    pub stacks: Stacks,
    /// What its class declares, in the generation that it starts in.
    pub class: Rc<scenario::Class>,
    /// How the thread stops and signals it.
    pub orders: Rc<Orders>,
    /// What its waits and its pace go by.
    pub plan_clock: Rc<PlanClock>,
    /// Iterations left to the whole run; `None` for no limit.
    pub budget: Option<Budget>,
    /// How long `on_stop` may take when the user ends by itself.
    pub on_stop_timeout: Duration,
}

/// How a user ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserEnd {
    /// It was stopped, or the run's iterations are used up.
    Stopped,
    /// It gave up its place: the edited script has fewer users of its class, or none.
    Retired,
    /// By `stop_user()`.
    ByScript,
    /// Its `on_start` failed.
    FailedToStart,
    /// By `stop_test("why")`: all others end too.
    StopTest(String),
}

/// The wait when the `wait_time` closure fails: a loop without one would flood the target.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Runs one user from its start to its end.
///
/// Dropping the future cuts the user off: nothing more is recorded and no `on_stop` runs.
pub(crate) async fn live(instance: Instance, parts: UserParts) -> UserEnd {
    let mut driver = Driver {
        user: instance.user().clone(),
        instance: Some(instance),
        deadline: Deadline::new(parts.thread.timers()),
        place: Place::new(parts.class.clone(), parts.plan_clock.now()),
        ran_until: Micros::default(),
        is_waiting: false,
        parts,
    };
    driver.register_waker().await;
    if let Some(end) = driver.held_before_start().await {
        return end;
    }
    if driver.has(Function::OnStart) {
        match driver.run(Function::OnStart, Limit::Task).await {
            Ok(_) => {}
            Err(Ended::Control(Control::Cancelled)) => return UserEnd::Stopped,
            Err(Ended::Control(Control::StopTest(why))) => return UserEnd::StopTest(why),
            Err(Ended::Control(Control::StopUser)) => return UserEnd::ByScript,
            Err(Ended::Control(_)) => {}
            Err(Ended::Failure(failure)) => {
                driver.user.exception(&failure);
                return UserEnd::FailedToStart;
            }
        }
    }
    // The pace counts from here, so `on_start` takes none of its first slot.
    driver.place = Place::new(driver.parts.class.clone(), driver.now());
    let end = driver.iterate().await;
    driver.stop().await;
    end
}

/// What a user does after a task, or after it has entered or left a set.
enum Next {
    /// It waits as its class or set says.
    Wait,
    /// It continues at once.
    AtOnce,
    End(UserEnd),
}

/// What comes next for a user between two iterations.
enum Picked {
    ToDo(Body),
    /// Nothing yet: look again for a signal or an order to stop.
    Again,
    /// The run's iterations are used up.
    Nothing,
}

struct Driver {
    user: Rc<User>,
    /// `None` while a function of the script runs.
    instance: Option<Instance>,
    deadline: Deadline,
    place: Place,
    /// How far it went on in a pause with what it had begun, in plan time.
    ran_until: Micros,
    /// Whether it waits, or is held: what it runs then takes none of its time.
    is_waiting: bool,
    parts: UserParts,
}

impl Driver {
    /// From now on, orders wake this user.
    async fn register_waker(&self) {
        poll_fn(|cx| {
            self.parts.orders.wake_with(cx.waker());
            Poll::Ready(())
        })
        .await;
    }

    fn has(&self, function: Function) -> bool {
        self.instance
            .as_ref()
            .is_some_and(|instance| instance.has(function))
    }

    /// Runs iterations, in and out of sets, until the user ends.
    async fn iterate(&mut self) -> UserEnd {
        while self.parts.orders.stopping().is_none() {
            if self.parts.orders.signal().is_some() {
                if let Some(end) = self.handle_signal().await {
                    return end;
                }
                // It may have been stopped or signalled again in the meantime.
                continue;
            }
            if self.is_held() || self.is_waiting {
                self.rest().await;
                continue;
            }
            let picked = match self.pick_at_once() {
                Ok(picked) => picked,
                Err(body) => self.pick_later(body).await,
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
                    Next::End(end) => return end,
                };
            }
        }
        UserEnd::Stopped
    }

    /// Runs a task that is a function.
    async fn iteration(&mut self, task: usize) -> Next {
        let (late_us, missed) = self.taken_late();
        self.user.begin_iteration(late_us, missed);
        self.parts.thread.record(|recorder| {
            recorder.iteration_started();
            recorder.iterations_missed(missed.map_or(0, |missed| missed.count));
        });
        let result = self.run(Function::Task(task), Limit::Task).await;
        self.user.end_requests();
        let interrupted = matches!(result, Err(Ended::Control(Control::Cancelled)));
        self.parts.thread.record(|recorder| {
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

    /// What follows a call that ended like this.
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
            Control::Cancelled => Next::End(UserEnd::Stopped),
            Control::StopUser => Next::End(UserEnd::ByScript),
            Control::StopTest(why) => Next::End(UserEnd::StopTest(why)),
            Control::Reschedule { waits: false } => Next::AtOnce,
            Control::Reschedule { waits: true }
            | Control::Unexpected
            | Control::TooDeep
            | Control::NestedTooDeep
            | Control::MemoryIsShort
            | Control::TooMuchMemory(_) => Next::Wait,
        }
    }

    /// Enters a set. If the set's `on_start` does not return, the user is outside again and the
    /// set's `on_stop` does not run, as for a user whose `on_start` failed.
    async fn enter(&mut self, set: usize) -> Next {
        let on_start = self.place.enter(set, self.now());
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
            // The enclosing set, or the class, sees a call that ended like this.
            ended => self.after(ended).await,
        }
    }

    /// Leaves the innermost set because its script said so.
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
        // `interrupt` has nothing left to leave there.
        self.user.set_in_set(false);
        self.run(on_stop, Limit::Task).await
    }

    /// What follows a hook that ended like this: an error is counted, and the user continues
    /// unless the hook ended it.
    fn after_hook(&self, result: Result<Dynamic, Ended>) -> Option<UserEnd> {
        match result {
            Err(Ended::Failure(failure)) => self.user.exception(&failure),
            Err(Ended::Control(Control::Cancelled)) => return Some(UserEnd::Stopped),
            Err(Ended::Control(Control::StopUser)) => return Some(UserEnd::ByScript),
            Err(Ended::Control(Control::StopTest(why))) => return Some(UserEnd::StopTest(why)),
            Ok(_) | Err(Ended::Control(_)) => {}
        }
        None
    }

    /// Moves the user out of the innermost set.
    fn go_outside(&mut self, next: AfterSet) {
        let now = self.now();
        self.place.leave(now, next);
        self.user.set_in_set(self.place.is_in_set());
    }

    /// What to do next: under an iteration limit, a task that is a function takes an iteration.
    ///
    /// # Errors
    /// When none is left and more may come, with what was picked by then.
    #[inline]
    fn pick_at_once(&mut self) -> Result<Picked, Option<Body>> {
        if self.parts.budget.as_ref().is_some_and(Budget::is_waiting) {
            return Err(None);
        }
        let body = self.user.draw(|random| self.place.next(random));
        match self.taken(&body) {
            Taken::One => Ok(Picked::ToDo(body)),
            Taken::UsedUp => Ok(Picked::Nothing),
            Taken::Wait => Err(Some(body)),
        }
    }

    /// Waits for an iteration, for what was picked if anything was.
    async fn pick_later(&mut self, picked: Option<Body>) -> Picked {
        let Some(body) = picked else {
            self.waited_for_more(|orders| orders.signal().is_some())
                .await;
            return Picked::Again;
        };
        loop {
            // Others were faster. The task is already picked, so a signal has to wait.
            self.waited_for_more(|_| false).await;
            if self.parts.orders.stopping().is_some() {
                return Picked::Again;
            }
            match self.taken(&body) {
                Taken::One => return Picked::ToDo(body),
                Taken::UsedUp => return Picked::Nothing,
                Taken::Wait => {}
            }
        }
    }

    /// Takes an iteration for it, if it needs one.
    #[inline]
    fn taken(&self, body: &Body) -> Taken {
        match (&self.parts.budget, body) {
            (Some(budget), Body::Function(_)) => budget.take(),
            (Some(budget), Body::Set(_)) if budget.is_used_up() => Taken::UsedUp,
            (Some(_), Body::Set(_)) | (None, _) => Taken::One,
        }
    }

    /// Waits until there are iterations or never will be, the user is stopped, or `is_over`. While
    /// the run is paused there are none.
    async fn waited_for_more(&self, is_over: impl Fn(&Orders) -> bool) {
        let Some(budget) = &self.parts.budget else {
            return;
        };
        let more = async {
            budget.more().await;
            self.parts.plan_clock.resumed().await;
        };
        self.waited_for(more, is_over).await;
    }

    /// Waits for the start of the next iteration, or until the user is stopped.
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
        let ended = self.now();
        let due = self.place.plan(ended, length);
        if due < ended {
            // The generator is still catching up.
            self.lags(due, ended);
        }
        if due <= ended {
            return Next::AtOnce;
        }
        self.is_waiting = true;
        let next = self.wait_until(due).await;
        self.is_waiting = false;
        next
    }

    /// Waits until plan time is `due`, acting on signals meanwhile.
    async fn wait_until(&mut self, due: Micros) -> Next {
        while self.parts.orders.signal().is_some() || !self.waited_until(due).await {
            // A signal is handled between two iterations, and what runs then may end after `due`.
            if self.parts.orders.ends_wait() {
                break;
            }
            if let Some(end) = self.handle_signal().await {
                return Next::End(end);
            }
            if due <= self.now() {
                return Next::AtOnce;
            }
        }
        if !self.parts.orders.ends_wait() {
            self.lags(due, self.now());
        }
        Next::AtOnce
    }

    /// The next iteration was due but begins only now, because the thread was busy.
    fn lags(&mut self, due: Micros, now: Micros) {
        let [due, now] = [due, now].map(|moment| self.parts.plan_clock.wall(moment));
        let lag_us = self.parts.thread.lags(due, now);
        self.place.begun_late(lag_us);
        self.user.begun_late(lag_us);
    }

    /// What the closure of `wait_time` returns.
    ///
    /// # Errors
    /// The control call that ended it, unless that only means that there is no wait.
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

    /// Runs the `on_stop` of each set that the user is in, innermost first, then its own.
    async fn stop(&mut self) {
        let until = match self.parts.orders.stopping() {
            Some(stopping) => stopping.on_stop_until,
            None => clock::now() + self.parts.on_stop_timeout,
        };
        self.user.set_in_set(false);
        while self.place.is_in_set() {
            if let Some(on_stop) = self.place.on_stop() {
                self.run_on_stop(on_stop, until).await;
            }
            let now = self.now();
            self.place.leave(now, AfterSet::Wait);
        }
        if self.has(Function::OnStop) {
            self.run_on_stop(Function::OnStop, until).await;
        }
    }

    async fn run_on_stop(&mut self, on_stop: Function, until: Micros) {
        if let Err(Ended::Failure(failure)) = self.run(on_stop, Limit::OnStop(until)).await {
            self.user.exception(&failure);
        }
    }
}
