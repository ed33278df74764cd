//! How sure a percentile is: the 95 % interval of its value, from order statistics.
//!
//! Assumes that requests are independent of each other; whoever shows an interval says so. Which
//! times are meant, and how they are counted, is the caller's.

/// The percentiles that have one.
const PERCENTILES: [f64; 3] = [0.50, 0.95, 0.99];

/// How many standard deviations 95 % lie within.
const DEVIATIONS: f64 = 1.96;

/// The ranks, from 1, of the lower and the upper end for the median, p95 and p99 of `count` times;
/// each pair ascends, the whole need not.
pub(super) fn ranks(count: u64) -> [u64; 6] {
    let [[a, b], [c, d], [e, f]] = PERCENTILES.map(|quantile| around(count, quantile));
    [a, b, c, d, e, f]
}

/// n·q ± 1.96·√(n·q·(1−q)), outwards to whole ranks, within 1 to n.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks of counts below 2^53; a negative one becomes 0"
)]
fn around(count: u64, quantile: f64) -> [u64; 2] {
    let middle = count as f64 * quantile;
    let width = DEVIATIONS * (middle * (1.0 - quantile)).sqrt();
    let lower = (middle - width).floor() as u64;
    let upper = (middle + width).ceil() as u64;
    [lower, upper].map(|rank| rank.clamp(1, count.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_binomial_distribution() {
        // 100 ± 1.96·√50 is 86.14 to 113.86; 190 ± 1.96·√9.5 is 183.96 to 196.04; 198 ± 1.96·√1.98
        // is 195.24 to 200.76.
        let of_200 = ranks(200);
        assert_eq!(of_200[..4], [86, 114, 183, 197]);
        assert_eq!(of_200[4..], [195, 200], "no further than the last");
        assert_eq!(ranks(2), [1, 2, 1, 2, 1, 2], "nor than the first");
        assert_eq!([0, 1].map(ranks), [[1; 6]; 2]);
    }

    /// Draws many samples of a known distribution: the true percentile lies in about 95 % of the
    /// intervals, or more, since ranks are rounded outwards.
    #[test]
    fn the_true_percentile_lies_in_nineteen_of_twenty() {
        let mut state = 7_u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % 1_000_000
        };
        let mut hits = [0_u32; 3];
        for _ in 0..2_000 {
            let mut times: Vec<u64> = (0..1_000).map(|_| draw()).collect();
            times.sort_unstable();
            let time = |rank| times[usize::try_from(rank).expect("few") - 1];
            let found = ranks(1_000).map(time);
            for (nth, truth) in [500_000, 950_000, 990_000].into_iter().enumerate() {
                hits[nth] += u32::from((found[2 * nth]..=found[2 * nth + 1]).contains(&truth));
            }
        }
        assert!(
            hits.iter().all(|hits| (1_880..=1_980).contains(hits)),
            "{hits:?}"
        );
    }
}
