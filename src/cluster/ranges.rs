//! Numbers of which each is given out once: turns for rows, and iterations.
//!
//! Owns who gets which range, and how far it may go. What was handed to a worker is never handed to
//! another, unless the worker gives it back: no deadline makes that safe, since a process may be
//! frozen between looking at its clock and sending.
//!
//! - A range is about a second of use: it doubles for who asks again within a second, and halves
//!   for who takes longer than four. Iterations get smaller towards the end.
//! - What a lost worker had is burned, and named. Iterations that it did not report as begun are
//!   given out again once it is lost for good.
//! - A master that is started again must not begin before what was given out. So nothing is given
//!   out beyond a *horizon* that all who have a seat (and the state file, if there is one) have
//!   been told of: each of them alone can say where it is safe to go on. That burns what lay
//!   between, about half a minute of use. If nobody comes back who had a seat when the master went,
//!   a source with an end is used up: that is said, and no row comes twice.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::message::{Answer, Counted, MOST_SOURCES};
use crate::clock::Micros;

/// The most numbers of one range.
pub const MOST: u64 = 10_000;

/// A horizon is so many ranges of each worker away: a file is written every ten seconds, and a
/// worker may be silent for fifteen before it has no seat.
const AHEAD: u64 = 32;

/// An answer for a worker's question.
pub type Answered = (u32, u64, Answer);

/// All sources of a run.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    pools: BTreeMap<Counted, Pool>,
    /// Nothing is given out: those who know where it is safe may still come.
    is_held: bool,
    /// By worker with a seat: the statement it has heard of.
    told: BTreeMap<u32, u64>,
    /// What the state file has, if there is one.
    kept: Option<u64>,
    /// The number of the statement that horizons were last told with.
    statement: u64,
    horizons: Arc<[(Counted, u64)]>,
}

/// One source.
#[derive(Clone, Debug, Default)]
struct Pool {
    next: u64,
    end: Option<u64>,
    /// Up to here numbers may be given out.
    safe: u64,
    /// What was stated last.
    stated: u64,
    returned: VecDeque<Range<u64>>,
    had: BTreeMap<u32, Had>,
    waiting: VecDeque<(u32, u64)>,
}

/// What a worker has of a source.
#[derive(Clone, Copy, Debug, Default)]
struct Had {
    granted: u64,
    returned: u64,
    /// Not used at its last beat, and granted since.
    unused: u64,
    size: u64,
    asked: Micros,
}

impl Pool {
    fn left(&self) -> u64 {
        let end = self.end.unwrap_or(u64::MAX);
        let returned = self.returned.iter().map(|range| range.end - range.start);
        end.saturating_sub(self.next) + returned.sum::<u64>()
    }

    /// So many numbers at most; `None` until the horizon has moved.
    fn draw(&mut self, count: u64) -> Option<Range<u64>> {
        if let Some(range) = self.returned.pop_front() {
            let middle = range.end.min(range.start + count);
            if middle < range.end {
                self.returned.push_front(middle..range.end);
            }
            return Some(range.start..middle);
        }
        let end = self.end.unwrap_or(u64::MAX).min(self.safe);
        let range = self.next..end.min(self.next + count);
        if range.is_empty() {
            return None;
        }
        self.next = range.end;
        Some(range)
    }

    /// How far it will be told to go.
    fn horizon(&self, workers: usize) -> u64 {
        let size = self.had.values().map(|had| had.size).max().unwrap_or(1);
        let ahead = size.max(2) * AHEAD * (workers as u64).max(1);
        let end = self.end.unwrap_or(u64::MAX);
        end.min(self.next.saturating_add(ahead)).max(self.stated)
    }
}

impl Ranges {
    /// Sources of a run; with `is_held`, of one that goes on, where nobody knows yet from where.
    #[must_use]
    pub fn new(is_held: bool) -> Ranges {
        Ranges {
            is_held,
            ..Ranges::default()
        }
    }

    /// Nothing is given out until it is known from where.
    pub fn hold(&mut self) {
        self.is_held = true;
    }

    /// For a master that keeps its state in a file: what is not in it does not count.
    pub fn with_file(&mut self) {
        self.kept.get_or_insert(0);
    }

