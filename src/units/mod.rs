//! Text such as `1m30s`, `2k/s` and `10MB`, and the numbers it stands for.
//!
//! Owns reading and writing times, rates and sizes the way people do, and the message when they
//! wrote something else. Does not know what the numbers are used for or how tables round them.

mod bytes;
mod decimal;
mod duration;
mod rate;

use std::fmt;

pub use bytes::Bytes;
pub use duration::{Readable, duration_from_secs, parse_duration};
pub use rate::Rate;

/// Text or a number that is not the quantity it should be. Its `Display` says what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    quantity: Quantity,
    text: String,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Duration,
    Rate,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Malformed,
    Negative,
    Zero,
    TooLarge,
    TooSlow,
}

impl Invalid {
    fn new(quantity: Quantity, text: &str, problem: Problem) -> Invalid {
        Invalid {
            quantity,
            text: text.to_owned(),
            problem,
        }
    }

    /// What is wrong, without what would have been valid.
    #[must_use]
    pub fn problem(&self) -> String {
        let (one, many) = match self.quantity {
            Quantity::Duration => ("a duration", "durations"),
            Quantity::Rate => ("a rate", "rates"),
            Quantity::Bytes => ("a size", "sizes"),
        };
        let text = &self.text;
        match self.problem {
            Problem::Malformed => format!("`{text}` is not {one}"),
            Problem::Negative => format!("`{text}` is negative, and {many} are not"),
            Problem::Zero => format!("`{text}` would start nothing: {many} are above zero"),
            Problem::TooLarge => format!("`{text}` is too large for {one}"),
            Problem::TooSlow => format!(
                "`{text}` is too slow: users are started at one a day (0.0000116 a second) or faster"
            ),
        }
    }

    /// What would have been valid, as a sentence fragment: the part of the message that a caller
    /// may want to show as its `hint:`.
    #[must_use]
    pub fn valid_forms(&self) -> &'static str {
        match self.quantity {
            Quantity::Duration => {
                "write seconds (`20`, `1.5`) or units (`250ms`, `30s`, `1m30s`, `2h`)"
            }
            Quantity::Rate => {
                "write a number per second (`10`, `0.5`) or with its unit (`2k/s`, `120/m`, `90/h`)"
            }
            Quantity::Bytes => "write bytes (`4096`) or a unit (`10MB`, `4KiB`, `1.5GB`)",
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem(), self.valid_forms())
    }
}

impl std::error::Error for Invalid {}
