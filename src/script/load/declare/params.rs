//! `param(name, default, #{…})`: values of a script that can be set from outside.
//!
//! Owns reading the declaration, and which value holds; `scenario` reads the one given, in the type of
//! the default.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::Declarations;
use crate::scenario::{Param, ParamKind, ParamValue};
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
        kind: kind_of(&default),
        is_list: default.is_array(),
        default: texts(&default).join(", "),
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
        Some(text) => param.read(text).map(|values| dynamic(&param, values)),
        None if param.required => Err("it must be given".to_owned()),
        None => {
            let fits = |one: &String| param.choices.is_empty() || param.choices.contains(one);
            match texts(&default).iter().all(fits) {
                true => Ok(default.clone()),
                false => Err(param.no_choice()),
            }
        }
    };
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

/// The type of a default, or of the first in a list.
fn kind_of(default: &Dynamic) -> ParamKind {
    if default.is_int() {
        ParamKind::Integer
    } else if default.is_float() {
        ParamKind::Number
    } else if default.is_bool() {
        ParamKind::Bool
    } else if let Some(several) = default.read_lock::<Array>() {
        let first = several.first().filter(|first| !first.is_array());
        first.map_or(ParamKind::Text, kind_of)
    } else {
        ParamKind::Text
    }
}

/// A default as text, each of a list.
fn texts(default: &Dynamic) -> Vec<String> {
    match default.read_lock::<Array>() {
        Some(several) => several.iter().map(Dynamic::to_string).collect(),
        None => vec![default.to_string()],
    }
}

/// What was given, as the script gets it.
fn dynamic(param: &Param, values: Vec<ParamValue>) -> Dynamic {
    let mut values = values.into_iter().map(|value| match value {
        ParamValue::Integer(value) => Dynamic::from(value),
        ParamValue::Number(value) => Dynamic::from(value),
        ParamValue::Bool(value) => Dynamic::from(value),
        ParamValue::Text(value) => value.into(),
    });
    match param.is_list {
        true => values.collect::<Array>().into(),
        false => values.next().unwrap_or_default(),
    }
}
