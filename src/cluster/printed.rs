//! A line that was printed on a worker, as it is sent to the master.
//!
//! Owns its bounds. How many are sent is the worker's (`worker_process/printed`).

use serde::{Deserialize, Serialize};

use crate::script::{Level, Line};

/// The most lines that a worker sends in a second, and in one message.
pub const MOST_LINES: usize = 50;

/// The longest text of a line, and of who printed it where, in bytes.
const LONGEST_LINE: usize = 4 << 10;
const LONGEST_PLACE: usize = 256;

/// A line that was printed on a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentLine {
    /// Its number in the life of the process, from 1: those that did not come are known by the gap.
    pub number: u64,
    /// 0 to tell, 1 to warn, 2 for errors.
    pub level: u8,
    /// Who printed it, as `Shopper 17`; empty for the worker itself.
    pub who: String,
    /// `file:line`, if that is known.
    pub place: String,
    /// What it says.
    pub text: String,
}

impl SentLine {
    /// What is sent of a line: its beginning, if it is long.
    #[must_use]
    pub fn new(number: u64, line: &Line) -> SentLine {
        let short = |text: &str, most| text[..text.floor_char_boundary(most)].to_owned();
        let mut text = short(&line.text, LONGEST_LINE - 3);
        if text.len() < line.text.len() {
            text.push('…');
        }
        SentLine {
            number,
            level: match line.level {
                Level::Info => 0,
                Level::Warn => 1,
                Level::Error => 2,
            },
            who: short(&line.who, LONGEST_PLACE),
            place: short(&line.place, LONGEST_PLACE),
            text,
        }
    }

    /// Whether a worker may send that.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let are_short = self.who.len() <= LONGEST_PLACE && self.place.len() <= LONGEST_PLACE;
        are_short && self.text.len() <= LONGEST_LINE && self.level <= 2
    }

    /// How important it is.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.level {
            0 => Level::Info,
            1 => Level::Warn,
            _ => Level::Error,
        }
    }
}
