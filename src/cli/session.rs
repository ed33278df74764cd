//! Staying with runs: everything that happens is shown and passed to outputs, until the process ends.
//!
//! Owns what is printed, and when the process ends: after its one run without a web UI, else when a
//! person says so. The desk owns the runs.

use std::pin::pin;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};

use super::outputs::Outputs;
use super::{arguments, cluster, follow, health, run};
use crate::control::{
    AskError, CheckedScript, Control, Desk, DeskEvent, Exit, FinishedRun, Happening, ScriptSource,
    Started,
};
use crate::output::RunInfo;
use crate::runner::End;
use crate::screen::show;
use crate::script::Level;
use crate::web::{self, Server};

/// A process that runs scripts.
struct Attendance<'a> {
    arguments: &'a arguments::Run,
    desk: Desk,
    /// The web UI, if it is served.
    server: Option<Server>,
    /// Of the current run.
    outputs: Option<Outputs>,
    /// How the last run ended.
    exit: Exit,
    /// When the process ends, if nobody starts another run.
    quits_at: Option<Instant>,
    /// A person has asked twice for the end.
    is_hurried: bool,
}

/// Runs what was asked for, and stays until the process is to end.
pub(super) async fn attend(
    arguments: &arguments::Run,
    checked: CheckedScript,
    source: ScriptSource,
    ui: Option<web::Options>,
) -> Exit {
    // Before anything starts: if interrupted early, a run still has outputs to finish.
    let control = match run::listen() {
        Ok(interrupts) => Control::new(interrupts),
        Err(exit) => return exit,
    };
    let health = match health::start(&arguments.health) {
        Ok(health) => health,
        Err(exit) => return exit,
    };
    let starts = ui.is_none() || arguments.web.autostart;
    let master = cluster::master(&arguments.cluster, &health, starts, ui.is_some());
    let (control, master) = match master {
        Ok(Some(master)) => (control.starting(master.starter()), Some(master)),
        Ok(None) => (control, None),
        Err(exit) => return exit,
    };
    if master.is_none() {
        health.set_ready(true);
    }
    spawn_local(health::moving(health.part("the control thread")));
    let desk = Desk::new(control, source, arguments.wish(), &checked, show::hide);
    let server = match ui
        .map(|options| web::start(options, desk.handle()))
        .transpose()
    {
        Ok(server) => server,
        Err(error) => {
            show::error(&error.to_string(), error.hint());
            return Exit::Usage;
        }
    };
    if let Some(server) = &server {
        // Not by `show::log`: that would hide the token, or keep it for the page's own log.
        show::link(server.link());
    }
    let mut attendance = Attendance {
        arguments,
        desk,
        server,
        outputs: None,
        exit: Exit::Ok,
        quits_at: None,
        is_hurried: false,
    };
    let exit = attendance.go(checked, master.clone()).await;
    attendance.desk.close(exit);
    if let Some(master) = master {
        // Workers learn that the run is over, or they would wait for another master.
        master.dismiss(attendance.is_hurried).await;
    }
    if let Some(server) = attendance.server.take() {
        server.close();
    }
    exit
}

