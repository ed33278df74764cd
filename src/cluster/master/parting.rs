//! Workers that go: without their users, for good, and all of them at the end of the run.
//!
//! Owns what becomes of what they had, and when nothing is waited for any longer.

use std::time::Duration;

use super::record::{Life, Record};
use super::{Master, MasterAction};
use crate::clock::Micros;
use crate::cluster::fence;
use crate::cluster::message::{Seat, Told};
use crate::cluster::roster::Stand;

impl<R: Clone> Master<R> {
    /// Workers that are there.
    #[must_use]
    pub fn workers(&self) -> u32 {
        u32::try_from(self.roster.there()).unwrap_or(u32::MAX)
    }

    /// Its users are given to others.
    pub(super) fn unseat(&mut self, now: Micros, worker: u32) {
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        record.is_offered = false;
        record.is_untold = false;
        if let Some(Seat { member, .. }) = record.seat.take() {
            self.by_member.remove(&member);
            self.actions.push(MasterAction::Gone(member));
            self.gathering.on(now);
        }
        // Also without a seat: a turn may have been given to one of its last questions.
        self.clear(worker, false);
    }

    /// It has no users any longer: what they asked for and had is free, or burned if they have not
    /// ended by themselves, and so given back what they had not used.
    pub(super) fn clear(&mut self, worker: u32, have_ended: bool) {
        let answers = self.commons.gone(worker);
        self.answer(answers);
        let (burned, answers) = self.ranges.unseated(worker);
        self.answer(answers);
        if !burned.is_empty() && !have_ended {
            self.actions.push(MasterAction::Burned(worker, burned));
        }
        // Of a process that has died nothing more will come.
        if self.roster.is_closed(worker)
            && let Some(record) = self.records.get(&worker)
        {
            let answers = self.ranges.ended(worker, record.started);
            self.answer(answers);
        }
    }

    /// Nothing waits for its numbers any longer.
    pub(super) fn lose(&mut self, now: Micros, worker: u32) {
        let rate = self
            .records
            .values()
            .map(|record| record.told.rate_of_user());
        let rate = rate.fold(0.0, f64::max);
        let fence = fence(self.roster.moves());
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        if record.life == Life::Left {
            return;
        }
        let until = self.roster.at_work_until(now, worker);
        let missing = record.missing(rate, self.users, until, fence);
        let started = record.started;
        let before = std::mem::replace(&mut record.lost, record.samples + missing);
        self.lost = self.lost - before + record.lost;
        self.actions.push(MasterAction::Missing(worker, missing));
        let answers = self.ranges.ended(worker, started);
        self.answer(answers);
    }

    pub(super) fn end(&mut self, now: Micros, limit: Duration) {
        // Those of the last master may still come, and then get as long as any. A person may not
        // want to wait for that.
        let since = match self.is_adopting && !limit.is_zero() {
            true => (self.began + self.adopts_for).max(now),
            false => now,
        };
        let ends = since + limit;
        self.ends = Some(self.ends.map_or(ends, |before| before.min(ends)));
        let idle = self.records.iter();
        let idle = idle.filter(|(_, record)| record.seat.is_none() && record.is_offered);
        let idle: Vec<u32> = idle.map(|(worker, _)| *worker).collect();
        for worker in idle {
            self.tell(worker, Told::Finish);
        }
    }

    /// The run is over: is there anybody left to wait for?
    pub(super) fn look_at_end(&mut self, now: Micros, ends: Micros) {
        let waits = |(worker, record): (&u32, &Record)| {
            let is_dead =
                self.roster.stand(*worker) >= Stand::Moved && self.roster.is_closed(*worker);
            record.life == Life::There && !is_dead && self.roster.stand(*worker) < Stand::Lost
        };
        let are_some = self.is_adopting || self.records.iter().any(waits);
        if self.is_over || (ends > now && are_some) {
            return;
        }
        self.is_over = true;
        let there = self.records.iter();
        let there = there.filter(|(worker, record)| {
            record.life != Life::Left && self.roster.stand(**worker) < Stand::Lost
        });
        let there: Vec<u32> = there.map(|(worker, _)| *worker).collect();
        for worker in there {
            self.lose(now, worker);
        }
        if self.asks_again() {
            let done = self.records.iter();
            let done = done.filter(|(_, record)| record.life == Life::Left);
            let done: Vec<u32> = done.map(|(worker, _)| *worker).collect();
            let is_wanted_again = true;
            for worker in done {
                self.tell(worker, Told::Farewell { is_wanted_again });
            }
        }
        self.actions.push(MasterAction::Over);
    }

    /// Whether workers that have done their part stay until the run is over: those that came again
    /// before that would come to the old one.
    pub(super) fn asks_again(&self) -> bool {
        self.goes_on && self.ends.is_some()
    }
}
