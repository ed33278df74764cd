//! A worker that has proved itself: is it known, is it wanted, and what does it keep?
//!
//! Owns the answers to who knocks and to a hello, for new workers, for those that come back, and for those of an
//! earlier master.

use super::record::{Life, Record};
use super::{Master, MasterAction, WORKERS};
use crate::clock::Micros;
use crate::cluster::MOVES_BOUNDS;
use crate::cluster::hello::{Admission, Conn, Rank};
use crate::cluster::message::{Brought, Down, Hello, Refused, Resume, Seat, Up, Welcome};

impl<R: Clone> Master<R> {
    pub(super) fn knocked(&mut self, now: Micros, conn: Conn, up: Up) {
        match self.door.on(now, conn, up, &self.own) {
            Some(Admission::Answer(down)) => self.actions.push(MasterAction::Send(conn, down)),
            Some(Admission::Proved(hello, key)) => self.admit(now, conn, *hello, key),
            Some(Admission::Refused(why)) => self.refuse(conn, why),
            Some(Admission::Nonsense) => self.actions.push(MasterAction::Close(conn)),
            None => {}
        }
    }

    pub(super) fn refuse(&mut self, conn: Conn, why: Refused) {
        let refused = MasterAction::Send(conn, Down::Refused(why));
        self.actions.extend([refused, MasterAction::Close(conn)]);
    }

    /// A connection has proved itself; `key` is for a new worker.
    pub(super) fn admit(&mut self, now: Micros, conn: Conn, hello: Hello, key: u128) {
        if self.run.is_none() && self.is_adopting && hello.resume.is_none() {
            // Which run it is, others may know who have not come yet. It tries again.
            self.actions.push(MasterAction::Close(conn));
            return;
        }
        if let Err(why) = self.is_of_this_run(now, hello.resume.as_ref()) {
            self.refuse(conn, why);
            return;
        }
        if let Some(resume) = &hello.resume
            && resume.epoch > self.epoch
        {
            self.actions
                .extend([MasterAction::Close(conn), MasterAction::Deposed]);
            return;
        }
        let known = self.by_process.get(&hello.process).copied();
        let worker = match known {
            Some(worker) => worker,
            None => match self.enter(now, &hello, key) {
                Some(worker) => worker,
                None => return self.refuse(conn, Refused::Full),
            },
        };
        if !self.is_latest(now, worker, conn, &hello) {
            return;
        }
        self.welcome(now, worker, conn, hello.resume);
    }

    /// The first worker may bring a run along.
    fn is_of_this_run(&mut self, now: Micros, resume: Option<&Resume>) -> Result<(), Refused> {
        if self.is_over {
            return Err(Refused::Over);
        }
        let is_open = !self.is_decided && self.run.is_none_or(|run| run == self.fresh);
        if let Some(resume) = resume.filter(|resume| is_open && resume.run != self.fresh) {
            self.run = Some(resume.run);
            if !self.is_adopting {
                self.is_adopting = true;
                self.began = now;
                self.ranges.hold();
            }
        }
        let brought = resume.map(|resume| resume.run);
        let run = *self.run.get_or_insert(self.fresh);
        // Some may have been welcomed before it was known that the run goes on.
        match brought.is_none_or(|brought| brought == run || brought == self.fresh) {
            true => Ok(()),
            false => Err(Refused::OtherRun),
        }
    }

    /// The record of a worker that this master has not seen.
    fn enter(&mut self, now: Micros, hello: &Hello, key: u128) -> Option<u32> {
        let there = self
            .records
            .values()
            .filter(|record| record.life == Life::There);
        if there.count() >= WORKERS {
            return None;
        }
        let worker = u32::try_from(self.records.len()).ok()?;
        let key = hello.resume.as_ref().map_or(key, |resume| resume.key);
        let who = (hello.name.clone(), hello.threads);
        let record = Record::new(now, key, who, hello.resume.is_none());
        self.records.insert(worker, record);
        self.by_process.insert(hello.process, worker);
        Some(worker)
    }

    /// Whether the connection takes the place of all before it.
    fn is_latest(&mut self, now: Micros, worker: u32, conn: Conn, hello: &Hello) -> bool {
        let Some(record) = self.records.get_mut(&worker) else {
            return false;
        };
        let has_key = match &hello.resume {
            Some(resume) => resume.key == record.key,
            // Its first welcome may have been lost on the way.
            None => !record.has_spoken,
        };
        if record.life == Life::Left && self.asks_again() {
            // It will be asked to come again, to another run.
            self.actions.push(MasterAction::Close(conn));
            return false;
        }
        let Some(record) = self.records.get_mut(&worker) else {
            return false;
        };
        if record.life != Life::There || !has_key {
            let why = match record.life {
                Life::Left => Refused::Over,
                Life::There | Life::Barred => Refused::Cloned,
            };
            self.refuse(conn, why);
            return false;
        }
        let rank = record.attempts.on(now, hello.attempt);
        self.turn_away(worker, conn, rank);
        rank == Rank::Latest
    }

