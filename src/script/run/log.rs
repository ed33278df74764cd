//! What scripts print: lines with user and position, limited in number, to the control plane.
//!
//! A load thread never waits for a terminal: a line that finds no room is counted instead.

use std::cell::Cell;

use tokio::sync::mpsc;

use crate::clock::{self, Micros};

/// Lines that one thread may print in a second.
const LINES_A_SECOND: u32 = 100;

/// The most bytes of a line: a text may have 16 MB, and a hundred of those a second would fill any
/// disk.
const LINE_BYTES: usize = 64 << 10;

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `print`, `debug`, `log_info`.
    Info,
    /// `log_warn`.
    Warn,
    /// `log_error`.
    Error,
}

/// One line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How important it is.
    pub level: Level,
    /// Who printed it (`Shopper 17`); empty for the script's top level.
    pub who: String,
    /// `file:line`; empty if unknown.
    pub place: String,
    /// What it says.
    pub text: String,
    /// Lines of the same thread that found no room before it.
    pub dropped: u32,
}

impl Line {
    pub(crate) fn of_top_level(level: Level, place: String, text: String) -> Line {
        Line {
            level,
            who: String::new(),
            place,
            text: shortened(text),
            dropped: 0,
        }
    }
}

/// A text as one line of the log, however long it was.
#[must_use]
pub fn shortened(mut text: String) -> String {
    if text.len() > LINE_BYTES {
        let end = text.floor_char_boundary(LINE_BYTES);
        let rest = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… and {rest} bytes more"));
    }
    text
}

/// A thread's way to the log.
pub(crate) struct Log {
    lines: mpsc::Sender<Line>,
    second: Cell<Micros>,
    printed: Cell<u32>,
    dropped: Cell<u32>,
}

impl Log {
    pub(crate) fn new(lines: mpsc::Sender<Line>) -> Log {
        Log {
            lines,
            second: Cell::new(clock::now()),
            printed: Cell::new(0),
            dropped: Cell::new(0),
        }
    }

    pub(crate) fn print(&self, level: Level, who: String, place: String, text: String) {
        let now = clock::now();
        if now.since(self.second.get()) >= 1_000_000 {
            self.second.set(now);
            self.printed.set(0);
        }
        self.printed.set(self.printed.get() + 1);
        let dropped = self.dropped.get();
        let line = Line {
            level,
            who,
            place,
            text: shortened(text),
            dropped,
        };
        if self.printed.get() <= LINES_A_SECOND && self.lines.try_send(line).is_ok() {
            self.dropped.set(0);
        } else {
            self.dropped.set(dropped.saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_end() {
        assert_eq!(shortened("x".repeat(LINE_BYTES)).len(), LINE_BYTES);
        let long = shortened("é".repeat(LINE_BYTES));
        assert!(long.ends_with("é… and 65536 bytes more"));
        let line = Line::of_top_level(Level::Info, String::new(), "x".repeat(16 << 20));
        assert!(line.text.len() < LINE_BYTES + 100);
    }
}
