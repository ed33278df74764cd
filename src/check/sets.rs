//! Task sets: which there are and which classes have them; their keys, states and transitions.
//!
//! Validates map literals, as `attributes` does for classes; what the closures in them do is
//! checked where they are walked.

use rhai::{Expr, Ident, Position};

use super::attributes::{self, Value};
use super::bundle::{Bundle, Literal};
use super::{error_at, habits, values};
use crate::language::{self, Kind};
use crate::scenario::names;
use crate::scenario::names::did_you_mean;
use crate::script::declare::Reading;
use crate::script::diagnostic::Diagnostic;
use crate::script::tree;

/// How deeply constants and sets are followed.
const DEEPEST: usize = 32;

/// A call of `task_set`, `sequence` or `markov`.
pub(super) struct Set<'a> {
    pub(super) file: usize,
    name: &'a str,
    /// What it is given.
    argument: &'a Expr,
    /// The map literals it is made of.
    literals: Vec<Literal<'a>>,
}

/// Something that stands in a set and may be a task or a closure.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) file: usize,
    /// `None` in an array.
    pub(super) key: Option<&'a str>,
    pub(super) value: &'a Expr,
}

impl<'a> Set<'a> {
    /// The set that a call declares, if it is one.
    pub(super) fn of(
        bundle: &Bundle<'a>,
        file: usize,
        call: &'a rhai::FnCallExpr,
    ) -> Option<Set<'a>> {
        let [argument] = &*call.args else { return None };
        let name = call.name.as_str();
        let is_set = matches!(name, "task_set" | "sequence" | "markov") && !call.is_qualified();
        is_set.then(|| Set {
            file,
            name,
            argument,
            literals: bundle.resolve(file, argument).0,
        })
    }

    /// Its contents, as far as they can be seen: keys, elements, what its states run.
    pub(super) fn members(&self) -> Vec<Member<'a>> {
        let mut members = Vec::new();
        if let Expr::Array(elements, _) = self.argument {
            members.extend(elements.iter().map(|value| Member {
                file: self.file,
                key: None,
                value,
            }));
        }
        for literal in &self.literals {
            for (key, value) in tree::map_entries(literal.map).unwrap_or_default() {
                let file = literal.file;
                if self.name != "markov" || key.name != "states" {
                    let key = Some(key.name.as_str());
                    members.push(Member { file, key, value });
                    continue;
                }
                for (state, map) in tree::map_entries(value).unwrap_or_default() {
                    let parts = tree::map_entries(map).unwrap_or_default();
                    let runs = parts.iter().filter(|(part, _)| part.name == "run");
                    members.extend(runs.map(|(_, value)| Member {
                        file,
                        key: Some(state.name.as_str()),
                        value,
                    }));
                }
            }
        }
        members
    }
}

/// The sets that a class's values lead to, by their index in the bundle.
#[derive(Default)]
pub(super) struct ReachableSets {
    pub(super) sets: Vec<usize>,
    /// True if something could not be followed, so that sets may be missing.
    pub(super) is_open: bool,
}

impl ReachableSets {
    /// Follows the value of a key or an element.
    pub(super) fn follow<'a>(&mut self, bundle: &Bundle<'a>, file: usize, value: &'a Expr) {
        self.follow_within(bundle, file, value, DEEPEST);
    }

    fn follow_within<'a>(
        &mut self,
        bundle: &Bundle<'a>,
        file: usize,
        value: &'a Expr,
        depth: usize,
    ) {
        let Some(depth) = depth.checked_sub(1) else {
            self.is_open = true;
            return;
        };
        if tree::closure(value).is_some() {
            return;
        }
        match value {
            Expr::FnCall(call, _) if call.is_qualified() => self.is_open = true,
            Expr::FnCall(call, _) if call.name == "task" => {
                if let Some(body) = call.args.last() {
                    self.follow_within(bundle, file, body, depth);
                }
            }
            Expr::FnCall(call, _) => {
                let declares = |set: &Set| {
                    let argument = call.args.first();
                    argument.is_some_and(|argument| std::ptr::eq(argument, set.argument))
                };
                let Some(index) = bundle.sets.iter().position(declares) else {
                    self.is_open |= language::find(Kind::Function, &call.name).is_none();
                    return;
                };
                if !self.sets.contains(&index) {
                    self.sets.push(index);
                    for member in bundle.sets[index].members() {
                        self.follow_within(bundle, member.file, member.value, depth);
                    }
                }
            }
            Expr::Variable(..) => match bundle.constant(file, value) {
                Some(constant) => self.follow_within(bundle, file, constant, depth),
                None => self.is_open = true,
            },
            Expr::Map(..) | Expr::Array(..) | Expr::InterpolatedString(..) => {}
            _ => self.is_open |= !value.is_constant(),
        }
    }
}

/// The findings in all sets of the bundle.
pub(super) fn check(bundle: &Bundle<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for set in &bundle.sets {
        for literal in &set.literals {
            let path = bundle.scripts[literal.file].path;
            let entries = tree::map_entries(literal.map).unwrap_or_default();
            if set.name == "markov" {
                findings.extend(chain(path, entries));
                continue;
            }
            for (key, value) in entries {
                findings.extend(member(bundle, set, literal.file, key, value));
            }
        }
    }
    findings
}

