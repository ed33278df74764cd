//! A bundle as it was parsed, for looking at a script without running it.
//!
//! Owns parsing in spite of undefined variables; `check` reports what is wrong.

use rhai::{AST, Engine, ParseError, ParseErrorType};

use super::bundle::{Bundle, File, parse};
use crate::script::api;

/// A file as it was parsed.
pub(crate) struct Parsed<'a> {
    pub(crate) file: &'a File,
    /// The tree, unless there is a syntax error.
    pub(crate) ast: Option<AST>,
    /// The parser's error. If that is an undefined variable, there is a tree all the same.
    pub(crate) error: Option<ParseError>,
}

/// The files of a bundle as they are parsed for running them.
#[must_use]
pub(crate) fn parsed(bundle: &Bundle) -> Vec<Parsed<'_>> {
    let strict = parser();
    let mut lenient = super::parser::parser();
    lenient.set_strict_variables(false);
    let parsed = bundle.files().iter().map(|file| {
        let (ast, error) = parse_on(&strict, &lenient, file);
        Parsed { file, ast, error }
    });
    parsed.collect()
}

/// An engine that parses what users run, and has all functions that they may call.
#[must_use]
pub(crate) fn parser() -> Engine {
    let mut engine = super::parser::parser();
    api::register(&mut engine);
    engine
}

/// An undefined variable stops the parser; the file is then parsed again in a mode that allows
/// them, so that all other errors are found too.
fn parse_on(strict: &Engine, lenient: &Engine, file: &File) -> (Option<AST>, Option<ParseError>) {
    match parse(strict, file) {
        Ok(ast) => (Some(ast), None),
        Err(error) => match error.err_type() {
            ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_) => {
                (parse(lenient, file).ok(), Some(error))
            }
            _ => (None, Some(error)),
        },
    }
}
