//! A terminal's screen, as far as the tool uses one: what a person sees of what it writes.
//!
//! Owns the few sequences that move the cursor and erase. Any other is a mistake of the tool, for
//! it may not be known to the person's terminal.

use std::time::Instant;

use crate::tool::{BOUND, Written};

/// Rows of letters, and what has scrolled off their top.
pub(crate) struct Screen {
    written: Written,
    columns: usize,
    rows: Vec<Vec<char>>,
    above: Vec<String>,
    row: usize,
    column: usize,
    /// What may be the first part of a letter or a sequence.
    left: Vec<u8>,
}

impl Screen {
    pub(crate) fn new(written: Written, columns: u16, rows: u16) -> Screen {
        Screen {
            written,
            columns: columns.into(),
            rows: vec![Vec::new(); rows.into()],
            above: Vec::new(),
            // Where a shell leaves the cursor.
            row: usize::from(rows) - 1,
            column: 0,
            left: Vec::new(),
        }
    }

    /// Waits until the screen shows something; gives all that it shows then.
    pub(crate) fn until(&mut self, what: &str, is_shown: impl Fn(&str) -> bool) -> String {
        let since = Instant::now();
        loop {
            let text = self.text();
            if is_shown(&text) {
                return text;
            }
            let left = BOUND.saturating_sub(since.elapsed());
            match self.written.recv_timeout(left) {
                Ok(part) => self.write(&part),
                Err(why) => panic!("{why}: it does not show {what}:\n{text}"),
            }
        }
    }

    /// Waits until it shows this text.
    pub(crate) fn shows(&mut self, text: &str) -> String {
        self.until(text, |shown| shown.contains(text))
    }

    /// Takes everything until the tool has ended; gives what it leaves, from the first row that
    /// has scrolled away.
    pub(crate) fn at_last(mut self) -> String {
        while let Ok(part) = self.written.recv_timeout(BOUND) {
            self.write(&part);
        }
        let text = self.text();
        format!("{}\n{text}", self.above.join("\n"))
    }

    fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| row.iter().collect::<String>());
        let rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n")
    }

    fn write(&mut self, part: &[u8]) {
        self.left.extend_from_slice(part);
        let known = match std::str::from_utf8(&self.left) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8(self.left[..known].to_vec()).unwrap();
        let mut rest = text.as_str();
        while let Some(letter) = rest.chars().next() {
            if letter != '\u{1b}' {
                self.letter(letter);
                rest = &rest[letter.len_utf8()..];
                continue;
            }
            let is_end = |letter: char| letter.is_ascii_alphabetic();
            let Some(end) = rest.find(is_end) else { break };
            self.sequence(&rest[1..=end]);
            rest = &rest[end + 1..];
        }
        self.left.drain(..known - rest.len());
    }

    fn letter(&mut self, letter: char) {
        match letter {
            '\r' => self.column = 0,
            '\n' if self.row + 1 == self.rows.len() => {
                let first = self.rows.remove(0);
                self.above.push(first.iter().collect());
                self.rows.push(Vec::new());
            }
            '\n' => self.row += 1,
            letter => {
                assert!(
                    self.column < self.columns,
                    "it is longer than the terminal is wide: {}",
                    self.text()
                );
                let row = &mut self.rows[self.row];
                row.resize(row.len().max(self.column + 1), ' ');
                row[self.column] = letter;
                self.column += 1;
            }
        }
    }

    fn sequence(&mut self, sequence: &str) {
        match sequence {
            "[H" => (self.row, self.column) = (0, 0),
            "[K" => self.rows[self.row].truncate(self.column),
            "[J" => {
                self.rows[self.row].truncate(self.column);
                self.rows[self.row + 1..].iter_mut().for_each(Vec::clear);
            }
            "[2J" => self.rows.iter_mut().for_each(Vec::clear),
            colour if colour.ends_with('m') => {}
            other => panic!("the tool writes ESC {other}"),
        }
    }
}
