//! Starting a run: its parts, and the load threads of this process.
//!
//! Owns connecting them; the loop (`run`) does the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

use super::reloading::on_control;
use super::wishes::Early;
use super::workers::Workers;
use super::{DESERTED, Run};
use crate::clock;
use crate::coroutine;
use crate::load::Slots;
use crate::runner::assignments::Assignments;
use crate::runner::control::Control;
use crate::runner::elsewhere::{Coming, Gate, Going, Joined};
use crate::runner::emergency::Emergency;
use crate::runner::fleet::{Fleet, MemberId};
use crate::runner::hooks::Hooks;
use crate::runner::inbox::{Event, Inbox};
use crate::runner::load_thread::{News, Order};
use crate::runner::numbers::Numbers;
use crate::runner::reload::Reload;
use crate::runner::shape::LiveShape;
use crate::runner::threads::{self, BATCHES, Connections};
use crate::runner::{Command, Edition, Handle, Setup, State, Unable};
use crate::script::Shared;
use crate::vu::{Budget, PlanClock};

/// Reports of members elsewhere that wait for the loop. Whoever brings more has to wait.
const REPORTS: usize = 64;

/// How many notices a reader may fall behind.
const NOTICES: usize = 1_024;

/// Starts a run; must be called in a tokio runtime with local tasks.
///
/// # Errors
/// When the load threads cannot begin: a thread cannot be created, a certificate file cannot be
/// read, or the script declares something else each time it is evaluated.
///
/// Readers that subscribe before they await anything else miss no notice.
pub async fn start(setup: Arc<Setup>) -> Result<Handle, Unable> {
    let threads = setup.threads;
    let slots = Slots::local(threads);
    let mut opening = Opening::new(setup, threads, slots, Arc::default())?;
    opening.join_here(threads)?;
    opening.begin().await
}

/// A run whose members are in other processes, `threads` load threads at the start; with what those
/// are told that begin it, by their numbers of threads. `shared` is what exists once for all of
/// them. Must be called in a tokio runtime with local tasks.
///
/// # Errors
/// When the script's functions for the whole run cannot be made here.
pub fn open(
    setup: Arc<Setup>,
    members: &[u32],
    shared: Arc<Shared>,
) -> Result<(Opening, Vec<Joined>), Unable> {
    let threads = members.iter().sum();
    let mut opening = Opening::new(setup, 0, Slots::shared(threads), shared)?;
    let joined = members.iter().map(|threads| opening.join(*threads));
    let joined = joined.collect();
    Ok((opening, joined))
}

/// A run that goes on where that of an earlier master is now; who has been a member of it comes to
/// the gate. `setup` has the script as it is now: if it is another one, it goes into service once it
/// is known who is there. Must be called in a tokio runtime with local tasks.
///
/// # Errors
/// As [`open`].
pub fn go_on(
    setup: Arc<Setup>,
    going: &Going,
    shared: Arc<Shared>,
) -> Result<(Handle, Gate), Unable> {
    let mut opening = Opening::new(setup, 0, Slots::shared(0), shared)?;
    opening.fleet.follow(going.plan.clone());
    let gate = opening.gate();
    let (mut run, handle) = opening.opened();
    run.go_on(going);
    tokio::task::spawn_local(run.serve());
    Ok((handle, gate))
}

/// Starts a run with `members` of this process, each given by its number of load threads; more come
/// and go by the gate. Users are dealt by `slots`.
#[cfg(test)]
pub(in crate::runner) async fn start_with(
    setup: Arc<Setup>,
    members: &[u32],
    slots: Slots,
) -> Result<(Handle, Gate), Unable> {
    let threads = members.iter().sum();
    let mut opening = Opening::new(setup, threads, slots, Arc::default())?;
    for threads in members {
        opening.join_here(*threads)?;
    }
    let gate = opening.gate();
    Ok((opening.begin().await?, gate))
}

/// A run that waits for its members to be ready.
pub struct Opening {
    inbox: Inbox,
    fleet: Fleet,
    control: Option<Control>,
    shape: Option<LiveShape>,
    assignments: Assignments,
    edition: Arc<Edition>,
    to: Connections,
    commands: mpsc::Sender<Command>,
    gate: Gate,
    workers: Workers,
    /// Its members are in other processes.
    is_far: bool,
    /// How long it waits for somebody who could go on.
    patience: Duration,
}

