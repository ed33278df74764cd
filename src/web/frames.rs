//! What a page needs to begin (a snapshot), and what it needs each second (a frame).
//!
//! Both are the same form; a frame leaves out what has not changed. Frames compare nothing: a row
//! says in which second it changed last.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Serialize;

use super::figures::{self, Column, Name, Seconds, Slot};
use super::forms::{Form, ScriptState, stage_word};
use super::words::end_words;
use crate::control::{self, RunView, View};
use crate::output;
use crate::screen::journal::{self, LogLine};
use crate::screen::show::clean;
use crate::script::Level;
use crate::stats::{Collector, GenerationRows, Limits, Row, Summary};

/// The figures of a run that has none yet.
static NOTHING: LazyLock<Arc<Summary>> =
    LazyLock::new(|| Collector::new(Limits::default()).summary(0));

/// Seconds in which late samples may still count: they are sent again with each frame.
const STILL_OPEN: u64 = 12;

/// More workers than this are sent every so many seconds.
const MANY_WORKERS: usize = 200;
const WORKERS_EVERY: u64 = 5;

/// Lines of the log that a page begins with.
const LOG_LINES: usize = 100;

/// What a client has already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) run: Option<u32>,
    /// Seconds of the run.
    pub(super) t: u64,
    /// The number of the last line of the log.
    pub(super) log: u64,
    pub(super) marks: usize,
    pub(super) generations: usize,
    /// How often failures, exceptions and checks were counted.
    pub(super) errors: u64,
    pub(super) exceptions: u64,
    pub(super) checks: u64,
}

impl Known {
    /// What a client knows that has just been told everything.
    pub(super) fn all(run: Option<&RunView>) -> Known {
        let log = *journal::latest().borrow();
        let Some(summary) = run.and_then(|run| run.summary.as_deref()) else {
            return Known {
                run: run.map(|run| run.number),
                log,
                ..Known::default()
            };
        };
        Known {
            run: run.map(|run| run.number),
            t: run.map_or(0, closed_seconds),
            log,
            marks: summary.marks.len(),
            generations: summary.generations.len(),
            errors: summary.errors.iter().map(|row| row.count).sum(),
            exceptions: summary.exceptions.iter().map(|row| row.count).sum(),
            checks: summary
                .checks
                .iter()
                .map(|row| row.passes + row.fails)
                .sum(),
        }
    }
}

/// What a client wants besides.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) rows: bool,
    /// Rows of each generation: as many again for each.
    pub(super) generations: bool,
    /// Rows whose stretches it draws.
    pub(super) series: Vec<u32>,
}

#[derive(Serialize)]
struct Users {
    asked: u64,
    running: u64,
    peak: u64,
    behind: u64,
}

