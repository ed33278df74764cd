//! The check as tables: scripts and the findings in them, rendered.
//!
//! The engine here has Rhai's own functions only: what the language adds must come from the table
//! of words.

mod classes;
mod members;
mod numbers;
mod parsing;
mod sets;
mod shapes;
mod sharing;
mod valid;

use rhai::{Engine, OptimizationLevel, ParseErrorType};

use super::{NativeFunctions, SourceFile};
use crate::script::diagnostic::{Colours, Diagnostics};

fn engine(strict: bool) -> Engine {
    let mut engine = Engine::new();
    engine.set_strict_variables(strict);
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_expr_depths(256, 256);
    engine
}

/// Checks files as the loader does: a file with an undefined variable is parsed again without
/// strict variables.
fn check_files(files: &[(&str, &str)]) -> Diagnostics {
    let strict = engine(true);
    let parsed: Vec<_> = files
        .iter()
        .map(|(_, text)| match strict.compile(text) {
            Ok(ast) => (Some(ast), None),
            Err(error) => match error.err_type() {
                ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_) => {
                    (engine(false).compile(text).ok(), Some(error))
                }
                _ => (None, Some(error)),
            },
        })
        .collect();
    let sources: Vec<_> = files
        .iter()
        .zip(&parsed)
        .map(|((path, text), (ast, error))| SourceFile {
            path,
            text,
            ast: ast.as_ref(),
            parse_error: error.as_ref(),
        })
        .collect();
    super::check_files(&sources, &NativeFunctions::of_engine(&strict))
}

/// The findings of one file as single lines: `1:5: message; hint: …`.
fn lines(script: &str) -> String {
    lines_of(&[("s.rhai", script)]).replace("s.rhai:", "")
}

fn lines_of(files: &[(&str, &str)]) -> String {
    let findings = check_files(files);
    let lines = findings.iter().map(|finding| {
        let line = finding.to_string();
        line.strip_prefix("error: ")
            .map_or(line.clone(), str::to_owned)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The findings in what a task does, in a class with a state of `token` and `cart`, a method
/// `price_of` of one argument and a task `browse`. The task's body begins in line 1.
fn in_task(body: &str) -> String {
    lines(&format!(
        "user(\"Shopper\", #{{ work: task(|| {{ {body} }}),\n\
         state: #{{ token: (), cart: [] }}, price_of: |id| id + 1, browse: task(3, || {{ }}) }});"
    ))
}

fn rendered(script: &str) -> String {
    check_files(&[("s.rhai", script)]).render(|_| Some(script), Colours::Plain)
}
