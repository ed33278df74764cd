//! Reading the sum of several distributions without building it.
//!
//! Owns the bound on how much is read at a time; the caller decides what to read and when.

use super::buckets::Buckets;
use super::pages::{PAGE, PAGES, Pages, in_pages, widen};

/// What it costs to come to a distribution, in entries read there: with many rows it is in no cache.
const EACH: usize = 10;

/// Scratch space, 194 KB and reused, to add up several parts as far as reading the sum needs it.
#[derive(Debug)]
pub(super) struct Sum {
    sums: Vec<u64>,
    /// Of logs and lists; pages are only added up where a rank lies.
    counts: Vec<[u64; PAGE]>,
    /// How much may still be read; see [`Sum::allow`].
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
    /// Allows reading this many pages and entries of lists, 10 ns each, with [`EACH`] for every
    /// distribution. Reading on when that [is spent](Sum::is_spent) works all the same.
    pub(super) fn allow(&mut self, most: usize) {
        self.left = most;
    }

    /// Whether callers that can wait should.
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Counts these as read.
    pub(super) fn spend(&mut self, buckets: &Buckets) {
        let within = match buckets {
            Buckets::Pages(pages) => pages.range.len(),
            Buckets::List(list) => list.len(),
            Buckets::Log(log) => log.len(),
        };
        self.left = self.left.saturating_sub(EACH + within);
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
                // Pages of several parts are in no cache: measured at three times the cost.
                self.spend(part);
                self.spend(part);
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
                for (count, more) in counts.iter_mut().zip(pages.page(page).unwrap_or([0; PAGE])) {
                    *count = count.saturating_add(more);
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
