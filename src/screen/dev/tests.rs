//! What the screen shows of a row of events, and what is written so that it does.
//!
//! Saves and runs are not tested here: `tests/it/dev.rs` has them, with the tool itself.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::board::{Board, RunStatus, SaveProblem};
use super::frame::{self, Frame};
use super::live::Terminal;
use crate::screen::debug::View;
use crate::script::diagnostic::{Colours, Diagnostic, Diagnostics};
use crate::script::{Event, Failure, File, Level};

const SCRIPT: &str = "user(\"U\", #{\n    t: task(|| { boom(); }),\n});\n";

fn file() -> File {
    File {
        path: "shop.rhai".to_owned(),
        text: SCRIPT.to_owned(),
    }
}

/// A board on which a first generation is in service.
fn board() -> Board {
    let mut board = Board::new("shop.rhai".to_owned());
    board.source("a1b2c3d4e5f6".to_owned(), "U".to_owned(), vec![file()]);
    board.begin("a1b2c3d4e5f6".to_owned());
    board
}

fn view(width: usize) -> View {
    View {
        width: Some(width),
        colours: Colours::Plain,
        body: 100,
    }
}

/// The text of a frame, at that width.
fn shown(board: &Board, width: usize, now: Instant) -> String {
    let frame = frame::of(board, view(width), now);
    frame.rows().cloned().collect::<Vec<_>>().join("\n")
}

fn begins(number: u64, generation: u16) -> Event {
    Event::IterationBegins { number, generation }
}

const ENDS: Event = Event::IterationEnds { is_whole: true };

fn judged(row: &str, failure: Option<&str>) -> Event {
    Event::Judged {
        row: row.to_owned(),
        failure: failure.map(str::to_owned),
    }
}

fn failed(message: &str) -> Event {
    Event::Failed(Failure {
        message: message.to_owned(),
        file: "shop.rhai".to_owned(),
        position: Some((2, 18)),
        stack: Vec::new(),
    })
}

/// Lets a user have these events, all at that moment.
fn take_event(board: &mut Board, user: u64, now: Instant, events: impl IntoIterator<Item = Event>) {
    board.take_event(Event::SwitchedTo { user }, now);
    for event in events {
        board.take_event(event, now);
    }
}

fn iteration(number: u64, generation: u16, event: Event) -> [Event; 3] {
    [begins(number, generation), event, ENDS]
}

