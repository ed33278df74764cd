//! One load thread: its runtime, its users, and what it tells the control plane.
//!
//! Owns how such a thread begins and what is said to and by it; its users are the `crew`'s. It
//! never waits for the control plane but at its very end, when the last measurements must not be
//! lost.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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
use crate::vu::Budget;

/// What a load thread is told.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Begin, when its moment has come.
    Start(Start),
    /// Before the start: make this generation in the place of the one that was made.
    CatchUp(Arc<Edition>, u16),
    /// Have this part from now on: stop the users that are no longer one's own, say when they are gone,
    /// and start those that are new one by one, so many a second.
    Assign { assignment: Assignment, pace: Rate },
    /// Follow another plan from now on; it counts from the run's beginning too.
    Follow(Arc<Plan>),
    /// Make a generation, and say whether that went well.
    Prepare(Preparation),
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

/// How a run begins, or how it stands for who comes later.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// All times of the run count from here; it may be still to come.
    pub(super) epoch: Micros,
    /// `epoch` in microseconds since 1970.
    pub(super) unix_us: i64,
    pub(super) plan: Arc<Plan>,
    pub(super) parts: Parts,
    /// What all editions said of the classes, one after the other.
    pub(super) classes: Arc<[Classes]>,
}

/// A generation to be made.
#[derive(Clone, Debug)]
pub(super) struct Preparation {
    /// Names this preparation in what is said of it: some are given up.
    pub(super) ticket: u32,
    pub(super) edition: Arc<Edition>,
    /// The number of the generation.
    pub(super) number: u16,
}

/// What all threads must see alike when an edited script goes into service.
#[derive(Clone, Debug)]
pub(super) struct Adoption {
    /// How many users have got their classes from the mix so far.
    pub(super) mixed: u32,
    /// What to follow from now on, if that is another plan.
    pub(super) plan: Option<Arc<Plan>>,
}

/// What a load thread says, and a member of several as one.
#[derive(Debug)]
pub(super) enum News {
    /// It is ready to begin.
    Ready,
    /// It has made the generation it was asked for, and what its users should know of that; or
    /// why not.
    Prepared {
        ticket: u32,
        result: Result<Vec<String>, Unable>,
    },
    /// What it had prepared is in service, and its users that are behind are counted.
    Adopted(Levels),
    /// It cannot begin, or go on.
    Failed(Unable),
    /// How its users stand.
    Levels(Levels),
    /// The assignment of this number has been carried out: users that it took are gone, and this is
    /// how the others stand.
    Assigned(u16, Levels),
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
    /// Of all load threads of the run.
    pub(super) group: u32,
    pub(super) setup: Arc<Setup>,
    /// What it begins with, and the number of that generation.
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
}

/// The body of the operating system's thread.
pub(super) fn run(config: Config) {
    coroutine::survive(config.group, config.index);
    let news = config.news.clone();
    let index = config.index;
    // Without tokio's timers, which are looked at whenever the thread waits: `clock` has ours.
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
        // Nobody waits for it any more; before the run has begun nobody hears this.
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
        environment: setup.environment.clone(),
    };
    let thread = Thread::new(parts, generation, config.log, setup.observer.clone());
    let crew = Crew::new(
        Rc::new(thread),
        &setup,
        edition,
        config.index,
        &start,
        config.news,
        config.budget,
    );
    crew.serve(epoch, config.orders).await;
    Ok(())
}

fn impossible(error: &io::Error) -> Unable {
    Unable::System(format!("cannot start a load thread: {error}"))
}

/// The next order that one who has not begun obeys: the others are for those who have.
async fn before_start(orders: &mut mpsc::Receiver<Order>) -> Option<Order> {
    loop {
        match orders.recv().await? {
            order @ (Order::Start(_) | Order::CatchUp(..) | Order::Stop { .. }) => {
                return Some(order);
            }
            _ => {}
        }
    }
}
