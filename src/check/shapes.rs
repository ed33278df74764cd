//! `shape(…)`: the keys of its maps, and the names of ready-made shapes, each at its own place.
//!
//! Validates literals. The resulting shape is checked when the script is loaded.

use rhai::{Expr, FnCallExpr, Ident};

use super::{error_at, values};
use crate::language::{self, Kind, shapes};
use crate::scenario::names::did_you_mean;
use crate::script::declare::shape::{judge_ready, judge_stage};
use crate::script::diagnostic::Diagnostic;
use crate::script::tree;

/// The findings in a call of `shape`.
pub(super) fn check(path: &str, call: &FnCallExpr) -> Vec<Diagnostic> {
    match &*call.args {
        [map] => stages(path, map),
        [name, map] => match tree::string(name) {
            Some(text) => ready(path, name, text, map),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn stages(path: &str, map: &Expr) -> Vec<Diagnostic> {
    let known: Vec<_> = language::of_kind(Kind::ShapeOption)
        .map(|word| word.name)
        .collect();
    let mut findings = Vec::new();
    for (key, value) in tree::map_entries(map).unwrap_or_default() {
        if !known.contains(&key.name.as_str()) {
            findings.push(unknown(path, key, "a shape", &known));
        } else if let Expr::Array(stages, _) = value {
            findings.extend(each_stage(path, stages));
        }
    }
    findings
}

fn each_stage(path: &str, stages: &[Expr]) -> Vec<Diagnostic> {
    let known: Vec<_> = language::of_kind(Kind::StageOption)
        .map(|word| word.name)
        .collect();
    let mut findings = Vec::new();
    for (number, stage) in (1..).zip(stages) {
        let keys = tree::map_entries(stage).unwrap_or_default().iter();
        let unknown: Vec<_> = keys
            .filter(|(key, _)| !known.contains(&key.name.as_str()))
            .map(|(key, _)| unknown(path, key, "a stage", &known))
            .collect();
        if unknown.is_empty() {
            let numbered = |(message, hint)| (format!("stage {number}: {message}"), hint);
            let read = |stage: &_| judge_stage(stage).map_err(numbered);
            findings.extend(values::validate(path, stage, read));
        }
        findings.extend(unknown);
    }
    findings
}

fn ready(path: &str, place: &Expr, name: &str, map: &Expr) -> Vec<Diagnostic> {
    let Some(shape) = shapes::ready(name) else {
        let known = || shapes::READY.iter().map(|shape| shape.name);
        let hint = did_you_mean(name, known())
            .unwrap_or_else(|| format!("there are {}", known().collect::<Vec<_>>().join(", ")));
        let message = format!("there is no ready-made shape `{name}`");
        let width = name.chars().count() + 2;
        return vec![error_at(path, place.position(), width, message).hint(hint)];
    };
    let known: Vec<_> = shape.key_names().collect();
    let entries = tree::map_entries(map).unwrap_or_default();
    let unknown_keys = entries
        .iter()
        .filter(|(key, _)| !known.contains(&key.name.as_str()));
    let what = format!("the shape `{name}`");
    let mut findings: Vec<_> = unknown_keys
        .map(|(key, _)| unknown(path, key, &what, &known))
        .collect();
    if findings.is_empty() {
        findings.extend(values::validate(path, map, |map| judge_ready(name, map)));
    }
    findings
}

fn unknown(path: &str, key: &Ident, what: &str, known: &[&str]) -> Diagnostic {
    let name = key.name.as_str();
    let hint = of_others(name)
        .map(str::to_owned)
        .or_else(|| did_you_mean(name, known.iter().copied()))
        .unwrap_or_else(|| format!("{what} takes {}", known.join(", ")));
    let message = format!("{what} has no `{name}`");
    error_at(path, key.pos, name.chars().count(), message).hint(hint)
}

/// Words of other tools.
fn of_others(name: &str) -> Option<&'static str> {
    Some(match name {
        "target" | "user_count" | "count" => "write `users`",
        "user_classes" | "classes" => {
            "a number for each class: `users: #{ Shopper: 10, Browser: 2 }`"
        }
        "rate" | "arrival_rate" | "hatch_rate" => "write `spawn_rate`",
        "time_limit" | "run_time" | "time" | "length" => "write `duration`",
        _ => return None,
    })
}
