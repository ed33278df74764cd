//! When a worker connects to its master.
//!
//! Owns the attempts: one at a time, 0.1 s after a connection was lost, then twice as long up to
//! 5 s, each half shorter to half longer, so that a thousand workers do not come at once. After
//! three seconds of silence a second connection is tried beside the first: a pod that was deleted
//! sends no reset. An attempt that leads to no welcome in [`PATIENCE`] is given up.

use std::time::Duration;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

use crate::clock::Micros;
use crate::cluster::LATE;
use crate::cluster::hello::{Conn, PATIENCE};

/// The first time between attempts, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The longest time between attempts, half longer than meant, is well within a fence: what is
/// learned from one has to last until the next.
fn longest(fence: Duration) -> Duration {
    WAITS.1.min(fence / 12 * 5)
}

/// An attempt that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) conn: Conn,
    pub(super) since: Micros,
    /// When its hello was sent.
    pub(super) hello: Option<Micros>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Connect(Conn),
    GiveUp(Conn),
}

#[derive(Clone, Debug)]
pub(super) struct Link {
    chance: SplitMix64,
    wait: Duration,
    longest: Duration,
    next: Micros,
    made: u64,
    pub(super) trying: Option<Attempt>,
}

impl Link {
    pub(super) fn new(now: Micros, seed: u64) -> Link {
        Link {
            chance: SplitMix64::seed_from_u64(seed),
            wait: WAITS.0,
            longest: WAITS.1,
            next: now,
            made: 0,
            trying: None,
        }
    }

    /// What to do now, if anything. `heard` is when the standing connection last said something.
    pub(super) fn look(&mut self, now: Micros, heard: Option<Micros>) -> Option<Move> {
        if let Some(attempt) = self.trying {
            if attempt.since + PATIENCE > now {
                return None;
            }
            self.failed(now);
            return Some(Move::GiveUp(attempt.conn));
        }
        let is_silent = heard.is_none_or(|heard| heard + LATE <= now);
        if !is_silent || self.next > now {
            return None;
        }
        self.made += 1;
        let conn = Conn(self.made);
        self.trying = Some(Attempt {
            conn,
            since: now,
            hello: None,
        });
        Some(Move::Connect(conn))
    }

    /// The attempt under way, if it is that one.
    pub(super) fn attempt(&mut self, conn: Conn) -> Option<&mut Attempt> {
        self.trying.as_mut().filter(|attempt| attempt.conn == conn)
    }

    /// The attempt under way has led to nothing: the next one later.
    pub(super) fn failed(&mut self, now: Micros) {
        self.trying = None;
        let half = self.wait / 2;
        let whole_us = u64::try_from(self.wait.as_micros()).unwrap_or(u64::MAX);
        let more = Duration::from_micros(self.chance.next_u64() % whole_us.max(1));
        self.next = now + half + more;
        self.wait = (self.wait * 2).min(self.longest);
    }

    /// It was welcomed; users may begin iterations for so long after a sign.
    pub(super) fn stands(&mut self, fence: Duration) {
        self.longest = longest(fence);
        self.trying = None;
        self.wait = WAITS.0;
    }

    /// The standing connection was lost.
    pub(super) fn lost(&mut self, now: Micros) {
        if self.trying.is_none() {
            self.failed(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{MOVES, MOVES_BOUNDS, fence};

    fn at(millis: u64) -> Micros {
        Micros::default() + Duration::from_millis(millis)
    }

    #[test]
    fn attempts_come_more_and_more_rarely() {
        let mut link = Link::new(at(0), 1);
        let mut moments = Vec::new();
        for now in (0..60_000).map(at) {
            if let Some(Move::Connect(_)) = link.look(now, None) {
                moments.push(now.get() / 1_000);
                link.failed(now);
            }
        }
        let gaps: Vec<_> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((50..=151).contains(&gaps[0]), "{gaps:?}");
        assert!(
            gaps[7..].iter().all(|gap| (2_500..=7_501).contains(gap)),
            "{gaps:?}"
        );
    }

    #[test]
    fn attempts_are_well_within_any_fence() {
        for moves in [MOVES_BOUNDS.0, MOVES, MOVES_BOUNDS.1] {
            assert!(longest(fence(moves)) * 3 / 2 < fence(moves) * 2 / 3);
        }
    }

    #[test]
    fn a_silent_connection_gets_a_second_one_beside_it() {
        let mut link = Link::new(at(0), 1);
        assert_eq!(link.look(at(0), None), Some(Move::Connect(Conn(1))));
        link.stands(Duration::from_secs(12));
        assert_eq!(link.look(at(2_999), Some(at(0))), None);
        assert_eq!(
            link.look(at(3_000), Some(at(0))),
            Some(Move::Connect(Conn(2)))
        );
        assert_eq!(link.look(at(7_999), Some(at(0))), None);
        assert_eq!(
            link.look(at(8_000), Some(at(0))),
            Some(Move::GiveUp(Conn(2)))
        );
    }
}
