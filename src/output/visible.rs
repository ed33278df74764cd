//! Texts of scripts and servers as a terminal and a spreadsheet may show them.
//!
//! Owns which characters are not passed on as they are: a terminal would obey them or display them
//! in a misleading order (Trojan Source, CVE-2021-42574), and a spreadsheet would evaluate them.

use std::borrow::Cow;

/// The text with characters that a terminal obeys escaped (`\u{1b}`). Line ends and tabs stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_shown) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if is_shown(letter) {
            shown.push(letter);
        } else if letter != '\r' || letters.peek() != Some(&'\n') {
            shown.extend(letter.escape_unicode());
        }
    }
    Cow::Owned(shown)
}

fn is_shown(letter: char) -> bool {
    match letter {
        '\n' | '\t' => true,
        // Bidirectional controls, other line separators, invisible marks.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => false,
        '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => false,
        '\u{e0000}'..='\u{e007f}' => false,
        letter => !letter.is_control(),
    }
}

/// The text on one line.
pub(super) fn on_one_line(text: &str) -> String {
    visible(text).replace(['\n', '\t'], " ")
}

/// The text as a spreadsheet cell that is not taken for a formula (OWASP, "CSV Injection").
pub(super) fn cell(text: &str) -> String {
    let shown = visible(text);
    if shown.starts_with(['=', '+', '-', '@', '\t']) {
        return format!("'{shown}");
    }
    shown.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_all_else_stays() {
        for (text, shown) in [
            ("/shop?é=優惠 👩‍💻 ä\n\tx", "/shop?é=優惠 👩‍💻 ä\n\tx"),
            ("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("a\r\nb\rc", "a\nb\\u{d}c"),
            (
                "\u{202e}txt\u{2066}\u{feff}",
                "\\u{202e}txt\\u{2066}\\u{feff}",
            ),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(on_one_line("a\tb\r\nc\u{1b}"), "a b c\\u{1b}");
    }

    #[test]
    fn a_cell_is_no_formula() {
        for (text, written) in [
            ("/hello", "/hello"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\\u{d}=1"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
