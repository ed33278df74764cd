//! The places of a load thread's users in the tracks of the plan.
//!
//! Owns which user took which place, how often each was taken, and what becomes of places when the
//! thread gets another part of the plan. The crew starts and stops users.

use std::collections::VecDeque;

use super::holding::Holding;

/// A place of this thread: its number within the track, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) track: usize,
    pub(super) index: usize,
}

/// The state of a place that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// By the user with this serial number, which may have ended since.
    By(u64),
    /// There was no user to take it.
    Vacant,
    /// Its user has not been started yet.
    Awaited,
}

/// The places of this thread's users in one track of the plan.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The last place is the first freed.
    taken: Vec<Taken>,
    /// How often each place has been taken. A user that retakes a place has the ordinal of the
    /// previous one, but draws other random numbers.
    lives: Vec<u32>,
    /// Awaited places, ascending; some may have been freed since. These were the thread's own
    /// before, and it has not started their users yet.
    open: VecDeque<usize>,
    /// And these belong to slots that it gained.
    gained: VecDeque<usize>,
}

/// What becomes of the users of a track when their thread gets another part of the plan.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) places: Places,
    /// Users whose slots are another thread's now.
    pub(super) lost: Vec<u64>,
    /// Users that the plan no longer asks for.
    pub(super) surplus: Vec<u64>,
}

impl Places {
    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// The state of each, in order.
    pub(super) fn all(&self) -> &[Taken] {
        &self.taken
    }

    /// Whether there was no user for this place when it was to be taken.
    pub(super) fn is_vacant(&self, index: usize) -> bool {
        self.taken.get(index) == Some(&Taken::Vacant)
    }

    /// Leaves a place vacant, the next one or a taken one: the classes have no user for it.
    pub(super) fn leave_vacant(&mut self, index: usize) {
        self.set(index, Taken::Vacant);
    }

    /// Takes a place, the next one or a taken one; returns how often it was taken before.
    pub(super) fn take(&mut self, index: usize, serial: u64) -> u32 {
        self.set(index, Taken::By(serial));
        if self.lives.len() <= index {
            self.lives.resize(index + 1, 0);
        }
        let life = self.lives[index];
        self.lives[index] += 1;
        life
    }

    fn set(&mut self, index: usize, to: Taken) {
        match self.taken.get_mut(index) {
            Some(taken) => *taken = to,
            None => self.taken.push(to),
        }
    }

    /// Frees the last place; returns the user that took it, if any.
    pub(super) fn free_last(&mut self) -> Option<u64> {
        match self.taken.pop()? {
            Taken::By(serial) => Some(serial),
            Taken::Vacant | Taken::Awaited => None,
        }
    }

    /// The place that this user took, if it still has it.
    pub(super) fn place_of(&self, serial: u64) -> Option<usize> {
        self.taken
            .iter()
            .position(|taken| *taken == Taken::By(serial))
    }

    /// The first place of the thread's own that is awaited.
    pub(super) fn next_open(&mut self) -> Option<usize> {
        first_awaited(&mut self.open, &self.taken)
    }

    /// The first place gained that is awaited.
    pub(super) fn next_gained(&mut self) -> Option<usize> {
        first_awaited(&mut self.gained, &self.taken)
    }

    /// Rearranges the places for a thread that gets `next` instead of `before`, when the plan asks
    /// for `asked` users of its new part. Places of slots that it keeps are only renumbered.
    pub(super) fn moved(
        &self,
        track: usize,
        before: &Holding,
        next: &Holding,
        asked: u32,
    ) -> Moved {
        let kept = |index: usize| {
            let ordinal = before.part().ordinal(track, u32::try_from(index).ok()?)?;
            let keeps = before.keeps(next, before.part().slot_of(track, ordinal));
            keeps.then(|| next.part().own_of(track, ordinal) as usize)
        };
        let is_gained = |index: u32| {
            let ordinal = next.part().ordinal(track, index);
            let slot = ordinal.map(|ordinal| next.part().slot_of(track, ordinal));
            !slot.is_some_and(|slot| before.keeps(next, slot))
        };
        let mut moved = Moved::default();
        let mut taken = vec![Taken::Awaited; asked as usize];
        let mut gained: Vec<bool> = (0..asked).map(is_gained).collect();
        for (index, was) in self.taken.iter().enumerate() {
            match (kept(index), *was) {
                (Some(at), was) if at < taken.len() => {
                    taken[at] = was;
                    // It may have gained this slot earlier without starting its users yet.
                    gained[at] = self.gained.binary_search(&index).is_ok();
                }
                (Some(_), Taken::By(serial)) => moved.surplus.push(serial),
                (None, Taken::By(serial)) => moved.lost.push(serial),
                (_, Taken::Vacant | Taken::Awaited) => {}
            }
        }
        let mut lives = Vec::new();
        for (index, count) in self.lives.iter().enumerate() {
            if let Some(at) = kept(index) {
                lives.resize(lives.len().max(at + 1), 0);
                lives[at] = *count;
            }
        }
        let awaited = (0..taken.len()).filter(|index| taken[*index] == Taken::Awaited);
        let (gained, open) = awaited.partition(|index| gained[*index]);
        moved.places = Places {
            taken,
            lives,
            open,
            gained,
        };
        moved
    }
}

