//! Rows of a summary, and what they are made of: computed anew only when something was added.
//!
//! Which rows there are, and when they are shown, is the collector's.

use super::cell::{Cell, Latencies, together};
use super::sample::Outcome;
use super::series::SeriesKey;
use super::sum::Sum;
use super::summary::{Distribution, QUANTILES, Row, per_second};
use super::unfinished::{Unfinished, certain_to};
use super::window::Window;

/// A series, or the total, in some generations: the sum of all its cells, and the latest of them.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) sum: Cell,
    window: Window,
    shown: Shown,
}

impl Part {
    /// Adds what ended in a second.
    pub(super) fn add(&mut self, second: u64, cell: Cell) {
        self.sum.merge(&cell);
        self.window.add(second, cell);
        self.shown.grows_old();
    }

    /// Adds what ended in seconds that are long over.
    pub(super) fn recall(&mut self, cell: &Cell) {
        self.sum.merge(cell);
        self.shown.grows_old();
    }

    pub(super) fn merge(&mut self, other: &Part) {
        self.sum.merge(&other.sum);
        self.window.merge(&other.window);
        self.shown.grows_old();
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.sum.is_empty()
    }

    /// Its row.
    pub(super) fn row(&mut self, id: u32, key: &SeriesKey, when: When, sum: &mut Sum) -> &Row {
        let parts = [(&self.sum, &self.window)];
        self.shown.row(id, key, &parts, when, true, sum)
    }

    /// Whether its row, shown in that second, stays as it is unless something is added.
    pub(super) fn is_settled(&self, second: u64) -> bool {
        self.shown.is_at_rest() && self.window.is_over(second)
    }

    pub(super) fn parts(&self) -> (&Cell, &Window) {
        (&self.sum, &self.window)
    }
}

/// The moment of a summary.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub(super) now_us: u64,
    /// What rates are over.
    pub(super) over_us: u64,
    /// What current rates are over.
    pub(super) current_over_us: u64,
    /// The figures of the latest seconds, where they are known already.
    pub(super) current: Option<Current>,
}

/// What the latest seconds of a row say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    rps: f64,
    failures_per_s: f64,
    times: Distribution,
}

/// A row as it was last shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    row: Option<Row>,
    /// Something was added since.
    is_old: bool,
}

impl Shown {
    pub(super) fn grows_old(&mut self) {
        self.is_old = true;
    }

    /// Whether it has all that was added, of which nothing is of its latest seconds.
    fn is_at_rest(&self) -> bool {
        let row = self.row.as_ref();
        !self.is_old && row.is_some_and(|row| row.current.count == 0)
    }

    /// The row as it is now, of those parts together: all of it, and its latest seconds; with the
    /// intervals of its percentiles or without.
    pub(super) fn row(
        &mut self,
        id: u32,
        key: &SeriesKey,
        parts: &[(&Cell, &Window)],
        when: When,
        has_intervals: bool,
        sum: &mut Sum,
    ) -> &Row {
        let second = when.now_us / 1_000_000;
        let is_new = self.row.is_none();
        self.is_old |= is_new;
        let row = self.row.get_or_insert_with(|| Row::empty(id, key));
        if self.is_old {
            row.count(parts);
            row.changed = second;
        }
        // Times that are a second old are better than a control thread that is busy with them.
        if !sum.is_spent() || is_new {
            if self.is_old {
                row.times(parts, has_intervals, sum);
                self.is_old = false;
            }
            let before = row.current;
            row.current = match when.current {
                Some(known) => known.times,
                None => Row::current_times(parts, second, sum),
            };
            if before != row.current {
                row.changed = second;
            }
        }
        let before = row.current_rps;
        match when.current {
            Some(known) => {
                (row.current_rps, row.current_failures_per_s) = (known.rps, known.failures_per_s);
            }
            None => row.current_rates(parts, second, when.current_over_us),
        }
        // Equal to the bit unless something is in it that was not, or has left it.
        if before.to_bits() != row.current_rps.to_bits() {
            row.changed = second;
        }
        row.rps = per_second(row.requests, when.over_us);
        row.failures_per_s = per_second(row.failures, when.over_us);
        row
    }
}

