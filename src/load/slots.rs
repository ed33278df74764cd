//! Which load thread has which slots, and how they are redealt when threads come or go.
//!
//! Owns the division of slots among threads, wherever those run. [`Part`] works out the users of a
//! slot; the runner moves users between threads.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

use super::{Part, Split};

/// Slots per load thread at the start: one slot more or less of 64 makes threads differ by 3 % in a
/// cluster that has not grown.
const SLOTS_PER_THREAD: u32 = 64;

/// The fewest slots of a cluster, so that a small one can grow, and the most: 4 MB.
const BOUNDS: (u32, u32) = (1 << 12, 1 << 20);

/// The slots of a run, a fixed number, each belonging to one load thread.
///
/// Users are divided among slots once and for all ([`Split`]), so a thread that comes or goes moves
/// its own share and no other users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// By slot: the number of its thread over all machines.
    owners: Vec<u32>,
    /// How often they were redealt, so that no two deals are alike.
    deals: u64,
}

/// How users move between threads without any user being in two places: first threads give up
/// slots, and once the users of those are gone, others take them over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moves {
    /// By thread: what it keeps. May include threads that are gone.
    pub first: BTreeMap<u32, Part>,
    /// By thread: everything it has afterwards.
    pub then: BTreeMap<u32, Part>,
}

impl Slots {
    /// For a run in a single process: one slot per thread, which is enough when threads neither
    /// come nor go. Zero threads count as one.
    #[must_use]
    pub fn local(threads: u32) -> Slots {
        Slots {
            owners: (0..threads.max(1)).collect(),
            deals: 0,
        }
    }

    /// For threads that may come and go; `threads` at the start, zero counting as one. The first
    /// users of a mixed plan, as many as there are slots, are divided as a single process with that
    /// many threads would.
    #[must_use]
    pub fn shared(threads: u32) -> Slots {
        let split = Split::new(threads);
        let wanted = threads.max(1).saturating_mul(SLOTS_PER_THREAD);
        let slots = wanted.min(BOUNDS.1).next_power_of_two().max(BOUNDS.0);
        Slots {
            owners: (0..slots).map(|slot| split.thread_of(slot)).collect(),
            deals: 0,
        }
    }

    /// With known owners: by slot, the number of its thread. A number that no thread has stands for
    /// a slot that is free.
    #[must_use]
    pub fn owned(owners: Vec<u32>) -> Slots {
        Slots { owners, deals: 0 }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.owners.len()).expect("there are at most 2^20 slots, or one a thread")
    }

    /// Each thread's part of a plan; a thread without slots has none.
    #[must_use]
    pub fn parts(&self) -> BTreeMap<u32, Part> {
        let mut slots: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (slot, owner) in (0..).zip(&self.owners) {
            slots.entry(*owner).or_default().push(slot);
        }
        let parts = slots.into_iter();
        parts
            .filter_map(|(owner, slots)| Some((owner, Part::of(self.count(), slots)?)))
            .collect()
    }

    /// How users move from these slots to `next`, which were redealt from them.
    #[must_use]
    pub fn moves(&self, next: &Slots) -> Moves {
        let mut left: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let (mut losing, mut gaining) = (BTreeSet::new(), BTreeSet::new());
        for (slot, (before, after)) in (0..).zip(self.owners.iter().zip(&next.owners)) {
            let left = left.entry(*before).or_default();
            if before == after {
                left.push(slot);
            } else {
                losing.insert(*before);
                gaining.insert(*after);
            }
        }
        left.retain(|thread, _| losing.contains(thread));
        let first = left.into_iter();
        let first =
            first.filter_map(|(thread, slots)| Some((thread, Part::of(self.count(), slots)?)));
        let mut then = next.parts();
        then.retain(|thread, _| gaining.contains(thread));
        Moves {
            first: first.collect(),
            then,
        }
    }

    /// Redeals all slots to these threads, as evenly as possible and moving as few as possible:
    /// those of threads that are not listed, and what others have beyond their fair share. Without
    /// any threads, everything stays as it is until one comes.
    pub fn deal(&mut self, among: &[u32]) {
        let mut held: BTreeMap<u32, Vec<u32>> =
            among.iter().map(|thread| (*thread, Vec::new())).collect();
        if held.is_empty() {
            return;
        }
        let mut free = Vec::new();
        for (slot, owner) in (0..).zip(&self.owners) {
            held.get_mut(owner).unwrap_or(&mut free).push(slot);
        }
        let threads = held.len();
        let (fair, more) = (self.owners.len() / threads, self.owners.len() % threads);
        let mut held: Vec<_> = held.into_iter().collect();
        // Threads with the most slots keep those that cannot be divided evenly.
        held.sort_by_key(|(_, slots)| Reverse(slots.len()));
        let (mut takers, mut wanted) = (Vec::new(), Vec::new());
        self.deals += 1;
        let seed = mixed(self.deals);
        for (index, (thread, slots)) in held.iter().enumerate() {
            let part = fair + usize::from(index < more);
            match slots.len().checked_sub(part) {
                Some(surplus) => {
                    let turns = by_turns(&[surplus, part], seed ^ u64::from(*thread));
                    let given = slots.iter().zip(turns).filter(|(_, keeps)| *keeps == 0);
                    free.extend(given.map(|(slot, _)| *slot));
                }
                None => {
                    takers.push(*thread);
                    wanted.push(part - slots.len());
                }
            }
        }
        free.sort_unstable();
        for (slot, taker) in free.into_iter().zip(by_turns(&wanted, seed)) {
            self.owners[slot as usize] = takers[taker];
        }
    }
}

