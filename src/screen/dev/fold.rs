//! Lines with colours, folded to the width of a terminal.
//!
//! Guarantees that each returned row takes exactly one row of the screen, whatever a script or a
//! server puts into a line: tabs become spaces, control characters lose their effect.

use unicode_width::UnicodeWidthChar;

const ESCAPE: char = '\u{1b}';

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// The rows that `text` takes at this width.
pub(crate) fn rows(text: &str, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in text.split('\n') {
        fold(line, width.max(1), &mut rows);
    }
    rows
}

/// Folds one line: after the last space, if that leaves most of a row. Continuation rows are
/// indented like the line, if that does not take too much of a row.
fn fold(line: &str, width: usize, rows: &mut Vec<String>) {
    let mut row = String::new();
    let mut used = 0;
    let indent = line.len() - line.trim_start_matches(' ').len();
    let indent = if indent > width / 4 { 0 } else { indent };
    let margin = " ".repeat(indent);
    // The current colours, which each row sets for itself.
    let mut colours = String::new();
    // Where the row could end: bytes, columns, and the colours there.
    let mut space: Option<(usize, usize, String)> = None;
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        if let Some(length) = colour(rest) {
            let (sequence, after) = rest.split_at(length);
            row.push_str(sequence);
            match sequence {
                "\u{1b}[0m" | "\u{1b}[m" => colours.clear(),
                sequence => colours.push_str(sequence),
            }
            rest = after;
            continue;
        }
        rest = &rest[letter.len_utf8()..];
        let (shown, columns) = match letter {
            '\t' => (' ', TAB - used % TAB),
            letter if letter.is_control() => ('\u{fffd}', 1),
            letter => (letter, letter.width().unwrap_or(0)),
        };
        if used + columns > width && used > indent {
            let next = match space.take() {
                Some((bytes, columns, colours)) if columns > width / 2 => {
                    used = used - columns + indent;
                    let next = margin.clone() + &colours + &row.split_off(bytes);
                    row.truncate(row.trim_end_matches(' ').len());
                    next
                }
                _ => {
                    used = indent;
                    margin.clone() + &colours
                }
            };
            rows.push(std::mem::replace(&mut row, next));
        }
        if letter == '\t' {
            let columns = columns.min(width - used);
            row.extend(std::iter::repeat_n(' ', columns));
            used += columns;
        } else {
            row.push(shown);
            used += columns;
        }
        if shown == ' ' {
            space = Some((row.len(), used, colours.clone()));
        }
    }
    rows.push(row);
}

/// The length of the colour sequence that `text` begins with.
fn colour(text: &str) -> Option<usize> {
    let body = text.strip_prefix(ESCAPE)?.strip_prefix('[')?;
    let end = body.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    body[end..].starts_with('m').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_as_many_rows_as_it_needs() {
        for (text, width, expected) in [
            ("", 5, vec![""]),
            ("abcde", 5, vec!["abcde"]),
            ("abcdef", 5, vec!["abcde", "f"]),
            ("abc def", 5, vec!["abc", "def"]),
            ("a bcdefg", 5, vec!["a bcd", "efg"]),
            ("a\nb\n", 5, vec!["a", "b", ""]),
            ("쿠폰쿠폰", 5, vec!["쿠폰", "쿠폰"]),
            ("a\tb", 20, vec!["a       b"]),
            ("쿠", 1, vec!["쿠"]),
            ("  ab cdefghij", 8, vec!["  ab", "  cdefgh", "  ij"]),
            ("   abcdef", 8, vec!["   abcde", "f"]),
        ] {
            assert_eq!(rows(text, width), expected, "{text:?} at {width}");
        }
    }

    #[test]
    fn colours_take_no_room_and_other_sequences_no_effect() {
        let red = "\u{1b}[1;31mabcdef\u{1b}[0m";
        assert_eq!(
            rows(red, 3),
            ["\u{1b}[1;31mabc", "\u{1b}[1;31mdef\u{1b}[0m"]
        );
        assert_eq!(rows("\u{1b}[2Jx\r", 9), ["\u{fffd}[2Jx\u{fffd}"]);
    }
}
