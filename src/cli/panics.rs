//! What is reported of panics, which are always bugs of Katydid: the first few, in words for a
//! person.
//!
//! A panic in a script's call becomes an error of that script (`script`), one elsewhere ends the
//! run. Either way, a process in which something panicked does not exit with success.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Exit;
use crate::screen::show;

/// How many panics are reported; there may be one per request.
const MOST_REPORTED: u32 = 3;

/// How many panics there have been.
static PANICS: AtomicU32 = AtomicU32::new(0);

/// Reports the first few panics from now on.
pub(super) fn install_hook() {
    std::panic::set_hook(Box::new(announce));
}

/// The final exit code of a process that was to exit with `exit`.
pub(super) fn ended(exit: Exit) -> Exit {
    match exit {
        Exit::Ok | Exit::Failures(_) | Exit::Script(_) if PANICS.load(Ordering::Relaxed) > 0 => {
            Exit::Incomplete
        }
        other => other,
    }
}

fn announce(panic: &PanicHookInfo<'_>) {
    let before = PANICS.fetch_add(1, Ordering::Relaxed);
    if before >= MOST_REPORTED {
        return;
    }
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    let text = format!(
        "a bug of Katydid: {message} ({}, thread `{}`)",
        place.unwrap_or_default(),
        thread.name().unwrap_or("unnamed")
    );
    let hint = match before + 1 {
        MOST_REPORTED => "please report it; more like it are not shown",
        _ => "please report it, with the script if you may",
    };
    show::error(&text, Some(hint));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        show::error(&trace.to_string(), None);
    }
}
