//! Master and workers from the command line.
//!
//! Owns the wiring, and what a worker shows; `cluster` does the work.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::arguments;
use super::cluster_arguments::ClusterArgs;
use super::run::{listen, on_control_thread};
use crate::cluster::{self, LogLine, MasterOptions, MasterThread, WorkerOptions};
use crate::control::{self, Exit, Starter};
use crate::runner::Unable;
use crate::screen::show;
use crate::script::Level;

/// A master's thread, from where its runs are started.
#[derive(Clone)]
pub(super) struct Master {
    thread: MasterThread,
    max_wait: Option<Duration>,
    expect: u32,
}

/// Listens for workers, if that is asked for.
///
/// # Errors
/// How the process ends, if that is not possible; it has been said why.
pub(super) fn master(arguments: &ClusterArgs) -> Result<Option<Master>, Exit> {
    if !arguments.master {
        return Ok(None);
    }
    let token = arguments.token().map_err(|error| {
        super::wrong(&error);
        Exit::Usage
    })?;
    let expect = arguments.expect_workers.unwrap_or(1).max(1);
    let bind = arguments.bind();
    let options = MasterOptions {
        bind,
        token,
        expect,
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
        expect,
    }))
}

impl Master {
    /// Starts runs on workers.
    pub(super) fn starter(&self) -> Starter {
        let master = self.clone();
        Box::new(move |setup| {
            let master = master.clone();
            Box::pin(async move {
                let started = master.thread.start(setup);
                let Some(max_wait) = master.max_wait else {
                    return started.await;
                };
                let late = || {
                    let expect = master.expect;
                    Unable::System(format!("{expect} workers have not come in {max_wait:?}"))
                };
                timeout(max_wait, started).await.map_err(|_| late())?
            })
        })
    }

    /// Waits for the last numbers, and lets the workers go.
    pub(super) async fn dismiss(&self) {
        for (worker, samples) in self.thread.over().await {
            let text = format!(
                "worker {worker} was lost: up to {samples} requests that it made are in no figure"
            );
            show::log(Level::Error, &text);
        }
    }
}

/// Makes load for a master until the run is over.
pub(super) fn work(arguments: &arguments::Run) -> Exit {
    let token = match arguments.cluster.token() {
        Ok(token) => token,
        Err(error) => {
            super::wrong(&error);
            return Exit::Usage;
        }
    };
    control::raise_open_files();
    let options = WorkerOptions {
        master: arguments.cluster.master_address(),
        token,
        threads: arguments.threads.unwrap_or_else(control::cores),
        name: host_name(),
    };
    on_control_thread(async move {
        let mut interrupts = match listen() {
            Ok(interrupts) => interrupts,
            Err(exit) => return exit,
        };
        let (leave, leaves) = mpsc::channel(1);
        let interrupting = spawn_local(async move {
            interrupts.next().await;
            let _ = leave.send(()).await;
            // A second one does not wait for anybody.
            interrupts.next().await;
        });
        let text = format!(
            "a worker with {} load threads for the master at {}",
            options.threads, options.master
        );
        show::log(Level::Info, &text);
        tokio::select! {
            worked = cluster::work(options, leaves, tell) => match worked {
                Ok(()) => {
                    show::log(Level::Info, "the run is over: all numbers are with the master");
                    Exit::Ok
                }
                Err(why) => {
                    show::error(&why, None);
                    Exit::Incomplete
                }
            },
            _ = interrupting => Exit::Killed,
        }
    })
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
