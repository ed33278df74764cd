//! Runs from the command line: what is asked, with which script, and whether a browser may join.
//!
//! Owns what is refused before anything starts; `session` stays with the runs.

use super::web_arguments::WebArgs;
use super::{arguments, cluster, misplaced, ratio, session, signals};
use crate::control::{self, CheckInput, CheckedScript, Exit, Interrupts, ScriptSource};
use crate::screen::show;
use crate::script::{Bundle, Level};
use crate::target::{self, Target};
use crate::web;

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
    if let Err(error) = arguments.cluster.check(&arguments.typed) {
        super::wrong(&error);
        return Exit::Usage;
    }
    for remark in arguments.cluster.remarks() {
        show::log(Level::Info, remark);
    }
    if arguments.cluster.worker {
        return cluster::work(arguments);
    }
    if arguments.headless && arguments.typed.has_any_of::<WebArgs>() {
        show::error(
            "`--headless` serves no web UI, and an option about it is given",
            Some("to start at once, be watched, and end: `--autostart --autoquit 0`"),
        );
        return Exit::Usage;
    }
    let ui = (!arguments.headless).then(|| arguments.web.options());
    let ui = match ui.transpose() {
        Ok(ui) => ui,
        Err(error) => {
            super::wrong(&error);
            return Exit::Usage;
        }
    };
    let given = CheckInput {
        user_memory: arguments.user_memory,
        ..CheckInput::new(&arguments.params, arguments.seed)
    };
    match super::read(&arguments.script, &given) {
        Ok(checked) => {
            let source = ScriptSource::File(arguments.script.clone());
            run_checked(arguments, checked, source, ui)
        }
        Err(message) => {
            let hint = "name a script with `-f FILE`, or write one with `katydid new FILE`";
            show::error(&message, Some(hint));
            Exit::Usage
        }
    }
}

/// How long the demo's page stays after its run, so that a browser has the last figures.
const DEMO_STAYS: &str = "0";

/// Runs the coupon shop against the embedded target; with `--ui` until Ctrl-C.
pub(super) fn demo(demo: &arguments::Demo) -> Exit {
    let ui = match demo.web.options() {
        Ok(options) => options,
        Err(error) => {
            super::wrong(&error);
            return Exit::Usage;
        }
    };
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
    let mut line = vec![
        "katydid",
        "--autostart",
        "-u",
        "50",
        "-r",
        "10",
        "-H",
        &host,
    ];
    if !demo.ui {
        line.extend(["-t", "20s", "--autoquit", DEMO_STAYS]);
    }
    let arguments = <arguments::Arguments as clap::Parser>::parse_from(line).run;
    let script = include_str!("../../scripts/coupon.rhai");
    let bundle = Bundle::from_text("scripts/coupon.rhai", script);
    let checked = control::evaluate(bundle.clone(), &CheckInput::default());
    let ui = web::Options {
        is_demo: true,
        may_move: demo.web.web_port.is_none(),
        ..ui
    };
    let exit = run_checked(&arguments, checked, ScriptSource::Text(bundle), Some(ui));
    target.stop();
    exit
}

/// `ui` is how the web UI is served, if it is.
fn run_checked(
    arguments: &arguments::Run,
    checked: CheckedScript,
    source: ScriptSource,
    ui: Option<web::Options>,
) -> Exit {
    if !checked.findings.is_empty() {
        show::findings(&checked.shown, &checked.findings);
    }
    for line in &checked.printed {
        show::script_line(line);
    }
    let can_wait = ui.is_some() && !arguments.selection.only_shows() && !arguments.web.autostart;
    let Some(declared) = &checked.scenario else {
        // In the browser it can be watched being mended.
        return match can_wait {
            true => on_control_thread(session::attend(arguments, checked, source, ui)),
            false => Exit::Usage,
        };
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
    on_control_thread(session::attend(arguments, checked, source, ui))
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
