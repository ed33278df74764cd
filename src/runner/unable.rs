//! Why a run cannot begin, or cannot switch to an edition.
//!
//! Owns the kinds that callers tell apart: faults of the script, of what it names, and of this
//! machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why load threads cannot do what they should, each with a message for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unable {
    /// The script no longer declares what it did when it was checked.
    Script(String),
    /// A client cannot be made as the script asks for: a certificate that cannot be read.
    Client(String),
    /// The system refused something: a thread, a timer, a stack.
    System(String),
    /// A run has done something as often as it can.
    Limit(String),
    /// Something panicked, which is our bug.
    Panicked,
}

impl Unable {
    /// Itself, with where that is.
    #[must_use]
    pub(super) fn on(self, name: &str) -> Unable {
        let here = |why: String| format!("{name}: {why}");
        match self {
            Unable::Script(why) => Unable::Script(here(why)),
            Unable::Client(why) => Unable::Client(here(why)),
            Unable::System(why) => Unable::System(here(why)),
            Unable::Limit(why) => Unable::Limit(here(why)),
            Unable::Panicked => Unable::System(here(self.to_string())),
        }
    }
}

impl fmt::Display for Unable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unable::Script(why)
            | Unable::Client(why)
            | Unable::System(why)
            | Unable::Limit(why) => f.write_str(why),
            Unable::Panicked => f.write_str("a load thread panicked: this is a bug of Katydid"),
        }
    }
}

impl std::error::Error for Unable {}
