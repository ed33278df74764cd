//! What is printed on a worker, on its way to the master's log.
//!
//! Owns how much of it is sent: so many lines a second, each of bounded length. The others are left
//! out, and the master sees by the numbers how many those were.

use std::mem;

use crate::clock::Micros;
use crate::cluster::printed::{MOST_LINES, SentLine};
use crate::script::Line;

/// The lines of one process.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// Of the last line, sent or not.
    number: u64,
    /// The second that is under way, and how many lines were kept in it.
    second: Micros,
    kept: usize,
    waiting: Vec<SentLine>,
}

impl Printed {
    /// A line was printed.
    pub(super) fn on(&mut self, now: Micros, line: &Line) {
        self.number += 1 + u64::from(line.dropped);
        if now.since(self.second) >= 1_000_000 {
            self.second = now;
            self.kept = 0;
        }
        if self.kept >= MOST_LINES || self.waiting.len() >= MOST_LINES {
            return;
        }
        self.kept += 1;
        self.waiting.push(SentLine::new(self.number, line));
    }

    /// What is to be sent now.
    pub(super) fn take(&mut self) -> Vec<SentLine> {
        mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::script::Level;

    #[test]
    fn so_many_a_second_and_the_others_leave_a_gap() {
        let mut lines = Printed::default();
        let line = |dropped| Line {
            level: Level::Error,
            who: "User 3".to_owned(),
            place: "a.rhai:1".to_owned(),
            text: "x".repeat(100_000),
            dropped,
        };
        let at = |ms| Micros::default() + Duration::from_millis(ms);
        (0..2 * MOST_LINES as u64).for_each(|_| lines.on(at(1_000), &line(0)));
        let sent = lines.take();
        assert_eq!(sent.len(), MOST_LINES);
        assert!(sent.iter().all(SentLine::is_possible));
        // The second is not over yet.
        lines.on(at(1_900), &line(0));
        assert_eq!(lines.take(), []);
        lines.on(at(2_000), &line(7));
        let after = lines.take();
        assert_eq!(after[0].number, 2 * MOST_LINES as u64 + 1 + 8);
        // Without a connection no more are kept than are sent at once.
        (3..9).for_each(|second| {
            (0..40).for_each(|_| lines.on(at(second * 1_000), &line(0)));
        });
        assert_eq!(lines.take().len(), MOST_LINES);
    }
}
