//! Times of a stretch: exact count, minimum, maximum and sum, and counts by coarse buckets.
//!
//! The buckets are 128 for each power of two from 256 µs on and exact below: each is a union of those
//! of `buckets`, so counting anew by them loses nothing else. What the times are of is not known here.

use crate::stats::buckets::{LONGEST_US, in_list, joined};
use crate::stats::dist::{Dist, in_any_order, ranks};
use crate::stats::intervals;
use crate::stats::summary::{Distribution, QUANTILES};
use crate::stats::varint;

/// Bits of a time that are kept.
const BITS: u32 = 8;
/// Buckets of one power of two.
const STEPS: u32 = 1 << (BITS - 1);
/// Counts beyond this are nobody's: sums of many still fit.
const MOST: u64 = 1 << 44;
/// How many buckets there are.
const BUCKETS: usize = 3_287;

/// The bucket of a time of at most [`LONGEST_US`].
fn index_of(us: u64) -> u16 {
    let us = u32::try_from(us).expect("an hour in µs fits into 32 bits");
    let spare = (u32::BITS - us.leading_zeros()).saturating_sub(BITS);
    u16::try_from(spare * STEPS + (us >> spare)).expect("there are 3,287")
}

/// The highest time of a bucket.
fn highest_of(index: u16) -> u64 {
    let index = u32::from(index);
    let spare = (index / STEPS).saturating_sub(1);
    let lowest = u64::from(index - spare * STEPS) << spare;
    lowest + (1 << spare) - 1
}

/// Times in µs, counted by coarse buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coarse {
    pub(super) span: Extremes,
    /// Index and count of each bucket that has something, ascending.
    pub(super) buckets: Vec<(u16, u64)>,
}

/// What is known of times exactly; zeros without any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extremes {
    pub(super) count: u64,
    pub(super) min_us: u64,
    pub(super) max_us: u64,
    pub(super) sum_us: u64,
}

impl Extremes {
    fn merge(&mut self, other: Extremes) {
        self.min_us = match self.count {
            0 => other.min_us,
            _ => self.min_us.min(other.min_us),
        };
        self.max_us = self.max_us.max(other.max_us);
        self.count = self.count.saturating_add(other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }
}

impl Coarse {
    /// Forgets all and keeps the room.
    pub(super) fn clear(&mut self) {
        self.span = Extremes::default();
        self.buckets.clear();
    }

    /// Adds times that are counted by finer buckets.
    pub(super) fn add(&mut self, dist: &Dist) {
        if dist.count == 0 {
            return;
        }
        if self.span.count == 0 {
            self.fill(dist);
            return;
        }
        let mut other = Coarse::default();
        other.fill(dist);
        self.merge(&other);
    }

    /// Those encoded there, if they can be any.
    pub(super) fn read(from: &mut &[u8]) -> Option<Coarse> {
        let mut next = || varint::read(from);
        let (count, min_us, max_us, sum_us) = (next()?, next()?, next()?, next()?);
        let pairs = next()?;
        let span = Extremes {
            count,
            min_us,
            max_us,
            sum_us,
        };
        let mut buckets = Vec::new();
        let (mut index, mut total) = (0_u64, 0_u64);
        for nth in 0..pairs {
            let step = next()?;
            index = index.checked_add(step).filter(|it| *it < BUCKETS as u64)?;
            let n = next().filter(|n| *n > 0 && (nth == 0 || step > 0))?;
            total = total.checked_add(n).filter(|total| *total <= count)?;
            buckets.push((u16::try_from(index).ok()?, n));
        }
        let is_sound = total == count && count <= MOST && min_us <= max_us;
        is_sound.then_some(Coarse { span, buckets })
    }

    fn fill(&mut self, dist: &Dist) {
        self.span = Extremes {
            count: dist.count,
            min_us: dist.min_us,
            max_us: dist.max_us,
            sum_us: dist.sum_us,
        };
        let mut is_ascending = true;
        dist.each(|lowest_us, n| {
            let index = index_of(lowest_us.min(LONGEST_US));
            match self.buckets.last_mut() {
                Some((last, count)) if *last == index => *count = count.saturating_add(n),
                last => {
                    is_ascending &= last.is_none_or(|(last, _)| *last < index);
                    self.buckets.push((index, n));
                }
            }
        });
        if !is_ascending {
            self.buckets.sort_unstable_by_key(|(index, _)| *index);
            self.buckets.dedup_by(|next, kept| {
                let is_same = next.0 == kept.0;
                if is_same {
                    kept.1 = kept.1.saturating_add(next.1);
                }
                is_same
            });
        }
    }

    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: &Coarse) {
        if other.span.count > 0 {
            self.span.merge(other.span);
            self.buckets = joined(&self.buckets, &other.buckets);
        }
    }

