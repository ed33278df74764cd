//! Counts of times by bucket, in three forms: a log while there are few, pages when there are many,
//! and a list of what is over.
//!
//! The buckets are HDR's for 1 µs to an hour and three digits: exact below 2,048 µs, from there
//! 1,024 for each power of two. They are the same everywhere, so counts of parts add up to the
//! counts of the whole. What the times are, and their exact sum and extremes, is `dist`'s.

use std::mem;
use std::ops::Range;

/// Longer times do not fit.
pub(super) const LONGEST_US: u64 = 3_600_000_000;

/// Bits of a time that are kept: 2 × 10³ rounded up to a power of two, for three digits.
const BITS: u32 = 11;
/// Buckets of one power of two.
const STEPS: u32 = 1 << (BITS - 1);
/// Index of the longest time, and one more.
const BUCKETS: usize = 23_552;

/// A log that is longer becomes pages: 2 KB, which is less than pages of as many different times
/// take, and is sorted in 10 µs.
pub(super) const MAX_LOG: usize = 1_024;
/// What is added up, second by second, is a log only up to here: it is read as often as added to.
const MAX_SUMMED: u64 = 64;

/// Buckets of a page: 256 bytes, of which a second's times near each other share a few.
const PAGE: usize = 32;
const PAGES: usize = BUCKETS / PAGE;

