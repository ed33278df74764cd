//! One load thread's part of a plan.
//!
//! Owns which users of each track are this thread's and when the next of them starts or stops.
//! `mix` says which class they are, `slots` which slots the thread has; the runner starts and stops
//! them.

use std::sync::Arc;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Plan, Split};

/// One thread's share, the same for every plan: some of the slots that all users are divided among.
///
/// [`Split`] divides each track among the slots, and the slots take turns at being first: otherwise
/// many classes of one user each would all run on the first thread. A run in one process has one
/// slot per thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    split: Split,
    /// Ascending, each below the number of slots.
    slots: Arc<[u32]>,
}

impl Part {
    /// The part of thread number `thread` (from 0) of `threads` with a slot each; none counts as
    /// one.
    #[must_use]
    pub fn new(thread: u32, threads: u32) -> Part {
        let split = Split::new(threads);
        let slots = Arc::new([thread % split.threads()]);
        Part { split, slots }
    }

    /// The part that has these `slots` out of `count`, possibly none; `None` if one of them does
    /// not exist.
    #[must_use]
    pub fn of(count: u32, mut slots: Vec<u32>) -> Option<Part> {
        slots.sort_unstable();
        slots.dedup();
        let split = Split::new(count);
        let exist = slots.last().is_none_or(|last| *last < split.threads());
        exist.then(|| Part {
            split,
            slots: slots.into(),
        })
    }

    /// How many slots there are in all.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.split.threads()
    }

    /// Those of this thread, ascending.
    #[must_use]
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// The slot of a user, on any thread.
    #[must_use]
    pub fn slot_of(&self, track: usize, ordinal: u32) -> u32 {
        let shift = self.shift_of(track);
        self.split.rotate(self.split.thread_of(ordinal), shift)
    }

    /// Whether a slot is this thread's.
    #[must_use]
    pub fn has(&self, slot: u32) -> bool {
        self.slots.binary_search(&slot).is_ok()
    }

    /// How many users of a track this thread should have at `elapsed`.
    #[must_use]
    pub fn users_of(&self, plan: &Plan, track: usize, elapsed: Duration) -> u32 {
        let users = plan.users_of(track, elapsed);
        self.own_of(track, users)
    }

    /// How many of the first `users` users of a track are this thread's.
    #[must_use]
    pub fn own_of(&self, track: usize, users: u32) -> u32 {
        let own = u32::try_from(self.slots.len()).expect("there are fewer than 2^32 slots");
        let blocks = users / self.split.threads();
        let first = self.first_of(track, blocks);
        let end = u64::from(first) + u64::from(users % self.split.threads());
        let beyond = end.checked_sub(u64::from(self.split.threads()));
        let within = match beyond {
            None => self.below(end) - self.below(first.into()),
            // Wraps around.
            Some(end) => self.slots.len() - self.below(first.into()) + self.below(end),
        };
        blocks * own + u32::try_from(within).expect("there are fewer than 2^32 slots")
    }

    /// The ordinal within the track of this thread's own user number `index` (both from 0);
    /// `None` if that is beyond 32 bits.
    #[must_use]
    pub fn ordinal(&self, track: usize, index: u32) -> Option<u32> {
        let own = u32::try_from(self.slots.len()).expect("there are fewer than 2^32 slots");
        let block = index.checked_div(own)?;
        let first = self.first_of(track, block);
        let place = self.below(first.into()) + (index % own) as usize;
        let slot = self.slots[place % self.slots.len()];
        let within = self.split.rotate(slot, self.split.threads() - first);
        block.checked_mul(self.split.threads())?.checked_add(within)
    }

    /// The first moment after `elapsed` at which this thread has something to do: one of its own
    /// users starts or stops, or a stage begins. `None` if nothing ever changes again.
    #[must_use]
    pub fn next_change(&self, plan: &Plan, elapsed: Duration) -> Option<Duration> {
        let tracks = 0..plan.division().tracks();
        let own = tracks.filter_map(|track| self.next_of(plan, track, elapsed));
        own.chain(plan.next_stage(elapsed)).min()
    }

    /// True if this thread has as many users of each track as the stage at `elapsed` goes to.
    #[must_use]
    pub fn has_arrived(&self, plan: &Plan, elapsed: Duration) -> bool {
        (0..plan.division().tracks()).all(|track| {
            let at = plan.ramp_at(track, elapsed);
            let own = |users| self.own_of(track, users);
            own(at.users) == own(at.ramp.target())
        })
    }

    /// When this thread's next user of a track starts or stops in the present stage.
    fn next_of(&self, plan: &Plan, track: usize, elapsed: Duration) -> Option<Duration> {
        let at = plan.ramp_at(track, elapsed);
        let own = |users| self.own_of(track, users);
        let (mine, target) = (own(at.users), own(at.ramp.target()));
        let next = match mine.cmp(&target) {
            std::cmp::Ordering::Less => mine,
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => mine - 1,
        };
        let due = at.ramp.due(self.ordinal(track, next)?)?;
        let due = at.begins.saturating_add(due);
        plan.end().is_none_or(|end| due < end).then_some(due)
    }

    /// The slot of the first user of a block.
    fn first_of(&self, track: usize, block: u32) -> u32 {
        let shift = self.shift_of(track);
        self.split.rotate(self.split.offset(block), shift)
    }

    /// How far the slots' order is rotated in a track.
    fn shift_of(&self, track: usize) -> u32 {
        let shift = track % self.split.threads() as usize;
        u32::try_from(shift).expect("a remainder is below its 32-bit divisor")
    }

    /// How many of this thread's slots are before that one.
    fn below(&self, slot: u64) -> usize {
        self.slots.partition_point(|own| u64::from(*own) < slot)
    }
}

