//! Where a board is shown: drawn in place on a terminal, or appended where there is none.
//!
//! Owns when to write, and that a terminal's scrollback is neither lost nor flooded; `frame` owns
//! what is written.
//!
//! | the frame | is written |
//! |---|---|
//! | fits | in place, whenever it is another |
//! | does not fit, and the script has mistakes | in place, cut at the bottom |
//! | does not fit | whole, when something else happened than in the one shown |
//!
//! The upper part of a frame written whole is in the scrollback; its last row repeats the top row,
//! and keeps changing.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::{Board, IterationTrace, RunStatus, SaveProblem};
use super::frame::{self, Frame};
use crate::screen::debug::{self, Paint, View};
use crate::screen::show;
use crate::script::{Event, Level};

/// A frame that does not fit scrolls, but no more often than this.
const SCROLL_EVERY: Duration = Duration::from_secs(2);

/// A board and where it is shown.
pub(crate) struct LiveScreen {
    pub(crate) board: Board,
    face: Face,
}

/// How the board is shown; decided once.
enum Face {
    Terminal(Terminal),
    /// Iterations on stdout, one after another; messages on stderr.
    Appended(View),
}

pub(crate) struct Terminal {
    /// Bytes of bodies to show.
    body: usize,
    /// Columns and rows at the last write.
    size: (usize, usize),
    content: ScreenContent,
}

/// What the screen shows now.
enum ScreenContent {
    /// Whatever was there before.
    Other,
    InPlace(Vec<String>),
    Whole {
        essence: u64,
        /// The messages about the script.
        messages: Vec<String>,
        at: Instant,
        footer: String,
    },
}

impl LiveScreen {
    /// A screen for this board that shows `body` bytes of each body.
    pub(crate) fn new(board: Board, body: usize) -> LiveScreen {
        let view = debug::view(body);
        let face = match view.width {
            Some(_) => Face::Terminal(Terminal::new(body)),
            None => Face::Appended(view),
        };
        LiveScreen { board, face }
    }

    /// Takes what happened to a user.
    pub(crate) fn take_event(&mut self, event: Event) {
        let complete = self.board.take_event(event, Instant::now());
        if let (Some(trace), Face::Appended(view)) = (complete, &self.face) {
            append(&self.board, &trace, *view);
        }
    }

    /// A save has mistakes.
    pub(crate) fn broken(&mut self, findings: Vec<SaveProblem>) {
        self.board.broken(findings);
        if let Face::Appended(view) = &self.face {
            print_problems(&self.board.findings, *view);
            show::log(Level::Error, &frame::broken(&self.board));
        }
    }

    /// A save has no mistakes, or only warnings.
    pub(crate) fn good(&mut self, findings: Vec<SaveProblem>, news: Option<&str>) {
        self.board.good(findings, news);
        if let Face::Appended(view) = &self.face {
            print_problems(&self.board.findings, *view);
            if let Some(news) = news {
                show::log(Level::Info, news);
            }
        }
    }

    /// An edited script is in service.
    pub(crate) fn serve(&mut self, generation: u16, hash: String) {
        self.board.serve(generation, hash);
        if let Face::Appended(_) = &self.face {
            let text = format!("{}: in service", frame::title(&self.board, None, None));
            show::log(Level::Info, &text);
        }
    }

    /// Users no longer run.
    pub(crate) fn over(&mut self, level: Level, why: String) {
        if let Face::Appended(_) = &self.face {
            show::log(level, &format!("{why}: {}", frame::NEXT_SAVE));
        }
        self.board.status = RunStatus::Over(level, why);
    }

    /// A person has asked for the end.
    pub(crate) fn stop(&mut self) {
        if let Face::Appended(_) = &self.face {
            show::log(Level::Info, show::INTERRUPTED);
        }
        self.board.status = RunStatus::Stops;
    }

    /// Something that a person should read.
    pub(crate) fn note(&mut self, level: Level, text: String) {
        if let Face::Appended(_) = &self.face {
            show::log(level, &text);
        }
        self.board.note(level, text);
    }

    /// Shows what is new, if it is due.
    pub(crate) fn draw(&mut self) {
        if let Face::Terminal(terminal) = &mut self.face {
            terminal.draw(&self.board, Instant::now());
        }
    }

    /// Shows the final state for good, and a line below it.
    pub(crate) fn close(&mut self, line: &str) {
        self.board.status = RunStatus::Stopped;
        match &mut self.face {
            Face::Terminal(terminal) => terminal.close(&self.board, line),
            Face::Appended(_) => show::log(Level::Info, line),
        }
    }
}

