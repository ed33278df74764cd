//! What the command says to a person: errors, hints, findings in scripts, log lines.
//!
//! Everything here goes to stderr, each thing once.

use std::io::{IsTerminal, Write};

use crate::runner::{End, Notice};
use crate::script::diagnostic::{Colours, Diagnostics};
use crate::script::{Bundle, Level, Line};

/// Columns where there is no terminal to ask.
const NO_TERMINAL: usize = 120;

/// An error, and what to do about it.
pub(super) fn error(message: &str, hint: Option<&str>) {
    let mut stderr = anstream::stderr().lock();
    // There is nowhere to tell that stderr is gone.
    let _ = writeln!(stderr, "\u{1b}[1;31merror:\u{1b}[0m {message}");
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "\u{1b}[1;36mhint:\u{1b}[0m {hint}");
    }
}

/// Findings in a script, with their lines.
pub(super) fn findings(bundle: &Bundle, findings: &Diagnostics) {
    let text_of = |path: &str| {
        Some(
            bundle
                .files()
                .iter()
                .find(|file| file.path == path)?
                .text
                .as_str(),
        )
    };
    let colours = match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => Colours::Plain,
        _ => Colours::Ansi,
    };
    let _ = writeln!(
        anstream::stderr().lock(),
        "{}\n",
        findings.render(text_of, colours)
    );
}

/// A line of the log.
pub(super) fn log(level: Level, text: &str) {
    let level = match level {
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let now = jiff::Zoned::now();
    let _ = writeln!(
        std::io::stderr().lock(),
        "[{}] {level} {text}",
        now.strftime("%H:%M:%S%.3f")
    );
}

/// Why a run stops.
pub(super) fn stopping(why: &End) {
    let text = match why {
        End::RunTime => "the run time is over: stopping users",
        End::Done => "all users have ended",
        // What failed is said at the end.
        End::Stopped | End::Failed(_) => "stopping users",
        End::StopTest(why) if why.is_empty() => "a script stopped the test: stopping users",
        End::StopTest(why) => {
            return log(
                Level::Info,
                &format!("a script stopped the test: {why}: stopping users"),
            );
        }
    };
    log(Level::Info, text);
}

/// What a run has to say.
pub(super) fn notice(notice: &Notice) {
    match notice {
        Notice::Script(line) => script_line(line),
        Notice::Spawned { users } => log(Level::Info, &format!("all users spawned: {users}")),
        Notice::TooManyNames => log(
            Level::Warn,
            "more than 1,000 different names of requests: the others share a row; give requests \
             whose URLs carry ids a common `name: \"/products/[id]\"`",
        ),
    }
}

/// A line that a script printed.
pub(super) fn script_line(line: &Line) {
    if line.dropped > 0 {
        let text = format!(
            "{} lines of scripts were dropped: more than 100 a second",
            line.dropped
        );
        log(Level::Warn, &text);
    }
    let who = if line.who.is_empty() {
        String::new()
    } else {
        format!("{} ", line.who)
    };
    log(line.level, &format!("{who}{}: {}", line.place, line.text));
}

/// The width of the terminal that stderr is.
pub(super) fn width() -> usize {
    let stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return NO_TERMINAL;
    }
    rustix::termios::tcgetwinsize(stderr).map_or(NO_TERMINAL, |size| usize::from(size.ws_col))
}
