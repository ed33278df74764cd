//! `this.group("checkout", || { … })`: a stretch of a task, timed as a whole.
//!
//! Its sample has a row of its own and is in no total. What is measured inside is measured as if
//! there were no group.

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};

use crate::clock;
use crate::coroutine;
use crate::script::load::methods::register_on_user;
use crate::script::run::measurement::Measurement;
use crate::script::run::user::User;
use crate::script::run::verdict;
use crate::stats::Kind;

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
    let parameters = ["name: &str", "closure: Fn"];
    register_on_user(engine, "group", parameters, group);
}

/// Calls `closure` with the user as `this` and times it.
///
/// Verdicts are closed before it begins and when it returns, so that a request belongs to the
/// group in which it was made. When the closure throws they stay open: the error fails the last.
fn group(
    context: &NativeCallContext,
    this: &mut Dynamic,
    name: &str,
    closure: &FnPtr,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let user = User::of(context)?;
    let position = context.call_position();
    verdict::settle(&user, position);
    let failed_before = user.failed.get();
    let late_us = user.late_us.get();
    let started = clock::now();
    let result = closure.call_raw(context, Some(this), []);
    let ended = clock::now();
    // A control call ends the group early, but it was measured; an order to stop cuts it.
    let ends_itself = user.is_ending();
    if coroutine::is_leaving() && !ends_itself {
        return result;
    }
    let threw = result.is_err() && !ends_itself;
    if !threw {
        verdict::settle(&user, position);
    }
    let has_failed = threw || user.failed.get() > failed_before;
    let thread = &user.thread;
    let series = thread.record(|recorder| recorder.series(&Kind::Group, "", name));
    let mut measurement = Measurement::of(&user, series, started, ended);
    measurement.sample = measurement.sample.late_us(late_us);
    measurement.record(&user, has_failed, None);
    result
}
