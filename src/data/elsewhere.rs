//! Turns counted in another process: they come in rations, and are asked for before they run out.
//!
//! Owns what has come and is not taken yet. The [`RationSource`] asks for rations, and puts what
//! comes where all generations of the script find it ([`Rations`]).

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::turns::Course;

/// Asks the process that counts turns. Nothing here waits: what is asked for comes to the rations
/// later.
pub trait RationSource: fmt::Debug + Send + Sync {
    /// What has come of the count with this name.
    fn rations(&self, count: u64) -> Arc<Rations>;

    /// Callers who know so many rows want turns of that count, and which rows belong to them. It is
    /// not asked again until the rations were given some, or that there are none.
    fn want(&self, count: u64, rows: u64);
}

/// The turns of one count that have come to this process, for the users of all generations.
#[derive(Debug, Default)]
pub struct Rations {
    had: Mutex<Had>,
    /// Something has come.
    more: Notify,
}

#[derive(Debug, Default)]
struct Had {
    turns: VecDeque<Range<u64>>,
    /// How many turns these are, and how many the last ration had.
    left: u64,
    size: u64,
    /// How many were taken in all.
    used: u64,
    /// By how many rows a caller knows: which rows belong to turns.
    courses: Vec<(u64, Course)>,
    /// There are none for callers who know so many rows, or fewer.
    used_up: u64,
    /// More were asked for.
    is_asked: bool,
}

impl Rations {
    /// Turns have come.
    pub fn give(&self, turns: Range<u64>) {
        let mut had = self.had();
        had.size = turns.end.saturating_sub(turns.start);
        had.left += had.size;
        had.turns.push_back(turns);
        had.is_asked = false;
        drop(had);
        self.more.notify_waiters();
    }

    /// There are no more for callers who know so many rows. While some are left here that is not
    /// the last word, since other processes may give theirs back: it is asked again when these are
    /// taken.
    pub fn used_up(&self, rows: u64) {
        let mut had = self.had();
        if had.is_empty_for(rows) {
            had.used_up = had.used_up.max(rows);
        }
        had.size = 0;
        had.is_asked = false;
        drop(had);
        self.more.notify_waiters();
    }

    /// Which rows belong to turns, for callers who know so many.
    pub fn course(&self, rows: u64, course: Course) {
        let mut had = self.had();
        if !had.courses.iter().any(|(known, _)| *known == rows) {
            had.courses.push((rows, course));
        }
    }

    /// Whether the course for callers who know so many rows has come.
    #[must_use]
    pub fn has_course(&self, rows: u64) -> bool {
        self.had().courses.iter().any(|(known, _)| *known == rows)
    }

    /// What was asked for does not come; it may be asked for again.
    pub fn forget(&self) {
        self.had().is_asked = false;
        self.more.notify_waiters();
    }

    /// Takes what was not used here, to be given to others.
    #[must_use]
    pub fn give_back(&self) -> Vec<Range<u64>> {
        let mut had = self.had();
        had.left = 0;
        let turns = std::mem::take(&mut had.turns);
        turns
            .into_iter()
            .filter(|turns| !turns.is_empty())
            .collect()
    }

    /// How many turns were taken in this process.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.had().used
    }

    fn had(&self) -> MutexGuard<'_, Had> {
        // Nothing under it can panic half-way.
        self.had.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Had {
    /// Whether nothing has come for a caller who knows so many rows; without an end of them any
    /// number is as good.
    fn is_empty_for(&self, rows: u64) -> bool {
        let mut turns = self.turns.iter();
        turns.all(|turns| turns.is_empty() || turns.start >= rows)
    }

    /// The first turn below `end`.
    fn turn(&mut self, end: u64) -> Option<u64> {
        while let Some(turns) = self.turns.front_mut() {
            if turns.start >= end {
                return None;
            }
            if let Some(turn) = turns.next() {
                self.left -= 1;
                self.used += 1;
                return Some(turn);
            }
            self.turns.pop_front();
        }
        None
    }
}

/// What there is at once.
pub(super) enum Next {
    /// A turn, and the course that it belongs to.
    Turn(u64, Course),
    UsedUp,
    /// It has been asked for.
    Asked,
}

