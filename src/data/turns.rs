//! Which user gets which row: the modes of a data source, as arithmetic on how many were taken.
//!
//! Owns the count, the order, and how both continue when rows are appended. Within one process the
//! count is an atomic number; `elsewhere` gets turns from another process.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;
use serde::{Deserialize, Serialize};

use super::elsewhere::{Elsewhere, Next, RationSource};

/// In which order rows are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// One after the other, and again from the first.
    Circular,
    /// One after the other, each once.
    Unique,
    /// Any row at any time; nothing is counted.
    Random,
    /// Round by round in a random order, each row once a round.
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

    /// The row, of `rows`, for the caller that comes after `taken` others; `None` when they are
    /// used up. `seed` orders a shuffle. [`Mode::Random`] does not count, and is treated as
    /// circular.
    fn row(self, taken: u64, rows: u64, seed: u64) -> Option<u64> {
        let round = taken.checked_div(rows)?;
        let place = taken % rows;
        match self {
            Mode::Circular | Mode::Random => Some(place),
            Mode::Unique => (round == 0).then_some(place),
            Mode::Shuffle => Some(shuffled(place, rows, mixed(seed ^ mixed(round)))),
        }
    }
}

/// Rows handed out round by round, the first one at the turn `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// That turn.
    pub start: u64,
    /// How many rows there are.
    pub rows: u64,
}

/// Which row belongs to a turn; plain data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// From their start on.
    pub rounds: Rounds,
    /// Those of the turns before.
    pub earlier: Option<Rounds>,
}

impl Course {
    /// The course of so many rows, of which the first turn comes after `taken` others; `before` is
    /// that of the rows to which they were appended.
    #[must_use]
    pub fn settled(mode: Mode, before: Option<Course>, rows: u64, taken: u64) -> Course {
        let begun = |start, earlier| Course {
            rounds: Rounds { start, rows },
            earlier,
        };
        let Some(before) = before else {
            return begun(0, None);
        };
        let Rounds { start, rows: fewer } = before.rounds;
        match mode {
            Mode::Unique | Mode::Random => begun(0, None),
            Mode::Circular => {
                let last = taken.checked_sub(start + 1).map(|place| place % fewer);
                begun(last.map_or(start, |last| taken - last - 1), None)
            }
            // Not even those rounds have begun.
            Mode::Shuffle if taken <= start => begun(start, before.earlier),
            Mode::Shuffle => {
                let rounds = (taken - start).div_ceil(fewer);
                begun(start + rounds * fewer, Some(before.rounds))
            }
        }
    }
}

/// The turns at a source's rows, over all threads.
///
/// When rows are appended, callers that know them and callers that do not share one count, each for
/// its own rows. The first to take one of the longer rows settles the turn at which they begin;
/// until then the others may still go round.
#[derive(Debug)]
pub struct Turns {
    mode: Mode,
    rows: u64,
    count: Arc<Count>,
    before: Option<Course>,
    course: OnceLock<Course>,
    /// Where the turns come from if they are not counted here.
    elsewhere: OnceLock<Box<Elsewhere>>,
}

/// How many turns were taken, for all rows that go on from one another.
#[derive(Debug)]
struct Count {
    taken: AtomicU64,
    /// By which another process knows it.
    name: AtomicU64,
}

impl Turns {
    /// `name` is that of their count, for other processes.
    pub(super) fn new(mode: Mode, rows: u64, name: u64) -> Turns {
        Turns {
            mode,
            rows,
            count: Arc::new(Count {
                taken: AtomicU64::new(0),
                name: AtomicU64::new(name),
            }),
            before: None,
            course: OnceLock::new(),
            elsewhere: OnceLock::new(),
        }
    }

    /// For rows whose turns are counted in another process, by that name.
    pub(super) fn elsewhere(
        mode: Mode,
        name: u64,
        rows: u64,
        asks: Arc<dyn RationSource>,
    ) -> Turns {
        let turns = Turns::new(mode, rows, name);
        turns.ask(asks);
        turns
    }

