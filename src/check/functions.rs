//! Functions of the bundle: twins, names of the language taken, closures that cannot be told
//! apart.
//!
//! Checks definitions; calls are checked by `calls`.

use std::collections::HashMap;

use super::bundle::{Bundle, Script};
use super::error_at;
use crate::language::{self, Kind};
use crate::script::diagnostic::Diagnostic;
use crate::script::tree::{Function, line_and_column};

/// The findings in all functions of the bundle.
pub(super) fn check(bundle: &Bundle<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut first = HashMap::new();
    for script in bundle.scripts {
        for function in &script.functions {
            let (name, arity) = (function.name.as_str(), function.parameters.len());
            let (line, _) = line_and_column(function.position);
            let key = (name, arity, function.this_type.as_deref());
            // The parser reports two in one file, but it cannot see other files.
            if let Some(place) = first.get(&key) {
                let message = if function.is_closure() {
                    "this closure has a twin in another file, and Rhai takes one for the other"
                        .to_owned()
                } else {
                    let parameters = if arity == 1 {
                        "parameter"
                    } else {
                        "parameters"
                    };
                    format!("there are two functions `{name}` with {arity} {parameters}")
                };
                let hint = if function.is_closure() {
                    format!("it is at {place}; add an empty line above this one")
                } else {
                    format!("the other one is at {place}; the wrong one could be called")
                };
                findings.push(at_name(script, function, message).hint(hint));
                continue;
            }
            first.insert(key, format!("{}:{line}", script.path));
            let word = language::find(Kind::Function, name).filter(|word| word.takes(arity));
            if let Some(word) = word
                && !function.is_closure()
                && function.this_type.is_none()
            {
                let message = format!("`{name}` is a word of the language ({})", word.doc);
                let finding = at_name(script, function, message);
                findings.push(finding.hint("give the function another name"));
            }
        }
    }
    findings
}

/// An error at the name of a function: Rhai keeps only where the body begins.
fn at_name(script: &Script<'_>, function: &Function, message: String) -> Diagnostic {
    let (body_line, _) = line_and_column(function.position);
    let name = function.name.as_str();
    let before = script.text.lines().take(body_line as usize);
    let definition = (1..).zip(before).filter_map(|(line, text)| {
        let start = text.find("fn ")? + "fn ".len();
        let start = start + text[start..].find(|c: char| !c.is_whitespace())?;
        let rest = text[start..].strip_prefix(name)?;
        let is_whole = rest.trim_start().starts_with('(');
        is_whole.then(|| (line, text[..start].chars().count()))
    });
    let finding = error_at(script.path, function.position, 1, message);
    match definition.last() {
        Some((line, columns)) => {
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            finding.at(line, number(columns + 1), number(name.chars().count()))
        }
        None => finding,
    }
}
