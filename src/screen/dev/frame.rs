//! A board as text: what goes where on the screen, and in what words.
//!
//! Owns the form. It writes nothing, and knows only the width of a terminal.

use std::hash::{Hash, Hasher};
use std::time::Instant;

use rustc_hash::FxHasher;

use super::board::{Board, IterationTrace, Ledger, RunStatus, SaveProblem};
use super::fold;
use crate::screen::debug::{Paint, Screen, View};
use crate::screen::show;
use crate::script::{Event, Level};

/// Digits of a hash that distinguish one generation from the next.
const SHORT: usize = 7;

/// What comes after a run is over.
pub(crate) const NEXT_SAVE: &str = "waiting for the next save, which starts anew";

/// A board's rows, each one row of the screen.
#[derive(Debug)]
pub(crate) struct Frame {
    /// What is shown, which iteration and of how many users.
    pub(crate) header: Vec<String>,
    /// Messages about the script.
    pub(crate) messages: Vec<String>,
    /// The iteration, and the mistakes of earlier ones.
    pub(crate) rest: Vec<String>,
    /// One row below, if the top of the screen has scrolled away.
    pub(crate) footer: String,
    /// A hash of what happened, regardless of the time.
    pub(crate) essence: u64,
}

impl Frame {
    /// All rows, from the top.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &String> {
        self.header.iter().chain(&self.messages).chain(&self.rest)
    }
}

/// The frame of a board at a moment.
pub(crate) fn of(board: &Board, view: View, now: Instant) -> Frame {
    let width = view.width.unwrap_or(usize::MAX);
    let shown = board.shown(now);
    let messages = messages(board, view);
    let mut hasher = FxHasher::default();
    (board.generation(), &messages).hash(&mut hasher);
    let mut rest = String::new();
    if let Some((trace, ledger)) = &shown {
        hash(trace, &mut hasher);
        rest.push('\n');
        rest.push_str(&text(board, trace, view));
        rest.push_str(&earlier(ledger, view));
    }
    let footer = footer(board, shown.as_ref(), view);
    let trace = shown.as_ref().map(|(trace, _)| *trace);
    let users = (board.status == RunStatus::Runs).then(|| board.users());
    let title = title(board, trace, users);
    Frame {
        header: fold::rows(&view.paint(Paint::Bold, &title), width),
        messages: rows(&messages, width),
        rest: rows(&rest, width),
        footer: fold::rows(&footer, width.saturating_sub(1)).swap_remove(0),
        essence: hasher.finish(),
    }
}

/// The rows of text whose lines are all terminated.
fn rows(text: &str, width: usize) -> Vec<String> {
    match text.strip_suffix('\n') {
        Some(text) => fold::rows(text, width),
        None => Vec::new(),
    }
}

/// `shop.rhai · generation 2 (8c1f0de) · Shopper · iteration 17 · 1 user`
pub(crate) fn title(board: &Board, trace: Option<&IterationTrace>, users: Option<usize>) -> String {
    let mut parts = vec![board.script.clone()];
    if board.generation() > 0 {
        let hash = board.hash.get(..SHORT).unwrap_or(&board.hash);
        parts.push(format!("generation {} ({hash})", board.generation()));
        parts.push(board.class.clone());
    }
    if let Some(trace) = trace
        && let Some(number) = trace.number
    {
        parts.push(match board.is_of_another(trace) {
            Some(generation) => format!("iteration {number} of generation {generation}"),
            None => format!("iteration {number}"),
        });
    }
    if board.generation() > 0
        && let Some(users) = users
    {
        parts.push(show::users(u32::try_from(users).unwrap_or(u32::MAX)));
    }
    parts.join(" · ")
}

/// The status line while nothing else is written.
fn footer(board: &Board, shown: Option<&(&IterationTrace, Ledger)>, view: View) -> String {
    let mut parts = Vec::new();
    match &board.status {
        RunStatus::Stops => parts.push(show::INTERRUPTED.to_owned()),
        RunStatus::Over(_, why) => parts.push(format!("{why}: {NEXT_SAVE}")),
        RunStatus::Waits | RunStatus::Runs | RunStatus::Stopped => {}
    }
    if let Some((trace, ledger)) = shown {
        parts.extend(trace.number.map(|number| format!("iteration {number}")));
        let earlier = ledger.count();
        if earlier > 0 {
            let mistakes = if earlier == 1 { "mistake" } else { "mistakes" };
            parts.push(format!("{earlier} earlier {mistakes}"));
        }
    }
    parts.push(format!("generation {}", board.generation()));
    view.paint(Paint::Bold, &parts.join(" · "))
}

