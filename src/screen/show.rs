//! What commands print for a person: errors, hints, findings in scripts, log lines.
//!
//! Everything here goes to stderr, each thing once.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{IsTerminal, Write};
use std::sync::{PoisonError, RwLock};

use super::journal;
use crate::http::without_credentials;
use crate::load::Change;
use crate::output::visible;
use crate::runner::{End, Notice};
use crate::script::diagnostic::{Colours, Diagnostics};
use crate::script::{File, Level, Line, shortened};

/// Columns where there is no terminal.
const NO_TERMINAL: usize = 120;

/// The secrets of all scripts read so far.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Keeps these out of everything shown from now on.
pub(crate) fn hide(secrets: Vec<String>) {
    let mut known = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    for secret in secrets {
        if !known.contains(&secret) {
            known.push(secret);
        }
    }
    // The longest first: one may be part of another.
    known.sort_by_key(|secret| Reverse(secret.len()));
}

/// A text made safe to show, wherever it comes from: without control characters, secrets and
/// passwords in URLs.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let mut text = without_credentials(text);
    for secret in &*SECRETS.read().unwrap_or_else(PoisonError::into_inner) {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), "***"));
        }
    }
    match text {
        Cow::Borrowed(text) => visible(text),
        Cow::Owned(text) => Cow::Owned(visible(&text).into_owned()),
    }
}

/// An error, and what to do about it.
pub(crate) fn error(message: &str, hint: Option<&str>) {
    let message = shortened(clean(message).into_owned());
    let hint = hint.map(clean);
    journal::add(Level::Error, &message);
    let mut stderr = anstream::stderr().lock();
    // If stderr is gone, there is nowhere to report that.
    let _ = writeln!(stderr, "\u{1b}[1;31merror:\u{1b}[0m {message}");
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "\u{1b}[1;36mhint:\u{1b}[0m {hint}");
    }
}

/// The answer to the first Ctrl-C.
pub(crate) const INTERRUPTED: &str = "interrupted: stopping (again to end at once)";

/// Acknowledges the first Ctrl-C.
pub(crate) fn interrupted() {
    log(Level::Info, INTERRUPTED);
}

/// Reports that notices were lost.
pub(crate) fn lost(count: u64) {
    log(Level::Warn, &dropped(count));
}

/// What to tell a person about lost notices.
pub(crate) fn dropped(count: u64) -> String {
    format!("{count} messages were dropped: more than could be shown")
}

/// Reports which files of `append` could not be written.
pub(crate) fn unwritten(messages: &[String]) {
    for message in messages {
        error(message, None);
    }
}

