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
    /// The serial number of who took each place that is taken; it may have ended since. `None` if
    /// there was nobody to take it. The last place is the first freed.
    taken: Vec<Option<u64>>,
    /// How often each place has been taken. A user that takes a place anew has the ordinal of
    /// the one before, but draws other random numbers.
    lives: Vec<u32>,
}

impl Places {
    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// Who took them, the first first; `None` where nobody did.
    pub(super) fn serials(&self) -> &[Option<u64>] {
        &self.taken
    }

    /// Whether there was nobody to take this place when it was to be taken.
    pub(super) fn is_vacant(&self, index: usize) -> bool {
        self.taken.get(index) == Some(&None)
    }

    /// Nobody takes a place that is the next one or taken: the classes have no user for it.
    pub(super) fn leave_vacant(&mut self, index: usize) {
        match self.taken.get_mut(index) {
            Some(taken) => *taken = None,
            None => self.taken.push(None),
        }
    }

    /// Takes a place that is the next one or taken; gives how often it was taken before.
    pub(super) fn take(&mut self, index: usize, serial: u64) -> u32 {
        match self.taken.get_mut(index) {
            Some(taken) => *taken = Some(serial),
            None => self.taken.push(Some(serial)),
        }
        if self.lives.len() <= index {
            self.lives.resize(index + 1, 0);
        }
        let life = self.lives[index];
        self.lives[index] += 1;
        life
    }

    /// Frees the last place; gives who took it, if anybody did.
    pub(super) fn free_last(&mut self) -> Option<u64> {
        self.taken.pop().flatten()
    }

    /// The place that this user took, if it is still its.
    pub(super) fn place_of(&self, serial: u64) -> Option<usize> {
        self.taken.iter().position(|taken| *taken == Some(serial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_nobody_took_is_vacant_until_somebody_does() {
        let mut places = Places::default();
        places.take(0, 7);
        places.leave_vacant(1);
        assert_eq!((places.taken(), places.place_of(7)), (2, Some(0)));
        assert_eq!(
            [0, 1, 2].map(|index| places.is_vacant(index)),
            [false, true, false]
        );
        // The first that takes it draws what the first would have drawn.
        assert_eq!(places.take(1, 8), 0);
        assert!(!places.is_vacant(1));
        places.leave_vacant(1);
        assert_eq!((places.place_of(8), places.free_last()), (None, None));
        assert_eq!((places.taken(), places.free_last()), (1, Some(7)));
    }
}
