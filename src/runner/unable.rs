//! Why a run cannot begin, or cannot go on with an edition.
//!
//! Owns the kinds that whoever steers a run tells apart: what is wrong with the script, with what it
//! names, and with this machine.

use std::fmt;

/// Why load threads cannot do what they should; each says what, in a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unable {
    /// The script is not what it was when it was checked.
    Script(String),
    /// A client cannot be made as the script asks for: a certificate that cannot be read.
    Client(String),
    /// The system refuses something: a thread, a timer, a stack.
    System(String),
    /// A run has done something as often as it can.
    Limit(String),
    /// Something panicked, which is our bug.
    Panicked,
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
