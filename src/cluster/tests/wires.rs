//! The connections of the world: what is sent arrives later, or breaks.
//!
//! Owns what each end is told of messages and of the ends of connections.

use super::net::{Message, SECOND, USER_TIMEOUT, Way, Wire};
use super::world::{Event, World};
use crate::cluster::hello::Conn;
use crate::cluster::master::MasterEvent;
use crate::cluster::worker::WorkerEvent;

impl World {
    pub(super) fn send(&mut self, wire: usize, way: Way, message: Message) {
        let it = &mut self.wires[wire];
        if !it.open[way as usize] || it.is_stuck[way as usize] {
            return;
        }
        let link = &self.links[it.worker];
        match it.arrives(self.now, way, link, &mut self.chance) {
            Some(at) => self.at(at, Event::Deliver(wire, way, message)),
            // The sender's kernel gives up, and nothing follows what was lost.
            None => {
                self.wires[wire].is_stuck[way as usize] = true;
                let back = match way {
                    Way::Up => Way::Down,
                    Way::Down => Way::Up,
                };
                let given_up = self.now + USER_TIMEOUT;
                self.at(given_up, Event::Deliver(wire, back, Message::Reset));
            }
        }
    }

    /// Breaks a connection off, as one of its ends or both learn.
    pub(super) fn reset(&mut self, wire: usize, learn: [bool; 2]) {
        for (way, end) in [(Way::Down, 0), (Way::Up, 1)] {
            if learn[end] && self.wires[wire].open[end] {
                let at = self.now + self.chance.within(0, SECOND / 4);
                self.at(at, Event::Deliver(wire, way, Message::Reset));
            }
        }
    }

    pub(super) fn deliver(&mut self, wire: usize, way: Way, message: Message) {
        match way {
            Way::Up => self.deliver_up(wire, message),
            Way::Down => self.deliver_down(wire, message),
        }
    }

    fn deliver_up(&mut self, wire: usize, message: Message) {
        let conn = Conn(wire as u64);
        let Some(head) = &self.head else {
            if matches!(message, Message::Open) {
                self.wires[wire].open[1] = true;
                self.send(wire, Way::Down, Message::Refused);
                self.wires[wire].open[1] = false;
            }
            return;
        };
        if let Message::Open = message {
            if head.is_over {
                return;
            }
            self.wires[wire].life = self.life;
            self.wires[wire].open[1] = true;
            self.send(wire, Way::Down, Message::Opened);
            let nonce = self.chance.bits();
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&nonce.to_be_bytes());
            let key = u128::from(self.chance.bits());
            let address = self.wires[wire].worker as u128;
            return self.master(MasterEvent::Opened {
                conn,
                address,
                nonce: bytes,
                key,
            });
        }
        if !self.wires[wire].open[1] || self.wires[wire].life != self.life {
            return;
        }
        match message {
            Message::Up(up) => self.master(MasterEvent::Heard(conn, up)),
            Message::Numbers(numbers) => self.master(MasterEvent::Numbers(conn, numbers)),
            Message::Closed => {
                self.wires[wire].open[1] = false;
                self.master(MasterEvent::Closed(conn));
            }
            Message::Reset => {
                self.wires[wire].open[1] = false;
                self.master(MasterEvent::Reset(conn));
            }
            _ => unreachable!("nothing else goes up"),
        }
    }

    fn deliver_down(&mut self, wire: usize, message: Message) {
        let Wire {
            worker, conn, open, ..
        } = self.wires[wire];
        if !open[0] || !self.processes[worker].is_alive {
            return;
        }
        let event = match message {
            Message::Opened => WorkerEvent::Connected(conn),
            Message::Down(down) => WorkerEvent::Heard(conn, down),
            Message::Applied(applied) => WorkerEvent::Applied(conn, applied),
            Message::Refused => {
                self.wires[wire].open[0] = false;
                WorkerEvent::Refused(conn)
            }
            _ => {
                self.wires[wire].open[0] = false;
                self.processes[worker].wires.remove(&conn);
                WorkerEvent::Ended(conn)
            }
        };
        self.worker(worker, event);
    }

    pub(super) fn connect(&mut self, worker: usize, conn: Conn) {
        let wire = self.wires.len();
        self.wires.push(Wire::new(worker, conn, self.life));
        self.processes[worker].wires.insert(conn, wire);
        let link = &self.links[worker];
        let blocked = link.blocked[0].max(link.blocked[1]);
        // The first packet is sent again a few times.
        if blocked <= self.now + 3 * SECOND {
            self.send(wire, Way::Up, Message::Open);
        }
    }

    /// A process breaks its connection off.
    pub(super) fn break_off(&mut self, worker: usize, conn: Conn) {
        if let Some(wire) = self.processes[worker].wires.remove(&conn) {
            self.send(wire, Way::Up, Message::Reset);
            self.wires[wire].open[0] = false;
        }
    }

    pub(super) fn wire_of(&self, worker: usize, conn: Conn) -> Option<usize> {
        self.processes[worker].wires.get(&conn).copied()
    }
}
