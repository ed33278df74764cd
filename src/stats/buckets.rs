//! Counts of times by bucket, in three forms: a log while there are few, pages when there are many,
//! and a list of what is over.
//!
//! The buckets are HDR's for 1 µs to an hour and three digits: exact below 2,048 µs, from there
//! 1,024 for each power of two. They are the same everywhere, so counts of parts add up to the
//! counts of the whole. `dist` knows what the times are, and has their exact sum and extremes.

use std::mem;

use super::pages::Pages;

/// Longer times do not fit.
pub(super) const LONGEST_US: u64 = 3_600_000_000;

/// Bits of a time that are kept: 2 × 10³ rounded up to a power of two, for three digits.
const BITS: u32 = 11;
/// Buckets of one power of two.
const STEPS: u32 = 1 << (BITS - 1);
/// A log that is longer becomes pages: 2 KB, which is less than pages of as many different times
/// take, and is sorted in 10 µs.
pub(super) const MAX_LOG: usize = 1_024;
/// What is added up, second by second, is a log only up to here: it is read as often as added to.
const MAX_SUMMED: u64 = 64;

/// The bucket of a time of at most [`LONGEST_US`].
#[inline]
pub(super) fn index_of(us: u64) -> u16 {
    let us = u32::try_from(us).expect("an hour in µs fits into 32 bits");
    let spare = (u32::BITS - us.leading_zeros()).saturating_sub(BITS);
    u16::try_from(spare * STEPS + (us >> spare)).expect("there are 23,552")
}

/// The times of a bucket: lowest and highest.
fn times_of(index: u16) -> (u64, u64) {
    let index = u32::from(index);
    let spare = (index / STEPS).saturating_sub(1);
    let lowest = u64::from(index - spare * STEPS) << spare;
    (lowest, lowest + (1 << spare) - 1)
}

/// The highest time of a bucket.
pub(super) fn highest_of(index: u16) -> u64 {
    times_of(index).1
}

/// The lowest time of a bucket.
pub(super) fn lowest_of(index: u16) -> u64 {
    times_of(index).0
}

/// Counts by bucket.
#[derive(Clone, Debug)]
pub(super) enum Buckets {
    /// One entry a time, as they came.
    Log(Vec<u16>),
    Pages(Box<Pages>),
    /// Ascending; stays a list, whatever is added.
    List(Vec<(u16, u64)>),
}

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets::Log(Vec::new())
    }
}

impl Buckets {
    /// Counts a time of at most [`LONGEST_US`].
    #[inline]
    pub(super) fn add(&mut self, us: u64, n: u64) {
        let index = index_of(us);
        match self {
            Buckets::Log(log) if n == 1 && log.len() < MAX_LOG => log.push(index),
            Buckets::Pages(pages) => pages.add(index, n),
            _ => self.add_many(index, n),
        }
    }

    #[cold]
    fn add_many(&mut self, index: u16, n: u64) {
        match self {
            Buckets::List(list) => *list = joined(list, &[(index, n)]),
            _ => self.pages().add(index, n),
        }
    }

    /// Makes pages of a log; a list has none.
    fn pages(&mut self) -> &mut Pages {
        if !matches!(self, Buckets::Pages(_)) {
            let mut pages = Box::<Pages>::default();
            self.each(|index, n| pages.add(index, n));
            *self = Buckets::Pages(pages);
        }
        match self {
            Buckets::Pages(pages) => pages,
            _ => unreachable!("it has just become pages"),
        }
    }

    /// Adds all of `other`, which counts `count` times.
    pub(super) fn merge(&mut self, other: &Buckets, count: u64) {
        match (&mut *self, other) {
            (Buckets::List(ours), Buckets::List(theirs)) => *ours = joined(ours, theirs),
            (Buckets::List(ours), _) => *ours = joined(ours, &other.sorted()),
            (Buckets::Log(log), _) if log.len() as u64 + count <= MAX_SUMMED => {
                other.each(|index, n| (0..n).for_each(|_| log.push(index)));
            }
            (Buckets::Pages(ours), Buckets::Pages(theirs)) => ours.merge(theirs),
            _ => {
                let pages = self.pages();
                other.each(|index, n| pages.add(index, n));
            }
        }
    }

    /// Makes a list of it: this part of a run is over, or is handed on.
    pub(super) fn close(&mut self) {
        match self {
            Buckets::Log(log) => *self = Buckets::List(in_order(mem::take(log))),
            Buckets::Pages(_) => *self = Buckets::List(self.sorted()),
            Buckets::List(_) => {}
        }
    }

    /// Gives each bucket that has something, a log's in no order and more than once.
    pub(super) fn each(&self, mut found: impl FnMut(u16, u64)) {
        match self {
            Buckets::Log(log) => log.iter().for_each(|index| found(*index, 1)),
            Buckets::Pages(pages) => pages.each(found),
            Buckets::List(list) => list.iter().for_each(|(index, n)| found(*index, *n)),
        }
    }

