//! Requests that had not ended when they were cut, at the end of a run: what is known of them, and
//! what that does to the quantiles of the others.
//!
//! Each took at least as long as it was old. So a quantile has two bounds: in the lower one they
//! took just that long, in the upper one they never ended. (An estimate such as Kaplan and Meier's
//! needs censoring that is independent of length, and here the long ones are cut.)

use super::dist::Dist;
use super::summary::QUANTILES;

/// Bounds that are nearer to each other than this are one number.
const NEAR: f64 = 0.01;

/// The requests of a series that were cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// How many; in no other count.
    pub count: u64,
    /// The youngest, µs since its intended start.
    pub min_us: u64,
    /// The oldest.
    pub max_us: u64,
}

impl Unfinished {
    pub(super) fn of(ages: &Dist) -> Unfinished {
        Unfinished {
            count: ages.count,
            min_us: ages.min_us,
            max_us: ages.max_us,
        }
    }
}

/// The highest of [`QUANTILES`] up to which all have one value for both bounds; 0 if none has.
/// `ended` are the times of those that ended, `lower` these with the ages of the others.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks of counts below 2^53"
)]
pub(super) fn certain_to(ended: &Dist, lower: &Dist) -> f64 {
    let mut certain = 0.0;
    for (quantile, lower_us) in QUANTILES.iter().zip(lower.quantiles_us(&QUANTILES)) {
        let rank = (quantile * lower.count as f64).ceil() as u64;
        if rank > ended.count {
            break;
        }
        let [upper_us] = ended.quantiles_us(&[rank as f64 / ended.count as f64]);
        if upper_us as f64 > lower_us as f64 * (1.0 + NEAR) {
            break;
        }
        certain = *quantile;
    }
    certain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dist(times: impl Iterator<Item = u64>) -> Dist {
        let mut dist = Dist::default();
        times.for_each(|us| dist.record(us));
        dist
    }

    #[test]
    fn what_is_unfinished_makes_high_quantiles_uncertain() {
        // 980 of 1,000 ended within a millisecond, 20 are two seconds old.
        let ended = dist((1..=980).map(|us| us + 20));
        let mut lower = ended.clone();
        lower.merge(&dist((0..20).map(|_| 2_000_000)));
        assert!((certain_to(&ended, &lower) - 0.98).abs() < 1e-9);
        // Young ones may have been anything: the lower bounds are low.
        let mut lower = ended.clone();
        lower.merge(&dist((0..20).map(|_| 1)));
        assert!(certain_to(&ended, &lower) < 0.5);
        assert!((certain_to(&ended, &ended) - 1.0).abs() < 1e-9);
        assert!(certain_to(&Dist::default(), &dist([7].into_iter())) < 1e-9);
    }
}
