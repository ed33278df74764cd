//! A headless run from the command line: check, start, show, stop, exit code.
//!
//! Owns the wiring of runner, outputs and signals; each of them knows its own business.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::check::{Checked, Given};
use super::follow::{Follower, Found};
use super::{Exit, arguments, check, edition, follow, limits, ratio, select, show};
use crate::http::without_credentials;
use crate::output::{Console, Csv, HistoryRows, Json, Output, Run as Described, Tables};
use crate::runner::{self, Edition, End, Handle, Notice, Setup, State};
use crate::script::{Bundle, Level, Shared};
use crate::stats::Summary;
use crate::target::{self, Target};

/// Runs what the command line asks for.
pub(super) fn run(arguments: &arguments::Run) -> Exit {
    let command = <arguments::Arguments as clap::CommandFactory>::command();
    let commands: Vec<_> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    if let Some(wrong) = select::misplaced(&arguments.selection, &commands) {
        show::error(&wrong.message, wrong.hint.as_deref());
        return Exit::Usage;
    }
    if !arguments.headless && !arguments.selection.only_shows() {
        show::error(
            "the web UI is not in this version of Katydid yet",
            Some("start from the command line: add `--headless`"),
        );
        return Exit::Usage;
    }
    let given = Given {
        user_memory: arguments.user_memory,
        ..Given::new(&arguments.params, arguments.seed)
    };
    match check::read(&arguments.script, &given) {
        Ok(checked) => run_checked(arguments, checked, Some(&arguments.script)),
        Err(message) => {
            let hint = "name a script with `-f FILE`, or write one with `katydid new FILE`";
            show::error(&message, Some(hint));
            Exit::Usage
        }
    }
}

/// Runs the coupon shop against the embedded target.
pub(super) fn demo() -> Exit {
    let options = target::Options {
        address: (std::net::Ipv4Addr::LOCALHOST, 0).into(),
        threads: 1,
        ..target::Options::default()
    };
    let target = match Target::start(options) {
        Ok(target) => target,
        Err(error) => {
            show::error(&format!("cannot start the demo's server: {error}"), None);
            return Exit::Incomplete;
        }
    };
    let host = format!("http://{}", target.address());
    show::log(Level::Info, &format!("a coupon shop listens on {host}"));
    let line = [
        "katydid",
        "--headless",
        "-u",
        "50",
        "-r",
        "10",
        "-t",
        "20s",
        "-H",
        &host,
    ];
    let arguments = <arguments::Arguments as clap::Parser>::parse_from(line).run;
    let script = include_str!("../../scripts/coupon.rhai");
    let bundle = Bundle::from_text("scripts/coupon.rhai", script);
    let exit = run_checked(&arguments, check::evaluate(bundle, &Given::default()), None);
    target.stop();
    exit
}

/// `script` is the file to follow, if there is one.
fn run_checked(arguments: &arguments::Run, checked: Checked, script: Option<&Path>) -> Exit {
    if !checked.findings.is_empty() {
        show::findings(&checked.shown, &checked.findings);
    }
    for line in &checked.said {
        show::script_line(line);
    }
    let Some(declared) = &checked.scenario else {
        return Exit::Usage;
    };
    if arguments.selection.list {
        return ratio::show(&arguments.selection, declared, None);
    }
    if arguments.selection.only_shows() {
        let scenario = match select::select(&arguments.selection, declared) {
            Ok(scenario) => scenario,
            Err(wrong) => {
                show::error(&wrong.message, wrong.hint.as_deref());
                return Exit::Usage;
            }
        };
        let users = arguments.users.or(scenario.options.users);
        return ratio::show(&arguments.selection, &scenario, users);
    }
    let Some(edition) = edition::of(arguments, checked) else {
        return Exit::Usage;
    };
    let described = Described {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        script: edition.bundle.files()[0].path.clone(),
        host: edition
            .bases
            .iter()
            .flatten()
            .next()
            .map(|host| without_credentials(host).into_owned())
            .unwrap_or_default(),
        seed: edition.inputs.seed,
        started_at: jiff::Timestamp::now(),
    };
    let setup = Setup {
        environment: Arc::new(edition.inputs.environment.clone()),
        edition: Arc::new(edition),
        onlooker: None,
    };
    let outputs = Outputs::new(arguments);
    on_control_thread(attend(arguments, setup, described, outputs, script))
}

