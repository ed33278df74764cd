//! Reading a user class: the map that `user(name, #{…})` is given.
//!
//! Every key is an attribute, a task or a method; anything else is an error, and all errors are
//! reported at once. The load-time check finds most of them earlier, with better positions; this
//! covers maps that are put together at run time.

use std::time::Duration;

use rhai::{Array, Dynamic, FnPtr, Map};

use super::declare::{TaskBody, TaskDeclaration};
use super::http_options;
use super::task_table::TaskTable;
use crate::http;
use crate::language;
use crate::load::ClassShare;
use crate::scenario::{self, Wait};
use crate::script::api::fields::{FieldError, pairs};
use crate::script::api::headers;
use crate::script::results::Problem;
use crate::script::value;

/// A class as declared: plain data, and the functions that belong to it.
#[derive(Clone)]
pub(crate) struct ClassDeclaration {
    pub(crate) plan: scenario::Class,
    pub(crate) http: http::Options,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) auth: Option<(String, String)>,
    pub(crate) state: Map,
    pub(crate) on_start: Option<FnPtr>,
    pub(crate) on_stop: Option<FnPtr>,
    pub(crate) on_reload: Option<FnPtr>,
    pub(crate) wait: Option<FnPtr>,
    /// The functions of its tasks and sets, and what each of them is; the plan has the indices.
    pub(crate) functions: Vec<(String, FnPtr)>,
    /// Methods, and tasks under the names of their keys.
    pub(crate) methods: Vec<(String, FnPtr)>,
}

impl ClassDeclaration {
    fn named(name: &str) -> ClassDeclaration {
        ClassDeclaration {
            plan: scenario::Class {
                name: name.to_owned(),
                share: ClassShare {
                    weight: 1.0,
                    fixed_count: None,
                },
                host: None,
                wait: Wait::Constant(Duration::ZERO),
                tasks: Vec::new(),
                sets: Vec::new(),
            },
            http: http::Options::default(),
            headers: Vec::new(),
            auth: None,
            state: Map::new(),
            on_start: None,
            on_stop: None,
            on_reload: None,
            wait: None,
            functions: Vec::new(),
            methods: Vec::new(),
        }
    }
}

/// What is wrong with the value of an attribute, whatever the class.
///
/// # Errors
/// That.
pub(crate) fn judge(key: &str, value: &Dynamic) -> Result<(), Problem> {
    set(&mut ClassDeclaration::named(""), key, value)
}

/// Reads a class; the mistakes come with it.
pub(crate) fn read(name: &str, map: Map) -> (ClassDeclaration, Vec<Problem>) {
    let mut class = ClassDeclaration::named(name);
    let mut problems = Vec::new();
    let mut tasks = Vec::new();
    for (key, value) in map {
        let key = key.as_str();
        if let Some(task) = value.read_lock::<TaskDeclaration>() {
            if language::find(language::Kind::Attribute, key).is_some() {
                let message = format!("`{key}` is an attribute of a class: it cannot be a task");
                let hint = "leave out `task`, or give it another name".to_owned();
                problems.push((message, Some(hint)));
                continue;
            }
            if let TaskBody::Function(function) = &task.body {
                class.methods.push((key.to_owned(), function.clone()));
            }
            tasks.push((key.to_owned(), task.clone()));
            continue;
        }
        if let Err(problem) = set(&mut class, key, &value) {
            problems.push(problem);
        }
    }
    tasks.sort_by_key(|(_, task)| task.serial);
    let mut table = TaskTable::default();
    class.plan.tasks = table.lay_out(tasks, &[]);
    if let Err(names) = table.methods(&mut class.methods) {
        for method in names {
            let message = format!("several closures of the user class `{name}` are `{method}`");
            let hint = "closures in sets are methods of the user, `this.name(…)`: give each a name \
                        of its own";
            problems.push((message, Some(hint.to_owned())));
        }
    }
    (class.functions, class.plan.sets) = (table.functions, table.sets);
    if class.plan.tasks.iter().all(|task| task.weight == 0) {
        let message = format!("the user class `{name}` has no task that could be picked");
        let hint = "add one: `browse: task(|| { this.client.get(\"/\"); })`".to_owned();
        problems.push((message, Some(hint)));
    }
    (class, problems)
}

