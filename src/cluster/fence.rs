//! Until when a worker's users may begin iterations without hearing from the master.
//!
//! Owns that moment. Load threads compare it with the clock before each iteration and begin none
//! after it; they stop nothing. It is what keeps a user from running twice: the master gives a
//! silent worker's users to others only when this moment has passed for sure.
//!
//! A *sign* is anything that proves what the master knew at a moment of this worker's clock:
//!
//! - the echo of a beat, for the same seat: the beat had arrived, so the master counts the worker
//!   timeout from a moment after its sending;
//! - a connection that is refused: no master was there after the attempt was made, and one that is
//!   started later moves nothing for that time. That counts only if the first refusal came within it
//!   after the last echo: a worker that was cut off for longer may
//!   have lost its users to others before its master went.
//!
//! Both count from when they were *sent*, so no delay on the way can extend them. Refusals are why
//! load goes on without a master; a proxy that refuses for a living master, or answers for a dead
//! one, breaks that inference.

use std::time::Duration;

use super::{FENCE_AFTER_END, fence};
use crate::clock::Micros;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    /// When the last sign was sent.
    sign: Micros,
    /// Since when the worker has no connection, if the last one was ended from outside.
    ended: Option<Micros>,
    /// For how long a sign is good.
    length: Duration,
}

impl Fence {
    /// The worker takes a seat by what it sent at `sent`; its users are given to others after
    /// `moves` without a sign of it.
    #[must_use]
    pub fn new(sent: Micros, moves: Duration) -> Fence {
        Fence {
            sign: sent,
            ended: None,
            length: fence(moves),
        }
    }

    /// From now on they are given to others after `moves`: another master says so.
    pub fn moves_after(&mut self, moves: Duration) {
        self.length = fence(moves);
    }

    /// Iterations may begin before this moment.
    #[must_use]
    pub fn until(self) -> Micros {
        let ended = self.ended.map(|ended| ended + FENCE_AFTER_END);
        ended.unwrap_or(Micros::NEVER).min(self.sign + self.length)
    }

    /// When the last sign was sent.
    #[must_use]
    pub fn sign(self) -> Micros {
        self.sign
    }

    /// The beat sent then was echoed.
    pub fn echoed(&mut self, sent: Micros) {
        self.sign = self.sign.max(sent);
    }

    /// The attempt made then was refused.
    pub fn refused(&mut self, sent: Micros) {
        self.sign = self.sign.max(sent);
        self.ended = None;
    }

    /// The connection has ended, at its other end or on the way.
    pub fn ended(&mut self, now: Micros) {
        self.ended.get_or_insert(now);
    }

    /// A connection stands.
    pub fn stands(&mut self) {
        self.ended = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{MOVES, MOVES_AFTER_END, MOVES_BOUNDS};

    fn at(millis: u64) -> Micros {
        Micros::default() + Duration::from_millis(millis)
    }

    #[test]
    fn it_is_before_the_master_moves_anything() {
        for moves in [MOVES, MOVES_BOUNDS.0, MOVES_BOUNDS.1] {
            assert!(fence(moves) < moves && FENCE_AFTER_END < MOVES_AFTER_END);
        }
    }

    #[test]
    fn what_was_sent_counts_and_not_what_came() {
        let mut fence = Fence::new(at(0), MOVES);
        assert_eq!(fence.until(), at(12_000));
        fence.echoed(at(5_000));
        fence.echoed(at(4_000));
        assert_eq!(fence.until(), at(17_000));
    }

    #[test]
    fn the_end_of_the_connection_closes_it_until_another_stands_or_nobody_is_there() {
        let mut fence = Fence::new(at(0), MOVES);
        fence.ended(at(5_000));
        fence.ended(at(5_500));
        assert_eq!(fence.until(), at(6_500));
        let mut refused = fence;
        refused.refused(at(5_400));
        assert_eq!(refused.until(), at(17_400));
        fence.stands();
        assert_eq!(fence.until(), at(12_000));
    }
}
