//! A distribution of times: exact count, minimum, maximum and sum, and quantiles to three digits.
//!
//! Small ones are a map, large ones an HDR histogram with fixed bounds; merging gives the same
//! result in any order. What a time means (service, response, lag) is not known here.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use hdrhistogram::Histogram;

/// Longer times enter the quantiles as one hour (and are counted in [`Dist::clipped`]); the exact
/// maximum and sum keep them.
pub(super) const LONGEST_US: u64 = 3_600_000_000;

/// Significant decimal digits: a quantile is at most 0.1 % above the value it stands for.
const DIGITS: u8 = 3;
/// 2 × 10³ rounded up to a power of two, HDR's number of exact steps for three digits.
const STEPS: u32 = 2_048;
/// With more distinct values than this, the histogram (188 KB) beats the map (17 bytes each).
const MAX_SPARSE: usize = 2_048;

/// Times in µs.
#[derive(Clone, Debug, Default)]
pub(super) struct Dist {
    pub(super) count: u64,
    /// Meaningless while `count` is zero, like `max_us`.
    pub(super) min_us: u64,
    pub(super) max_us: u64,
    pub(super) sum_us: u64,
    /// How many values were above [`LONGEST_US`].
    pub(super) clipped: u64,
    buckets: Buckets,
}

/// Counts by bucket; a bucket is known by the lowest value that falls into it.
#[derive(Clone, Debug)]
enum Buckets {
    Sparse(HashMap<u32, u64, BuildHasherDefault<Mix>>),
    Dense(Box<Histogram<u64>>),
}

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets::Sparse(HashMap::default())
    }
}

impl Dist {
    /// Records one value. About 10 ns.
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
        if other.count == 0 {
            return;
        }
        self.min_us = if self.count == 0 {
            other.min_us
        } else {
            self.min_us.min(other.min_us)
        };
        self.max_us = self.max_us.max(other.max_us);
        self.count = self.count.saturating_add(other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.clipped += other.clipped;
        self.buckets.merge(&other.buckets);
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

    /// The values at the given ascending quantiles (0 to 1), in µs; zeros without values.
    ///
    /// A quantile q is the highest value of the bucket in which the ⌈q·count⌉-th smallest value
    /// lies (HDR's rule), never outside the exact minimum and maximum; 1 is the exact maximum.
    pub(super) fn quantiles_us<const N: usize>(&self, quantiles: &[f64; N]) -> [u64; N] {
        let mut values = [0; N];
        if self.count == 0 {
            return values;
        }
        match &self.buckets {
            Buckets::Dense(histogram) => {
                let found = histogram.value_at_quantiles(quantiles.iter().copied());
                for (value, us) in values.iter_mut().zip(found) {
                    *value = us;
                }
            }
            Buckets::Sparse(_) => walk(&self.sorted(), self.count, quantiles, &mut values),
        }
        for (value, quantile) in values.iter_mut().zip(quantiles) {
            *value = if *quantile >= 1.0 {
                self.max_us
            } else {
                (*value).clamp(self.min_us, self.max_us)
            };
        }
        values
    }

    /// Lowest value and count of each bucket, ascending.
    fn sorted(&self) -> Vec<(u64, u64)> {
        match &self.buckets {
            Buckets::Sparse(map) => {
                let mut all: Vec<_> = map.iter().map(|(us, n)| (u64::from(*us), *n)).collect();
                all.sort_unstable();
                all
            }
            Buckets::Dense(histogram) => histogram
                .iter_recorded()
                .map(|at| {
                    (
                        histogram.lowest_equivalent(at.value_iterated_to()),
                        at.count_at_value(),
                    )
                })
                .collect(),
        }
    }
}

/// The sparse twin of HDR's `value_at_quantiles`.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are computed as HDR computes them, and a quantile is never negative"
)]
fn walk<const N: usize>(
    sorted: &[(u64, u64)],
    count: u64,
    quantiles: &[f64; N],
    values: &mut [u64; N],
) {
    let mut at = 0;
    let mut below = 0;
    for (value, quantile) in values.iter_mut().zip(quantiles) {
        let rank = ((quantile * count as f64).ceil() as u64).max(1);
        while at + 1 < sorted.len() && below + sorted[at].1 < rank {
            below += sorted[at].1;
            at += 1;
        }
        *value = highest_of(sorted[at].0);
    }
}

