//! A process that is a member of another's run.
//!
//! Owns its load threads, carrying out orders on them, and adding up what they measure. It decides
//! nothing about the run, and outlives the connection: where orders come from and where reports go
//! is the transport's.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};

use super::edition::Contents;
use super::order::SentOrder;
use crate::clock::{self, Micros};
use crate::coroutine;
use crate::data::RationSource;
use crate::runner::emergency::{self, Emergency};
use crate::runner::fleet::{Levels, Member, MemberId};
use crate::runner::load_thread::{News, Order};
use crate::runner::threads::{self, BATCHES, Connections};
use crate::runner::{Edition, Setup, Unable, usage};
use crate::script::{Line, Shared};
use crate::stats::{Batch, Ledger, Limits, Report};
use crate::vu::{Budget, Fence};

/// What happens to a worker that its master has to know, and that waits here for the transport.
const HAPPENINGS: usize = 1_024;

/// Where the levels of users, which are told ten times a second, begin to be left out.
const LEFT_OUT: usize = HAPPENINGS / 2;

/// What a process begins with as a member of a run.
pub struct Work {
    /// The edition to begin with, and the number of its generation.
    pub edition: Arc<Edition>,
    /// See there.
    pub number: u16,
    /// The numbers of its load threads in the run.
    pub threads: Range<u32>,
    /// What exists once for the whole run.
    pub shared: Arc<Shared>,
    /// Whether the run has a limit of iterations, which then have to be [given](Worker::give).
    pub is_limited: bool,
    /// Who counts turns of rows, for the editions to come.
    pub asks: Option<Arc<dyn RationSource>>,
}

/// What its master has to know.
#[derive(Debug)]
pub enum Happening {
    /// What it says of itself.
    Said(News),
    /// What it measured; comes before what is said of it later.
    Report(Box<Report>),
    /// What a script printed.
    Line(Line),
    /// Its users want iterations, and there are none.
    WantsIterations,
    /// It has no users for so many iterations that it was given.
    Unused(u64),
}

/// The load threads of this process, as a member of another's run.
#[derive(Debug)]
pub struct Worker {
    threads: Range<u32>,
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
    cuts: Arc<Notify>,
    recorded: Rc<Cell<u64>>,
    budget: Option<Budget>,
    fence: Fence,
    asks: Option<Arc<dyn RationSource>>,
}

impl Worker {
    /// Starts the load threads, which compile the edition and say that they are ready. Must be
    /// called in a runtime with local tasks. What happens comes by the receiver, until after the
    /// last thread has ended.
    ///
    /// # Errors
    /// When the system has no thread for one of them.
    pub fn start(work: Work) -> Result<(Worker, mpsc::Receiver<Happening>), Unable> {
        let Work {
            edition,
            number,
            threads,
            shared,
            is_limited,
            asks,
        } = work;
        let budget = is_limited.then(Budget::asking);
        let fence = Fence::closed();
        let count = threads.end - threads.start;
        let (news_in, news) = mpsc::channel(64);
        let (batches_in, batches) = mpsc::channel(BATCHES * count as usize);
        let (log, lines) = mpsc::channel(1_024);
        let to = Connections {
            setup: Arc::new(Setup {
                edition: edition.clone(),
                threads: count,
                observer: None,
            }),
            group: coroutine::new_group(),
            news: news_in,
            batches: batches_in,
            log,
            shared: shared.clone(),
            budget: budget.clone(),
            fence: Some(fence.clone()),
        };
        let emergency = Emergency::new(to.group);
        let member = threads::start(MemberId(0), threads.start, count, &edition, number, &to)?;
        // The loop ends when the threads have: none of the senders may stay here.
        drop(to);
        let (happens, happenings) = mpsc::channel(HAPPENINGS);
        let (orders, orders_out) = mpsc::channel(threads::ORDERS);
        let cuts = Arc::new(Notify::new());
        let recorded: Rc<Cell<u64>> = Rc::default();
        let working = Working {
            member,
            edition,
            orders: orders_out,
            news,
            batches,
            lines,
            budget: budget.clone(),
            shared: shared.clone(),
            exit_code: None,
            happens,
            cuts: cuts.clone(),
            ledger: Ledger::new(Limits::default()),
            recorded: recorded.clone(),
            emergency,
            epoch: None,
            latest: None,
        };
        spawn_local(working.go());
        let worker = Worker {
            threads,
            shared,
            orders,
            cuts,
            recorded,
            budget,
            fence,
            asks,
        };
        Ok((worker, happenings))
    }

    /// Carries out an order. `here` turns a moment of the master's clock into one of this machine's; `contents` holds the files of its edition, if it has one.
    ///
    /// # Errors
    /// When the order contradicts itself, a file of its edition is missing, or too many orders have
    /// not been taken yet.
    pub fn order(
        &self,
        order: SentOrder,
        here: impl Fn(Micros) -> Micros,
        contents: &Contents,
    ) -> Result<(), Unable> {
        let strange = || Unable::System("the master gives an order that is none".to_owned());
        let assembled = match order.edition() {
            Some(sent) => {
                let edition = sent.assembled(contents, self.asks.clone())?;
                Some(Arc::new(edition))
            }
            None => None,
        };
        if let SentOrder::Start(start) = &order
            && let Some(value) = &start.setup
        {
            self.shared.set_setup_result(value.clone());
        }
        let order = order.order(self.threads.clone(), here, assembled);
        let order = order.ok_or_else(strange)?;
        let sent = self.orders.try_send(order);
        sent.map_err(|_| Unable::System("load threads take no orders any more".to_owned()))
    }

