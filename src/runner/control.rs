//! The script's functions that run once, on the control thread, beside the run's loop.
//!
//! Owns the order in which they run: one after the other, each in a coroutine, so that the loop
//! continues while one of them waits or computes. The loop decides which is called when.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_local};

use super::threads::Connections;
use super::{Edition, Unable};
use crate::clock::{self, Micros, Timers};
use crate::coroutine::{Coroutine, Label, Stacks};
use crate::data::Value;
use crate::script::{
    Call, ControlUser, Generation, Outcome, Program, RunClock, Thread, ThreadParts,
};
use crate::stats::{Limits, Outbox, Recorder};

/// The number of the control thread among the load threads, which are counted from 0.
const CONTROL: u32 = u32::MAX;

/// Calls that wait for their turn. A run makes about ten.
const CALLS: usize = 64;

/// A handle to the script's functions on control.
pub(super) struct Control {
    jobs: mpsc::Sender<Job>,
    thread: Rc<Thread>,
    worker: JoinHandle<()>,
}

enum Job {
    Call {
        call: Call,
        /// What listeners are told besides.
        facts: Vec<(&'static str, Value)>,
        /// Dropping the receiver cancels the call.
        answer: oneshot::Sender<Outcome>,
    },
    /// Switch to another generation of the script.
    Renew(Box<Generation>),
}

impl Control {
    /// Whether an edition has something that runs there.
    pub(super) fn is_in(edition: &Edition) -> bool {
        edition.scenario.hooks.need_control()
    }

    /// The control side of generation `number`.
    ///
    /// # Errors
    /// When its client cannot be made.
    pub(super) fn open(
        edition: &Edition,
        number: u16,
        program: Rc<Program>,
        to: &Connections,
    ) -> Result<Control, Unable> {
        let impossible = |error| Unable::System(format!("cannot run `setup`: {error}"));
        let timers = Timers::new().map_err(impossible)?;
        let stacks = Stacks::new(1);
        drop(stacks.take().map_err(impossible)?);
        spawn_local(timers.clone().run());
        let generation = edition.control_generation(number, program, &timers)?;
        let recorder = Recorder::new(CONTROL, Limits::default());
        let mut outbox = Outbox::new(recorder, to.batches.clone(), mpsc::channel(1).1);
        outbox.counts_requests = false;
        let parts = ThreadParts {
            timers,
            clock: Cell::new(RunClock {
                epoch: clock::now(),
                epoch_unix_us: edition.inputs.now_us,
            }),
            seed: edition.inputs.seed,
            outbox,
            shared: to.shared.clone(),
        };
        let thread = Rc::new(Thread::new(parts, generation, to.log.clone(), None));
        let (jobs, jobs_out) = mpsc::channel(CALLS);
        let worker = spawn_local(work(jobs_out, thread.clone(), stacks));
        Ok(Control {
            jobs,
            thread,
            worker,
        })
    }

    /// A generation for [`Control::renew`].
    ///
    /// # Errors
    /// When its client cannot be made.
    pub(super) fn prepare(
        &self,
        edition: &Edition,
        number: u16,
        program: Rc<Program>,
    ) -> Result<Generation, Unable> {
        edition.control_generation(number, program, self.thread.timers())
    }

    /// Switches to that generation after all earlier calls.
    pub(super) fn renew(&self, generation: Generation) {
        // If the queue is full, too many calls are waiting for this edition to be the last.
        let _ = self.jobs.try_send(Job::Renew(Box::new(generation)));
    }

    /// All times count from here.
    pub(super) fn begin(&self, epoch: Micros, unix_us: i64) {
        self.thread.parts.clock.set(RunClock {
            epoch,
            epoch_unix_us: unix_us,
        });
    }

    /// Runs something after all earlier calls. Dropping the answer cancels it.
    /// Listeners are told these facts besides what all are told.
    pub(super) fn call(
        &self,
        call: Call,
        facts: Vec<(&'static str, Value)>,
    ) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        // If the queue is full, the answer is dropped at once.
        let job = Job::Call {
            call,
            facts,
            answer,
        };
        let _ = self.jobs.try_send(job);
        outcome
    }

    /// Resolves when all calls have ended, cancelled or not, and their counts are on their way.
    pub(super) async fn close(self) {
        drop(self.jobs);
        // It fails only by a panic, which has been reported.
        let _ = self.worker.await;
    }
}

async fn work(mut jobs: mpsc::Receiver<Job>, thread: Rc<Thread>, stacks: Stacks) {
    let mut free = ControlUser::new(&thread);
    while let Some(job) = jobs.recv().await {
        let (call, facts, mut answer) = match job {
            Job::Call {
                call,
                facts,
                answer,
            } => (call, facts, answer),
            Job::Renew(generation) => {
                thread.adopt(*generation);
                free = ControlUser::new(&thread);
                continue;
            }
        };
        if answer.is_closed() {
            continue;
        }
        let Some(mut user) = free.take() else {
            // In the edited script, nothing runs here.
            let _ = answer.send(Outcome::Done(Value::Unit));
            continue;
        };
        let stack = stacks
            .take()
            .expect("the pool has the stack that it was opened with");
        let users = thread.shared().users();
        let mut running = Coroutine::new(stack, Label::default(), move || {
            let outcome = user.call(call, users, &facts);
            (user, outcome)
        });
        let (user, outcome) = tokio::select! {
            ended = &mut running => ended,
            () = answer.closed() => {
                running.cancel();
                running.await
            }
        };
        free = Some(user);
        thread.hand_over();
        let _ = answer.send(outcome);
    }
    thread.hand_over_all().await;
}
