//! Which load thread has the n-th user.
//!
//! Owns the division of one global sequence of users over threads, without rounding loss; the
//! same for any number of takers, so workers can be divided likewise.

/// The golden ratio's fractional part in units of 2^-32, made odd.
const GOLDEN_RATIO: u32 = 0x9E37_79B1;

/// The fractional part of this many golden ratios, in units of 2^-32.
fn golden(times: u32) -> u32 {
    times.wrapping_mul(GOLDEN_RATIO)
}

/// Divides users over threads by their ordinal alone.
///
/// Of every aligned block of T successive users each of the T threads gets exactly one. So at all
/// times the threads differ by one user at most, the parts add up to the whole, and a ramp of
/// rate r is on each thread a ramp of r / T whose gaps are below 2T / r: never two at once.
///
/// Simply taking n modulo T would do that too, but would also send every user of one class to the
/// same thread whenever the classes' interleaving has a period in common with T: two classes of
/// equal weight on two threads would get a thread each. So the order of the threads is rotated
/// from block to block, by the fractional part of the block's number times the golden ratio. Its
/// multiples are evenly distributed along every arithmetic progression (H. Weyl, Mathematische
/// Annalen 77 (1916), 313-352), and so is each class over the threads, whatever its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    threads: u32,
}

impl Split {
    /// Over this many threads; zero counts as one.
    #[must_use]
    pub fn new(threads: u32) -> Split {
        Split {
            threads: threads.max(1),
        }
    }

    /// The thread (from 0) of the user with this ordinal.
    #[must_use]
    pub fn thread_of(self, user: u32) -> u32 {
        self.rotate(self.offset(user / self.threads), user % self.threads)
    }

    /// Over how many threads.
    pub(super) fn threads(self) -> u32 {
        self.threads
    }

    /// How far the threads' order is rotated in this block.
    pub(super) fn offset(self, block: u32) -> u32 {
        u32::try_from((u64::from(golden(block)) * u64::from(self.threads)) >> 32)
            .expect("a fraction of a 32-bit number has 32 bits")
    }

    /// The sum of two thread numbers, modulo the number of threads; does not overflow.
    pub(super) fn rotate(self, a: u32, b: u32) -> u32 {
        let sum = (u64::from(a) + u64::from(b)) % u64::from(self.threads);
        u32::try_from(sum).expect("a remainder is below its 32-bit divisor")
    }
}

/// For one thread, without its slots: what a [`Part`](super::Part) of one slot is held against.
#[cfg(test)]
impl Split {
    /// The ordinal of the thread's own user number `index` (both from 0): the inverse of
    /// [`Split::thread_of`]. `None` if that is beyond 32 bits.
    #[must_use]
    pub fn user_of(self, thread: u32, index: u32) -> Option<u32> {
        let within = self.rotate(thread, self.threads - self.offset(index));
        index.checked_mul(self.threads)?.checked_add(within)
    }

    /// How many of the first `users` users the thread has.
    #[must_use]
    pub fn users_of(self, thread: u32, users: u32) -> u32 {
        let full_blocks = users / self.threads;
        let within = self.rotate(thread, self.threads - self.offset(full_blocks));
        full_blocks + u32::from(within < users % self.threads)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn threads_of(threads: u32, users: impl Iterator<Item = u32>) -> Vec<u32> {
        users
            .map(|user| Split::new(threads).thread_of(user))
            .collect()
    }

    #[test]
    fn each_block_visits_each_thread_once() {
        assert_eq!(threads_of(1, 0..4), [0, 0, 0, 0]);
        assert_eq!(threads_of(0, 0..2), [0, 0]);
        assert_eq!(threads_of(2, 0..8), [0, 1, 1, 0, 0, 1, 1, 0]);
        assert_eq!(threads_of(3, 0..9), [0, 1, 2, 1, 2, 0, 0, 1, 2]);
    }

    #[test]
    fn the_users_of_one_class_are_not_all_on_one_thread() {
        for threads in 2..=8_u32 {
            for period in 2..=9_usize {
                let mut counts = vec![0_u32; threads as usize];
                for thread in threads_of(threads, (0..10_000).step_by(period)) {
                    counts[thread as usize] += 1;
                }
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                // A coin toss per user would be off by 50 and more.
                assert!(
                    most - least <= 30,
                    "{threads} threads, each {period}th: {counts:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(threads in 1_u32..100, users in 0_u32..100_000) {
            let split = Split::new(threads);
            let parts: Vec<u32> = (0..threads).map(|thread| split.users_of(thread, users)).collect();
            prop_assert_eq!(parts.iter().sum::<u32>(), users);
            prop_assert!(parts.iter().max().unwrap() - parts.iter().min().unwrap() <= 1);
        }

        #[test]
        fn ordinals_and_indexes_are_each_others_inverse(threads in 1_u32..100, user in any::<u32>()) {
            let split = Split::new(threads);
            let thread = split.thread_of(user);
            let index = split.users_of(thread, user);
            prop_assert_eq!(split.user_of(thread, index), Some(user));
        }
    }
}
