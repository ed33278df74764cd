//! `options(#{…})`: a script's defaults for options of the command line.
//!
//! Owns reading them; `cli` combines them with the command line.

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::{Declarations, tasks};
use crate::scenario::Options;
use crate::script::results::Result;
use crate::script::value;
use crate::units::{Invalid, Rate};

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("options", options);
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn options(context: NativeCallContext, map: Map) -> Result<()> {
    let declarations = Declarations::required(&context)?;
    let mut options = declarations.options.borrow_mut();
    for (key, value) in &map {
        if let Err(message) = set_option(&mut options, key, value) {
            declarations.problem(&context, &message, None);
        }
    }
    Ok(())
}

/// Sets one option.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn set_option(options: &mut Options, key: &str, value: &Dynamic) -> Result<(), String> {
    let whole = || {
        let number = value::whole(value).and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| format!("the option `{key}` is a whole number, not `{value}`"))
    };
    let length = || value::duration(value).map_err(|wrong| format!("the option `{key}`: {wrong}"));
    match key {
        "users" => {
            let users = u32::try_from(whole()?).map_err(|_| "that is too many `users`")?;
            options.users = Some(users);
        }
        "spawn_rate" => {
            let rate = value::number(value).filter(|rate| *rate > 0.0);
            let rate = rate.ok_or("`spawn_rate` is a number above zero")?;
            let wrong = |wrong: Invalid| format!("`spawn_rate`: {}", wrong.problem());
            let asked = Rate::from_per_sec(rate).map_err(wrong)?;
            asked.of_users(&format!("{rate:?}")).map_err(wrong)?;
            options.spawn_rate = Some(rate);
        }
        "run_time" => options.run_time = Some(length()?),
        "stop_timeout" => options.stop_timeout = Some(length()?),
        "on_stop_timeout" => options.on_stop_timeout = Some(length()?),
        "iterations" => options.iterations = Some(whole()?),
        "seed" => options.seed = Some(whole()?),
        "host" => options.host = Some(value::text(value).ok_or("`host` is text")?),
        "tags" => options.tags = Some(tags(key, value)?),
        "exclude_tags" => options.exclude_tags = Some(tags(key, value)?),
        "thresholds" => {
            return Err(format!(
                "the option `{key}` is not in this version of Katydid yet"
            ));
        }
        other => return Err(format!("there is no option `{other}`")),
    }
    Ok(())
}

fn tags(key: &str, value: &Dynamic) -> Result<Vec<String>, String> {
    tasks::tags(value).map_err(|_| format!("the option `{key}` is an array of text"))
}
