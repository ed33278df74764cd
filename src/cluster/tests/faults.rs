//! What goes wrong in the world.
//!
//! Owns the faults of a schedule: which, when, and for how long.

use super::net::{Message, SECOND};
use super::world::{Event, World};
use crate::cluster::worker::WorkerEvent;

#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// A worker's process dies; its kernel says so, unless the power is gone.
    Kill { is_closed: bool },
    /// Another worker comes.
    Join,
    /// A worker gets SIGTERM.
    Leave,
    /// A worker stands still.
    Freeze(u64),
    /// Nothing comes through, by way.
    Block([bool; 2], u64),
    /// Nothing comes through to anybody.
    BlockAll(u64),
    /// A worker's connections break, as these ends learn.
    Reset([bool; 2]),
    /// The master stands still.
    FreezeMaster(u64),
    /// The master dies, and another one begins.
    KillMaster { says: Option<Message>, away: u64 },
    /// A worker's machine is copied.
    Clone,
    /// The script is edited.
    Reload,
}

impl World {
    /// Chooses what goes wrong when; returns when the last of it is over.
    pub(super) fn schedule(&mut self) -> u64 {
        let mut last = 5 * SECOND;
        for _ in 0..self.chance.within(0, 4) {
            let at = self.chance.within(2 * SECOND, 40 * SECOND);
            let fault = self.choose();
            let length = match &fault {
                Fault::Freeze(length) | Fault::FreezeMaster(length) => *length,
                Fault::Block(_, length) | Fault::BlockAll(length) => *length,
                Fault::KillMaster { away, .. } => *away,
                _ => 0,
            };
            last = last.max(at + length);
            self.at(at, Event::Fault(fault));
        }
        last
    }

    fn choose(&mut self) -> Fault {
        let chance = &mut self.chance;
        let length = match chance.within(0, 2) {
            0 => chance.within(SECOND, 9 * SECOND),
            1 => chance.within(9 * SECOND, 18 * SECOND),
            _ => chance.within(18 * SECOND, 40 * SECOND),
        };
        let ways = [[true, true], [true, false], [false, true]];
        match chance.within(0, 21) {
            0 | 1 => Fault::Kill { is_closed: true },
            2 => Fault::Kill { is_closed: false },
            3..=5 => Fault::Join,
            6 | 7 => Fault::Leave,
            8 | 9 => Fault::Freeze(length),
            10..=12 => Fault::Block(ways[usize::try_from(chance.within(0, 2)).unwrap()], length),
            13 => Fault::BlockAll(length),
            14 | 15 => Fault::Reset(ways[usize::try_from(chance.within(0, 2)).unwrap()]),
            16 => Fault::FreezeMaster(length),
            17 | 18 => {
                let says = [None, Some(Message::Closed), Some(Message::Reset)];
                let says = says[usize::try_from(chance.within(0, 2)).unwrap()].clone();
                let away = chance.within(SECOND / 10, 30 * SECOND);
                Fault::KillMaster { says, away }
            }
            19 => Fault::Clone,
            _ => Fault::Reload,
        }
    }

    /// A worker that is alive, any of them.
    fn victim(&mut self) -> Option<usize> {
        let alive = (0..self.processes.len()).filter(|it| self.processes[*it].is_alive);
        let alive: Vec<usize> = alive.collect();
        let at = self.chance.bits() % (alive.len() as u64).max(1);
        alive.get(usize::try_from(at).unwrap()).copied()
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Join => return self.begin_worker(),
            Fault::BlockAll(length) => {
                let until = self.now + length;
                self.links
                    .iter_mut()
                    .for_each(|link| link.blocked = [until; 2]);
                return;
            }
            Fault::FreezeMaster(length) => {
                if let Some(head) = &mut self.head {
                    head.frozen = self.now + length;
                }
                return;
            }
            Fault::KillMaster { says, away } => {
                if self.head.is_some() {
                    self.checks.has_restarted = true;
                    self.kill_master(says);
                    self.at(self.now + away, Event::MasterBegins);
                }
                return;
            }
            Fault::Reload => {
                if let Some(head) = self.head.as_mut().filter(|head| head.run.has_begun()) {
                    head.run.take_edition();
                }
                return;
            }
            _ => {}
        }
        let Some(it) = self.victim() else {
            return;
        };
        match fault {
            Fault::Kill { is_closed } => {
                self.checks.has_killed = true;
                self.kill_worker(it, is_closed);
            }
            Fault::Leave => self.worker(it, WorkerEvent::Leave),
            Fault::Freeze(length) => self.processes[it].frozen = self.now + length,
            Fault::Block(ways, length) => {
                for (blocked, is_blocked) in self.links[it].blocked.iter_mut().zip(ways) {
                    if is_blocked {
                        *blocked = self.now + length;
                    }
                }
            }
            Fault::Reset(learn) => {
                let wires: Vec<usize> = self.processes[it].wires.values().copied().collect();
                wires.into_iter().for_each(|wire| self.reset(wire, learn));
            }
            Fault::Clone => self.copy(it),
            _ => unreachable!("they were dealt with"),
        }
    }

    /// Another machine has the memory of this one; its sockets lead nowhere.
    fn copy(&mut self, it: usize) {
        self.checks.has_cloned = true;
        self.processes[it].is_cloned = true;
        let mut copy = self.processes[it].clone();
        let conns: Vec<_> = std::mem::take(&mut copy.wires).into_keys().collect();
        let users: Vec<u64> = copy.load.users.keys().copied().collect();
        let new = self.processes.len();
        self.links.push(self.links[it]);
        self.processes.push(copy);
        for conn in conns {
            self.worker(new, WorkerEvent::Ended(conn));
        }
        for user in users {
            self.at(self.now + SECOND / 2, Event::User(new, user));
        }
        self.at(self.now, Event::Worker(new));
    }
}
