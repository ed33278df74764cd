//! A master whose state is kept in a file, and one that goes on from it.
//!
//! Owns what of it outlives the process. Nothing of connections, letters and clocks does: who comes
//! back says where it stands.

use std::time::Duration;

use super::record::{Life, Record};
use super::{Door, Gathering, Master, Roster};
use crate::clock::Micros;
use crate::cluster::hello::Credentials;

impl<R: Clone> Master<R> {
    /// Its state is kept in a file: nothing counts as kept before it is in there.
    pub fn with_file(&mut self) {
        self.file = Some(0);
        self.ranges.with_file();
    }

    /// What to write to the file now; [`Saved`](super::MasterEvent::Saved) says that it is there.
    pub fn saving(&mut self, now: Micros) -> Master<R> {
        self.written = now;
        self.file = Some(self.ranges.horizons().0);
        self.records.values_mut().for_each(Record::saving);
        self.clone()
    }

    /// A master that goes on from what the file had.
    #[must_use]
    pub fn restarted(mut self, now: Micros, epoch: u64) -> Master<R> {
        // Epochs are times of one clock, though the process has another one now.
        let age = self.written.since(self.began);
        let since = epoch.saturating_sub(self.epoch).saturating_sub(age);
        let (since, written) = (Duration::from_micros(since), self.written);
        self.epoch = epoch;
        self.began = now;
        self.is_adopting = true;
        (self.is_decided, self.has_memory) = (true, true);
        // All that was stated is in the file.
        self.knows_horizons = true;
        self.door = Door::default();
        self.conns.clear();
        self.by_member.clear();
        self.gathering = Gathering::default();
        self.ranges.restart();
        self.commons.restart();
        self.roster = Roster::new(self.roster.moves());
        (self.ends, self.is_over) = (None, false);
        for (index, record) in &mut self.records {
            record.restart(now, written, since);
            if record.life == Life::There {
                self.roster.heard(now, *index);
            }
        }
        self.actions.clear();
        self
    }

    /// What is not in the file: what workers have to know, and when those of this master lose their
    /// users. Those of the last one may keep them for longer.
    pub fn read(&mut self, own: Credentials, moves: Duration) {
        self.own = own;
        self.roster = Roster::new(moves);
        self.adopts_for = self.adopts_for.max(moves);
    }

    /// The file could not be written: numbers stay with the workers. What was stated of sources,
    /// those know that have a seat, as if there were no file.
    pub(super) fn unsaved(&mut self) {
        if let Some(statement) = self.file {
            let answers = self.ranges.are_kept(statement);
            self.answer(answers);
        }
    }

    /// Whether somebody who wants to go waits for the file.
    #[must_use]
    pub fn waits_for_file(&self) -> bool {
        let is_due = self.file.is_some() && self.ends.is_none();
        let waits = |record: &Record| {
            record.life == Life::There && record.is_done(false) && !record.is_done(true)
        };
        is_due && self.records.values().any(waits)
    }
}
