//! Summaries: what a collector has counted, as rows.
//!
//! What is counted where, and when, is not decided here.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::{Collector, id_of};
use crate::stats::cell::together;
use crate::stats::generations::{Age, ByGeneration, Span};
use crate::stats::pauses::Pauses;
use crate::stats::rows::{Current, When};
use crate::stats::sample::Outcome;
use crate::stats::series::SeriesKey;
use crate::stats::sum::Sum;
use crate::stats::summary::{
    CounterRow, ErrorRow, ExceptionRow, GenerationRows, Generator, MetricRow, Row, Summary,
    Warnings,
};
use crate::stats::window::{self, SECONDS};

/// Which times of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Service times, of all that ended.
    Service,
    /// Response times, of all that ended and of missed slots.
    Response,
    /// Response times of failures, and of missed slots that a failure answered.
    Failed,
}

/// Pages of times that a summary in mid-run looks at, about 8 ms' worth: enough for a thousand rows
/// of widely spread times without a reload. With more, rows take turns.
const MOST_PAGES: usize = 800_000;

/// The rows of generations that nothing adds to any more and whose latest seconds are long over:
/// they stay as they are.
pub(super) type Settled = BTreeMap<Age, Arc<GenerationRows>>;

/// Rows by name.
#[derive(Debug, Default)]
struct Rows {
    requests: Vec<Row>,
    groups: Vec<Row>,
    /// How many of each belong behind the others, in front of which they were added.
    ahead: [usize; 2],
}

impl Rows {
    fn with_capacity(count: usize) -> Rows {
        Rows {
            requests: Vec::with_capacity(count),
            ..Rows::default()
        }
    }

    /// Adds a row, perhaps ahead of those that come before it.
    fn push(&mut self, row: &Row, is_ahead: bool) {
        let is_request = row.key.kind.is_request();
        let rows = if is_request {
            &mut self.requests
        } else {
            &mut self.groups
        };
        rows.push(row.clone());
        self.ahead[usize::from(!is_request)] += usize::from(is_ahead);
    }

    /// Puts them in order.
    fn in_order(mut self) -> Rows {
        let [requests, groups] = mem::take(&mut self.ahead);
        self.requests.rotate_left(requests);
        self.groups.rotate_left(groups);
        self
    }
}

/// One of the parts that generations are kept apart in, while its rows are put together.
struct Apart<'a> {
    span: Span<'a>,
    when: When,
    /// Whether none of its rows will change.
    is_settled: bool,
    total: Row,
    rows: Rows,
}

impl<'a> Apart<'a> {
    /// One without rows; `total` is that of all parts.
    fn new(
        span: Span<'a>,
        when: When,
        (total, key): (&mut ByGeneration, &SeriesKey),
        sum: &mut Sum,
    ) -> Apart<'a> {
        let row = total.part_row(span.age, key, when, sum);
        // What counts in the newest lasts until now.
        let is_over = span.age != Age::Now;
        Apart {
            when,
            is_settled: is_over && total.is_settled(span.age, when.now_us / 1_000_000),
            total: row,
            rows: Rows::default(),
            span,
        }
    }

    /// Adds the row of a series, if it has one here; `latest` are the figures of its latest seconds
    /// if those are all of one part.
    fn add(
        &mut self,
        place: Place,
        series: &mut ByGeneration,
        latest: Option<(Age, Current)>,
        sum: &mut Sum,
    ) {
        let age = self.span.age;
        if let Some(part) = series.part_mut(age) {
            let latest = latest.filter(|(of, _)| *of == age);
            let when = When {
                current: latest.map(|(_, current)| current),
                ..self.when
            };
            let row = part.row(place.id, place.key, when, sum);
            self.rows.push(row, place.is_ahead);
            self.is_settled &= part.is_settled(self.when.now_us / 1_000_000);
        }
    }

    /// All its rows.
    fn together(self) -> GenerationRows {
        let rows = self.rows.in_order();
        GenerationRows {
            first: self.span.first.clone(),
            last: self.span.last.clone(),
            end_us: self.span.end_us,
            requests: rows.requests,
            total: self.total,
            groups: rows.groups,
        }
    }
}

/// What rates between these moments are over.
fn over_us(pauses: &Pauses, from_us: u64, to_us: u64) -> u64 {
    to_us
        .saturating_sub(from_us)
        .saturating_sub(pauses.within(from_us, to_us))
}

/// What current rates are over.
fn current_over_us(pauses: &Pauses, now_us: u64) -> u64 {
    let second = now_us / 1_000_000;
    let (first, length) = (second.saturating_sub(SECONDS), window::length(second));
    let paused_us = pauses.within(first * 1_000_000, second * 1_000_000);
    window::rates_over_us(length, paused_us)
}

/// A series among the rows.
#[derive(Clone, Copy)]
struct Place<'a> {
    id: u32,
    key: &'a SeriesKey,
    /// See [`Rows::push`].
    is_ahead: bool,
}

