//! What is wrong with a file of data: a message for the person who named the file, and a hint.
//!
//! Does not know scripts: the caller adds where the file was named.

use std::fmt;

/// Why data cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do about it, if that is known.
    pub hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Fault {
        Fault {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    /// Names the file that it is in.
    pub(super) fn of(mut self, file: &str) -> Fault {
        self.message = format!("`{file}`: {}", self.message);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}
