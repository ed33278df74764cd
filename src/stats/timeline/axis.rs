//! The time axis of the total, or of all names: the latest seconds, to which late samples are still
//! added as they come, and everything older in tiers.
//!
//! How much memory that takes is bounded here. What is read from it, and how, is not known here.

use std::collections::BTreeMap;
use std::ops::Range;

use super::figures::Figures;
use super::sheet::{Sheet, Writer};
use super::tiers::Tiers;
use crate::stats::cell::Cell;

/// The latest seconds: as many as `window` keeps.
pub(super) const OPEN: u64 = 12;
/// Sheets of one open second; when there are more they are merged.
const MOST_SHEETS: usize = 8;

/// What ended when, of some series. Cloning costs some 200 counters at most.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Most bytes of its sheets, those of the latest seconds apart when they alone are more.
    budget: usize,
    tiers: Tiers,
    /// Later seconds that have something, each in the parts it came in.
    open: BTreeMap<u64, Vec<Sheet>>,
    /// The first second that is not on it.
    end: u64,
}

impl Axis {
    /// One of nothing, whose sheets take at most so many bytes.
    pub(super) fn new(budget: usize) -> Axis {
        Axis {
            budget,
            tiers: Tiers::default(),
            open: BTreeMap::new(),
            end: 0,
        }
    }

    /// Adds cells, each with its second and the number of its series, in any order.
    pub(super) fn add(&mut self, mut cells: Vec<(u64, u32, &Cell)>) {
        cells.sort_unstable_by_key(|(second, id, _)| (*second, *id));
        let mut figures = Figures::default();
        for of_second in cells.chunk_by(|a, b| a.0 == b.0) {
            let mut writer = Writer::default();
            for of_series in of_second.chunk_by(|a, b| a.1 == b.1) {
                figures.clear();
                of_series.iter().for_each(|(_, _, cell)| figures.add(cell));
                writer.piece(of_series[0].1, |to| figures.encode(to));
            }
            self.add_sheet(of_second[0].0, writer.done());
        }
    }

    /// Adds a sheet to a second, or to the stretch that it is in.
    pub(super) fn add_sheet(&mut self, second: u64, sheet: Sheet) {
        if second < self.tiers.end() {
            self.tiers.add_late(second, &sheet);
            self.shrink();
            return;
        }
        let sheets = self.open.entry(second).or_default();
        sheets.push(sheet);
        if sheets.len() > MOST_SHEETS {
            *sheets = vec![Sheet::merged(sheets.iter())];
        }
        self.reach(second + 1);
    }

    /// The axis goes at least up to that second, without it.
    pub(super) fn reach(&mut self, end: u64) {
        self.end = self.end.max(end);
        while self.tiers.end() + OPEN < self.end {
            let sheets = self.open.remove(&self.tiers.end()).unwrap_or_default();
            let sheet = match &sheets[..] {
                [] => None,
                [one] => Some(one.clone()),
                several => Some(Sheet::merged(several.iter())),
            };
            // Begun early, merging costs some of each second and not much of a few.
            let is_scarce = self.tiers.bytes() > self.budget / 8 * 7;
            self.tiers.push(sheet, is_scarce);
            self.shrink();
        }
    }

    /// This axis in at most so many bytes, as far as that is possible: of longer stretches.
    pub(super) fn thinned(&self, budget: usize) -> Axis {
        let mut axis = self.clone();
        axis.budget = budget;
        let open = axis.open_bytes();
        axis.tiers.coarsen_to(budget.saturating_sub(open));
        axis
    }

    fn shrink(&mut self) {
        self.tiers
            .shrink_to(self.budget.saturating_sub(self.open_bytes()));
    }

    fn open_bytes(&self) -> usize {
        self.open.values().flatten().map(Sheet::len).sum()
    }

    /// The stretches that share a second with `seconds`, oldest first and without a gap: what each
    /// is, and the sheets that add up to it.
    pub(super) fn within(
        &self,
        seconds: Range<u64>,
    ) -> impl Iterator<Item = (Range<u64>, &[Sheet])> {
        let Range { start, end } = seconds;
        let old = self.tiers.iter();
        let old =
            old.map(|(stretch, sheet)| (stretch, sheet.map_or(&[][..], std::slice::from_ref)));
        let young = (self.tiers.end()..self.end).map(|second| {
            let sheets = self.open.get(&second).map_or(&[][..], Vec::as_slice);
            (second..second + 1, sheets)
        });
        old.chain(young)
            .skip_while(move |(stretch, _)| stretch.end <= start)
            .take_while(move |(stretch, _)| stretch.start < end)
    }

    /// The whole stretches that share a second with `seconds`; `seconds` if there are none.
    pub(super) fn snap(&self, seconds: &Range<u64>) -> Range<u64> {
        let mut stretches = self.within(seconds.clone()).map(|(stretch, _)| stretch);
        let Some(first) = stretches.next() else {
            return seconds.clone();
        };
        let end = stretches.last().map_or(first.end, |last| last.end);
        first.start..end
    }

    /// Bytes of all sheets.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.tiers.bytes() + self.open_bytes()
    }

    /// How many stretches each tier has, the finest first.
    #[cfg(test)]
    pub(super) fn lens(&self) -> Vec<usize> {
        self.tiers.lens()
    }
}
