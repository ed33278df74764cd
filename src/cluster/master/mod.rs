//! What a master does on each event of its connections, of its run and of the clock.
//!
//! Owns all workers' records and puts the machines of this layer together. It decides nothing of
//! the run: who gets which users, what is reloaded and when it ends come in as events, and what
//! happened to workers goes out as actions.
//!
//! ```text
//! sockets ─► Opened, Heard, Numbers, Closed, Reset ─►┐              ┌─► Send, Applied, Close ─► sockets
//! clock   ─► Tick ──────────────────────────────────►│ Master::on  │
//! the run ─► Seat, Order, Expect, Declare, Own … ───►┘              └─► Joins, News, Gone, Deal, Count … ─► the run
//! ```
//!
//! A worker's part in the run is its *seat*. It is offered one when it has said that it has no users
//! (`Joins`); the run gives it (`Seat`) and orders what its holder is to do. It ends when its users
//! have, or when they are given to others (`Gone`): then nothing that its holder says counts, but
//! for its numbers, and when it comes back it first ends its users.
//!
//! A master that is started again (`restarted`, or `new` without memory) takes over workers that
//! were certainly members when the last master went (`Adopted`), until the worker timeout after its
//! start: before that nobody knows that the others have stopped. Then the run may deal (`Settled`).
//! One that does not know that it was started again learns it from the first worker of another run,
//! as long as none has a seat.

mod events;
mod file;
mod letters;
mod numbers;
mod parting;
mod people;
mod record;
mod seats;
#[cfg(test)]
mod tests;
mod welcome;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::MOVES;
use super::commons::Commons;
use super::gathering::Gathering;
use super::hello::{Conn, Credentials, Door};
use super::message::{
    Answer, Down, DownBeat, Letter, ProcessId, RunFigures, RunId, SentOrder, Told, Up, UpBeat,
};
use super::ranges::{Answered, Ranges};
use super::roster::{Roster, Stand};
use crate::clock::Micros;
pub use events::{MasterAction, MasterEvent};
pub use people::Person;
use record::{Life, Record};

/// The most workers at once.
pub const WORKERS: usize = 4_096;

/// Who asks when the run's own functions do: no worker has that number.
const OWN: u32 = u32::MAX;

/// See the module.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Master<R> {
    #[serde(skip)]
    own: Credentials,
    /// `None` until the first worker has come: it may bring one along.
    run: Option<RunId>,
    /// For a new one.
    fresh: RunId,
    epoch: u64,
    /// When this life of the master began, and when its state was written last.
    began: Micros,
    written: Micros,
    /// Workers of the last master may still come.
    is_adopting: bool,
    /// How long a silent worker of the last master kept its users.
    adopts_for: Duration,
    /// Which run it is, is settled: somebody has a seat, or it is in the file.
    is_decided: bool,
    /// It knows what the last master knew.
    has_memory: bool,
    /// Somebody who was adopted knew how far sources had been given out.
    knows_horizons: bool,
    #[serde(skip)]
    door: Door,
    #[serde(skip)]
    conns: BTreeMap<Conn, u32>,
    records: BTreeMap<u32, Record>,
    by_process: BTreeMap<ProcessId, u32>,
    #[serde(skip)]
    by_member: BTreeMap<u32, u32>,
    roster: Roster,
    ranges: Ranges,
    commons: Commons,
    #[serde(skip)]
    gathering: Gathering,
    /// Whether a state file is written, and the statement of horizons in the one being written.
    file: Option<u64>,
    ends: Option<Micros>,
    is_over: bool,
    /// Its workers are wanted for another run, of another one of its kind.
    goes_on: bool,
    /// The most users that the run was to have.
    users: u32,
    /// Samples of workers that have left, all applied.
    departed: u64,
    /// Those of workers that are lost, with what is missing of them.
    lost: u64,
    /// What left with workers under an earlier master, of which this one has nothing.
    forgotten: u64,
    /// How the whole run stands.
    #[serde(skip)]
    figures: Arc<RunFigures>,
    #[serde(skip)]
    actions: Vec<MasterAction<R>>,
}

impl<R: Clone> Master<R> {
    /// A master that begins. `epoch` is the time in µs since 1970, `fresh` is random;
    /// `is_adopting` says that there may be workers of an earlier master, which comes to nothing
    /// but a wait if there are none.
    #[must_use]
    pub fn new(
        own: Credentials,
        now: Micros,
        epoch: u64,
        fresh: RunId,
        is_adopting: bool,
    ) -> Master<R> {
        Master {
            own,
            run: None,
            fresh,
            epoch,
            began: now,
            written: now,
            is_adopting,
            adopts_for: MOVES,
            is_decided: false,
            has_memory: false,
            knows_horizons: false,
            door: Door::default(),
            conns: BTreeMap::new(),
            records: BTreeMap::new(),
            by_process: BTreeMap::new(),
            by_member: BTreeMap::new(),
            roster: Roster::default(),
            ranges: Ranges::new(is_adopting),
            commons: Commons::default(),
            gathering: Gathering::default(),
            file: None,
            ends: None,
            is_over: false,
            goes_on: false,
            users: 0,
            departed: 0,
            lost: 0,
            forgotten: 0,
            figures: Arc::default(),
            actions: Vec::new(),
        }
    }