/// The number of slots, and the steps from each slot to the next: small, as they ascend.
impl Serialize for Part {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let steps = self
            .slots
            .iter()
            .map(|slot| slot - std::mem::replace(&mut last, *slot));
        (self.count(), steps.collect::<Vec<u32>>()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Part, D::Error> {
        let (count, steps) = <(u32, Vec<u32>)>::deserialize(from)?;
        let mut last = 0_u32;
        let slots = steps.into_iter().map(|step| {
            last = last.checked_add(step)?;
            Some(last)
        });
        let slots: Option<Vec<u32>> = slots.collect();
        let part = slots.and_then(|slots| Part::of(count, slots));
        part.ok_or_else(|| D::Error::custom("slots that there are not"))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_part_is_sent_in_little_and_only_slots_that_there_are_come() {
        let part = Part::of(4_096, (0..2_000).map(|nth| 2 * nth).collect()).unwrap();
        let bytes = postcard::to_allocvec(&part).unwrap();
        assert!(bytes.len() < 2_010, "{}", bytes.len());
        assert_eq!(postcard::from_bytes(&bytes), Ok(part));
        let beyond = postcard::to_allocvec(&(4_u32, vec![1_u32, 3])).unwrap();
        assert!(postcard::from_bytes::<Part>(&beyond).is_err());
        let too_far = postcard::to_allocvec(&(4_u32, vec![1, u32::MAX])).unwrap();
        assert!(postcard::from_bytes::<Part>(&too_far).is_err());
    }

    use proptest::prelude::*;

    use super::*;
    use crate::load::{Division, Stage};
    use crate::units::Rate;

    fn plan(tracks: usize, stages: &[(u64, Vec<u32>, Option<f64>)]) -> Plan {
        let division = match tracks {
            1 => Division::Mixed,
            classes => Division::PerClass(classes),
        };
        let stage = |(length_ms, users, per_sec): &(u64, Vec<u32>, Option<f64>)| Stage {
            length: Duration::from_millis(*length_ms),
            users: users[..tracks].to_vec(),
            rate: per_sec.map(|rate| Rate::from_per_sec(rate).unwrap()),
        };
        Plan::staged(division, &stages.iter().map(stage).collect::<Vec<_>>())
    }

    /// What a thread does that follows its part: when its users change, and to how many.
    fn followed(plan: &Plan, part: &Part) -> Vec<(Duration, u32)> {
        let mut at = Duration::ZERO;
        let mut seen = Vec::new();
        let tracks = plan.division().tracks();
        let users = |at| (0..tracks).map(move |track| part.users_of(plan, track, at));
        let mut before: Vec<u32> = Vec::new();
        loop {
            let now: Vec<u32> = users(at).collect();
            if now != before {
                seen.push((at, now.iter().sum()));
                before = now;
            }
            match part.next_change(plan, at) {
                Some(next) => at = next,
                None => return seen,
            }
        }
    }

    #[test]
    fn a_thread_wakes_for_its_own_users_and_for_stages() {
        let plan = plan(
            1,
            &[(1_000, vec![4], Some(4.0)), (1_000, vec![1], Some(4.0))],
        );
        let moments = |thread| {
            let seen = followed(&plan, &Part::new(thread, 2));
            seen.iter()
                .map(|(at, users)| (at.as_millis(), *users))
                .collect::<Vec<_>>()
        };
        // Users 0 and 3 are the first thread's, 1 and 2 the second's.
        assert_eq!(moments(0), [(0, 1), (750, 2), (1_000, 1)]);
        assert_eq!(
            moments(1),
            [(0, 0), (250, 1), (500, 2), (1_250, 1), (1_500, 0)]
        );
        let first = Part::new(0, 2);
        let arrived =
            [0, 740, 750, 1_000].map(|ms| first.has_arrived(&plan, Duration::from_millis(ms)));
        assert_eq!(arrived, [false, false, true, true]);
    }

    #[test]
    fn classes_of_one_user_are_spread_over_the_threads() {
        let plan = plan(4, &[(1_000, vec![1, 1, 1, 1], Some(1e6))]);
        for thread in 0..4 {
            let part = Part::new(thread, 4);
            let users = (0..4).map(|track| part.users_of(&plan, track, Duration::from_secs(1)));
            assert_eq!(users.sum::<u32>(), 1, "thread {thread}");
        }
    }

    prop_compose! {
        fn any_stage()(
            length_ms in 1_u64..3_000,
            users in prop::collection::vec(0_u32..60, 3),
            per_sec in prop::option::of(0.5_f64..500.0),
        ) -> (u64, Vec<u32>, Option<f64>) {
            (length_ms, users, per_sec)
        }
    }

    proptest! {
        #[test]
        fn the_parts_add_up_at_every_moment(
            tracks in 1_usize..4,
            threads in 1_u32..20,
            stages in prop::collection::vec(any_stage(), 1..6),
            moments in prop::collection::vec(0_u64..12_000_000, 20),
        ) {
            let plan = plan(tracks, &stages);
            for at in moments.into_iter().map(Duration::from_micros) {
                for track in 0..tracks {
                    let parts = (0..threads).map(|thread| Part::new(thread, threads).users_of(&plan, track, at));
                    prop_assert_eq!(parts.sum::<u32>(), plan.users_of(track, at));
                }
            }
        }

        #[test]
        fn a_part_of_one_slot_is_what_its_thread_has_by_ordinals_alone(
            threads in 1_u32..20,
            thread in 0_u32..20,
            track in 0_usize..50,
            number in any::<u32>(),
        ) {
            let (thread, split) = (thread % threads, Split::new(threads));
            let part = Part::new(thread, threads);
            let shift = u32::try_from(track).unwrap() % threads;
            let place = (thread + threads - shift) % threads;
            prop_assert_eq!(part.own_of(track, number), split.users_of(place, number));
            prop_assert_eq!(part.ordinal(track, number), split.user_of(place, number));
        }

        #[test]
        fn who_follows_its_part_misses_nothing(
            tracks in 1_usize..4,
            threads in 1_u32..6,
            stages in prop::collection::vec(any_stage(), 1..6),
            moments in prop::collection::vec(0_u64..12_000_000, 20),
        ) {
            let plan = plan(tracks, &stages);
            for thread in 0..threads {
                let part = Part::new(thread, threads);
                let seen = followed(&plan, &part);
                for at in moments.iter().copied().map(Duration::from_micros) {
                    let followed = seen.iter().rev().find(|(moment, _)| *moment <= at).map(|(_, users)| *users);
                    let asked = (0..tracks).map(|track| part.users_of(&plan, track, at)).sum::<u32>();
                    prop_assert_eq!(followed, Some(asked), "thread {} at {:?}", thread, at);
                }
            }
        }

        #[test]
        fn users_come_and_go_one_by_one(
            tracks in 1_usize..4,
            stages in prop::collection::vec(any_stage(), 1..6),
        ) {
            let plan = plan(tracks, &stages);
            let part = Part::new(0, 1);
            let mut at = Duration::ZERO;
            let mut before = vec![0; tracks];
            loop {
                for (track, before) in before.iter_mut().enumerate() {
                    let users = plan.users_of(track, at);
                    prop_assert!(users.abs_diff(*before) <= 1, "{} to {} at {:?}", before, users, at);
                    *before = users;
                }
                match part.next_change(&plan, at) {
                    Some(next) => { prop_assert!(next > at); at = next; }
                    None => break,
                }
            }
        }
    }
}
