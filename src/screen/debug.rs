//! What a user does, as text for a person: requests, responses, verdicts, mistakes.
//!
//! Owns only the form. It gets one event after another and remembers only the last request, to tell
//! which one a response belongs to.

use std::fmt::Write;
use std::io::IsTerminal;

use super::show::clean;
use crate::http::Phases;
use crate::script::diagnostic::{Colours, Diagnostic};
use crate::script::{Event, Failure, File, Level, Line};

/// Lines indented less than this are about the user, the others about a request.
const INDENT: &str = "  ";

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Columns, if lines are to be folded.
    pub(crate) width: Option<usize>,
    pub(crate) colours: Colours,
    /// How many bytes of a body are shown.
    pub(crate) body: usize,
}

/// Turns events into text.
pub(crate) struct Screen {
    view: View,
    /// For the line of a mistake.
    files: Vec<File>,
    /// The method and URL that was sent last.
    sent: Option<(String, String)>,
    /// Whether anything was sent for the current request.
    is_headed: bool,
    /// Requests sent and not answered yet; several in a batch.
    under_way: u32,
    /// Whether several were under way at once, so that their ends must be named.
    is_mixed: bool,
}

/// ANSI sequences.
#[derive(Clone, Copy)]
pub(crate) enum Paint {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

impl View {
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        let text = clean(text);
        match self.colours {
            Colours::Plain => text.into_owned(),
            Colours::Ansi => format!("\u{1b}[{}m{text}\u{1b}[0m", paint as u8),
        }
    }
}

impl Screen {
    pub(crate) fn new(view: View, files: Vec<File>) -> Screen {
        Screen {
            view,
            files,
            sent: None,
            is_headed: false,
            under_way: 0,
            is_mixed: false,
        }
    }

    /// What to print for an event, with its last newline.
    pub(crate) fn text(&mut self, event: &Event) -> String {
        match event {
            Event::Begins { who, what } => {
                let title = format!("{who}: {what}");
                format!("{}\n", self.paint(Paint::Bold, &title))
            }
            Event::Said(line) => self.printed(line),
            Event::Sends {
                method,
                url,
                headers,
                body,
            } => {
                self.sent = Some((method.clone(), url.clone()));
                self.is_headed = true;
                self.under_way += 1;
                self.is_mixed |= self.under_way > 1;
                let first = self.paint(Paint::Bold, &format!("{method} {url}"));
                let mut text = format!("{INDENT}{first}\n");
                self.headers(&mut text, ">", headers);
                self.body(&mut text, ">", body);
                text
            }
            Event::Answers {
                method,
                url,
                status,
                headers,
            } => {
                self.under_way = self.under_way.saturating_sub(1);
                let mut first = status.clone();
                // Requests of a batch are answered in any order.
                let sent = self.sent.as_ref();
                if sent.is_some_and(|(last, at)| last != method || at != url) {
                    let _ = write!(first, " for {method} {url}");
                }
                let mut text = String::new();
                self.line(&mut text, "<", &first, Some(Paint::Bold));
                self.headers(&mut text, "<", headers);
                text
            }
            Event::Over { row, phases, body } => {
                let mut text = String::new();
                if !std::mem::take(&mut self.is_headed) || self.is_mixed {
                    // It never got as far as a connection, or is part of a batch.
                    let _ = writeln!(text, "{INDENT}{}", self.paint(Paint::Bold, row));
                }
                match body {
                    Ok(body) => self.body(&mut text, "<", body),
                    Err(why) => self.line(&mut text, "<", why, Some(Paint::Red)),
                }
                self.line(&mut text, "=", &times(phases), Some(Paint::Dim));
                text
            }
            Event::Read {
                row,
                phases,
                body,
                whole,
            } => {
                let title = format!("{row}: the body as far as it was read");
                let mut text = format!("{INDENT}{}\n", self.paint(Paint::Bold, &title));
                self.beginning(&mut text, "<", body, *whole);
                self.line(&mut text, "=", &times(phases), Some(Paint::Dim));
                text
            }
            Event::Judged { row, failure } => {
                (self.under_way, self.is_mixed) = (0, false);
                let (mark, paint) = match failure {
                    None => ("✓", Paint::Green),
                    Some(_) => ("✗", Paint::Red),
                };
                let verdict = match failure {
                    None => format!("{mark} {row}: success"),
                    Some(why) => format!("{mark} {row}: failure: {why}"),
                };
                format!("{INDENT}{}\n", self.paint(paint, &verdict))
            }
            Event::Failed(failure) => self.failed(failure),
            Event::SwitchedTo { .. }
            | Event::IterationBegins { .. }
            | Event::IterationEnds { .. }
            | Event::UserEnds => String::new(),
        }
    }

    fn printed(&self, line: &Line) -> String {
        let place = match line.place.as_str() {
            "" => String::new(),
            place => self.paint(Paint::Dim, &format!("{place}:")) + " ",
        };
        let text = match line.level {
            Level::Info => clean(&line.text).into_owned(),
            Level::Warn => self.paint(Paint::Yellow, &format!("warning: {}", line.text)),
            Level::Error => self.paint(Paint::Red, &format!("error: {}", line.text)),
        };
        format!("{INDENT}{place}{text}\n")
    }

