//! `shape("double_wave", #{…})`: reading the numbers of a ready-made shape.
//!
//! Owns the readers. `language` lists the shapes and their keys; `load` has the curves.

use std::time::Duration;

use rhai::Map;

use super::shape::{length_of, rate_of, users_of};
use crate::language::shapes;
use crate::load::Stage;
use crate::load::ready::{self, Jump};
use crate::scenario::names::did_you_mean;
use crate::script::results::Problem;

/// The stages of a ready-made shape.
pub(super) fn stages(name: &str, map: &Map) -> Result<Vec<Stage>, Problem> {
    let Some(shape) = shapes::ready(name) else {
        let known = || shapes::READY.iter().map(|shape| shape.name);
        let hint = did_you_mean(name, known())
            .unwrap_or_else(|| format!("there are {}", known().collect::<Vec<_>>().join(", ")));
        return Err((format!("there is no ready-made shape `{name}`"), Some(hint)));
    };
    let in_shape = |message: String| (format!("the shape `{name}`: {message}"), None);
    for key in map.keys() {
        if !shape.key_names().any(|known| known == key) {
            let hint = did_you_mean(key, shape.key_names()).unwrap_or_else(|| {
                let known: Vec<_> = shape.key_names().collect();
                format!("`{name}` takes {}", known.join(", "))
            });
            return Err((format!("the shape `{name}` has no `{key}`"), Some(hint)));
        }
    }
    let missing = shape
        .keys
        .iter()
        .find(|key| key.required && !map.contains_key(key.name));
    if let Some(key) = missing {
        let hint = format!("`{}`: {}", key.name, key.doc);
        return Err((
            format!("the shape `{name}` needs `{}`", key.name),
            Some(hint),
        ));
    }
    numbers(name, map).map_err(in_shape)
}

fn numbers(name: &str, map: &Map) -> Result<Vec<Stage>, String> {
    let users = |key: &str| map.get(key).map_or(Ok(0), |value| users_of(key, value));
    let length = |key: &str| match map.get(key) {
        Some(value) => length_of(key, value),
        None => Ok(Duration::ZERO),
    };
    let above_zero = |key: &str| match length(key)? {
        Duration::ZERO => Err(format!("`{key}` is a time above zero")),
        length => Ok(length),
    };
    let jump = match map.get("spawn_rate") {
        Some(value) => Jump::Rate(rate_of(value)?),
        None => Jump::WithinASecond,
    };
    let stages = match name {
        "constant" => ready::constant(users("users")?, above_zero("duration")?, jump),
        "ramp" => ready::ramp(users("users")?, above_zero("duration")?, length("hold")?),
        "steps" => {
            let (step, total) = (above_zero("step_duration")?, above_zero("duration")?);
            if total.div_duration_f64(step) > 100_000.0 {
                return Err("that is more than 100,000 steps".to_owned());
            }
            ready::steps(users("step_users")?, step, total, jump)
        }
        "spike" => {
            let lengths = [
                length("before")?,
                above_zero("peak_duration")?,
                length("after")?,
            ];
            ready::spike(users("users")?, users("peak")?, lengths, jump)
        }
        _ => {
            let peaks = [users("peak_one")?, users("peak_two")?];
            ready::double_wave(users("users")?, peaks, above_zero("duration")?)
        }
    };
    Ok(stages)
}
