//! Holds the timeline to what it was given: nothing lost, nothing twice, and percentiles that are
//! those of the samples.
//!
//! How much it keeps is tested in `bounds`, what pages are told in `vectors`.

mod bounds;
mod vectors;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::stats::summary::QUANTILES;
use crate::stats::timeline::sheet::each_series;
use crate::stats::{Outcome, Sample, SeriesId, Slots};

/// What ends somewhere.
#[derive(Clone, Debug)]
enum What {
    Request { is_failure: bool, late_us: u64 },
    Missed { count: u64 },
    Cut,
}

#[derive(Clone, Debug)]
struct Event {
    second: u64,
    id: u32,
    us: u64,
    what: What,
}

impl Event {
    fn add_to(&self, cell: &mut Cell) {
        match self.what {
            What::Request {
                is_failure,
                late_us,
            } => {
                let outcome = if is_failure {
                    Outcome::Failure
                } else {
                    Outcome::Success
                };
                let sample = Sample::new(SeriesId::new(0), 1, outcome, 0).service_us(self.us);
                cell.record(&sample.late_us(late_us).bytes(self.second, 300));
            }
            What::Missed { count } => cell.slots(&Slots {
                series: SeriesId::new(0),
                generation: 1,
                outcome: Outcome::Success,
                at_us: 0,
                longest_us: self.us,
                period_us: 0,
                count,
            }),
            What::Cut => cell.cut(self.us, self.us + 3),
        }
    }

    /// The response times it stands for, ages included.
    fn response_us(&self) -> Vec<u64> {
        match self.what {
            What::Request { late_us, .. } => vec![self.us + late_us],
            What::Missed { count } => vec![self.us; usize::try_from(count).expect("few")],
            What::Cut => vec![self.us + 3],
        }
    }
}

fn events(seconds: u64, most: usize) -> impl Strategy<Value = Vec<Event>> {
    let late = prop_oneof![5 => Just(0_u64), 1 => 0..3_000_000_u64];
    let what = prop_oneof![
        12 => (any::<bool>(), late)
            .prop_map(|(is_failure, late_us)| What::Request { is_failure, late_us }),
        1 => (1_u64..30).prop_map(|count| What::Missed { count }),
        1 => Just(What::Cut),
    ];
    let us = (0_u32..31).prop_flat_map(|bits| 0..=(1_u64 << bits));
    let one = (0..seconds, 1_u32..5, us, what);
    let one = one.prop_map(|(second, id, us, what)| Event {
        second,
        id,
        us,
        what,
    });
    let all = prop::collection::vec(one, 1..most);
    // In their order but for the last tenth, or in any.
    (all, any::<bool>()).prop_map(|(mut all, is_sorted)| {
        if is_sorted {
            let late = all.len() / 10;
            let timely = all.len() - late;
            all[..timely].sort_by_key(|event| event.second);
        }
        all
    })
}

/// Adds them, so many at a time.
fn timeline(events: &[Event], at_once: usize, budget: usize) -> Timeline {
    let mut timeline = Timeline::with_budget(budget);
    for part in events.chunks(at_once) {
        let mut rows: BTreeMap<(u32, u64), Cell> = BTreeMap::new();
        let mut total: BTreeMap<u64, Cell> = BTreeMap::new();
        for event in part {
            event.add_to(rows.entry((event.id, event.second)).or_default());
            event.add_to(total.entry(event.second).or_default());
        }
        rows.values_mut().for_each(Cell::close);
        let rows = rows.iter();
        timeline.add(rows.map(|((id, second), cell)| (*second, *id, cell)));
        timeline.add_total(total.iter().map(|(second, cell)| (*second, cell)));
    }
    timeline
}

/// One cell of all that are of a row.
fn cell_of<'a>(events: impl Iterator<Item = &'a Event>) -> Cell {
    let mut cell = Cell::default();
    events.for_each(|event| event.add_to(&mut cell));
    cell
}

/// The seconds of all stretches of the total, which follow one another.
fn covered(timeline: &Timeline) -> Range<u64> {
    let mut end = 0;
    for stretch in timeline.stretches(TOTAL, 0..u64::MAX) {
        assert_eq!(stretch.from, end, "a gap or an overlap");
        assert!(stretch.len.is_power_of_two() && stretch.from.is_multiple_of(stretch.len));
        end += stretch.len;
    }
    0..end
}

#[test]
fn all_stretches_add_up_to_the_cells_bucket_for_bucket() {
    proptest!(ProptestConfig::with_cases(48), |(
        events in events(4_000, 300), at_once in 1_usize..40, budget in 500_usize..100_000,
    )| {
        let timeline = timeline(&events, at_once, budget);
        for id in 0..5 {
            let of_row = events.iter().filter(|event| id == TOTAL || event.id == id);
            prop_assert!(timeline.adds_up_to(id, &cell_of(of_row)), "row {id}");
        }
        let last = events.iter().map(|event| event.second).max();
        prop_assert_eq!(covered(&timeline), 0..last.map_or(0, |last| last + 1));
    });
}

