//! A script's own metrics: counters, which add up, and metrics proper, which have a distribution.
//!
//! Owns their bounds and how parts of them are merged. They belong to no request and enter no
//! total; only the script knows what they mean.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::series::OTHER_NAMES;

/// Counters that are kept apart.
pub(super) const COUNTERS: usize = 1_000;

/// Metrics that are kept apart; one whose values are spread evenly over all 24 decades of both
/// signs would take 4 MB, a usual one some KB.
pub(super) const METRICS: usize = 100;

/// Smaller magnitudes count as zero.
const SMALLEST: f64 = 1e-9;

/// Larger magnitudes enter the quantiles as this, and are counted as clipped; minimum, maximum and
/// mean have them exactly.
const LARGEST: f64 = 1e15;

/// Bits of a number's mantissa that are kept: a bucket is 1/1,024 of its lower end wide at most.
const BITS: u32 = 10;

/// The bits of a `f64` below those.
const SPARE: u32 = 52 - BITS;

/// Counters and metrics by name.
#[derive(Clone, Debug, Default)]
pub(super) struct CustomMetrics {
    pub(super) counters: BTreeMap<Arc<str>, u64>,
    pub(super) metrics: BTreeMap<Arc<str>, FloatHistogram>,
}

impl CustomMetrics {
    pub(super) fn count(&mut self, name: &str, count: u64) {
        let total = named(&mut self.counters, name, COUNTERS);
        *total = total.saturating_add(count);
    }

    pub(super) fn measure(&mut self, name: &str, value: f64) {
        named(&mut self.metrics, name, METRICS).record(value);
    }

    pub(super) fn merge(&mut self, other: &CustomMetrics) {
        for (name, count) in &other.counters {
            self.count(name, *count);
        }
        for (name, spread) in &other.metrics {
            named(&mut self.metrics, name, METRICS).merge(spread);
        }
    }

    /// Whether some names share a row named [`OTHER_NAMES`].
    pub(super) fn overflowed(&self) -> bool {
        self.counters.contains_key(OTHER_NAMES) || self.metrics.contains_key(OTHER_NAMES)
    }

    /// Whether a counter cannot count further.
    pub(super) fn is_full(&self) -> bool {
        self.counters.values().any(|total| *total == u64::MAX)
    }

    /// Values too large for the quantiles.
    pub(super) fn clipped(&self) -> u64 {
        self.metrics.values().map(|spread| spread.clipped).sum()
    }
}

/// The entry of that name; beyond the limit, the one that all further names share.
fn named<'a, T: Default>(
    all: &'a mut BTreeMap<Arc<str>, T>,
    name: &str,
    limit: usize,
) -> &'a mut T {
    let kept = all.len() - usize::from(all.contains_key(OTHER_NAMES));
    let name = if kept < limit || all.contains_key(name) {
        name
    } else {
        OTHER_NAMES
    };
    if !all.contains_key(name) {
        all.insert(name.into(), T::default());
    }
    all.get_mut(name).expect("it is there now")
}

/// A distribution of any finite numbers: count, sum, minimum and maximum exact (as far as `f64`
/// is), quantiles to 0.1 %.
///
/// An HDR histogram without a unit: its buckets are the numbers that agree in sign, exponent and
/// the first ten bits of the mantissa.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FloatHistogram {
    pub(super) count: u64,
    /// Meaningless while `count` is zero, like `max`.
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) sum: f64,
    /// Values beyond [`LARGEST`].
    pub(super) clipped: u64,
    /// By a key in the order of the values.
    pub(super) buckets: HashMap<i32, u64>,
}

impl FloatHistogram {
    fn record(&mut self, value: f64) {
        let first = self.count == 0;
        self.min = if first { value } else { self.min.min(value) };
        self.max = if first { value } else { self.max.max(value) };
        self.count += 1;
        self.sum += value;
        self.clipped += u64::from(value.abs() > LARGEST);
        *self.buckets.entry(key_of(value)).or_default() += 1;
    }

    pub(super) fn merge(&mut self, other: &FloatHistogram) {
        if other.count == 0 {
            return;
        }
        let first = self.count == 0;
        self.min = if first {
            other.min
        } else {
            self.min.min(other.min)
        };
        self.max = if first {
            other.max
        } else {
            self.max.max(other.max)
        };
        self.count += other.count;
        self.sum += other.sum;
        self.clipped += other.clipped;
        for (key, count) in &other.buckets {
            *self.buckets.entry(*key).or_default() += count;
        }
    }

    /// Whether a bucket has that key.
    pub(super) fn is_key(key: i32) -> bool {
        let largest = key_of(LARGEST);
        (-largest..=largest).contains(&key)
    }

    /// Key and count of each bucket that has something, ascending.
    pub(super) fn sorted(&self) -> Vec<(i32, u64)> {
        let mut sorted: Vec<(i32, u64)> = self.buckets.iter().map(|(k, n)| (*k, *n)).collect();
        sorted.sort_unstable();
        sorted
    }

    /// The values at ascending quantiles (0 to 1); zeros without values.
    ///
    /// A quantile q is the highest value of the bucket in which the ⌈q·count⌉-th smallest lies,
    /// never outside minimum and maximum.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is a count, which is far below 2^53"
    )]
    pub(super) fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> [f64; N] {
        let mut rows = self.sorted().into_iter();
        let mut current = rows.next();
        let mut below = 0;
        quantiles.map(|quantile| {
            let rank = ((quantile * self.count as f64).ceil() as u64).max(1);
            while let Some((_, count)) = current
                && below + count < rank
            {
                below += count;
                current = rows.next();
            }
            let highest = current.map_or(self.max, |(key, _)| highest_of(key));
            highest.clamp(self.min, self.max)
        })
    }

    /// Zero without values.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a mean needs no more than 53 bits"
    )]
    pub(super) fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            let mean = self.sum / self.count as f64;
            // A sum may be more than any number.
            if mean.is_finite() {
                mean
            } else {
                self.min / 2.0 + self.max / 2.0
            }
        }
    }
}

