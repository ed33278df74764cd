//! What the master's messages mean to a worker.
//!
//! Owns what follows from beats, letters and acknowledgements. Only the connection that stands
//! counts: what another one still brings is of an earlier time.

use super::{Exit, Worker, WorkerAction};
use crate::clock::Micros;
use crate::cluster::fence::Fence;
use crate::cluster::hello::Conn;
use crate::cluster::message::{
    Applied, Down, DownBeat, Holding, Letter, Refused, Seat, SentOrder, Told,
};
use crate::cluster::offset::Exchange;
use crate::cluster::questions::Reply;

/// As often may a master contradict itself before it is given up.
const CONTRADICTIONS: u32 = 20;

impl<R: Clone> Worker<R> {
    pub(super) fn heard(&mut self, now: Micros, conn: Conn, down: Down) {
        match down {
            Down::Challenge { nonce, proof } => self.challenged(now, conn, &nonce, &proof),
            Down::Welcome(welcome) => self.welcomed(now, conn, &welcome),
            Down::Refused(why) => self.turned_away(conn, why),
            Down::Superseded => self.ended(now, conn),
            Down::Beat(beat) => {
                if self.is_current(now, conn) {
                    self.echo(now, &beat);
                }
            }
            Down::Letter(letter) => {
                if self.is_current(now, conn) {
                    self.letter(now, letter);
                }
            }
        }
    }

    pub(super) fn applied(&mut self, conn: Conn, applied: Applied) {
        let Some((_, heard)) = self.current.filter(|(current, _)| *current == conn) else {
            return;
        };
        if self.reports.applied(applied).is_err() {
            self.contradicted(heard);
        } else if self.reports.are_applied()
            && let Some(ended) = self.ended.take()
        {
            self.news(ended);
        }
    }

    /// The master has what was never sent. Perhaps another process has sent it that claims to be
    /// this one: then the master finds out when both have tried a few times.
    pub(super) fn contradicted(&mut self, now: Micros) {
        self.contradictions += 1;
        if self.contradictions >= CONTRADICTIONS {
            self.exit(Exit::Nonsense);
        } else if let Some((conn, _)) = self.current {
            self.actions.push(WorkerAction::Close(conn));
            self.ended(now, conn);
        }
    }

    fn is_current(&mut self, now: Micros, conn: Conn) -> bool {
        let current = self
            .current
            .as_mut()
            .filter(|(current, _)| *current == conn);
        current.map(|(_, heard)| *heard = now).is_some()
    }

    fn turned_away(&mut self, conn: Conn, why: Refused) {
        let is_current = self.current.is_some_and(|(current, _)| current == conn);
        if !is_current && self.link.attempt(conn).is_none() {
            return;
        }
        let is_done = why == Refused::Over && self.is_last_cut;
        self.exit(match is_done && self.reports.are_applied() {
            true => Exit::Done,
            false => Exit::Refused(why),
        });
    }

    fn echo(&mut self, now: Micros, beat: &DownBeat) {
        self.with_master = now;
        if self.up.arrived(beat.heard).is_err() {
            return self.contradicted(now);
        }
        self.offset.on(Exchange {
            sent: beat.echo,
            arrived: beat.received,
            answered: beat.stamp,
            came: now,
        });
        self.memory.look(now, &self.offset);
        if beat.horizons.0 > self.horizons.0 {
            self.horizons = beat.horizons.clone();
        }
        self.departed = beat.departed;
        self.figures = (beat.workers, beat.figures.clone());
        self.echoed = self.echoed.max(beat.echo);
        match &self.seat {
            // The master counts from a moment after that beat was sent.
            Some(holding) if beat.seat == Some(holding.seat) => self.fence.echoed(beat.echo),
            Some(_) => self.retire(),
            None => {}
        }
    }

    fn letter(&mut self, now: Micros, letter: Letter<Told>) {
        match self.down.is_next(letter.number) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => return self.contradicted(now),
        }
        match letter.says {
            Told::Order(seat, order) => self.ordered(now, seat, order),
            Told::Answer(number, answer) => match self.questions.answered(number, answer) {
                Reply::Answer(answer) => self.actions.push(WorkerAction::Answer(number, answer)),
                Reply::Say(said) => self.say(said),
                Reply::Nothing => {}
            },
            Told::Finish => {
                if !std::mem::replace(&mut self.is_finishing, true) {
                    self.actions.push(WorkerAction::CutLast);
                }
            }
            Told::Farewell { is_wanted_again } => {
                self.exit(match is_wanted_again && self.is_leaving.is_none() {
                    true => Exit::Again,
                    false => Exit::Done,
                });
            }
        }
    }

    fn ordered(&mut self, now: Micros, seat: Seat, order: SentOrder) {
        if let SentOrder::Begin {
            ref threads,
            generation,
            ..
        } = order
        {
            if self.seat.is_some() {
                return;
            }
            // The last beat that was echoed had arrived, whichever seat it spoke of.
            self.fence = Fence::new(self.echoed, self.moves);
            self.seat = Some(Holding {
                seat,
                first: threads.start,
                parts: Vec::new(),
                assignment: 0,
                generation,
                is_at_work: false,
            });
            self.memory.ordered(now, &self.offset, &order);
            self.actions.push(WorkerAction::Order(order));
            return;
        }
        let Some(holding) = self.seat.as_mut().filter(|holding| holding.seat == seat) else {
            return;
        };
        if self.is_retiring {
            return;
        }
        self.memory.ordered(now, &self.offset, &order);
        match &order {
            SentOrder::Start(start) => {
                holding.is_at_work = true;
                holding.parts.clone_from(&start.parts);
            }
            SentOrder::Assign { parts, number, .. } => {
                holding.parts.clone_from(parts);
                holding.assignment = *number;
            }
            SentOrder::CatchUp(generation, _) | SentOrder::Adopt(generation, ..) => {
                holding.generation = *generation;
            }
            _ => {}
        }
        self.actions.push(WorkerAction::Order(order));
    }
}
