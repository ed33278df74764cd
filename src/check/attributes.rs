//! Classes: their keys, their tasks, their names; and the options given to `task`, `options` and
//! `param`.
//!
//! Validates map literals; what the closures in them do is checked where they are walked.

use std::collections::{HashMap, HashSet};

use rhai::{Expr, FnCallExpr, Ident};

use super::bundle::{Bundle, Class, Literal};
use super::{error_at, habits, not_yet, shapes, values};
use crate::language::{self, Kind};
use crate::scenario::Options;
use crate::scenario::names::did_you_mean;
use crate::script::class;
use crate::script::declare::{judge_option, set_option};
use crate::script::diagnostic::Diagnostic;
use crate::script::tree;

/// What a key of a class is, as far as its value tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Task,
    Method,
    /// Certainly neither a task nor a method.
    Data,
    Unknown,
}

/// The findings in all classes of the bundle.
pub(super) fn check(bundle: &Bundle<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut seen = HashSet::new();
    for class in &bundle.classes {
        for literal in &class.literals {
            // One base may serve many classes.
            if seen.insert(std::ptr::from_ref(literal.map)) {
                keys(bundle, *literal, &mut findings);
            }
        }
        findings.extend(without_task(bundle, class));
    }
    findings.extend(duplicate_names(bundle));
    findings
}

fn keys(bundle: &Bundle<'_>, literal: Literal<'_>, findings: &mut Vec<Diagnostic>) {
    let path = bundle.scripts[literal.file].path;
    for (key, value) in tree::map_entries(literal.map).unwrap_or_default() {
        let name = key.name.as_str();
        if let Some(word) = language::find(Kind::Attribute, name) {
            if !word.available {
                findings.push(not_yet(path, key.pos, name));
            }
            if name == "state" && tree::map_entries(value).is_some() {
                findings.extend(reserved_state(path, value));
            } else if word.available {
                findings.extend(values::validate(path, value, |value| {
                    class::judge(name, value)
                }));
            }
        } else if name == "client" {
            let message = "`client` is reserved: it is the user's HTTP client";
            findings.push(error_at(path, key.pos, 6, message).hint("give it another name"));
        } else if value_of(bundle, literal.file, value) == Value::Data {
            findings.push(unknown_attribute(path, key));
        }
    }
}

fn unknown_attribute(path: &str, key: &Ident) -> Diagnostic {
    let name = key.name.as_str();
    let known = language::of_kind(Kind::Attribute).map(|word| word.name);
    let hint = habits::attribute(name)
        .map(str::to_owned)
        .or_else(|| did_you_mean(name, known))
        .unwrap_or_else(|| {
            format!(
                "the user's own data lives in `state: #{{ {name}: … }}`; a task is \
                 `{name}: task(|| {{ … }})`"
            )
        });
    let message = format!("unknown attribute `{name}`");
    error_at(path, key.pos, name.chars().count(), message).hint(hint)
}

fn reserved_state(path: &str, value: &Expr) -> Option<Diagnostic> {
    let entries = tree::map_entries(value)?;
    let (key, _) = entries.iter().find(|(key, _)| key.name == "client")?;
    let message = "`client` is reserved: it is the user's HTTP client";
    Some(error_at(path, key.pos, 6, message).hint("give it another name"))
}

pub(super) fn value_of<'a>(bundle: &Bundle<'a>, file: usize, value: &'a Expr) -> Value {
    if tree::closure(value).is_some() {
        return Value::Method;
    }
    match value {
        Expr::FnCall(call, _) if call.is_operator_call() => Value::Data,
        Expr::FnCall(call, _) if call.is_qualified() => Value::Unknown,
        Expr::FnCall(call, _) => match call.name.as_str() {
            "task" | "task_set" | "sequence" | "markov" => Value::Task,
            "Fn" | "curry" => Value::Method,
            name if language::find(Kind::Function, name).is_some() => Value::Data,
            _ => Value::Unknown,
        },
        Expr::DynamicConstant(..) => Value::Unknown,
        Expr::Variable(..) => match bundle.constant(file, value) {
            Some(constant) => value_of(bundle, file, constant),
            None => Value::Unknown,
        },
        Expr::Map(..) | Expr::Array(..) | Expr::InterpolatedString(..) => Value::Data,
        _ if value.is_constant() => Value::Data,
        _ => Value::Unknown,
    }
}

