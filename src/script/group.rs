//! `this.group("checkout", || { … })`: a stretch of a task, timed as a whole.
//!
//! Its sample has a row of its own and is in no total. What is measured inside is measured as if
//! there were no group.

use std::any::TypeId;

use rhai::{
    Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, ImmutableString, Map, Module,
    NativeCallContext, RhaiFunc, Shared,
};

use super::user::User;
use crate::clock::{self, Micros};
use crate::coroutine;
use crate::stats::{Kind, Outcome, Sample};

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    let function = |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
        let context = context.ok_or("a group is made by a script")?;
        let [this, name, closure] = arguments else {
            return Err("a group has a name and a closure".into());
        };
        let name = name.to_string();
        let closure = closure.take().cast::<FnPtr>();
        group(&context, this, &name, &closure)
    };
    let mut module = Module::new();
    // Not `register_fn`: it would match any first value, and be found more slowly.
    FuncRegistration::new("group")
        .with_params_info(["user: map", "name: &str", "closure: Fn"])
        .set_into_module_raw(
            &mut module,
            [
                TypeId::of::<Map>(),
                TypeId::of::<ImmutableString>(),
                TypeId::of::<FnPtr>(),
            ],
            RhaiFunc::Method {
                func: Shared::new(function),
                has_context: true,
                is_pure: false,
                is_volatile: true,
            },
        );
    engine.register_global_module(module.into());
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
    user.settle(position);
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
        user.settle(position);
    }
    let outcome = if threw || user.failed.get() > failed_before {
        Outcome::Failure
    } else {
        Outcome::Success
    };
    user.measured(name, outcome, started, ended, late_us);
    result
}

impl User {
    fn measured(
        &self,
        group: &str,
        outcome: Outcome,
        started: Micros,
        ended: Micros,
        late_us: u64,
    ) {
        let thread = &self.thread;
        thread.record(|recorder| {
            let series = recorder.series(&Kind::Group, "", group);
            let start_us = thread.run_us(started);
            let sample = Sample::new(series, thread.generation.get(), outcome, start_us)
                .service_us(ended.since(started))
                .late_us(late_us);
            recorder.record(sample);
        });
    }
}
