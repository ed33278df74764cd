//! Which workers are there, by their beats.
//!
//! Owns when a worker is late, missing, without its share, and lost. Acts on nothing.
//!
//! | stand | since | what follows |
//! |---|---|---|
//! | present | a beat | |
//! | late | 3 s without one | it is shown |
//! | missing | 5 s | it is shown; nothing waits for it that need not |
//! | moved | 15 s (`--worker-timeout`), or 2 s after its connection was closed | its users are others' |
//! | lost | 60 s, or as long as moved if that is longer | its numbers are waited for no longer |
//!
//! A connection that is *closed* was closed by the worker's kernel, which does that when a process
//! dies. One that is *reset* says nothing: middleboxes do that too. Coming back costs a late or a
//! missing worker nothing. A master that stood still itself gives everybody that time: their beats
//! lie in its sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FENCE_AFTER_END, LATE, LOST, MISSING, MOVES, MOVES_AFTER_END};
use crate::clock::Micros;

/// Looked at less often than this, the master itself was standing still.
const STILL: Duration = Duration::from_secs(2);

/// How a worker stands; later ones are worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stand {
    /// It says what it should.
    #[default]
    Present,
    /// It has not for a while.
    Late,
    /// A person should look.
    Missing,
    /// Its users are others'.
    Moved,
    /// Nothing waits for it.
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    heard: Micros,
    /// Its connection was closed then, and there is no other.
    ended: Option<Micros>,
    stand: Stand,
}

impl Seen {
    fn stand_at(&self, now: Micros, moves: Duration) -> Stand {
        let silent = |length: Duration| self.heard + length <= now;
        let ended = self
            .ended
            .is_some_and(|ended| ended + MOVES_AFTER_END <= now);
        match () {
            () if silent(LOST.max(moves)) => Stand::Lost,
            () if ended || silent(moves) => Stand::Moved,
            () if silent(MISSING) => Stand::Missing,
            () if silent(LATE) => Stand::Late,
            () => Stand::Present,
        }
    }
}

/// All workers, by their index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Roster {
    #[serde(skip)]
    seen: BTreeMap<u32, Seen>,
    #[serde(skip)]
    looked: Option<Micros>,
    /// How long a silent worker keeps its users.
    moves: Duration,
}

impl Default for Roster {
    fn default() -> Roster {
        Roster::new(MOVES)
    }
}

impl Roster {
    /// Nobody yet; whoever is silent for `moves` is without its users then.
    #[must_use]
    pub fn new(moves: Duration) -> Roster {
        Roster {
            seen: BTreeMap::new(),
            looked: None,
            moves,
        }
    }

    /// How long a silent worker keeps its users.
    #[must_use]
    pub fn moves(&self) -> Duration {
        self.moves
    }

    /// A worker says something: it is there. Returns how it stood, if it did not stand well.
    pub fn heard(&mut self, now: Micros, worker: u32) -> Option<Stand> {
        let seen = self.seen.entry(worker).or_insert(Seen {
            heard: now,
            ended: None,
            stand: Stand::Present,
        });
        seen.heard = now;
        seen.ended = None;
        let stood = std::mem::take(&mut seen.stand);
        (stood != Stand::Present).then_some(stood)
    }

    /// Its connection was closed by its kernel.
    pub fn ended(&mut self, now: Micros, worker: u32) {
        if let Some(seen) = self.seen.get_mut(&worker) {
            seen.ended.get_or_insert(now);
        }
    }

    /// It has left.
    pub fn left(&mut self, worker: u32) {
        self.seen.remove(&worker);
    }