    /// From now on they are counted elsewhere.
    pub(super) fn ask(&self, asks: Arc<dyn RationSource>) {
        let has_end = self.mode == Mode::Unique;
        let made = || Box::new(Elsewhere::new(self.name(), self.rows, has_end, asks));
        self.elsewhere.get_or_init(made);
    }

    /// The name of their count.
    pub(super) fn name(&self) -> u64 {
        self.count.name.load(Ordering::Relaxed)
    }

    /// Others know their count by that name. To be said before they [ask](Turns::ask).
    pub(super) fn are_known_as(&self, name: u64) {
        self.count.name.store(name, Ordering::Relaxed);
    }

    /// So many were taken elsewhere at least.
    pub(super) fn were_taken(&self, taken: u64) {
        self.count.taken.fetch_max(taken, Ordering::Relaxed);
    }

    /// Continues among `rows` rows, which begin with the old ones.
    ///
    /// `unique` continues with the first row not taken, `circular` with the one after the last that
    /// was taken, however often it has gone round. `shuffle` finishes the current round, and the
    /// new rows are in all later ones: so no row comes twice in a round.
    pub(super) fn among(self: &Arc<Turns>, rows: u64) -> Arc<Turns> {
        if rows == self.rows {
            return self.clone();
        }
        Arc::new(Turns {
            mode: self.mode,
            rows,
            count: self.count.clone(),
            before: Some(self.course()),
            course: OnceLock::new(),
            elsewhere: OnceLock::new(),
        })
    }

    /// The caller's row, from 0; `None` if all are used up. That is not counted, so rows appended
    /// later go to the next callers. `seed` orders a shuffle.
    ///
    /// Waits only for turns that are counted elsewhere.
    pub async fn take(&self, seed: u64) -> Option<u64> {
        if let Poll::Ready(row) = self.at_once(seed) {
            return row;
        }
        let (turn, course) = self.elsewhere.get()?.waited().await?;
        self.row(turn, course, seed)
    }

    /// Like [`Turns::take`], without waiting: `Pending` if it would have to. Costs one atomic
    /// addition where turns are counted here.
    pub fn at_once(&self, seed: u64) -> Poll<Option<u64>> {
        if let Some(elsewhere) = self.elsewhere.get() {
            return match elsewhere.next() {
                Next::Turn(turn, course) => Poll::Ready(self.row(turn, course, seed)),
                Next::UsedUp => Poll::Ready(None),
                Next::Asked => Poll::Pending,
            };
        }
        // Before the turn is taken: it is then none before those that the course knows.
        let course = self.course();
        let turn = self.counted(1);
        Poll::Ready(turn.and_then(|turn| self.row(turn.start, course, seed)))
    }

    /// Turns for another process, and which rows belong to them.
    #[cfg(test)]
    pub(crate) fn ration(&self, count: u64) -> Option<(Range<u64>, Course)> {
        let course = self.course();
        Some((self.counted(count)?, course))
    }

    /// The next turns, so many at most.
    fn counted(&self, count: u64) -> Option<Range<u64>> {
        let first = match self.mode {
            Mode::Unique => {
                let next = |taken| (taken < self.rows).then_some(self.rows.min(taken + count));
                let order = Ordering::Relaxed;
                self.count.taken.fetch_update(order, order, next).ok()?
            }
            Mode::Circular | Mode::Random | Mode::Shuffle => {
                self.count.taken.fetch_add(count, Ordering::Relaxed)
            }
        };
        let end = match self.mode {
            Mode::Unique => self.rows.min(first + count),
            Mode::Circular | Mode::Random | Mode::Shuffle => first + count,
        };
        Some(first..end)
    }

    /// The row that belongs to a turn.
    fn row(&self, turn: u64, course: Course, seed: u64) -> Option<u64> {
        let Course { rounds, earlier } = course;
        match (turn.checked_sub(rounds.start), earlier) {
            (None, Some(Rounds { start, rows })) => {
                self.mode.row(turn.saturating_sub(start), rows, seed)
            }
            (after, _) => self.mode.row(after.unwrap_or(0), rounds.rows, seed),
        }
    }

    /// How many were taken so far, also by those that do not know all rows.
    pub(super) fn taken(&self) -> u64 {
        self.count.taken.load(Ordering::Relaxed)
    }

