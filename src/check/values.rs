//! Values that are written out where something is declared: a weight, a time, a number of users.
//!
//! Judged by the very readers that load them, so that a mistake in one is told beside all others
//! and at its own place. What is computed is judged when the script is loaded.

use rhai::{Dynamic, Expr, Ident};

use super::error_at;
use crate::script::diagnostic::Diagnostic;
use crate::script::tree;

/// A mistake and perhaps a hint.
pub(super) type Problem = (String, Option<String>);

/// What `read` has against a value that is written out.
pub(super) fn validate(
    path: &str,
    value: &Expr,
    read: impl FnOnce(&Dynamic) -> Result<(), Problem>,
) -> Option<Diagnostic> {
    let (message, hint) = read(&value.get_literal_value(None)?).err()?;
    let width = match tree::string(value) {
        Some(text) => text.chars().count() + 2,
        None => 1,
    };
    let finding = error_at(path, value.start_position(), width, message);
    Some(match hint {
        Some(hint) => finding.hint(hint),
        None => finding,
    })
}

/// What `read` has against the values of these keys.
pub(super) fn validate_each<'a>(
    path: &'a str,
    entries: &'a [(Ident, Expr)],
    read: impl Fn(&str, &Dynamic) -> Result<(), Problem> + 'a,
) -> impl Iterator<Item = Diagnostic> + 'a {
    entries
        .iter()
        .filter_map(move |(key, value)| validate(path, value, |value| read(&key.name, value)))
}