/// Findings in a script, with their lines. Their renderer has replaced control characters.
pub(crate) fn findings(files: &[File], findings: &Diagnostics) {
    let text_of = |path: &str| {
        let file = files.iter().find(|file| file.path == path)?;
        Some(file.text.as_str())
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
pub(crate) fn log(level: Level, text: &str) {
    let text = shortened(clean(text).into_owned());
    journal::add(level, &text);
    print(level, &text);
}

fn print(level: Level, text: &str) {
    let level = match level {
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let now = jiff::Zoned::now();
    let now = now.strftime("%H:%M:%S%.3f");
    let _ = writeln!(std::io::stderr().lock(), "[{now}] {level} {text}");
}

/// Where the web UI is. The line is not kept for the web UI's own log: it may have a token in it.
pub(crate) fn link(link: &str) {
    print(Level::Info, &format!("web UI: {link}"));
}

/// Why a run stops.
pub(crate) fn stopping(why: &End) {
    let text = match why {
        End::RunTime => "the run time is over: stopping users",
        End::Shape => "the shape is over: stopping users",
        End::Done => "all users have ended",
        // The failure is reported at the end.
        End::Stopped | End::Failed(_) => "stopping users",
        End::StopTest(why) => {
            return log(Level::Info, &format!("{}: stopping users", stopped(why)));
        }
    };
    log(Level::Info, text);
}

/// Says that a script called `stop_test`, and why.
pub(crate) fn stopped(why: &str) -> String {
    match why {
        "" => "a script stopped the test".to_owned(),
        why => format!("a script stopped the test: {why}"),
    }
}

/// Shows a notice of a run in the log.
pub(crate) fn notice(notice: &Notice) {
    each(&words(notice));
}

fn each(lines: &[(Level, String)]) {
    for (level, text) in lines {
        log(*level, text);
    }
}

/// A notice as log lines.
pub(crate) fn words(notice: &Notice) -> Vec<(Level, String)> {
    let one = |level, text: String| vec![(level, text)];
    match notice {
        Notice::Script(line) => script_words(line),
        Notice::Ramping(change) => one(Level::Info, ramping(*change)),
        Notice::Arrived(change) if change.to < change.from => {
            one(Level::Info, format!("down to {}", users(change.to)))
        }
        Notice::Arrived(change) => one(Level::Info, format!("all users spawned: {}", change.to)),
        Notice::Paused => one(
            Level::Info,
            "paused: users finish their iteration and wait".to_owned(),
        ),
        Notice::Resumed => one(Level::Info, "the run goes on".to_owned()),
        Notice::NothingMeasured { iterations } => one(
            Level::Warn,
            format!(
                "the first {iterations} iterations made no request that counts: tasks make them \
                 by `this.client.get(\"/\")`, or measure other protocols by `record(#{{…}})`"
            ),
        ),
        Notice::SettingUp { seconds: 0 } => one(Level::Info, "setting up".to_owned()),
        Notice::SettingUp { seconds } => {
            one(Level::Info, format!("still setting up, for {seconds} s"))
        }
        Notice::Late { what, limit } => {
            let limit = limit.as_secs_f64();
            let text = format!("`{what}` was ended: it took longer than {limit} s");
            one(Level::Error, text)
        }
        Notice::Reloaded {
            generation,
            hash,
            remarks,
        } => {
            let text = format!("the edited script is in service: generation {generation} ({hash})");
            let remarks = remarks.iter().map(|remark| (Level::Warn, remark.clone()));
            one(Level::Info, text).into_iter().chain(remarks).collect()
        }
        Notice::NotReloaded(why) => {
            one(Level::Error, format!("{why}: the script that runs goes on"))
        }
        Notice::ReloadWaits { users } => {
            let text = format!(
                "the edited script waits: {} still in an iteration of the one before the present",
                self::users(*users)
            );
            one(Level::Info, text)
        }
        Notice::TooManyNames => one(
            Level::Warn,
            "more than 1,000 different names of requests: the others share a row; give requests \
             whose URLs carry ids a common `name: \"/products/[id]\"`"
                .to_owned(),
        ),
    }
}

fn ramping(change: Change) -> String {
    let down = if change.to < change.from { " down" } else { "" };
    // Two decimals are enough for a computed rate.
    let rate = (change.per_sec * 100.0).round() / 100.0;
    let users = users(change.to);
    match rate {
        0.0 => format!("ramping{down} to {users}"),
        rate => format!("ramping{down} to {users} at {rate} a second"),
    }
}

pub(crate) fn users(count: u32) -> String {
    let users = if count == 1 { "user" } else { "users" };
    format!("{count} {users}")
}

/// Shows a line that a script printed.
pub(crate) fn script_line(line: &Line) {
    each(&script_words(line));
}

/// A script's line as log lines, preceded by what was dropped before it.
pub(crate) fn script_words(line: &Line) -> Vec<(Level, String)> {
    let mut lines = Vec::new();
    if line.dropped > 0 {
        let text = format!(
            "{} lines of scripts were dropped: more than 100 a second",
            line.dropped
        );
        lines.push((Level::Warn, text));
    }
    let known = [&*line.who, &*line.place].map(str::trim);
    let from = known.into_iter().filter(|part| !part.is_empty());
    let from = from.collect::<Vec<_>>().join(" ");
    let said_by = if from.is_empty() { "" } else { ": " };
    lines.push((line.level, format!("{from}{said_by}{}", line.text)));
    lines
}

/// The width of the terminal that stderr is.
pub(crate) fn width() -> usize {
    let stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return NO_TERMINAL;
    }
    rustix::termios::tcgetwinsize(stderr).map_or(NO_TERMINAL, |size| usize::from(size.ws_col))
}
