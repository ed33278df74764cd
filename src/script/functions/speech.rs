//! `print` and its kin: lines for the log, with the user that speaks and the place.
//!
//! Limited to 100 lines a second and thread; what is over is counted.

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

use crate::script::declare::Declarations;
use crate::script::log::Level;
use crate::script::user::User;

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine) {
    for (name, level) in [
        ("print", Level::Info),
        ("debug", Level::Info),
        ("log_info", Level::Info),
        ("log_warn", Level::Warn),
        ("log_error", Level::Error),
    ] {
        engine
            .register_fn(name, move |context: NativeCallContext| {
                speak(&context, level, &[])
            })
            .register_fn(name, move |context: NativeCallContext, a: Dynamic| {
                speak(&context, level, &[a])
            })
            .register_fn(
                name,
                move |context: NativeCallContext, a: Dynamic, b: Dynamic| {
                    speak(&context, level, &[a, b])
                },
            )
            .register_fn(
                name,
                move |context: NativeCallContext, a: Dynamic, b: Dynamic, c: Dynamic| {
                    speak(&context, level, &[a, b, c])
                },
            )
            .register_fn(
                name,
                move |context: NativeCallContext,
                      a: Dynamic,
                      b: Dynamic,
                      c: Dynamic,
                      d: Dynamic| { speak(&context, level, &[a, b, c, d]) },
            );
    }
}

fn speak(context: &NativeCallContext, level: Level, values: &[Dynamic]) -> Result<()> {
    let texts: Vec<_> = values.iter().map(Dynamic::to_string).collect();
    let text = texts.join(" ");
    let place = place(context.call_source(), context.call_position());
    if let Some(declarations) = Declarations::of(context) {
        let text = declarations.secrets.mask(text);
        declarations.said.borrow_mut().push((level, place, text));
        return Ok(());
    }
    let user = User::of(context)?;
    let text = user.class.secrets.mask(text);
    user.thread.log.print(level, user.described(), place, text);
    Ok(())
}

fn place(file: Option<&str>, position: Position) -> String {
    match (file, position.line()) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.to_owned(),
        _ => String::new(),
    }
}
