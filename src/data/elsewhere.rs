//! Turns counted in another process: they come in rations, and a caller that finds none asks for
//! one.
//!
//! Owns what has come and is not taken yet. The [`RationSource`] asks for rations, and deals with
//! those that are lost on the way.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::sources::Declared;
use super::turns::Course;

/// A reply that may take a while.
pub(crate) type Reply<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Fetches turns from the process that counts them.
pub trait RationSource: fmt::Debug + Send + Sync {
    /// The next turns of a declaration; `None` when its rows are used up.
    ///
    /// A ration dropped before it has arrived goes to the next caller.
    fn turns<'a>(&'a self, of: &'a Declared) -> Reply<'a, Option<Ration>>;
}

/// Turns for one process alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ration {
    /// Which ones.
    pub turns: Range<u64>,
    /// Which rows belong to them.
    pub course: Course,
}

/// The turns of a declaration that have come to this process.
#[derive(Debug)]
pub(super) struct Elsewhere {
    of: Declared,
    asks: Arc<dyn RationSource>,
    had: Mutex<Had>,
    /// Held by the caller that asks, since the others want some of what it gets.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Had {
    rations: VecDeque<Ration>,
    are_used_up: bool,
}

/// What there is at once.
pub(super) enum Next {
    /// A turn, and the course that it belongs to.
    Turn(u64, Course),
    UsedUp,
    /// It has to be asked for.
    Ask,
}

impl Elsewhere {
    pub(super) fn new(of: Declared, asks: Arc<dyn RationSource>) -> Elsewhere {
        Elsewhere {
            of,
            asks,
            had: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn next(&self) -> Next {
        let mut had = self.had();
        while let Some(ration) = had.rations.front_mut() {
            if let Some(turn) = ration.turns.next() {
                return Next::Turn(turn, ration.course);
            }
            had.rations.pop_front();
        }
        match had.are_used_up {
            true => Next::UsedUp,
            false => Next::Ask,
        }
    }

    /// Waits for the next turn; `None` when all are used up. Dropped while waiting, it has taken
    /// nothing.
    pub(super) async fn waited(&self) -> Option<(u64, Course)> {
        let _asking = self.asking.lock().await;
        loop {
            match self.next() {
                Next::Turn(turn, course) => return Some((turn, course)),
                Next::UsedUp => return None,
                Next::Ask => {}
            }
            let ration = self.asks.turns(&self.of).await;
            let mut had = self.had();
            match ration {
                Some(ration) => had.rations.push_back(ration),
                None => had.are_used_up = true,
            }
        }
    }

    /// Takes what was not used here, to be given to others.
    pub(super) fn give_back(&self) -> Vec<Range<u64>> {
        let rations = std::mem::take(&mut self.had().rations);
        let turns = rations.into_iter().map(|ration| ration.turns);
        turns.filter(|turns| !turns.is_empty()).collect()
    }

    fn had(&self) -> std::sync::MutexGuard<'_, Had> {
        // Nothing under it can panic half-way.
        self.had.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::sync::mpsc;

    use super::super::sources::Origin;
    use super::super::turns::{Mode, Turns};
    use super::*;

    /// Answers as the test says, one ration for each time it is asked.
    #[derive(Debug)]
    struct Scripted(tokio::sync::Mutex<mpsc::UnboundedReceiver<Option<Ration>>>);

    impl RationSource for Scripted {
        fn turns<'a>(&'a self, _: &'a Declared) -> Reply<'a, Option<Ration>> {
            Box::pin(async { self.0.lock().await.recv().await.flatten() })
        }
    }

    fn declared(mode: Mode) -> Declared {
        Declared {
            origin: Origin::Array([0; 32]),
            mode,
            repeated: 0,
        }
    }

    fn elsewhere(mode: Mode, rows: u64) -> (Turns, mpsc::UnboundedSender<Option<Ration>>) {
        let (answers, asked) = mpsc::unbounded_channel();
        let asks = Arc::new(Scripted(tokio::sync::Mutex::new(asked)));
        (Turns::elsewhere(declared(mode), rows, asks), answers)
    }

    fn polled(turns: &Turns) -> Poll<Option<u64>> {
        pin!(turns.take(7)).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// How many rations, and the last of them.
    fn left(turns: &Turns) -> (usize, Option<Range<u64>>) {
        let mut left = turns.give_back();
        (left.len(), left.pop())
    }

    #[test]
    fn what_has_come_is_taken_at_once_and_the_rest_is_asked_for() {
        let master = Arc::new(Turns::new(Mode::Circular, 3));
        let (here, answers) = elsewhere(Mode::Circular, 3);
        assert!(here.at_once(7).is_pending());
        assert_eq!(polled(&here), Poll::Pending);
        answers.send(master.ration(2)).unwrap();
        // Somebody else's turn is between the rations.
        assert_eq!(master.at_once(7), Poll::Ready(Some(2)));
        answers.send(master.ration(2)).unwrap();
        assert_eq!(polled(&here), Poll::Ready(Some(0)));
        assert_eq!(here.at_once(7), Poll::Ready(Some(1)));
        assert!(here.at_once(7).is_pending());
        assert_eq!(polled(&here), Poll::Ready(Some(0)));
        assert_eq!(left(&here), (1, Some(4..5)));
        assert!(here.at_once(7).is_pending());
        assert_eq!(master.taken(), 5);
    }

    #[test]
    fn unique_rows_end_for_all_and_nobody_waits_any_more() {
        let master = Arc::new(Turns::new(Mode::Unique, 5));
        let (here, answers) = elsewhere(Mode::Unique, 5);
        answers.send(master.ration(4)).unwrap();
        answers.send(master.ration(4)).unwrap();
        answers.send(master.ration(4)).unwrap();
        let rows: Vec<_> = (0..6).map(|_| polled(&here)).collect();
        let expected = [Some(0), Some(1), Some(2), Some(3), Some(4), None];
        assert_eq!(rows, expected.map(Poll::Ready));
        assert_eq!(here.at_once(7), Poll::Ready(None));
    }

    #[test]
    fn rows_are_those_that_the_master_would_have_handed_out() {
        for mode in [Mode::Circular, Mode::Shuffle, Mode::Unique] {
            // Rows were appended after some turns: the course is settled where the count is.
            let alone = Arc::new(Turns::new(mode, 4));
            let master = Arc::new(Turns::new(mode, 4));
            for turns in [&alone, &master] {
                (0..3).for_each(|_| assert!(turns.at_once(7).is_ready()));
            }
            let (alone, master) = (alone.among(9), master.among(9));
            let (here, answers) = elsewhere(mode, 9);
            for _ in 0..12 {
                answers.send(master.ration(2)).unwrap();
                for _ in 0..2 {
                    assert_eq!(polled(&here), alone.at_once(7), "{mode:?}");
                }
            }
        }
    }

    #[test]
    fn who_goes_away_while_it_asks_takes_nothing() {
        let (here, answers) = elsewhere(Mode::Circular, 10);
        let mut context = Context::from_waker(Waker::noop());
        let mut first = Box::pin(here.take(7));
        let mut second = Box::pin(here.take(7));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(first);
        answers
            .send(Turns::new(Mode::Circular, 10).ration(3))
            .unwrap();
        assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Some(0)));
        assert_eq!(left(&here), (1, Some(1..3)));
    }
}