    fn failed(&self, failure: &Failure) -> String {
        let mut finding = Diagnostic::error(&failure.file, failure.message.as_str());
        if let Some((line, column)) = failure.position {
            let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            finding = finding.at(number(line), number(column), 1);
        }
        let functions: Vec<&str> = failure.functions().collect();
        if !functions.is_empty() {
            finding = finding.hint(format!("it was called by {}", functions.join(", ")));
        }
        let file = self.files.iter().find(|file| file.path == failure.file);
        let shown = finding.render(file.map(|file| file.text.as_str()), self.view.colours);
        format!("{shown}\n")
    }

    fn headers(&self, text: &mut String, mark: &str, headers: &[(String, String)]) {
        for (name, value) in headers {
            self.line(text, mark, &format!("{name}: {value}"), None);
        }
    }

    fn body(&self, text: &mut String, mark: &str, body: &[u8]) {
        if body.is_empty() {
            return;
        }
        self.line(text, mark, "", None);
        self.beginning(text, mark, body, body.len());
    }

    /// As much of a body as was asked for; `body` may be only its beginning, `whole` is its full
    /// length.
    fn beginning(&self, text: &mut String, mark: &str, body: &[u8], whole: usize) {
        let shown = match std::str::from_utf8(body) {
            Ok(shown) if is_readable(shown) => shown,
            _ => {
                let what = format!("({} of binary data)", bytes(whole));
                self.line(text, mark, &what, Some(Paint::Dim));
                return;
            }
        };
        let end = shown.floor_char_boundary(self.view.body);
        for line in shown[..end].lines() {
            self.line(text, mark, line, None);
        }
        if end < whole {
            let what = format!("({} of {} shown)", end, bytes(whole));
            self.line(text, mark, &what, Some(Paint::Dim));
        }
    }

    /// A line about a request, folded to the width of the terminal.
    fn line(&self, text: &mut String, mark: &str, line: &str, paint: Option<Paint>) {
        let prefix = format!("{INDENT}{} ", self.paint(Paint::Dim, mark));
        let room = self
            .view
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(4).max(20));
        let letters: Vec<char> = clean(line).chars().collect();
        let mut rest = letters.as_slice();
        loop {
            let (now, later) = rest.split_at(fold(rest, room));
            let now: String = now.iter().collect();
            let now = match paint {
                Some(paint) => self.paint(paint, &now),
                None => now,
            };
            let _ = writeln!(text, "{}", format!("{prefix}{now}").trim_end());
            rest = later;
            if rest.is_empty() {
                return;
            }
        }
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        self.view.paint(paint, text)
    }
}

/// Where to fold what is longer than `room`: after the last space, if that leaves most of it.
pub(crate) fn fold(letters: &[char], room: usize) -> usize {
    if letters.len() <= room {
        return letters.len();
    }
    let space = letters[..room].iter().rposition(|letter| *letter == ' ');
    match space {
        Some(space) if space > room / 2 => space + 1,
        _ => room,
    }
}

/// Whether a text has no control characters, which a terminal would obey.
fn is_readable(text: &str) -> bool {
    !text
        .chars()
        .any(|letter| letter.is_control() && !"\n\r\t".contains(letter))
}

fn bytes(count: usize) -> String {
    let unit = if count == 1 { "byte" } else { "bytes" };
    format!("{count} {unit}")
}

/// All phases in milliseconds, and their sum.
fn times(phases: &Phases) -> String {
    let ms = |us: u64| {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds with two digits")]
        let ms = us as f64 / 1_000.0;
        format!("{ms:.2}")
    };
    let each = phases.each().map(|(name, us)| match us {
        0 => format!("{name} 0"),
        us => format!("{name} {}", ms(u64::from(us))),
    });
    format!("{} ms: {}", ms(phases.total()), each.join(" "))
}