    fn course(&self) -> Course {
        *self
            .course
            .get_or_init(|| Course::settled(self.mode, self.before, self.rows, self.taken()))
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
    SplitMix64::seed_from_u64(number).next_u64()
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

    /// The next row; in one process there is no wait.
    fn row(turns: &Turns) -> Option<u64> {
        match turns.at_once(7) {
            Poll::Ready(row) => row,
            Poll::Pending => unreachable!("they are counted here"),
        }
    }

    fn all_threads_take(turns: &Turns) -> Vec<u64> {
        let one = || (0..1_000).filter_map(|_| row(turns));
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
        let turns = Turns::new(Mode::Circular, 8_000, 0);
        assert!(all_threads_take(&turns).into_iter().eq(0..8_000));
    }

    #[test]
    fn who_comes_too_late_for_a_unique_row_is_not_counted() {
        let turns = Arc::new(Turns::new(Mode::Unique, 5_000, 0));
        assert!(all_threads_take(&turns).into_iter().eq(0..5_000));
        assert_eq!(turns.taken(), 5_000);
        let more = turns.among(5_001);
        assert_eq!(row(&more), Some(5_000));
        assert_eq!(row(&more), None);
    }

    fn take(turns: &Turns, count: usize) -> Vec<u64> {
        (0..count).filter_map(|_| row(turns)).collect()
    }

    #[test]
    fn with_rows_appended_circular_goes_on_after_the_last_row_taken() {
        for taken in 0..12 {
            let turns = Arc::new(Turns::new(Mode::Circular, 3, 0));
            let last = take(&turns, taken).last().copied();
            let first = last.map_or(0, |last| last + 1);
            let expected: Vec<_> = (first..first + 8).map(|row| row % 5).collect();
            assert_eq!(take(&turns.among(5), 8), expected, "after {taken} turns");
            // Another time over, from wherever that was.
            let turns = turns.among(5);
            let last = *take(&turns, taken + 1).last().unwrap();
            let expected: Vec<_> = (last + 1..last + 10).map(|row| row % 9).collect();
            assert_eq!(
                take(&turns.among(9), 9),
                expected,
                "after {taken} turns more"
            );
        }
    }

    #[test]
    fn rows_appended_while_others_go_round_begin_where_those_are_then() {
        let old = Arc::new(Turns::new(Mode::Circular, 2, 0));
        take(&old, 1);
        let new = old.among(5);
        // The new generation is ready, but its users have not come yet.
        assert_eq!(take(&old, 6), [1, 0, 1, 0, 1, 0]);
        assert_eq!(take(&new, 2), [1, 2]);
        // One that is still about takes a turn of its own rows.
        assert!(take(&old, 1)[0] < 2);
        assert_eq!(take(&new, 2), [4, 0]);
        // Nobody took of these: they count as those before.
        assert_eq!(take(&new.among(6).among(7), 2), [1, 2]);
    }

    #[test]
    fn a_shuffle_ends_its_round_before_rows_appended_come() {
        for taken in 0..8 {
            let turns = Arc::new(Turns::new(Mode::Shuffle, 4, 0));
            let mut rows = take(&turns, taken);
            // Twice within the round: the first was never begun.
            let turns = turns.among(6).among(7);
            rows.extend(take(&turns, 22));
            let under_way = taken.next_multiple_of(4);
            let rounds = rows[..under_way].chunks(4);
            let later = rows[under_way..].chunks_exact(7);
            assert!(later.len() >= 2);
            for round in rounds.chain(later) {
                let mut sorted = round.to_vec();
                sorted.sort_unstable();
                assert!(
                    sorted.into_iter().eq(0..round.len() as u64),
                    "{taken}: {rows:?}"
                );
            }
        }
    }

    #[test]
    fn threads_that_know_all_rows_and_those_that_do_not_share_one_count() {
        let old = Arc::new(Turns::new(Mode::Circular, 7, 0));
        all_threads_take(&old);
        let new = old.among(10_000);
        let first = usize::try_from(all_threads_take(&new)[0]).unwrap();
        assert_eq!(first, 8_000 % 7);
        assert_eq!(new.taken(), 16_000);
    }
}
