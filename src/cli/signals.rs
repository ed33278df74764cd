//! Signals that arrive before anything listens for them: none may end the process by its default
//! action, which would write no results.
//!
//! Owns the handlers from the first line of `main` to the moment when a command listens for itself
//! (`control::Interrupts`) or declares that it never will. Signals that the process was started to
//! ignore, as by `nohup` or in the background of a shell script, stay ignored. The state is global,
//! as signals are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag::{register, register_conditional_default};
use signal_hook::low_level::{emulate_default_handler, unregister};

/// Early signals, and the handlers that record them.
struct EarlySignals {
    /// The handlers of the signals that end the process.
    ids: Vec<SigId>,
    /// A signal to end has arrived. The next one ends the process at once: nothing has been
    /// measured yet.
    has_come: Arc<AtomicBool>,
    /// SIGQUIT has arrived.
    is_urgent: Arc<AtomicBool>,
    /// SIGHUP has its default action.
    hangs_up: Arc<AtomicBool>,
}

static EARLY: Mutex<Option<EarlySignals>> = Mutex::new(None);

fn early() -> MutexGuard<'static, Option<EarlySignals>> {
    EARLY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The signals that this process was started to ignore, one bit each from signal 1; none where the
/// system does not say.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

/// Records signals from now on. If the system refuses, they keep their default actions.
pub(super) fn hold() {
    let mut held = EarlySignals {
        ids: Vec::new(),
        has_come: Arc::default(),
        is_urgent: Arc::default(),
        hangs_up: Arc::default(),
    };
    let ignored = ignored();
    let is_heard = |signal: i32| ignored >> (signal - 1) & 1 == 0;
    if is_heard(SIGHUP) {
        // This handler stays: following a script adds another.
        let _ = register_conditional_default(SIGHUP, held.hangs_up.clone());
    }
    for signal in [SIGINT, SIGTERM, SIGQUIT] {
        if !is_heard(signal) {
            continue;
        }
        // In this order: the first signal sets the flag that the second one finds.
        held.ids
            .extend(register_conditional_default(signal, held.has_come.clone()));
        held.ids.extend(register(signal, held.has_come.clone()));
    }
    if is_heard(SIGQUIT) {
        held.ids.extend(register(SIGQUIT, held.is_urgent.clone()));
    }
    *early() = Some(held);
}

/// For commands that do not follow a script: SIGHUP ends them, for instance when the terminal is
/// closed.
pub(super) fn hang_up_as_usual() {
    if let Some(held) = &*early() {
        held.hangs_up.store(true, Ordering::Relaxed);
    }
}

/// For commands that do not listen: all signals have their default actions, including those that
/// have already arrived.
pub(super) fn as_usual() {
    hang_up_as_usual();
    if let Some(held) = &*early()
        && held.has_come.swap(true, Ordering::Relaxed)
    {
        let _ = emulate_default_handler(SIGTERM);
    }
}

/// Hands over to another listener. Returns how often a person has asked for the end so far: twice
/// means at once.
pub(super) fn take() -> u32 {
    let Some(held) = early().take() else {
        return 0;
    };
    for id in held.ids {
        unregister(id);
    }
    let has_come = held.has_come.load(Ordering::Relaxed);
    let is_urgent = held.is_urgent.load(Ordering::Relaxed);
    u32::from(has_come) + u32::from(is_urgent)
}
