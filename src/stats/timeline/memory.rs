//! What one timeline has, for another: of a collector that goes on from it.
//!
//! Owns the form between the two, and that nothing is believed of one which comes from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::axis::Axis;
use super::figures::Figures;
use super::sheet::Writer;
use super::{BUDGET, TOTAL, Timeline};

/// Most bytes of all names of a member: it has few, and shares its machine with load threads.
const BUDGET_OF_A_MEMBER: usize = BUDGET / 4;

/// What one series added up to in a stretch, encoded as the timeline does.
#[derive(Clone, Debug)]
pub(in crate::stats) struct Remembered {
    /// The stretch's first second.
    pub(in crate::stats) from: u64,
    /// The series.
    pub(in crate::stats) id: u32,
    pub(in crate::stats) figures: Arc<[u8]>,
}

impl Remembered {
    /// Whether that is what a timeline could have written.
    pub(in crate::stats) fn is_sound(&self) -> bool {
        Figures::read(&self.figures).is_some_and(|figures| {
            let mut again = Vec::new();
            figures.encode(&mut again);
            *again == *self.figures
        })
    }
}

impl Timeline {
    /// One of a member of a run, for [`Timeline::remembered`].
    pub(in crate::stats) fn of_a_member() -> Timeline {
        Timeline::with_budget(BUDGET_OF_A_MEMBER)
    }

    /// All that it has of names, by stretch and number.
    pub(in crate::stats) fn remembered(&self) -> Vec<Remembered> {
        let mut all = Vec::new();
        for (stretch, sheets) in self.names.within(0..u64::MAX) {
            for (id, figures) in sheets.iter().flat_map(|sheet| sheet.pieces()) {
                all.push(Remembered {
                    from: stretch.start,
                    id,
                    figures: figures.into(),
                });
            }
        }
        all
    }

    /// Adds what another had of names, and to the total those that are requests. Each is sound.
    /// Where the other's stretches were longer, all of one is in the first of ours.
    pub(in crate::stats) fn recall(
        &mut self,
        all: impl Iterator<Item = Remembered>,
        is_request: impl Fn(u32) -> bool,
    ) {
        let mut stretches: BTreeMap<u64, BTreeMap<u32, Figures>> = BTreeMap::new();
        let mut spare = Figures::default();
        for one in all {
            spare.decode(&one.figures);
            let of_stretch = stretches.entry(one.from).or_default();
            of_stretch.entry(one.id).or_default().merge(&spare);
        }
        for (from, of_stretch) in stretches {
            let mut total = Figures::default();
            let of_total = of_stretch.iter().filter(|(id, _)| is_request(**id));
            of_total.for_each(|(_, figures)| total.merge(figures));
            write(&mut self.names, from, of_stretch.iter());
            if !total.is_nothing() {
                write(&mut self.total, from, [(&TOTAL, &total)].into_iter());
            }
        }
    }
}

fn write<'a>(axis: &mut Axis, from: u64, all: impl Iterator<Item = (&'a u32, &'a Figures)>) {
    let mut writer = Writer::default();
    for (id, figures) in all {
        writer.piece(*id, |to| figures.encode(to));
    }
    axis.add_sheet(from, writer.done());
}