impl Collector {
    /// Everything so far, as rows. Costs about 10 µs for each row to which something was added since
    /// the last one, after a reload up to three times that, and 2 for the others; rows of older
    /// generations cost nothing when their load is some seconds over. Meant for once a second. When
    /// that is too much, the times of some rows are a second or two old; counts never are, and
    /// nothing is once the load has ended.
    pub fn summary(&mut self, now_us: u64) -> Arc<Summary> {
        self.count_pending(None);
        let end_us = match self.load_end_us {
            Some(end_us) => end_us.max(self.last_end_us),
            None => now_us,
        };
        let pauses = self.pauses.until(now_us);
        let elapsed_us = over_us(&pauses, self.since_us, end_us);
        if self.order.len() < self.rows.len() {
            let keys = self.table.keys();
            self.order = (0..keys.len()).collect();
            self.order.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
        }
        let when = When {
            now_us,
            over_us: elapsed_us,
            current_over_us: current_over_us(&pauses, now_us),
            current: None,
        };
        let is_over = self.load_end_us.is_some();
        self.sum
            .allow(if is_over { usize::MAX } else { MOST_PAGES });
        let total = self
            .total
            .row(0, &self.total_key, when, &mut self.sum)
            .clone();
        let (rows, by_generation) = self.rows(when, end_us, &pauses);
        let clipped: u64 = self.rows.iter().map(ByGeneration::clipped).sum();
        Arc::new(Summary {
            epoch_unix_us: self.epoch_unix_us,
            now_us,
            elapsed_us,
            end_us,
            pauses,
            since_us: self.since_us,
            users: self.users,
            iterations: self.iterations,
            in_flight: self.in_flight,
            generations: self.generations.all().to_vec(),
            by_generation,
            requests: rows.requests,
            total,
            groups: rows.groups,
            errors: ErrorRow::all(&self.errors, self.table.keys()),
            exceptions: ExceptionRow::all(&self.exceptions),
            checks: self.checks.rows(),
            counters: CounterRow::all(&self.custom, elapsed_us),
            metrics: MetricRow::all(&self.custom),
            history: self.seconds.history().clone(),
            timeline: self.timeline.clone(),
            marks: self.marks.clone(),
            generator: Generator {
                cpu_us: self.cpu_us,
                max_rss_bytes: self.max_rss_bytes,
                lag: self.lag.distribution(),
            },
            workers: Arc::clone(&self.workers),
            warnings: Warnings {
                clipped: clipped + self.lag.clipped + self.custom.clipped(),
                folded: self.folded,
                stale_retries: self.stale_retries,
                too_many_names: self.table.overflowed(),
                too_many_figures: self.custom.overflowed(),
                is_counter_full: self.custom.is_full(),
                too_many_texts: self.errors.overflowed()
                    || self.exceptions.overflowed()
                    || self.checks.overflowed(),
            },
        })
    }

    /// Any quantile (0 to 1) of the row of that number, in µs, as of the last summary or tick;
    /// `None` without such a row or any times. Requests that were cut are not in it.
    #[must_use]
    pub fn quantile_us(&self, row: u32, times: Times, quantile: f64) -> Option<u64> {
        let series = match row.checked_sub(1) {
            None => &self.total,
            Some(number) => self.rows.get(usize::try_from(number).ok()?)?,
        };
        let whole = series.whole();
        let times = match times {
            Times::Service => together(whole.service()),
            Times::Response => together(whole.response()),
            Times::Failed => together(whole.response_of(Outcome::Failure)),
        };
        let [us] = times.quantiles_us(&[quantile]);
        (times.count > 0).then_some(us)
    }

    /// The rows, and those of each part that generations are kept apart in.
    fn rows(
        &mut self,
        when: When,
        end_us: u64,
        pauses: &Pauses,
    ) -> (Rows, Vec<Arc<GenerationRows>>) {
        let (count, start) = (self.order.len(), self.resume);
        let second = when.now_us / 1_000_000;
        let spans = self.generations.spans(end_us);
        let mut known = self.settled.clone();
        let unknown = spans
            .into_iter()
            .filter(|span| !known.contains_key(&span.age));
        let mut parts: Vec<Apart> = unknown
            .map(|span| {
                let total = (&mut self.total, &self.total_key);
                let begin_us = span.first.at_us.max(self.since_us);
                let when = When {
                    over_us: over_us(pauses, begin_us, span.end_us),
                    ..when
                };
                Apart::new(span, when, total, &mut self.sum)
            })
            .collect();
        let mut all = Rows::with_capacity(count);
        let mut resume = None;
        for at in (start..count).chain(0..start.min(count)) {
            if self.sum.is_spent() {
                resume.get_or_insert(at);
            }
            let number = self.order[at];
            let place = Place {
                id: id_of(number),
                key: &self.table.keys()[number],
                is_ahead: at >= start,
            };
            let series = &mut self.rows[number];
            let whole = series.row(place.id, place.key, when, &mut self.sum);
            all.push(whole, place.is_ahead);
            let latest = whole.latest();
            if parts.is_empty() {
                continue;
            }
            let latest = series.only_recent(second).map(|age| (age, latest));
            for part in &mut parts {
                part.add(place, series, latest, &mut self.sum);
            }
        }
        self.resume = resume.unwrap_or(0);
        for part in parts {
            let (age, is_settled) = (part.span.age, part.is_settled);
            let rows = Arc::new(part.together());
            if is_settled {
                self.settled.insert(age, Arc::clone(&rows));
            }
            known.insert(age, rows);
        }
        (all.in_order(), known.into_values().collect())
    }
}