/// How it is shown: a terminal has a width and colours, a pipe neither.
pub(crate) fn view(body: usize) -> View {
    let stdout = std::io::stdout();
    let width = if stdout.is_terminal() {
        let size = rustix::termios::tcgetwinsize(&stdout);
        size.ok().map(|size| usize::from(size.ws_col))
    } else {
        None
    };
    let colours = match anstream::AutoStream::choice(&stdout) {
        anstream::ColorChoice::Never => Colours::Plain,
        _ => Colours::Ansi,
    };
    View {
        width,
        colours,
        body,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::script::Frame;

    fn screen(width: Option<usize>, colours: Colours) -> Screen {
        let view = View {
            width,
            colours,
            body: 12,
        };
        let file = File {
            path: "shop.rhai".to_owned(),
            text: "let a = 1;\n  boom(a);\n".to_owned(),
        };
        Screen::new(view, vec![file])
    }

    fn header(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    fn sends(body: &'static [u8]) -> Event {
        Event::Sends {
            method: "POST".to_owned(),
            url: "http://h/a".to_owned(),
            headers: header("accept", "all"),
            body: body.into(),
        }
    }

    fn over(body: Result<&'static [u8], &str>) -> Event {
        Event::Over {
            row: "POST /a".to_owned(),
            phases: Phases {
                connect: 1_250,
                wait: 10,
                ..Phases::default()
            },
            body: body.map(Into::into).map_err(str::to_owned),
        }
    }

    #[test]
    fn a_request_is_shown_with_its_answer_and_verdict() {
        let mut screen = screen(None, Colours::Plain);
        let answers = Event::Answers {
            method: "POST".to_owned(),
            url: "http://h/a".to_owned(),
            status: "HTTP/1.1 200 OK".to_owned(),
            headers: header("age", "1"),
        };
        let judged = Event::Judged {
            row: "POST /a".to_owned(),
            failure: Some("no serial".to_owned()),
        };
        let events = [
            sends(b"one\ntwo"),
            answers,
            over(Ok("äöü, and more".as_bytes())),
            judged,
        ];
        let text: String = events.iter().map(|event| screen.text(event)).collect();
        assert_snapshot!(text, @r"
          POST http://h/a
          > accept: all
          >
          > one
          > two
          < HTTP/1.1 200 OK
          < age: 1
          <
          < äöü, and
          < (12 of 16 bytes shown)
          = 1.26 ms: blocked 0 dns 0 connect 1.25 tls 0 send 0 wait 0.01 receive 0
          ✗ POST /a: failure: no serial
        ");
    }

    #[test]
    fn a_body_that_is_read_as_it_comes_is_shown_as_far_as_it_was() {
        let read = Event::Read {
            row: "GET /s".to_owned(),
            phases: Phases {
                receive: 2_000,
                ..Phases::default()
            },
            body: "line 0\nline 1\n".into(),
            whole: 2_000,
        };
        assert_snapshot!(screen(None, Colours::Plain).text(&read), @r"
        GET /s: the body as far as it was read
        < line 0
        < line
        < (12 of 2000 bytes shown)
        = 2.00 ms: blocked 0 dns 0 connect 0 tls 0 send 0 wait 0 receive 2.00
        ");
    }

    #[test]
    fn what_was_not_sent_has_a_name_and_what_is_no_text_a_size() {
        let mut screen = screen(None, Colours::Plain);
        let refused = screen.text(&over(Err("connection refused")));
        assert!(
            refused.starts_with("  POST /a\n  < connection refused\n"),
            "{refused}"
        );
        let binary = screen.text(&sends(b"a\x1b[2J"));
        assert!(
            binary.ends_with("  > (5 bytes of binary data)\n"),
            "{binary}"
        );
        let binary = screen.text(&sends(b"\xff"));
        assert!(
            binary.ends_with("  > (1 byte of binary data)\n"),
            "{binary}"
        );
    }

    #[test]
    fn answers_out_of_order_say_whose_they_are() {
        let mut screen = screen(None, Colours::Plain);
        screen.text(&sends(b""));
        let other = Event::Answers {
            method: "GET".to_owned(),
            url: "http://h/b".to_owned(),
            status: "HTTP/1.1 200 OK".to_owned(),
            headers: Vec::new(),
        };
        assert_eq!(
            screen.text(&other),
            "  < HTTP/1.1 200 OK for GET http://h/b\n"
        );
        screen.text(&sends(b""));
        screen.text(&sends(b""));
        let end = screen.text(&over(Ok(b"x")));
        assert!(end.starts_with("  POST /a\n"), "{end}");
    }

    fn frame(function: &str) -> Frame {
        Frame {
            function: function.to_owned(),
            file: "shop.rhai".to_owned(),
            position: None,
        }
    }

    #[test]
    fn a_mistake_shows_its_line() {
        let failure = Failure {
            message: "function not found: boom (i64)".to_owned(),
            file: "shop.rhai".to_owned(),
            position: Some((2, 3)),
            stack: ["price_of", "the task `buy`"].map(frame).into(),
        };
        let text = screen(None, Colours::Plain).text(&Event::Failed(failure));
        assert_snapshot!(text, @r"
        error: function not found: boom (i64)
         --> shop.rhai:2:3
          |
        2 |   boom(a);
          |   ^
          |
          = hint: it was called by price_of
        ");
    }

    #[test]
    fn a_terminal_gets_folded_lines_and_colours() {
        let mut narrow = screen(Some(40), Colours::Plain);
        let text = narrow.text(&over(Ok(b"")));
        assert!(
            text.lines().all(|line| line.chars().count() <= 40),
            "{text}"
        );
        assert!(text.contains("receive"), "{text}");
        let mut coloured = screen(None, Colours::Ansi);
        let verdict = Event::Judged {
            row: "GET /".to_owned(),
            failure: None,
        };
        assert_eq!(
            coloured.text(&verdict),
            "  \u{1b}[32m✓ GET /: success\u{1b}[0m\n"
        );
    }
}