fn without_task(bundle: &Bundle<'_>, class: &Class<'_>) -> Option<Diagnostic> {
    if !class.complete {
        return None;
    }
    let has_task = class.literals.iter().any(|literal| {
        let entries = tree::map_entries(literal.map).unwrap_or_default();
        entries.iter().any(|(key, value)| {
            language::find(Kind::Attribute, &key.name).is_none()
                && matches!(
                    value_of(bundle, literal.file, value),
                    Value::Task | Value::Unknown
                )
        })
    });
    if has_task {
        return None;
    }
    let path = bundle.scripts[class.file].path;
    let (what, width) = match class.name {
        Some(name) => (format!("`{name}`"), name.chars().count() + 2),
        None => ("a class".to_owned(), 1),
    };
    let finding = error_at(
        path,
        class.name_position,
        width,
        format!("{what} has no task"),
    );
    Some(finding.hint("write `browse: task(|| { … })`; a closure without `task` is a method"))
}

fn duplicate_names(bundle: &Bundle<'_>) -> Vec<Diagnostic> {
    let mut first = HashMap::new();
    let mut findings = Vec::new();
    for class in bundle.classes.iter().filter(|class| class.is_certain) {
        let Some(name) = class.name else { continue };
        let path = bundle.scripts[class.file].path;
        let (line, _) = tree::line_and_column(class.name_position);
        if let Some(place) = first.get(name) {
            let message = format!("there are two classes of the name `{name}`");
            let width = name.chars().count() + 2;
            findings.push(
                error_at(path, class.name_position, width, message)
                    .hint(format!("the other one is at {place}")),
            );
        } else {
            first.insert(name, format!("{path}:{line}"));
        }
    }
    findings
}

/// The options of a call: their names against the table.
pub(super) fn options(path: &str, call: &FnCallExpr) -> Vec<Diagnostic> {
    if call.name == "shape" {
        return shapes::check(path, call);
    }
    let (kind, map) = match (call.name.as_str(), &*call.args) {
        ("task", [map, _]) => (Kind::TaskOption, map),
        ("options", [map]) => (Kind::ScenarioOption, map),
        ("param", [_, _, map]) => (Kind::ParamOption, map),
        ("http_client", [map]) => (Kind::ClientOption, map),
        ("record", [map]) => (Kind::RecordOption, map),
        ("csv", [_, map]) => (Kind::CsvOption, map),
        ("json_file" | "lines" | "rows", [_, map]) => (Kind::DataOption, map),
        _ => return Vec::new(),
    };
    let entries = tree::map_entries(map).unwrap_or_default();
    let unknown = entries.iter().filter_map(|(key, _)| {
        let name = key.name.as_str();
        if let Some(word) = language::find(kind, name) {
            return (!word.available).then(|| not_yet(path, key.pos, name));
        }
        let known: Vec<_> = language::of_kind(kind)
            .filter(|word| word.available)
            .map(|word| word.name)
            .collect();
        let hint = did_you_mean(name, known.iter().copied())
            .unwrap_or_else(|| format!("`{}` takes {}", call.name, known.join(", ")));
        let message = format!("unknown option `{name}` of `{}`", call.name);
        Some(error_at(path, key.pos, name.chars().count(), message).hint(hint))
    });
    let mut findings: Vec<_> = unknown.collect();
    findings.extend(wrong_values(path, call, map));
    findings
}

/// The values of known options, and a task's weight.
fn wrong_values(path: &str, call: &FnCallExpr, map: &Expr) -> Vec<Diagnostic> {
    let plain = |message: String| (message, None);
    let entries = tree::map_entries(map);
    match (call.name.as_str(), entries) {
        ("task", None) => {
            let read = |value: &_| judge_option("weight", value).map_err(plain);
            // Anything but numbers and text may be a computed map.
            let is_plain = matches!(
                map,
                Expr::IntegerConstant(..) | Expr::FloatConstant(..) | Expr::StringConstant(..)
            );
            let problems = is_plain.then(|| values::validate(path, map, read));
            problems.flatten().into_iter().collect()
        }
        ("task", Some(entries)) => {
            let read = move |key: &str, value: &_| judge_option(key, value).map_err(plain);
            values::validate_each(path, entries, read).collect()
        }
        ("options", Some(entries)) => {
            let is_known = |key: &str| {
                language::find(Kind::ScenarioOption, key).is_some_and(|word| word.available)
            };
            let read = move |key: &str, value: &_| match is_known(key) {
                true => set_option(&mut Options::default(), key, value).map_err(plain),
                false => Ok(()),
            };
            values::validate_each(path, entries, read).collect()
        }
        _ => Vec::new(),
    }
}
