//! `shape(…)`: how many users over time, as stages, as a ready-made curve or as a closure.
//!
//! Owns reading it; the arithmetic is `load`'s. Which classes there are is known only when the
//! whole script has been evaluated: then the names in it are looked up.

use std::collections::BTreeMap;
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, FnPtr, Map, NativeCallContext};

use super::Declarations;
use super::ready;
use crate::language::{self, Kind};
use crate::load::{Division, Stage};
use crate::scenario::Shape;
use crate::scenario::names::did_you_mean;
use crate::script::diagnostic::{Diagnostic, found};
use crate::script::results::{Problem, Result};
use crate::script::value;
use crate::units::{Invalid, Rate};

/// What `shape(…)` declared.
pub(crate) struct ShapeDeclaration {
    /// A finding at the place of the call, without its message.
    pub(crate) place: Diagnostic,
    pub(crate) kind: ShapeKind,
}

pub(crate) enum ShapeKind {
    Stages(Vec<StageDeclaration>),
    /// A closure, and what `this` is in it at the first call.
    Closure(FnPtr, Map),
}

/// A stage whose classes have not been looked up yet.
pub(crate) struct StageDeclaration {
    length: Duration,
    users: Users,
    rate: Option<Rate>,
}

/// How many users, as a script says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    Total(u32),
    PerClass(BTreeMap<String, u32>),
}

impl ShapeDeclaration {
    /// The shape for these classes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn resolve(&self, classes: &[&str]) -> Result<Shape, Diagnostic> {
        match &self.kind {
            ShapeKind::Closure(..) => Ok(Shape::Script),
            ShapeKind::Stages(stages) => match resolve(stages, classes) {
                Ok((division, stages)) => Ok(Shape::Stages(division, stages)),
                Err((message, hint)) => {
                    let finding = Diagnostic {
                        message,
                        ..self.place.clone()
                    };
                    Err(match hint {
                        Some(hint) => finding.hint(hint),
                        None => finding,
                    })
                }
            },
        }
    }
}

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("shape", |context: NativeCallContext, map: Map| {
            declare(&context, described(&map))
        })
        .register_fn("shape", |context: NativeCallContext, function: FnPtr| {
            declare(&context, Ok(ShapeKind::Closure(function, Map::new())))
        })
        .register_fn(
            "shape",
            |context: NativeCallContext, name: &str, map: Map| {
                let stages = ready::stages(name, &map);
                let plain = |stage: Stage| StageDeclaration {
                    length: stage.length,
                    users: Users::Total(stage.users.iter().sum()),
                    rate: stage.rate,
                };
                let stages = stages.map(|stages| stages.into_iter().map(plain).collect());
                declare(&context, stages.map(ShapeKind::Stages))
            },
        );
}

fn declare(context: &NativeCallContext, kind: Result<ShapeKind, Problem>) -> Result<()> {
    let declarations = Declarations::required(context)?;
    let kind = match kind {
        Ok(kind) => kind,
        Err((message, hint)) => {
            declarations.problem(context, &message, hint.as_deref());
            return Ok(());
        }
    };
    let file = context.call_source().unwrap_or_default();
    let place = found(file, context.call_position(), "");
    let before = declarations
        .shape
        .replace(Some(ShapeDeclaration { place, kind }));
    if let Some(before) = before {
        let hint = format!(
            "the other one is at {}:{}",
            before.place.file, before.place.line
        );
        declarations.problem(context, "there are two shapes", Some(&hint));
    }
    Ok(())
}

/// A shape as its map describes it: by stages, or by a closure with a memory.
fn described(map: &Map) -> Result<ShapeKind, Problem> {
    let known = || language::of_kind(Kind::ShapeOption).map(|word| word.name);
    if let Some(other) = map.keys().find(|key| !known().any(|word| word == *key)) {
        return Err((
            format!("a shape has no `{other}`"),
            did_you_mean(other, known()),
        ));
    }
    let Some(tick) = map.get("tick") else {
        if map.contains_key("state") {
            let message = "a shape's `state` is for its `tick`, which is not there";
            let hint = "write `shape(#{ state: #{ step: 0 }, tick: |run_time| … })`";
            return Err((message.to_owned(), Some(hint.to_owned())));
        }
        return stages(map).map(ShapeKind::Stages);
    };
    if map.contains_key("stages") {
        let message = "a shape has either `stages` or a `tick`";
        let hint = "write the stages into the closure, or leave it out";
        return Err((message.to_owned(), Some(hint.to_owned())));
    }
    let tick = tick.read_lock::<FnPtr>().ok_or_else(|| {
        let hint = "write `tick: |run_time| [users, spawn_rate]`";
        let message = format!("`tick` is a closure, not {}", value::kind(tick));
        (message, Some(hint.to_owned()))
    })?;
    let state = map.get("state").map(|state| {
        let map = state.read_lock::<Map>().map(|map| map.clone());
        map.ok_or_else(|| {
            let hint = "write `state: #{ step: 0 }`, for `this.step` in the closure";
            let message = format!("`state` is a map, not {}", value::kind(state));
            (message, Some(hint.to_owned()))
        })
    });
    Ok(ShapeKind::Closure(
        tick.clone(),
        state.transpose()?.unwrap_or_default(),
    ))
}