/// A trace as `katydid debug` shows it.
pub(crate) fn text(board: &Board, trace: &IterationTrace, view: View) -> String {
    let mut screen = Screen::new(view, board.files_of(trace).to_vec());
    let mut text = String::new();
    for event in &trace.events {
        text.push_str(&screen.text(event));
    }
    if trace.left_out > 0 {
        let what = format!("  ({} more events are not shown)", trace.left_out);
        text.push_str(&view.paint(Paint::Dim, &what));
        text.push('\n');
    }
    text
}

/// A problem as text, with its lines.
pub(crate) fn finding(finding: &SaveProblem, view: View) -> String {
    match finding {
        SaveProblem::Script(files, findings) => {
            let text_of = |path: &str| {
                let file = files.iter().find(|file| file.path == path)?;
                Some(file.text.as_str())
            };
            findings.render(text_of, view.colours)
        }
        SaveProblem::Wrong(message, hint) => {
            let mut text = view.paint(Paint::Red, &format!("error: {message}"));
            if let Some(hint) = hint {
                text.push_str(&format!("\nhint: {}", show::clean(hint)));
            }
            text
        }
    }
}

/// The message about a broken script, and what runs meanwhile.
pub(crate) fn broken(board: &Board) -> String {
    match &board.status {
        RunStatus::Runs => {
            let hash = board.hash.get(..SHORT).unwrap_or(&board.hash);
            format!(
                "the saved script has mistakes: the last good one goes on, generation {} ({hash})",
                board.generation()
            )
        }
        RunStatus::Stops | RunStatus::Stopped => "the saved script has mistakes".to_owned(),
        RunStatus::Waits | RunStatus::Over(..) => {
            "the saved script has mistakes: waiting until it is mended and saved".to_owned()
        }
    }
}

/// All messages about the script and the run.
fn messages(board: &Board, view: View) -> String {
    let mut lines: Vec<String> = Vec::new();
    // First, because the findings may be more than fit.
    if board.is_broken {
        lines.push(view.paint(Paint::Red, &broken(board)));
    }
    for found in &board.findings {
        lines.push(format!("\n{}\n", finding(found, view)));
    }
    if let Some(news) = &board.news {
        lines.push(view.paint(Paint::Green, news));
    }
    let noted = |level: Level, text: &str| match level {
        Level::Info => show::clean(text).into_owned(),
        Level::Warn => view.paint(Paint::Yellow, &format!("warning: {text}")),
        Level::Error => view.paint(Paint::Red, &format!("error: {text}")),
    };
    for (level, text) in &board.notes {
        lines.push(noted(*level, text));
    }
    match &board.status {
        RunStatus::Over(level, why) => {
            lines.push(noted(*level, why));
            if !board.is_broken {
                lines.push(view.paint(Paint::Yellow, NEXT_SAVE));
            }
        }
        RunStatus::Stops => lines.push(view.paint(Paint::Yellow, show::INTERRUPTED)),
        RunStatus::Waits | RunStatus::Runs | RunStatus::Stopped => {}
    }
    match lines.is_empty() {
        true => String::new(),
        false => format!("{}\n", lines.join("\n").trim_end_matches('\n')),
    }
}

/// The mistakes of earlier iterations.
fn earlier(ledger: &Ledger, view: View) -> String {
    if ledger.mistakes.is_empty() {
        return String::new();
    }
    let title = "earlier iterations of this generation:";
    let mut text = format!("\n{}\n", view.paint(Paint::Bold, title));
    for (mistake, count) in &ledger.mistakes {
        // A message may have several lines; here it is a list item.
        let mistake = mistake.lines().next().unwrap_or_default();
        let mistake = view.paint(Paint::Red, mistake);
        text.push_str(&format!("  {count} × {mistake}\n"));
    }
    if ledger.others > 0 {
        text.push_str(&format!("  {} × others\n", ledger.others));
    }
    text
}

/// Hashes what happened, ignoring times and durations.
fn hash(trace: &IterationTrace, hasher: &mut FxHasher) {
    for event in &trace.events {
        match event {
            Event::Begins { who, what } => (who, what).hash(hasher),
            Event::Said(line) => (&line.place, &line.text).hash(hasher),
            Event::Sends { method, url, .. } => (method, url).hash(hasher),
            Event::Answers { status, .. } => status.hash(hasher),
            Event::Over { row, body, .. } => (row, body.as_ref().err()).hash(hasher),
            Event::Read { row, whole, .. } => (row, whole).hash(hasher),
            Event::Judged { row, failure } => (row, failure).hash(hasher),
            Event::Failed(failure) => (&failure.message, failure.position).hash(hasher),
            Event::SwitchedTo { .. }
            | Event::IterationBegins { .. }
            | Event::IterationEnds { .. }
            | Event::UserEnds => {}
        }
    }
}
