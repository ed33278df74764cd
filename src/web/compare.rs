//! Rows over windows and generations, side by side.
//!
//! Owns which windows have a name and how rows of two of them are matched; the numbers come from
//! `stats`.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::Shared;
use super::api::find_run;
use super::figures::{self, Column, Name};
use super::frames::closed_seconds;
use super::problem::Problem;
use super::requests::Query;
use crate::control::{RunView, View};
use crate::stats::{Row, Summary};

/// What stands on one side.
#[derive(Serialize)]
struct Side {
    label: String,
    seconds: f64,
    rows: Vec<Vec<Column>>,
    intervals: BTreeMap<u32, [u64; 6]>,
    #[serde(skip)]
    names: Vec<Name>,
}

/// The rows of a window of a run.
pub(super) async fn window(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Result<Json<Value>, Problem> {
    aside(move || windowed_rows(&shared, &query)).await
}

/// Does what takes up to some 100 ms (a long run of many names) while streams go on.
async fn aside(
    work: impl FnOnce() -> Result<Value, Problem> + Send + 'static,
) -> Result<Json<Value>, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    let failed = |_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this could not be worked out",
        )
    };
    done.map_err(failed)?.map(Json)
}

fn windowed_rows(shared: &Shared, query: &Query) -> Result<Value, Problem> {
    let run = shared.some_run(query)?;
    let summary = summary_of(&run)?;
    let (from, to) = (query.number("from")?, query.number("to")?);
    let seconds_of = within(&run, from.unwrap_or(0), to.unwrap_or(u64::MAX));
    let window = seconds_of.map_err(|(field, detail)| Problem::field(field, detail))?;
    let window = summary.timeline.window(window);
    let (length, paused_s) = lengths(summary, &window.seconds);
    let intervals: BTreeMap<_, _> = window
        .rows
        .iter()
        .map(|row| (row.id, row.intervals_us))
        .collect();
    let rows: Vec<_> = window
        .rows
        .iter()
        .map(|row| figures::windowed_row(row, length))
        .collect();
    Ok(json!({
        "from": window.seconds.start,
        "to": window.seconds.end,
        "step": window.step,
        "rows": rows,
        "names": figures::all_rows(summary).map(figures::name).collect::<Vec<_>>(),
        "intervals": intervals,
        "paused_s": paused_s,
    }))
}

/// Two windows, generations or runs, matched by name.
pub(super) async fn compare(
    State(shared): State<Arc<Shared>>,
    query: Query,
) -> Result<Json<Value>, Problem> {
    aside(move || compared(&shared.view(), &query)).await
}

fn compared(view: &View, query: &Query) -> Result<Value, Problem> {
    let mut names = Vec::new();
    let mut known = HashMap::new();
    let mut sides = Vec::new();
    for field in ["a", "b"] {
        let what = query.get(field);
        let what = what.ok_or_else(|| Problem::field(field, "a window is expected"))?;
        let mut side = side(view, field, what)?;
        // The numbers of another run's rows mean other names.
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        for (id, kind, method, name) in std::mem::take(&mut side.names) {
            let next = u32::try_from(known.len()).expect("names are bounded");
            let key = (kind.clone(), method.clone(), name.clone());
            let number = *known.entry(key).or_insert(next);
            if number == next && names.len() == next as usize {
                names.push((number, kind, method, name));
            }
            numbers.insert(id, number);
        }
        for row in &mut side.rows {
            let number = numbers
                .iter()
                .find(|(id, _)| Column(f64::from(**id)) == row[0]);
            if let Some((_, number)) = number {
                row[0] = Column(f64::from(*number));
            }
        }
        let intervals = std::mem::take(&mut side.intervals).into_iter();
        side.intervals = intervals
            .filter_map(|(id, it)| Some((*numbers.get(&id)?, it)))
            .collect();
        sides.push(side);
    }
    let b = sides.pop().expect("two were pushed");
    let a = sides.pop().expect("two were pushed");
    Ok(json!({ "a": a, "b": b, "names": names }))
}