fn stages(map: &Map) -> Result<Vec<StageDeclaration>, Problem> {
    let example = "write `shape(#{ stages: [ #{ duration: \"60s\", users: 100 } ] })`";
    let stages = map.get("stages").and_then(|it| it.read_lock::<Array>());
    let Some(stages) = stages.filter(|stages| !stages.is_empty()) else {
        let message = "a shape needs an array of `stages`, at least one";
        return Err((message.to_owned(), Some(example.to_owned())));
    };
    let mut begins = Duration::ZERO;
    let mut read = Vec::new();
    let mut first_key = None;
    for (index, value) in stages.iter().enumerate() {
        let number = index + 1;
        let stage = value.read_lock::<Map>().ok_or_else(|| {
            let message = format!("stage {number} is a map, not {}", value::kind(value));
            (message, Some(example.to_owned()))
        })?;
        let (key, stage) = stage_of(&stage, begins)
            .map_err(|(message, hint)| (format!("stage {number}: {message}"), hint))?;
        if *first_key.get_or_insert(key) != key {
            let message = format!(
                "stage {number} has `{key}`, the stages before it `{}`",
                first_key.unwrap_or_default()
            );
            let hint = "`duration` is a stage's length, `end` the moment it ends, counted from the \
                        start: say the same for all stages";
            return Err((message, Some(hint.to_owned())));
        }
        begins = begins.saturating_add(stage.length);
        read.push(stage);
    }
    Ok(read)
}

/// What is wrong with a stage by itself.
///
/// # Errors
/// That.
pub(crate) fn judge_stage(stage: &Dynamic) -> Result<(), Problem> {
    match stage.read_lock::<Map>() {
        Some(stage) => stage_of(&stage, Duration::ZERO).map(drop),
        None => Ok(()),
    }
}

/// What is wrong with the numbers of a ready-made shape.
///
/// # Errors
/// That.
pub(crate) fn judge_ready(name: &str, numbers: &Dynamic) -> Result<(), Problem> {
    match numbers.read_lock::<Map>() {
        Some(numbers) => ready::stages(name, &numbers).map(drop),
        None => Ok(()),
    }
}

/// A stage, and whether its length is given by `duration` or by `end`.
fn stage_of(map: &Map, begins: Duration) -> Result<(&'static str, StageDeclaration), Problem> {
    for key in map.keys() {
        if language::find(Kind::StageOption, key).is_none() {
            let known = language::of_kind(Kind::StageOption).map(|word| word.name);
            return Err((format!("it has no `{key}`"), did_you_mean(key, known)));
        }
    }
    let plain = |message: String| (message, None);
    let (key, length) = match (map.get("duration"), map.get("end")) {
        (Some(_), Some(_)) => {
            let hint = "`duration` is its length, `end` the moment it ends: say one of them";
            let message = "it has both a `duration` and an `end`";
            return Err((message.to_owned(), Some(hint.to_owned())));
        }
        (None, None) => {
            let hint = "say how long it lasts, such as `duration: \"60s\"`";
            return Err(("it has no `duration`".to_owned(), Some(hint.to_owned())));
        }
        (Some(length), None) => ("duration", length_of("duration", length).map_err(plain)?),
        (None, Some(end)) => {
            let end = length_of("end", end).map_err(plain)?;
            let Some(length) = end.checked_sub(begins).filter(|length| !length.is_zero()) else {
                let message = format!(
                    "its `end` of {} s is not after the one before it, {} s",
                    end.as_secs_f64(),
                    begins.as_secs_f64()
                );
                let hint = "`end` counts from the start of the run; a stage's length is `duration`";
                return Err((message, Some(hint.to_owned())));
            };
            ("end", length)
        }
    };
    if length.is_zero() {
        return Err(plain("it lasts for no time at all".to_owned()));
    }
    let users = map.get("users").ok_or_else(|| {
        let hint = "say how many to go to, such as `users: 100`";
        ("it has no `users`".to_owned(), Some(hint.to_owned()))
    })?;
    let users = Users::read(users).map_err(plain)?;
    let rate = map.get("spawn_rate").map(rate_of);
    let rate = rate.transpose().map_err(plain)?;
    Ok((
        key,
        StageDeclaration {
            length,
            users,
            rate,
        },
    ))
}

