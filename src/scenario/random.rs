//! The random stream of one user: the same for the same seed, class and ordinal, on any machine,
//! thread and version.
//!
//! xoshiro256++ (Blackman and Vigna, 2019), seeded through SplitMix64. Not for secrets.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A random stream of 32 bytes of state; a number costs about a nanosecond.
#[derive(Clone, Debug)]
pub struct Random {
    stream: Xoshiro256PlusPlus,
}

impl Random {
    /// The stream of the user `ordinal` of `class` in a run with `seed`.
    #[must_use]
    pub fn of_user(seed: u64, class: &str, ordinal: u64) -> Random {
        // FNV-1a keeps the classes apart (Fowler, Noll and Vo).
        let class = class.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The golden ratio's fraction spreads neighbouring ordinals over the seed space.
        let seed = seed ^ class.rotate_left(17) ^ ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Random {
            stream: Xoshiro256PlusPlus::seed_from_u64(seed),
        }
    }

    /// Any number of 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// Uniformly distributed in 0..1, with 53 bits.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
        let bits = (self.bits() >> 11) as f64;
        bits * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniformly distributed in 0..`bound`, without bias; 0 for a bound of 0.
    ///
    /// Multiplication and rejection (Lemire, 2019, "Fast Random Integer Generation in an
    /// Interval").
    pub fn below(&mut self, bound: u64) -> u64 {
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the low half is what is meant"
            )]
            let low = product as u64;
            if low >= bound.wrapping_neg().checked_rem(bound).unwrap_or(0) {
                return (product >> 64) as u64;
            }
        }
    }

    /// Exponentially distributed with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_user_never_changes() {
        // The first numbers were noted when the algorithm was chosen: another one, or another
        // seeding, would make old runs unrepeatable.
        let mut random = Random::of_user(42, "Shopper", 7);
        let first = [random.bits(), random.bits(), random.bits()];
        let noted = [
            13_666_552_682_169_887_132,
            15_061_585_887_458_139_401,
            10_907_860_848_425_914_031,
        ];
        assert_eq!(first, noted);
    }

    #[test]
    fn users_and_classes_have_streams_of_their_own() {
        let first = |seed, class, ordinal| Random::of_user(seed, class, ordinal).bits();
        assert_eq!(first(1, "A", 0), first(1, "A", 0));
        assert_ne!(first(1, "A", 0), first(1, "A", 1));
        assert_ne!(first(1, "A", 0), first(1, "B", 0));
        assert_ne!(first(1, "A", 0), first(2, "A", 0));
    }

    #[test]
    fn numbers_below_a_bound_cover_it_evenly() {
        let mut random = Random::of_user(1, "A", 0);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[usize::try_from(random.below(6)).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 500),
            "{counts:?}: 5.5 sigma"
        );
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
    }
}
