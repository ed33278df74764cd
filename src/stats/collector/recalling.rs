//! Taking over what another collector, or a member of the run in its whole life, has counted.
//!
//! Owns that sums go into sums: nothing of it is in the latest seconds, and none of its times are
//! known by the second.

use super::{Collector, id_of};
use crate::stats::baseline::Past;
use crate::stats::ledger::Report;
use crate::stats::timeline::Remembered;

impl Collector {
    /// The run has been going on for so long, under others: what this process has used so far
    /// belongs to no second, and seconds that are over are not closed here.
    pub fn go_on(&mut self, now_us: u64) {
        self.ledger.begin(now_us);
        self.seconds.begin(now_us / 1_000_000);
        self.timeline.reach(now_us / 1_000_000);
    }

    /// Adds the cells of a report, which are sums over many seconds.
    pub(super) fn recall(&mut self, report: &Report, past: &Past, numbers: &[usize]) {
        for stamped in &report.cells {
            let number = numbers[stamped.series];
            let age = self.generations.age(stamped.generation);
            self.settled.remove(&age);
            self.rows[number].recall(age, &stamped.cell);
            if self.table.keys()[number].kind.is_request() {
                self.total.recall(age, &stamped.cell);
            }
        }
        self.seconds.recall(&past.seconds);
        let stretches = past.stretches.iter().map(|it| Remembered {
            id: id_of(numbers[it.id as usize]),
            ..it.clone()
        });
        let keys = self.table.keys();
        let is_request = |id: u32| keys[id as usize - 1].kind.is_request();
        self.timeline.recall(stretches, is_request);
    }
}