    /// Index and count of each bucket that has something, ascending.
    pub(super) fn sorted(&self) -> Vec<(u16, u64)> {
        match self {
            Buckets::Log(log) => in_order(log.clone()),
            Buckets::Pages(pages) => {
                let mut list = Vec::with_capacity(pages.sums.len() * 4);
                pages.each(|index, n| list.push((index, n)));
                list.shrink_to_fit();
                list
            }
            Buckets::List(list) => list.clone(),
        }
    }

    /// The buckets in which the times of those ascending ranks (from 1) lie, of as many times as
    /// there are; the last for a rank beyond.
    pub(super) fn at_ranks<const N: usize>(&self, ranks: [u64; N]) -> [u16; N] {
        match self {
            Buckets::Pages(pages) => pages.at_ranks(ranks),
            Buckets::List(list) => in_list(list, ranks),
            Buckets::Log(_) => in_list(&self.sorted(), ranks),
        }
    }
}

fn in_order(mut log: Vec<u16>) -> Vec<(u16, u64)> {
    log.sort_unstable();
    let buckets = log.chunk_by(u16::eq);
    buckets.map(|same| (same[0], same.len() as u64)).collect()
}

/// [`Buckets::at_ranks`] of an ascending list.
pub(super) fn in_list<const N: usize>(list: &[(u16, u64)], ranks: [u64; N]) -> [u16; N] {
    let (mut at, mut below) = (0, 0);
    ranks.map(|rank| {
        while at + 1 < list.len() && below + list[at].1 < rank {
            below += list[at].1;
            at += 1;
        }
        list.get(at).map_or(0, |(index, _)| *index)
    })
}

/// The sum of two ascending lists.
pub(super) fn joined(ours: &[(u16, u64)], theirs: &[(u16, u64)]) -> Vec<(u16, u64)> {
    let mut sum = Vec::with_capacity(ours.len() + theirs.len());
    let (mut ours, mut theirs) = (ours.iter().peekable(), theirs.iter().peekable());
    loop {
        let next = match (ours.peek(), theirs.peek()) {
            (Some(our), Some(their)) if our.0 == their.0 => {
                let both = (our.0, our.1.saturating_add(their.1));
                ours.next();
                theirs.next();
                both
            }
            (Some(our), Some(their)) if our.0 > their.0 => {
                let next = **their;
                theirs.next();
                next
            }
            (Some(our), _) => {
                let next = **our;
                ours.next();
                next
            }
            (None, Some(their)) => {
                let next = **their;
                theirs.next();
                next
            }
            (None, None) => break,
        };
        sum.push(next);
    }
    sum.shrink_to_fit();
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::pages::BUCKETS;
    use crate::stats::sum::Sum;

    #[test]
    fn buckets_follow_one_another_without_a_gap() {
        let mut next = 0;
        for index in 0..=index_of(LONGEST_US) {
            let (lowest, highest) = times_of(index);
            assert_eq!(lowest, next);
            assert_eq!(
                (index_of(lowest), index_of(highest.min(LONGEST_US))),
                (index, index)
            );
            next = highest + 1;
        }
        assert!(next > LONGEST_US);
        assert!(usize::from(index_of(LONGEST_US)) < BUCKETS);
    }

    #[test]
    fn counts_beyond_32_bits_are_carried_and_none_is_lost() {
        let large = u64::from(u32::MAX);
        let sum = |parts: &[&[(u64, u64)]]| {
            let mut sum = Buckets::default();
            for part in parts {
                let mut pages = Buckets::default();
                for (us, n) in *part {
                    pages.add(*us, *n);
                    pages.pages();
                }
                sum.merge(&pages, u64::MAX - large);
            }
            sum
        };
        let parts: [&[(u64, u64)]; 4] = [
            &[(7, large - 1), (9, 3)],
            &[(7, 5), (9, large)],
            &[(7, 10 * large), (40, 1)],
            &[(7, 1), (9, 1)],
        ];
        let all = [(7, 11 * large + 5), (9, large + 4), (40, 1)];
        let mut turned = parts;
        turned.reverse();
        for parts in [parts, turned] {
            let mut sum = sum(&parts);
            assert_eq!(sum.sorted(), all);
            assert_eq!(sum.at_ranks([11 * large + 5, 11 * large + 6]), [7, 9]);
            let whole = [&sum].into_iter();
            let ranks = [1, 11 * large + 6, 12 * large + 10];
            assert_eq!(Sum::default().at_ranks(whole, ranks), [7, 9, 40]);
            sum.close();
            assert_eq!(sum.sorted(), all);
        }
    }
}
