//! The checks of scripts, by name: how often each held, and how often it did not.
//!
//! Bounded like all texts. What a check is, and that one that does not hold fails its sample, is
//! the script's side.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::summary::CheckRow;
use super::tally::{OTHER_TEXTS, Tally, TallyEntry};

/// The name of the row that takes every check beyond the limit.
pub const OTHER_CHECKS: &str = "(other checks)";

/// Whose count it is in the tally.
const PASSES: u32 = 0;
const FAILS: u32 = 1;

/// Counts of checks.
#[derive(Debug)]
pub(super) struct Checks(Tally);

impl Checks {
    /// Counts of at most `limit` names.
    pub(super) fn new(limit: usize) -> Checks {
        // Each name may have two counts.
        Checks(Tally::new(2 * limit))
    }

    /// Counts one; does not allocate when its name is known.
    pub(super) fn count(&mut self, name: &str, holds: bool) {
        self.0.count(if holds { PASSES } else { FAILS }, name);
    }

    /// Moves what was counted since the last call to the end of `out`.
    pub(super) fn take(&mut self, out: &mut Vec<TallyEntry>) {
        self.0.take(out);
    }

    /// All counts: by name, and whether it held.
    pub(super) fn entries(&self) -> &[TallyEntry] {
        self.0.entries()
    }

    /// Adds what another thread counted.
    pub(super) fn merge(&mut self, counted: &TallyEntry) {
        self.0.merge(counted.owner, counted);
    }

    /// Whether some share a row.
    pub(super) fn overflowed(&self) -> bool {
        self.0.overflowed()
    }

    /// By name.
    pub(super) fn rows(&self) -> Vec<CheckRow> {
        let mut rows: BTreeMap<&Arc<str>, (u64, u64)> = BTreeMap::new();
        for counted in self.0.entries() {
            let row = rows.entry(&counted.text).or_default();
            match counted.owner {
                PASSES => row.0 += counted.count,
                _ => row.1 += counted.count,
            }
        }
        let rows = rows.into_iter();
        rows.map(|(name, (passes, fails))| CheckRow {
            name: if **name == *OTHER_TEXTS {
                OTHER_CHECKS.into()
            } else {
                Arc::clone(name)
            },
            passes,
            fails,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(checks: &Checks) -> Vec<(String, u64, u64)> {
        let rows = checks.rows().into_iter();
        rows.map(|row| (row.name.to_string(), row.passes, row.fails))
            .collect()
    }

    #[test]
    fn names_meet_from_all_threads() {
        let mut sum = Checks::new(10);
        for (holds, times) in [(true, 3), (false, 1)] {
            let mut one = Checks::new(10);
            for _ in 0..times {
                one.count("is fine", holds);
            }
            one.count("has a title", true);
            let mut taken = Vec::new();
            one.take(&mut taken);
            taken.iter().for_each(|counted| sum.merge(counted));
        }
        assert_eq!(
            rows(&sum),
            [
                ("has a title".to_owned(), 2, 0),
                ("is fine".to_owned(), 3, 1)
            ]
        );
        assert!(!sum.overflowed());
    }

    #[test]
    fn names_beyond_the_limit_share_a_row() {
        let mut checks = Checks::new(2);
        for n in 0..9 {
            checks.count(&format!("check {n}"), n != 8);
        }
        let rows = rows(&checks);
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[0], (OTHER_CHECKS.to_owned(), 4, 1));
        assert!(checks.overflowed());
    }
}