    /// How many samples its load threads have handed over, in reports or not.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded.get()
    }

    /// Asks for a report of what was measured since the last one.
    pub fn cut(&self) {
        self.cuts.notify_one();
    }

    /// Users may begin iterations before that moment of this machine's clock; at first they may
    /// begin none. It is looked at before each iteration; users that were held go on within 0.1 s.
    pub fn may_begin_until(&self, until: Micros) {
        self.fence.set(until);
    }

    /// Gives users iterations; none, if there are no more.
    pub fn give(&self, iterations: u64) {
        match &self.budget {
            Some(budget) if iterations == 0 => budget.close(),
            Some(budget) => budget.give(iterations),
            None => {}
        }
    }

    /// What its scripts see of the whole run.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// The loop of a worker.
struct Working {
    member: Member,
    edition: Arc<Edition>,
    orders: mpsc::Receiver<Order>,
    news: mpsc::Receiver<(MemberId, News)>,
    batches: mpsc::Receiver<Batch>,
    lines: mpsc::Receiver<Line>,
    budget: Option<Budget>,
    shared: Arc<Shared>,
    /// What a script asked for last, as far as that was said.
    exit_code: Option<u8>,
    happens: mpsc::Sender<Happening>,
    cuts: Arc<Notify>,
    ledger: Ledger,
    /// What it has absorbed.
    recorded: Rc<Cell<u64>>,
    emergency: Emergency,
    /// The first user's start, once it is known.
    epoch: Option<Micros>,
    /// The latest moment for its threads to end, once one of them has crashed.
    latest: Option<Instant>,
}

impl Working {
    async fn go(mut self) {
        let mut has_ended = false;
        while !has_ended {
            tokio::select! {
                biased;
                Some((_, news)) = self.news.recv() => has_ended = self.hear(news).await,
                order = self.orders.recv() => match order {
                    Some(order) => self.carry_out(order),
                    // Whoever gave orders is gone, and so are their results.
                    None => return,
                },
                Some(batch) = self.batches.recv() => self.absorb(batch),
                Some(line) = self.lines.recv() => {
                    // A line that finds no room is one that nobody could read.
                    let _ = self.happens.try_send(Happening::Line(line));
                }
                () = asked(self.budget.as_ref()) => {
                    self.happen(Happening::WantsIterations).await;
                }
                () = sleep_until(self.emergency.look_at()) => self.look().await,
                // Before the start there is nothing to report.
                () = self.cuts.notified(), if self.epoch.is_some() => {
                    let report = self.cut();
                    self.happen(Happening::Report(Box::new(report))).await;
                }
                () = due(self.latest) => has_ended = self.hear(News::Ended { cut: 0 }).await,
            }
        }
    }

    /// Whether that was the last of it.
    async fn hear(&mut self, news: News) -> bool {
        let has_ended = matches!(news, News::Ended { .. });
        self.tell_exit_code().await;
        let has_users = !matches!(
            &news,
            News::Levels(Levels { users: 0, .. }) | News::Ended { .. }
        );
        let unused = self.budget.as_ref().filter(|_| !has_users);
        let unused = unused.map_or(0, Budget::give_back);
        if unused > 0 {
            self.happen(Happening::Unused(unused)).await;
        }
        if has_ended {
            // What threads measured comes before their end.
            while let Ok(batch) = self.batches.try_recv() {
                self.absorb(batch);
            }
            let report = self.cut();
            self.happen(Happening::Report(Box::new(report))).await;
        }
        let is_level = matches!(news, News::Levels(_));
        if !is_level || self.happens.capacity() > LEFT_OUT {
            self.happen(Happening::Said(news)).await;
        }
        has_ended
    }

    /// Says what exit code a script asked for, once each time it asks for another.
    async fn tell_exit_code(&mut self) {
        let asked = self.shared.exit_code();
        if let Some(code) = asked.filter(|_| asked != self.exit_code) {
            self.exit_code = asked;
            self.happen(Happening::Said(News::ExitCode(code))).await;
        }
    }

    /// The master has to know it. Nothing else can go on if it takes nothing for minutes.
    async fn happen(&self, happening: Happening) {
        let _ = self.happens.send(happening).await;
    }

    fn carry_out(&mut self, order: Order) {
        match &order {
            Order::Start(start) => {
                self.epoch = Some(start.epoch);
                self.ledger.cpu(usage::cpu_us());
                // Of a run that has been going on, the seconds so far are others'.
                self.ledger.begin(self.now_us());
            }
            Order::Prepare(preparation) => self.edition = preparation.edition.clone(),
            _ => {}
        }
        self.member.order(order);
    }

    fn absorb(&mut self, batch: Batch) {
        let thread = batch.thread();
        let emptied = self.ledger.absorb(batch);
        self.recorded.set(self.ledger.recorded());
        self.member.give_back(thread, emptied);
    }

    /// What the run's clock shows.
    fn now_us(&self) -> u64 {
        self.epoch.map_or(0, |epoch| clock::now().since(epoch))
    }

    fn cut(&mut self) -> Report {
        self.ledger.cpu(usage::cpu_us());
        let now_us = self.now_us();
        self.ledger.cut(now_us)
    }

    /// Looks for what ends it. A load thread that crashed says nothing any more, so the end is said
    /// for it.
    async fn look(&mut self) {
        if let Some(what) = self.emergency.look(&self.edition.scenario) {
            let failed = News::Failed(Unable::System(what));
            self.happen(Happening::Said(failed)).await;
            self.member.order(Order::Stop {
                stop_timeout: Duration::ZERO,
                on_stop_timeout: Duration::ZERO,
            });
            self.latest = Some(Instant::now() + emergency::GRACE);
        }
    }
}

/// Resolves when users want iterations and there are none.
async fn asked(budget: Option<&Budget>) {
    match budget {
        Some(budget) => budget.asked().await,
        None => std::future::pending().await,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
