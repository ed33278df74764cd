//! Who has a seat.
//!
//! Owns giving them, and when it is known which of the last master's are kept.

use super::record::Life;
use super::{Master, MasterAction};
use crate::clock::Micros;
use crate::cluster::message::Seat;
use crate::cluster::roster::Stand;

impl<R: Clone> Master<R> {
    /// How many members there are.
    #[must_use]
    pub fn seats(&self) -> usize {
        self.by_member.len()
    }

    /// Nobody else comes from the last master.
    pub(super) fn settle(&mut self, now: Micros) {
        self.is_adopting = false;
        if !self.knows_horizons {
            self.ranges.burn();
        }
        let answers = self.ranges.release();
        self.answer(answers);
        self.actions.push(MasterAction::Settled);
        self.gathering.on(now);
    }

    /// Whether a worker is there and can be given a seat.
    #[must_use]
    pub fn is_free(&self, worker: u32) -> bool {
        let record = self.records.get(&worker);
        let is_there = record.is_some_and(|record| {
            record.life == Life::There && record.seat.is_none() && !record.is_leaving
        });
        is_there && self.roster.stand(worker) < Stand::Moved
    }

    pub(super) fn seat(&mut self, worker: u32, member: u32) {
        let record = self.records.get(&worker);
        let is_gone = record.is_none_or(|record| record.life != Life::There)
            || self.roster.stand(worker) == Stand::Lost;
        if is_gone || self.ends.is_some() {
            // It has gone since it was offered the seat, or comes too late for it. Of one that may
            // come back it is said when it is lost.
            self.actions.push(MasterAction::Gone(member));
            return;
        }
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        record.seat = Some(Seat {
            epoch: self.epoch,
            member,
        });
        self.is_decided = true;
        self.by_member.insert(member, worker);
        self.ranges.seated(worker);
    }
}