/// Does `work` on a runtime of this thread.
pub(super) fn on_control_thread(work: impl Future<Output = Exit>) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(Box::pin(work));
            // Whatever a thread still does after a second Ctrl-C is not waited for.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            show::error(&format!("cannot start the control thread: {error}"), None);
            Exit::Incomplete
        }
    }
}

/// A run that goes on, and what is heard of it.
pub(super) struct Started {
    pub(super) handle: Handle,
    pub(super) shared: Arc<Shared>,
    pub(super) notices: mpsc::Receiver<Notice>,
    pub(super) interrupts: limits::Interrupts,
}

/// Starts a run; what prevents it has been shown.
pub(super) async fn start(setup: Setup) -> Result<Started, Exit> {
    // Before it: a run that is interrupted early has outputs to finish too.
    let interrupts = limits::Interrupts::listen().map_err(|error| {
        show::error(&format!("cannot listen for Ctrl-C: {error}"), None);
        Exit::Incomplete
    })?;
    let (notices_in, notices) = mpsc::channel(1_024);
    let started = runner::start(Arc::new(setup), notices_in).await;
    let (handle, shared) = started.map_err(|message| {
        show::error(&message, None);
        Exit::Usage
    })?;
    Ok(Started {
        handle,
        shared,
        notices,
        interrupts,
    })
}

/// Writes what `append` still holds; false, and shown why, if a file could not be written.
pub(super) fn finish_appends(shared: &Shared) -> bool {
    let unwritten = shared.finish_appends();
    for message in &unwritten {
        show::error(message, None);
    }
    unwritten.is_empty()
}

/// Starts the run and stays with it until its end.
async fn attend(
    arguments: &arguments::Run,
    setup: Setup,
    described: Described,
    mut outputs: Outputs,
    script: Option<&Path>,
) -> Exit {
    let edition = setup.edition.clone();
    let Started {
        handle,
        shared,
        mut notices,
        mut interrupts,
    } = match start(setup).await {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    outputs.start(&described);
    let follower = script.map(|script| {
        let (path, params) = (script.to_owned(), arguments.params.clone());
        let known = (&edition.bundle, &edition.inputs);
        Follower::new(path, params, known, arguments.following.watching())
    });
    let follower = match follower.transpose() {
        Ok(mut follower) => {
            for (level, note) in follower.iter_mut().flat_map(Follower::notes) {
                show::log(level, &note);
            }
            follower
        }
        Err(error) => {
            show::log(Level::Warn, &format!("the script is not followed: {error}"));
            None
        }
    };
    drop(edition);
    let following = Following {
        arguments,
        follower,
    };
    let (end, killed) = watch(
        &handle,
        &mut notices,
        &mut outputs,
        &mut interrupts,
        following,
    )
    .await;
    while let Ok(notice) = notices.try_recv() {
        show::notice(&notice);
    }
    let summary = handle.summary().borrow().clone();
    let appended = finish_appends(&shared);
    let complete = outputs.finish(&summary) && appended;
    match (&end, shared.exit_code()) {
        _ if killed => Exit::Killed,
        (End::Failed(message), _) => {
            show::error(message, None);
            Exit::Incomplete
        }
        _ if !complete => Exit::Incomplete,
        (_, Some(code)) => Exit::Script(code),
        _ if summary.total.failures > 0 || !summary.exceptions.is_empty() => {
            Exit::Failures(arguments.exit_code_on_error)
        }
        _ => Exit::Ok,
    }
}

/// Shows what happens until the run has ended; true if it was ended by a second Ctrl-C.
async fn watch(
    handle: &Handle,
    notices: &mut mpsc::Receiver<Notice>,
    outputs: &mut Outputs,
    interrupts: &mut limits::Interrupts,
    mut following: Following<'_>,
) -> (End, bool) {
    let mut state = handle.state();
    let mut summary = handle.summary();
    summary.mark_unchanged();
    let mut interrupted = 0;
    let mut is_stopping = false;
    loop {
        tokio::select! {
            changed = state.changed() => {
                let now = state.borrow_and_update().clone();
                match now {
                    State::Ended(end) => {
                        // A run may end before it was seen to stop.
                        if !is_stopping {
                            show::stopping(&end);
                        }
                        return (end, interrupted > 1);
                    }
                    State::Stopping(why) => {
                        is_stopping = true;
                        show::stopping(&why);
                    }
                    State::Spawning | State::Running => {}
                }
                if changed.is_err() {
                    return (End::Failed("the run ended without a result".to_owned()), false);
                }
            }
            Ok(()) = summary.changed() => {
                let now = summary.borrow_and_update().clone();
                outputs.tick(&now);
            }
            Some(notice) = notices.recv() => {
                if let Notice::NotReloaded(_) = notice {
                    following.was_lost();
                }
                show::notice(&notice);
            }
            edition = following.next(), if !is_stopping => handle.reload(edition),
            () = interrupts.next() => {
                interrupted += 1;
                if interrupted == 1 {
                    show::log(Level::Info, "interrupted: stopping (again to end at once)");
                    handle.stop();
                } else {
                    handle.kill();
                }
            }
        }
    }
}

/// The script of a run and what the command line makes of it.
struct Following<'a> {
    arguments: &'a arguments::Run,
    follower: Option<Follower>,
}

