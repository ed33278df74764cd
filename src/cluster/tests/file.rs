//! The state file of the world's master.
//!
//! Owns when it is written, and that this takes a while.

use super::net::SECOND;
use super::world::{Event, World};
use crate::cluster::master::MasterEvent;

impl World {
    pub(super) fn save(&mut self, life: u32) {
        if self.life != life {
            return;
        }
        let Some(head) = &mut self.head else {
            return;
        };
        let now = head.clock.at(self.now);
        let indices = self.processes.iter().map(|process| process.index);
        self.saving = Some((
            head.core.saving(now),
            head.counted.clone(),
            indices.collect(),
        ));
        let written = self.now + self.chance.within(1_000, SECOND / 2);
        self.at(written, Event::Saved(life));
        self.at(self.now + 10 * SECOND, Event::Save(life));
    }

    pub(super) fn saved(&mut self, life: u32) {
        if self.life == life
            && let Some(file) = self.saving.take()
        {
            if self.chance.one_in(8) {
                // The disk is full.
                return self.master(MasterEvent::Unsaved);
            }
            self.file = Some(file);
            self.master(MasterEvent::Saved);
        }
    }
}
