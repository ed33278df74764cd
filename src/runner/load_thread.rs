//! One load thread: its runtime, its users, and what it reports to control.
//!
//! Owns how the thread begins, its orders and its news; `crew` has its users. It never waits for
//! control except at its very end, when the last measurements must not be lost.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::assignments::{Assignment, Parts};
use super::crew::Crew;
use super::fleet::Levels;
use super::{Edition, Setup, Unable};
use crate::clock::{Micros, Timers};
use crate::coroutine;
use crate::load::{Classes, Plan};
use crate::script::{Line, RunClock, Shared, Thread, ThreadParts};
use crate::stats::{Batch, Limits, Outbox, Recorder};
use crate::units::Rate;
use crate::vu::{Budget, Fence};

/// An order to a load thread.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Begin, at the given moment.
    Start(Start),
    /// Before the start: compile this generation instead of the one compiled earlier.
    CatchUp(Arc<Edition>, u16),
    /// Take this part of the plan: stop the users that are lost, report when they are gone, and
    /// start those that are gained, one by one at `pace`.
    Assign { assignment: Assignment, pace: Rate },
    /// Users finish their iteration and wait, and plan time stands still.
    Pause,
    /// The run goes on, after pauses of this length in all.
    Resume { paused_us: u64 },
    /// Follow another plan from now on; its times also count from the run's epoch.
    Follow(Arc<Plan>),
    /// Compile a generation, and report whether that worked.
    Prepare(Preparation),
    /// Put the prepared generation into service.
    Adopt(Adoption),
    /// Drop the prepared generation.
    Discard,
    /// Stop all users and end.
    Stop {
        stop_timeout: Duration,
        on_stop_timeout: Duration,
    },
}

/// How a run begins, or its current state for members that join later.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// All times of the run count from here, plan time included; may lie in the future.
    pub(super) epoch: Micros,
    /// `epoch` in microseconds since 1970.
    pub(super) unix_us: i64,
    pub(super) plan: Arc<Plan>,
    pub(super) parts: Parts,
    /// The classes of each edition so far, in order.
    pub(super) classes: Arc<[Classes]>,
    /// The length of all pauses that are over, in µs, and since when the run is paused.
    pub(super) pauses: (u64, Option<Micros>),
}

/// A generation to compile.
#[derive(Clone, Debug)]
pub(crate) struct Preparation {
    /// Identifies this preparation in news, since some are abandoned.
    pub(crate) ticket: u32,
    pub(crate) edition: Arc<Edition>,
    /// The number of the generation.
    pub(crate) number: u16,
}

/// What all threads must agree on when an edited script goes into service.
#[derive(Clone, Debug)]
pub(super) struct Adoption {
    /// The generation's number.
    pub(super) number: u16,
    /// How many users the mix has assigned to classes so far.
    pub(super) mixed: u32,
    /// The plan to follow from now on, if it changes.
    pub(super) plan: Option<Arc<Plan>>,
}

/// News from a load thread, or from all threads of a member as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum News {
    /// It is ready to begin.
    Ready,
    /// It has compiled a generation, with remarks for the script's author; or why it could not.
    Prepared {
        /// Of what was to be compiled.
        ticket: u32,
        /// Remarks for the script's author.
        result: Result<Vec<String>, Unable>,
    },
    /// The prepared generation is in service, and its users that are behind are counted.
    Adopted(Levels),
    /// It cannot begin, or continue.
    Failed(Unable),
    /// The state of its users.
    Levels(Levels),
    /// The assignment with this number is complete: users that it took away are gone. With the
    /// state of the others.
    Assigned(u16, Levels),
    /// A script called `stop_test`.
    StopTest(String),
    /// A script called `exit_code`.
    ExitCode(u8),
    /// There are too many names of requests: some share a row.
    Overflowed,
    /// It has ended, with `cut` requests in flight when their users were cut.
    Ended {
        /// How many.
        cut: u64,
    },
}

/// What a load thread starts from.
pub(super) struct Config {
    pub(super) index: u32,
    /// Of all load threads of the run.
    pub(super) group: u32,
    pub(super) setup: Arc<Setup>,
    /// The edition to begin with, and the number of its generation.
    pub(super) edition: Arc<Edition>,
    pub(super) number: u16,
    pub(super) orders: mpsc::Receiver<Order>,
    /// With the thread's index.
    pub(super) news: mpsc::Sender<(u32, News)>,
    /// Full batches to the collector, and emptied ones back from it.
    pub(super) full: mpsc::Sender<Batch>,
    pub(super) spare: mpsc::Receiver<Batch>,
    pub(super) log: mpsc::Sender<Line>,
    pub(super) shared: Arc<Shared>,
    pub(super) budget: Option<Budget>,
    pub(super) fence: Option<Fence>,
}

/// The body of the operating system's thread.
pub(super) fn run(config: Config) {
    coroutine::survive(config.group, config.index);
    let news = config.news.clone();
    let index = config.index;
    // Without tokio's timers, which cost something whenever the thread waits: `clock` has ours.
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .build_local(runtime::LocalOptions::default());
    let result = match runtime {
        Ok(runtime) => {
            let served = AssertUnwindSafe(|| runtime.block_on(Box::pin(serve(config))));
            catch_unwind(served).unwrap_or(Err(Unable::Panicked))
        }
        Err(error) => Err(impossible(&error)),
    };
    if let Err(why) = result {
        let _ = news.blocking_send((index, News::Failed(why)));
        // If the run is over, or has not begun, there is no one to report to.
        let _ = news.blocking_send((index, News::Ended { cut: 0 }));
    }
}

async fn serve(mut config: Config) -> Result<(), Unable> {
    let setup = config.setup.clone();
    let timers = Timers::new().map_err(|error| impossible(&error))?;
    spawn_local(timers.clone().run());
    let mut edition = config.edition;
    let mut number = config.number;
    let (start, generation) = loop {
        let program = edition.compile()?;
        let generation = edition.generation(number, program, &timers, None)?;
        let _ = config.news.send((config.index, News::Ready)).await;
        match before_start(&mut config.orders).await {
            Some(Order::Start(start)) => break (start, generation),
            Some(Order::CatchUp(newer, newer_number)) => {
                (edition, number) = (newer, newer_number);
            }
            Some(_) => {
                let _ = config
                    .news
                    .send((config.index, News::Ended { cut: 0 }))
                    .await;
                return Ok(());
            }
            None => return Ok(()),
        }
    };
    let epoch = start.epoch;
    let recorder = Recorder::new(config.index, Limits::default());
    let parts = ThreadParts {
        timers,
        clock: Cell::new(RunClock {
            epoch,
            epoch_unix_us: start.unix_us,
        }),
        seed: setup.edition.inputs.seed,
        outbox: Outbox::new(recorder, config.full, config.spare),
        shared: config.shared,
    };
    let thread = Thread::new(parts, generation, config.log, setup.observer.clone());
    let crew = Crew::new(
        Rc::new(thread),
        &setup,
        edition,
        config.index,
        &start,
        config.news,
        (config.budget, config.fence),
    );
    crew.serve(epoch, config.orders).await;
    Ok(())
}

fn impossible(error: &io::Error) -> Unable {
    Unable::System(format!("cannot start a load thread: {error}"))
}

/// The next order for a thread that has not begun; it ignores those for threads that have.
async fn before_start(orders: &mut mpsc::Receiver<Order>) -> Option<Order> {
    loop {
        let order = orders.recv().await?;
        if let Order::Start(_) | Order::CatchUp(..) | Order::Stop { .. } = order {
            return Some(order);
        }
    }
}
