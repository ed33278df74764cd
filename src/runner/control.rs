//! The script's functions that run once, on the control thread, beside the run's loop.
//!
//! Owns the order in which they run: one after the other, each in a coroutine, so that the loop
//! goes on while one of them waits or computes. When which is called is the loop's business.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_local};

use super::load_thread::News;
use super::{Edition, Setup};
use crate::clock::{self, Micros, Timers};
use crate::coroutine::{Coroutine, Label, Stacks};
use crate::data::Value;
use crate::script::{
    Call, ControlUser, Generation, Line, Outbox, Outcome, Program, Shared, Thread, ThreadParts,
};
use crate::stats::{Batch, Limits, Recorder};

/// Calls that wait for their turn. A run makes about ten.
const CALLS: usize = 64;

/// The way to the script's functions on control.
pub(super) struct Control {
    jobs: mpsc::Sender<Job>,
    thread: Rc<Thread>,
    worker: JoinHandle<()>,
}

enum Job {
    Call {
        call: Call,
        /// Who does not want the answer any more cancels the call.
        answer: oneshot::Sender<Outcome>,
    },
    /// Go on with another generation of the script.
    Renew(Box<Generation>),
}

/// What the control side of a script is connected to.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) batches: mpsc::Sender<Batch>,
    pub(super) log: mpsc::Sender<Line>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) shared: Arc<Shared>,
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
        setup: &Setup,
        edition: &Edition,
        number: u16,
        program: Rc<Program>,
        to: Connections,
    ) -> Result<Control, String> {
        let timers = Timers::new().map_err(|error| format!("cannot run `setup`: {error}"))?;
        spawn_local(timers.clone().run());
        let generation = edition.control_generation(number, program, &timers)?;
        let thread = Rc::new(Thread::new(ThreadParts {
            timers,
            epoch: clock::now(),
            epoch_unix_us: edition.inputs.now_us,
            seed: edition.inputs.seed,
            recorder: Recorder::new(setup.threads, Limits::default()),
            outbox: Outbox {
                full: to.batches,
                spare: mpsc::channel(1).1,
            },
            shared: to.shared,
            log: to.log,
            environment: setup.environment.clone(),
            generation,
            onlooker: None,
        }));
        thread.measures_nothing();
        let (jobs, jobs_out) = mpsc::channel(CALLS);
        let worker = spawn_local(work(jobs_out, thread.clone(), to.news));
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
    ) -> Result<Generation, String> {
        edition.control_generation(number, program, self.thread.timers())
    }

    /// Goes on with that generation after all that was called before.
    pub(super) fn renew(&self, generation: Generation) {
        // Without room so many calls wait that this script will not be the last.
        let _ = self.jobs.try_send(Job::Renew(Box::new(generation)));
    }

    /// All times count from here.
    pub(super) fn begin(&self, epoch: Micros, unix_us: i64) {
        self.thread.begin(epoch, unix_us);
    }

    /// Lets something run after all that was called before. Dropping the answer cancels it.
    pub(super) fn call(&self, call: Call) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        // Without room the answer is gone at once.
        let _ = self.jobs.try_send(Job::Call { call, answer });
        outcome
    }

    /// Ends when everything has ended that was called, cancelled or not, and what it counted is on
    /// its way.
    pub(super) async fn close(self) {
        drop(self.jobs);
        // It fails only by a panic, which has been told.
        let _ = self.worker.await;
    }
}

async fn work(mut jobs: mpsc::Receiver<Job>, thread: Rc<Thread>, news: mpsc::Sender<News>) {
    let stacks = Stacks::new(1);
    let mut free = ControlUser::new(&thread);
    while let Some(job) = jobs.recv().await {
        let (call, mut answer) = match job {
            Job::Call { call, answer } => (call, answer),
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
            // The edited script has nothing that runs here.
            let _ = answer.send(Outcome::Done(Value::Unit));
            continue;
        };
        let stack = match stacks.take() {
            Ok(stack) => stack,
            Err(error) => {
                let message = format!("no stack for the script's `setup`: {error}");
                let _ = news.try_send(News::Failed(message));
                return;
            }
        };
        let users = thread.shared().users();
        let mut running = Coroutine::new(stack, Label::default(), move || {
            let outcome = user.call(call, users);
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
        if let (Call::Listeners(_), Outcome::StopTest(why)) = (call, &outcome) {
            let _ = news.try_send(News::StopTest(why.clone()));
        }
        let _ = answer.send(outcome);
    }
    thread.hand_over_all().await;
}
