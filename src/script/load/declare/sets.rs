//! `task_set(#{…})` and `sequence(#{…})`: tasks that a user enters and leaves.
//!
//! Owns reading their keys; chains are `markov`'s, and how a set becomes part of a class is the
//! task table's.

use rhai::{Array, Dynamic, Engine, FnPtr, Map, NativeCallContext};

use super::Declarations;
use super::tasks::{self, TaskBody, TaskDeclaration};
use crate::language::{self, Kind};
use crate::scenario::{Order, Wait};
use crate::script::load::class;
use crate::script::results::{Problem, Result};
use crate::script::value;

/// A set as declared.
#[derive(Clone, Debug)]
pub(crate) struct SetDeclaration {
    pub(crate) order: Order,
    pub(crate) wait: Option<Wait>,
    pub(crate) wait_function: Option<FnPtr>,
    pub(crate) on_start: Option<FnPtr>,
    pub(crate) on_stop: Option<FnPtr>,
    /// In the order written, by key.
    pub(crate) tasks: Vec<(String, TaskDeclaration)>,
    /// Closures that are not tasks: methods of the user, like those of its class.
    pub(crate) methods: Vec<(String, FnPtr)>,
}

impl SetDeclaration {
    pub(super) fn new(order: Order) -> SetDeclaration {
        SetDeclaration {
            order,
            wait: None,
            wait_function: None,
            on_start: None,
            on_stop: None,
            tasks: Vec::new(),
            methods: Vec::new(),
        }
    }

    pub(super) fn functions_mut(&mut self) -> Vec<&mut FnPtr> {
        let hooks = [
            &mut self.wait_function,
            &mut self.on_start,
            &mut self.on_stop,
        ];
        let tasks = self.tasks.iter_mut();
        let mut all: Vec<_> = hooks.into_iter().flatten().collect();
        all.extend(self.methods.iter_mut().map(|(_, method)| method));
        all.extend(tasks.flat_map(|(_, task)| task.functions_mut()));
        all
    }
}

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("task_set", |context: NativeCallContext, tasks: Dynamic| {
            declare(&context, tasks, Order::Weighted)
        })
        .register_fn("sequence", |context: NativeCallContext, tasks: Dynamic| {
            declare(&context, tasks, Order::Sequence)
        });
}

fn declare(context: &NativeCallContext, tasks: Dynamic, order: Order) -> Result<TaskDeclaration> {
    let declarations = Declarations::required(context)?;
    let mut reading = Reading::new(order);
    match tasks.try_cast_result::<Map>() {
        Ok(map) => {
            for (key, value) in map {
                reading.key(&key, value);
            }
            // A set that was declared elsewhere stands where its serial says; the load-time
            // check wants it inside `task(…)` where the order counts.
            reading.set.tasks.sort_by_key(|(_, task)| task.serial);
        }
        Err(other) => {
            let kind = value::kind(&other);
            let Some(array) = other.try_cast::<Array>() else {
                let name = context.fn_name();
                let message = format!("`{name}` takes a map `#{{ … }}` or an array, not {kind}");
                return Err(message.into());
            };
            for (number, element) in (1..).zip(array) {
                match tasks::task(context, element) {
                    Ok(task) => {
                        let name = task.own_name().unwrap_or_else(|| format!("task_{number}"));
                        reading.set.tasks.push((name, task));
                    }
                    Err(wrong) => reading
                        .problems
                        .push((format!("task {number}: {wrong}"), None)),
                }
            }
        }
    }
    let tasks = &reading.set.tasks;
    if reading.problems.is_empty() && tasks.iter().all(|(_, task)| task.weight == 0) {
        let message = format!(
            "this `{}` has no task that could be picked",
            context.fn_name()
        );
        let hint = "add one: `read: task(|| { … })`".to_owned();
        reading.problems.push((message, Some(hint)));
    }
    for (message, hint) in &reading.problems {
        declarations.problem(context, message, hint.as_deref());
    }
    Ok(reading.finish(&declarations))
}

/// A set while it is read; errors are collected, so that all are reported at once.
pub(crate) struct Reading {
    pub(super) set: SetDeclaration,
    pub(super) problems: Vec<Problem>,
    weight: u32,
    name: Option<String>,
    tags: Vec<String>,
}

impl Reading {
    pub(super) fn new(order: Order) -> Reading {
        Reading {
            set: SetDeclaration::new(order),
            problems: Vec::new(),
            weight: 1,
            name: None,
            tags: Vec::new(),
        }
    }

    pub(super) fn finish(self, declarations: &Declarations) -> TaskDeclaration {
        TaskDeclaration {
            serial: declarations.next_serial(),
            weight: self.weight,
            name: self.name,
            tags: self.tags,
            body: TaskBody::Set(Box::new(self.set)),
        }
    }

    fn key(&mut self, key: &str, value: Dynamic) {
        let is_attribute = language::find(Kind::SetAttribute, key).is_some();
        let value = match value.try_cast_result::<TaskDeclaration>() {
            Ok(_) if is_attribute => {
                let message = format!("`{key}` is an attribute of a set: it cannot be a task");
                self.problem(message, "leave out `task`, or give it another name");
                return;
            }
            Ok(task) => {
                self.set.tasks.push((key.to_owned(), task));
                return;
            }
            Err(value) => value,
        };
        if is_attribute {
            self.attribute(key, &value);
            return;
        }
        match value.try_cast_result::<FnPtr>() {
            Ok(method) => self.set.methods.push((key.to_owned(), method)),
            Err(_) => self.problem(
                format!("`{key}` is no attribute of a set, no task and no method"),
                "the user's own data lives in the `state` of its class",
            ),
        }
    }

    /// Reads one of the attributes that all kinds of sets have.
    pub(super) fn attribute(&mut self, key: &str, value: &Dynamic) {
        let result = match key {
            "weight" => tasks::weight(value).map(|weight| self.weight = weight),
            "name" => match value::text(value) {
                Some(name) => {
                    self.name = Some(name);
                    Ok(())
                }
                None => Err(format!("`name` is text, not {}", value::kind(value))),
            },
            "tags" => tasks::tags(value).map(|tags| self.tags = tags),
            "wait_time" => class::wait(value).map(|(wait, function)| {
                self.set.wait = Some(wait);
                self.set.wait_function = function;
            }),
            _ => match value.read_lock::<FnPtr>() {
                Some(hook) => {
                    let own = if key == "on_start" {
                        &mut self.set.on_start
                    } else {
                        &mut self.set.on_stop
                    };
                    *own = Some(hook.clone());
                    Ok(())
                }
                None => {
                    let kind = value::kind(value);
                    Err(format!("`{key}` is a closure `|| {{ … }}`, not {kind}"))
                }
            },
        };
        if let Err(message) = result {
            self.problems.push((message, None));
        }
    }

    /// What is wrong with the value of an attribute, whatever the set.
    ///
    /// # Errors
    /// That.
    pub(crate) fn judge(key: &str, value: &Dynamic) -> Result<(), Problem> {
        let mut reading = Reading::new(Order::Weighted);
        reading.attribute(key, value);
        reading.problems.pop().map_or(Ok(()), Err)
    }

    pub(super) fn problem(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push((message.into(), Some(hint.into())));
    }
}
