//! The cells that samples fall into until they are collected: on a load thread whose batch was not
//! taken, and in a ledger until its next report.
//!
//! Series have the numbers of the recorder or ledger here. `ledger` makes reports of cells.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::dist::Dist;
use super::sample::{Lag, Sample, Slots};

/// Open cells, by series, second and generation.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    /// By the number of the series. The latest second comes last, and there are few.
    series: Vec<Vec<Open>>,
    /// How many there are.
    count: usize,
    /// How late the generator was, by second.
    pub(super) lags: BTreeMap<u64, Dist>,
    /// The latest end of a sample.
    pub(super) last_end_us: u64,
}

#[derive(Clone, Debug)]
struct Open {
    second: u64,
    generation: u16,
    cell: Cell,
}

/// A cell, and what it is of.
#[derive(Clone, Debug)]
pub(super) struct Stamped {
    pub(super) second: u64,
    /// The number of its series.
    pub(super) series: usize,
    pub(super) generation: u16,
    pub(super) cell: Cell,
}

impl Cells {
    /// Requests in all of them.
    pub(super) fn requests(&self) -> u64 {
        let open = self.series.iter().flatten();
        open.map(|open| open.cell.requests()).sum()
    }

    /// The cell of a series, a second and a generation.
    #[inline]
    pub(super) fn cell(&mut self, series: usize, second: u64, generation: u16) -> &mut Cell {
        if series >= self.series.len() {
            self.series.resize_with(series + 1, Vec::new);
        }
        let open = &mut self.series[series];
        let is_it = |it: &Open| it.second == second && it.generation == generation;
        let place = match open.iter().rposition(is_it) {
            Some(place) => place,
            None => {
                self.count += 1;
                begin(open, second, generation)
            }
        };
        &mut open[place].cell
    }

    /// How many cells are open.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds a sample of a series.
    #[inline]
    pub(super) fn record(&mut self, series: usize, sample: &Sample) {
        let end_us = sample.end_us();
        self.last_end_us = self.last_end_us.max(end_us);
        self.cell(series, end_us / 1_000_000, sample.generation)
            .record(sample);
    }

    /// Adds the response times of missed slots.
    pub(super) fn slots(&mut self, series: usize, slots: &Slots) {
        self.cell(series, slots.at_us / 1_000_000, slots.generation)
            .slots(slots);
    }

    /// Adds how late the generator was.
    pub(super) fn lag(&mut self, lag: Lag) {
        let lags = self.lags.entry(u64::from(lag.second)).or_default();
        lags.record(u64::from(lag.us));
    }

    /// Adds all of `other`, whose series have those numbers here.
    pub(super) fn merge(&mut self, other: &Cells, numbers: &[usize]) {
        for (series, open) in other.series.iter().enumerate() {
            for one in open {
                let cell = self.cell(numbers[series], one.second, one.generation);
                cell.merge(&one.cell);
            }
        }
        for (second, lags) in &other.lags {
            self.lags.entry(*second).or_default().merge(lags);
        }
        self.last_end_us = self.last_end_us.max(other.last_end_us);
    }

    /// Takes all cells.
    pub(super) fn take(&mut self) -> Vec<Stamped> {
        let mut taken = Vec::with_capacity(std::mem::take(&mut self.count));
        for (series, open) in self.series.iter_mut().enumerate() {
            for Open {
                second,
                generation,
                mut cell,
            } in open.drain(..)
            {
                cell.close();
                taken.push(Stamped {
                    second,
                    series,
                    generation,
                    cell,
                });
            }
        }
        taken
    }
}

#[cold]
fn begin(open: &mut Vec<Open>, second: u64, generation: u16) -> usize {
    open.push(Open {
        second,
        generation,
        cell: Cell::default(),
    });
    open.len() - 1
}
