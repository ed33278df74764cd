//! Signals that come before anybody listens for them: none ends the process by its default action,
//! which would write nothing.
//!
//! Owns the handlers from the first line of `main` to the moment when a command listens for itself
//! (`limits::Interrupts`) or says that it never will. What the process was started to ignore, as by
//! `nohup` or in the background of a shell script, stays ignored. The state belongs to the process, as
//! signals do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag::{register, register_conditional_default};
use signal_hook::low_level::{emulate_default_handler, unregister};

/// What came early, and the handlers that note it.
struct EarlySignals {
    /// Those for the signals that end.
    ids: Vec<SigId>,
    /// One that ends has come. The next one ends at once: nothing has been measured yet.
    has_come: Arc<AtomicBool>,
    /// SIGQUIT was among them.
    is_urgent: Arc<AtomicBool>,
    /// SIGHUP does what it does by default.
    hangs_up: Arc<AtomicBool>,
}

static EARLY: Mutex<Option<EarlySignals>> = Mutex::new(None);

fn early() -> MutexGuard<'static, Option<EarlySignals>> {
    EARLY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The signals that this process was started to ignore, a bit each from signal 1 on; none where the
/// system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

/// Notes signals from now on. Where the system refuses, they do what they do by default.
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
        // It stays: whoever follows a script hears it besides.
        let _ = register_conditional_default(SIGHUP, held.hangs_up.clone());
    }
    for signal in [SIGINT, SIGTERM, SIGQUIT] {
        if !is_heard(signal) {
            continue;
        }
        // In this order: the first signal sets what the second one meets.
        held.ids
            .extend(register_conditional_default(signal, held.has_come.clone()));
        held.ids.extend(register(signal, held.has_come.clone()));
    }
    if is_heard(SIGQUIT) {
        held.ids.extend(register(SIGQUIT, held.is_urgent.clone()));
    }
    *early() = Some(held);
}

/// For commands that do not follow a script: SIGHUP ends them, as when a terminal is closed.
pub(super) fn hang_up_as_usual() {
    if let Some(held) = &*early() {
        held.hangs_up.store(true, Ordering::Relaxed);
    }
}

/// For commands that do not listen: all signals do what they do by default, also those that came.
pub(super) fn as_usual() {
    hang_up_as_usual();
    if let Some(held) = &*early()
        && held.has_come.swap(true, Ordering::Relaxed)
    {
        let _ = emulate_default_handler(SIGTERM);
    }
}

/// From now on somebody else listens. Gives how often a person has asked for the end so far: twice
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