impl Opening {
    /// Of `threads` load threads in this process.
    fn new(
        setup: Arc<Setup>,
        threads: u32,
        slots: Slots,
        shared: Arc<Shared>,
    ) -> Result<Opening, Unable> {
        let edition = setup.edition.clone();
        let options = &edition.options;
        let (news_in, news) = mpsc::channel(64);
        let (lines_in, lines) = mpsc::channel(1_024);
        let (batches_in, batches) = mpsc::channel((BATCHES * threads as usize).max(1));
        let (reports_in, reports) = mpsc::channel(REPORTS);
        let (coming_in, coming) = mpsc::channel(64);
        let (commands_in, commands) = mpsc::channel(16);
        let budget = options.iterations.map(Budget::of);
        let gate = Gate {
            coming: coming_in,
            news: news_in.clone(),
            reports: reports_in,
            lines: lines_in.clone(),
            budget: budget.clone(),
            roll: watch::Sender::default(),
        };
        let roll = gate.roll.subscribe();
        let to = Connections {
            setup,
            group: coroutine::new_group(),
            news: news_in,
            batches: batches_in,
            log: lines_in,
            shared,
            budget: budget.clone(),
            fence: None,
        };
        let program = on_control(&edition, false)?;
        let control = match &program {
            Some(program) if Control::is_in(&edition) => {
                Some(Control::open(&edition, 1, program.clone(), &to)?)
            }
            _ => None,
        };
        let shape = program
            .filter(|_| LiveShape::is_in(&edition))
            .map(|program| LiveShape::new(&edition, program));
        Ok(Opening {
            inbox: Inbox::new(news, coming, commands, batches, reports, lines),
            fleet: Fleet::new(options.plan.clone(), budget),
            control,
            shape,
            assignments: Assignments::new(slots),
            edition,
            to,
            commands: commands_in,
            gate,
            workers: Workers::new(roll),
            is_far: threads == 0,
            patience: DESERTED,
        })
    }

    /// Where members of other processes come to the run.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    #[cfg(test)]
    pub(in crate::runner) fn patience(&mut self, length: Duration) {
        self.patience = length;
    }

    fn join_here(&mut self, threads: u32) -> Result<(), Unable> {
        let (id, first) = self.fleet.next();
        let member = threads::start(id, first, threads, &self.edition, 1, &self.to)?;
        self.fleet.join(id, member);
        Ok(())
    }

    fn join(&mut self, threads: u32) -> Joined {
        let (id, first) = self.fleet.next();
        let (member, joined) = Joined::new(id, first, threads, &self.edition, 1, &self.to);
        self.fleet.join(id, member);
        joined
    }

    /// Waits until all members are ready, and starts the run. One in another process that goes
    /// before that is done without.
    ///
    /// # Errors
    /// When a member cannot begin, or none is left.
    ///
    /// Dropping the future ends the members.
    pub async fn begin(mut self) -> Result<Handle, Unable> {
        while !self.fleet.are_all_ready() {
            match self.inbox.early().await {
                Some(Event::News(id, News::Ready)) => self.fleet.is_ready(id),
                Some(Event::News(_, News::Failed(why))) => return Err(why),
                Some(Event::News(id, News::Ended { .. })) => self.fleet.leave(id),
                Some(Event::Coming(Coming::Gone(id))) => self.fleet.leave(MemberId(id)),
                // It says when it has ended.
                Some(Event::Coming(Coming::Leaves(id))) => {
                    let stop = Order::Stop {
                        stop_timeout: Duration::ZERO,
                        on_stop_timeout: Duration::ZERO,
                    };
                    self.fleet.order(MemberId(id), stop);
                }
                Some(Event::Coming(Coming::Joins { threads, joined })) => {
                    let told = self.join(threads);
                    if let Err(told) = joined.send(told) {
                        self.fleet.leave(MemberId(told.member));
                    }
                }
                Some(Event::Coming(Coming::Worker(event, card))) => {
                    self.workers.wait(event, card);
                }
                _ => {}
            }
            if self.fleet.is_empty() {
                let nobody = "a load thread ended before it began";
                return Err(Unable::System(nobody.to_owned()));
            }
        }
        let (run, handle) = self.opened();
        tokio::task::spawn_local(run.go());
        Ok(handle)
    }

    fn opened(self) -> (Run, Handle) {
        let (state_in, state) = watch::channel(State::Starting);
        let (notices, _) = broadcast::channel(NOTICES);
        let numbers = Numbers::new(jiff::Timestamp::now().as_microsecond());
        let summary = numbers.watch();
        self.to.shared.show(summary.clone());
        let run = Run {
            epoch: clock::now(),
            epoch_unix_us: 0,
            begun: Instant::now(),
            classes: Arc::new([self.edition.classes(0)]),
            edition: self.edition,
            reload: Reload::default(),
            opened: None,
            hooks: Hooks::new(),
            early: Early::default(),
            inbox: self.inbox,
            fleet: self.fleet,
            assignments: self.assignments,
            numbers,
            control: self.control,
            shape: self.shape,
            emergency: Emergency::new(self.to.group),
            to: self.to,
            state: state_in,
            notices: notices.clone(),
            plan_clock: PlanClock::default(),
            under_way: State::Starting,
            tick_at: None,
            end: None,
            is_killed: false,
            is_far: self.is_far,
            patience: self.patience,
            deserted_at: None,
            going_on: None,
            has_other_script: false,
            workers: self.workers,
            grace: None,
            is_over: false,
        };
        let handle = Handle {
            commands: self.commands,
            state,
            summary,
            notices,
        };
        (run, handle)
    }
}
