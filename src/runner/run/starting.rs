//! Starting a run: its parts, and the load threads of this process.
//!
//! Owns connecting them; the loop (`run`) does the rest.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

use super::Run;
use super::membership::Coming;
use super::reloading::on_control;
use super::wishes::Early;
use crate::clock;
use crate::coroutine;
use crate::load::Slots;
use crate::runner::assignments::Assignments;
use crate::runner::control::Control;
use crate::runner::emergency::Emergency;
use crate::runner::fleet::Fleet;
use crate::runner::hooks::Hooks;
use crate::runner::inbox::Inbox;
use crate::runner::load_thread::News;
use crate::runner::numbers::Numbers;
use crate::runner::reload::Reload;
use crate::runner::shape::LiveShape;
use crate::runner::threads::{self, BATCHES, Connections};
use crate::runner::{Handle, Setup, State, Unable};
use crate::script::Shared;
use crate::vu::{Budget, PlanClock};

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
    let (_, nobody) = mpsc::channel(1);
    start_with(setup, &[threads], Slots::local(threads), nobody).await
}

/// Starts a run with `members`, each given by its number of load threads; more come and go as
/// `coming` says. Users are dealt by `slots`.
///
/// # Errors
/// As [`start`].
pub(in crate::runner) async fn start_with(
    setup: Arc<Setup>,
    members: &[u32],
    slots: Slots,
    coming: mpsc::Receiver<Coming>,
) -> Result<Handle, Unable> {
    let edition = setup.edition.clone();
    let options = &edition.options;
    let (news_in, news) = mpsc::channel(64);
    let (lines_in, lines) = mpsc::channel(1_024);
    let threads: u32 = members.iter().sum();
    let (batches_in, batches) = mpsc::channel(BATCHES * threads as usize);
    let (commands_in, commands) = mpsc::channel(16);
    let budget = options.iterations.map(Budget::of);
    let to = Connections {
        setup,
        group: coroutine::new_group(),
        news: news_in,
        batches: batches_in,
        log: lines_in,
        shared: Arc::new(Shared::default()),
        budget: budget.clone(),
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
    let mut inbox = Inbox::new(news, coming, commands, batches, lines);
    let mut fleet = Fleet::new(options.plan.clone(), budget);
    for threads in members {
        let (id, first) = fleet.next();
        fleet.join(id, threads::start(id, first, *threads, &edition, 1, &to)?);
    }
    while !fleet.are_all_ready() {
        match inbox.news().await {
            Some((id, News::Ready)) => fleet.is_ready(id),
            Some((_, News::Failed(why))) => return Err(why),
            _ => {
                return Err(Unable::System(
                    "a load thread ended before it began".to_owned(),
                ));
            }
        }
    }
    let (state_in, state) = watch::channel(State::Starting);
    let (notices, _) = broadcast::channel(NOTICES);
    let numbers = Numbers::new(jiff::Timestamp::now().as_microsecond());
    let summary = numbers.watch();
    to.shared.show(summary.clone());
    let run = Run {
        epoch: clock::now(),
        epoch_unix_us: 0,
        begun: Instant::now(),
        classes: Arc::new([edition.classes(0)]),
        edition,
        reload: Reload::default(),
        opened: None,
        hooks: Hooks::new(),
        early: Early::default(),
        inbox,
        fleet,
        assignments: Assignments::new(slots),
        numbers,
        control,
        shape,
        emergency: Emergency::new(to.group),
        to,
        state: state_in,
        notices: notices.clone(),
        plan_clock: PlanClock::default(),
        under_way: State::Starting,
        tick_at: None,
        end: None,
        is_killed: false,
        grace: None,
        is_over: false,
    };
    tokio::task::spawn_local(run.go());
    Ok(Handle {
        commands: commands_in,
        state,
        summary,
        notices,
    })
}
