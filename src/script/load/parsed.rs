//! A bundle as it was parsed, for whoever looks at a script without running it.
//!
//! Owns parsing in spite of variables that are not there; what is wrong is `check`'s to say.

use rhai::{AST, Engine, ParseError, ParseErrorType};

use super::bundle::{Bundle, File, parse};
use crate::script::api;

/// A file as it was parsed.
pub(crate) struct Parsed<'a> {
    pub(crate) file: &'a File,
    /// The tree, unless there is a syntax error.
    pub(crate) ast: Option<AST>,
    /// What the parser says. If it is that a variable is not there, there is a tree all the same.
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

/// A variable that is not there stops the parser: then it parses again without minding, so that
/// all other mistakes are found too.
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