    /// When its run is over, workers are asked to come again instead of to end. What they come to is
    /// another one, made by `new`: nothing of a run is left in the next.
    pub fn going_on(&mut self, goes_on: bool) {
        self.goes_on = goes_on;
    }

    /// Users of a silent worker are given to others after so long (`--worker-timeout`).
    pub fn moves_after(&mut self, moves: Duration) {
        self.roster = Roster::new(moves);
        self.adopts_for = moves;
    }

    /// It begins a run for certain, and takes over none.
    pub fn begins_anew(&mut self) {
        self.is_decided = true;
    }

    /// The member of the run whose worker has that connection.
    #[must_use]
    pub fn member_of(&self, conn: Conn) -> Option<u32> {
        let record = self.records.get(self.conns.get(&conn)?)?;
        record.seat.map(|seat| seat.member)
    }

    /// Whether workers of an earlier master may still come.
    #[must_use]
    pub fn is_adopting(&self) -> bool {
        self.is_adopting
    }

    /// How many requests were made by workers that had gone before this master began, and are in no
    /// figure of its.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The run's name.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        self.run
    }

    /// Something has happened. What follows is to be done in this order, and what that leads to is
    /// handed in after all of it: letters are numbered as they were made.
    pub fn on(&mut self, now: Micros, event: MasterEvent<R>) -> Vec<MasterAction<R>> {
        match event {
            MasterEvent::Opened {
                conn,
                address,
                nonce,
                key,
            } => {
                if self.door.opened(now, conn, address, nonce, key) {
                    return Vec::new();
                }
                self.actions.push(MasterAction::Close(conn));
            }
            MasterEvent::Heard(conn, up) => match self.conns.get(&conn) {
                Some(worker) => {
                    let worker = *worker;
                    if self.heard(now, worker, conn, up).is_break() {
                        self.drop_connection(worker);
                    }
                }
                None => self.knocked(now, conn, up),
            },
            MasterEvent::Numbers(conn, numbers) => {
                if let Some(worker) = self.conns.get(&conn).copied()
                    && self.counted(worker, conn, numbers).is_break()
                {
                    self.drop_connection(worker);
                }
            }
            MasterEvent::Closed(conn) => self.ended(now, conn, true),
            MasterEvent::Reset(conn) => self.ended(now, conn, false),
            MasterEvent::Tick => self.tick(now),
            MasterEvent::Saved => self.saved(),
            MasterEvent::Unsaved => self.unsaved(),
            MasterEvent::Seat { worker, member } => self.seat(worker, member),
            MasterEvent::Order(member, order) => {
                if matches!(order, SentOrder::Adopt(..)) {
                    self.try_again();
                }
                if let Some(worker) = self.by_member.get(&member).copied()
                    && let Some(seat) = self.records[&worker].seat
                {
                    self.tell(worker, Told::Order(seat, order));
                }
            }
            MasterEvent::Expect(None, users) => self.users = self.users.max(users),
            MasterEvent::Expect(Some(member), users) => {
                let worker = self.by_member.get(&member);
                let record = worker.and_then(|worker| self.records.get_mut(worker));
                if let Some(record) = record {
                    record.expect(users);
                }
            }
            MasterEvent::Gather => self.gathering.on(now),
            MasterEvent::Declare(of, end) => {
                let answers = self.ranges.declare(of, end);
                self.answer(answers);
            }
            MasterEvent::DeclareRows(name, mode, rows) => {
                let answers = self.ranges.declare_rows(name, mode, rows);
                self.answer(answers);
            }
            MasterEvent::Own(said) => self.said(now, OWN, said),
            MasterEvent::Figures(figures) => self.figures = figures,
            MasterEvent::Appended(worker, number, failed) => {
                self.tell(worker, Told::Answer(number, Answer::Appended(failed)));
            }
            MasterEvent::End(limit) => self.end(now, limit),
        }
        std::mem::take(&mut self.actions)
    }

    /// Sends a letter, at once if there is a connection.
    fn tell(&mut self, worker: u32, told: Told) {
        let Some(record) = self.records.get_mut(&worker) else {
            return;
        };
        if !record.down.push(told) {
            self.drop_connection(worker);
            return;
        }
        self.flush(worker);
    }

    fn flush(&mut self, worker: u32) {
        if let Some(record) = self.records.get_mut(&worker)
            && let Some(conn) = record.conn
        {
            let letters = std::iter::from_fn(|| record.down.send());
            let sent = letters.map(|letter| MasterAction::Send(conn, Down::Letter(letter)));
            self.actions.extend(sent);
        }
    }

    fn answer(&mut self, answers: Vec<Answered>) {
        for (worker, ask, answer) in answers {
            if worker == OWN {
                self.actions.push(MasterAction::Answer(ask, answer));
                continue;
            }
            self.tell(worker, Told::Answer(ask, answer));
        }
    }

    /// A connection that keeps no rules is of no use; the worker may try another one.
    fn drop_connection(&mut self, worker: u32) {
        let record = self.records.get_mut(&worker);
        if let Some(conn) = record.and_then(|record| record.conn.take()) {
            self.conns.remove(&conn);
            self.actions.push(MasterAction::Close(conn));
        }
    }

    fn ended(&mut self, now: Micros, conn: Conn, is_closed: bool) {
        self.door.closed(conn);
        // That of a connection which another has replaced says nothing.
        if let Some(worker) = self.conns.remove(&conn)
            && let Some(record) = self.records.get_mut(&worker)
            && record.conn == Some(conn)
        {
            record.conn = None;
            if is_closed {
                self.roster.ended(now, worker);
            }
        }
    }

    fn heard(&mut self, now: Micros, worker: u32, conn: Conn, up: Up) -> ControlFlow<()> {
        match up {
            // What it has is not known yet: it says that before anything else.
            Up::Beat(_) | Up::Letter(_) if self.is_untold(worker) => ControlFlow::Break(()),
            Up::Brings(brought) => {
                self.brings(worker, *brought);
                ControlFlow::Continue(())
            }
            Up::Beat(beat) => self.beat(now, worker, conn, &beat),
            Up::Letter(Letter { number, says }) => {
                let Some(record) = self.records.get_mut(&worker) else {
                    return ControlFlow::Break(());
                };
                match record.up.is_next(number) {
                    Ok(true) => self.said(now, worker, says),
                    Ok(false) => {}
                    Err(_) => return ControlFlow::Break(()),
                }
                ControlFlow::Continue(())
            }
            // They mean nothing here.
            Up::Lines(_) => ControlFlow::Continue(()),
            Up::Hello(_) | Up::Proof(_) => ControlFlow::Break(()),
        }
    }

    fn beat(&mut self, now: Micros, worker: u32, conn: Conn, beat: &UpBeat) -> ControlFlow<()> {
        self.is_there(now, worker);
        let there = self.workers();
        let Some(record) = self.records.get_mut(&worker) else {
            return ControlFlow::Break(());
        };
        if record.down.arrived(beat.heard).is_err() {
            return ControlFlow::Break(());
        }
        record.told.on(
            beat.recorded,
            // A clock that is said to be ahead of ours is wrong.
            beat.at.unwrap_or(now).min(now),
            beat.levels.users,
        );
        let (seat, heard) = (record.seat, record.up.heard());
        let answers = self.ranges.beat(worker, &beat.used, beat.horizons);
        self.answer(answers);
        let beat = DownBeat {
            stamp: now,
            echo: beat.stamp,
            received: now,
            epoch: self.epoch,
            seat,
            heard,
            horizons: self.ranges.horizons(),
            workers: there,
            departed: self.departed + self.lost + self.forgotten,
            figures: self.figures.clone(),
        };
        let beat = Down::Beat(Box::new(beat));
        self.actions.push(MasterAction::Send(conn, beat));
        ControlFlow::Continue(())
    }

    /// A worker gives a sign of itself.
    fn is_there(&mut self, now: Micros, worker: u32) {
        let record = self.records.get(&worker);
        if record.is_none_or(|record| record.life != Life::There) {
            return;
        }
        let Some(stood) = self.roster.heard(now, worker) else {
            return;
        };
        let stands = MasterAction::Stands(worker, Stand::Present);
        self.actions.push(stands);
        if stood == Stand::Lost {
            let record = self.records.get_mut(&worker);
            self.lost -= record.map_or(0, |record| std::mem::take(&mut record.lost));
            // What was missing of it will come after all.
            self.actions.push(MasterAction::Missing(worker, 0));
        }
    }

    fn tick(&mut self, now: Micros) {
        let overdue = self.door.overdue(now).into_iter();
        self.actions.extend(overdue.map(MasterAction::Close));
        for (worker, stand) in self.roster.look(now) {
            self.actions.push(MasterAction::Stands(worker, stand));
            if stand >= Stand::Moved {
                self.unseat(now, worker);
            }
            if stand == Stand::Lost {
                self.lose(now, worker);
            }
        }
        let is_told = || !self.records.values().any(|record| record.is_untold);
        if self.is_adopting && self.began + self.adopts_for <= now && is_told() {
            self.settle(now);
        }
        if !self.is_adopting && self.gathering.is_over(now) {
            self.actions.push(MasterAction::Deal);
        }
        if let Some(ends) = self.ends {
            self.look_at_end(now, ends);
        }
    }

    /// What it holds that could grow: letters for all workers, and open questions.
    #[must_use]
    pub fn held(&self) -> [usize; 2] {
        let letters = self.records.values().map(|record| record.down.len());
        [
            letters.sum(),
            self.commons.waiting() + self.ranges.waiting(),
        ]
    }

    /// Workers whose turn it is to make a value that all wait for.
    #[must_use]
    pub fn makers(&self) -> Vec<u32> {
        self.commons.makers().collect()
    }

    /// Elements in all queues.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.commons.elements()
    }
}
