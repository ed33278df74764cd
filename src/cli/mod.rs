//! The command line: arguments to resolved options of each module, wiring, errors, exit codes.
//!
//! Nothing else knows clap, the environment or the process's exit. Errors are printed here, once,
//! to stderr; stdout carries results only.

mod arguments;
mod check;
mod cluster;
mod cluster_arguments;
mod cluster_tls_arguments;
mod debug;
mod dev;
mod follow;
mod health;
mod misplaced;
mod outputs;
mod panics;
mod ratio;
mod reference;
mod result;
mod run;
mod serve;
mod session;
mod signals;
mod starter;
mod token;
mod typed;
mod web_arguments;

use std::path::Path;
use std::process::ExitCode;

use arguments::{Arguments, Command};

use crate::control::{
    self, CheckInput, CheckedScript, Control, Exit, Happening, SaveOutcome, WishError,
};
use crate::screen::show;

/// Stack of the control thread: scripts are parsed and evaluated on it, and shapes keep their
/// values there. Untouched pages only cost addresses.
const CONTROL_STACK: usize = 64 << 20;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    signals::hold();
    let arguments = match Arguments::typed() {
        Ok(arguments) => arguments,
        Err(error) => return result::usage(&error).into(),
    };
    panics::install_hook();
    let control = std::thread::Builder::new()
        .name("control".to_owned())
        .stack_size(CONTROL_STACK)
        .spawn(move || command(arguments));
    let exit = match control.map(std::thread::JoinHandle::join) {
        Ok(Ok(exit)) => exit,
        // The panic has printed its message.
        Ok(Err(_)) => Exit::Incomplete,
        Err(error) => {
            show::error(&format!("cannot start a thread: {error}"), None);
            Exit::Incomplete
        }
    };
    panics::ended(exit).into()
}

fn command(arguments: Arguments) -> Exit {
    match &arguments.command {
        None | Some(Command::Dev(_)) => {}
        Some(Command::Debug(_) | Command::Demo(_) | Command::Target(_)) => {
            signals::hang_up_as_usual();
        }
        Some(_) => signals::as_usual(),
    }
    match arguments.command {
        None => run::run(&arguments.run),
        Some(Command::Check(check)) => check::check(&check),
        Some(Command::Debug(debug)) => debug::debug(&debug),
        Some(Command::Dev(dev)) => dev::dev(&dev),
        Some(Command::New(new)) => starter::write(&new.script),
        Some(Command::Demo(demo)) => run::demo(&demo),
        Some(Command::Target(target)) => serve::serve(&target),
        Some(Command::Health(ask)) => health::ask(&ask),
        Some(Command::Docs(docs)) => reference::docs(docs.word.as_deref()),
        Some(Command::Definitions(definitions)) => reference::definitions(&definitions.folder),
        Some(Command::Completions(completions)) => reference::completions(completions.shell),
    }
}

/// Reads and checks a script; its secrets are hidden in everything shown from then on.
///
/// # Errors
/// When the file itself cannot be read.
fn read(script: &Path, given: &CheckInput) -> Result<CheckedScript, String> {
    let checked = control::read(script, given)?;
    hide_secrets(&checked);
    Ok(checked)
}

/// Waits for what happens next; a saved script's secrets are hidden before anything of it is shown.
async fn next(control: &mut Control) -> Happening {
    let happening = control.next().await;
    if let Happening::Saved(SaveOutcome::Edited { checked, .. } | SaveOutcome::Broken(checked)) =
        &happening
    {
        hide_secrets(checked);
    }
    happening
}

fn hide_secrets(checked: &CheckedScript) {
    show::hide(checked.hidden.clone());
}

/// Reports what is wrong with what was asked for.
fn wrong(error: &WishError) {
    show::error(&error.message, error.hint.as_deref());
}
