//! Tokens that a person gives, on the command line or in a file.
//!
//! Owns reading them. What a token is for, and whether there has to be one, is not known here.

use std::path::Path;

use crate::control::WishError;
use crate::files;

/// The shortest token that a person may choose: whoever connects can try guesses.
pub(super) const SHORTEST: usize = 16;

/// The token that was given, or stands in the file that `option` names.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn given(
    token: Option<&String>,
    file: Option<&Path>,
    option: &str,
) -> Result<Option<String>, WishError> {
    let Some(file) = file.filter(|_| token.is_none()) else {
        return Ok(token.cloned());
    };
    let text = files::read_to_string(file, 10_000).map_err(|error| {
        let file = file.display();
        WishError::new(format!("`{option}`: cannot read `{file}`: {error}"))
    })?;
    Ok(Some(text.trim().to_owned()))
}

/// Whether it could be guessed.
pub(super) fn is_short(token: &str) -> bool {
    token.chars().count() < SHORTEST
}