    /// There is such a source, with so many numbers or without an end. May be said again.
    pub fn declare(&mut self, of: Counted, end: Option<u64>) -> Vec<Answered> {
        if self.pools.len() >= MOST_SOURCES && !self.pools.contains_key(&of) {
            return Vec::new();
        }
        self.pools.entry(of).or_default().end = end;
        self.settle()
    }

    /// A worker has a seat.
    pub fn seated(&mut self, worker: u32) {
        self.told.entry(worker).or_insert(0);
    }

    /// It has none any longer: what it had and may not have used is burned.
    pub fn unseated(&mut self, worker: u32) -> (Vec<(Counted, u64)>, Vec<Answered>) {
        self.told.remove(&worker);
        let mut burned = Vec::new();
        for (of, pool) in &mut self.pools {
            pool.waiting.retain(|(waits, _)| *waits != worker);
            let had = pool.had.get_mut(&worker);
            let unused = had.map_or(0, |had| std::mem::take(&mut had.unused));
            if unused > 0 {
                burned.push((*of, unused));
            }
        }
        (burned, self.settle())
    }

    /// A worker has begun so many iterations in all, and will begin no more: what it was given
    /// beyond them goes to others.
    pub fn ended(&mut self, worker: u32, started: u64) -> Vec<Answered> {
        let pool = self.pools.get_mut(&Counted::Iterations);
        if let Some(pool) = pool
            && let Some(had) = pool.had.remove(&worker)
        {
            let unused = had.granted.saturating_sub(had.returned + started);
            // Iterations have no faces: those at the end are as good as these.
            pool.next = pool.next.saturating_sub(unused);
        }
        self.settle()
    }

    /// A worker's beat: what it has not used, and the statement it has heard of.
    pub fn beat(&mut self, worker: u32, held: &[(Counted, u64)], statement: u64) -> Vec<Answered> {
        for (of, unused) in held {
            let pool = self.pools.get_mut(of);
            if let Some(had) = pool.and_then(|pool| pool.had.get_mut(&worker)) {
                had.unused = (*unused).min(had.granted);
            }
        }
        match self.told.get_mut(&worker) {
            Some(told) if statement > *told => {
                *told = statement.min(self.statement);
                self.settle()
            }
            _ => Vec::new(),
        }
    }

    /// A question for a range.
    pub fn ask(&mut self, now: Micros, worker: u32, ask: u64, of: Counted) -> Vec<Answered> {
        let Some(pool) = self.pools.get_mut(&of) else {
            return vec![(worker, ask, Answer::UsedUp(of))];
        };
        let had = pool.had.entry(worker).or_default();
        let since = now.since(std::mem::replace(&mut had.asked, now));
        had.size = match had.size {
            0 => 1,
            size if since < Duration::from_secs(1).as_micros() as u64 => (size * 2).min(MOST),
            size if since > Duration::from_secs(4).as_micros() as u64 => (size / 2).max(1),
            size => size,
        };
        pool.waiting.push_back((worker, ask));
        self.settle()
    }

    /// A question is taken back; true if it was still open.
    pub fn cancel(&mut self, worker: u32, ask: u64) -> bool {
        let mut was_open = false;
        for pool in self.pools.values_mut() {
            let before = pool.waiting.len();
            pool.waiting.retain(|waiting| *waiting != (worker, ask));
            was_open |= pool.waiting.len() < before;
        }
        was_open
    }

    /// A worker gives back what it has not used. Only what it can have had counts.
    pub fn returned(&mut self, worker: u32, of: Counted, range: Range<u64>) -> Vec<Answered> {
        let Some(pool) = self.pools.get_mut(&of) else {
            return Vec::new();
        };
        let count = range.end.saturating_sub(range.start);
        let had = pool.had.entry(worker).or_default();
        if count == 0 || had.returned + count > had.granted || range.end > pool.next {
            return Vec::new();
        }
        had.returned += count;
        had.unused = had.unused.saturating_sub(count);
        pool.returned.push_back(range);
        self.settle()
    }

    /// Horizons, and the number of the statement.
    #[must_use]
    pub fn horizons(&self) -> (u64, Arc<[(Counted, u64)]>) {
        (self.statement, self.horizons.clone())
    }

    /// The file has all up to this statement.
    pub fn are_kept(&mut self, statement: u64) -> Vec<Answered> {
        self.kept = self.kept.map(|kept| kept.max(statement));
        self.settle()
    }