/// Where the turns of a declaration come from.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// The name of the count.
    count: u64,
    rows: u64,
    /// Turns end with the rows.
    has_end: bool,
    rations: Arc<Rations>,
    asks: Arc<dyn RationSource>,
}

impl Elsewhere {
    pub(super) fn new(
        count: u64,
        rows: u64,
        has_end: bool,
        asks: Arc<dyn RationSource>,
    ) -> Elsewhere {
        Elsewhere {
            count,
            rows,
            has_end,
            rations: asks.rations(count),
            asks,
        }
    }

    /// What there is at once. Asks for more when half of the last ration is taken, so that users
    /// wait only for what nobody could foresee.
    pub(super) fn next(&self) -> Next {
        let mut had = self.rations.had();
        let next = self.of(&mut had);
        let is_low = match next {
            Next::Turn(..) => had.left * 2 < had.size,
            Next::Asked => true,
            Next::UsedUp => false,
        };
        let asks = is_low && !had.is_asked;
        had.is_asked |= asks;
        drop(had);
        if asks {
            self.asks.want(self.count, self.rows);
        }
        next
    }

    fn of(&self, had: &mut Had) -> Next {
        let mut courses = had.courses.iter();
        let Some((_, course)) = courses.find(|(rows, _)| *rows == self.rows).copied() else {
            return Next::Asked;
        };
        let end = if self.has_end { self.rows } else { u64::MAX };
        match had.turn(end) {
            Some(turn) => Next::Turn(turn, course),
            None if self.rows <= had.used_up => Next::UsedUp,
            None => Next::Asked,
        }
    }