/// What `RUN`, `RUN@FROM-TO` or `RUN/gen:N` names.
fn side(view: &View, field: &str, what: &str) -> Result<Side, Problem> {
    let wrong = || {
        let problem = Problem::field(field, "this names no window");
        problem.hint("it is RUN, RUN@FROM-TO in seconds, or RUN/gen:N")
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    if let Some((run, window)) = what.split_once('@') {
        let (from, to) = window.split_once('-').ok_or_else(wrong)?;
        let run = find_run(view, number(run)?)?;
        return windowed(&run, field, number(from)?..number(to)?);
    }
    if let Some((run, generation)) = what.split_once("/gen:") {
        let run = find_run(view, number(run)?)?;
        return generation_of(&run, number(generation)?).ok_or_else(|| {
            let detail = "the run has no rows of this generation alone";
            let problem = Problem::new(StatusCode::NOT_FOUND, detail);
            problem.hint("it keeps the newest, the one before, and all earlier ones together")
        });
    }
    let run = find_run(view, number(what)?)?;
    let label = format!("run {}", run.number);
    Ok(whole(&run, summary_of(&run)?, label))
}

/// All of a run.
fn whole(run: &RunView, summary: &Summary, label: String) -> Side {
    let rows: Vec<&Row> = figures::all_rows(summary).collect();
    // Rows of names have no intervals of their own: those are from the timeline, by its buckets.
    let since = (summary.since_us / 1_000_000).min(closed_seconds(run));
    let window = since..closed_seconds(run).max(since + 1);
    let window = summary.timeline.window(window).rows;
    let total = (summary.total.id, summary.total.intervals_us);
    let named = window.iter().map(|row| (row.id, row.intervals_us));
    Side {
        label,
        seconds: std::time::Duration::from_micros(summary.elapsed_us).as_secs_f64(),
        intervals: named.chain([total]).collect(),
        ..side_of(&rows)
    }
}

/// The seconds of a run that a window is about, if it has any; else which end is wrong, and why.
fn within(run: &RunView, from: u64, to: u64) -> Result<Range<u64>, (&'static str, String)> {
    let last = closed_seconds(run).max(1);
    if from >= to {
        return Err(("to", "a window ends after it begins".to_owned()));
    }
    if from >= last {
        return Err(("from", format!("the run has only {last} s")));
    }
    Ok(from..to.min(last))
}

fn windowed(run: &RunView, field: &str, asked: Range<u64>) -> Result<Side, Problem> {
    let summary = summary_of(run)?;
    let window = within(run, asked.start, asked.end);
    let window = window.map_err(|(_, detail)| Problem::field(field, detail))?;
    let window = summary.timeline.window(window);
    let (length, _) = lengths(summary, &window.seconds);
    Ok(Side {
        label: format!("{} to {} s", window.seconds.start, window.seconds.end),
        seconds: length,
        rows: window
            .rows
            .iter()
            .map(|row| figures::windowed_row(row, length))
            .collect(),
        intervals: window
            .rows
            .iter()
            .map(|row| (row.id, row.intervals_us))
            .collect(),
        names: figures::all_rows(summary).map(figures::name).collect(),
    })
}

fn generation_of(run: &RunView, number: u64) -> Option<Side> {
    let summary = run.summary.as_deref()?;
    let is_it = |first: u16, last: u16| (u64::from(first)..=u64::from(last)).contains(&number);
    let label = format!("generation {number}");
    if summary.by_generation.is_empty() {
        let only = summary.generations.last()?;
        return (u64::from(only.n) == number).then(|| whole(run, summary, label));
    }
    let rows = summary
        .by_generation
        .iter()
        .find(|rows| is_it(rows.first.n, rows.last.n))?;
    let from_us = rows.first.at_us.max(summary.since_us);
    let length = rows.end_us.saturating_sub(from_us);
    let length = length.saturating_sub(summary.pauses.within(from_us, rows.end_us));
    let named = rows.requests.iter().chain(&rows.groups);
    let all: Vec<&Row> = std::iter::once(&rows.total).chain(named).collect();
    Some(Side {
        label,
        seconds: std::time::Duration::from_micros(length).as_secs_f64(),
        ..side_of(&all)
    })
}

fn side_of(rows: &[&Row]) -> Side {
    Side {
        label: String::new(),
        seconds: 0.0,
        rows: rows.iter().map(|row| figures::row(row)).collect(),
        intervals: rows.iter().map(|row| (row.id, row.intervals_us)).collect(),
        names: rows.iter().map(|row| figures::name(row)).collect(),
    }
}

fn summary_of(run: &RunView) -> Result<&Summary, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "the run has no figures yet");
    run.summary.as_deref().ok_or_else(none)
}

/// What rates over a window are over, and what they leave out, in seconds.
fn lengths(summary: &Summary, window: &Range<u64>) -> (f64, f64) {
    let seconds = |us| std::time::Duration::from_micros(us).as_secs_f64();
    let (from_us, to_us) = (window.start * 1_000_000, window.end * 1_000_000);
    let paused_us = summary.pauses.within(from_us, to_us);
    (seconds(to_us - from_us - paused_us), seconds(paused_us))
}
