//! Literal values in declarations: a weight, a time, a number of users.
//!
//! Validated by the same readers that load them, so that each mistake is reported at its own place
//! along with all others. Computed values are checked when the script is loaded.

use rhai::{Dynamic, Expr, Ident};

use super::error_at;
use crate::script::diagnostic::Diagnostic;
use crate::script::tree;

/// A mistake and perhaps a hint.
pub(super) type Problem = (String, Option<String>);

/// The problem that `read` finds with a literal value.
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

/// The problems that `read` finds with the values of these keys.
pub(super) fn validate_each<'a>(
    path: &'a str,
    entries: &'a [(Ident, Expr)],
    read: impl Fn(&str, &Dynamic) -> Result<(), Problem> + 'a,
) -> impl Iterator<Item = Diagnostic> + 'a {
    entries
        .iter()
        .filter_map(move |(key, value)| validate(path, value, |value| read(&key.name, value)))
}
