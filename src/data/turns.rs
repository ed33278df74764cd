//! Who gets which row: the modes of a data source, as arithmetic on how many were taken.
//!
//! Owns the count and the order. Where the count is kept for several processes is decided
//! elsewhere: within one it is an atomic number.

use std::sync::atomic::{AtomicU64, Ordering};

/// In which order rows are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One after the other, and again from the first.
    Circular,
    /// One after the other, each once.
    Unique,
    /// Any row at any time; nothing is counted.
    Random,
    /// Round by round in a random order, each row once a round. Another number of rows has another
    /// order.
    Shuffle,
}

impl Mode {
    /// All of them, by name.
    pub const ALL: [(&'static str, Mode); 4] = [
        ("circular", Mode::Circular),
        ("unique", Mode::Unique),
        ("random", Mode::Random),
        ("shuffle", Mode::Shuffle),
    ];

    /// The row, of `rows`, that goes to who comes after so many others; `None` when they are used
    /// up. `seed` orders a shuffle. For [`Mode::Random`] nobody counts: it is as circular.
    #[must_use]
    pub fn row(self, taken: u64, rows: u64, seed: u64) -> Option<u64> {
        let round = taken.checked_div(rows)?;
        let place = taken % rows;
        match self {
            Mode::Circular | Mode::Random => Some(place),
            Mode::Unique => (round == 0).then_some(place),
            Mode::Shuffle => Some(shuffled(place, rows, mixed(seed ^ mixed(round)))),
        }
    }
}

/// How many rows were taken, over all threads.
#[derive(Debug, Default)]
pub struct Turns(AtomicU64);

impl Turns {
    /// How many came before the caller, who is counted; `None`, and nobody is, if all of `rows` are
    /// used up: so those that come later, appended to a file, go to the next callers. Costs one
    /// atomic addition.
    pub fn take(&self, mode: Mode, rows: u64) -> Option<u64> {
        match mode {
            Mode::Unique => {
                let next = |taken| (taken < rows).then_some(taken + 1);
                let order = Ordering::Relaxed;
                self.0.fetch_update(order, order, next).ok()
            }
            Mode::Circular | Mode::Random | Mode::Shuffle => {
                Some(self.0.fetch_add(1, Ordering::Relaxed))
            }
        }
    }

    /// How many were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where `place` comes in a random order of `0..count`, another for each key.
///
/// A Feistel network permutes a power of four that is at most four times too large, and is walked
/// until it comes inside (Black and Rogaway, 2002, "Ciphers with Arbitrary Finite Domains"): so no
/// order of a million rows is kept anywhere, and all threads have the same.
fn shuffled(place: u64, count: u64, key: u64) -> u64 {
    let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
    let half = bits.div_ceil(2).max(1);
    let mask = (1 << half) - 1;
    let mut at = place;
    loop {
        let (mut left, mut right) = (at >> half, at & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ mixed(key ^ round << 56 ^ right) & mask);
        }
        at = left << half | right;
        if at < count {
            return at;
        }
    }
}

/// SplitMix64's output function (Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(mode: Mode, rows: u64, taken: std::ops::Range<u64>) -> Vec<Option<u64>> {
        taken.map(|taken| mode.row(taken, rows, 7)).collect()
    }

    #[test]
    fn circular_goes_round_and_unique_ends() {
        let circular = rows(Mode::Circular, 3, 0..5);
        assert_eq!(circular, [0, 1, 2, 0, 1].map(Some));
        let unique = rows(Mode::Unique, 3, 0..5);
        assert_eq!(unique, [Some(0), Some(1), Some(2), None, None]);
        assert_eq!(Mode::Unique.row(0, 0, 7), None);
    }

    #[test]
    fn a_shuffle_has_each_row_once_a_round_in_another_order() {
        for count in [1, 2, 3, 5, 16, 17, 100, 1_000] {
            let mut orders: Vec<Vec<u64>> = (0..3)
                .map(|round| {
                    let taken = round * count..(round + 1) * count;
                    rows(Mode::Shuffle, count, taken)
                        .into_iter()
                        .flatten()
                        .collect()
                })
                .collect();
            if count >= 100 {
                assert_ne!(orders[0], orders[1]);
                assert_ne!(orders[1], orders[2]);
                let in_place = (0..).zip(&orders[0]).filter(|(i, row)| i == *row).count();
                assert!(
                    in_place < 10,
                    "{in_place} of {count} rows are where they were"
                );
            }
            for order in &mut orders {
                order.sort_unstable();
                assert!(order.iter().copied().eq(0..count), "{count}");
            }
        }
    }

    #[test]
    fn a_shuffle_follows_the_seed() {
        let order = |seed| {
            (0..50)
                .map(|taken| Mode::Shuffle.row(taken, 50, seed))
                .collect::<Vec<_>>()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        // Every first row is as likely: 2,000 seeds over 10 rows.
        let mut first = [0; 10];
        for seed in 0..2_000 {
            first[usize::try_from(Mode::Shuffle.row(0, 10, seed).unwrap()).unwrap()] += 1;
        }
        assert!(
            first.iter().all(|count| (140..260).contains(count)),
            "{first:?}: 4.5 sigma"
        );
    }

    fn all_threads_take(turns: &Turns, mode: Mode) -> Vec<u64> {
        let one = || (0..1_000).filter_map(|_| turns.take(mode, 5_000));
        let mut taken: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| one().collect::<Vec<_>>()))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        taken.sort_unstable();
        taken
    }

    #[test]
    fn every_turn_is_taken_once_by_all_threads_together() {
        let turns = Turns::default();
        assert!(
            all_threads_take(&turns, Mode::Circular)
                .into_iter()
                .eq(0..8_000)
        );
    }

    #[test]
    fn who_comes_too_late_for_a_unique_row_is_not_counted() {
        let turns = Turns::default();
        assert!(
            all_threads_take(&turns, Mode::Unique)
                .into_iter()
                .eq(0..5_000)
        );
        assert_eq!(turns.taken(), 5_000);
        assert_eq!(turns.take(Mode::Unique, 5_001), Some(5_000));
        assert_eq!(turns.take(Mode::Unique, 5_001), None);
    }
}
