//! `param(name, default, #{…})`: values of a script that can be set from outside.
//!
//! Owns reading the declaration and the given value, in the type of the default. `cli` collects the
//! given values.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::Declarations;
use crate::scenario::Param;
use crate::script::results::Result;
use crate::script::value;

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn(
            "param",
            |context: NativeCallContext, name: &str, default: Dynamic| {
                param(context, name, default, Map::new())
            },
        )
        .register_fn("param", param);
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn param(context: NativeCallContext, name: &str, default: Dynamic, more: Map) -> Result<Dynamic> {
    let declarations = Declarations::required(&context)?;
    let mut param = Param {
        name: name.to_owned(),
        default: default.to_string(),
        help: String::new(),
        choices: Vec::new(),
        secret: false,
        required: false,
    };
    let truth = |key: &str, value: &Dynamic| {
        value.as_bool().unwrap_or_else(|_| {
            let message = format!("`{key}` is true or false, not {}", value::kind(value));
            declarations.problem(&context, &message, None);
            // Taking too much for a secret does no harm.
            key == "secret"
        })
    };
    for (key, value) in &more {
        match key.as_str() {
            "help" => param.help = value.to_string(),
            "choices" => match value.read_lock::<Array>() {
                Some(choices) => param.choices = choices.iter().map(Dynamic::to_string).collect(),
                None => declarations.problem(&context, "`choices` is an array", None),
            },
            "secret" => param.secret = truth(key, value),
            "required" => param.required = truth(key, value),
            "ui" => {}
            other => {
                let message = format!("a parameter has no option `{other}`");
                declarations.problem(&context, &message, None);
            }
        }
    }
    let params = &declarations.inputs.params;
    let given = params
        .get(name)
        .or_else(|| params.get(&name.to_lowercase()));
    if param.secret {
        given.iter().for_each(|text| declarations.secrets.add(text));
        // It stands in the script, whose lines are shown with what is wrong in them. Short ones,
        // such as `x`, would be hidden everywhere.
        declarations.secrets.add_if_long(&default.to_string());
    }
    let value = match given {
        Some(text) => typed(text, &default),
        None if param.required => Err("it must be given".to_owned()),
        None => Ok(default.clone()),
    };
    let value = value.and_then(|value| {
        let chosen = match value.read_lock::<Array>() {
            Some(several) => several.iter().map(Dynamic::to_string).collect(),
            None => vec![value.to_string()],
        };
        let fits = |one: &String| param.choices.is_empty() || param.choices.contains(one);
        if chosen.iter().all(fits) {
            Ok(value)
        } else {
            Err(format!("it is one of: {}", param.choices.join(", ")))
        }
    });
    let value = value.unwrap_or_else(|wrong| {
        let message = format!("the parameter `{name}`: {wrong}");
        let hint = format!("say `-p {name}=VALUE`");
        declarations.problem(&context, &message, Some(&hint));
        default
    });
    if param.secret {
        if given.is_some() {
            keep_secret(&declarations, &value);
        }
        param.default = String::new();
    }
    let mut params = declarations.params.borrow_mut();
    if params.iter().any(|known| known.name == name) {
        let message = format!("the parameter `{name}` is declared twice");
        declarations.problem(&context, &message, Some("keep its value in a constant"));
    }
    params.push(param);
    Ok(value)
}

fn keep_secret(declarations: &Declarations, value: &Dynamic) {
    declarations.secrets.add(&value.to_string());
    if let Some(several) = value.read_lock::<Array>() {
        for one in several.iter() {
            declarations.secrets.add(&one.to_string());
        }
    }
}

/// The given text, in the type of the default.
fn typed(text: &str, default: &Dynamic) -> Result<Dynamic, String> {
    let wrong = |what: &str| format!("`{text}` is not {what}");
    if default.is_int() {
        text.parse::<i64>()
            .map(Dynamic::from)
            .map_err(|_| wrong("a whole number"))
    } else if default.is_float() {
        text.parse::<f64>()
            .map(Dynamic::from)
            .map_err(|_| wrong("a number"))
    } else if default.is_bool() {
        text.parse::<bool>()
            .map(Dynamic::from)
            .map_err(|_| wrong("`true` or `false`"))
    } else if let Some(several) = default.read_lock::<Array>() {
        let first = several.first().cloned().unwrap_or_else(|| "".into());
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let parts: Result<Array, _> = parts.map(|part| typed(part, &first)).collect();
        Ok(parts?.into())
    } else {
        Ok(text.to_owned().into())
    }
}