/// The bucket of a time of at most [`LONGEST_US`].
#[inline]
fn index_of(us: u64) -> u16 {
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
#[cfg(test)]
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
    fn each(&self, mut found: impl FnMut(u16, u64)) {
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
                let mut list = Vec::with_capacity(pages.counts.len() * 4);
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

fn in_list<const N: usize>(list: &[(u16, u64)], ranks: [u64; N]) -> [u16; N] {
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
fn joined(ours: &[(u16, u64)], theirs: &[(u16, u64)]) -> Vec<(u16, u64)> {
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

/// Counts of all buckets, of which only pages that have something take room; and the sum of each
/// page, so that a quantile is found in a microsecond, however many buckets there are.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    /// Where each page lies, plus one; zero for a page that has nothing.
    places: [u16; PAGES],
    /// The pages that have something are among these.
    range: Range<usize>,
    sums: Vec<u64>,
    counts: Vec<[u64; PAGE]>,
}

impl Default for Pages {
    fn default() -> Pages {
        Pages {
            places: [0; PAGES],
            range: 0..0,
            sums: Vec::new(),
            counts: Vec::new(),
        }
    }
}

impl Pages {
    #[inline]
    fn add(&mut self, index: u16, n: u64) {
        let (page, at) = (usize::from(index) / PAGE, usize::from(index) % PAGE);
        let place = self.place(page);
        self.sums[place] = self.sums[place].saturating_add(n);
        self.counts[place][at] = self.counts[place][at].saturating_add(n);
    }

    #[inline]
    fn place(&mut self, page: usize) -> usize {
        match self.places[page] {
            0 => self.open(page),
            place => usize::from(place) - 1,
        }
    }

    #[cold]
    fn open(&mut self, page: usize) -> usize {
        widen(&mut self.range, page..page + 1);
        self.sums.push(0);
        self.counts.push([0; PAGE]);
        self.places[page] = u16::try_from(self.counts.len()).expect("there are 736 pages");
        self.counts.len() - 1
    }

    /// Which pages have something, ascending, and where they lie.
    fn used(&self) -> impl Iterator<Item = (usize, usize)> {
        let places = self.places[self.range.clone()].iter();
        let pages = self.range.clone().zip(places);
        let used = pages.filter(|(_, place)| **place != 0);
        used.map(|(page, place)| (page, usize::from(*place) - 1))
    }

    fn merge(&mut self, other: &Pages) {
        for (page, theirs) in other.used() {
            let ours = self.place(page);
            self.sums[ours] = self.sums[ours].saturating_add(other.sums[theirs]);
            added(&mut self.counts[ours], &other.counts[theirs]);
        }
    }

    fn each(&self, mut found: impl FnMut(u16, u64)) {
        for (page, place) in self.used() {
            let first = u16::try_from(page * PAGE).expect("an index of a bucket");
            for (index, n) in (first..).zip(&self.counts[place]) {
                if *n > 0 {
                    found(index, *n);
                }
            }
        }
    }

    fn at_ranks<const N: usize>(&self, ranks: [u64; N]) -> [u16; N] {
        let used = self.used().map(|(page, place)| (page, self.sums[place]));
        let counts = |page| self.page(page).copied().unwrap_or([0; PAGE]);
        in_pages(used, counts, ranks)
    }

    fn page(&self, page: usize) -> Option<&[u64; PAGE]> {
        let place = usize::from(self.places[page]).checked_sub(1)?;
        Some(&self.counts[place])
    }
}

/// Adds a page. No bucket counts so far that it would overflow; wrapping, this is four instructions
/// for eight buckets.
fn added(counts: &mut [u64; PAGE], more: &[u64; PAGE]) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count = count.wrapping_add(*more);
    }
}

/// Takes more pages in.
fn widen(range: &mut Range<usize>, more: Range<usize>) {
    *range = if range.start == range.end {
        more
    } else {
        range.start.min(more.start)..range.end.max(more.end)
    };
}

/// In ascending pages: the number of each and its sum; and what is in one.
fn in_pages<const N: usize>(
    mut pages: impl Iterator<Item = (usize, u64)>,
    counts_of: impl Fn(usize) -> [u64; PAGE],
    ranks: [u64; N],
) -> [u16; N] {
    let mut at = pages.next();
    // What lies before page `at`.
    let mut below = 0_u64;
    let mut counts = None;
    ranks.map(|rank| {
        while let Some((_, sum)) = at
            && below.saturating_add(sum) < rank
        {
            let Some(next) = pages.next() else { break };
            below = below.saturating_add(sum);
            (at, counts) = (Some(next), None);
        }
        let Some((page, _)) = at else { return 0 };
        let (mut found, mut sum) = (0, below);
        let counts = counts.get_or_insert_with(|| counts_of(page));
        for (nth, n) in counts.iter().enumerate() {
            if *n > 0 {
                found = nth;
                sum = sum.saturating_add(*n);
                if sum >= rank {
                    break;
                }
            }
        }
        u16::try_from(page * PAGE + found).expect("an index of a bucket")
    })
}

/// Room to add up what is in several parts, as far as needed to read the sum: 194 KB that are used
/// again and again.
#[derive(Debug)]
pub(super) struct Sum {
    sums: Vec<u64>,
    /// Of logs and lists; pages are only added up where a rank lies.
    counts: Vec<[u64; PAGE]>,
    /// What may still be looked at; see [`Sum::allow`].
    left: usize,
}

impl Default for Sum {
    fn default() -> Sum {
        Sum {
            sums: vec![0; PAGES],
            counts: vec![[0; PAGE]; PAGES],
            left: usize::MAX,
        }
    }
}

impl Sum {
    /// So many pages and entries of lists may be looked at from now on, 10 ns each. Who goes on
    /// when that [is spent](Sum::is_spent) is served all the same.
    pub(super) fn allow(&mut self, most: usize) {
        self.left = most;
    }

    /// Whether whoever can wait should.
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Somebody looks at all of that.
    pub(super) fn spend(&mut self, buckets: &Buckets) {
        self.left = self.left.saturating_sub(match buckets {
            Buckets::Pages(pages) => pages.range.len(),
            Buckets::List(list) => list.len(),
            Buckets::Log(log) => log.len(),
        });
    }

    /// As [`Buckets::at_ranks`] of all parts together.
    pub(super) fn at_ranks<'a, const N: usize>(
        &mut self,
        parts: impl Iterator<Item = &'a Buckets>,
        ranks: [u64; N],
    ) -> [u16; N] {
        let mut paged: Vec<&Pages> = Vec::new();
        let mut range = 0..0;
        let mut has_counts = false;
        for part in parts {
            self.spend(part);
            if let Buckets::Pages(pages) = part {
                paged.push(pages);
                widen(&mut range, pages.range.clone());
                for (page, place) in pages.used() {
                    self.sums[page] = self.sums[page].saturating_add(pages.sums[place]);
                }
                continue;
            }
            has_counts = true;
            part.each(|index, n| {
                let (page, at) = (usize::from(index) / PAGE, usize::from(index) % PAGE);
                widen(&mut range, page..page + 1);
                self.sums[page] = self.sums[page].saturating_add(n);
                self.counts[page][at] = self.counts[page][at].saturating_add(n);
            });
        }
        let sums = self.sums[range.clone()].iter().copied();
        let pages = range.clone().zip(sums);
        let counts_of = |page: usize| {
            let mut counts = self.counts[page];
            for pages in &paged {
                if let Some(more) = pages.page(page) {
                    added(&mut counts, more);
                }
            }
            counts
        };
        let found = in_pages(pages.filter(|(_, sum)| *sum > 0), counts_of, ranks);
        if has_counts {
            let counts = &mut self.counts[range.clone()];
            let touched = self.sums[range.clone()].iter().zip(counts);
            touched
                .filter(|(sum, _)| **sum > 0)
                .for_each(|(_, counts)| *counts = [0; PAGE]);
        }
        self.sums[range].fill(0);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