/// A sequence of takers with the given numbers of turns each, such that any stretch of it is shared
/// evenly.
///
/// A taker's turns are evenly spaced, and each is shifted at random by up to two spacings: a strict
/// rhythm could give a thread all users of one class, and pure chance could give one thread three
/// times as many users as another while there are few.
fn by_turns(counts: &[usize], seed: u64) -> Vec<usize> {
    let mut turns = Vec::with_capacity(counts.iter().sum());
    for (taker, count) in counts.iter().enumerate() {
        let chances = mixed(seed ^ mixed(taker as u64));
        turns.extend((0..*count as u64).map(|turn| {
            let moved = mixed(chances ^ turn) >> 31;
            // As a part of the whole; there are at most 2^20 turns, or one a thread.
            (((turn << 32) + moved) / *count as u64, taker)
        }));
    }
    turns.sort_unstable();
    turns.into_iter().map(|(_, taker)| taker).collect()
}

/// SplitMix64's output function (Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    SplitMix64::seed_from_u64(number).next_u64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::load::{ClassShare, Mix, Plan};
    use crate::units::Rate;

    /// Slots that change hands between these.
    fn moved(before: &Slots, after: &Slots) -> usize {
        let owners = before.owners.iter().zip(&after.owners);
        owners.filter(|(before, after)| before != after).count()
    }

    /// By slot: its thread.
    fn owners(parts: &BTreeMap<u32, Part>) -> BTreeMap<u32, Vec<u32>> {
        let mut owners: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (thread, part) in parts {
            for slot in part.slots() {
                owners.entry(*slot).or_default().push(*thread);
            }
        }
        owners
    }

    fn counts(slots: &Slots) -> BTreeMap<u32, usize> {
        let mut counts = BTreeMap::new();
        for owner in &slots.owners {
            *counts.entry(*owner).or_default() += 1;
        }
        counts
    }

    #[test]
    fn there_are_so_many_slots() {
        let count = |threads| Slots::shared(threads).count();
        assert_eq!(
            [0, 1, 64, 65, 100].map(count),
            [4_096, 4_096, 4_096, 8_192, 8_192]
        );
        assert_eq!([16_384, 100_000].map(count), [1 << 20; 2]);
        assert_eq!(
            [0, 1, 7].map(|threads| Slots::local(threads).count()),
            [1, 1, 7]
        );
    }

    #[test]
    fn in_one_process_each_thread_has_the_slot_of_its_number() {
        for threads in 1..9 {
            let expected = (0..threads).map(|thread| (thread, Part::new(thread, threads)));
            assert!(Slots::local(threads).parts().into_iter().eq(expected));
        }
    }

    #[test]
    fn at_the_start_users_are_divided_as_in_one_process() {
        for threads in [1, 2, 3, 4, 7, 64] {
            let slots = Slots::shared(threads);
            let parts = slots.parts();
            for user in 0..slots.count() {
                let thread = Split::new(threads).thread_of(user);
                assert!(
                    parts[&thread].has(parts[&0].slot_of(0, user)),
                    "{threads}: {user}"
                );
            }
        }
    }

    #[test]
    fn who_leaves_moves_its_own_slots_and_who_comes_its_fair_part() {
        let four = Slots::shared(4);
        let mut slots = four.clone();
        slots.deal(&[0, 1, 3]);
        assert_eq!(
            (moved(&four, &slots), counts(&slots)),
            (1_024, [(0, 1_366), (1, 1_365), (3, 1_365)].into())
        );
        let three = slots.clone();
        slots.deal(&[0, 1, 3, 9]);
        assert_eq!((moved(&three, &slots), counts(&slots)[&9]), (1_024, 1_024));
        // One thread replaces another: no others are touched.
        let before = slots.clone();
        slots.deal(&[0, 1, 5, 9]);
        assert_eq!(moved(&before, &slots), 1_024);
        let taken = before.owners.iter().zip(&slots.owners);
        assert!(
            taken
                .filter(|(_, after)| **after == 5)
                .all(|(before, _)| *before == 3)
        );
        // The same threads again change nothing, nor do none at all.
        let before = slots.clone();
        slots.deal(&[9, 5, 1, 0]);
        slots.deal(&[]);
        assert_eq!(slots.owners, before.owners);
        slots.deal(&[77]);
        assert_eq!(counts(&slots), [(77, 4_096)].into());
    }

    /// Threads that come and go, from so many on: what there is after each.
    fn changes() -> impl Strategy<Value = (u32, Vec<BTreeSet<u32>>)> {
        let some = prop::collection::btree_set(0_u32..24, 1..12);
        (1_u32..12, prop::collection::vec(some, 1..8))
    }

    proptest! {
        // Each looks at thousands of slots after each of several changes.
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_parts_add_up_to_the_plan_at_every_moment(
            (start, changes) in changes(),
            users in 0_u32..30_000,
            track in 0_usize..5,
            moments in prop::collection::vec(0_u64..40_000, 10),
        ) {
            let plan = Plan::closed(users, Rate::from_per_sec(1_000.0).unwrap(), None);
            let mut slots = Slots::shared(start);
            for among in changes {
                slots.deal(&among.into_iter().collect::<Vec<_>>());
                let parts = slots.parts();
                for at in moments.iter().copied().map(Duration::from_millis) {
                    let sum: u32 = parts.values().map(|part| part.users_of(&plan, 0, at)).sum();
                    prop_assert_eq!(sum, plan.users_at(at));
                    let of_track: u32 = parts.values().map(|part| part.own_of(track, users)).sum();
                    prop_assert_eq!(of_track, users);
                }
            }
        }

        #[test]
        fn as_few_slots_as_possible_change_hands((start, changes) in changes()) {
            let mut slots = Slots::shared(start);
            for among in changes {
                let before = slots.clone();
                slots.deal(&among.iter().copied().collect::<Vec<_>>());
                let (had, has) = (counts(&before), counts(&slots));
                prop_assert!(has.keys().eq(among.iter()), "each has some, and nobody else");
                let gained = has.iter().map(|(thread, has)| {
                    has.saturating_sub(had.get(thread).copied().unwrap_or(0))
                });
                // No thread gives and takes at once, so no more moved than was needed.
                prop_assert_eq!(moved(&before, &slots), gained.sum::<usize>());
                let (least, most) = (has.values().min().unwrap(), has.values().max().unwrap());
                prop_assert!(most - least <= 1, "{:?}", has);
            }
        }

        #[test]
        fn every_class_is_spread_over_the_threads(
            (start, changes) in changes(),
            weights in prop::collection::vec(1_u32..10, 1..6),
            blocks in 1_u32..8,
        ) {
            let shares: Vec<_> = weights.iter().map(|weight| ClassShare {
                weight: f64::from(*weight),
                fixed_count: None,
            }).collect();
            let mut mix = Mix::new(&shares);
            let mut slots = Slots::shared(start);
            for among in changes {
                slots.deal(&among.into_iter().collect::<Vec<_>>());
                let users = blocks * slots.count();
                let all = mix.counts(users, shares.len());
                let parts = slots.parts();
                let mut offs = Vec::new();
                for part in parts.values() {
                    let own = part.own_of(0, users);
                    let mut counts = vec![0_u32; shares.len()];
                    for index in 0..own {
                        counts[mix.class_of(part.ordinal(0, index).unwrap()).unwrap()] += 1;
                    }
                    for (count, all) in counts.iter().zip(&all) {
                        let fair = f64::from(*all) * f64::from(own) / f64::from(users);
                        offs.push((f64::from(*count) - fair).abs() / f64::from(own));
                    }
                }
                // Of a thread's users. Threads that never changed are up to 8 % off, for weights
                // of a rhythm near the rotation's; a coin toss for each of 341 slots is 2.7 %.
                let worst = offs.iter().copied().fold(0.0, f64::max);
                let mean = offs.iter().sum::<f64>() / offs.len() as f64;
                prop_assert!(worst < 0.15 && mean < 0.05, "{} and {} on average", worst, mean);
            }
        }

        #[test]
        fn no_slot_is_on_two_threads_while_users_move((start, changes) in changes()) {
            let mut slots = Slots::shared(start);
            for among in changes {
                let before = slots.clone();
                slots.deal(&among.into_iter().collect::<Vec<_>>());
                let moves = before.moves(&slots);
                let mut parts = before.parts();
                parts.extend(moves.first);
                let (left, all) = (owners(&parts), owners(&slots.parts()));
                for (slot, owner) in &left {
                    prop_assert_eq!((owner.len(), &all[slot]), (1, owner));
                }
                prop_assert_eq!(left.len(), before.owners.len() - moved(&before, &slots));
                parts.retain(|_, part| !part.slots().is_empty());
                parts.extend(moves.then);
                prop_assert_eq!(parts, slots.parts());
            }
        }

        #[test]
        fn few_users_are_shared_out_evenly_too((start, changes) in changes()) {
            let mut slots = Slots::shared(start);
            for among in changes {
                slots.deal(&among.into_iter().collect::<Vec<_>>());
                let parts = slots.parts();
                let mut worst = 0.0_f64;
                for users in (0..slots.count()).step_by(7) {
                    let fair = f64::from(users) / parts.len() as f64;
                    let off = |part: &Part| (f64::from(part.own_of(0, users)) - fair).abs();
                    worst = parts.values().map(off).fold(worst, f64::max);
                }
                // Two turns' lengths of a thread's own, and as much of the others'.
                prop_assert!(worst < 6.0, "{} users off", worst);
            }
        }

        #[test]
        fn ordinals_and_indexes_are_each_others_inverse(
            (start, changes) in changes(),
            track in 0_usize..9,
            user in any::<u32>(),
        ) {
            let mut slots = Slots::shared(start);
            for among in changes {
                slots.deal(&among.into_iter().collect::<Vec<_>>());
                let parts = slots.parts();
                let slot = parts.values().next().unwrap().slot_of(track, user);
                let mut owners = parts.values().filter(|part| part.has(slot));
                let part = owners.next().unwrap();
                prop_assert!(owners.next().is_none());
                prop_assert_eq!(part.ordinal(track, part.own_of(track, user)), Some(user));
            }
        }
    }
}
