//! The latest lines of the log, for whoever looks later or elsewhere.
//!
//! Owns the ring; `show` prints. One for the process, as stderr is.

use std::collections::VecDeque;
use std::sync::{LazyLock, Mutex, PoisonError};

use tokio::sync::watch;

use crate::script::Level;

/// Lines that are kept.
const MOST_LINES: usize = 2_000;

static JOURNAL: LazyLock<Journal> = LazyLock::new(Journal::default);

/// A line of the log, made safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Counted from 1.
    pub(crate) seq: u64,
    /// µs since 1970.
    pub(crate) at_unix_us: i64,
    pub(crate) level: Level,
    pub(crate) text: String,
}

#[derive(Default)]
struct Journal {
    lines: Mutex<VecDeque<LogLine>>,
    /// The number of the last line.
    latest: watch::Sender<u64>,
}

impl Journal {
    fn add(&self, level: Level, text: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = lines.back().map_or(1, |last| last.seq + 1);
        if lines.len() == MOST_LINES {
            lines.pop_front();
        }
        lines.push_back(LogLine {
            seq,
            at_unix_us: jiff::Timestamp::now().as_microsecond(),
            level,
            text: text.to_owned(),
        });
        self.latest.send_replace(seq);
    }

    fn after(&self, seq: u64) -> Vec<LogLine> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let from = lines.partition_point(|line| line.seq <= seq);
        lines.range(from..).cloned().collect()
    }
}

/// Keeps a line that has been shown.
pub(super) fn add(level: Level, text: &str) {
    JOURNAL.add(level, text);
}

/// The lines after that one, as far as they are kept.
pub(crate) fn after(seq: u64) -> Vec<LogLine> {
    JOURNAL.after(seq)
}

/// The number of the last line, and its changes.
pub(crate) fn latest() -> watch::Receiver<u64> {
    JOURNAL.latest.subscribe()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_lines_are_kept_and_numbered() {
        let journal = Journal::default();
        for n in 1..=MOST_LINES + 5 {
            journal.add(Level::Info, &n.to_string());
        }
        let lines = journal.after(0);
        assert_eq!((lines.len(), lines[0].seq), (MOST_LINES, 6));
        assert_eq!(lines[MOST_LINES - 1].text, (MOST_LINES + 5).to_string());
        let last = MOST_LINES as u64 + 5;
        assert_eq!(journal.after(last - 2).len(), 2);
        assert_eq!(journal.after(last), []);
        assert_eq!(*journal.latest.borrow(), last);
    }
}
