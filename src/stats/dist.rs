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