fn member(
    bundle: &Bundle<'_>,
    set: &Set<'_>,
    file: usize,
    key: &Ident,
    value: &Expr,
) -> Option<Diagnostic> {
    let path = bundle.scripts[file].path;
    let name = key.name.as_str();
    if language::find(Kind::SetAttribute, name).is_some() {
        return values::validate(path, value, |value| Reading::judge(name, value));
    }
    let kind = attributes::value_of(bundle, file, value);
    if kind == Value::Data {
        let known = language::of_kind(Kind::SetAttribute).map(|word| word.name);
        let hint = did_you_mean(name, known)
            .or_else(|| habits::attribute(name).map(str::to_owned))
            .unwrap_or_else(|| {
                format!("a task is `{name}: task(|| {{ … }})`; data lives in the class's `state`")
            });
        let message = format!("unknown attribute `{name}` of `{}`", set.name);
        return Some(at(path, key.pos, name, message, hint));
    }
    if set.name == "sequence" && kind == Value::Task && tree::variable(value).is_some() {
        let variable = tree::variable(value).unwrap_or_default();
        let message =
            format!("`{variable}` was declared before: its place in the sequence is lost");
        let hint = format!("write `{name}: task({variable})`");
        return Some(at(path, value.position(), variable, message, hint));
    }
    None
}

/// The findings in the map that `markov` is given.
fn chain(path: &str, entries: &[(Ident, Expr)]) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (key, value) in entries {
        findings.extend(unknown_option(path, key, Kind::MarkovOption, "`markov`"));
        if matches!(
            &*key.name,
            "weight" | "wait_time" | "name" | "on_start" | "on_stop"
        ) {
            let read = |value: &_| Reading::judge(&key.name, value);
            findings.extend(values::validate(path, value, read));
        }
    }
    let value_of = |name: &str| entries.iter().find(|(key, _)| key.name == name);
    let Some((_, states)) = value_of("states") else {
        return findings;
    };
    let Some(states) = tree::map_entries(states) else {
        return findings;
    };
    let names: Vec<_> = states.iter().map(|(name, _)| name.name.as_str()).collect();
    if let Some((_, first)) = value_of("first") {
        findings.extend(target(path, first, &names, "`first`"));
    }
    for (name, state) in states {
        let Some(parts) = tree::map_entries(state) else {
            continue;
        };
        let what = format!("the state `{}`", name.name);
        for (key, value) in parts {
            findings.extend(unknown_option(path, key, Kind::StateOption, &what));
            if key.name != "next" {
                continue;
            }
            if let Some(weights) = tree::map_entries(value) {
                let targets = weights.iter().map(|(to, _)| (to.name.as_str(), to.pos));
                findings.extend(
                    targets.filter_map(|(to, place)| unknown_state(path, to, place, &names, &what)),
                );
            } else if let Expr::Array(targets, _) = value {
                let targets = targets.iter();
                findings.extend(targets.filter_map(|to| target(path, to, &names, &what)));
            } else {
                findings.extend(target(path, value, &names, &what));
            }
        }
        for needed in ["run", "next"] {
            if parts.iter().all(|(key, _)| key.name != needed) {
                let message = format!("{what} has no `{needed}`");
                let form = format!("write `{}: #{{ run: || {{ … }}, next: \"…\" }}`", name.name);
                findings.push(at(path, name.pos, &name.name, message, form));
            }
        }
    }
    findings
}

/// The name of a state, if it is written as text.
fn target(path: &str, value: &Expr, names: &[&str], what: &str) -> Option<Diagnostic> {
    unknown_state(path, tree::string(value)?, value.position(), names, what)
}

fn unknown_state(
    path: &str,
    name: &str,
    position: Position,
    names: &[&str],
    what: &str,
) -> Option<Diagnostic> {
    if names.contains(&name) {
        return None;
    }
    let hint = names::hint(name, names.iter().copied(), "the states are");
    let message = format!("{what} names `{name}`, which is no state");
    Some(at(path, position, name, message, hint))
}

fn unknown_option(path: &str, key: &Ident, kind: Kind, what: &str) -> Option<Diagnostic> {
    let name = key.name.as_str();
    if language::find(kind, name).is_some() {
        return None;
    }
    let known: Vec<_> = language::of_kind(kind).map(|word| word.name).collect();
    let hint = if name == "tags" {
        "without some of its states a chain is another one; tag it as a whole: \
         `task(#{ tags: [\"slow\"] }, markov(…))`"
            .to_owned()
    } else {
        names::hint(name, known, "there are")
    };
    let message = format!("{what} has no option `{name}`");
    Some(at(path, key.pos, name, message, hint))
}

fn at(
    path: &str,
    position: Position,
    name: &str,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Diagnostic {
    error_at(path, position, name.chars().count(), message).hint(hint)
}