    /// What becomes of a connection that is not to stand.
    fn turn_away(&mut self, worker: u32, conn: Conn, rank: Rank) {
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        match rank {
            Rank::Latest => {}
            Rank::Old => self.actions.push(MasterAction::Close(conn)),
            Rank::Cloned => {
                record.life = Life::Barred;
                if let Some(other) = record.conn.take() {
                    self.conns.remove(&other);
                    self.refuse(other, Refused::Cloned);
                }
                self.refuse(conn, Refused::Cloned);
                let barred = MasterAction::Barred(worker, Refused::Cloned);
                self.actions.push(barred);
            }
        }
    }

    fn welcome(&mut self, now: Micros, worker: u32, conn: Conn, resume: Option<Resume>) {
        let epoch = self.epoch;
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        let resume = resume.as_ref();
        let is_anew = resume.is_none_or(|resume| resume.epoch != epoch);
        if is_anew {
            record.restart_letters();
        } else if resume.is_some_and(|resume| record.down.resume(resume.heard).is_err()) {
            // It has heard what it was not told, or not what it has said that it heard.
            let rank = record.attempts.strike(now);
            return self.turn_away(worker, conn, rank);
        }
        if let Some(old) = record.conn.replace(conn) {
            self.conns.remove(&old);
            self.actions.push(MasterAction::Send(old, Down::Superseded));
            self.actions.push(MasterAction::Close(old));
        }
        self.conns.insert(conn, worker);
        self.is_there(now, worker);
        if let Some(resume) = resume
            && is_anew
        {
            if !self.has_memory {
                self.forgotten = self.forgotten.max(resume.departed);
            }
            if let Some(record) = self.records.get_mut(&worker) {
                record.told.on(resume.recorded, now, 0);
                // Its users may have to end first, and nobody knows how many those are.
                record.expect(self.users);
            }
            self.adopt(worker, resume);
        }
        let (Some(run), Some(record)) = (self.run, self.records.get(&worker)) else {
            return;
        };
        let welcome = Welcome {
            run,
            epoch,
            index: worker,
            key: record.key,
            heard: record.up.heard(),
            numbers: record.standing(self.file.is_some() && self.ends.is_none()),
            seat: record.seat,
            is_anew,
            asks: self.is_adopting && resume.is_some(),
            worker_timeout: self.roster.moves(),
        };
        let welcome = Down::Welcome(Box::new(welcome));
        self.actions.push(MasterAction::Send(conn, welcome));
        self.flush(worker);
    }

    /// Takes over what a worker had under the last master, if it certainly still had it when that
    /// went, and nobody can have got it since.
    fn adopt(&mut self, worker: u32, resume: &Resume) {
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        if !self.is_adopting || !resume.stood || record.seat.is_some() {
            return;
        }
        if !resume.horizons.is_empty() {
            self.knows_horizons = true;
            self.ranges.go_on_from(&resume.horizons);
        }
        let theirs = resume.worker_timeout.min(MOVES_BOUNDS.1);
        self.adopts_for = self.adopts_for.max(theirs);
        let Some(claim) = resume.claim.filter(|claim| claim.is_at_work) else {
            return;
        };
        let Seat { member, .. } = claim.seat;
        if self.by_member.contains_key(&member) {
            return;
        }
        record.seat = Some(claim.seat);
        record.is_untold = true;
        self.by_member.insert(member, worker);
        self.ranges.seated(worker);
    }

    /// Whether what a worker kept from the last master is not known yet.
    pub(super) fn is_untold(&self, worker: u32) -> bool {
        let record = self.records.get(&worker);
        record.is_some_and(|record| record.is_untold)
    }

    /// A worker says how the run stands, and what it has of it.
    pub(super) fn brings(&mut self, worker: u32, brought: Brought) {
        let Brought { holding, going } = brought;
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        if !self.is_adopting {
            return;
        }
        self.actions.push(MasterAction::GoesOn(Box::new(going)));
        if let Some(holding) = holding.filter(|it| record.is_untold && record.seat == Some(it.seat))
        {
            record.is_untold = false;
            let adopted = MasterAction::Adopted(worker, Box::new(holding));
            self.actions.push(adopted);
        }
    }
}
