//! The script's functions that run once, on the control thread, beside the run's loop.
//!
//! Owns the order in which they run: one after the other, each in a coroutine, so that the loop
//! goes on while one of them waits or computes. When which is called is the loop's business.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_local};

use super::Setup;
use super::load_thread::News;
use crate::clock::{self, Micros, Timers};
use crate::coroutine::{Coroutine, Stacks};
use crate::http;
use crate::script::{
    Call, ControlUser, Line, Outbox, Outcome, Program, Shared, Thread, ThreadParts,
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

struct Job {
    call: Call,
    /// Who does not want the answer any more cancels the call.
    answer: oneshot::Sender<Outcome>,
}

/// What the control side of a script is connected to.
pub(super) struct Connections {
    pub(super) batches: mpsc::Sender<Batch>,
    pub(super) log: mpsc::Sender<Line>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) shared: Arc<Shared>,
}

impl Control {
    /// Compiles the script for the control thread; `None` if it has nothing that runs there.
    ///
    /// # Errors
    /// When its client cannot be made, or the script is another each time it is evaluated.
    pub(super) fn open(setup: &Setup, to: Connections) -> Result<Option<Control>, String> {
        if !setup.scenario.hooks.need_control() {
            return Ok(None);
        }
        let program = Program::compile(&setup.bundle, &setup.inputs)
            .map_err(|_| "the script came to another result than when it was checked".to_owned())?;
        let program = Rc::new(program);
        let failed = |error: &dyn std::fmt::Display| format!("cannot run `setup`: {error}");
        let timers = Timers::new().map_err(|error| failed(&error))?;
        spawn_local(timers.clone().run());
        let options = program.classes().first().map(|class| class.http.clone());
        let client = http::Client::new(options.unwrap_or_default(), timers.clone());
        let client = client.map_err(|error| failed(&error))?;
        let base = setup.bases.iter().flatten().next();
        let thread = Rc::new(Thread::new(ThreadParts {
            timers,
            epoch: clock::now(),
            epoch_unix_us: setup.inputs.now_us,
            seed: setup.inputs.seed,
            recorder: Recorder::new(setup.options.threads, Limits::default()),
            outbox: Outbox {
                full: to.batches,
                spare: mpsc::channel(1).1,
            },
            shared: to.shared,
            log: to.log,
            environment: setup.environment.clone(),
            clients: vec![client],
            bases: vec![base.and_then(|base| http::Base::parse(base).ok())],
        }));
        thread.measures_nothing();
        let Some(user) = ControlUser::new(&program, &thread) else {
            return Ok(None);
        };
        let (jobs, jobs_out) = mpsc::channel(CALLS);
        let worker = spawn_local(work(jobs_out, user, thread.clone(), to.news));
        Ok(Some(Control {
            jobs,
            thread,
            worker,
        }))
    }

    /// All times count from here.
    pub(super) fn begin(&self, epoch: Micros, unix_us: i64) {
        self.thread.begin(epoch, unix_us);
    }

    /// Lets something run after all that was called before. Dropping the answer cancels it.
    pub(super) fn call(&self, call: Call) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        // Without room the answer is gone at once.
        let _ = self.jobs.try_send(Job { call, answer });
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

async fn work(
    mut jobs: mpsc::Receiver<Job>,
    mut user: ControlUser,
    thread: Rc<Thread>,
    news: mpsc::Sender<News>,
) {
    let stacks = Stacks::new(1);
    while let Some(Job { call, mut answer }) = jobs.recv().await {
        if answer.is_closed() {
            continue;
        }
        let stack = match stacks.take() {
            Ok(stack) => stack,
            Err(error) => {
                let message = format!("no stack for the script's `setup`: {error}");
                let _ = news.try_send(News::Failed(message));
                return;
            }
        };
        let users = thread.shared().users();
        let mut running = Coroutine::new(stack, move || {
            let outcome = user.call(call, users);
            (user, outcome)
        });
        let outcome;
        (user, outcome) = tokio::select! {
            ended = &mut running => ended,
            () = answer.closed() => {
                running.cancel();
                running.await
            }
        };
        thread.hand_over();
        if let (Call::Listeners(_), Outcome::StopTest(why)) = (call, &outcome) {
            let _ = news.try_send(News::StopTest(why.clone()));
        }
        let _ = answer.send(outcome);
    }
    thread.hand_over_all().await;
}