#[test]
fn the_last_iteration_is_shown_and_how_often_earlier_ones_went_wrong() {
    let (mut board, now) = (board(), Instant::now());
    for number in 1..=3 {
        take_event(
            &mut board,
            4,
            now,
            iteration(number, 1, judged("GET /a", Some("no"))),
        );
    }
    take_event(
        &mut board,
        4,
        now,
        iteration(4, 1, failed("function not found: boom ()")),
    );
    take_event(
        &mut board,
        4,
        now,
        iteration(5, 1, failed("function not found: boom ()")),
    );
    assert_snapshot!(shown(&board, 80, now), @r"
    shop.rhai · generation 1 (a1b2c3d) · U · iteration 5 · 1 user

    error: function not found: boom ()
     --> shop.rhai:2:18
      |
    2 |     t: task(|| { boom(); }),
      |                  ^

    earlier iterations of this generation:
      3 × GET /a: no
      1 × shop.rhai:2:18: function not found: boom ()
    ");
}

#[test]
fn with_several_users_it_is_the_last_iteration_of_any() {
    let (mut board, now) = (board(), Instant::now());
    take_event(&mut board, 1, now, [begins(1, 1), judged("GET /one", None)]);
    take_event(
        &mut board,
        2,
        now,
        [begins(1, 1), judged("GET /two", None), ENDS],
    );
    let text = shown(&board, 80, now);
    assert!(
        text.contains("GET /two") && !text.contains("GET /one"),
        "{text}"
    );
    assert!(text.contains("2 users"), "{text}");
    take_event(&mut board, 1, now, [ENDS]);
    let text = shown(&board, 80, now);
    assert!(
        text.contains("GET /one") && !text.contains("GET /two"),
        "{text}"
    );
    take_event(&mut board, 2, now, [Event::UserEnds]);
    assert!(shown(&board, 80, now).contains("1 user"));
}

#[test]
fn an_iteration_that_takes_longer_than_a_second_is_shown_before_its_end() {
    let (mut board, now) = (board(), Instant::now());
    take_event(
        &mut board,
        1,
        now,
        iteration(1, 1, judged("GET /quick", Some("no"))),
    );
    take_event(
        &mut board,
        1,
        now,
        [begins(2, 1), judged("GET /slow", None)],
    );
    let before = shown(&board, 80, now + Duration::from_millis(900));
    assert!(
        before.contains("GET /quick") && !before.contains("GET /slow"),
        "{before}"
    );
    let after = shown(&board, 80, now + Duration::from_millis(1_000));
    assert!(
        after.contains("iteration 2") && after.contains("✓ GET /slow"),
        "{after}"
    );
    assert!(after.contains("1 × GET /quick: no"), "{after}");
}

#[test]
fn what_was_interrupted_at_once_does_not_replace_what_was_whole() {
    let (mut board, now) = (board(), Instant::now());
    take_event(
        &mut board,
        1,
        now,
        iteration(1, 1, judged("GET /whole", None)),
    );
    let cut = Event::IterationEnds { is_whole: false };
    take_event(
        &mut board,
        1,
        now,
        [begins(2, 1), judged("GET /cut", None), cut],
    );
    take_event(
        &mut board,
        1,
        now,
        [judged("GET /bye", None), Event::UserEnds],
    );
    let text = shown(&board, 80, now);
    assert!(
        text.contains("GET /whole") && !text.contains("GET /cut"),
        "{text}"
    );
    assert!(
        text.contains("GET /bye"),
        "its `on_stop` belongs to it: {text}"
    );
}

#[test]
fn another_generation_begins_with_no_mistakes() {
    let (mut board, now) = (board(), Instant::now());
    take_event(
        &mut board,
        1,
        now,
        iteration(1, 1, judged("GET /a", Some("old"))),
    );
    take_event(
        &mut board,
        1,
        now,
        iteration(2, 1, judged("GET /a", Some("old"))),
    );
    let text = "\n\nnew();\n".to_owned();
    let path = "shop.rhai".to_owned();
    board.source(
        "fedcba987654".to_owned(),
        "V".to_owned(),
        vec![File { path, text }],
    );
    board.serve(2, "fedcba987654".to_owned());
    let title = "shop.rhai · generation 2 (fedcba9) · V · iteration 2 of generation 1 · 1 user\n";
    assert!(shown(&board, 80, now).starts_with(title));
    // One that began before is over: it says nothing of the new script.
    take_event(
        &mut board,
        1,
        now,
        iteration(3, 1, judged("GET /a", Some("old"))),
    );
    take_event(
        &mut board,
        1,
        now,
        iteration(4, 2, judged("GET /a", Some("new"))),
    );
    let text = shown(&board, 80, now);
    assert!(!text.contains("earlier") && !text.contains("old"), "{text}");
}

#[test]
fn a_save_with_mistakes_stands_at_the_top_until_it_is_mended() {
    let (mut board, now) = (board(), Instant::now());
    take_event(&mut board, 1, now, iteration(1, 1, judged("GET /a", None)));
    let finding = Diagnostic::error("shop.rhai", "unknown function `boom`").at(2, 18, 4);
    let findings: Diagnostics = [finding].into_iter().collect();
    board.broken(vec![SaveProblem::Script(vec![file()], findings)]);
    assert_snapshot!(shown(&board, 50, now), @r"
    shop.rhai · generation 1 (a1b2c3d) · U ·
    iteration 1 · 1 user
    the saved script has mistakes: the last good one
    goes on, generation 1 (a1b2c3d)

    error: unknown function `boom`
     --> shop.rhai:2:18
      |
    2 |     t: task(|| { boom(); }),
      |                  ^^^^

      ✓ GET /a: success
    ");
    board.good(Vec::new(), Some("mended"));
    assert_snapshot!(shown(&board, 50, now), @r"
    shop.rhai · generation 1 (a1b2c3d) · U ·
    iteration 1 · 1 user
    mended

      ✓ GET /a: success
    ");
}

#[test]
fn a_run_that_is_over_says_why_and_the_next_counts_its_generations_on() {
    let (mut board, now) = (board(), Instant::now());
    take_event(
        &mut board,
        1,
        now,
        [failed("no such thing"), Event::UserEnds],
    );
    board.status = RunStatus::Over(Level::Warn, "all users have ended".to_owned());
    assert_snapshot!(shown(&board, 80, now), @r"
    shop.rhai · generation 1 (a1b2c3d) · U
    warning: all users have ended
    waiting for the next save, which starts anew

    error: no such thing
     --> shop.rhai:2:18
      |
    2 |     t: task(|| { boom(); }),
      |                  ^
    ");
    board.source("fedcba987654".to_owned(), "U".to_owned(), vec![file()]);
    board.good(Vec::new(), Some("started anew"));
    board.begin("fedcba987654".to_owned());
    assert_snapshot!(shown(&board, 80, now), @r"
    shop.rhai · generation 2 (fedcba9) · U · 0 users
    started anew
    ");
}

#[test]
fn an_endless_iteration_is_kept_in_part() {
    let (mut board, now) = (board(), Instant::now());
    let many = (0..3_000).map(|_| judged("GET /a", None));
    take_event(&mut board, 1, now, [begins(1, 1)]);
    take_event(&mut board, 1, now, many);
    take_event(&mut board, 1, now, [failed("at last"), ENDS]);
    let text = shown(&board, 80, now);
    assert!(text.contains("error: at last"), "{text}");
    assert!(text.contains("(1000 more events are not shown)"), "{text}");
}

#[test]
fn no_more_mistakes_are_told_apart_than_anybody_reads() {
    let (mut board, now) = (board(), Instant::now());
    for number in 0..=20 {
        let why = format!("mistake {number}");
        take_event(
            &mut board,
            1,
            now,
            iteration(number, 1, judged("GET /a", Some(&why))),
        );
    }
    let text = shown(&board, 80, now);
    assert!(
        text.contains("1 × GET /a: mistake 11\n  8 × others"),
        "{text}"
    );
}

fn frame(board: &Board, now: Instant) -> Frame {
    frame::of(board, view(40), now)
}

#[test]
fn what_fits_is_drawn_in_place_and_only_when_it_is_another() {
    let (mut board, now) = (board(), Instant::now());
    take_event(&mut board, 1, now, iteration(1, 1, judged("GET /a", None)));
    let mut terminal = Terminal::new(100);
    let size = (40, 10);
    let first = terminal.update(&board, &frame(&board, now), size, now);
    let scrolled = "\n".repeat(10) + "\u{1b}[H\u{1b}[K";
    assert!(
        first.starts_with(&scrolled) && first.ends_with("\u{1b}[J"),
        "{first:?}"
    );
    assert_eq!(terminal.update(&board, &frame(&board, now), size, now), "");
    take_event(&mut board, 1, now, iteration(2, 1, judged("GET /a", None)));
    let second = terminal.update(&board, &frame(&board, now), size, now);
    assert!(
        second.starts_with("\u{1b}[H\u{1b}[Kshop.rhai"),
        "{second:?}"
    );
    let narrow = terminal.update(&board, &frame(&board, now), (39, 10), now);
    assert!(narrow.starts_with("\u{1b}[H\u{1b}[2J"), "{narrow:?}");
}

#[test]
fn what_does_not_fit_scrolls_once_and_only_its_last_row_goes_on() {
    let (mut board, now) = (board(), Instant::now());
    let mut terminal = Terminal::new(100);
    let size = (40, 8);
    let mut update = |board: &Board, now| terminal.update(board, &frame(board, now), size, now);
    take_event(&mut board, 1, now, iteration(1, 1, failed("wrong")));
    let first = update(&board, now);
    assert!(
        first.ends_with("\niteration 1 · generation 1\u{1b}[0m"),
        "{first:?}"
    );
    take_event(&mut board, 1, now, iteration(2, 1, failed("wrong")));
    let footer = "\r\u{1b}[Kiteration 2 · 1 earlier mistake ·\u{1b}[0m";
    assert_eq!(update(&board, now), footer);
    // Something else happened: it is shown, but not at once.
    take_event(&mut board, 1, now, iteration(3, 1, failed("else")));
    let soon = update(&board, now + Duration::from_millis(1_999));
    assert!(soon.starts_with("\r\u{1b}[Kiteration 3"), "{soon:?}");
    let later = update(&board, now + Duration::from_secs(2));
    assert!(later.contains("error: else"), "{later:?}");
    // What is said of the script does not wait.
    board.note(Level::Warn, "read this".to_owned());
    assert!(update(&board, now + Duration::from_secs(2)).contains("read this"));
    // Findings must stay in sight.
    board.broken(vec![SaveProblem::Wrong("broken".to_owned(), None)]);
    let cut = update(&board, now + Duration::from_secs(2));
    assert!(
        cut.contains("error: broken") && cut.contains("more rows"),
        "{cut:?}"
    );
    assert_eq!(cut.matches("\r\n").count(), 7, "{cut:?}");
}