impl Buckets {
    #[inline]
    fn add(&mut self, us: u64, n: u64) {
        match self {
            Buckets::Dense(histogram) => histogram.saturating_record_n(us, n),
            Buckets::Sparse(map) => {
                *map.entry(lowest_of(us)).or_insert(0) += n;
                if map.len() > MAX_SPARSE {
                    self.become_dense();
                }
            }
        }
    }

    #[cold]
    fn become_dense(&mut self) {
        if let Buckets::Sparse(map) = self {
            let mut histogram = Histogram::new_with_bounds(1, LONGEST_US, DIGITS)
                .expect("constant bounds are valid");
            for (us, n) in map.iter() {
                histogram.saturating_record_n(u64::from(*us), *n);
            }
            *self = Buckets::Dense(Box::new(histogram));
        }
    }

    fn merge(&mut self, other: &Buckets) {
        match other {
            Buckets::Sparse(map) => {
                for (us, n) in map {
                    self.add(u64::from(*us), *n);
                }
            }
            Buckets::Dense(theirs) => {
                self.become_dense();
                if let Buckets::Dense(ours) = self {
                    ours.add(&**theirs)
                        .expect("all histograms have the same bounds");
                }
            }
        }
    }
}

/// Bits below the precision, of a value: HDR's bucket index for a unit of 1 µs.
#[inline]
fn spare_bits(us: u32) -> u32 {
    (u32::BITS - us.leading_zeros()).saturating_sub(STEPS.trailing_zeros())
}

/// The lowest value that shares a bucket with this one, which is at most [`LONGEST_US`].
#[inline]
fn lowest_of(us: u64) -> u32 {
    let us = u32::try_from(us).expect("an hour in µs fits into 32 bits");
    let spare = spare_bits(us);
    us >> spare << spare
}

fn highest_of(us: u64) -> u64 {
    let us = u32::try_from(us).expect("an hour in µs fits into 32 bits");
    u64::from(us) + (1 << spare_bits(us)) - 1
}

/// Multiply and fold: the keys are our own measurements, nobody attacks this map.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        // The golden ratio in 64 bits (Knuth's multiplicative hashing); the map takes its bucket
        // from the low bits and its tag from the high ones, so both halves must be mixed.
        let product = (self.0 ^ u64::from(value)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            dist.sorted(),
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
        });
    }

    #[test]
    fn many_distinct_values_move_to_a_histogram_unchanged() {
        let values: Vec<u64> = (0..MAX_SPARSE as u64).collect();
        let mut dist = of(&values);
        assert!(matches!(dist.buckets, Buckets::Sparse(_)));
        let before = dist.sorted();
        dist.record(5_000);
        assert!(matches!(dist.buckets, Buckets::Dense(_)));
        let after = dist.sorted();

        assert_eq!(after[..before.len()], before);
        assert_eq!(after.last(), Some(&(5_000 >> 2 << 2, 1)));
        assert_eq!(dist.count, MAX_SPARSE as u64 + 1);
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
        for dense in [false, true] {
            let mut dist = Dist::default();
            dist.record_n(100, many);
            dist.record_n(1_000_000_000, many);
            if dense {
                dist.buckets.become_dense();
            }
            let twice = dist.clone();
            dist.merge(&twice);
            assert_eq!(dist.count, 4 * many);
            assert_eq!(dist.sum_us, u64::MAX, "saturates");
            assert_eq!(dist.quantiles_us(&[0.5, 0.51]), [100, 1_000_000_000]);
        }
    }
}
