//! `append(file, line)`: lines that users write to files.
//!
//! Owns the wait when the writer does not keep up; `shared::appends` writes.

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

use crate::clock;
use crate::coroutine::{self, NotAwaited};
use crate::script::api::json;
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::user::User;
use crate::script::value;
use crate::shared::appends::{Appender, NotTaken};

/// How long a user waits before it tries again.
const RETRY_US: u64 = 1_000;

pub(super) fn register(engine: &mut Engine) {
    engine
        // The exact types too: Rhai's own `append` for them would join two texts and lose the
        // result.
        .register_fn(
            "append",
            |context: NativeCallContext, file: ImmutableString, line: &str| {
                append(&context, &file, line.to_owned())
            },
        )
        .register_fn(
            "append",
            |context: NativeCallContext, file: ImmutableString, line: char| {
                append(&context, &file, line.to_string())
            },
        )
        .register_fn(
            "append",
            |context: NativeCallContext, file: ImmutableString, line: Dynamic| {
                let line = if line.is_map() || line.is_array() {
                    json::text(&line)?
                } else {
                    value::shown(&line)
                };
                append(&context, &file, line)
            },
        );
}

fn append(context: &NativeCallContext, file: &ImmutableString, mut line: String) -> Result<()> {
    let user = User::of(context)?;
    let thread = &user.thread;
    let appender: Appender = thread.appender(file)?;
    line.push('\n');
    loop {
        match appender.append(line) {
            Ok(()) => return Ok(()),
            Err(NotTaken::Failed) => {
                return Err(format!("`{file}` takes no more lines: the end says why").into());
            }
            Err(NotTaken::TooLong) => {
                return Err("a line longer than 512 KiB does not go between machines".into());
            }
            Err(NotTaken::Full(again)) => line = again,
        }
        let due = clock::now() + std::time::Duration::from_micros(RETRY_US);
        match coroutine::await_in(thread.parts.timers.sleep_until(due)) {
            Ok(()) => {}
            Err(NotAwaited::Cancelled) => return Err(Control::Cancelled.into()),
            Err(NotAwaited::Outside) => {
                return Err("`append` works only where a user may wait".into());
            }
        }
    }
}
