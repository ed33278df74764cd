//! What is wrong with a script, where, and what to write instead; and how that is shown.
//!
//! Owns the form of a finding, its order and its picture with source line and caret. `check` and
//! the loader find; `cli` prints.

use std::fmt;

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Snippet};
use rhai::Position;

use super::run::log::shortened;

/// Whether the script may be run in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The script is not run.
    Error,
    /// It is run; something is likely not what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// One finding in a script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Diagnostic {
    /// The file as the user named it, or as it was imported.
    pub file: String,
    /// The line from 1; 0 if it concerns the file as a whole.
    pub line: u32,
    /// The column from 1, in characters; 0 for the start of the line.
    pub column: u32,
    /// How many characters are meant; at least one is marked.
    pub width: u32,
    /// Whether the script may be run.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment with the thing in backticks.
    pub message: String,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A finding about a file as a whole; `at` gives it a place.
    #[must_use]
    pub fn new(severity: Severity, file: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            line: 0,
            column: 0,
            width: 0,
            severity,
            message: message.into(),
            hint: None,
        }
    }

    /// An error about a file as a whole.
    #[must_use]
    pub fn error(file: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, file, message)
    }

    /// A warning about a file as a whole.
    #[must_use]
    pub fn warning(file: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, file, message)
    }

    /// Places it at `line` and `column` (both from 1), `width` characters wide.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32, width: u32) -> Diagnostic {
        (self.line, self.column, self.width) = (line, column, width);
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// The finding as text of several lines, in the form of rustc's, without a newline at the end.
    /// `text` is the file's; without it (or with a position beyond it) the place alone is named.
    #[must_use]
    pub fn render(&self, text: Option<&str>, colours: Colours) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = Group::with_title(level.primary_title(shortened(self.message.clone())));
        let group = match text.and_then(|text| self.source_line(text)) {
            Some(line) => group.element(
                Snippet::source(line)
                    .path(self.file.as_str())
                    .line_start(self.line as usize)
                    .annotation(AnnotationKind::Primary.span(self.span(line))),
            ),
            None => group.element(self.origin()),
        };
        let hint = self.hint.as_deref();
        let hint = hint.map(|hint| Level::HELP.with_name("hint").message(hint));
        let renderer = match colours {
            Colours::Plain => Renderer::plain(),
            Colours::Ansi => Renderer::styled(),
        };
        renderer.render(&[group.elements(hint)])
    }

    fn origin(&self) -> Origin<'_> {
        let origin = Origin::path(self.file.as_str());
        if self.line == 0 {
            return origin;
        }
        origin
            .line(self.line as usize)
            .char_column(self.column.max(1) as usize)
    }

    /// The line meant, without its end; `None` if the file has no such line.
    fn source_line<'a>(&self, text: &'a str) -> Option<&'a str> {
        let index = self.line.checked_sub(1)? as usize;
        let line = text.split('\n').nth(index)?;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }

    /// The bytes of `line` that are meant; empty, at the end, if the column is beyond it.
    fn span(&self, line: &str) -> std::ops::Range<usize> {
        let byte_of = |column: u32| {
            line.char_indices()
                .nth(column as usize)
                .map_or(line.len(), |(byte, _)| byte)
        };
        let first = self.column.saturating_sub(1);
        byte_of(first)..byte_of(first.saturating_add(self.width.max(1)))
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `error: hello.rhai:3:5: message; hint: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column.max(1))?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Whether text carries colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Plain text, for files, pipes and `NO_COLOR`.
    Plain,
    /// With ANSI sequences, for terminals.
    Ansi,
}

/// How many findings are written out. More would not be read, and each costs the length of its
/// line.
const MOST_SHOWN: usize = 100;

/// All findings of a script: sorted by file and position, each one once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if one of them keeps the script from being run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// The findings in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Adds further findings.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(more);
        self.0.sort();
        // The derived order is by file, line and column first, so that twins are neighbours.
        self.0.dedup();
    }

    /// The first of them one below the other, an empty line between two, and how many more there
    /// are; `text_of` gives a file's text.
    #[must_use]
    pub fn render<'a>(
        &self,
        text_of: impl Fn(&str) -> Option<&'a str>,
        colours: Colours,
    ) -> String {
        let shown = self.iter().take(MOST_SHOWN);
        let rendered = shown.map(|finding| finding.render(text_of(&finding.file), colours));
        let more = self.0.len().saturating_sub(MOST_SHOWN);
        let more = (more > 0).then(|| format!("and {more} more"));
        rendered.chain(more).collect::<Vec<_>>().join("\n\n")
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(findings: I) -> Diagnostics {
        let mut all = Diagnostics::default();
        all.extend(findings);
        all
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A finding at one of Rhai's positions, which are single points.
pub(crate) fn found(file: &str, position: Position, message: impl Into<String>) -> Diagnostic {
    let number = |number: Option<usize>| number.and_then(|number| u32::try_from(number).ok());
    let line = number(position.line()).unwrap_or(0);
    let column = number(position.position()).unwrap_or(0);
    Diagnostic::error(file, message).at(line, column, 1)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn finding(line: u32, column: u32, width: u32) -> Diagnostic {
        Diagnostic::error("hello.rhai", "no such thing as `x`").at(line, column, width)
    }

    fn plain(finding: &Diagnostic, text: &str) -> String {
        finding.render(Some(text), Colours::Plain)
    }

    #[test]
    fn a_finding_shows_line_caret_and_hint() {
        let finding = finding(2, 5, 4).hint("did you mean `host`?");
        assert_snapshot!(plain(&finding, "user(\"A\", #{\n    hots: \"x\",\n});"), @r#"
        error: no such thing as `x`
         --> hello.rhai:2:5
          |
        2 |     hots: "x",
          |     ^^^^
          |
          = hint: did you mean `host`?
        "#);
        assert_eq!(
            finding.to_string(),
            "error: hello.rhai:2:5: no such thing as `x`; hint: did you mean `host`?"
        );
    }

    #[test]
    fn tabs_and_wide_characters_keep_the_caret_in_place() {
        assert_snapshot!(plain(&finding(1, 2, 3), "\tlet x = 1;"), @r"
        error: no such thing as `x`
         --> hello.rhai:1:2
          |
        1 |     let x = 1;
          |     ^^^
        ");
        assert_snapshot!(plain(&finding(1, 12, 1), "let 이름 = \"é\"+x;\r\n"), @r#"
        error: no such thing as `x`
         --> hello.rhai:1:12
          |
        1 | let 이름 = "é"+x;
          |              ^
        "#);
    }

    #[test]
    fn odd_positions_still_show_the_place() {
        assert_snapshot!(plain(&finding(1, 99, 1), "let x"), @r"
        error: no such thing as `x`
         --> hello.rhai:1:6
          |
        1 | let x
          |      ^
        ");
        assert_snapshot!(plain(&finding(1, 1, 1), ""), @r"
        error: no such thing as `x`
         --> hello.rhai:1:1
          |
        1 |
          | ^
        ");
        assert_snapshot!(plain(&finding(2, 0, 0), "a\nbc\n"), @r"
        error: no such thing as `x`
         --> hello.rhai:2:1
          |
        2 | bc
          | ^
        ");
        assert_snapshot!(plain(&finding(9, 3, 1), "a\nbc\n"), @r"
        error: no such thing as `x`
        --> hello.rhai:9:3
        ");
        assert_snapshot!(plain(&finding(0, 0, 0), "a"), @r"
        error: no such thing as `x`
        --> hello.rhai
        ");
        assert_snapshot!(finding(u32::MAX, u32::MAX, u32::MAX).render(None, Colours::Plain), @r"
        error: no such thing as `x`
        --> hello.rhai:4294967295:4294967295
        ");
        assert_snapshot!(plain(&finding(1, 2, u32::MAX), "abc\ndef"), @r"
        error: no such thing as `x`
         --> hello.rhai:1:2
          |
        1 | abc
          |  ^^
        ");
    }

    #[test]
    fn colours_are_only_there_when_asked_for() {
        let finding = finding(1, 1, 1);
        assert!(finding.render(Some("x"), Colours::Ansi).contains('\x1b'));
        assert!(!plain(&finding, "x\x1b[31m").contains('\x1b'));
    }

    #[test]
    fn findings_are_sorted_and_each_is_there_once() {
        let warning = Diagnostic::warning("a.rhai", "unused");
        let all: Diagnostics = [
            finding(2, 1, 1),
            finding(1, 9, 1),
            finding(2, 1, 1),
            warning,
        ]
        .into_iter()
        .collect();
        let places: Vec<_> = all
            .iter()
            .map(|one| (one.file.as_str(), one.line))
            .collect();
        assert_eq!(
            places,
            [("a.rhai", 0), ("hello.rhai", 1), ("hello.rhai", 2)]
        );
        assert!(all.has_errors());
        assert_snapshot!(all.render(|_| Some("ab\ncd"), Colours::Plain), @r"
        warning: unused
        --> a.rhai

        error: no such thing as `x`
         --> hello.rhai:1:3
          |
        1 | ab
          |   ^

        error: no such thing as `x`
         --> hello.rhai:2:1
          |
        2 | cd
          | ^
        ");
        assert!(!Diagnostics::default().has_errors());
    }
}
