//! The history of times: what every series added up to in every stretch of the run, with true
//! histograms, so that the percentiles of any window of it can be told.
//!
//! It is the collector's cells once more, counted by coarser buckets (0.8 %) and thinned with age: a
//! stretch is one second at first, 2, 4, 8 … when it is old. Owns what is kept and how it is read;
//! the exact sums of the run, and what is shown of them, are elsewhere.
//!
//! Memory is bounded: the total takes at most 15 MB in a week, all names together 64 MB; beyond, their
//! oldest stretches become longer. Reading is done from a clone, on the thread that asks.
//!
//! ```text
//! Cell ─► Figures ─► Sheet: one second, all series ─► 12 open seconds ─► Tiers: 2^k seconds each
//! ```

mod axis;
mod figures;
mod memory;
mod sheet;
mod tiers;
mod times;
mod window;

use std::borrow::Cow;
use std::ops::Range;

pub(super) use memory::Remembered;
pub use window::{Windowed, WindowedRow};

use self::axis::Axis;
use self::figures::{Figures, NOTHING};
use self::sheet::{Sheet, add_up};
use super::cell::Cell;
use super::history::MAX_SECONDS;

/// The number of the total among the rows.
const TOTAL: u32 = 0;

/// Most bytes of all names together.
const BUDGET: usize = 64 << 20;

/// The history of times of a run, by series. Cloning copies pointers: 4 to 10 µs.
#[derive(Clone, Debug)]
pub struct Timeline {
    total: Axis,
    /// All rows but the total, by their numbers.
    names: Axis,
}

/// What one series added up to in a stretch of the run, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch<'a> {
    /// Its first second.
    pub from: u64,
    /// Its seconds: a power of two.
    pub len: u64,
    /// Counts, bytes and histograms, as varints: the `slot` of the web API.
    pub bytes: Cow<'a, [u8]>,
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline::with_budget(BUDGET)
    }
}

impl Timeline {
    fn with_budget(bytes: usize) -> Timeline {
        Timeline {
            total: Axis::new(usize::MAX),
            names: Axis::new(bytes),
        }
    }

    /// This timeline with at most so many bytes for all names together, unless there are so many names
    /// that the latest seconds alone take more: their stretches are longer, and all of about one length.
    /// Merges each sheet several times; meant for a report, not for each second.
    #[must_use]
    pub fn thinned(&self, bytes: usize) -> Timeline {
        Timeline {
            total: self.total.clone(),
            names: self.names.thinned(bytes),
        }
    }

    /// Adds cells of rows, each with its second and the number of its row: 0.4 ms for those of 1,000
    /// rows with three samples each, 0.1 ms for one row's 50,000, the total's included; some ms a
    /// second while memory is scarce.
    ///
    /// What comes after the first seven days is not in it, as in the history.
    pub(super) fn add<'a>(&mut self, cells: impl Iterator<Item = (u64, u32, &'a Cell)>) {
        self.names.add(kept(cells));
    }

    /// Adds cells of the total, each with its second.
    pub(super) fn add_total<'a>(&mut self, cells: impl Iterator<Item = (u64, &'a Cell)>) {
        let cells = cells.map(|(second, cell)| (second, TOTAL, cell));
        self.total.add(kept(cells));
    }

    /// The seconds before that one are over, whether anything ended in them or not.
    pub(super) fn reach(&mut self, second: u64) {
        let second = second.min(MAX_SECONDS);
        self.total.reach(second);
        self.names.reach(second);
    }

    /// The stretches that share a second with `seconds`, oldest first. Those of the total (0) follow
    /// one another without a gap; of another row, those in which something of it ended. About 2 µs
    /// for a stretch of a thousand names.
    pub fn stretches(&self, id: u32, seconds: Range<u64>) -> impl Iterator<Item = Stretch<'_>> {
        let axis = if id == TOTAL {
            &self.total
        } else {
            &self.names
        };
        axis.within(seconds).filter_map(move |(stretch, sheets)| {
            let nothing = (id == TOTAL).then_some(Cow::Borrowed(&NOTHING[..]));
            Some(Stretch {
                from: stretch.start,
                len: stretch.end - stretch.start,
                bytes: piece(sheets, id).or(nothing)?,
            })
        })
    }

    /// Whether all that it has of a row is what that cell says, bucket for bucket.
    #[cfg(test)]
    pub(super) fn adds_up_to(&self, id: u32, cell: &Cell) -> bool {
        let (mut expected, mut sum) = (Figures::default(), Figures::default());
        expected.add(cell);
        let stretches: Vec<_> = self.stretches(id, 0..u64::MAX).collect();
        let pieces: Vec<&[u8]> = stretches.iter().map(|it| &it.bytes[..]).collect();
        add_up(&pieces, &mut sum, &mut Figures::default());
        sum == expected
    }
}

/// Those that have something and are of the first seven days.
fn kept<'a>(cells: impl Iterator<Item = (u64, u32, &'a Cell)>) -> Vec<(u64, u32, &'a Cell)> {
    cells
        .filter(|(second, _, cell)| *second < MAX_SECONDS && !cell.is_empty())
        .collect()
}

/// What the sheets of a stretch have of a series.
fn piece(sheets: &[Sheet], id: u32) -> Option<Cow<'_, [u8]>> {
    let mut pieces: Vec<&[u8]> = sheets.iter().filter_map(|sheet| sheet.find(id)).collect();
    if pieces.len() < 2 {
        return pieces.pop().map(Cow::Borrowed);
    }
    let (mut sum, mut bytes) = (Figures::default(), Vec::new());
    add_up(&pieces, &mut sum, &mut Figures::default());
    sum.encode(&mut bytes);
    Some(Cow::Owned(bytes))
}

#[cfg(test)]
mod tests;