/// Prints a trace under a line that identifies it.
fn append(board: &Board, trace: &Arc<IterationTrace>, view: View) {
    let title = format!("── {} ──", frame::title(board, Some(trace), None));
    let title = view.paint(Paint::Bold, &title);
    let text = format!("{title}\n{}", frame::text(board, trace, view));
    print(&text);
}

/// Prints findings to stderr.
fn print_problems(findings: &[SaveProblem], view: View) {
    for found in findings {
        let text = frame::finding(found, view);
        // If stderr is gone, there is nowhere to report that.
        let _ = writeln!(anstream::stderr().lock(), "{text}\n");
    }
}

fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // If stdout is gone, there is nowhere to report that.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

impl Terminal {
    /// A terminal on which nothing has been written, showing `body` bytes of each body.
    pub(crate) fn new(body: usize) -> Terminal {
        Terminal {
            body,
            size: (0, 0),
            content: ScreenContent::Other,
        }
    }

    fn view(&mut self) -> (View, usize) {
        let view = debug::view(self.body);
        let size = rustix::termios::tcgetwinsize(std::io::stdout());
        let rows = size.map_or(0, |size| usize::from(size.ws_row));
        // A terminal that does not report its size shows at least something.
        let width = view.width.filter(|width| *width > 0).unwrap_or(80);
        let rows = if rows == 0 { 24 } else { rows };
        let view = View {
            width: Some(width),
            ..view
        };
        (view, rows)
    }

    fn draw(&mut self, board: &Board, now: Instant) {
        let (view, height) = self.view();
        let frame = frame::of(board, view, now);
        let size = (view.width.unwrap_or_default(), height);
        let text = self.update(board, &frame, size, now);
        if !text.is_empty() {
            print(&text);
        }
    }

    /// What to write so that a screen of this size (columns, rows) shows a frame.
    pub(crate) fn update(
        &mut self,
        board: &Board,
        frame: &Frame,
        size: (usize, usize),
        now: Instant,
    ) -> String {
        let (_, height) = size;
        let mut text = String::new();
        if std::mem::replace(&mut self.size, size) != size {
            match self.content {
                // The shell's output moves to the scrollback instead of being overwritten.
                ScreenContent::Other => text.push_str(&"\n".repeat(height)),
                // The terminal has rewrapped its contents in its own way.
                _ => text.push_str("\u{1b}[H\u{1b}[2J"),
            }
            self.content = ScreenContent::Other;
        }
        let mut rows: Vec<String> = frame.rows().cloned().collect();
        // The last row is left for the cursor.
        let room = height.saturating_sub(1).max(1);
        if rows.len() <= room || board.is_broken {
            if rows.len() > room {
                let left = rows.len() - (room - 1);
                rows.truncate(room - 1);
                rows.push(format!("… {left} more rows"));
            }
            if matches!(&self.content, ScreenContent::InPlace(shown) if *shown == rows) {
                return text;
            }
            in_place(&mut text, &rows);
            self.content = ScreenContent::InPlace(rows);
            return text;
        }
        let footer = frame.footer.clone();
        match &mut self.content {
            ScreenContent::Whole {
                essence,
                messages,
                at,
                footer: shown,
            } if *essence == frame.essence
                || *messages == frame.messages && now.duration_since(*at) < SCROLL_EVERY =>
            {
                if *shown != footer {
                    let _ = write!(text, "\r\u{1b}[K{footer}\u{1b}[0m");
                    *shown = footer;
                }
            }
            _ => {
                whole(&mut text, &rows);
                let _ = write!(text, "{footer}\u{1b}[0m");
                self.content = ScreenContent::Whole {
                    essence: frame.essence,
                    messages: frame.messages.clone(),
                    at: now,
                    footer,
                };
            }
        }
        text
    }

    fn close(&mut self, board: &Board, line: &str) {
        let (view, height) = self.view();
        let frame = frame::of(board, view, Instant::now());
        let rows: Vec<String> = frame.rows().cloned().collect();
        let mut text = String::new();
        if rows.len() < height {
            in_place(&mut text, &rows);
        } else {
            whole(&mut text, &rows);
        }
        let _ = write!(text, "\r\n{line}\r\n");
        print(&text);
    }
}

/// Rows from the top of the screen, and nothing below them.
fn in_place(text: &mut String, rows: &[String]) {
    text.push_str("\u{1b}[H");
    for row in rows {
        // Erased first: after a full-width row the cursor is still on its last character.
        let _ = write!(text, "\u{1b}[K{row}\u{1b}[0m\r\n");
    }
    text.push_str("\u{1b}[J");
}

/// Rows from the top of the screen and beyond its bottom.
fn whole(text: &mut String, rows: &[String]) {
    text.push_str("\u{1b}[H\u{1b}[J");
    for row in rows {
        let _ = write!(text, "{row}\u{1b}[0m\r\n");
    }
}
