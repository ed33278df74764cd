//! Integer literals of more than 64 bits, which Rhai silently turns into floats. Numbers from
//! elsewhere are not seen here.

use rhai::Position;

use crate::script::diagnostic::Diagnostic;
use crate::script::tree;

/// The finding for a float in the tree; none if it was written as one.
pub(super) fn rounded(
    path: &str,
    text: &str,
    value: f64,
    position: Position,
) -> Option<Diagnostic> {
    // A smaller whole number would not have become a float.
    if value.abs() < 9e18 {
        return None;
    }
    let (line, column) = tree::line_and_column(position);
    let line_text = text
        .lines()
        .nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    let before = usize::try_from(column.max(1) - 1).ok()?;
    let written: String = line_text.chars().skip(before).collect();
    let number = written.strip_prefix('-').unwrap_or(&written).trim_start();
    let end = number.find(|letter: char| !letter.is_ascii_digit() && letter != '_');
    let (digits, rest) = number.split_at(end.unwrap_or(number.len()));
    if digits.is_empty() || rest.starts_with(['.', 'e', 'E']) {
        return None;
    }
    let sign = if written.starts_with('-') { "-" } else { "" };
    let number = format!("{sign}{}", digits.replace('_', ""));
    let message =
        format!("`{number}` is too large for a whole number: it becomes a float of 17 digits");
    let width = u32::try_from(written.len() - rest.len()).unwrap_or(1);
    let finding = Diagnostic::warning(path, message).at(line, column, width);
    Some(finding.hint(format!(
        "`parse_json(\"{number}\")` keeps all digits; a float is written with a point"
    )))
}
