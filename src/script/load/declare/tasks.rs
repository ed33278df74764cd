//! `task(…)`: a function of the script or a set as a task, with its weight, name and tags.
//!
//! Owns reading the declaration; its name is the key under which it stands, in a class or a set.

use rhai::{Dynamic, Engine, FnPtr, Map, NativeCallContext};

use super::Declarations;
use super::sets::SetDeclaration;
use crate::script::results::Result;
use crate::script::value;

/// What `task(…)` and its like return: a task without its name, which is its key.
#[derive(Clone, Debug)]
pub(crate) struct TaskDeclaration {
    /// Rhai sorts a map's keys; this restores the order written.
    pub(crate) serial: u64,
    pub(crate) weight: u32,
    pub(crate) name: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) body: TaskBody,
}

/// What a declared task runs.
#[derive(Clone, Debug)]
pub(crate) enum TaskBody {
    Function(FnPtr),
    Set(Box<SetDeclaration>),
}

impl TaskDeclaration {
    /// Every function in it, at any depth.
    pub(crate) fn functions_mut(&mut self) -> Vec<&mut FnPtr> {
        match &mut self.body {
            TaskBody::Function(function) => vec![function],
            TaskBody::Set(set) => set.functions_mut(),
        }
    }

    /// What an array, which has no keys, calls it.
    pub(super) fn own_name(&self) -> Option<String> {
        let function = match &self.body {
            TaskBody::Function(function) if !function.is_anonymous() => Some(function.fn_name()),
            _ => None,
        };
        self.name.clone().or(function.map(str::to_owned))
    }
}

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<TaskDeclaration>("task")
        .register_fn("task", |context: NativeCallContext, body: Dynamic| {
            task(&context, body)
        })
        .register_fn(
            "task",
            |context: NativeCallContext, how: Dynamic, body: Dynamic| {
                task_with(&context, &how, body)
            },
        );
}

/// A task that is described by nothing but what it runs.
pub(super) fn task(context: &NativeCallContext, body: Dynamic) -> Result<TaskDeclaration> {
    let declarations = Declarations::required(context)?;
    let mut task = match body.try_cast_result::<TaskDeclaration>() {
        // A set keeps its own weight and tags.
        Ok(task) => task,
        Err(body) => TaskDeclaration {
            serial: 0,
            weight: 1,
            name: None,
            tags: Vec::new(),
            body: TaskBody::Function(function(&body)?),
        },
    };
    task.serial = declarations.next_serial();
    Ok(task)
}

fn task_with(context: &NativeCallContext, how: &Dynamic, body: Dynamic) -> Result<TaskDeclaration> {
    let mut task = task(context, body)?;
    let Some(options) = how.read_lock::<Map>() else {
        task.weight = weight(how)?;
        return Ok(task);
    };
    for (key, value) in options.iter() {
        match key.as_str() {
            "weight" => task.weight = weight(value)?,
            "name" => task.name = Some(value::text(value).ok_or("`name` is text")?),
            "tags" => task.tags.extend(tags(value)?),
            other => return Err(format!("a task has no option `{other}`").into()),
        }
    }
    Ok(task)
}

/// What is wrong with the value of an option of `task`, or with a weight in its place.
///
/// # Errors
/// That.
pub(crate) fn judge_option(key: &str, value: &Dynamic) -> Result<(), String> {
    match key {
        "weight" => weight(value).map(drop),
        "tags" => tags(value).map(drop),
        "name" if value::text(value).is_none() => Err("`name` is text".to_owned()),
        _ => Ok(()),
    }
}

/// The function that a task runs: a closure, or the name of one.
fn function(body: &Dynamic) -> Result<FnPtr> {
    if let Some(function) = body.read_lock::<FnPtr>() {
        return Ok(function.clone());
    }
    match value::text(body) {
        Some(name) => FnPtr::new(name),
        None => {
            let kind = value::kind(body);
            let message = format!(
                "a task is a closure `|| {{ … }}`, the name of a function or a set, not {kind}"
            );
            Err(message.into())
        }
    }
}

pub(super) fn weight(value: &Dynamic) -> Result<u32, String> {
    let weight = value::whole(value).and_then(|weight| u32::try_from(weight).ok());
    weight.ok_or_else(|| {
        let kind = value::kind(value);
        let shown = value::number(value).map_or(kind.to_owned(), |number| number.to_string());
        format!("a task's weight is a whole number from 0, not {shown}")
    })
}

/// An array of text, or one text.
pub(crate) fn tags(value: &Dynamic) -> Result<Vec<String>, String> {
    let all = match value.read_lock::<rhai::Array>() {
        Some(array) => array.iter().map(value::text).collect(),
        None => value::text(value).map(|tag| vec![tag]),
    };
    match all {
        Some(tags) if !tags.is_empty() && tags.iter().all(|tag| !tag.is_empty()) => Ok(tags),
        _ => Err("`tags` is an array of text such as `[\"slow\", \"checkout\"]`".to_owned()),
    }
}
