//! The places of a load thread's users in the tracks of the plan.
//!
//! Owns who took which place, and how often each was taken. Who starts and stops users is the
//! crew.

/// A place of this thread: its number within the track, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) track: usize,
    pub(super) index: usize,
}

/// The places of this thread's users in one track of the plan.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The serial number of who took each place that is taken; it may have ended since. The last
    /// place is the first freed.
    taken: Vec<u64>,
    /// How often each place has been taken. A user that takes a place anew has the ordinal of
    /// the one before, but draws other random numbers.
    lives: Vec<u32>,
}

impl Places {
    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// Who took them, the first first.
    pub(super) fn serials(&self) -> &[u64] {
        &self.taken
    }

    /// Takes a place that is the next one or taken; gives how often it was taken before.
    pub(super) fn take(&mut self, index: usize, serial: u64) -> u32 {
        match self.taken.get_mut(index) {
            Some(taken) => *taken = serial,
            None => self.taken.push(serial),
        }
        if self.lives.len() <= index {
            self.lives.resize(index + 1, 0);
        }
        let life = self.lives[index];
        self.lives[index] += 1;
        life
    }

    /// Frees the last place; gives who took it.
    pub(super) fn free_last(&mut self) -> Option<u64> {
        self.taken.pop()
    }

    /// The place that this user took, if it is still its.
    pub(super) fn place_of(&self, serial: u64) -> Option<usize> {
        self.taken.iter().position(|taken| *taken == serial)
    }
}
