//! A distribution of times: exact count, minimum, maximum and sum, and quantiles to three digits.
//!
//! Merging gives the same result in any order, for all are counted by the same buckets. What a time
//! means (service, response, lag) is not known here.

use super::buckets::{Buckets, LONGEST_US, highest_of, lowest_of};
use super::intervals;
use super::sum::Sum;

/// Times in µs.
#[derive(Clone, Debug, Default)]
pub(super) struct Dist {
    pub(super) count: u64,
    /// Meaningless while `count` is zero, like `max_us`.
    pub(super) min_us: u64,
    pub(super) max_us: u64,
    pub(super) sum_us: u64,
    /// How many values were above [`LONGEST_US`]: they enter the quantiles as one hour; the exact
    /// maximum and sum keep them.
    pub(super) clipped: u64,
    pub(super) buckets: Buckets,
}

impl Dist {
    /// Records one value. About 3 ns.
    #[inline]
    pub(super) fn record(&mut self, us: u64) {
        self.record_n(us, 1);
    }

    /// Records a value `n` times.
    #[inline]
    pub(super) fn record_n(&mut self, us: u64, n: u64) {
        if n == 0 {
            return;
        }
        self.min_us = if self.count == 0 {
            us
        } else {
            self.min_us.min(us)
        };
        self.max_us = self.max_us.max(us);
        self.count = self.count.saturating_add(n);
        self.sum_us = self.sum_us.saturating_add(us.saturating_mul(n));
        if us > LONGEST_US {
            self.clipped += n;
        }
        self.buckets.add(us.min(LONGEST_US), n);
    }

    /// Adds all of `other`; associative and commutative.
    pub(super) fn merge(&mut self, other: &Dist) {
        if other.count > 0 {
            self.exact(other);
            self.buckets.merge(&other.buckets, other.count);
        }
    }

    /// Adds all of `other`, which has something, but its buckets.
    fn exact(&mut self, other: &Dist) {
        self.min_us = if self.count == 0 {
            other.min_us
        } else {
            self.min_us.min(other.min_us)
        };
        self.max_us = self.max_us.max(other.max_us);
        self.count = self.count.saturating_add(other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.clipped += other.clipped;
    }

    /// Mean, in µs; zero without values.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a mean needs no more than 53 bits"
    )]
    pub(super) fn mean_us(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum_us as f64 / self.count as f64
        }
    }

    /// The values at the given ascending quantiles (0 to 1), in µs; zeros without values. About a
    /// microsecond.
    ///
    /// A quantile q is the highest value of the bucket in which the ⌈q·count⌉-th smallest value
    /// lies (HDR's rule), never outside the exact minimum and maximum; 1 is the exact maximum.
    pub(super) fn quantiles_us<const N: usize>(&self, quantiles: &[f64; N]) -> [u64; N] {
        let buckets = self.buckets.at_ranks(ranks(self.count, quantiles));
        let values = self.times_of(buckets);
        self.with_maximum(values, quantiles)
    }

    /// The ends of the 95 % intervals of the median, p95 and p99, in µs; zeros without values.
    pub(super) fn intervals_us(&self) -> [u64; 6] {
        in_any_order(intervals::ranks(self.count), |ranks| {
            self.times_of(self.buckets.at_ranks(ranks))
        })
    }

    fn times_of<const N: usize>(&self, buckets: [u16; N]) -> [u64; N] {
        if self.count == 0 {
            return [0; N];
        }
        buckets.map(|index| highest_of(index).clamp(self.min_us, self.max_us))
    }

    fn with_maximum<const N: usize>(&self, mut values: [u64; N], quantiles: &[f64; N]) -> [u64; N] {
        for (value, quantile) in values.iter_mut().zip(quantiles) {
            if self.count > 0 && *quantile >= 1.0 {
                *value = self.max_us;
            }
        }
        values
    }

    /// The sum of those parts without its buckets, and its quantiles.
    pub(super) fn of_all<'a, const N: usize>(
        parts: impl Iterator<Item = &'a Dist>,
        sum: &mut Sum,
        quantiles: &[f64; N],
    ) -> (Dist, [u64; N]) {
        let (whole, values) = Dist::at_ranks_of_all(parts, sum, |count| ranks(count, quantiles));
        let values = whole.with_maximum(values, quantiles);
        (whole, values)
    }

    /// The sum of those parts without its buckets, and the values at those of its ranks, in
    /// whatever order; zeros without values.
    pub(super) fn at_ranks_of_all<'a, const N: usize>(
        parts: impl Iterator<Item = &'a Dist>,
        sum: &mut Sum,
        ranks_of: impl FnOnce(u64) -> [u64; N],
    ) -> (Dist, [u64; N]) {
        // Room for a window's, so that it need not grow.
        let mut some = Vec::with_capacity(16);
        some.extend(parts.filter(|part| part.count > 0));
        let parts: Vec<&Dist> = some;
        let mut whole = Dist::default();
        parts.iter().for_each(|part| whole.exact(part));
        let ranks = ranks_of(whole.count);
        let values = in_any_order(ranks, |ranks| {
            whole.times_of(match parts[..] {
                [] => [0; N],
                [one] => {
                    sum.spend(&one.buckets);
                    one.buckets.at_ranks(ranks)
                }
                _ => sum.at_ranks(parts.iter().map(|part| &part.buckets), ranks),
            })
        });
        (whole, values)
    }

    /// Each bucket that has something, by its lowest time, and how many times are in it.
    pub(super) fn each(&self, mut found: impl FnMut(u64, u64)) {
        self.buckets.each(|index, n| found(lowest_of(index), n));
    }

    /// Makes it small: this part of a run is over, or is handed on. It may still be added to.
    pub(super) fn close(&mut self) {
        self.buckets.close();
    }

    /// Index and count of each bucket that has something, ascending.
    #[cfg(test)]
    pub(super) fn buckets(&self) -> Vec<(u16, u64)> {
        self.buckets.sorted()
    }
}

