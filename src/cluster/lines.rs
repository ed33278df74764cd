//! Lines of a worker's scripts, on their way to files of the master.
//!
//! Owns what waits to be sent, with its bounds: while the way is full, users wait. Lines are sent in
//! the order in which they came, some at a time, and the next only when those are on their way to
//! the disk; so a slow disk slows down who writes to it, and nobody else.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::message::Lines;
use crate::shared::appends::NotTaken;

/// Lines that wait, and their bytes.
const WAITING: usize = 4_096;
const WAITING_BYTES: usize = 1 << 20;

/// Bytes that are sent at a time; a line may have more.
const AT_A_TIME: usize = 256 << 10;

/// What waits to be sent.
#[derive(Debug, Default)]
pub(super) struct OutgoingLines(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    lines: Lines,
    bytes: usize,
    /// Files that may be appended to, and those that take no more.
    allowed: BTreeSet<Box<str>>,
    failed: BTreeSet<Box<str>>,
}

impl OutgoingLines {
    /// These files may be appended to, as well as those before.
    pub(super) fn allow(&self, files: impl Iterator<Item = Box<str>>) {
        self.waiting().allowed.extend(files);
    }

    /// Whether a file may be appended to; if not, why.
    pub(super) fn takes(&self, file: &str) -> Result<(), String> {
        match self.waiting().allowed.contains(file) {
            true => Ok(()),
            false => Err(
                "users on workers append to files of the master whose names stand in the script as \
                 text, or in a parameter"
                    .to_owned(),
            ),
        }
    }

    /// Takes a line; true if it is the first that waits.
    pub(super) fn append(&self, file: &str, line: String) -> Result<bool, NotTaken> {
        let mut waiting = self.waiting();
        if waiting.failed.contains(file) {
            return Err(NotTaken::Failed);
        }
        if waiting.lines.len() >= WAITING || waiting.bytes >= WAITING_BYTES {
            return Err(NotTaken::Full(line));
        }
        waiting.bytes += line.len();
        waiting.lines.push((file.into(), line.into()));
        Ok(waiting.lines.len() == 1)
    }

    /// The next lines to send, in their order.
    pub(super) fn take(&self) -> Option<Lines> {
        let mut waiting = self.waiting();
        let mut bytes = 0;
        let many = waiting.lines.iter().take_while(|(_, line)| {
            let fits = bytes == 0 || bytes + line.len() <= AT_A_TIME;
            bytes += line.len();
            fits
        });
        let many = many.count();
        let lines: Lines = waiting.lines.drain(..many).collect();
        waiting.bytes -= lines.iter().map(|(_, line)| line.len()).sum::<usize>();
        (!lines.is_empty()).then_some(lines)
    }

    /// These files take no more lines.
    pub(super) fn failed(&self, files: Lines) {
        let files = files.into_iter().map(|(file, _)| file);
        self.waiting().failed.extend(files);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing under it can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_way_takes_no_more_and_what_is_taken_makes_room() {
        let out = OutgoingLines::default();
        let line = || format!("{}\n", "x".repeat(100_000));
        let taken = (0..20).filter(|_| out.append("a", line()).is_ok()).count();
        assert_eq!(taken, 11, "the last one may be beyond");
        let lines = out.take().unwrap();
        assert_eq!(lines.len(), 2);
        assert!(out.append("a", line()).is_ok());
        let mut left = 0;
        while let Some(lines) = out.take() {
            left += lines.len();
        }
        assert_eq!(left, 10);
        let many = (0..10_000).filter(|_| out.append("a", "1\n".to_owned()).is_ok());
        assert_eq!(many.count(), WAITING);
    }
}
