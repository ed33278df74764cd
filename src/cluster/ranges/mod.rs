//! Numbers of which each is given out once: turns for rows, and iterations.
//!
//! Owns who gets which range, and how far it may go. What was handed to a worker is never handed to
//! another, unless the worker gives it back: no deadline makes that safe, since a process may be
//! frozen between looking at its clock and sending.
//!
//! - A range is about a second of use: it doubles for who asks again within a second, and halves
//!   for who takes longer than four. Iterations get smaller towards the end.
//! - What a lost worker had is burned, and named. Iterations that it did not report as begun are
//!   given out again once it is lost for good. So there are none left only when nobody has any that
//!   it may still begin: who asks for more has begun all that it had.
//! - Callers know so many rows, fewer before an edit that appended some. Which rows belong to turns
//!   is settled here for each number of rows, when the first turn for them is asked for.
//! - A master that is started again must not begin before what was given out. So nothing is given
//!   out beyond a *horizon* that all who have a seat (and the state file, if there is one) have
//!   been told of: each of them alone can say where it is safe to go on. That burns what lay
//!   between, about half a minute of use. If nobody comes back who had a seat when the master went,
//!   a source with an end is used up: that is said, and no row comes twice.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::{Answer, Counted, MOST_SOURCES};
use crate::clock::Micros;
use crate::data::{Course, Mode};
use rows::RowCourses;

/// The most numbers of one range.
pub const MOST: u64 = 10_000;

/// A horizon is so many ranges of each worker away: a file is written every ten seconds, and a
/// worker may be silent for fifteen before it has no seat.
const AHEAD: u64 = 32;

/// An answer for a worker's question.
pub type Answered = (u32, u64, Answer);

/// All sources of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ranges {
    pools: BTreeMap<Counted, Pool>,
    /// Nothing is given out: those who know where it is safe may still come.
    is_held: bool,
    /// Who asks for the course of how many rows of which source, until it is known from where these
    /// go on.
    #[serde(skip)]
    courses: Vec<(u32, u64, u64, u64)>,
    /// By worker with a seat: the statement it has heard of.
    #[serde(skip)]
    told: BTreeMap<u32, u64>,
    /// What the state file has, if there is one.
    kept: Option<u64>,
    /// The number of the statement that horizons were last told with.
    statement: u64,
    horizons: Arc<[(Counted, u64)]>,
}

/// One source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Pool {
    /// It is known what it is of. Of another one, nothing is given out.
    is_declared: bool,
    next: u64,
    end: Option<u64>,
    /// Up to here numbers may be given out.
    safe: u64,
    /// What was stated last.
    stated: u64,
    #[serde(skip)]
    returned: VecDeque<Range<u64>>,
    #[serde(skip)]
    had: BTreeMap<u32, Had>,
    /// How many iterations a worker had begun when it was given up last.
    started_before: BTreeMap<u32, u64>,
    /// Who asks, its number of the question, and below which number it can use any.
    #[serde(skip)]
    waiting: VecDeque<(u32, u64, u64)>,
    rows: Option<RowCourses>,
}

/// What a worker has of a source.
#[derive(Clone, Copy, Debug, Default)]
struct Had {
    granted: u64,
    returned: u64,
    /// Used, as it has told so far; and what it had used of what an earlier master gave it.
    used: u64,
    used_before: u64,
    /// Of these, named as burned.
    burned: u64,
    size: u64,
    asked: Micros,
    /// It has got some since it asked or gave back.
    has_some: bool,
}

impl Had {
    /// What it may have that it has not used, at most.
    fn unused(&self) -> u64 {
        let gone = self.returned + self.used + self.burned;
        self.granted.saturating_sub(gone)
    }
}

impl Pool {
    /// How many there are below `within`.
    fn left(&self, within: u64) -> u64 {
        if !self.is_declared {
            return 0;
        }
        let end = self.end.unwrap_or(u64::MAX).min(within);
        let returned = self.returned.iter();
        let returned = returned.map(|range| range.end.min(within).saturating_sub(range.start));
        end.saturating_sub(self.next) + returned.sum::<u64>()
    }

    /// So many numbers below `within` at most; `None` until the horizon has moved.
    fn draw(&mut self, count: u64, within: u64) -> Option<Range<u64>> {
        if !self.is_declared {
            return None;
        }
        let mut returned = self.returned.iter();
        if let Some(at) = returned.position(|range| range.start < within) {
            let range = self.returned.remove(at)?;
            let middle = range.end.min(range.start + count).min(within);
            if middle < range.end {
                self.returned.push_front(middle..range.end);
            }
            return Some(range.start..middle);
        }
        let end = self.end.unwrap_or(u64::MAX).min(self.safe).min(within);
        let range = self.next..end.min(self.next + count);
        if range.is_empty() {
            return None;
        }
        self.next = range.end;
        Some(range)
    }

    /// Whether somebody may still use what was given out, or give it back.
    fn is_with_somebody(&self) -> bool {
        self.had.values().any(|had| had.has_some)
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
        let pool = self.pools.entry(of).or_default();
        (pool.is_declared, pool.end) = (true, end);
        self.settle()
    }

    /// There are so many rows of a source. May be said again; more are appended ones.
    pub fn declare_rows(&mut self, name: u64, mode: Mode, rows: u64) -> Vec<Answered> {
        let of = Counted::Rows(name);
        let end = (mode == Mode::Unique).then_some(rows);
        let ends = self.pools.get(&of).and_then(|pool| pool.end);
        let answers = self.declare(of, end.map(|end| end.max(ends.unwrap_or(0))));
        if let Some(pool) = self.pools.get_mut(&of) {
            let next = pool.next;
            let known = pool.rows.get_or_insert_with(|| RowCourses::new(mode));
            known.declare(rows, next);
        }
        answers
    }

