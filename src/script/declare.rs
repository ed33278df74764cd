//! What the top level of a script may call: it describes user classes, it does not do anything.
//!
//! Collects declarations and everything wrong with them; reading a class is in `class`. Nothing
//! here runs while users run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::class::{self, ClassDeclaration};
use super::diagnostic::Diagnostic;
use super::failure::found;
use super::log::Level;
use super::secret::Secrets;
use super::value;
use crate::scenario::{Options, Param, Random, Wait};

/// What control gives to every evaluation of a top level, so that all come to the same scenario.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Values for `param`, by name; those from the environment by their names in small letters.
    pub params: BTreeMap<String, String>,
    /// The environment as it was when Katydid started.
    pub environment: BTreeMap<String, String>,
    /// What `random` and the users' streams are seeded with.
    pub seed: u64,
    /// What `now` gives at the top level, in microseconds since 1970.
    pub now_us: i64,
}

/// The declarations of one evaluation so far. Clones share them: natives find them as the tag.
#[derive(Clone)]
pub(super) struct Declarations(Rc<Shared>);

pub(super) struct Shared {
    pub(super) inputs: Inputs,
    pub(super) random: RefCell<Random>,
    pub(super) classes: RefCell<Vec<ClassDeclaration>>,
    pub(super) options: RefCell<Options>,
    pub(super) params: RefCell<Vec<Param>>,
    pub(super) problems: RefCell<Vec<Diagnostic>>,
    /// What `print` said at the top level; only control passes it on.
    pub(super) said: RefCell<Vec<(Level, String, String)>>,
    /// What must not be shown.
    pub(super) secrets: Secrets,
    serial: Cell<u64>,
}

/// What `task(…)` returns: a task without its name, which is its key.
#[derive(Clone, Debug)]
pub(super) struct TaskDeclaration {
    /// Rhai sorts a map's keys; this restores the order written.
    pub(super) serial: u64,
    pub(super) weight: u32,
    pub(super) name: Option<String>,
    pub(super) function: FnPtr,
}

impl std::ops::Deref for Declarations {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Declarations {
    pub(super) fn new(inputs: &Inputs) -> Declarations {
        Declarations(Rc::new(Shared {
            random: RefCell::new(Random::of_user(inputs.seed, "", 0)),
            inputs: inputs.clone(),
            classes: RefCell::default(),
            options: RefCell::default(),
            params: RefCell::default(),
            problems: RefCell::default(),
            said: RefCell::default(),
            secrets: Secrets::default(),
            serial: Cell::new(0),
        }))
    }

    /// The declarations that the calling script is making; `None` in a task.
    pub(super) fn of(context: &NativeCallContext) -> Option<Declarations> {
        Some(context.tag()?.read_lock::<Declarations>()?.clone())
    }

    fn required(context: &NativeCallContext) -> Result<Declarations, Box<EvalAltResult>> {
        Declarations::of(context).ok_or_else(|| {
            let name = context.fn_name();
            format!("`{name}` declares something: it belongs to the top level of the script").into()
        })
    }

    /// Notes a mistake at the place of the call and goes on, so that all are shown at once.
    fn problem(&self, context: &NativeCallContext, message: &str, hint: Option<&str>) {
        let file = context.call_source().unwrap_or_default();
        let diagnostic = found(file, context.call_position(), message);
        let diagnostic = match hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        };
        self.problems.borrow_mut().push(diagnostic);
    }
}

type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