pub(super) fn length_of(key: &str, value: &Dynamic) -> Result<Duration, String> {
    value::duration(value).map_err(|wrong| format!("`{key}`: {wrong}"))
}

pub(super) fn users_of(key: &str, value: &Dynamic) -> Result<u32, String> {
    let whole = value::whole(value).and_then(|number| u32::try_from(number).ok());
    // What a curve computes is a float; half a user is none.
    #[expect(clippy::cast_possible_truncation, reason = "it is within u32")]
    #[expect(clippy::cast_sign_loss, reason = "it is not below zero")]
    let rounded = || {
        let number = value.as_float().ok()?.round();
        (0.0..=f64::from(u32::MAX))
            .contains(&number)
            .then_some(number as u32)
    };
    whole
        .or_else(rounded)
        .ok_or_else(|| format!("`{key}` is a number of users, not {}", shown(value)))
}

pub(crate) fn rate_of(value: &Dynamic) -> Result<Rate, String> {
    let rate = value::number(value).and_then(|rate| Rate::from_per_sec(rate).ok());
    let rate = rate.ok_or_else(|| {
        format!(
            "`spawn_rate` is a number of users a second above zero, not {}",
            shown(value)
        )
    })?;
    let slow = |wrong: Invalid| format!("`spawn_rate`: {}", wrong.problem());
    rate.of_users(&format!("{:?}", rate.per_sec()))
        .map_err(slow)
}

fn shown(value: &Dynamic) -> String {
    match value::number(value) {
        Some(_) => format!("`{value}`"),
        None => value::kind(value).to_owned(),
    }
}

impl Users {
    /// A number, or a map of one for each class.
    pub(crate) fn read(value: &Dynamic) -> Result<Users, String> {
        let Some(map) = value.read_lock::<Map>() else {
            return users_of("users", value).map(Users::Total);
        };
        let per_class = map
            .iter()
            .map(|(class, users)| Ok((class.to_string(), users_of(class, users)?)));
        let per_class = per_class.collect::<Result<_, String>>();
        per_class.map(Users::PerClass)
    }

    /// The numbers as a plan counts them. Zero users means zero of each class.
    pub(crate) fn numbers(
        &self,
        division: Division,
        classes: &[&str],
    ) -> Result<Vec<u32>, Problem> {
        match (self, division) {
            (Users::Total(users), Division::Mixed) => Ok(vec![*users]),
            (Users::Total(0), Division::PerClass(classes)) => Ok(vec![0; classes]),
            (Users::PerClass(users), Division::PerClass(_)) => {
                if let Some(unknown) = users.keys().find(|name| !classes.contains(&name.as_str())) {
                    let hint = did_you_mean(unknown, classes.iter().copied())
                        .unwrap_or_else(|| format!("the classes are {}", classes.join(", ")));
                    return Err((format!("there is no user class `{unknown}`"), Some(hint)));
                }
                let of = |class: &&str| users.get(*class).copied().unwrap_or(0);
                Ok(classes.iter().map(of).collect())
            }
            _ => {
                let message = "`users` is a number in one place and a map of classes in another";
                let hint = "say the same in all stages: one number for all classes, or a number \
                            for each class";
                Err((message.to_owned(), Some(hint.to_owned())))
            }
        }
    }

    /// What its numbers count; `None` for zero users, which fit both.
    pub(crate) fn division(&self, classes: usize) -> Option<Division> {
        match self {
            Users::Total(0) => None,
            Users::Total(_) => Some(Division::Mixed),
            Users::PerClass(_) => Some(Division::PerClass(classes)),
        }
    }
}

/// The stages as a plan takes them.
fn resolve(
    stages: &[StageDeclaration],
    classes: &[&str],
) -> Result<(Division, Vec<Stage>), Problem> {
    let divisions = stages
        .iter()
        .map(|stage| stage.users.division(classes.len()));
    let division = divisions.flatten().next().unwrap_or(Division::Mixed);
    let mut resolved = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        let users = stage.users.numbers(division, classes);
        let users =
            users.map_err(|(message, hint)| (format!("stage {}: {message}", index + 1), hint))?;
        resolved.push(Stage {
            length: stage.length,
            users,
            rate: stage.rate,
        });
    }
    Ok((division, resolved))
}