/// What `at` gives for ranks that ascend, for some that need not.
pub(super) fn in_any_order<const N: usize>(
    ranks: [u64; N],
    at: impl FnOnce([u64; N]) -> [u64; N],
) -> [u64; N] {
    let mut order: [usize; N] = std::array::from_fn(|nth| nth);
    order.sort_unstable_by_key(|nth| ranks[*nth]);
    let mut found = [0; N];
    for (nth, value) in order.into_iter().zip(at(order.map(|nth| ranks[nth]))) {
        found[nth] = value;
    }
    found
}

/// The ranks of those quantiles among so many values, from 1.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are computed as HDR computes them, and a quantile is never negative"
)]
pub(super) fn ranks<const N: usize>(count: u64, quantiles: &[f64; N]) -> [u64; N] {
    quantiles.map(|quantile| ((quantile * count as f64).ceil() as u64).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::buckets::MAX_LOG;

    const ALL: [f64; 11] = [
        0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0,
    ];

    fn of(values: &[u64]) -> Dist {
        let mut dist = Dist::default();
        for value in values {
            dist.record(*value);
        }
        dist
    }

    fn everything(dist: &Dist) -> impl PartialEq + std::fmt::Debug + use<> {
        let Dist {
            count,
            min_us,
            max_us,
            sum_us,
            clipped,
            ..
        } = *dist;
        (
            count,
            min_us,
            max_us,
            sum_us,
            clipped,
            dist.buckets(),
            dist.quantiles_us(&ALL),
        )
    }

    /// Few and many distinct values, small and large, some above an hour.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        prop_oneof![
            prop::collection::vec(0_u64..3_000, 0..200),
            prop::collection::vec((0_u32..34).prop_flat_map(|bits| 0..(1_u64 << bits)), 0..300),
            prop::collection::vec(0_u64..40_000_000, 2_500..4_000),
        ]
    }

    #[test]
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the definition of a rank"
    )]
    fn quantiles_are_within_a_thousandth_of_a_sorted_list() {
        proptest!(ProptestConfig::with_cases(64), |(values in values())| {
            let values: Vec<u64> = values.into_iter().filter(|us| *us <= LONGEST_US).collect();
            let found = of(&values).quantiles_us(&ALL);
            let mut sorted = values;
            sorted.sort_unstable();
            for (q, found) in ALL.iter().zip(found) {
                let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
                let exact = sorted.get(rank - 1).copied().unwrap_or(0);
                prop_assert!(found >= exact, "{q}: {found} < {exact}");
                prop_assert!(found as f64 <= exact as f64 * 1.001, "{q}: {found} >> {exact}");
            }
        });
    }

    #[test]
    fn merging_is_associative_commutative_and_the_same_as_recording() {
        proptest!(ProptestConfig::with_cases(48), |(a in values(), b in values(), c in values())| {
            let (x, y, z) = (of(&a), of(&b), of(&c));
            let mut left = x.clone();
            left.merge(&y);
            left.merge(&z);
            let mut right = y.clone();
            right.merge(&z);
            right.merge(&x);
            let whole = of(&[a, b, c].concat());
            prop_assert_eq!(everything(&left), everything(&right));
            prop_assert_eq!(everything(&left), everything(&whole));
            let read = Dist::of_all([&x, &y, &z].into_iter(), &mut Sum::default(), &ALL);
            prop_assert_eq!((read.0.count, read.0.sum_us, read.1), (whole.count, whole.sum_us, whole.quantiles_us(&ALL)));
        });
    }

    #[test]
    fn many_values_move_to_pages_and_a_part_that_is_over_to_a_list_unchanged() {
        let values: Vec<u64> = (0..MAX_LOG as u64).collect();
        let mut dist = of(&values);
        assert!(matches!(dist.buckets, Buckets::Log(_)));
        let before = dist.buckets();
        dist.record(5_000);
        assert!(matches!(dist.buckets, Buckets::Pages(_)));
        let after = dist.buckets();

        assert_eq!(after[..before.len()], before);
        let last = after.last().map(|(index, n)| (lowest_of(*index), *n));
        assert_eq!(last, Some((5_000 >> 2 << 2, 1)));
        assert_eq!(dist.count, MAX_LOG as u64 + 1);

        dist.close();
        assert!(matches!(dist.buckets, Buckets::List(_)));
        assert_eq!(dist.buckets(), after);
    }

    #[test]
    fn what_is_over_may_still_be_added_to() {
        proptest!(ProptestConfig::with_cases(48), |(a in values(), b in values(), c in values())| {
            let mut late = of(&a);
            late.close();
            late.merge(&of(&b));
            let mut list = of(&c);
            list.close();
            late.merge(&list);
            c.iter().for_each(|us| late.record(*us));
            let whole = of(&[a, b, c.clone(), c].concat());
            prop_assert!(matches!(late.buckets, Buckets::List(_)));
            prop_assert_eq!(everything(&late), everything(&whole));
        });
    }

    #[test]
    fn quantiles_are_those_of_hdr() {
        proptest!(ProptestConfig::with_cases(48), |(values in values())| {
            let mut hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, LONGEST_US, 3).unwrap();
            let values: Vec<u64> = values.into_iter().filter(|us| *us <= LONGEST_US).collect();
            values.iter().for_each(|us| hdr.record(*us).unwrap());
            let dist = of(&values);
            for (q, found) in ALL.iter().zip(dist.quantiles_us(&ALL)).take(ALL.len() - 1) {
                let theirs = hdr.value_at_quantile(*q);
                let most = dist.max_us;
                prop_assert_eq!(found, theirs.clamp(dist.min_us, most), "{}", q);
            }
        });
    }

    #[test]
    fn what_is_above_an_hour_is_counted_and_stays_exact_in_the_maximum() {
        let dist = of(&[1, 2, LONGEST_US, LONGEST_US + 1, 8_000_000_000]);
        assert_eq!(dist.clipped, 2);
        assert_eq!(dist.max_us, 8_000_000_000);
        assert_eq!(dist.sum_us, 3 + 2 * LONGEST_US + 1 + 8_000_000_000);
        assert_eq!(dist.quantiles_us(&[0.2, 1.0]), [1, 8_000_000_000]);
    }

    #[test]
    fn nothing_is_all_zeros_and_huge_counts_do_not_overflow() {
        assert_eq!(Dist::default().quantiles_us(&ALL), [0; 11]);
        assert!(Dist::default().mean_us().abs() < f64::EPSILON);

        let many = 1_000_000_000_000_000;
        for over in [false, true] {
            let mut dist = Dist::default();
            dist.record_n(100, many);
            dist.record_n(1_000_000_000, many);
            if over {
                dist.close();
            }
            let twice = dist.clone();
            dist.merge(&twice);
            assert_eq!(dist.count, 4 * many);
            assert_eq!(dist.sum_us, u64::MAX, "saturates");
            assert_eq!(dist.quantiles_us(&[0.5, 0.51]), [100, 1_000_000_000]);
        }
    }
}
