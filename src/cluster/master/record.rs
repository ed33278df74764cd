//! What a master knows of one worker, from its first welcome to the end of the run.
//!
//! Owns the record; `master` acts on it. Records of workers that have gone stay, so that one which
//! comes back is known, and none is counted twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Micros;
use crate::cluster::delivery::{Incoming, Outgoing};
use crate::cluster::hello::{Attempts, Conn};
use crate::cluster::loss;
use crate::cluster::message::{Applied, Seat, Standing, Told};

/// Whether anything is to be expected of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Life {
    There,
    /// It has left, and all its reports are counted.
    Left,
    /// Two processes claimed to be it.
    Barred,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) key: u128,
    /// What its host is called, as it says.
    pub(super) host: Box<str>,
    pub(super) threads: u32,
    pub(super) life: Life,
    pub(super) attempts: Attempts,
    #[serde(skip)]
    pub(super) conn: Option<Conn>,
    #[serde(skip)]
    pub(super) down: Outgoing<Told>,
    #[serde(skip)]
    pub(super) up: Incoming,
    /// It has said something in this epoch, so it knows its key.
    pub(super) has_spoken: bool,
    pub(super) seat: Option<Seat>,
    /// It kept that from the last master, and has not said yet what belongs to it.
    pub(super) is_untold: bool,
    /// It has no users, and has said so.
    pub(super) is_offered: bool,
    pub(super) is_leaving: bool,
    /// It has said that it can make no load of the edition in service.
    pub(super) is_unable: bool,
    /// The number of its last report.
    pub(super) finished: Option<u64>,
    /// Reports up to here are counted; `None` if it had some before this master knew it.
    pub(super) applied: Option<u64>,
    /// Of these, in the file; and in the one that is being written.
    kept: u64,
    saving: Option<u64>,
    /// Samples counted, and iterations that were begun in these reports.
    pub(super) samples: u64,
    pub(super) started: u64,
    pub(super) told: loss::Known,
    /// Its samples and what is missing of it, if it is lost.
    pub(super) lost: u64,
    /// The users it was to have last, at most.
    users: u32,
}

impl Record {
    /// A worker that is welcomed; `is_new` if no master has known it before.
    pub(super) fn new(
        now: Micros,
        key: u128,
        (host, threads): (Box<str>, u32),
        is_new: bool,
    ) -> Record {
        Record {
            key,
            host,
            threads,
            life: Life::There,
            attempts: Attempts::default(),
            conn: None,
            down: Outgoing::default(),
            up: Incoming::default(),
            has_spoken: false,
            seat: None,
            is_untold: false,
            is_offered: false,
            is_leaving: false,
            is_unable: false,
            finished: None,
            applied: is_new.then_some(0),
            kept: 0,
            saving: None,
            samples: 0,
            started: 0,
            told: loss::Known::new(now),
            lost: 0,
            users: 0,
        }
    }

    /// Nothing of connections and letters outlives the master.
    pub(super) fn restart(&mut self, now: Micros, saved: Micros, since: Duration) {
        self.conn = None;
        self.restart_letters();
        self.seat = None;
        self.is_untold = false;
        (self.is_offered, self.is_unable) = (false, false);
        if self.finished.is_some() && self.finished == self.applied {
            self.life = Life::Left;
        }
        self.finished = None;
        // The file has what was counted when it was written, and so has the worker after it.
        self.kept = self.applied.unwrap_or(0);
        self.saving = None;
        let age = Duration::from_micros(saved.since(self.told.at()));
        self.told.restart(now, since + age);
    }

    pub(super) fn restart_letters(&mut self) {
        self.down.restart();
        self.up = Incoming::default();
        self.has_spoken = false;
    }

    pub(super) fn expect(&mut self, users: u32) {
        self.users = users;
    }

    /// The file that is being written has all up to here.
    pub(super) fn saving(&mut self) {
        self.saving = self.applied;
    }

    pub(super) fn saved(&mut self) {
        self.kept = self.saving.take().unwrap_or(self.kept);
    }

    /// All its reports are counted, and survive the master if `has_file`.
    pub(super) fn is_done(&self, has_file: bool) -> bool {
        let done = self.finished.filter(|last| Some(*last) == self.applied);
        done.is_some_and(|last| !has_file || self.kept >= last)
    }

    /// What the worker is told of its reports.
    pub(super) fn standing(&self, has_file: bool) -> Standing {
        let Some(applied) = self.applied else {
            return Standing::Unknown;
        };
        Standing::Applied(Applied {
            applied,
            kept: if has_file { self.kept } else { applied },
        })
    }

    /// What may be missing of it.
    pub(super) fn missing(
        &self,
        rate_of_user: f64,
        all_users: u32,
        gone: Micros,
        fence: Duration,
    ) -> u64 {
        if self.finished.is_some() && self.finished == self.applied {
            return 0;
        }
        // A file does not know what it was given later.
        let users = match self.told.is_of_before() {
            true => all_users,
            false => self.users,
        };
        self.told
            .missing(self.samples, users, rate_of_user, gone, fence)
    }
}
