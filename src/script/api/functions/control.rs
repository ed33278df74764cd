//! Control calls, and what a user may ask about itself.
//!
//! They end a task from anywhere inside it; what follows is decided in `vu`.

use rhai::{Engine, NativeCallContext};

use crate::script::load::declare::Declarations;
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::user::User;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("stop_user", |context: NativeCallContext| {
            end(&context, Control::StopUser)
        })
        .register_fn("stop_test", |context: NativeCallContext| {
            end(&context, Control::StopTest(String::new()))
        })
        .register_fn("stop_test", |context: NativeCallContext, why: &str| {
            let why = User::of(&context)?.class.secrets.mask(why.to_owned());
            end(&context, Control::StopTest(why))
        })
        .register_fn("interrupt", |context: NativeCallContext| {
            interrupt(&context, false)
        })
        .register_fn("interrupt", |context: NativeCallContext, at_once: bool| {
            interrupt(&context, !at_once)
        })
        .register_fn("reschedule", |context: NativeCallContext| {
            end(&context, Control::Reschedule { waits: false })
        })
        .register_fn("reschedule", |context: NativeCallContext, at_once: bool| {
            end(&context, Control::Reschedule { waits: !at_once })
        })
        .register_fn(
            "exit_code",
            |context: NativeCallContext, code: i64| -> Result<()> {
                let user = User::of(&context)?;
                let code = u8::try_from(code)
                    .map_err(|_| format!("an exit code is a number from 0 to 255, not {code}"))?;
                user.thread.parts.shared.set_exit_code(code);
                Ok(())
            },
        )
        // Rhai's own `exit` ends a script in a way that only its engine knows.
        .register_fn("exit", |_: NativeCallContext| leave())
        .register_fn("exit", |_: NativeCallContext, _: rhai::Dynamic| leave())
        .register_fn("vu_id", |context: NativeCallContext| -> Result<i64> {
            Ok(whole(User::of(&context)?.ordinal))
        })
        .register_fn("vu_class", |context: NativeCallContext| -> Result<String> {
            Ok(User::of(&context)?.class.name.clone())
        })
        .register_fn(
            "vu_iteration",
            |context: NativeCallContext| -> Result<i64> {
                Ok(whole(User::of(&context)?.iteration.get()))
            },
        )
        .register_fn("user_count", |context: NativeCallContext| -> Result<i64> {
            match Declarations::moment_of(&context) {
                Some(moment) => Ok(i64::from(moment.users)),
                None => Ok(i64::from(User::of(&context)?.thread.parts.shared.users())),
            }
        });
}

fn end(context: &NativeCallContext, control: Control) -> Result<()> {
    Err(User::of(context)?.end(control))
}

fn interrupt(context: &NativeCallContext, waits: bool) -> Result<()> {
    let user = User::of(context)?;
    if user.in_set.get() {
        return Err(user.end(Control::Interrupt { waits }));
    }
    Err("`interrupt` leaves a task set, and this user is in none".into())
}

fn leave() -> Result<()> {
    Err("`exit` is not part of Katydid: `return`, `stop_user()` or `stop_test(\"why\")`".into())
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
