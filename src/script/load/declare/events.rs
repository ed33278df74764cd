//! `on(event, f)`: listeners for what happens in a run.
//!
//! Owns declaring them; `scenario` says on which thread the listeners of each event run.

use rhai::{Engine, FnPtr, NativeCallContext};

use super::Declarations;
use crate::scenario::Event;
use crate::script::results::Result;

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("on", on);
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn on(context: NativeCallContext, name: &str, function: FnPtr) -> Result<()> {
    let declarations = Declarations::required(&context)?;
    match Event::named(name) {
        Some(event) => declarations.listeners.borrow_mut().push((event, function)),
        None => {
            let known = Event::ALL.map(|event| format!("`{}`", event.name()));
            let hint = format!("there are {}", known.join(", "));
            let message = format!("there is no event `{name}`");
            declarations.problem(&context, &message, Some(&hint));
        }
    }
    Ok(())
}
