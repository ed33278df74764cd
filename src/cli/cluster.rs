//! Master and workers from the command line.
//!
//! Owns the wiring, and what a worker shows; `cluster` does the work.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::arguments;
use super::cluster_arguments::{ClusterArgs, TOKEN_COMES};
use super::health;
use super::run::{listen, on_control_thread};
use crate::cluster::{self, LogLine, Loss, MasterOptions, MasterThread, WorkerOptions};
use crate::control::{self, Exit, Starter};
use crate::health::Health;
use crate::screen::show;
use crate::script::Level;

/// A master's thread, from where its runs are started.
#[derive(Clone)]
pub(super) struct Master {
    thread: MasterThread,
    /// How long the run of the command line waits for its workers; `None` for ever.
    max_wait: Option<Duration>,
    /// Whether the next run is that of the command line. Those that people start wait no longer than
    /// for workers of the run before.
    is_patient: Rc<Cell<bool>>,
}

/// How long a run that a person starts waits for workers.
const IMPATIENCE: Duration = Duration::from_secs(4);

/// Listens for workers, if that is asked for. `starts`: a run begins by itself once they are there;
/// `goes_on`: people may start others.
///
/// # Errors
/// How the process ends, if that is not possible; it has been said why.
pub(super) fn master(
    arguments: &ClusterArgs,
    health: &Health,
    starts: bool,
    goes_on: bool,
) -> Result<Option<Master>, Exit> {
    if !arguments.master {
        return Ok(None);
    }
    let (token, made) = arguments.token_of_master().map_err(|error| {
        super::wrong(&error);
        Exit::Usage
    })?;
    if let Some(file) = made {
        let text = format!("made a token for workers: {}", file.display());
        show::log(Level::Info, &text);
    }
    let moves = arguments.moves().map_err(|error| {
        super::wrong(&error);
        Exit::Usage
    })?;
    let state = arguments.state().map_err(|error| {
        super::wrong(&error);
        Exit::Usage
    })?;
    let expect = arguments.expect_workers.unwrap_or(1).max(1);
    let bind = arguments.bind();
    let tls = arguments.tls.of_master().map_err(|error| {
        super::wrong(&error);
        Exit::Usage
    })?;
    let options = MasterOptions {
        bind,
        token,
        expect,
        goes_on,
        tls,
        health: health.clone(),
        moves,
        state,
        says: log_of_its_own()?,
    };
    let thread = MasterThread::listen(options).map_err(|error| {
        let hint = "is another master running? `--master-bind-port PORT` takes another port";
        show::error(
            &format!("cannot wait for workers on {bind}: {error}"),
            Some(hint),
        );
        Exit::Incomplete
    })?;
    let address = thread.address();
    show::log(Level::Info, &format!("waiting for workers on {address}"));
    Ok(Some(Master {
        thread,
        max_wait: arguments
            .expect_workers_max_wait
            .filter(|wait| !wait.is_zero()),
        is_patient: Rc::new(Cell::new(starts)),
    }))
}

/// The way to the log for a thread that must not wait for a terminal.
fn log_of_its_own() -> Result<SyncSender<(Level, String)>, Exit> {
    let (says, said) = sync_channel::<(Level, String)>(256);
    let thread = std::thread::Builder::new().name("cluster log".to_owned());
    let spawned = thread.spawn(move || {
        for (level, text) in said {
            show::log(level, &text);
        }
    });
    match spawned {
        Ok(_) => Ok(says),
        Err(error) => {
            show::error(&format!("cannot start a thread: {error}"), None);
            Err(Exit::Incomplete)
        }
    }
}

impl Master {
    /// Starts runs on workers.
    pub(super) fn starter(&self) -> Starter {
        let master = self.clone();
        Box::new(move |setup| {
            let master = master.clone();
            Box::pin(async move {
                let patience = match master.is_patient.replace(false) {
                    true => master.max_wait,
                    false => Some(IMPATIENCE),
                };
                master.thread.start(setup, patience).await
            })
        })
    }

    /// Waits until a run of an earlier master is found, if there is one.
    pub(super) async fn finds_a_run(&self) {
        self.thread.finds_a_run().await;
    }

    /// Waits for the last numbers, and lets the workers go; with `is_hurried`, or from the next
    /// Ctrl-C on, only for what is missing to be named.
    pub(super) async fn dismiss(&self, is_hurried: bool) {
        let over = self.thread.over();
        let hurried = async {
            if !is_hurried && let Ok(mut interrupts) = listen() {
                interrupts.next().await;
            }
            self.thread.hurry().await;
            std::future::pending().await
        };
        let lost = tokio::select! {
            lost = over => lost,
            never = hurried => never,
        };
        for Loss { worker, requests } in lost {
            let text = format!(
                "{worker} was lost: up to {requests} requests that it made are in no figure"
            );
            show::log(Level::Error, &text);
        }
    }
}

/// Makes load for a master until the run is over.
pub(super) fn work(arguments: &arguments::Run) -> Exit {
    let health = match health::start(&arguments.health) {
        Ok(health) => health,
        Err(exit) => return exit,
    };
    if arguments.typed.first(&["--script"]).is_some() {
        let text = "`-f` changes nothing: a worker gets its script from its master";
        show::log(Level::Info, text);
    }
    let host = arguments.cluster.master_host();
    let tls = match arguments.cluster.tls.of_worker(host) {
        Ok(tls) => tls,
        Err(error) => {
            super::wrong(&error);
            return Exit::Usage;
        }
    };
    control::raise_open_files();
    on_control_thread(async move {
        let mut interrupts = match listen() {
            Ok(interrupts) => interrupts,
            Err(exit) => return exit,
        };
        let token = tokio::select! {
            token = arguments.cluster.token_of_worker(say_waiting) => token,
            () = interrupts.next() => return Exit::Ok,
        };
        let token = match token {
            Ok(token) => token,
            Err(error) => {
                super::wrong(&error);
                return Exit::Usage;
            }
        };
        let options = WorkerOptions {
            master: arguments.cluster.master_address(),
            tls,
            token,
            threads: arguments.threads.unwrap_or_else(control::cores),
            name: host_name(),
            alone: arguments.cluster.master_timeout.unwrap_or(cluster::ALONE),
            health,
        };
        let (leave, leaves) = mpsc::channel(1);
        let interrupting = spawn_local(async move {
            interrupts.next().await;
            let _ = leave.send(()).await;
            // A second one does not wait for anybody.
            interrupts.next().await;
        });
        let threads = match options.threads {
            1 => "one load thread".to_owned(),
            count => format!("{count} load threads"),
        };
        let text = format!(
            "a worker with {} for the master at {}",
            threads, options.master
        );
        show::log(Level::Info, &text);
        tokio::select! {
            worked = cluster::work(options, leaves, tell) => match worked {
                Ok(()) => Exit::Ok,
                Err(why) => {
                    show::error(&why, None);
                    Exit::Incomplete
                }
            },
            _ = interrupting => Exit::Killed,
        }
    })
}

fn say_waiting(file: &Path) {
    let file = file.display();
    let text =
        format!("waiting for `{file}`, the token that the master makes, for {TOKEN_COMES:?}");
    show::log(Level::Info, &text);
}

fn tell(told: LogLine) {
    match told {
        LogLine::Says(text) => show::log(Level::Info, &text),
        LogLine::Printed(line) => show::script_line(&line),
    }
}

/// What people call this machine.
fn host_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    name.chars().take(100).collect()
}