    /// The master was started again: with its file, which has all that was stated.
    pub fn restart(&mut self) {
        self.told.clear();
        for pool in self.pools.values_mut() {
            pool.next = pool.next.max(pool.stated);
            pool.safe = pool.next;
            pool.returned.clear();
            pool.had.clear();
            pool.waiting.clear();
        }
    }

    /// The master was started again without a file, and a worker that had a seat was told so.
    pub fn go_on_from(&mut self, horizons: &[(Counted, u64)]) {
        for (of, horizon) in horizons.iter().take(MOST_SOURCES) {
            let pool = self.pools.entry(*of).or_default();
            pool.next = pool.next.max(*horizon);
            pool.safe = pool.safe.max(pool.next);
            pool.stated = pool.stated.max(pool.next);
        }
    }

    /// Nobody came back who would know: nothing that has an end is given out again.
    pub fn burn(&mut self) {
        for pool in self.pools.values_mut() {
            pool.next = pool.end.unwrap_or(pool.next);
            pool.stated = pool.stated.max(pool.next);
        }
    }

    /// Whoever may know has come.
    pub fn release(&mut self) -> Vec<Answered> {
        self.is_held = false;
        self.settle()
    }

    /// Open questions.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pools.values().map(|pool| pool.waiting.len()).sum()
    }

    /// Gives out what may be given out, and states new horizons where they come near.
    fn settle(&mut self) -> Vec<Answered> {
        if self.is_held {
            return Vec::new();
        }
        let heard = self.told.values().copied().chain(self.kept).min();
        if heard.is_none_or(|heard| heard >= self.statement) {
            self.pools
                .values_mut()
                .for_each(|pool| pool.safe = pool.stated.max(pool.safe));
            self.state();
        }
        let mut answers = Vec::new();
        let workers = self.told.len();
        for (of, pool) in &mut self.pools {
            while let Some((worker, ask)) = pool.waiting.front().copied() {
                let left = pool.left();
                let had = pool.had.entry(worker).or_default();
                let share = match of {
                    Counted::Iterations => left / (4 * workers as u64).max(1),
                    Counted::Rows(_) => u64::MAX,
                };
                let count = had.size.min(share).max(1);
                let answer = match pool.draw(count) {
                    Some(range) => {
                        let had = pool.had.entry(worker).or_default();
                        had.granted += range.end - range.start;
                        had.unused += range.end - range.start;
                        Answer::Range(*of, range)
                    }
                    None if left == 0 => Answer::UsedUp(*of),
                    None => break,
                };
                pool.waiting.pop_front();
                answers.push((worker, ask, answer));
            }
        }
        answers
    }

    /// All have heard of the last statement: the next one, if one is needed.
    fn state(&mut self) {
        let workers = self.told.len();
        let is_near = |pool: &Pool| {
            let horizon = pool.horizon(workers);
            // Half of the way is used, or somebody waits.
            horizon > pool.stated && (horizon - pool.next) / 2 > pool.stated - pool.next
        };
        if !self.pools.values().any(is_near) {
            return;
        }
        self.statement += 1;
        for pool in self.pools.values_mut() {
            pool.stated = pool.horizon(workers);
        }
        let stated = self.pools.iter().map(|(of, pool)| (*of, pool.stated));
        self.horizons = stated.collect();
        if self.told.is_empty() && self.kept.is_none() {
            // There is nobody to tell, nor to have told.
            self.pools
                .values_mut()
                .for_each(|pool| pool.safe = pool.stated);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Counted = Counted::Rows(1);

    fn at(millis: u64) -> Micros {
        Micros::default() + Duration::from_millis(millis)
    }

    fn ranges(of: Counted, end: Option<u64>) -> Ranges {
        let mut ranges = Ranges::default();
        ranges.declare(of, end);
        for worker in [1, 2] {
            ranges.seated(worker);
            ranges.beat(worker, &[], 1);
        }
        ranges
    }

    fn got(answers: Vec<Answered>) -> Vec<(u32, Option<Range<u64>>)> {
        let got = |(worker, _, answer)| match answer {
            Answer::Range(_, range) => (worker, Some(range)),
            Answer::UsedUp(_) => (worker, None),
            other => panic!("{other:?}"),
        };
        answers.into_iter().map(got).collect()
    }

    #[test]
    fn ranges_follow_each_other_and_grow_with_use() {
        let mut ranges = ranges(ROWS, Some(11));
        assert_eq!(got(ranges.ask(at(0), 1, 1, ROWS)), [(1, Some(0..1))]);
        assert_eq!(got(ranges.ask(at(10), 1, 2, ROWS)), [(1, Some(1..3))]);
        assert_eq!(got(ranges.ask(at(20), 2, 1, ROWS)), [(2, Some(3..4))]);
        assert_eq!(got(ranges.ask(at(30), 1, 3, ROWS)), [(1, Some(4..8))]);
        assert_eq!(got(ranges.ask(at(9_000), 1, 4, ROWS)), [(1, Some(8..10))]);
        // What is given back is given out first, and only by who had it.
        ranges.returned(2, ROWS, 3..4);
        ranges.returned(2, ROWS, 3..4);
        ranges.returned(1, ROWS, 90..91);
        assert_eq!(got(ranges.ask(at(9_100), 1, 5, ROWS)), [(1, Some(3..4))]);
        assert_eq!(got(ranges.ask(at(9_200), 1, 6, ROWS)), [(1, Some(10..11))]);
        assert_eq!(got(ranges.ask(at(9_300), 2, 7, ROWS)), [(2, None)]);
        let (burned, _) = ranges.unseated(1);
        assert_eq!(burned, [(ROWS, 11)], "it has told of no use");
    }

    #[test]
    fn nothing_is_given_out_beyond_what_all_have_been_told() {
        let mut ranges = ranges(ROWS, None);
        let mut last = 0;
        let mut blocked = None;
        for ask in 0..100_000 {
            // Only the first one says that it hears.
            ranges.beat(1, &[], ranges.horizons().0);
            match got(ranges.ask(at(ask), 1, ask, ROWS)).as_slice() {
                [(1, Some(range))] => last = range.end,
                [] => {
                    blocked = Some(ask);
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        let blocked = blocked.expect("the other one has heard of no later horizon");
        let known = ranges.horizons().1[0].1;
        assert!(last <= known && !ranges.cancel(1, blocked + 1));
        // It has no seat any longer: it does not count.
        let (_, answers) = ranges.unseated(2);
        assert_eq!(answers.len(), 1);
    }

    #[test]
    fn a_master_that_starts_again_begins_where_nobody_was() {
        let mut before = ranges(ROWS, Some(1_000));
        let mut last = 0;
        for ask in 0..5 {
            for (_, range) in got(before.ask(at(ask * 100), 1, ask, ROWS)) {
                last = range.unwrap().end;
            }
        }
        let (statement, horizons) = before.horizons();
        assert!(statement >= 1);
        let mut after = Ranges::default();
        after.go_on_from(&horizons);
        after.declare(ROWS, Some(1_000));
        after.seated(1);
        let mut first = after.ask(at(0), 1, 1, ROWS);
        first.extend(after.beat(1, &[], after.horizons().0));
        let (_, first) = got(first).remove(0);
        assert!(first.unwrap().start >= last);
        // Nobody who knows has come.
        let mut after = Ranges::default();
        after.declare(ROWS, Some(1_000));
        after.burn();
        assert_eq!(got(after.ask(at(0), 1, 1, ROWS)), [(1, None)]);
        // A file says what was stated.
        before.restart();
        before.seated(1);
        before.ask(at(0), 1, 1, ROWS);
        let answers = got(before.beat(1, &[], before.horizons().0));
        assert!(answers.is_empty() || answers[0].1.clone().unwrap().start >= last);
    }

    #[test]
    fn iterations_of_a_lost_worker_are_given_out_again() {
        let mut ranges = ranges(Counted::Iterations, Some(40));
        let mut count = 0;
        for ask in 0.. {
            let answers = got(ranges.ask(at(ask), 1, ask, Counted::Iterations));
            ranges.beat(1, &[], ranges.horizons().0);
            ranges.beat(2, &[], ranges.horizons().0);
            match answers.as_slice() {
                [(1, Some(range))] => count += range.end - range.start,
                [(1, None)] => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(count, 40);
        ranges.unseated(1);
        ranges.ended(1, 37);
        let mut again = 0;
        for ask in 0.. {
            match got(ranges.ask(at(ask), 2, ask, Counted::Iterations)).as_slice() {
                [(2, Some(range))] => again += range.end - range.start,
                other => {
                    assert_eq!(other, [(2, None)]);
                    break;
                }
            }
        }
        assert_eq!(again, 3);
    }
}