impl Row {
    fn empty(id: u32, key: &SeriesKey) -> Row {
        Row {
            id,
            changed: 0,
            key: key.clone(),
            requests: 0,
            failures: 0,
            sent: 0,
            received: 0,
            rps: 0.0,
            failures_per_s: 0.0,
            current_rps: 0.0,
            current_failures_per_s: 0.0,
            service: Distribution::default(),
            response: Distribution::default(),
            unfinished: Unfinished::default(),
            certain_to: 1.0,
            intervals_us: [0; 6],
            failed: Distribution::default(),
            current: Distribution::default(),
        }
    }

    /// What its latest seconds say.
    pub(super) fn latest(&self) -> Current {
        Current {
            rps: self.current_rps,
            failures_per_s: self.current_failures_per_s,
            times: self.current,
        }
    }

    fn count(&mut self, parts: &[(&Cell, &Window)]) {
        let count = |what: fn(&Cell) -> u64| parts.iter().map(|(cell, _)| what(cell)).sum();
        self.requests = count(Cell::requests);
        self.failures = count(Cell::failures);
        self.sent = count(|cell| cell.sent);
        self.received = count(|cell| cell.received);
    }

    fn times(&mut self, parts: &[(&Cell, &Window)], has_intervals: bool, sum: &mut Sum) {
        let cells = || parts.iter().map(|(cell, _)| *cell);
        let is_in_time = cells().all(Cell::is_answered_in_time);
        (self.response, self.intervals_us) = if has_intervals {
            Distribution::with_intervals(cells().flat_map(Cell::response), sum)
        } else {
            let response = Distribution::of_all(cells().flat_map(Cell::response), sum);
            (response, [0; 6])
        };
        self.service = if is_in_time {
            self.response
        } else {
            Distribution::of_all(cells().flat_map(Cell::service), sum)
        };
        let failed = cells().flat_map(|cell| cell.response_of(Outcome::Failure));
        self.failed = Distribution::of_all(failed, sum);

        let ages = || cells().filter_map(|cell| cell.unfinished.as_deref());
        if ages().next().is_some() {
            let service = cells().flat_map(Cell::service);
            let service = service.chain(ages().map(|ages| &ages.service));
            self.service.quantiles_us = Distribution::of_all(service, sum).quantiles_us;
            let ended = together(cells().flat_map(Cell::response));
            let ages = together(ages().map(Latencies::response));
            let lower = together([&ended, &ages].into_iter());
            self.response.quantiles_us = lower.quantiles_us(&QUANTILES);
            if has_intervals {
                self.intervals_us = lower.intervals_us();
            }
            let lower_us = &self.response.quantiles_us;
            self.unfinished = Unfinished::of(&ended, &ages, lower_us);
            self.certain_to = certain_to(lower_us, &self.unfinished.at_most_us);
        } else {
            self.unfinished = Unfinished::none(self.response.quantiles_us);
        }
    }

    /// Rates over the last up to ten completed seconds, without paused time.
    fn current_rates(&mut self, parts: &[(&Cell, &Window)], second: u64, over_us: u64) {
        let cells = || {
            parts
                .iter()
                .flat_map(|(_, window)| window.completed(second))
        };
        self.current_rps = per_second(cells().map(Cell::requests).sum(), over_us);
        self.current_failures_per_s = per_second(cells().map(Cell::failures).sum(), over_us);
    }

    /// Times of the same seconds.
    fn current_times(parts: &[(&Cell, &Window)], second: u64, sum: &mut Sum) -> Distribution {
        let cells = parts
            .iter()
            .flat_map(|(_, window)| window.completed(second));
        Distribution::of_all(cells.flat_map(Cell::answered), sum)
    }
}
