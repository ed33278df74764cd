//! What a worker's letters mean.
//!
//! Owns passing them on to the run, the queues and the ranges, and how a worker leaves.

use super::record::Life;
use super::{Master, MasterAction};
use crate::clock::Micros;
use crate::cluster::message::{Answer, Ask, News, Said, Seat, Told};

impl<R: Clone> Master<R> {
    pub(super) fn said(&mut self, now: Micros, worker: u32, said: Said) {
        if let Some(record) = self.records.get_mut(&worker) {
            record.has_spoken = true;
        }
        match said {
            Said::Idle => self.idle(now, worker),
            Said::News(seat, news) => self.news(now, worker, seat, news),
            Said::Ask(number, Ask::Range(of, within)) => {
                let answers = self.ranges.ask(now, (worker, number), of, within);
                self.answer(answers);
            }
            Said::Ask(number, Ask::Course(name, rows)) => {
                let answers = self.ranges.ask_course((worker, number), name, rows);
                self.answer(answers);
            }
            Said::Ask(number, Ask::Append(lines)) => {
                self.actions
                    .push(MasterAction::Append(worker, number, lines));
            }
            Said::Ask(number, ask) => {
                let answers = self.commons.ask(worker, number, ask);
                self.answer(answers);
            }
            Said::Cancel(number) => {
                let (was_open, answers) = self.commons.cancel(worker, number);
                self.answer(answers);
                if !was_open {
                    self.ranges.cancel(worker, number);
                }
                // If its answer is on the way, that comes before. If it was dropped with a seat,
                // nothing else would.
                self.answer(vec![(worker, number, Answer::Cancelled)]);
            }
            Said::Back(queue, value) => {
                let answers = self.commons.back(&queue, value);
                self.answer(answers);
            }
            Said::Returned(of, range) => {
                let answers = self.ranges.returned(worker, of, range);
                self.answer(answers);
            }
            Said::Passed(name, turn) => {
                let answers = self.commons.passed(worker, &name, turn);
                self.answer(answers);
            }
            Said::Unable(why) => self.actions.push(MasterAction::Unable(worker, why)),
            Said::Leaving => self.leaves(now, worker),
            Said::Finished(reports) => {
                if let Some(record) = self.records.get_mut(&worker) {
                    record.finished = Some(reports);
                }
                self.look_at_farewell(worker);
            }
        }
    }

    /// It has no users: it may get some, unless none will be wanted of it.
    fn idle(&mut self, now: Micros, worker: u32) {
        self.unseat(now, worker);
        let is_ending = self.ends.is_some();
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        record.is_offered = true;
        let threads = record.threads;
        if record.is_leaving || is_ending {
            self.tell(worker, Told::Finish);
        } else {
            self.actions.push(MasterAction::Joins { worker, threads });
        }
    }

    /// News of a seat that it does not have any longer are none.
    fn news(&mut self, now: Micros, worker: u32, seat: Seat, news: News) {
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        if record.seat != Some(seat) {
            return;
        }
        if let News::Ended { .. } = news {
            record.seat = None;
            self.by_member.remove(&seat.member);
            self.clear(worker, true);
            self.gathering.on(now);
        }
        self.actions.push(MasterAction::News(seat.member, news));
    }

    fn leaves(&mut self, now: Micros, worker: u32) {
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        record.is_leaving = true;
        match record.seat {
            Some(Seat { member, .. }) => {
                self.gathering.on(now);
                self.actions.push(MasterAction::Leaves(member));
            }
            // It is ending users that are others' now, and says so when they have ended.
            None if !record.is_offered => {}
            None => self.tell(worker, Told::Finish),
        }
    }

    /// It may end once all its reports are counted; before the end of the run they have to be in the
    /// file, or a master that is started again would know them from nobody.
    pub(super) fn look_at_farewell(&mut self, worker: u32) {
        let has_file = self.file.is_some() && self.ends.is_none();
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        if record.is_done(has_file) && record.life == Life::There {
            record.life = Life::Left;
            self.departed += record.samples;
            let started = record.started;
            if !self.asks_again() {
                let is_wanted_again = false;
                self.tell(worker, Told::Farewell { is_wanted_again });
            }
            self.roster.left(worker);
            let answers = self.ranges.ended(worker, started);
            self.answer(answers);
        }
    }
}
