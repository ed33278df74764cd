//! One load thread's part of a plan.
//!
//! Owns which users of each track are this thread's and when the next of them starts or stops.
//! What they are is `mix`'s, what becomes of them the runner's.

use std::time::Duration;

use super::{Plan, Split};

/// The share of one thread among so many, the same for every plan.
///
/// Each track is divided by [`Split`], and the threads take turns at being its first: else many
/// classes of one user each would all run on the first thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    split: Split,
    thread: u32,
    threads: u32,
}

impl Part {
    /// The part of thread number `thread` (from 0) of `threads`; none counts as one.
    #[must_use]
    pub fn new(thread: u32, threads: u32) -> Part {
        let threads = threads.max(1);
        Part {
            split: Split::new(threads),
            thread: thread % threads,
            threads,
        }
    }

    /// How many users of a track this thread should have at `elapsed`.
    #[must_use]
    pub fn users_of(self, plan: &Plan, track: usize, elapsed: Duration) -> u32 {
        let users = plan.users_of(track, elapsed);
        self.split.users_of(self.place_in(track), users)
    }

    /// The ordinal within the track of this thread's own user number `index` (both from 0);
    /// `None` if that is beyond 32 bits.
    #[must_use]
    pub fn ordinal(self, track: usize, index: u32) -> Option<u32> {
        self.split.user_of(self.place_in(track), index)
    }

    /// The first moment after `elapsed` at which this thread has something to do: one of its own
    /// users starts or stops, or a stage begins. `None` if nothing ever changes again.
    #[must_use]
    pub fn next_change(self, plan: &Plan, elapsed: Duration) -> Option<Duration> {
        let tracks = 0..plan.division().tracks();
        let own = tracks.filter_map(|track| self.next_of(plan, track, elapsed));
        own.chain(plan.next_stage(elapsed)).min()
    }

    /// True if this thread has as many users of each track as the stage at `elapsed` goes to.
    #[must_use]
    pub fn has_arrived(self, plan: &Plan, elapsed: Duration) -> bool {
        (0..plan.division().tracks()).all(|track| {
            let at = plan.ramp_at(track, elapsed);
            let own = |users| self.split.users_of(self.place_in(track), users);
            own(at.users) == own(at.ramp.target())
        })
    }

    /// When this thread's next user of a track starts or stops in the present stage.
    fn next_of(self, plan: &Plan, track: usize, elapsed: Duration) -> Option<Duration> {
        let at = plan.ramp_at(track, elapsed);
        let own = |users| self.split.users_of(self.place_in(track), users);
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

    /// Which of the threads this one is, where a track begins with the first.
    fn place_in(self, track: usize) -> u32 {
        let threads = self.threads as usize;
        let shift = track % threads;
        let place = (self.thread as usize + threads - shift) % threads;
        u32::try_from(place).expect("a remainder is below its 32-bit divisor")
    }
}

#[cfg(test)]
mod tests {
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
    fn followed(plan: &Plan, part: Part) -> Vec<(Duration, u32)> {
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
            let seen = followed(&plan, Part::new(thread, 2));
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
        fn who_follows_its_part_misses_nothing(
            tracks in 1_usize..4,
            threads in 1_u32..6,
            stages in prop::collection::vec(any_stage(), 1..6),
            moments in prop::collection::vec(0_u64..12_000_000, 20),
        ) {
            let plan = plan(tracks, &stages);
            for thread in 0..threads {
                let part = Part::new(thread, threads);
                let seen = followed(&plan, part);
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
