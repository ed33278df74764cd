//! One load thread: its runtime, its users, and what it tells the control plane.
//!
//! Owns how such a thread begins and what is said to and by it; its users are the `crew`'s. It
//! never waits for the control plane but at its very end, when the last measurements must not be
//! lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::crew::Crew;
use super::{Edition, Setup};
use crate::clock::{Micros, Timers};
use crate::coroutine;
use crate::load::{Classes, Mix, Part, Plan};
use crate::script::{Line, Outbox, Shared, Thread, ThreadParts};
use crate::stats::{Limits, Recorder};
use crate::units::Rate;
use crate::vu::Budget;

/// What a load thread is told.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Begin; all times of the run count from `epoch`.
    Start {
        epoch: Micros,
        /// The same moment in microseconds since 1970.
        unix_us: i64,
    },
    /// Follow another plan from now on; it counts from the run's beginning too.
    Follow(Arc<Plan>),
    /// Go on with another part of the plan, and say when the users that are not in it are gone.
    #[cfg_attr(not(test), expect(dead_code, reason = "for members that come and go"))]
    Assign {
        /// Which assignment of the run it is, from 1; no two that give a thread something share one.
        number: u16,
        part: Part,
        /// How many of the users that it takes over start a second on this thread.
        pace: Rate,
    },
    /// Make a generation of this edition, of that number, and say whether that went well.
    Prepare(Arc<Edition>, u16),
    /// Put what was prepared into service.
    Adopt(Adoption),
    /// What was prepared is not needed.
    Discard,
    /// Stop all users and end.
    Stop {
        stop_timeout: Duration,
        on_stop_timeout: Duration,
    },
}

/// What all threads must see alike when an edited script goes into service.
#[derive(Clone, Debug)]
pub(super) struct Adoption {
    /// How many users have got their classes from the mix so far.
    pub(super) mixed: u32,
    /// What to follow from now on, if that is another plan.
    pub(super) plan: Option<Arc<Plan>>,
}

/// What a load thread tells.
#[derive(Debug)]
pub(super) enum News {
    /// It is ready to begin.
    Ready,
    /// It has made the generation it was asked for, and what its users should know of that; or
    /// why not.
    Prepared(Result<Vec<String>, String>),
    /// What it had prepared is in service, and its users that are behind are counted.
    Adopted,
    /// It cannot begin.
    Failed(String),
    /// After the assignment of that number, all users that it stopped for it have ended.
    Yielded(#[cfg_attr(not(test), expect(dead_code, reason = "as `Order::Assign`"))] u16),
    /// It has as many users as this stage goes to.
    Spawned(u32),
    /// All its users have ended by themselves, and no more will start.
    Idle,
    /// A script called `stop_test`.
    StopTest(String),
    /// There were so many names of requests that some share a row.
    Overflowed,
    /// It has ended; so many requests were in flight when their users were cut.
    Ended { cut: u64 },
}

/// What a load thread is made of.
pub(super) struct Config {
    pub(super) index: u32,
    pub(super) setup: Arc<Setup>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) outbox: Outbox,
    pub(super) log: mpsc::Sender<Line>,
    pub(super) shared: Arc<Shared>,
    pub(super) budget: Option<Budget>,
    /// Which users of the plan are its own at the beginning.
    pub(super) part: Part,
    /// What the editions of the run have said of the classes so far, that of `setup` last.
    pub(super) adopted: Vec<Classes>,
}

/// Why a run ends in which something panicked.
pub(super) const PANICKED: &str = "a load thread panicked: this is a bug of Katydid";

/// The body of the operating system's thread.
pub(super) fn run(config: Config) {
    coroutine::survive(config.index);
    let news = config.news.clone();
    // Without tokio's timers, which are looked at whenever the thread waits: `clock` has ours.
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .build_local(runtime::LocalOptions::default());
    let result = match runtime {
        Ok(runtime) => {
            let served = AssertUnwindSafe(|| runtime.block_on(Box::pin(serve(config))));
            catch_unwind(served).unwrap_or_else(|_| Err(PANICKED.to_owned()))
        }
        Err(error) => Err(format!("cannot start a load thread: {error}")),
    };
    if let Err(message) = result {
        let _ = news.blocking_send(News::Failed(message));
        // Nobody waits for it any more; before the run has begun nobody hears this.
        let _ = news.blocking_send(News::Ended { cut: 0 });
    }
}

async fn serve(mut config: Config) -> Result<(), String> {
    let setup = config.setup.clone();
    let program = setup.edition.compile()?;
    let timers = Timers::new().map_err(|error| format!("cannot start a load thread: {error}"))?;
    spawn_local(timers.clone().run());
    let generation = setup.edition.generation(1, program, &timers, None)?;
    let _ = config.news.send(News::Ready).await;
    let Some(Order::Start { epoch, unix_us }) = config.orders.recv().await else {
        return Ok(());
    };
    let thread = Thread::new(ThreadParts {
        timers,
        epoch,
        epoch_unix_us: unix_us,
        seed: setup.edition.inputs.seed,
        recorder: Recorder::new(config.index, Limits::default()),
        outbox: config.outbox,
        shared: config.shared.clone(),
        log: config.log,
        environment: setup.environment.clone(),
        generation,
        onlooker: setup.onlooker.clone(),
    });
    let crew = Crew::new(
        Rc::new(thread),
        &setup,
        config.part,
        Mix::of(&config.adopted),
        config.news,
        config.budget,
    );
    crew.serve(epoch, config.orders).await;
    Ok(())
}