fn set(class: &mut ClassDeclaration, key: &str, value: &Dynamic) -> Result<(), Problem> {
    let wrong = |what: &str| {
        let found = match value::number(value) {
            Some(_) => value::shown(value),
            None => value::kind(value).to_owned(),
        };
        Err((format!("`{key}` is {what}, not {found}"), None))
    };
    if http_options::set(&mut class.http, key, value)? {
        return Ok(());
    }
    let closure = value.read_lock::<FnPtr>().map(|closure| closure.clone());
    let count = || match value::whole(value).and_then(|number| u32::try_from(number).ok()) {
        Some(count) => Ok(count),
        None => wrong("a whole number from 0").map(|()| 0),
    };
    let text = || match value::text(value) {
        Some(text) => Ok(text),
        None => wrong("text").map(|()| String::new()),
    };
    match key {
        "host" => class.plan.host = Some(text()?),
        "weight" => match value::number(value) {
            Some(weight) if weight >= 0.0 && weight.is_finite() => class.plan.share.weight = weight,
            _ => return wrong("a number from 0"),
        },
        "fixed_count" => class.plan.share.fixed_count = Some(count()?),
        "wait_time" => {
            (class.plan.wait, class.wait) = wait(value).map_err(|wrong| (wrong, None))?
        }
        "headers" => match pairs(value) {
            Ok(headers) => {
                headers::within(&headers).map_err(|wrong| (format!("`headers`: {wrong}"), None))?;
                class.headers = headers;
            }
            Err(FieldError::Value(what)) => return Err((format!("`headers`: {what}"), None)),
            Err(FieldError::Shape) => {
                return wrong("a map such as `#{ \"Accept\": \"text/html\" }`");
            }
        },
        "auth" => match credentials(value) {
            Some(auth) => class.auth = Some(auth),
            None => return wrong("`[\"user\", \"password\"]`"),
        },
        "state" => match value.read_lock::<Map>() {
            Some(state) if state.contains_key("client") => {
                let message = "`client` is the user's HTTP client: `state` cannot have it";
                return Err((message.to_owned(), Some("give it another name".to_owned())));
            }
            Some(state) => class.state = state.clone(),
            None => return wrong("a map"),
        },
        "on_start" | "on_stop" | "on_reload" => {
            let Some(closure) = closure else {
                return wrong("a closure `|| { … }`");
            };
            let hook = match key {
                "on_start" => &mut class.on_start,
                "on_stop" => &mut class.on_stop,
                _ => &mut class.on_reload,
            };
            *hook = Some(closure);
        }
        _ if language::find(language::Kind::Attribute, key).is_some() => {
            let message = format!("`{key}` is not in this version of Katydid yet");
            return Err((message, None));
        }
        _ => match closure {
            Some(closure) => class.methods.push((key.to_owned(), closure)),
            None => return Err(unknown(key)),
        },
    }
    Ok(())
}

fn unknown(key: &str) -> Problem {
    let message = format!("`{key}` is no attribute of a user class, no task and no method");
    (
        message,
        Some("the user's own data lives in `state`".to_owned()),
    )
}

/// A `wait_time`; the closure of a [`Wait::Script`] comes with it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn wait(value: &Dynamic) -> Result<(Wait, Option<FnPtr>), String> {
    if let Some(wait) = value.read_lock::<Wait>() {
        return Ok((wait.clone(), None));
    }
    if let Some(closure) = value.read_lock::<FnPtr>() {
        return Ok((Wait::Script, Some(closure.clone())));
    }
    match value::duration(value) {
        Ok(length) => Ok((Wait::Constant(length), None)),
        Err(wrong) => Err(format!("`wait_time`: {wrong}")),
    }
}

/// `["user", "password"]`.
pub(crate) fn credentials(value: &Dynamic) -> Option<(String, String)> {
    match value.read_lock::<Array>()?.as_slice() {
        [user, password] => Some((value::text(user)?, value::text(password)?)),
        _ => None,
    }
}
