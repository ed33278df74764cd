//! `between(1, 5)` and its like: how long users wait between two tasks.
//!
//! Owns reading them; the next wait is drawn by `scenario`.

use std::time::Duration;

use rhai::{Dynamic, Engine};

use crate::scenario::Wait;
use crate::script::results::Result;
use crate::script::value;

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Wait>("wait time")
        .register_fn("constant", |length: Dynamic| -> Result<Wait> {
            Ok(Wait::Constant(secs(&length)?))
        })
        .register_fn("constant_pacing", |period: Dynamic| -> Result<Wait> {
            Ok(Wait::Pacing(secs(&period)?))
        })
        .register_fn("between", between)
        .register_fn("constant_throughput", |rate: Dynamic| -> Result<Wait> {
            Ok(Wait::Pacing(Duration::from_secs_f64(
                1.0 / positive(&rate)?,
            )))
        })
        .register_fn("poisson", |rate: Dynamic| -> Result<Wait> {
            Ok(Wait::Poisson(positive(&rate)?))
        });
}

fn secs(value: &Dynamic) -> Result<Duration> {
    value::duration(value).map_err(Into::into)
}

fn positive(rate: &Dynamic) -> Result<f64> {
    match value::number(rate) {
        Some(rate) if rate > 1e-9 && rate.is_finite() => Ok(rate),
        _ => Err(format!("a rate is a number above zero (per second), not `{rate}`").into()),
    }
}

fn between(least: Dynamic, most: Dynamic) -> Result<Wait> {
    let (least, most) = (secs(&least)?, secs(&most)?);
    if least > most {
        return Err("`between` takes the shorter wait first".into());
    }
    Ok(Wait::Between(least, most))
}