impl Following<'_> {
    /// The next edition to go on with. Cancelling loses nothing.
    async fn next(&mut self) -> Arc<Edition> {
        let Some(follower) = &mut self.follower else {
            return std::future::pending().await;
        };
        loop {
            let found = follower.next().await;
            follow::show(&found);
            let Found::Edited { checked, .. } = found else {
                continue;
            };
            match edition::of(self.arguments, *checked) {
                Some(edition) => {
                    for remark in follower.took(&edition) {
                        show::log(Level::Warn, &remark);
                    }
                    return Arc::new(edition);
                }
                None => {
                    follower.refuse();
                    show::log(Level::Error, "the script that runs goes on");
                }
            }
        }
    }

    /// An edition that was handed over did not go into service.
    fn was_lost(&mut self) {
        if let Some(follower) = &mut self.follower {
            follower.lost();
        }
    }
}

/// Everything that shows results.
struct Outputs {
    all: Vec<Box<dyn Output>>,
}

impl Outputs {
    fn new(arguments: &arguments::Run) -> Outputs {
        let tables = if arguments.only_summary {
            Tables::Final
        } else {
            Tables::Periodic
        };
        let console = Console::new(std::io::stderr(), show::width(), tables);
        let mut all: Vec<Box<dyn Output>> = vec![Box::new(console)];
        if let Some(prefix) = &arguments.csv {
            let rows = if arguments.csv_full_history {
                HistoryRows::All
            } else {
                HistoryRows::Total
            };
            all.push(Box::new(Csv::new(prefix, rows)));
        }
        if arguments.json {
            all.push(Box::new(Json::new(std::io::stdout())));
        }
        Outputs { all }
    }

    fn start(&mut self, run: &Described) {
        self.each(|output| output.start(run));
    }

    fn tick(&mut self, summary: &Summary) {
        self.each(|output| output.tick(summary));
    }

    /// False if an output stayed incomplete.
    fn finish(&mut self, summary: &Summary) -> bool {
        self.each(|output| output.finish(summary))
    }

    fn each(
        &mut self,
        mut work: impl FnMut(&mut dyn Output) -> Result<(), crate::output::OutputError>,
    ) -> bool {
        let mut complete = true;
        for output in &mut self.all {
            if let Err(error) = work(output.as_mut()) {
                complete = false;
                show::error(&error.to_string(), None);
            }
        }
        complete
    }
}
