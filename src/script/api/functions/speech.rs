//! `print` and the like: lines for the log, with the user and the place in the script.
//!
//! Limited to 100 lines a second and thread; the rest are only counted.

use std::any::TypeId;

use rhai::{
    Array, Dynamic, Engine, FuncRegistration, ImmutableString, Map, Module, NativeCallContext,
    Position, RhaiFunc, Shared,
};

use crate::script::load::declare::Declarations;
use crate::script::results::Result;
use crate::script::run::log::Level;
use crate::script::run::user::User;
use crate::script::value;

/// The most values on one line: for a call with n of them Rhai looks up to 2^n names up.
const MOST_VALUES: usize = 10;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for (name, level) in [
        ("print", Level::Info),
        ("debug", Level::Info),
        ("log_info", Level::Info),
        ("log_warn", Level::Warn),
        ("log_error", Level::Error),
    ] {
        for values in 0..=MOST_VALUES {
            set(
                &mut module,
                name,
                level,
                &vec![TypeId::of::<Dynamic>(); values],
            );
        }
        // The exact types too: Rhai has functions of its own for them, and would call those.
        for one in [
            TypeId::of::<()>(),
            TypeId::of::<bool>(),
            TypeId::of::<char>(),
            TypeId::of::<f32>(),
            TypeId::of::<f64>(),
            TypeId::of::<ImmutableString>(),
            TypeId::of::<Array>(),
            TypeId::of::<Map>(),
        ] {
            set(&mut module, name, level, &[one]);
        }
    }
    engine.register_global_module(module.into());
}

fn set(module: &mut Module, name: &'static str, level: Level, types: &[TypeId]) {
    let function = move |context: Option<NativeCallContext>, values: &mut [&mut Dynamic]| {
        let context = context.ok_or("a line for the log comes from a script")?;
        speak(&context, level, values).map(Dynamic::from)
    };
    FuncRegistration::new(name).set_into_module_raw(
        module,
        types,
        RhaiFunc::Pure {
            func: Shared::new(function),
            has_context: true,
            is_pure: true,
            is_volatile: true,
        },
    );
}

fn speak(context: &NativeCallContext, level: Level, values: &[&mut Dynamic]) -> Result<()> {
    let texts: Vec<_> = values.iter().map(|value| value::shown(value)).collect();
    let text = texts.join(" ");
    let place = place(context.call_source(), context.call_position());
    if let Some(declarations) = Declarations::of(context) {
        let text = declarations.secrets.mask(text);
        declarations.said.borrow_mut().push((level, place, text));
        return Ok(());
    }
    let user = User::of(context)?;
    let text = user.class.secrets.mask(text);
    let who = user.class.secrets.mask(user.described());
    user.thread.say(level, who, place, text);
    Ok(())
}

fn place(file: Option<&str>, position: Position) -> String {
    match (file, position.line()) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.to_owned(),
        _ => String::new(),
    }
}
