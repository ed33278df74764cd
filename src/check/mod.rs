//! The load-time check: everything wrong with a bundle of scripts that can be seen without running
//! it.
//!
//! A pure function from parsed files to findings. When something cannot be seen (a class built by a
//! function, a method of an unknown value) it stays silent; what the script really declares is
//! checked again when it is loaded.

mod attributes;
mod bundle;
mod calls;
mod captures;
mod chains;
mod functions;
mod habits;
mod natives;
mod numbers;
mod sets;
mod shapes;
mod sharing;
mod syntax;
mod undefined;
mod users;
mod values;
mod walk;

#[cfg(test)]
mod tests;

use rhai::{AST, ParseError, Position};

use self::bundle::{Bundle, Script};
pub(crate) use self::natives::NativeFunctions;
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::parsed::{self, parsed};
use crate::script::{self, tree};

/// One file of a bundle as the loader read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceFile<'a> {
    /// Its name as people know it; imports are matched with its end.
    pub(crate) path: &'a str,
    /// Its text as it was parsed.
    pub(crate) text: &'a str,
    /// Its syntax tree, parsed without optimisation, unless it has a syntax error.
    pub(crate) ast: Option<&'a AST>,
    /// The parser's error. There may be a tree as well: after an undefined variable, a second parse
    /// without strict variables gives one, so that all other mistakes are found too.
    pub(crate) parse_error: Option<&'a ParseError>,
}

/// The load-time check: everything wrong with a bundle that can be seen without running it. Costs
/// what parsing it costs, and some 15 µs a line in a debug build.
#[must_use]
pub fn check(files: &script::Bundle) -> Diagnostics {
    let parsed = parsed(files);
    let sources = parsed.iter().map(|parsed| SourceFile {
        path: &parsed.file.path,
        text: &parsed.file.text,
        ast: parsed.ast.as_ref(),
        parse_error: parsed.error.as_ref(),
    });
    let sources: Vec<_> = sources.collect();
    let natives = NativeFunctions::of_engine(&parsed::parser());
    let mut findings = check_files(&sources, &natives);
    findings.extend(files.missing_imports());
    findings
}

/// All findings in files of which the first is the main script.
///
/// `natives` are the functions of the engine that will run it. Costs some 15 µs a line in a
/// debug build; functions' bodies are copied once.
#[must_use]
fn check_files(files: &[SourceFile<'_>], natives: &NativeFunctions) -> Diagnostics {
    let syntax = files.iter().filter_map(|file| {
        let error = file.parse_error?;
        Some(syntax::explain(file.path, file.text, error))
    });
    let mut findings: Diagnostics = syntax.collect();
    let scripts: Vec<Script> = files
        .iter()
        .filter_map(|file| {
            let ast = file.ast?;
            Some(Script {
                path: file.path,
                text: file.text,
                statements: ast.statements(),
                functions: tree::functions(ast),
            })
        })
        .collect();
    let undefined = files.iter().filter(|file| file.ast.is_some());
    for (script, file) in scripts.iter().zip(undefined) {
        let further = file
            .parse_error
            .map(|error| undefined::check(script, error));
        findings.extend(further.unwrap_or_default());
    }
    let bundle = Bundle::new(&scripts, scripts.len() == files.len());
    let mut found = functions::check(&bundle);
    found.extend(attributes::check(&bundle));
    found.extend(sets::check(&bundle));
    for file in 0..scripts.len() {
        found.extend(walk::check(&bundle, natives, file));
    }
    findings.extend(found);
    findings
}

/// An error at a position of Rhai's, over a name of that many characters.
fn error_at(
    path: &str,
    position: Position,
    width: usize,
    message: impl Into<String>,
) -> Diagnostic {
    let (line, column) = tree::line_and_column(position);
    let width = u32::try_from(width).unwrap_or(u32::MAX);
    Diagnostic::error(path, message).at(line, column, width)
}

/// The error for a word of the language that this version does not have yet.
fn not_yet(path: &str, position: Position, name: &str) -> Diagnostic {
    let width = name.chars().count();
    let message = format!("`{name}` is not in this version of Katydid yet");
    error_at(path, position, width, message)
}
