//! How a run comes to be: its parts, and the load threads of this process.
//!
//! Owns connecting them. What happens then is the loop's.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

use super::Run;
use super::reloading::on_control;
use super::wishes::Early;
use crate::clock;
use crate::runner::control::Control;
use crate::runner::emergency::Emergency;
use crate::runner::fleet::{Fleet, MemberId};
use crate::runner::hooks::Hooks;
use crate::runner::inbox::Inbox;
use crate::runner::load_thread::News;
use crate::runner::numbers::Numbers;
use crate::runner::reload::Reload;
use crate::runner::shape::LiveShape;
use crate::runner::threads::{self, BATCHES, Connections};
use crate::runner::{Handle, Setup, State};
use crate::script::Shared;

/// Notices that a reader may be behind.
const NOTICES: usize = 1_024;

/// Starts a run; must be called in a tokio runtime with local tasks.
///
/// # Errors
/// When the load threads cannot begin: no threads to be had, a certificate file that cannot be
/// read, a script that is another each time it is evaluated.
///
/// What the run says is kept for readers that ask for it before they wait for anything else.
pub async fn start(setup: Arc<Setup>) -> Result<Handle, String> {
    let edition = setup.edition.clone();
    let options = &edition.options;
    let threads = options.threads;
    let (news_in, news) = mpsc::channel(64);
    let (lines_in, lines) = mpsc::channel(1_024);
    let (batches_in, batches) = mpsc::channel(BATCHES * threads as usize);
    let (commands_in, commands) = mpsc::channel(16);
    let budget = options.iterations.map(AtomicU64::new).map(Arc::new);
    let to = Connections {
        setup,
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
    let mut inbox = Inbox::new(news, commands, batches, lines);
    let mut fleet = Fleet::new(options.plan.clone(), budget);
    let id = MemberId(0);
    fleet.join(id, threads::start(id, 0, threads, &edition, 1, &to)?);
    match inbox.news().await {
        Some((_, News::Ready)) => {}
        Some((_, News::Failed(message))) => return Err(message),
        _ => return Err("a load thread ended before it began".to_owned()),
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
        edition,
        reload: Reload::default(),
        opened: None,
        hooks: Hooks::new(),
        early: Early::default(),
        inbox,
        fleet,
        numbers,
        control,
        shape,
        to,
        state: state_in,
        notices: notices.clone(),
        emergency: Emergency::new(),
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