    /// The values at the given ascending quantiles, in µs; zeros without values. Each is the highest
    /// of its bucket, never outside the exact minimum and maximum; 1 is the exact maximum.
    pub(super) fn quantiles_us<const N: usize>(&self, quantiles: &[f64; N]) -> [u64; N] {
        let mut found = self.at_ranks(ranks(self.span.count, quantiles));
        for (us, quantile) in found.iter_mut().zip(quantiles) {
            if *quantile >= 1.0 {
                *us = self.span.max_us;
            }
        }
        found
    }

    /// The 95 % intervals of the median, p95 and p99, in µs.
    pub(super) fn intervals_us(&self) -> [u64; 6] {
        in_any_order(intervals::ranks(self.span.count), |ranks| {
            self.at_ranks(ranks)
        })
    }

    /// The times of those ascending ranks, from 1; zeros without values.
    fn at_ranks<const N: usize>(&self, ranks: [u64; N]) -> [u64; N] {
        let highest = in_list(&self.buckets, ranks).map(highest_of);
        highest.map(|us| us.clamp(self.span.min_us, self.span.max_us))
    }

    /// These as they are shown, but for the quantiles, which are those of `whole`: of these and what
    /// had not ended.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a mean needs no more than 53 bits"
    )]
    pub(super) fn shown(&self, whole: &Coarse) -> Distribution {
        let span = self.span;
        Distribution {
            count: span.count,
            min_us: span.min_us,
            max_us: span.max_us,
            mean_us: match span.count {
                0 => 0.0,
                count => span.sum_us as f64 / count as f64,
            },
            quantiles_us: whole.quantiles_us(&QUANTILES),
        }
    }
}

/// A sum of the times of many stretches, with room for all buckets: 26 KB.
#[derive(Debug)]
pub(super) struct Pile {
    span: Extremes,
    counts: Vec<u64>,
}

impl Default for Pile {
    fn default() -> Pile {
        Pile {
            span: Extremes::default(),
            counts: vec![0; BUCKETS],
        }
    }
}

impl Pile {
    /// Adds times.
    pub(super) fn add(&mut self, times: &Coarse) {
        if times.span.count > 0 {
            self.span.merge(times.span);
            for (index, n) in &times.buckets {
                let count = &mut self.counts[usize::from(*index)];
                *count = count.saturating_add(*n);
            }
        }
    }

    /// Takes the sum and leaves nothing.
    pub(super) fn take(&mut self) -> Coarse {
        let span = std::mem::take(&mut self.span);
        let mut buckets = Vec::new();
        if span.count > 0 {
            let ends = [span.min_us, span.max_us].map(|us| index_of(us.min(LONGEST_US)));
            for index in ends[0]..=ends[1] {
                let count = std::mem::take(&mut self.counts[usize::from(index)]);
                if count > 0 {
                    buckets.push((index, count));
                }
            }
        }
        Coarse { span, buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::buckets;

    #[test]
    fn buckets_follow_one_another_and_each_is_a_union_of_finer_ones() {
        let mut next = 0;
        for index in 0..=index_of(LONGEST_US) {
            let highest = highest_of(index);
            assert_eq!(index_of(next), index, "the lowest of {index}");
            assert_eq!(index_of(highest.min(LONGEST_US)), index);
            // At most 0.8 % above the lowest, so above any that is in it.
            assert!((highest - next) * 1_000 <= next * 8, "{next} to {highest}");
            next = highest + 1;
        }
        assert_eq!(usize::from(index_of(LONGEST_US)) + 1, BUCKETS);
        for index in 0..u16::try_from(23_551).expect("fits") {
            let ends = [buckets::lowest_of(index), buckets::highest_of(index)];
            if ends[1] <= LONGEST_US {
                assert_eq!(index_of(ends[0]), index_of(ends[1]), "{ends:?}");
            }
        }
    }

    #[test]
    fn what_comes_in_no_order_is_counted_in_order() {
        let mut dist = Dist::default();
        for us in [9_000, 5, 9_001, 700, 5, 8_999] {
            dist.record(us);
        }
        let mut times = Coarse::default();
        times.add(&dist);
        let indices = [5, 700, 9_000].map(index_of);
        let expected: Vec<_> = indices.into_iter().zip([2, 1, 3]).collect();
        assert_eq!(times.buckets, expected);
        dist.close();
        let mut sorted = Coarse::default();
        sorted.add(&dist);
        assert_eq!(times, sorted);
    }
}
