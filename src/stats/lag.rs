//! How late the generator was in the whole run.
//!
//! One distribution in a process, which nothing is added up from: `hdrhistogram`'s own, whose buckets
//! those of all other times are. What a second's lag was is `seconds`'.

use hdrhistogram::Histogram;

use super::buckets::LONGEST_US;
use super::dist::Dist;
use super::summary::{Distribution, QUANTILES};

/// Significant decimal digits, as everywhere.
const DIGITS: u8 = 3;

/// All lags so far.
#[derive(Debug)]
pub(super) struct RunLag {
    histogram: Histogram<u64>,
    /// Exact, where the histogram rounds.
    min_us: u64,
    max_us: u64,
    sum_us: u64,
    /// How many were longer than an hour, and enter the quantiles as one.
    pub(super) clipped: u64,
}

impl Default for RunLag {
    fn default() -> RunLag {
        RunLag {
            histogram: Histogram::new_with_bounds(1, LONGEST_US, DIGITS)
                .expect("constant bounds are valid"),
            min_us: u64::MAX,
            max_us: 0,
            sum_us: 0,
            clipped: 0,
        }
    }
}

impl RunLag {
    /// Adds the lags of a second.
    pub(super) fn merge(&mut self, lags: &Dist) {
        if lags.count == 0 {
            return;
        }
        lags.each(|us, n| self.histogram.saturating_record_n(us, n));
        self.min_us = self.min_us.min(lags.min_us);
        self.max_us = self.max_us.max(lags.max_us);
        self.sum_us = self.sum_us.saturating_add(lags.sum_us);
        self.clipped += lags.clipped;
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "a mean needs no more than 53 bits"
    )]
    pub(super) fn distribution(&self) -> Distribution {
        let count = self.histogram.len();
        if count == 0 {
            return Distribution::default();
        }
        let of = |quantile| match quantile {
            1.0.. => self.max_us,
            _ => self
                .histogram
                .value_at_quantile(quantile)
                .clamp(self.min_us, self.max_us),
        };
        Distribution {
            count,
            min_us: self.min_us,
            max_us: self.max_us,
            mean_us: self.sum_us as f64 / count as f64,
            quantiles_us: QUANTILES.map(of),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::sum::Sum;

    #[test]
    fn it_says_what_every_other_distribution_says_of_the_same_times() {
        let times =
            prop::collection::vec((0_u32..34).prop_flat_map(|bits| 0..(1_u64 << bits)), 0..300);
        proptest!(ProptestConfig::with_cases(48), |(one in times.clone(), other in times)| {
            let (mut lag, mut whole) = (RunLag::default(), Dist::default());
            for part in [&one, &other] {
                let mut second = Dist::default();
                part.iter().for_each(|us| second.record(*us));
                lag.merge(&second);
                whole.merge(&second);
            }
            let of_whole = Distribution::of_all([&whole].into_iter(), &mut Sum::default());
            prop_assert_eq!(lag.distribution(), of_whole);
            prop_assert_eq!(lag.clipped, whole.clipped);
        });
    }
}
