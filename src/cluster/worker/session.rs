//! How a worker gets a connection that stands, and what it brings along.
//!
//! Owns its side of the welcome: who it says it is, which master it believes, and what begins anew
//! under another one.

use super::{Exit, Worker, WorkerAction};
use crate::clock::Micros;
use crate::cluster::delivery::Incoming;
use crate::cluster::fence;
use crate::cluster::hello::{Conn, Role};
use crate::cluster::message::{
    Brought, Claim, Hello, Holding, News, Resume, RunId, Said, Seat, SentOrder, Up, Welcome,
};
use crate::cluster::offset::Offset;

/// What a worker was told with its last welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) run: RunId,
    pub(super) epoch: u64,
    pub(super) index: u32,
    key: u128,
}

impl<R: Clone> Worker<R> {
    pub(super) fn connected(&mut self, now: Micros, conn: Conn) {
        let Some(attempt) = self.link.attempt(conn) else {
            self.actions.push(WorkerAction::Close(conn));
            return;
        };
        attempt.hello = Some(now);
        let hello = Up::Hello(Box::new(self.hello(now, conn)));
        self.actions.push(WorkerAction::Send(conn, hello));
    }

    /// What it says on a connection. It must be said again in the same words for the proof.
    fn hello(&self, now: Micros, conn: Conn) -> Hello {
        let resume = self.session.map(|session| Resume {
            run: session.run,
            epoch: session.epoch,
            key: session.key,
            heard: self.down.heard(),
            claim: self.claim(),
            worker_timeout: self.moves,
            stood: self.stood(now),
            recorded: self.measured.recorded,
            horizons: self.horizons.1.to_vec(),
            departed: self.departed,
        });
        let mut nonce = self.card.nonce;
        // Another one for each connection, from the random one of the process.
        for (byte, attempt) in nonce.iter_mut().zip(conn.0.to_be_bytes()) {
            *byte ^= attempt;
        }
        Hello {
            nonce,
            attempt: conn.0,
            resume,
            ..self.card.clone()
        }
    }

    /// The seat it has, if it can say what it is of.
    fn claim(&self) -> Option<Claim> {
        let holding = self.seat.as_ref().filter(|_| !self.is_retiring)?;
        let Holding {
            seat, is_at_work, ..
        } = *holding;
        let is_at_work = is_at_work && self.memory.is_known();
        Some(Claim { seat, is_at_work })
    }

    /// What it knows of the run, if that has begun.
    fn brought(&self, now: Micros, seat: Option<Seat>) -> Option<Brought> {
        let holding = self.seat.clone();
        let holding = holding.filter(|it| Some(it.seat) == seat && !self.is_retiring);
        let going = self.memory.going(now)?;
        Some(Brought { holding, going })
    }

    pub(super) fn challenged(
        &mut self,
        now: Micros,
        conn: Conn,
        nonce: &[u8; 16],
        proof: &[u8; 32],
    ) {
        if self
            .link
            .attempt(conn)
            .is_none_or(|attempt| attempt.hello.is_none())
        {
            return;
        }
        // The proof is of the parts that do not change while a connection is made.
        let hello = self.hello(now, conn);
        if !self.own.is_proved(Role::Master, &hello, nonce, proof) {
            self.exit(Exit::Stranger);
            return;
        }
        let proof = self.own.proof(Role::Worker, &hello, nonce);
        self.actions
            .push(WorkerAction::Send(conn, Up::Proof(proof)));
    }

