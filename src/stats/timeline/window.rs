//! What the rows added up to in a window of the run: stretches in a row.
//!
//! Owns how that is read from the timeline; which windows are of interest, and how they look, is not
//! known here.

use std::ops::Range;

use super::figures::{Figures, Heap};
use super::sheet::each_series;
use super::{TOTAL, Timeline};
use crate::stats::summary::{Distribution, QUANTILES};
use crate::stats::unfinished::{at_most, certain_to};

/// The rows of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Windowed {
    /// The seconds that they are over: those asked for, and what shares a stretch with them.
    pub seconds: Range<u64>,
    /// Seconds of the longest stretch in it.
    pub step: u64,
    /// The total first, then every row in which something ended, by number.
    pub rows: Vec<WindowedRow>,
}

/// One row over a window. Quantiles are at most 0.8 % above the time they stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WindowedRow {
    /// The number of the row in the run; the total's is 0.
    pub id: u32,
    /// Requests that ended, failures included.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// Slots that paced users missed.
    pub missed: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Response times, of all that ended and of missed slots.
    pub response: Distribution,
    /// Service times, of all that ended.
    pub service: Distribution,
    /// Requests that were cut before they ended. The quantiles of `response` take them as over at
    /// their age, and so are lower bounds; those of `service` take the same ages, since no others are
    /// kept. Count, minimum, mean and maximum do not know them.
    pub unfinished: u64,
    /// The highest of [`QUANTILES`] that would be the same to 1 % however long they took; 1 without
    /// them.
    pub certain_to: f64,
    /// 95 % intervals of the response times, in µs: median lower and upper end, p95, p99; zeros
    /// without times. They assume that requests are independent of each other.
    pub intervals_us: [u64; 6],
}

impl Timeline {
    /// The rows over the stretches that share a second with `seconds`. 60 stretches of 500 names take
    /// 5 to 13 ms, a whole run of many names up to 0.4 s.
    #[must_use]
    pub fn window(&self, seconds: Range<u64>) -> Windowed {
        let seconds = self.snap(seconds);
        let mut step = 0;
        let mut rows = Vec::new();
        for axis in [&self.total, &self.names] {
            let mut sheets = Vec::new();
            for (stretch, of_stretch) in axis.within(seconds.clone()) {
                step = step.max(stretch.end - stretch.start);
                sheets.extend(of_stretch);
            }
            let (mut sum, mut figures) = (Heap::default(), Figures::default());
            each_series(sheets.into_iter(), |id, pieces| {
                for piece in pieces {
                    figures.decode(piece);
                    sum.add(&figures);
                }
                rows.push(WindowedRow::of(id, &sum.take()));
            });
        }
        if rows.first().is_none_or(|row| row.id != TOTAL) {
            rows.insert(0, WindowedRow::of(TOTAL, &Figures::default()));
        }
        Windowed {
            seconds,
            step,
            rows,
        }
    }

    /// The total's response times over exactly these seconds, as [`Timeline::window`] has them; `None`
    /// if they no longer begin and end with stretches, which grow with age. Reads only the total's.
    #[must_use]
    pub fn total_response(&self, seconds: Range<u64>) -> Option<Distribution> {
        if self.total.snap(&seconds) != seconds {
            return None;
        }
        let (mut sum, mut figures) = (Heap::default(), Figures::default());
        for stretch in self.stretches(TOTAL, seconds) {
            figures.decode(&stretch.bytes);
            sum.add(&figures);
        }
        Some(WindowedRow::of(TOTAL, &sum.take()).response)
    }

    /// Widens them to stretches of the total and of the names.
    fn snap(&self, mut seconds: Range<u64>) -> Range<u64> {
        loop {
            let wider = self.names.snap(&self.total.snap(&seconds));
            if wider == seconds {
                return seconds;
            }
            seconds = wider;
        }
    }
}

impl WindowedRow {
    fn of(id: u32, figures: &Figures) -> WindowedRow {
        let Figures { response, ages, .. } = figures;
        let mut lower = response.clone();
        lower.merge(ages);
        let shown = response.shown(&lower);
        let service = if figures.differs() {
            let mut lower = figures.service().clone();
            lower.merge(ages);
            figures.service().shown(&lower)
        } else {
            shown
        };
        let certain_to = if ages.span.count == 0 {
            1.0
        } else {
            let count = response.span.count;
            let quantile = |quantile: f64| response.quantiles_us(&[quantile])[0];
            let upper_us = at_most(count, count + ages.span.count, quantile);
            certain_to(&lower.quantiles_us(&QUANTILES), &upper_us)
        };
        WindowedRow {
            id,
            requests: figures.requests,
            failures: figures.failures,
            missed: figures.missed,
            sent: figures.sent,
            received: figures.received,
            response: shown,
            service,
            unfinished: ages.span.count,
            certain_to,
            intervals_us: lower.intervals_us(),
        }
    }
}
