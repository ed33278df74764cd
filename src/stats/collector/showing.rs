//! Summaries: what a collector has counted, as rows.
//!
//! What is counted where, and when, is not decided here.

use std::sync::Arc;

use super::Collector;
use crate::stats::cell::together;
use crate::stats::generations::{Aged, Span};
use crate::stats::rows::When;
use crate::stats::sample::Outcome;
use crate::stats::summary::{
    Caveats, CounterRow, Distribution, ErrorRow, ExceptionRow, GenerationRows, Generator,
    MetricRow, Row, Summary,
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

/// Rows by name, their sum, and what is not in the sum.
struct Rows {
    requests: Vec<Row>,
    total: Row,
    groups: Vec<Row>,
}

impl Collector {
    /// Everything so far, as rows. Costs a few µs for each row to which something was added since
    /// the last one, after a reload about three times that, and much less for the others; meant for
    /// once a second.
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
        };
        let rows = self.whole_rows(when);
        let by_generation = self.by_generation(now_us, elapsed_us);
        let clipped: u64 = self.rows.iter().map(Aged::clipped).sum();
        Arc::new(Summary {
            epoch_unix_us: self.epoch_unix_us,
            now_us,
            elapsed_us,
            users: self.users,
            iterations: self.iterations,
            in_flight: self.in_flight,
            generations: self.generations.all().to_vec(),
            by_generation,
            requests: rows.requests,
            total: rows.total,
            groups: rows.groups,
            errors: ErrorRow::all(&self.errors, self.table.keys()),
            exceptions: ExceptionRow::all(&self.exceptions),
            checks: self.checks.rows(),
            counters: CounterRow::all(&self.figures, elapsed_us),
            metrics: MetricRow::all(&self.figures),
            history: self.seconds.history().clone(),
            marks: self.marks.clone(),
            generator: Generator {
                cpu_us: self.cpu_us,
                max_rss_bytes: self.max_rss_bytes,
                lag: Distribution::of(&self.lag),
            },
            caveats: Caveats {
                clipped: clipped + self.lag.clipped + self.figures.clipped(),
                folded: self.folded,
                stale_retries: self.stale_retries,
                too_many_names: self.table.overflowed(),
                too_many_figures: self.figures.overflowed(),
                is_counter_full: self.figures.is_full(),
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

    fn whole_rows(&mut self, when: When) -> Rows {
        let (mut requests, mut groups) = (Vec::with_capacity(self.rows.len()), Vec::new());
        for number in &self.order {
            let key = &self.table.keys()[*number];
            let row = self.rows[*number].row(id_of(*number), key, when, &mut self.sum);
            let kind = if key.kind.is_request() {
                &mut requests
            } else {
                &mut groups
            };
            kind.push(row);
        }
        Rows {
            requests,
            total: self.total.row(0, &self.total_key, when, &mut self.sum),
            groups,
        }
    }

    fn by_generation(&mut self, now_us: u64, elapsed_us: u64) -> Vec<GenerationRows> {
        let mut all = Vec::new();
        for span in self.generations.spans(elapsed_us) {
            let Span {
                age,
                first,
                last,
                end_us,
            } = span;
            let from_us = first.at_us.max(self.since_us);
            let when = When {
                now_us,
                over_us: end_us.saturating_sub(from_us),
            };
            let (mut requests, mut groups) = (Vec::new(), Vec::new());
            for number in &self.order {
                let key = &self.table.keys()[*number];
                let Some(part) = self.rows[*number].part_mut(age) else {
                    continue;
                };
                let row = part.row(id_of(*number), key, when, &mut self.sum);
                if key.kind.is_request() {
                    requests.push(row);
                } else {
                    groups.push(row);
                }
            }
            all.push(GenerationRows {
                first: first.clone(),
                last: last.clone(),
                end_us,
                requests,
                total: self
                    .total
                    .part_row(age, &self.total_key, when, &mut self.sum),
                groups,
            });
        }
        all
    }
}

/// The number of a row for those who see it: the total has 0.
fn id_of(number: usize) -> u32 {
    u32::try_from(number + 1).expect("rows are bounded")
}
