//! Which slots of the plan a load thread has, and since when.
//!
//! Owns the numbers of lives: no two of one user draw the same random numbers, wherever they lived.
//! What becomes of places when slots come and go is `places`'.

use crate::load::Part;

/// A thread's part of the plan, and since when it has had each slot of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    part: Part,
    /// By its slots: the number of the assignment that gave it this one. Empty as long as it has
    /// those that it began with.
    since: Vec<u16>,
}

impl Holding {
    /// What a thread begins with.
    pub(super) fn begun(part: Part) -> Holding {
        let since = Vec::new();
        Holding { part, since }
    }

    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    /// What the thread has after the assignment of that number.
    pub(super) fn assigned(&self, number: u16, part: Part) -> Holding {
        let mut next = Holding::begun(part);
        let slots = next.part.slots().iter();
        next.since = slots
            .map(|slot| match self.keeps(&next, *slot) {
                true => self.since_of(*slot),
                false => number,
            })
            .collect();
        next
    }

    /// Whether the thread has a slot both before and after. Slots of another division are others.
    pub(super) fn keeps(&self, next: &Holding, slot: u32) -> bool {
        self.part.count() == next.part.count() && self.part.has(slot) && next.part.has(slot)
    }

    fn since_of(&self, slot: u32) -> u16 {
        let index = self.part.slots().binary_search(&slot);
        let since = index.ok().and_then(|index| self.since.get(index));
        since.copied().unwrap_or(0)
    }

    /// Numbers the users that have one ordinal, so that no two of them draw the same random
    /// numbers, whichever threads they run on. `lives`: how often the place has been taken on this
    /// thread. Before the first assignment the numbers are those of a run without any.
    pub(super) fn incarnation(&self, track: usize, ordinal: u32, lives: u32) -> u32 {
        if self.since.is_empty() {
            return lives;
        }
        // A place is retaken when a plan goes down and up again: 65,536 times take a day.
        let since = self.since_of(self.part.slot_of(track, ordinal));
        u32::from(since) << u16::BITS | lives & u32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_moves_never_lives_a_life_again() {
        let part = |slots: &[u32]| Part::of(4, slots.to_vec()).unwrap();
        let mut here = Holding::begun(part(&[0, 1]));
        let mut there = Holding::begun(part(&[2, 3]));
        // By ordinal; slots and ordinals below 4 are the same. As in a run that stays as it is:
        assert_eq!(
            (here.incarnation(0, 1, 0), here.incarnation(0, 1, 3)),
            (0, 3)
        );
        let mut lived = vec![here.incarnation(0, 1, 0), here.incarnation(0, 1, 1)];
        here = here.assigned(1, part(&[0]));
        there = there.assigned(1, part(&[1, 2, 3]));
        assert_eq!(
            (here.incarnation(0, 0, 1), there.incarnation(0, 2, 1)),
            (1, 1),
            "they stayed"
        );
        lived.extend([there.incarnation(0, 1, 0), there.incarnation(0, 1, 1)]);
        // Another assignment leaves it where it is: its lives go on.
        there = there.assigned(2, part(&[1, 2]));
        lived.push(there.incarnation(0, 1, 2));
        here = here.assigned(3, part(&[0, 1]));
        lived.extend([here.incarnation(0, 1, 0), here.incarnation(0, 1, 1)]);
        let mut distinct = lived.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), lived.len(), "{lived:?}");
    }
}