    /// Waits for the next turn; `None` when all are used up. Dropped while waiting, it has taken
    /// nothing.
    pub(super) async fn waited(&self) -> Option<(u64, Course)> {
        loop {
            let mut more = pin!(self.rations.more.notified());
            // Registered before looking, so that what comes in between is not missed.
            more.as_mut().enable();
            match self.next() {
                Next::Turn(turn, course) => return Some((turn, course)),
                Next::UsedUp => return None,
                Next::Asked => more.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::task::{Context, Poll, Waker};

    use super::super::turns::{Mode, Turns};
    use super::*;

    /// Notes what is wanted; the test answers.
    #[derive(Debug, Default)]
    struct Asked {
        rations: Mutex<HashMap<u64, Arc<Rations>>>,
        wanted: Mutex<Vec<(u64, u64)>>,
    }

    impl RationSource for Asked {
        fn rations(&self, count: u64) -> Arc<Rations> {
            self.rations
                .lock()
                .unwrap()
                .entry(count)
                .or_default()
                .clone()
        }

        fn want(&self, count: u64, rows: u64) {
            self.wanted.lock().unwrap().push((count, rows));
        }
    }

    const COUNT: u64 = 5;

    /// A process that has asked for nothing yet.
    struct Process(Arc<Asked>);

    impl Process {
        fn new() -> Process {
            Process(Arc::default())
        }

        fn turns(&self, mode: Mode, rows: u64) -> Arc<Turns> {
            Arc::new(Turns::elsewhere(mode, COUNT, rows, self.0.clone()))
        }

        /// How often turns were wanted since the last look.
        fn wanted(&self) -> usize {
            let wanted = std::mem::take(&mut *self.0.wanted.lock().unwrap());
            assert!(wanted.iter().all(|(count, _)| *count == COUNT));
            wanted.len()
        }

        /// The master answers.
        fn gets(&self, rows: u64, answer: Option<(Range<u64>, Course)>) {
            let rations = self.0.rations(COUNT);
            match answer {
                Some((turns, course)) => {
                    rations.course(rows, course);
                    rations.give(turns);
                }
                None => rations.used_up(rows),
            }
        }

        /// How many rations, and the last of them.
        fn left(&self) -> (usize, Option<Range<u64>>) {
            let mut left = self.0.rations(COUNT).give_back();
            (left.len(), left.pop())
        }
    }

    fn polled(turns: &Turns) -> Poll<Option<u64>> {
        pin!(turns.take(7)).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_has_come_is_taken_at_once_and_the_rest_is_asked_for() {
        let master = Arc::new(Turns::new(Mode::Circular, 3, COUNT));
        let process = Process::new();
        let here = process.turns(Mode::Circular, 3);
        assert!(here.at_once(7).is_pending());
        assert_eq!(polled(&here), Poll::Pending);
        assert_eq!(process.wanted(), 1, "it is asked once for all");
        process.gets(3, master.ration(2));
        // Somebody else's turn is between the rations.
        assert_eq!(master.at_once(7), Poll::Ready(Some(2)));
        assert_eq!(polled(&here), Poll::Ready(Some(0)));
        assert_eq!(process.wanted(), 0);
        assert_eq!(here.at_once(7), Poll::Ready(Some(1)));
        assert_eq!(process.wanted(), 1, "the next is asked for ahead");
        assert!(here.at_once(7).is_pending());
        process.gets(3, master.ration(2));
        assert_eq!(polled(&here), Poll::Ready(Some(0)));
        assert_eq!(process.left(), (1, Some(4..5)));
        assert!(here.at_once(7).is_pending());
        assert_eq!((master.taken(), process.0.rations(COUNT).used()), (5, 3));
    }

    #[test]
    fn unique_rows_end_for_all_and_nobody_waits_any_more() {
        let master = Arc::new(Turns::new(Mode::Unique, 5, COUNT));
        let process = Process::new();
        let here = process.turns(Mode::Unique, 5);
        process.gets(5, master.ration(4));
        process.gets(5, master.ration(4));
        // Others may give some back as long as there are some here.
        process.gets(5, master.ration(4));
        let rows: Vec<_> = (0..5).map(|_| polled(&here)).collect();
        let expected = [Some(0), Some(1), Some(2), Some(3), Some(4)];
        assert_eq!(rows, expected.map(Poll::Ready));
        assert!(here.at_once(7).is_pending());
        process.gets(5, master.ration(4));
        assert_eq!(polled(&here), Poll::Ready(None));
        assert_eq!(here.at_once(7), Poll::Ready(None));
    }

    #[test]
    fn rows_are_those_that_the_master_would_have_handed_out() {
        for mode in [Mode::Circular, Mode::Shuffle, Mode::Unique] {
            // Rows were appended after some turns: the course is settled where the count is.
            let alone = Arc::new(Turns::new(mode, 4, COUNT));
            let master = Arc::new(Turns::new(mode, 4, COUNT));
            for turns in [&alone, &master] {
                (0..3).for_each(|_| assert!(turns.at_once(7).is_ready()));
            }
            let (alone, master) = (alone.among(9), master.among(9));
            let process = Process::new();
            let here = process.turns(mode, 9);
            for _ in 0..12 {
                process.gets(9, master.ration(2));
                for _ in 0..2 {
                    assert_eq!(polled(&here), alone.at_once(7), "{mode:?}");
                }
            }
        }
    }

    #[test]
    fn who_goes_away_while_it_asks_takes_nothing() {
        let process = Process::new();
        let here = process.turns(Mode::Circular, 10);
        let mut context = Context::from_waker(Waker::noop());
        let mut first = Box::pin(here.take(7));
        let mut second = Box::pin(here.take(7));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(first);
        let master = Arc::new(Turns::new(Mode::Circular, 10, COUNT));
        process.gets(10, master.ration(3));
        assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Some(0)));
        assert_eq!(process.left(), (1, Some(1..3)));
    }

    #[test]
    fn generations_share_what_has_come_and_each_takes_rows_that_it_knows() {
        let process = Process::new();
        let old = process.turns(Mode::Unique, 3);
        let new = process.turns(Mode::Unique, 6);
        let master = Arc::new(Turns::new(Mode::Unique, 3, COUNT));
        process.gets(3, master.ration(2));
        assert_eq!(old.at_once(7), Poll::Ready(Some(0)));
        // The new one does not know its course yet.
        assert!(new.at_once(7).is_pending());
        assert_eq!(process.wanted(), 1);
        let master = master.among(6);
        process.gets(6, master.ration(3));
        assert_eq!(new.at_once(7), Poll::Ready(Some(1)));
        assert_eq!(old.at_once(7), Poll::Ready(Some(2)));
        // What is left is of rows that the old one has not.
        assert!(old.at_once(7).is_pending());
        process.gets(3, None);
        assert_eq!(old.at_once(7), Poll::Ready(None));
        assert_eq!(new.at_once(7), Poll::Ready(Some(3)));
    }
}