#[derive(Serialize)]
struct Iterations {
    started: u64,
    finished: u64,
    interrupted: u64,
    missed: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct Generator {
    cpu_us: u64,
    max_rss_bytes: u64,
    lag_p50_us: u64,
    lag_p99_us: u64,
    lag_max_us: u64,
    cores: u32,
}

#[derive(Serialize)]
struct GenerationInfo {
    n: u16,
    hash: String,
    at_us: u64,
    cause: &'static str,
    wall_us: i64,
}

#[derive(Serialize)]
struct GenerationForm {
    first: u16,
    last: u16,
    at_us: u64,
    end_us: u64,
    rows: Vec<Vec<Column>>,
    intervals: BTreeMap<u32, [u64; 6]>,
}

/// A line of the log.
#[derive(Serialize)]
pub(super) struct LogForm {
    seq: u64,
    at_us: i64,
    pub(super) level: &'static str,
    text: String,
}

impl LogForm {
    pub(super) fn of(line: LogLine) -> LogForm {
        LogForm {
            seq: line.seq,
            at_us: line.at_unix_us,
            level: match line.level {
                Level::Info => "info",
                Level::Warn => "warn",
                Level::Error => "error",
            },
            text: line.text,
        }
    }
}

/// A run in a list.
#[derive(Serialize)]
pub(super) struct RunHead {
    run: u32,
    label: String,
    script: String,
    host: String,
    state: &'static str,
    why: String,
    epoch_us: Option<i64>,
    duration_s: f64,
    users_peak: u64,
    requests: u64,
    failures: u64,
    rps: f64,
    p95_us: u64,
    seed: u64,
    generations: usize,
}

impl RunHead {
    pub(super) fn of(run: &RunView, view: &View) -> RunHead {
        let is_current = view
            .run
            .as_ref()
            .is_some_and(|current| current.number == run.number);
        let summary = run.summary.as_deref();
        let total = summary.map(|summary| &summary.total);
        RunHead {
            run: run.number,
            label: run.label.clone(),
            script: run.script.clone(),
            host: clean(&run.host).into_owned(),
            state: match (&run.why, is_current) {
                (None, true) => stage_word(&view.stage),
                (Some(crate::runner::End::Failed(_)), _) => "failed",
                _ => "stopped",
            },
            why: run.why.as_ref().map(end_words).unwrap_or_default(),
            epoch_us: summary
                .map(|summary| summary.epoch_unix_us)
                .filter(|begun| *begun > 0),
            duration_s: summary.map_or(0.0, |summary| seconds(summary.elapsed_us)),
            users_peak: summary.map_or(0, |summary| summary.users.peak),
            requests: total.map_or(0, |total| total.requests),
            failures: total.map_or(0, |total| total.failures),
            rps: total.map_or(0.0, |total| total.rps),
            p95_us: total.map_or(0, |total| total.response.p95_us()),
            seed: run.seed,
            generations: run.generations.len(),
        }
    }
}

fn seconds(us: u64) -> f64 {
    std::time::Duration::from_micros(us).as_secs_f64()
}

/// The figures of a run.
#[derive(Serialize)]
struct Figures {
    elapsed_us: u64,
    since_us: u64,
    users: Users,
    iterations: Iterations,
    in_flight: u64,
    seconds: Seconds,
    slots: Vec<Slot>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    series: BTreeMap<u32, Vec<Slot>>,
    names: Vec<Name>,
    rows: Vec<Vec<Column>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_generation: Option<Vec<GenerationForm>>,
    generations: Vec<GenerationInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marks: Option<Vec<figures::MarkForm>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<figures::ErrorForm>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exceptions: Option<Vec<figures::ExceptionForm>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<figures::CheckForm>>,
    counters: Vec<figures::CounterForm>,
    metrics: Vec<figures::MetricForm>,
    generator: Generator,
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<Vec<output::Worker>>,
    warnings: Vec<String>,
}

/// A snapshot or a frame.
#[derive(Serialize)]
pub(super) struct Frame<'a> {
    instance: &'a str,
    seq: u64,
    run: Option<u32>,
    state: &'static str,
    t: u64,
    now_us: i64,
    ends_s: Option<f64>,
    is_shape: bool,
    waits_for: u32,
    head: Option<RunHead>,
    #[serde(flatten)]
    figures: Figures,
    script: ScriptState,
    log: Vec<LogForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<Form>,
}

impl Frame<'_> {
    /// The number of its last line of the log.
    pub(super) fn last_line(&self) -> Option<u64> {
        self.log.last().map(|line| line.seq)
    }
}

/// Everything of a run, for a page that begins.
pub(super) fn snapshot<'a>(instance: &'a str, view: &View, run: Option<&RunView>) -> Frame<'a> {
    let wanted = Wanted {
        rows: true,
        generations: true,
        series: Vec::new(),
    };
    let mut log = journal::after(0);
    log.drain(..log.len().saturating_sub(LOG_LINES));
    Frame {
        log: log.into_iter().map(LogForm::of).collect(),
        form: Some(Form::of(view)),
        ..frame(instance, view, run, None, &wanted)
    }
}

/// What has changed for a client that `known` tells of; everything if it is `None`.
pub(super) fn frame<'a>(
    instance: &'a str,
    view: &View,
    run: Option<&RunView>,
    known: Option<Known>,
    wanted: &Wanted,
) -> Frame<'a> {
    let summary = run.and_then(|run| run.summary.clone());
    let summary = summary.unwrap_or_else(|| NOTHING.clone());
    let is_current = run.map(|run| run.number) == view.run.as_ref().map(|run| run.number);
    let head = run.map(|run| RunHead::of(run, view));
    Frame {
        instance,
        seq: view.seq,
        run: run.map(|run| run.number),
        state: match &head {
            Some(head) if !is_current => head.state,
            _ => stage_word(&view.stage),
        },
        t: run.map_or(0, closed_seconds),
        now_us: jiff::Timestamp::now().as_microsecond(),
        ends_s: run.and_then(|run| run.ends).map(|ends| {
            // So far: each pause puts it off.
            ends.as_secs_f64() + seconds(summary.pauses.held_us())
        }),
        is_shape: run.is_some_and(|run| run.is_shaped),
        waits_for: run.map_or(0, |run| run.waits_for),
        head,
        figures: Figures::of(run, &summary, known, wanted),
        script: ScriptState::of(&view.script),
        log: match known {
            Some(known) => journal::after(known.log)
                .into_iter()
                .map(LogForm::of)
                .collect(),
            None => Vec::new(),
        },
        form: None,
    }
}