/// Registers what this file and `class` own.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<TaskDeclaration>("task")
        .register_type_with_name::<Wait>("wait time")
        .register_fn("user", user)
        .register_fn("extend", extend)
        .register_fn("options", options)
        .register_fn(
            "param",
            |context: NativeCallContext, name: &str, default: Dynamic| {
                param(context, name, default, Map::new())
            },
        )
        .register_fn("param", param)
        .register_fn("task", |context: NativeCallContext, function: FnPtr| {
            task(&context, 1, None, function)
        })
        .register_fn(
            "task",
            |context: NativeCallContext, weight: i64, function: FnPtr| {
                task(&context, weight, None, function)
            },
        )
        .register_fn(
            "task",
            |context: NativeCallContext, options: Map, function: FnPtr| {
                task_with_options(&context, options, function)
            },
        )
        .register_fn("task", |context: NativeCallContext, function: &str| {
            task(&context, 1, None, FnPtr::new(function)?)
        })
        .register_fn(
            "task",
            |context: NativeCallContext, weight: i64, function: &str| {
                task(&context, weight, None, FnPtr::new(function)?)
            },
        )
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

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn user(context: NativeCallContext, name: &str, map: Map) -> Result<()> {
    let declarations = Declarations::required(&context)?;
    let (class, problems) = class::read(name, map);
    for (message, hint) in problems {
        declarations.problem(&context, &message, hint.as_deref());
    }
    if declarations
        .classes
        .borrow()
        .iter()
        .any(|known| known.plan.name == class.plan.name)
    {
        let message = format!("the user class `{name}` is declared twice");
        declarations.problem(
            &context,
            &message,
            Some("give each class a name of its own"),
        );
    }
    declarations.classes.borrow_mut().push(class);
    Ok(())
}

/// Map addition with the `state` maps merged: how a class inherits from another.
fn extend(mut base: Map, derived: Map) -> Map {
    for (key, value) in derived {
        if key == "state"
            && let Some(state) = base.get_mut("state")
            && let Some(mut kept) = state.write_lock::<Map>()
            && let Some(added) = value.read_lock::<Map>()
        {
            kept.extend(added.clone());
            continue;
        }
        base.insert(key, value);
    }
    base
}

fn task(
    context: &NativeCallContext,
    weight: i64,
    name: Option<String>,
    function: FnPtr,
) -> Result<TaskDeclaration> {
    let declarations = Declarations::required(context)?;
    let weight = u32::try_from(weight)
        .map_err(|_| format!("a task's weight is a whole number from 0, not {weight}"))?;
    declarations.serial.set(declarations.serial.get() + 1);
    Ok(TaskDeclaration {
        serial: declarations.serial.get(),
        weight,
        name,
        function,
    })
}

fn task_with_options(
    context: &NativeCallContext,
    options: Map,
    function: FnPtr,
) -> Result<TaskDeclaration> {
    let mut weight = 1;
    let mut name = None;
    for (key, value) in options {
        match key.as_str() {
            "weight" => weight = value::whole(&value).ok_or("`weight` is a whole number")?,
            "name" => name = Some(value::text(&value).ok_or("`name` is text")?),
            "tags" => return Err("`tags` are not in this version of Katydid yet".into()),
            other => return Err(format!("a task has no option `{other}`").into()),
        }
    }
    task(context, weight, name, function)
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

fn set_option(options: &mut Options, key: &str, value: &Dynamic) -> Result<(), String> {
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
            options.spawn_rate = Some(rate.ok_or("`spawn_rate` is a number above zero")?);
        }
        "run_time" => options.run_time = Some(length()?),
        "stop_timeout" => options.stop_timeout = Some(length()?),
        "on_stop_timeout" => options.on_stop_timeout = Some(length()?),
        "iterations" => options.iterations = Some(whole()?),
        "seed" => options.seed = Some(whole()?),
        "host" => options.host = Some(value::text(value).ok_or("`host` is text")?),
        "thresholds" | "tags" | "exclude_tags" => {
            return Err(format!(
                "the option `{key}` is not in this version of Katydid yet"
            ));
        }
        other => return Err(format!("there is no option `{other}`")),
    }
    Ok(())
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
            // A secret by mistake harms nobody.
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
    if let Some(text) = given.filter(|_| param.secret) {
        declarations.secrets.add(text);
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
        declarations.secrets.add(&value.to_string());
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

/// The text that a person gave, in the type of the default.
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