#[test]
fn what_is_encoded_is_read_back_and_merges_as_cells_do() {
    proptest!(ProptestConfig::with_cases(64), |(a in events(1, 200), b in events(1, 200))| {
        let figures = |events: &[Event]| {
            let mut figures = Figures::default();
            figures.add(&cell_of(events.iter()));
            figures
        };
        let (first, second) = (figures(&a), figures(&b));
        let mut bytes = Vec::new();
        first.encode(&mut bytes);
        // Into one that had something else.
        let mut read = second.clone();
        read.decode(&bytes);
        prop_assert_eq!(&read, &first);
        read.merge(&second);
        prop_assert_eq!(read, figures(&[a, b].concat()));
    });
}

#[test]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the definition of a rank"
)]
fn figures_of_a_window_are_those_of_its_samples() {
    proptest!(ProptestConfig::with_cases(64), |(
        events in events(1_500, 400), at_once in 1_usize..40, from in 0_u64..1_500, len in 1_u64..1_500,
    )| {
        let timeline = timeline(&events, at_once, 20_000);
        let window = timeline.window(from..from + len);
        let seconds = window.seconds.clone();
        prop_assert!(seconds.start <= from);
        prop_assert!(seconds.end >= (from + len).min(covered(&timeline).end));
        prop_assert_eq!(&timeline.window(seconds.clone()), &window, "snapped already");
        let within: Vec<&Event> = events.iter().filter(|event| seconds.contains(&event.second)).collect();
        let mut expected: Vec<u32> = within.iter().map(|event| event.id).collect();
        expected.push(TOTAL);
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(window.rows.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
        for row in &window.rows {
            let of_row = || within.iter().copied().filter(|event| row.id == TOTAL || event.id == row.id);
            let cell = cell_of(of_row());
            prop_assert_eq!(
                [row.requests, row.failures, row.missed, row.unfinished, row.sent, row.received],
                [cell.requests(), cell.failures(), cell.missed(), cell.unfinished(), cell.sent, cell.received]
            );
            let mut times: Vec<u64> = of_row().flat_map(Event::response_us).collect();
            times.sort_unstable();
            let is_right = |found: u64, rank: usize| {
                let exact = times.get(rank.clamp(1, times.len().max(1)) - 1).copied().unwrap_or(0);
                found >= exact && (found - exact) * 1_000 <= exact * 8
            };
            for (quantile, found) in QUANTILES.iter().zip(row.response.quantiles_us) {
                let rank = (quantile * times.len() as f64).ceil() as usize;
                prop_assert!(is_right(found, rank), "{quantile} of {times:?}: {found}");
            }
            for (quantile, ends) in [0.50, 0.95, 0.99].iter().zip(row.intervals_us.chunks(2)) {
                let middle = quantile * times.len() as f64;
                let width = 1.96 * (middle * (1.0 - quantile)).sqrt();
                prop_assert!(is_right(ends[0], (middle - width).floor() as usize), "{quantile} of {times:?}");
                prop_assert!(is_right(ends[1], (middle + width).ceil() as usize), "{quantile} of {times:?}");
            }
            let ended = of_row().filter(|event| !matches!(event.what, What::Cut));
            let ended: Vec<u64> = ended.flat_map(Event::response_us).collect();
            prop_assert_eq!(
                [row.response.count, row.response.min_us, row.response.max_us],
                [ended.len() as u64, ended.iter().min().copied().unwrap_or(0), ended.iter().max().copied().unwrap_or(0)]
            );
            prop_assert_eq!(row.service.count, row.requests);
            prop_assert!(row.certain_to >= 1.0 || row.unfinished > 0);
        }
    });
}

#[test]
fn all_series_of_several_sheets_come_once_and_in_order() {
    let of = |ids: &[u32]| {
        let mut writer = sheet::Writer::default();
        for id in ids {
            writer.piece(*id, |to| to.extend(id.to_le_bytes()));
        }
        writer.done()
    };
    let sheets = [of(&[1, 7, 9, 300]), of(&[]), of(&[2, 7]), of(&[7, 300])];
    let mut found = Vec::new();
    each_series(sheets.iter(), |id, pieces| {
        assert!(pieces.iter().all(|piece| **piece == id.to_le_bytes()));
        found.push((id, pieces.len()));
    });
    assert_eq!(found, [(1, 1), (2, 1), (7, 3), (9, 1), (300, 2)]);
    assert_eq!(sheets[0].find(9), Some(&9_u32.to_le_bytes()[..]));
    assert_eq!([0, 8, 301].map(|id| sheets[0].find(id)), [None; 3]);
    assert_eq!(sheets[1].find(1), None);
}