/// Seconds of the run that are over; the last one of a run that is over counts whole.
pub(super) fn closed_seconds(run: &RunView) -> u64 {
    let Some(summary) = run.summary.as_deref() else {
        return 0;
    };
    let all = summary.history.len() as u64;
    match run.why {
        Some(_) => all,
        None => all.min(summary.now_us / 1_000_000),
    }
}

impl Figures {
    fn of(
        run: Option<&RunView>,
        summary: &Summary,
        known: Option<Known>,
        wanted: &Wanted,
    ) -> Figures {
        let from = known.map_or(0, |known| known.t.saturating_sub(STILL_OPEN));
        let to = run.map_or(0, closed_seconds);
        let slots = |id| {
            let stretches = summary.timeline.stretches(id, from..to);
            stretches
                .map(|stretch| figures::slot(&stretch))
                .collect::<Vec<_>>()
        };
        let is_changed = |row: &&Row| {
            row.id == 0 || known.is_none_or(|known| wanted.rows && row.changed >= known.t)
        };
        let rows: Vec<&Row> = figures::all_rows(summary).filter(is_changed).collect();
        let now = Known::all(run);
        let is_new =
            |figure: fn(&Known) -> u64| known.is_none_or(|known| figure(&known) != figure(&now));
        let wants_generations = wanted.generations || is_new(|known| known.generations as u64);
        let users = summary.users;
        let iterations = summary.iterations;
        let lag = &summary.generator.lag;
        Figures {
            elapsed_us: summary.elapsed_us,
            since_us: summary.since_us,
            users: Users {
                asked: users.asked,
                running: users.running,
                peak: users.peak,
                behind: users.behind,
            },
            iterations: Iterations {
                started: iterations.started,
                finished: iterations.finished,
                interrupted: iterations.interrupted,
                missed: iterations.missed,
                dropped: iterations.dropped,
            },
            in_flight: summary.in_flight,
            seconds: Seconds::of(&summary.history, from, to),
            slots: slots(0),
            series: wanted.series.iter().map(|id| (*id, slots(*id))).collect(),
            names: rows.iter().map(|row| figures::name(row)).collect(),
            rows: rows.iter().map(|row| figures::row(row)).collect(),
            by_generation: wants_generations.then(|| {
                let all = summary.by_generation.iter();
                all.map(|rows| GenerationForm::of(rows)).collect()
            }),
            generations: generations(run, summary),
            marks: is_new(|known| known.marks as u64).then(|| figures::marks(summary)),
            errors: is_new(|known| known.errors).then(|| figures::errors(summary)),
            exceptions: is_new(|known| known.exceptions).then(|| figures::exceptions(summary)),
            checks: is_new(|known| known.checks).then(|| figures::checks(summary)),
            counters: figures::counters(summary),
            metrics: figures::metrics(summary),
            generator: Generator {
                cpu_us: summary.generator.cpu_us,
                max_rss_bytes: summary.generator.max_rss_bytes,
                lag_p50_us: lag.p50_us(),
                lag_p99_us: lag.p99_us(),
                lag_max_us: lag.max_us,
                cores: control::cores(),
            },
            workers: wants_workers(summary, known).then(|| output::Worker::all(summary)),
            warnings: output::notes(summary),
        }
    }
}

/// Figures of workers change every second. Of very many they are only sent now and then.
fn wants_workers(summary: &Summary, known: Option<Known>) -> bool {
    let is_time = known.is_none_or(|known| known.t.is_multiple_of(WORKERS_EVERY));
    summary.workers.len() <= MANY_WORKERS || is_time
}

fn generations(run: Option<&RunView>, summary: &Summary) -> Vec<GenerationInfo> {
    let made: &[_] = run.map_or(&[], |run| &run.generations);
    let all = summary.generations.iter().map(|generation| {
        let made = made.iter().find(|made| made.number == generation.n);
        GenerationInfo {
            n: generation.n,
            hash: generation.hash.to_string(),
            at_us: generation.at_us,
            cause: made.map_or("saved", |made| made.cause.as_str()),
            wall_us: summary
                .epoch_unix_us
                .saturating_add_unsigned(generation.at_us),
        }
    });
    all.collect()
}

impl GenerationForm {
    fn of(rows: &GenerationRows) -> GenerationForm {
        let named = rows.requests.iter().chain(&rows.groups);
        let all: Vec<&Row> = std::iter::once(&rows.total).chain(named).collect();
        GenerationForm {
            first: rows.first.n,
            last: rows.last.n,
            at_us: rows.first.at_us,
            end_us: rows.end_us,
            intervals: all.iter().map(|row| (row.id, row.intervals_us)).collect(),
            rows: all.iter().map(|row| figures::row(row)).collect(),
        }
    }
}
