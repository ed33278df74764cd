//! Words in the place of user classes that are there by mistake: a script, a mistyped command.
//!
//! Owns the guess of what was meant; unknown classes are told of by `control`.

use std::path::Path;

use crate::control::WishError;
use crate::scenario::names;

/// The error for them, if the first of these is one.
pub(super) fn misplaced(classes: &[String], commands: &[&str]) -> Option<WishError> {
    let is_script = |word: &&String| Path::new(word).extension().is_some_and(|end| end == "rhai");
    let script = classes.iter().find(is_script)?;
    let first = &classes[0];
    Some(if first == script {
        WishError::new(format!("`{script}` is a script, not a user class"))
            .hint(format!("run it with `-f {script}`"))
    } else {
        WishError::new(format!("there is no command `{first}`")).hint(names::hint(
            first,
            commands.iter().copied(),
            "there are",
        ))
    })
}
