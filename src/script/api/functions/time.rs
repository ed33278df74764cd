//! Time: waiting, and what time it is.
//!
//! Seconds as numbers, unless the name says otherwise. At the top level `now` gives control's
//! time, the same in every evaluation.

use std::time::Duration;

use jiff::Timestamp;
use rhai::{Dynamic, Engine, NativeCallContext};

use crate::clock;
use crate::coroutine::{self, NotAwaited};
use crate::script::load::declare::Declarations;
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::listeners::cannot_wait;
use crate::script::run::user::User;
use crate::script::run::verdict;
use crate::script::value;

pub(super) fn register(engine: &mut Engine) {
    engine
        // The exact types too: Rhai's own `sleep` for them would block the whole thread.
        .register_fn("sleep", |context: NativeCallContext, seconds: i64| {
            sleep(&context, &seconds.into())
        })
        .register_fn("sleep", |context: NativeCallContext, seconds: f64| {
            sleep(&context, &seconds.into())
        })
        .register_fn("sleep", |context: NativeCallContext, length: Dynamic| {
            sleep(&context, &length)
        })
        .register_fn("now", |context: NativeCallContext| -> Result<f64> {
            Ok(Timestamp::from_microsecond(now_us(&context)?)
                .map_err(|error| error.to_string())?
                .as_duration()
                .as_secs_f64())
        })
        .register_fn(
            "timestamp_ms",
            |context: NativeCallContext| -> Result<i64> { Ok(now_us(&context)? / 1_000) },
        )
        .register_fn("now_iso", |context: NativeCallContext| -> Result<String> {
            let now = Timestamp::from_microsecond(now_us(&context)?);
            Ok(now.map_err(|error| error.to_string())?.to_string())
        })
        .register_fn(
            "format_time",
            |context: NativeCallContext, format: &str| -> Result<String> {
                let now = Timestamp::from_microsecond(now_us(&context)?);
                let now = now.map_err(|error| error.to_string())?;
                jiff::fmt::strtime::format(format, now)
                    .map_err(|error| format!("`{format}` is no format of a time: {error}").into())
            },
        )
        // Rhai's own gives a clock of the machine's, which differs from thread to thread.
        .register_fn("timestamp", || -> Result<()> {
            Err(
                "`timestamp` is not part of Katydid: `now()` gives seconds, `timestamp_ms()` \
                 milliseconds"
                    .into(),
            )
        })
        .register_fn("run_time", |context: NativeCallContext| -> Result<f64> {
            if let Some(moment) = Declarations::moment_of(&context) {
                return Ok(moment.run_time.as_secs_f64());
            }
            let user = User::of(&context)?;
            Ok(Duration::from_micros(user.thread.run_us(clock::now())).as_secs_f64())
        });
}

fn sleep(context: &NativeCallContext, length: &Dynamic) -> Result<()> {
    let user = User::of(context)?;
    let length = value::duration(length)?;
    verdict::settle(&user, context.call_position());
    let due = clock::now() + length;
    match coroutine::await_in(user.thread.parts.timers.sleep_until(due)) {
        Ok(()) => Ok(()),
        Err(NotAwaited::Cancelled) => Err(Control::Cancelled.into()),
        Err(NotAwaited::Outside) => Err(cannot_wait("`sleep`")),
    }
}

/// Microseconds since 1970: the run's start by the machine's clock, and from there by the
/// monotonic one, so that time never jumps.
fn now_us(context: &NativeCallContext) -> Result<i64> {
    if let Some(declarations) = Declarations::of(context) {
        let moment = declarations.moment.get();
        return Ok(moment.map_or(declarations.inputs.now_us, |moment| moment.now_us));
    }
    let times = User::of(context)?.thread.parts.clock.get();
    Ok(times.unix_us(clock::now()))
}
