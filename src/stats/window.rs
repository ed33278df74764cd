//! The last seconds of a series: what current rates and current percentiles are computed from.
//!
//! Seconds are whole seconds since the run's epoch, and a sample counts in the one in which its
//! response arrived. The history of the whole run is kept elsewhere.

use std::collections::VecDeque;

use super::cell::Cell;

/// Current figures are over up to this many completed seconds.
pub const SECONDS: u64 = 10;
/// Room for the seconds of the window, the running one and one that is late.
const KEPT: u64 = 12;

/// Cells of the latest seconds that have one, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    cells: VecDeque<(u64, Cell)>,
}

impl Window {
    /// Adds to a second; one that is older than the latest by twelve is forgotten here (and only
    /// here).
    pub(super) fn add(&mut self, second: u64, mut cell: Cell) {
        let newest = self.cells.back().map_or(second, |(newest, _)| *newest);
        if second + KEPT <= newest {
            return;
        }
        cell.close();
        let place = self.cells.partition_point(|(other, _)| *other < second);
        match self.cells.get_mut(place) {
            Some((other, ours)) if *other == second => ours.merge(&cell),
            _ => self.cells.insert(place, (second, cell)),
        }
        let newest = newest.max(second);
        while self
            .cells
            .front()
            .is_some_and(|(first, _)| first + KEPT <= newest)
        {
            self.cells.pop_front();
        }
    }

    /// Adds all of `other`; associative and commutative: what the later of both has outlived is
    /// forgotten in whatever order.
    pub(super) fn merge(&mut self, other: &Window) {
        for (second, cell) in &other.cells {
            self.add(*second, cell.clone());
        }
    }

    /// The completed seconds of the window that ends before second `now`, as far as they have
    /// something, latest first: what is over is not even looked at.
    pub(super) fn completed(&self, now: u64) -> impl Iterator<Item = &Cell> {
        let first = now.saturating_sub(SECONDS);
        let cells = self.cells.iter().rev();
        let over = cells.skip_while(move |(second, _)| *second >= now);
        let within = over.take_while(move |(second, _)| *second >= first);
        within.map(|(_, cell)| cell)
    }

    /// Whether neither the window that ends before second `now` has anything nor a later one will,
    /// unless something is added.
    pub(super) fn is_over(&self, now: u64) -> bool {
        let latest = self.cells.back();
        latest.is_none_or(|(second, _)| second + SECONDS < now)
    }
}

/// How many seconds the window that ends before second `now` has.
pub(super) fn length(now: u64) -> u64 {
    now.min(SECONDS)
}

/// What rates over so many seconds are over, in µs, when the run was paused for some of it: at least
/// a second, as at the start of a run, since less would say little.
pub(super) fn rates_over_us(seconds: u64, paused_us: u64) -> u64 {
    let whole_us = seconds * 1_000_000;
    whole_us
        .saturating_sub(paused_us)
        .max(whole_us.min(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::cell::together;
    use crate::stats::{Outcome, Sample, SeriesId};

    fn record(window: &mut Window, end_us: u64, outcome: Outcome, response_us: u64) {
        let start_us = end_us - response_us;
        let sample = Sample::new(SeriesId::new(0), 1, outcome, start_us).service_us(response_us);
        let mut cell = Cell::default();
        cell.record(&sample);
        window.add(sample.end_us() / 1_000_000, cell);
    }

    fn of(ends_s: &[u64]) -> Window {
        let mut window = Window::default();
        for second in ends_s {
            record(
                &mut window,
                second * 1_000_000 + 999_999,
                Outcome::Success,
                1_000 + second,
            );
        }
        window
    }

    fn requests(window: &Window, now: u64) -> (u64, u64) {
        let requests = window.completed(now).map(Cell::requests).sum();
        let response = together(window.completed(now).flat_map(Cell::answered));
        assert_eq!(requests, response.count);
        (requests, length(now))
    }

    #[test]
    fn the_window_is_the_last_ten_completed_seconds() {
        let window = of(&[0, 0, 1, 5, 9, 10]);
        assert_eq!(requests(&window, 0), (0, 0));
        assert_eq!(requests(&window, 1), (2, 1));
        assert_eq!(requests(&window, 10), (5, 10));
        assert_eq!(requests(&window, 11), (4, 10));
        assert_eq!(requests(&window, 12), (3, 10));
        assert_eq!(
            requests(&window, 21),
            (0, 10),
            "falls to zero when nothing completes"
        );
        assert_eq!(requests(&window, 1_000_000), (0, 10));
    }

    #[test]
    fn a_window_is_over_when_no_later_one_has_anything_either() {
        let window = of(&[3, 7]);
        for now in 0..40 {
            let has_some = (now..60).any(|now| requests(&window, now).0 > 0);
            assert_eq!(window.is_over(now), !has_some, "{now}");
        }
        assert!(Window::default().is_over(0));
    }

    #[test]
    fn a_late_sample_counts_in_its_own_second_and_a_very_late_one_is_forgotten() {
        let window = of(&[20, 9, 8, 50, 39, 38]);
        assert_eq!(requests(&window, 51), (1, 10));
        assert_eq!(requests(&window, 49), (1, 10), "second 39");
        assert_eq!(
            requests(&window, 48),
            (1, 10),
            "38 has left the ring, 39 not"
        );
    }

    #[test]
    fn failures_are_counted_among_the_requests() {
        let mut window = of(&[3]);
        record(&mut window, 3_500_000, Outcome::Failure, 7);
        let mut sum = Cell::default();
        window.completed(4).for_each(|cell| sum.merge(cell));
        let response = together(sum.answered());
        assert_eq!((sum.requests(), sum.failures(), response.min_us), (2, 1, 7));
    }

    #[test]
    fn merging_forgets_the_same_in_any_order() {
        let parts = [
            of(&[1, 2, 3]),
            of(&[12, 13]),
            of(&[40, 35]),
            of(&[30, 29, 28]),
            of(&[]),
        ];
        let merged = |order: [usize; 5]| {
            let mut sum = Window::default();
            for part in order {
                sum.merge(&parts[part]);
            }
            (30..45).map(|now| requests(&sum, now)).collect::<Vec<_>>()
        };
        let expected = merged([0, 1, 2, 3, 4]);
        // Seconds 28 to 37 and 29 to 38, of which 28 has left the ring; 31 to 40.
        assert_eq!(
            [expected[8], expected[9], expected[11]],
            [(3, 10), (3, 10), (2, 10)]
        );
        for order in [[4, 3, 2, 1, 0], [2, 0, 3, 4, 1], [3, 2, 1, 0, 4]] {
            assert_eq!(merged(order), expected);
        }
    }
}