/// The first bits of a magnitude; one more than the next smaller ones.
fn rank_of(magnitude: f64) -> i32 {
    i32::try_from(magnitude.to_bits() >> SPARE).expect("22 bits")
}

/// Which bucket a value falls into: zero, or by magnitude above and below.
fn key_of(value: f64) -> i32 {
    let magnitude = value.abs().min(LARGEST);
    if magnitude < SMALLEST {
        return 0;
    }
    let rank = rank_of(magnitude) - rank_of(SMALLEST) + 1;
    if value < 0.0 { -rank } else { rank }
}

/// The highest value of a bucket.
fn highest_of(key: i32) -> f64 {
    let bits = |rank: i32| u64::from((rank - 1 + rank_of(SMALLEST)).unsigned_abs()) << SPARE;
    match key {
        0 => 0.0,
        1.. => f64::from_bits(bits(key + 1) - 1),
        _ => -f64::from_bits(bits(-key)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> FloatHistogram {
        let mut spread = FloatHistogram::default();
        for value in values {
            spread.record(*value);
        }
        spread
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let one = prop_oneof![
            -1e6..1e6_f64,
            (-29..49_i32, 1.0..2.0_f64, any::<bool>()).prop_map(|(power, digits, is_negative)| {
                let value = digits * 2_f64.powi(power);
                if is_negative { -value } else { value }
            }),
            Just(0.0),
        ];
        prop::collection::vec(one, 1..300)
    }

    #[test]
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the definition of a rank"
    )]
    fn quantiles_are_within_a_thousandth_of_a_sorted_list() {
        const ALL: [f64; 5] = [0.01, 0.5, 0.95, 0.99, 1.0];
        proptest!(ProptestConfig::with_cases(64), |(values in values())| {
            let found = of(&values).quantiles(ALL);
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            for (q, found) in ALL.iter().zip(found) {
                let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
                let exact = sorted[rank - 1];
                prop_assert!(found >= exact, "{q}: {found} < {exact}");
                prop_assert!(found - exact <= exact.abs() * 0.001 + SMALLEST, "{q}: {found} >> {exact}");
            }
        });
    }

    #[test]
    fn merging_is_the_same_as_recording_in_any_order() {
        proptest!(ProptestConfig::with_cases(48), |(a in values(), b in values())| {
            let whole = of(&[a.clone(), b.clone()].concat());
            let (mut left, mut right) = (of(&a), of(&b));
            let first = left.clone();
            left.merge(&right);
            right.merge(&first);
            for merged in [left, right] {
                prop_assert_eq!(&merged.buckets, &whole.buckets);
                prop_assert_eq!((merged.count, merged.min, merged.max), (whole.count, whole.min, whole.max));
                prop_assert!((merged.sum - whole.sum).abs() <= 1e-9 * whole.max.abs().max(whole.min.abs()) * 600.0);
            }
        });
    }

    #[test]
    fn what_is_too_large_is_counted_and_stays_exact_in_the_maximum() {
        let spread = of(&[1.0, 1e18, -1e18]);
        assert_eq!(spread.clipped, 2);
        assert!(spread.max >= 1e18 && spread.min <= -1e18);
        let [half, most] = spread.quantiles([0.5, 1.0]);
        assert!((half - 1.0).abs() < 0.001, "{half}");
        assert!((most / LARGEST - 1.0).abs() < 0.001, "{most}");
        let [nothing] = FloatHistogram::default().quantiles([0.5]);
        assert!(nothing.abs() < f64::EPSILON);
    }

    #[test]
    fn the_largest_sums_are_said_and_stay_numbers() {
        let mut custom = CustomMetrics::default();
        custom.count("c", u64::MAX - 1);
        assert!(!custom.is_full());
        custom.count("c", 2);
        assert!(custom.is_full());
        assert_eq!(custom.counters.values().sum::<u64>(), u64::MAX);
        assert!(of(&[1.7e308, 1.7e308]).mean() >= 1.6e308);
        assert!(of(&[f64::MAX, f64::MAX]).mean().is_finite());
        assert!(of(&[-f64::MAX, -f64::MAX, f64::MAX]).mean().is_finite());
    }

    #[test]
    fn names_are_bounded_and_nothing_is_lost() {
        let mut threads = [CustomMetrics::default(), CustomMetrics::default()];
        for (thread, custom) in threads.iter_mut().enumerate() {
            for n in 0..COUNTERS + 5 {
                custom.count(&format!("{thread}-{n}"), 2);
                custom.measure(&format!("{thread}-{n}"), 1.0);
            }
            assert!(custom.overflowed());
        }
        let mut all = CustomMetrics::default();
        for custom in &threads {
            all.merge(custom);
        }
        assert_eq!(all.counters.len(), COUNTERS + 1);
        assert_eq!(all.metrics.len(), METRICS + 1);
        let total: u64 = all.counters.values().sum();
        assert_eq!(total, 4 * (COUNTERS as u64 + 5));
        let measured: u64 = all.metrics.values().map(|spread| spread.count).sum();
        assert_eq!(measured, 2 * (COUNTERS as u64 + 5));
    }
}
