//! The network of the world: connections that deliver in order, late, or not at all.
//!
//! Owns delays, links that let nothing through for a while, and what both ends learn of an end.

use super::chance::Chance;
use crate::cluster::hello::Conn;
use crate::cluster::message::{Applied, Down, Numbers, Up};

/// One second, in the world's time.
pub(super) const SECOND: u64 = 1_000_000;

/// After so long without an acknowledgement a kernel gives a connection up.
pub(super) const USER_TIMEOUT: u64 = 20 * SECOND;

/// What a report is in the world: how many samples it has.
pub(super) type Count = u64;

#[derive(Clone, Debug)]
pub(super) enum Message {
    Open,
    Opened,
    Refused,
    Up(Up),
    Numbers(Numbers<Count>),
    Down(Down),
    Applied(Applied),
    /// The sender's kernel has closed it.
    Closed,
    /// It is broken.
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// The way between one worker and wherever the master is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The least and the most that a message takes.
    pub(super) delay: (u64, u64),
    /// Until when nothing comes through, by way.
    pub(super) blocked: [u64; 2],
}

/// One connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub(super) worker: usize,
    /// The worker's name of it; the master's is its index.
    pub(super) conn: Conn,
    /// Which life of the master it belongs to.
    pub(super) life: u32,
    /// Whether it is open at the worker and at the master.
    pub(super) open: [bool; 2],
    /// A message of that way was lost, and with it the way.
    pub(super) is_stuck: [bool; 2],
    /// When the last message of each way arrives.
    last: [u64; 2],
}

impl Wire {
    pub(super) fn new(worker: usize, conn: Conn, life: u32) -> Wire {
        Wire {
            worker,
            conn,
            life,
            open: [true, false],
            is_stuck: [false; 2],
            last: [0, 0],
        }
    }

    /// When a message sent now arrives; never before one that was sent earlier. `None` if the
    /// kernel gives up before.
    pub(super) fn arrives(
        &mut self,
        now: u64,
        way: Way,
        link: &Link,
        chance: &mut Chance,
    ) -> Option<u64> {
        let (least, most) = link.delay;
        let mut at = now + chance.within(least, most);
        if chance.one_in(400) {
            // Lost on the way, and sent again.
            at += chance.within(SECOND / 5, 2 * SECOND);
        }
        let blocked = link.blocked[way as usize];
        if blocked > now {
            if blocked - now > USER_TIMEOUT {
                return None;
            }
            // It is sent again some time after the link is back.
            at = at.max(blocked + chance.within(0, SECOND));
        }
        let last = &mut self.last[way as usize];
        *last = at.max(*last);
        Some(*last)
    }
}
