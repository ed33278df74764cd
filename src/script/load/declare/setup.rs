//! `setup(|http| …)` and `teardown(|http, d| …)`, and the handle to what `setup` returns.
//!
//! Owns declaring them and reading the result in tasks. The runner decides when they run.

use rhai::{Dynamic, Engine, FnPtr, NativeCallContext};

use super::Declarations;
use crate::data::Value;
use crate::script::plain::dynamic;
use crate::script::results::Result;
use crate::script::run::user::User;

/// What `setup(…)` gives to the top level: the result, which is there once the test begins.
#[derive(Clone)]
struct SetupResult;

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<SetupResult>("setup result")
        .register_fn("setup", setup)
        .register_fn("teardown", teardown)
        .register_indexer_get(
            |context: NativeCallContext, _: &mut SetupResult, key: &str| member(&context, key),
        )
        .register_indexer_get(
            |context: NativeCallContext, _: &mut SetupResult, index: i64| element(&context, index),
        )
        .register_fn(
            "value",
            |context: NativeCallContext, _: &mut SetupResult| {
                with(&context, |value| Ok(dynamic(value)))
            },
        );
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn setup(context: NativeCallContext, function: FnPtr) -> Result<SetupResult> {
    let declarations = Declarations::required(&context)?;
    if declarations.setup.borrow_mut().replace(function).is_some() {
        let hint = "one `setup` may do several things and return them in one map";
        declarations.problem(&context, "there are two `setup`", Some(hint));
    }
    Ok(SetupResult)
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn teardown(context: NativeCallContext, function: FnPtr) -> Result<()> {
    let declarations = Declarations::required(&context)?;
    if declarations
        .teardown
        .borrow_mut()
        .replace(function)
        .is_some()
    {
        let hint = "one `teardown` may do several things";
        declarations.problem(&context, "there are two `teardown`", Some(hint));
    }
    Ok(())
}

/// Reads from the result.
fn with(
    context: &NativeCallContext,
    read: impl FnOnce(&Value) -> Result<Dynamic>,
) -> Result<Dynamic> {
    let too_early = "the result of `setup` is there only when the test runs: read it in a task, a \
                     hook or a method";
    if Declarations::of(context).is_some() {
        return Err(too_early.into());
    }
    let user = User::of(context)?;
    match user.thread.parts.shared.setup_result() {
        Some(value) => read(value),
        None => Err(too_early.into()),
    }
}

fn member(context: &NativeCallContext, key: &str) -> Result<Dynamic> {
    with(context, |value| {
        let Value::Map(values) = value else {
            let message = format!(
                "`setup` returned no map, so it has no `{key}`: `.value()` gives what it returned"
            );
            return Err(message.into());
        };
        values.get(key).map(dynamic).ok_or_else(|| {
            let known: Vec<_> = values.keys().map(|known| format!("`{known}`")).collect();
            let known = match known.as_slice() {
                [] => "nothing".to_owned(),
                known => known.join(", "),
            };
            format!("the result of `setup` has no `{key}`; it has {known}").into()
        })
    })
}

fn element(context: &NativeCallContext, index: i64) -> Result<Dynamic> {
    with(context, |value| {
        let Value::Array(values) = value else {
            return Err("`setup` returned no array".into());
        };
        let length = values.len();
        let place = usize::try_from(index).ok().or_else(|| {
            // From the end, as in an array of Rhai's.
            length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
        });
        let found = place.and_then(|place| values.get(place));
        found.map(dynamic).ok_or_else(|| {
            format!("the array that `setup` returned has {length} elements: none at {index}").into()
        })
    })
}