impl Attendance<'_> {
    async fn go(&mut self, checked: CheckedScript, master: Option<cluster::Master>) -> Exit {
        let watching = self.arguments.following.watching();
        let notes = self.desk.follow(&checked, watching);
        let mut waiting = None;
        if self.server.is_none() || self.arguments.web.autostart {
            match self.desk.begin(checked).await {
                Ok(started) => self.started(&started),
                Err(error) => {
                    show_refusal(&error);
                    let waited = self.arguments.cluster.master;
                    return match error {
                        AskError::Unable(_) if waited => Exit::Incomplete,
                        _ => Exit::Usage,
                    };
                }
            }
        } else {
            waiting = Some(checked);
        }
        each(&notes);
        let mut found = pin!(found(master));
        loop {
            let event = tokio::select! {
                event = self.desk.next() => event,
                () = until(self.quits_at) => return self.exit,
                () = &mut found, if waiting.is_some() => {
                    if let Some(checked) = waiting.take().filter(|_| !self.desk.is_running()) {
                        match self.desk.begin(checked).await {
                            Ok(started) => self.started(&started),
                            Err(error) => show_refusal(&error),
                        }
                    }
                    continue;
                }
            };
            match event {
                DeskEvent::Started(started) => {
                    for line in &started.printed {
                        show::script_line(line);
                    }
                    self.started(&started);
                }
                DeskEvent::Told(lines) => each(&lines),
                DeskEvent::Happening(happening) => {
                    if let Some(exit) = self.take(happening).await {
                        return exit;
                    }
                }
            }
        }
    }

    /// Shows that a run has started.
    fn started(&mut self, started: &Started) {
        for remark in &started.remarks {
            show::log(Level::Warn, remark);
        }
        self.quits_at = None;
        let view = self.desk.view();
        let mut outputs = Outputs::new(self.arguments, &view.wish, started.number);
        outputs.start(&RunInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            script: started.run.script.clone(),
            host: started.run.host.clone(),
            seed: started.run.seed,
        });
        self.outputs = Some(outputs);
    }

    /// Shows what happened; returns the exit code if the process ends with it.
    async fn take(&mut self, happening: Happening) -> Option<Exit> {
        match happening {
            Happening::Summary(summary) => {
                if let Some(outputs) = &mut self.outputs {
                    outputs.tick(&summary);
                }
            }
            Happening::Notice(notice) => show::notice(&notice),
            Happening::Lost(count) => show::lost(count),
            Happening::Saved(outcome) => {
                follow::report(&outcome, self.desk.is_running());
                each(&self.desk.saved(outcome).await);
            }
            Happening::Interrupted { .. } if !self.desk.is_running() => return Some(self.exit),
            Happening::Interrupted { is_first: true } => show::interrupted(),
            Happening::Interrupted { is_first: false } => self.is_hurried = true,
            Happening::Entered(_) => {}
            Happening::Stopping(why) => show::stopping(&why),
            Happening::Finished(run) => return self.finished(&run),
        }
        None
    }

    fn finished(&mut self, run: &FinishedRun) -> Option<Exit> {
        show::unwritten(&run.unwritten);
        let view = self.desk.view();
        let mut outputs = self.outputs.take();
        let is_complete = match &mut outputs {
            Some(outputs) => outputs.finish(&run.summary, &view),
            None => true,
        };
        if let End::Failed(message) = &run.why {
            show::error(message, None);
        }
        self.exit = run.exit(is_complete, self.arguments.exit_code_on_error);
        if self.server.is_none() || self.desk.is_interrupted() {
            return Some(self.exit);
        }
        let autoquit: Option<Duration> = self.arguments.web.autoquit;
        self.quits_at = autoquit.and_then(|after| Instant::now().checked_add(after));
        None
    }
}

fn each(lines: &[(Level, String)]) {
    for (level, text) in lines {
        show::log(*level, text);
    }
}

/// A master that was started again has a run that goes on, without anybody who starts it.
async fn found(master: Option<cluster::Master>) {
    match master {
        Some(master) => master.finds_a_run().await,
        None => std::future::pending().await,
    }
}

/// Pends forever without a moment.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Why the run of the command line could not start.
fn show_refusal(error: &AskError) {
    match error {
        AskError::Wish(error) => super::wrong(error),
        AskError::Unable(why) => show::error(why, None),
        AskError::Run(refusal) => show::error(&refusal.to_string(), None),
        AskError::Shaped => {
            show::error("the script's shape decides how many users there are", None)
        }
        // The findings have been shown.
        AskError::Script(_) => {}
        AskError::Stage(_) | AskError::OtherRun(_) | AskError::Ending => {
            show::error("a run is under way already", None);
        }
    }
}