    /// A question which rows belong to turns of a source, for callers who know so many.
    pub fn ask_course(&mut self, (worker, ask): (u32, u64), name: u64, rows: u64) -> Vec<Answered> {
        if self.is_held {
            self.courses.push((worker, ask, name, rows));
            return Vec::new();
        }
        let answer = match self.course(name, rows) {
            Some(course) => Answer::Course(course),
            None => Answer::UsedUp(Counted::Rows(name)),
        };
        vec![(worker, ask, answer)]
    }

    fn course(&mut self, name: u64, rows: u64) -> Option<Course> {
        let pool = self.pools.get_mut(&Counted::Rows(name))?;
        let next = pool.next;
        pool.rows.as_mut()?.course(rows, next)
    }

    /// A worker has a seat.
    pub fn seated(&mut self, worker: u32) {
        self.told.entry(worker).or_insert(0);
    }

    /// It has none any longer: what it had and may not have used is burned.
    pub fn unseated(&mut self, worker: u32) -> (Vec<(Counted, u64)>, Vec<Answered>) {
        self.told.remove(&worker);
        self.courses.retain(|(waits, ..)| *waits != worker);
        let mut burned = Vec::new();
        for (of, pool) in &mut self.pools {
            pool.waiting.retain(|(waits, ..)| *waits != worker);
            if let Some(had) = pool.had.get_mut(&worker)
                && had.unused() > 0
            {
                burned.push((*of, had.unused()));
                had.burned += had.unused();
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
            // It may have been here before.
            let before = pool.started_before.insert(worker, started).unwrap_or(0);
            let started = started.saturating_sub(before);
            let unused = had.granted.saturating_sub(had.returned + started);
            // Iterations have no faces: those at the end are as good as these.
            pool.next = pool.next.saturating_sub(unused);
        }
        self.settle()
    }

    /// A worker's beat: what it has used in all, and the statement it has heard of.
    pub fn beat(&mut self, worker: u32, used: &[(Counted, u64)], statement: u64) -> Vec<Answered> {
        for (of, used) in used {
            if let Some(pool) = self.pools.get_mut(of) {
                // Of an earlier master it may have got some.
                let had = pool.had.entry(worker).or_insert_with(|| Had {
                    used_before: *used,
                    ..Had::default()
                });
                let used = used.saturating_sub(had.used_before);
                had.used = had.used.max(used).min(had.granted);
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

    /// A question for a range of numbers below `within`.
    pub fn ask(
        &mut self,
        now: Micros,
        (worker, ask): (u32, u64),
        of: Counted,
        within: u64,
    ) -> Vec<Answered> {
        if self.is_held && self.pools.len() < MOST_SOURCES {
            // What it is of is still to be said, by a run that is not there yet.
            self.pools.entry(of).or_default();
        }
        let Some(pool) = self.pools.get_mut(&of) else {
            return vec![(worker, ask, Answer::UsedUp(of))];
        };
        let had = pool.had.entry(worker).or_default();
        had.has_some = false;
        let since = now.since(std::mem::replace(&mut had.asked, now));
        had.size = match had.size {
            0 => 1,
            size if since < Duration::from_secs(1).as_micros() as u64 => (size * 2).min(MOST),
            size if since > Duration::from_secs(4).as_micros() as u64 => (size / 2).max(1),
            size => size,
        };
        // Without an end, any number is as good.
        let within = pool.end.map_or(u64::MAX, |_| within);
        pool.waiting.push_back((worker, ask, within));
        self.settle()
    }

    /// A question is taken back; true if it was still open.
    pub fn cancel(&mut self, worker: u32, ask: u64) -> bool {
        let before = self.courses.len();
        self.courses
            .retain(|(waits, number, ..)| (*waits, *number) != (worker, ask));
        let mut was_open = self.courses.len() < before;
        for pool in self.pools.values_mut() {
            let before = pool.waiting.len();
            pool.waiting
                .retain(|(waits, number, _)| (*waits, *number) != (worker, ask));
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
        had.has_some = false;
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
        self.courses.clear();
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
        let courses = std::mem::take(&mut self.courses).into_iter();
        let mut answers: Vec<Answered> = courses
            .flat_map(|(worker, ask, name, rows)| self.ask_course((worker, ask), name, rows))
            .collect();
        answers.extend(self.settle());
        answers
    }

    /// Open questions.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let waiting = self.pools.values().map(|pool| pool.waiting.len());
        waiting.sum::<usize>() + self.courses.len()
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
            while let Some((worker, ask, within)) = pool.waiting.front().copied() {
                let left = pool.left(within);
                let had = pool.had.entry(worker).or_default();
                let share = match of {
                    Counted::Iterations => left / (4 * workers as u64).max(1),
                    Counted::Rows(_) => u64::MAX,
                };
                let count = had.size.min(share).max(1);
                let answer = match pool.draw(count, within) {
                    Some(range) => {
                        let had = pool.had.entry(worker).or_default();
                        had.granted += range.end - range.start;
                        had.has_some = true;
                        Answer::Range(*of, range)
                    }
                    None if left > 0 => break,
                    // Whoever has some may be lost before it begins them.
                    None if *of == Counted::Iterations && pool.is_with_somebody() => break,
                    None => Answer::UsedUp(*of),
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
            horizon > pool.stated && horizon - pool.next > 2 * (pool.stated - pool.next)
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
