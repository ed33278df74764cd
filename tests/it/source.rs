//! Rust source as far as the tidy test reads it: what is code, what is comment, what is a test.
//!
//! Knows enough of the syntax to skip strings and comments; it is no parser.

/// One source file in three views with the same line numbers.
pub(crate) struct Source {
    /// As it is.
    pub(crate) text: String,
    /// With comments, strings and characters blanked out.
    pub(crate) code: String,
    /// With everything but comments blanked out.
    pub(crate) comments: String,
}

impl Source {
    pub(crate) fn new(text: &str) -> Source {
        let (code, comments) = split(text);
        Source {
            text: text.to_owned(),
            code,
            comments,
        }
    }

    /// The code before the file's test module, which is always its last item.
    pub(crate) fn production_code(&self) -> &str {
        let marker = self
            .code
            .match_indices("#[cfg(test)]")
            .find(|(at, marker)| {
                let after = self.code[at + marker.len()..].trim_start();
                after.starts_with("mod ")
                    && after
                        .split(';')
                        .next()
                        .is_some_and(|item| item.contains('{'))
            });
        marker.map_or(&self.code, |(at, _)| &self.code[..at])
    }
}

/// Blanks what is not code, and what is not comment. Newlines stay in both.
fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut at = 0;
    while at < chars.len() {
        let (end, is_comment) = match token_end(&chars, at) {
            Some(found) => found,
            None => {
                code.push(chars[at]);
                comments.push(if chars[at] == '\n' { '\n' } else { ' ' });
                at += 1;
                continue;
            }
        };
        for &c in &chars[at..end] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            code.push(blank);
            comments.push(if is_comment { c } else { blank });
        }
        at = end;
    }
    (code, comments)
}

/// The end of the comment, string or character that starts at `at`, and whether it is a comment.
fn token_end(chars: &[char], at: usize) -> Option<(usize, bool)> {
    let next = |offset: usize| chars.get(at + offset).copied();
    match (chars[at], next(1)) {
        ('/', Some('/')) => Some((position(chars, at, '\n'), true)),
        ('/', Some('*')) => Some((block_comment_end(chars, at), true)),
        ('"', _) => Some((string_end(chars, at + 1), false)),
        ('r', Some('"' | '#')) if !is_in_word(chars, at) => {
            raw_string_end(chars, at + 1).map(|end| (end, false))
        }
        ('\'', Some('\\')) => Some((position(chars, at + 3, '\'') + 1, false)),
        ('\'', Some(_)) if next(2) == Some('\'') => Some((at + 3, false)),
        _ => None,
    }
    .map(|(end, is_comment)| (end.min(chars.len()), is_comment))
}

fn is_in_word(chars: &[char], at: usize) -> bool {
    // `br"…"` is a string too.
    at > 0 && chars[at - 1] != 'b' && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn position(chars: &[char], from: usize, wanted: char) -> usize {
    (from..chars.len())
        .find(|&at| chars[at] == wanted)
        .unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars[from..].iter().take_while(|c| **c == '#').count();
    if chars.get(from + hashes) != Some(&'"') {
        return None;
    }
    let body = from + hashes + 1;
    let closes = |at: &usize| {
        chars[*at] == '"'
            && chars[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
    };
    let quote = (body..chars.len()).find(closes)?;
    Some(quote + 1 + hashes)
}

/// The lines, counted from 1, in which `word` stands between characters that are not part of one.
pub(crate) fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let found = line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            let starts = !word.starts_with(is_word) || !before.is_some_and(is_word);
            let ends = !word.ends_with(is_word) || !after.is_some_and(is_word);
            starts && ends
        });
        if found {
            lines.push(number);
        }
    }
    lines
}

#[test]
fn strings_and_comments_are_no_code() {
    let source = Source::new(
        "let a = \"x // \\\" y\"; // note\nlet b = r#\"unsafe\"#; /* /* in */ out */ let c = '\"'; f::<'a>('\\'')",
    );
    for hidden in ["x", "y", "note", "unsafe", "in", "out"] {
        assert_eq!(lines_with(&source.code, hidden), [0; 0], "{hidden}");
    }
    for shown in ["a", "b", "c", "f"] {
        assert!(!lines_with(&source.code, shown).is_empty(), "{shown}");
    }
    assert_eq!(lines_with(&source.comments, "note"), [1]);
    assert_eq!(lines_with(&source.comments, "out"), [2]);
    assert_eq!(source.code.lines().count(), 2);
}

#[test]
fn the_test_module_is_no_production_code() {
    let source = Source::new(
        "#[cfg(test)]\nmod helper;\nfn f() {}\n#[cfg(test)]\nmod tests {\n fn g() {}\n}\n",
    );
    let code = source.production_code();
    assert!(code.contains("fn f()") && !code.contains("fn g()"));
}

#[test]
fn words_are_whole() {
    assert_eq!(lines_with("unsafe_code\nan unsafe {", "unsafe"), [2]);
    assert_eq!(lines_with("eprintln!(1)\nprintln!(1)", "println!"), [2]);
    assert_eq!(lines_with("a.unwrap()\na.unwrap_or(b)", ".unwrap()"), [1]);
}
