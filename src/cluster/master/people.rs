//! Workers as people see them.
//!
//! Owns what is told of them; it changes nothing. What they say of themselves is passed by.

use super::record::Life;
use super::{Conn, Master};
use crate::clock::Micros;
use crate::cluster::fence;
use crate::cluster::roster::Stand;

/// What a master knows of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// Its number, counted from 0 and never used again in the run.
    pub number: u32,
    /// What it says that its host is called.
    pub host: &'a str,
    /// Its load threads.
    pub threads: u32,
    /// Its connection.
    pub conn: Option<Conn>,
    /// How it stands by its beats.
    pub stand: Stand,
    /// When it was heard last.
    pub heard: Option<Micros>,
    /// It left, and all its numbers are counted.
    pub has_left: bool,
    /// It was turned away, and so is whoever claims to be it.
    pub is_barred: bool,
    /// It has a seat, and so perhaps users.
    pub is_seated: bool,
    /// Samples that are counted.
    pub samples: u64,
    /// As many more may be missing at most, if its users are others'.
    pub missing: u64,
}

impl<R: Clone> Master<R> {
    /// All workers of the run, by number, those that have gone included.
    pub fn people(&self, now: Micros) -> impl Iterator<Item = Person<'_>> {
        let rates = self.records.values();
        let rate = rates
            .map(|record| record.told.rate_of_user())
            .fold(0.0, f64::max);
        let fence = fence(self.roster.moves());
        self.records.iter().map(move |(number, record)| {
            let stand = self.roster.stand(*number);
            let is_gone = stand >= Stand::Moved && record.life != Life::Left;
            Person {
                number: *number,
                host: &record.host,
                threads: record.threads,
                conn: record.conn,
                stand,
                heard: self.roster.last_heard(*number),
                has_left: record.life == Life::Left,
                is_barred: record.life == Life::Barred,
                is_seated: record.seat.is_some(),
                samples: record.samples,
                missing: match is_gone {
                    true => {
                        let until = self.roster.at_work_until(now, *number);
                        record.missing(rate, self.users, until, fence)
                    }
                    false => 0,
                },
            }
        })
    }

    /// What a worker says that its host is called.
    #[must_use]
    pub fn host_of(&self, worker: u32) -> &str {
        self.records.get(&worker).map_or("", |record| &*record.host)
    }

    /// The worker that has that connection.
    #[must_use]
    pub fn worker_of(&self, conn: Conn) -> Option<u32> {
        self.conns.get(&conn).copied()
    }
}