    pub(super) fn welcomed(&mut self, now: Micros, conn: Conn, welcome: &Welcome) {
        let attempt = self.link.attempt(conn).map(|attempt| attempt.hello);
        let Some(sent) = attempt.flatten() else {
            return;
        };
        if self
            .session
            .is_some_and(|session| session.epoch > welcome.epoch)
        {
            // A master that has been replaced and does not know it yet.
            self.actions.push(WorkerAction::Close(conn));
            self.link.failed(now);
            return;
        }
        self.link.stands(fence(welcome.worker_timeout));
        if let Some((old, _)) = self.current.replace((conn, now)) {
            self.actions.push(WorkerAction::Close(old));
        }
        let epoch = self.session.map(|session| session.epoch);
        self.session = Some(Session {
            run: welcome.run,
            epoch: welcome.epoch,
            index: welcome.index,
            key: welcome.key,
        });
        self.with_master = now;
        self.found_nobody = None;
        self.echoed = self.echoed.max(sent);
        if epoch != Some(welcome.epoch) {
            self.offset = Offset::default();
            // Statements are numbered by each master.
            self.horizons.0 = 0;
        }
        self.moves = welcome.worker_timeout;
        self.fence.moves_after(self.moves);
        self.keep_or_retire(welcome, sent);
        if welcome.asks
            && let Some(brought) = self.brought(now, welcome.seat)
        {
            let brings = Up::Brings(Box::new(brought));
            self.actions.push(WorkerAction::Send(conn, brings));
        }
        let Ok(wants_sum) = self.reports.resume(welcome.numbers) else {
            return self.contradicted(now);
        };
        if wants_sum {
            self.actions.push(WorkerAction::SumUp);
        }
        if welcome.is_anew {
            self.begin_anew(wants_sum);
        } else if self.up.resume(welcome.heard).is_err() {
            return self.contradicted(now);
        }
        // A beat at once: the first exchange of clocks.
        self.beat = Micros::default();
        self.flush();
    }

    /// Whether the seat is still its own.
    fn keep_or_retire(&mut self, welcome: &Welcome, sent: Micros) {
        match &self.seat {
            Some(holding) if welcome.seat == Some(holding.seat) => {
                self.fence.stands();
                self.fence.echoed(sent);
            }
            Some(_) => self.retire(),
            None => {}
        }
    }

    /// This master has no letters of an earlier connection, and gave none that count.
    fn begin_anew(&mut self, wants_sum: bool) {
        self.down = Incoming::default();
        let unsaid = self.up.restart();
        let unsaid = unsaid.into_iter();
        let seat = self.seat.as_ref().map(|holding| holding.seat);
        let unsaid = unsaid.filter(|said| match said {
            Said::Back(..) | Said::Passed(..) => true,
            // A script wants the end of the run, whoever its master is.
            Said::News(of, News::StopTest(_) | News::Failed(_)) => Some(*of) == seat,
            _ => false,
        });
        let mut says: Vec<Said> = unsaid.collect();
        if self.seat.is_none() {
            says.push(Said::Idle);
        }
        if self.is_leaving.is_some() {
            says.push(Said::Leaving);
        }
        // The sum may have another number.
        if self.is_last_cut && !wants_sum {
            says.push(Said::Finished(self.reports.cut()));
        }
        says.extend(self.questions.again());
        // Half of what an edition needs may have been said to the last master.
        if self.seat.is_some() && !self.is_retiring {
            self.actions.push(WorkerAction::Order(SentOrder::Discard));
        }
        for said in says {
            self.say(said);
        }
    }

    /// Nobody listens at the master's address.
    pub(super) fn refused(&mut self, now: Micros, conn: Conn) {
        let Some(since) = self.link.attempt(conn).map(|attempt| attempt.since) else {
            return;
        };
        if self.current.is_none() {
            let stood = self.stood(now);
            self.found_nobody = Some(stood);
            // If not, its users may have been given to others before.
            if stood {
                self.fence.refused(since);
            }
        }
        self.link.failed(now);
        // What a file has survives its master; without one, counted is all that can be.
        if self.is_last_cut && self.reports.held() == 0 {
            self.exit(Exit::Done);
        }
    }

    pub(super) fn ended(&mut self, now: Micros, conn: Conn) {
        if self.link.attempt(conn).is_some() {
            self.link.failed(now);
        }
        if self.current.is_some_and(|(current, _)| current == conn) {
            self.current = None;
            self.fence.ended(now);
            self.link.lost(now);
        }
    }
}
