//! A headless run from the command line: check, start, show, stop, exit code.
//!
//! Owns only the wiring of runner, outputs and signals.

use std::path::Path;
use std::sync::Arc;

use super::{arguments, follow, misplaced, ratio, signals};
use crate::control::{
    self, CheckInput, CheckedScript, Control, Exit, Happening, Interrupts, Prepared, SaveOutcome,
    Wish,
};
use crate::http::without_credentials;
use crate::output::{Console, Csv, HistoryRows, Json, Output, RunInfo, Tables};
use crate::runner::{Edition, End, Setup};
use crate::screen::show;
use crate::script::{Bundle, Level};
use crate::stats::Summary;
use crate::target::{self, Target};

/// Runs what the command line asks for.
pub(super) fn run(arguments: &arguments::Run) -> Exit {
    let command = <arguments::Arguments as clap::CommandFactory>::command();
    let commands: Vec<_> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    if let Some(wrong) = misplaced::misplaced(&arguments.selection.classes, &commands) {
        super::wrong(&wrong);
        return Exit::Usage;
    }
    if !arguments.headless && !arguments.selection.only_shows() {
        show::error(
            "the web UI is not in this version of Katydid yet",
            Some("start from the command line: add `--headless`"),
        );
        return Exit::Usage;
    }
    let given = CheckInput {
        user_memory: arguments.user_memory,
        ..CheckInput::new(&arguments.params, arguments.seed)
    };
    match super::read(&arguments.script, &given) {
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
    let exit = run_checked(
        &arguments,
        control::evaluate(bundle, &CheckInput::default()),
        None,
    );
    target.stop();
    exit
}

/// `script` is the file to follow, if there is one.
fn run_checked(arguments: &arguments::Run, checked: CheckedScript, script: Option<&Path>) -> Exit {
    if !checked.findings.is_empty() {
        show::findings(&checked.shown, &checked.findings);
    }
    for line in &checked.printed {
        show::script_line(line);
    }
    let Some(declared) = &checked.scenario else {
        return Exit::Usage;
    };
    if arguments.selection.list {
        return ratio::show(&arguments.selection, declared, None);
    }
    if arguments.selection.only_shows() {
        let scenario = match control::select(&arguments.wish().selection, declared) {
            Ok(scenario) => scenario,
            Err(error) => {
                super::wrong(&error);
                return Exit::Usage;
            }
        };
        let users = arguments.users.or(scenario.options.users);
        return ratio::show(&arguments.selection, &scenario, users);
    }
    let wish = arguments.wish();
    let Some(edition) = edition(&wish, checked) else {
        return Exit::Usage;
    };
    let described = RunInfo {
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
    };
    let setup = Setup {
        threads: wish.threads.unwrap_or_else(control::cores),
        environment: Arc::new(edition.inputs.environment.clone()),
        edition: Arc::new(edition),
        observer: None,
    };
    let outputs = Outputs::new(arguments);
    on_control_thread(attend(arguments, setup, described, outputs, script))
}

/// The edition of a checked script; `None` if it cannot be run, which has then been reported.
fn edition(wish: &Wish, checked: CheckedScript) -> Option<Edition> {
    match control::prepare(wish, checked) {
        Ok(prepared) => {
            let Prepared { edition, remarks } = prepared?;
            for remark in &remarks {
                show::log(Level::Warn, remark);
            }
            Some(edition)
        }
        Err(error) => {
            super::wrong(&error);
            None
        }
    }
}

/// Does `work` on a runtime of this thread.
pub(super) fn on_control_thread(work: impl Future<Output = Exit>) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(Box::pin(work));
            // After a second Ctrl-C, threads that are still busy are not waited for.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            show::error(&format!("cannot start the control thread: {error}"), None);
            Exit::Incomplete
        }
    }
}

/// Listens for Ctrl-C and the like; a failure has already been reported.
pub(super) fn listen() -> Result<Interrupts, Exit> {
    Interrupts::listen(signals::take).map_err(|error| {
        show::error(&format!("cannot listen for signals: {error}"), None);
        Exit::Incomplete
    })
}

/// Starts the run and stays with it until its end.
async fn attend(
    arguments: &arguments::Run,
    setup: Setup,
    described: RunInfo,
    mut outputs: Outputs,
    script: Option<&Path>,
) -> Exit {
    // Before the run starts: if interrupted early, it still has outputs to finish.
    let mut control = match listen() {
        Ok(interrupts) => Control::new(interrupts),
        Err(exit) => return exit,
    };
    let edition = setup.edition.clone();
    if let Err(why) = control.start(setup).await {
        show::error(&why.to_string(), None);
        return Exit::Usage;
    }
    outputs.start(&described);
    if let Some(script) = script {
        follow(&mut control, arguments, script, &edition);
    }
    drop(edition);
    loop {
        match super::next(&mut control).await {
            Happening::Summary(summary) => outputs.tick(&summary),
            Happening::Notice(notice) => show::notice(&notice),
            Happening::Lost(count) => show::lost(count),
            Happening::Saved(outcome) => saved(&mut control, arguments, outcome).await,
            Happening::Interrupted { is_first: true } => show::interrupted(),
            Happening::Entered(_) | Happening::Interrupted { is_first: false } => {}
            Happening::Stopping(why) => show::stopping(&why),
            Happening::Finished(run) => {
                show::unwritten(&run.unwritten);
                let is_complete = outputs.finish(&run.summary);
                if let End::Failed(message) = &run.why {
                    show::error(message, None);
                }
                return run.exit(is_complete, arguments.exit_code_on_error);
            }
        }
    }
}

/// Follows the script, or logs why it can't be followed.
fn follow(control: &mut Control, arguments: &arguments::Run, script: &Path, edition: &Edition) {
    let known = (&edition.bundle, &edition.inputs);
    let watching = arguments.following.watching();
    let params = arguments.params.clone();
    match control.follow(script.to_owned(), params, known, watching, None) {
        Ok(notes) => {
            for (level, note) in notes {
                show::log(level, &note);
            }
        }
        Err(error) => show::log(Level::Warn, &format!("the script is not followed: {error}")),
    }
}

/// Continues with a save, if it can be run.
async fn saved(control: &mut Control, arguments: &arguments::Run, outcome: SaveOutcome) {
    follow::report(&outcome);
    let SaveOutcome::Edited { checked, .. } = outcome else {
        return;
    };
    match edition(&arguments.wish(), *checked) {
        Some(edition) => {
            for remark in control.reload(edition).await {
                show::log(Level::Warn, &remark);
            }
        }
        None => {
            control.refuse();
            show::log(Level::Error, "the script that runs goes on");
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

    fn start(&mut self, run: &RunInfo) {
        self.each(|output| output.start(run));
    }

    fn tick(&mut self, summary: &Summary) {
        self.each(|output| output.tick(summary));
    }

    /// False if an output is incomplete.
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