/// The first of these that is still awaited; drops those before it.
fn first_awaited(queue: &mut VecDeque<usize>, taken: &[Taken]) -> Option<usize> {
    while let Some(index) = queue.front() {
        if taken.get(*index) == Some(&Taken::Awaited) {
            return Some(*index);
        }
        queue.pop_front();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::load::Part;

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

    fn holding(slots: &[u32]) -> Holding {
        Holding::begun(Part::of(4, slots.to_vec()).unwrap())
    }

    /// Places with these serial numbers; 0 for one that nobody could take.
    fn places(serials: &[u64]) -> Places {
        let mut places = Places::default();
        for (index, serial) in serials.iter().enumerate() {
            match serial {
                0 => places.leave_vacant(index),
                serial => drop(places.take(index, *serial)),
            }
        }
        places
    }

    #[test]
    fn who_keeps_a_slot_keeps_its_users_under_other_numbers() {
        // Slots of the ordinals from 0 on: 0 1 2 3, 2 3 0 1, 0 1 2 3, …
        let (before, next) = (holding(&[0, 1]), holding(&[1, 2]));
        // Users 0, 1, 6, 7 and 8, of which 7 could not be.
        let places = places(&[10, 11, 16, 0, 18]);
        // Then 1, 2, 4, 7 and 9 are asked for.
        let mut moved = places.moved(0, &before, &next, 5);
        assert_eq!((moved.lost, moved.surplus), (vec![10, 16, 18], vec![]));
        let taken = [
            Taken::By(11),
            Taken::Awaited,
            Taken::Awaited,
            Taken::Vacant,
            Taken::Awaited,
        ];
        assert_eq!(moved.places.all(), taken);
        // User 9 is its own, and was not there yet; 2 and 4 come from another.
        assert_eq!(moved.places.next_open(), Some(4));
        assert_eq!(moved.places.next_gained(), Some(1));
        moved.places.take(4, 19);
        moved.places.take(1, 12);
        assert_eq!(moved.places.next_open(), None);
        assert_eq!(moved.places.next_gained(), Some(2));
        // The plan goes down, and that one need not come any more.
        moved.places.free_last();
        moved.places.free_last();
        assert_eq!(
            (moved.places.free_last(), moved.places.next_gained()),
            (None, None)
        );
        assert_eq!(
            (moved.places.free_last(), moved.places.taken()),
            (Some(12), 1)
        );
    }

    #[test]
    fn who_is_not_asked_for_any_more_is_not_moved() {
        let (before, next) = (holding(&[0, 1]), holding(&[1]));
        let moved = places(&[10, 11, 16, 17]).moved(0, &before, &next, 1);
        assert_eq!((moved.lost, moved.surplus), (vec![10, 16], vec![17]));
        assert_eq!(moved.places.all(), [Taken::By(11)]);
        // All of it goes.
        let moved = places(&[10, 0]).moved(0, &before, &holding(&[]), 0);
        assert_eq!((moved.lost, moved.places.taken()), (vec![10], 0));
    }

    #[test]
    fn what_was_gained_and_not_begun_is_still_to_come_at_its_pace() {
        let one = holding(&[0]);
        let two = one.assigned(1, Part::of(4, vec![0, 1]).unwrap());
        let mut moved = places(&[10]).moved(0, &one, &two, 3);
        assert_eq!(moved.places.next_gained(), Some(1));
        assert_eq!(
            moved.places.next_open(),
            Some(2),
            "user 6 was not there yet"
        );
        let three = two.assigned(2, Part::of(4, vec![0, 1, 3]).unwrap());
        let moved = moved.places.moved(0, &two, &three, 4);
        let (gained, open) = (moved.places.gained, moved.places.open);
        // Users 0, 1, 3 and 5.
        assert_eq!((gained, open), ([1, 2, 3].into(), VecDeque::new()));
    }

    #[test]
    fn lives_are_counted_on_under_another_number() {
        let mut once = places(&[10, 11, 16]);
        assert_eq!(once.take(1, 12), 1);
        let mut moved = once.moved(0, &holding(&[0, 1]), &holding(&[1]), 1);
        assert_eq!(moved.places.take(0, 13), 2);
        assert_eq!(moved.places.take(1, 14), 0);
    }

    /// A load thread's places in one track, and who took them.
    struct Member {
        holding: Holding,
        places: Places,
    }

    /// Some threads that follow one number of users.
    #[derive(Default)]
    struct World {
        members: Vec<Member>,
        /// By serial number: whose place it took.
        ordinals: Vec<u32>,
        /// Ordinals and lives that there were.
        lived: HashSet<(u32, u32)>,
    }

    impl World {
        fn take(&mut self, member: usize, index: usize) {
            let Member { holding, places } = &mut self.members[member];
            let ordinal = holding
                .part()
                .ordinal(0, u32::try_from(index).unwrap())
                .unwrap();
            let serial = self.ordinals.len() as u64;
            self.ordinals.push(ordinal);
            let lives = places.take(index, serial);
            let incarnation = holding.incarnation(0, ordinal, lives);
            assert!(
                self.lived.insert((ordinal, incarnation)),
                "user {ordinal}, incarnation {incarnation}"
            );
        }

        /// What the crew does as time passes.
        fn follow(&mut self, users: u32) {
            for member in 0..self.members.len() {
                loop {
                    let Member { holding, places } = &mut self.members[member];
                    let asked = holding.part().own_of(0, users) as usize;
                    if places.taken() > asked {
                        places.free_last();
                        continue;
                    }
                    let next = Some(places.taken()).filter(|taken| *taken < asked);
                    let awaited = places.next_open().or_else(|| places.next_gained());
                    match awaited.or(next) {
                        Some(index) => self.take(member, index),
                        None => break,
                    }
                }
            }
        }

        /// Gives a thread other slots; those it loses before those it gains.
        fn assign(&mut self, member: usize, number: u16, slots: Vec<u32>, users: u32) {
            let Member { holding, places } = &self.members[member];
            let next = holding.assigned(number, Part::of(16, slots).unwrap());
            let asked = next.part().own_of(0, users);
            let moved = places.moved(0, holding, &next, asked);
            for serial in &moved.lost {
                let ordinal = self.ordinals[usize::try_from(*serial).unwrap()];
                assert!(
                    !next.part().has(next.part().slot_of(0, ordinal)),
                    "it keeps that"
                );
            }
            self.members[member] = Member {
                holding: next,
                places: moved.places,
            };
        }

        /// By ordinal: who there is.
        fn there(&self) -> BTreeMap<u32, u64> {
            let mut there = BTreeMap::new();
            for Member { holding, places } in &self.members {
                for (index, taken) in places.all().iter().enumerate() {
                    let index = u32::try_from(index).unwrap();
                    let ordinal = holding.part().ordinal(0, index).unwrap();
                    if let Taken::By(serial) = taken {
                        let took = self.ordinals[usize::try_from(*serial).unwrap()];
                        assert_eq!(took, ordinal, "a user keeps its place");
                        assert_eq!(there.insert(ordinal, *serial), None, "once");
                    }
                }
            }
            there
        }
    }

    proptest! {
        #[test]
        fn wherever_slots_go_each_user_is_on_one_thread_and_lives_no_life_twice(
            steps in prop::collection::vec(
                (prop::collection::vec(0_usize..3, 16), 0_u32..80, any::<bool>()),
                1..12,
            ),
        ) {
            let mut world = World::default();
            let all: Vec<u32> = (0..16).collect();
            for slots in [all, vec![], vec![]] {
                world.members.push(Member {
                    holding: Holding::begun(Part::of(16, slots).unwrap()),
                    places: Places::default(),
                });
            }
            let mut users = 0;
            let mut owners = vec![0; 16];
            for (number, (next, then, in_a_ramp)) in (1..).zip(steps) {
                if !in_a_ramp {
                    world.follow(users);
                }
                let before = world.there();
                let of = |owners: &[usize], member| -> Vec<u32> {
                    (0..16).filter(|slot| owners[*slot as usize] == member).collect()
                };
                for member in 0..3 {
                    let mut slots = of(&owners, member);
                    slots.retain(|slot| next[*slot as usize] == member);
                    world.assign(member, number, slots, users);
                }
                for (ordinal, serial) in world.there() {
                    prop_assert_eq!(before.get(&ordinal), Some(&serial), "nobody comes too early");
                }
                for member in 0..3 {
                    world.assign(member, number, of(&next, member), users);
                }
                let part = world.members[0].holding.part();
                let stays = |ordinal: u32| {
                    let slot = part.slot_of(0, ordinal) as usize;
                    ordinal < users && owners[slot] == next[slot]
                };
                let there = world.there();
                for (ordinal, serial) in before.iter().filter(|(ordinal, _)| stays(**ordinal)) {
                    prop_assert_eq!(there.get(ordinal), Some(serial), "nobody else is touched");
                }
                if !in_a_ramp {
                    world.follow(users);
                    prop_assert!(world.there().into_keys().eq(0..users));
                }
                (owners, users) = (next, then);
            }
            world.follow(users);
            prop_assert!(world.there().into_keys().eq(0..users));
        }
    }
}