    /// Those that stand worse than before, in the order of their indices.
    pub fn look(&mut self, now: Micros) -> Vec<(u32, Stand)> {
        let still = self.looked.map_or(0, |looked| now.since(looked));
        self.looked = Some(now);
        let mut worse = Vec::new();
        for (worker, seen) in &mut self.seen {
            if still >= STILL.as_micros() as u64 {
                seen.heard = seen.heard + Duration::from_micros(still);
                seen.heard = seen.heard.min(now);
                seen.ended = seen.ended.map(|_| now);
            }
            let stand = seen.stand_at(now, self.moves);
            if stand > seen.stand {
                seen.stand = stand;
                worse.push((*worker, stand));
            }
        }
        worse
    }

    /// How a worker stands; who has left is lost.
    #[must_use]
    pub fn stand(&self, worker: u32) -> Stand {
        self.seen
            .get(&worker)
            .map_or(Stand::Lost, |seen| seen.stand)
    }

    /// Whether its connection was closed and no other has come: its process has died.
    #[must_use]
    pub fn is_closed(&self, worker: u32) -> bool {
        let seen = self.seen.get(&worker);
        seen.is_none_or(|seen| seen.ended.is_some())
    }

    /// Until when a worker that is gone may have made requests. A process that has died made no more;
    /// if it was something on the way that ended the connection, its users began nothing after this.
    #[must_use]
    pub fn at_work_until(&self, now: Micros, worker: u32) -> Micros {
        let ended = self.seen.get(&worker).and_then(|seen| seen.ended);
        ended.map_or(now, |ended| now.min(ended + FENCE_AFTER_END))
    }

    /// When it was heard last.
    #[must_use]
    pub fn last_heard(&self, worker: u32) -> Option<Micros> {
        Some(self.seen.get(&worker)?.heard)
    }

    /// Those of which something can be expected.
    #[must_use]
    pub fn there(&self) -> usize {
        let there = self.seen.values();
        there.filter(|seen| seen.stand < Stand::Moved).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Micros {
        Micros::default() + Duration::from_secs(secs)
    }

    /// Looks every second until then.
    fn looked(roster: &mut Roster, seconds: std::ops::Range<u64>) -> Vec<(u64, u32, Stand)> {
        let looks = seconds.map(|second| (second, roster.look(at(second))));
        let worse = looks.flat_map(|(second, worse)| worse.into_iter().map(move |it| (second, it)));
        worse
            .map(|(at, (worker, stand))| (at, worker, stand))
            .collect()
    }

    #[test]
    fn silence_makes_a_worker_late_missing_moved_and_lost() {
        let mut roster = Roster::default();
        assert_eq!(roster.heard(at(0), 1), None);
        let worse = looked(&mut roster, 0..100);
        assert_eq!(
            worse,
            [
                (3, 1, Stand::Late),
                (5, 1, Stand::Missing),
                (15, 1, Stand::Moved),
                (60, 1, Stand::Lost)
            ]
        );
        assert_eq!(roster.heard(at(100), 1), Some(Stand::Lost));
        assert_eq!(roster.stand(1), Stand::Present);
    }

    #[test]
    fn who_was_closed_loses_its_share_unless_it_comes_back() {
        let mut roster = Roster::default();
        roster.heard(at(0), 1);
        roster.heard(at(0), 2);
        roster.ended(at(1), 1);
        roster.ended(at(1), 2);
        roster.heard(at(2), 2);
        assert_eq!(looked(&mut roster, 0..5)[0], (3, 1, Stand::Moved));
        assert_eq!((roster.stand(2), roster.there()), (Stand::Present, 1));
        let until = roster.at_work_until(at(9), 1);
        assert_eq!(until, at(1) + FENCE_AFTER_END);
        assert_eq!(roster.at_work_until(at(9), 2), at(9));
        roster.left(2);
        assert_eq!(roster.there(), 0);
    }

    #[test]
    fn a_master_that_stood_still_blames_nobody() {
        let mut roster = Roster::default();
        roster.look(at(0));
        roster.heard(at(0), 1);
        roster.look(at(1));
        assert_eq!(roster.look(at(31)), []);
        assert_eq!(looked(&mut roster, 32..34), [(33, 1, Stand::Late)]);
    }
}
