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
    /// The response time's [`QUANTILES`] if they had never ended, in µs: the upper bounds. `None`
    /// where that could be anything; without unfinished requests the quantiles themselves.
    pub at_most_us: [Option<u64>; QUANTILES.len()],
}

impl Unfinished {
    /// Of a series with those response times of requests that `ended`, and `ages` of the others;
    /// `lower_us` are the quantiles of both. A quantile is the upper end of its bucket, but no more
    /// than the longest time: of those that ended that is less, and no bound may cross the other.
    pub(super) fn of(ended: &Dist, ages: &Dist, lower_us: &[u64; QUANTILES.len()]) -> Unfinished {
        let mut at_most_us = at_most(ended.count, ended.count + ages.count, |quantile| {
            ended.quantiles_us(&[quantile])[0]
        });
        for (upper_us, lower_us) in at_most_us.iter_mut().zip(lower_us) {
            *upper_us = upper_us.map(|upper_us| upper_us.max(*lower_us));
        }
        Unfinished {
            count: ages.count,
            min_us: ages.min_us,
            max_us: ages.max_us,
            at_most_us,
        }
    }

    /// Of a series whose requests have all ended, with these quantiles.
    pub(super) fn none(quantiles_us: [u64; QUANTILES.len()]) -> Unfinished {
        Unfinished {
            at_most_us: quantiles_us.map(Some),
            ..Unfinished::default()
        }
    }
}

/// The quantiles of so many requests, of which some `ended` and the others took for ever; `time` gives
/// the quantiles of those that ended.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks of counts below 2^53"
)]
pub(super) fn at_most(
    ended: u64,
    count: u64,
    time: impl Fn(f64) -> u64,
) -> [Option<u64>; QUANTILES.len()] {
    QUANTILES.map(|quantile| {
        let rank = ((quantile * count as f64).ceil() as u64).max(1);
        (rank <= ended).then(|| time(rank as f64 / ended as f64))
    })
}

/// The highest of [`QUANTILES`] up to which all have one value for both bounds; 0 if none has.
pub(super) fn certain_to(
    lower_us: &[u64; QUANTILES.len()],
    upper_us: &[Option<u64>; QUANTILES.len()],
) -> f64 {
    let bounds = lower_us.iter().zip(upper_us);
    let are_near = bounds.map(|(lower_us, upper_us)| is_near(*lower_us, *upper_us));
    let certain = QUANTILES.into_iter().zip(are_near);
    let certain = certain.take_while(|(_, are_near)| *are_near);
    certain.last().map_or(0.0, |(quantile, _)| quantile)
}

#[allow(clippy::cast_precision_loss, reason = "times are far below 2^53 µs")]
fn is_near(lower_us: u64, upper_us: Option<u64>) -> bool {
    upper_us.is_some_and(|upper_us| upper_us as f64 <= lower_us as f64 * (1.0 + NEAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dist(times: impl Iterator<Item = u64>) -> Dist {
        let mut dist = Dist::default();
        times.for_each(|us| dist.record(us));
        dist
    }

    /// What is certain, and the upper bounds.
    fn bounds(ended: &Dist, ages: &Dist) -> (f64, [Option<u64>; QUANTILES.len()]) {
        let mut lower = ended.clone();
        lower.merge(ages);
        let lower_us = lower.quantiles_us(&QUANTILES);
        let upper_us = Unfinished::of(ended, ages, &lower_us).at_most_us;
        (certain_to(&lower_us, &upper_us), upper_us)
    }

    #[test]
    fn what_is_unfinished_makes_high_quantiles_uncertain() {
        // 980 of 1,000 ended within a millisecond, 20 are two seconds old.
        let ended = dist((1..=980).map(|us| us + 20));
        let (certain, upper_us) = bounds(&ended, &dist((0..20).map(|_| 2_000_000)));
        assert!((certain - 0.98).abs() < 1e-9);
        assert_eq!(upper_us[..2], [Some(520), Some(680)]);
        // The 980th is the last that ended: beyond it nothing is known.
        assert_eq!(upper_us[6..], [Some(1_000), None, None, None, None]);
        // Young ones may have been anything: the lower bounds are low, the upper ones as before.
        let (certain, of_young) = bounds(&ended, &dist((0..20).map(|_| 1)));
        assert!(certain < 0.5);
        assert_eq!(of_young, upper_us);
    }

    #[test]
    fn the_longest_that_ended_is_no_less_at_most_than_at_least() {
        // Its bucket ends at 40,479 µs.
        let (ended, ages) = (
            dist([661, 37_087, 40_463].into_iter()),
            dist([1_568_313].into_iter()),
        );
        let mut lower = ended.clone();
        lower.merge(&ages);
        let lower_us = lower.quantiles_us(&QUANTILES);
        let upper_us = Unfinished::of(&ended, &ages, &lower_us).at_most_us;
        let known = lower_us.iter().zip(upper_us.iter().flatten());
        let known: Vec<_> = known.collect();
        assert_eq!(known.len(), 3);
        assert!(
            known.iter().all(|(lower, upper)| lower <= upper),
            "{known:?}"
        );
    }

    #[test]
    fn without_unfinished_requests_both_bounds_are_the_quantiles() {
        let ended = dist((1..=980).map(|us| us + 20));
        let (certain, upper_us) = bounds(&ended, &Dist::default());
        assert!((certain - 1.0).abs() < 1e-9);
        let quantiles_us = ended.quantiles_us(&QUANTILES);
        assert_eq!(upper_us, Unfinished::none(quantiles_us).at_most_us);
    }

    #[test]
    fn of_requests_that_were_all_cut_nothing_is_known() {
        let (certain, upper_us) = bounds(&Dist::default(), &dist([7].into_iter()));
        assert!(certain < 1e-9);
        assert_eq!(upper_us, [None; QUANTILES.len()]);
    }
}
