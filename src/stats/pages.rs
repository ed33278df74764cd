//! Counts of many buckets, by pages.
//!
//! A distribution has thousands of buckets, and its times lie in a few stretches of them. Which time
//! falls into which bucket is not known here.

use std::collections::BTreeMap;
use std::ops::Range;

/// How many buckets there are.
pub(super) const BUCKETS: usize = 23_552;

/// Buckets of a page: 128 bytes, of which a second's times near each other share a few.
pub(super) const PAGE: usize = 32;
pub(super) const PAGES: usize = BUCKETS / PAGE;

/// Counts of all buckets, of which only pages that have something take room; and the sum of each
/// page, so that a quantile is found in a microsecond, however many buckets there are.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    /// Where each page lies, plus one; zero for a page that has nothing.
    places: [u16; PAGES],
    /// The pages that have something are among these.
    pub(super) range: Range<usize>,
    pub(super) sums: Vec<u64>,
    /// What does not fit is carried: a page is half as large so, and no run of a day needs more.
    counts: Vec<[u32; PAGE]>,
    carried: BTreeMap<u16, u64>,
}

impl Default for Pages {
    fn default() -> Pages {
        Pages {
            places: [0; PAGES],
            range: 0..0,
            sums: Vec::new(),
            counts: Vec::new(),
            carried: BTreeMap::new(),
        }
    }
}

impl Pages {
    #[inline]
    pub(super) fn add(&mut self, index: u16, n: u64) {
        let (page, at) = (usize::from(index) / PAGE, usize::from(index) % PAGE);
        let place = self.place(page);
        self.sums[place] = self.sums[place].saturating_add(n);
        let count = &mut self.counts[place][at];
        match u32::try_from(n).ok().and_then(|n| count.checked_add(n)) {
            Some(sum) => *count = sum,
            None => self.carry(index, n),
        }
    }

    #[cold]
    fn carry(&mut self, index: u16, n: u64) {
        let carried = self.carried.entry(index).or_default();
        *carried = carried.saturating_add(n);
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
        // There are many of these and few pages in each: half as much again would be wasted.
        if self.counts.len() == self.counts.capacity() {
            self.counts.reserve_exact(2 + self.counts.len() / 4);
        }
        self.sums.push(0);
        self.counts.push([0; PAGE]);
        self.places[page] = u16::try_from(self.counts.len()).expect("there are 736 pages");
        self.counts.len() - 1
    }

    /// Which pages have something, ascending, and where they lie.
    pub(super) fn used(&self) -> impl Iterator<Item = (usize, usize)> {
        let places = self.places[self.range.clone()].iter();
        let pages = self.range.clone().zip(places);
        let used = pages.filter(|(_, place)| **place != 0);
        used.map(|(page, place)| (page, usize::from(*place) - 1))
    }

    pub(super) fn merge(&mut self, other: &Pages) {
        for (page, theirs) in other.used() {
            let ours = self.place(page);
            self.sums[ours] = self.sums[ours].saturating_add(other.sums[theirs]);
            let (counts, more) = (&mut self.counts[ours], &other.counts[theirs]);
            if self.sums[ours] <= u64::from(u32::MAX) {
                // Then no bucket of it overflows. Wrapping, this is eight instructions.
                for (count, more) in counts.iter_mut().zip(more) {
                    *count = count.wrapping_add(*more);
                }
                continue;
            }
            for (at, more) in more.iter().enumerate() {
                match self.counts[ours][at].checked_add(*more) {
                    Some(sum) => self.counts[ours][at] = sum,
                    None => self.carry(bucket(page, at), u64::from(*more)),
                }
            }
        }
        for (index, n) in &other.carried {
            self.carry(*index, *n);
        }
    }

    pub(super) fn each(&self, mut found: impl FnMut(u16, u64)) {
        for (page, place) in self.used() {
            for (at, n) in self.counts_of(page, place).into_iter().enumerate() {
                if n > 0 {
                    found(bucket(page, at), n);
                }
            }
        }
    }

    pub(super) fn at_ranks<const N: usize>(&self, ranks: [u64; N]) -> [u16; N] {
        let used = self.used().map(|(page, place)| (page, self.sums[place]));
        let counts = |page| self.page(page).unwrap_or([0; PAGE]);
        in_pages(used, counts, ranks)
    }

    pub(super) fn page(&self, page: usize) -> Option<[u64; PAGE]> {
        let place = usize::from(self.places[page]).checked_sub(1)?;
        Some(self.counts_of(page, place))
    }

    fn counts_of(&self, page: usize, place: usize) -> [u64; PAGE] {
        let mut counts = self.counts[place].map(u64::from);
        if !self.carried.is_empty() {
            let within = bucket(page, 0)..=bucket(page, PAGE - 1);
            for (index, n) in self.carried.range(within) {
                let count = &mut counts[usize::from(*index) % PAGE];
                *count = count.saturating_add(*n);
            }
        }
        counts
    }
}

/// The bucket at that place of a page.
fn bucket(page: usize, at: usize) -> u16 {
    u16::try_from(page * PAGE + at).expect("there are 23,552 buckets")
}

/// Takes more pages in.
pub(super) fn widen(range: &mut Range<usize>, more: Range<usize>) {
    *range = if range.start == range.end {
        more
    } else {
        range.start.min(more.start)..range.end.max(more.end)
    };
}

/// In ascending pages: the number of each and its sum; and what is in one.
pub(super) fn in_pages<const N: usize>(
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
        bucket(page, found)
    })
}
