//! Summaries: what a collector has counted, as rows.
//!
//! What is counted where, and when, is not decided here.

use std::sync::Arc;

use super::{Collector, id_of};
use crate::stats::cell::together;
use crate::stats::generations::ByGeneration;
use crate::stats::rows::When;
use crate::stats::sample::Outcome;
use crate::stats::summary::{
    CounterRow, ErrorRow, ExceptionRow, GenerationRows, Generator, MetricRow, Row, Summary,
    Warnings,
};

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

/// Rows by name, their sum, and what is not in the sum.
struct Rows {
    requests: Vec<Row>,
    groups: Vec<Row>,
}

impl Rows {
    fn of(all: Vec<Row>) -> Rows {
        let (requests, groups) = all.into_iter().partition(|row| row.key.kind.is_request());
        Rows { requests, groups }
    }
}

impl Collector {
    /// Everything so far, as rows. Costs about 10 µs for each row to which something was added since
    /// the last one, after a reload up to three times that, and 2 for the others; meant for once a
    /// second. When that is too much, the times of some rows are a second or two old; counts never
    /// are, and nothing is once the load has ended.
    pub fn summary(&mut self, now_us: u64) -> Arc<Summary> {
        let pending = self.ledger.take(None);
        self.count_own(pending);
        let elapsed_us = match self.load_end_us {
            Some(end_us) => end_us.max(self.last_end_us),
            None => now_us,
        };
        let elapsed_us = elapsed_us.saturating_sub(self.since_us);
        if self.order.len() < self.rows.len() {
            let keys = self.table.keys();
            self.order = (0..keys.len()).collect();
            self.order.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
        }
        let when = When {
            now_us,
            over_us: elapsed_us,
            current: None,
        };
        let is_over = self.load_end_us.is_some();
        self.sum
            .allow(if is_over { usize::MAX } else { MOST_PAGES });
        let total = self.total.row(0, &self.total_key, when, &mut self.sum);
        let (rows, by_generation) = self.rows(when);
        let clipped: u64 = self.rows.iter().map(ByGeneration::clipped).sum();
        Arc::new(Summary {
            epoch_unix_us: self.epoch_unix_us,
            now_us,
            elapsed_us,
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
    fn rows(&mut self, when: When) -> (Rows, Vec<GenerationRows>) {
        let (count, start) = (self.order.len(), self.resume);
        let spans = self.generations.spans(when.over_us + self.since_us);
        let times: Vec<When> = spans
            .iter()
            .map(|span| When {
                now_us: when.now_us,
                current: None,
                over_us: span
                    .end_us
                    .saturating_sub(span.first.at_us.max(self.since_us)),
            })
            .collect();
        let mut all = Vec::with_capacity(count);
        let mut by_span: Vec<Vec<Row>> = spans.iter().map(|_| Vec::new()).collect();
        // How many of a span's rows come before the first of all.
        let mut turned = vec![0; spans.len()];
        let mut resume = None;
        for at in (start..count).chain(0..start.min(count)) {
            if self.sum.is_spent() {
                resume.get_or_insert(at);
            }
            let number = self.order[at];
            let (key, row) = (&self.table.keys()[number], &mut self.rows[number]);
            let whole = row.row(id_of(number), key, when, &mut self.sum);
            let recent = row.only_recent(when.now_us / 1_000_000);
            for (nth, span) in spans.iter().enumerate() {
                if let Some(part) = row.part_mut(span.age) {
                    turned[nth] += usize::from(at >= start);
                    let when = When {
                        current: (recent == Some(span.age)).then_some(whole.current),
                        ..times[nth]
                    };
                    by_span[nth].push(part.row(id_of(number), key, when, &mut self.sum));
                }
            }
            all.push(whole);
        }
        self.resume = resume.unwrap_or(0);
        all.rotate_left(count.saturating_sub(start));
        let mut by_generation = Vec::new();
        for (nth, mut rows) in by_span.into_iter().enumerate() {
            rows.rotate_left(turned[nth]);
            let Rows { requests, groups } = Rows::of(rows);
            let (span, key) = (&spans[nth], &self.total_key);
            let total = self
                .total
                .part_row(span.age, key, times[nth], &mut self.sum);
            by_generation.push(GenerationRows {
                first: span.first.clone(),
                last: span.last.clone(),
                end_us: span.end_us,
                requests,
                total,
                groups,
            });
        }
        (Rows::of(all), by_generation)
    }
}
