//! Which load thread has which users, and in which order they change hands when members come and
//! go.
//!
//! Owns the two steps, but carries out nothing: first, threads with too much give it up; only when
//! all have reported those users gone do the others take over. So there are never more users than
//! asked for, and no user twice. `load` deals the slots; `moves` is a thread's side of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fleet::MemberId;
use crate::load::{Part, Slots};

/// By load thread: its part of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    by_thread: Arc<BTreeMap<u32, Part>>,
    /// That of a thread without one.
    nothing: Part,
}

impl Parts {
    pub(crate) fn new(by_thread: BTreeMap<u32, Part>, slots: u32) -> Parts {
        Parts {
            by_thread: Arc::new(by_thread),
            nothing: Part::of(slots, Vec::new()).expect("no slot is beyond the last"),
        }
    }

    /// The part of a thread.
    pub(crate) fn of(&self, thread: u32) -> &Part {
        self.by_thread.get(&thread).unwrap_or(&self.nothing)
    }
}

/// Gives every thread its part.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// Identifies it in news.
    pub(crate) number: u16,
    pub(crate) parts: Parts,
}

/// The state of a run's assignments.
#[derive(Debug)]
pub(crate) struct Assignments {
    slots: Slots,
    /// The parts in the last assignment.
    now: Assignment,
    /// Its step, while members have yet to complete it.
    under_way: Option<Move>,
    waiting_for: BTreeSet<MemberId>,
    /// Members have come or gone since the slots were dealt.
    is_stale: bool,
}

/// The two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    GivingUp,
    TakingOver,
}

impl Assignments {
    pub(crate) fn new(slots: Slots) -> Assignments {
        let parts = Parts::new(slots.parts(), slots.count());
        Assignments {
            slots,
            now: Assignment { number: 0, parts },
            under_way: None,
            waiting_for: BTreeSet::new(),
            is_stale: false,
        }
    }

    /// For a run that goes on under another master: the next assignment has the number after this.
    pub(crate) fn resumed(slots: Slots, number: u16) -> Assignments {
        let mut resumed = Assignments::new(slots);
        resumed.now.number = number;
        resumed
    }

    /// The part of each thread.
    pub(crate) fn parts(&self) -> &Parts {
        &self.now.parts
    }

    /// Whether users are in transit, so that the members' levels do not add up to the whole.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether slots have to be dealt again.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale && !self.is_under_way()
    }

    /// Whether exactly these threads have slots, and none of those are in transit.
    pub(crate) fn are_dealt_to(&self, threads: &[u32]) -> bool {
        let owners = self.now.parts.by_thread.keys();
        !self.is_under_way() && owners.eq(threads)
    }

    /// Deals all slots to these threads. `members`, including those that are leaving, first give up
    /// what is no longer theirs; `None` while the previous deal is still in progress.
    pub(crate) fn deal(
        &mut self,
        threads: &[u32],
        members: BTreeSet<MemberId>,
    ) -> Option<Assignment> {
        self.is_stale = self.is_under_way();
        if self.is_stale {
            return None;
        }
        self.slots.deal(threads);
        let wanted = self.slots.parts();
        let kept = self
            .now
            .parts
            .by_thread
            .iter()
            .filter_map(|(thread, part)| {
                let wanted = wanted.get(thread)?;
                let slots = part.slots().iter().copied();
                let kept = slots.filter(|slot| wanted.has(*slot)).collect();
                Some((*thread, Part::of(part.count(), kept)?))
            });
        let kept = kept.collect();
        Some(self.assign(Move::GivingUp, kept, members))
    }

    /// A member has completed an assignment. After the last one, returns the next step, which
    /// `members` have to complete in turn.
    pub(crate) fn done(
        &mut self,
        id: MemberId,
        number: u16,
        members: BTreeSet<MemberId>,
    ) -> Option<Assignment> {
        (number == self.now.number).then(|| self.waits_no_longer(id, members))?
    }

    /// A member is gone, and its users with it: as [`Assignments::done`].
    pub(crate) fn left(&mut self, id: MemberId, members: BTreeSet<MemberId>) -> Option<Assignment> {
        self.waits_no_longer(id, members)
    }

    fn waits_no_longer(&mut self, id: MemberId, members: BTreeSet<MemberId>) -> Option<Assignment> {
        self.waiting_for.remove(&id);
        if !self.waiting_for.is_empty() {
            return None;
        }
        let done = self.under_way.take()?;
        let all = self.slots.parts();
        (done == Move::GivingUp).then(|| self.assign(Move::TakingOver, all, members))
    }

    fn assign(
        &mut self,
        step: Move,
        parts: BTreeMap<u32, Part>,
        members: BTreeSet<MemberId>,
    ) -> Assignment {
        self.under_way = (!members.is_empty()).then_some(step);
        self.waiting_for = members;
        self.now = Assignment {
            number: self.now.number.wrapping_add(1),
            parts: Parts::new(parts, self.slots.count()),
        };
        self.now.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MemberId = MemberId(1);
    const TWO: MemberId = MemberId(2);
    const THREE: MemberId = MemberId(3);

    fn members(ids: &[MemberId]) -> BTreeSet<MemberId> {
        ids.iter().copied().collect()
    }

    /// By thread: how many slots it has. No slot has two owners.
    fn counts(parts: &Parts) -> Vec<(u32, usize)> {
        let all: Vec<u32> = parts
            .by_thread
            .values()
            .flat_map(|part| part.slots().to_vec())
            .collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        let counts = parts.by_thread.iter();
        counts
            .map(|(thread, part)| (*thread, part.slots().len()))
            .collect()
    }

    #[test]
    fn who_joins_gets_its_part_when_the_others_have_given_it_up() {
        let mut all = Assignments::new(Slots::shared(2));
        let both = members(&[ONE, TWO]);
        assert_eq!(counts(all.parts()), [(0, 2_048), (1, 2_048)]);
        let first = all.deal(&[0, 1, 2], both.clone()).unwrap();
        let kept: usize = counts(&first.parts).iter().map(|(_, slots)| slots).sum();
        assert_eq!(kept, 1_366 + 1_365);
        assert!(first.parts.of(2).slots().is_empty());
        let three = members(&[ONE, TWO, THREE]);
        assert!(all.done(ONE, first.number, three.clone()).is_none());
        let twice = all.done(ONE, first.number, three.clone());
        assert!(twice.is_none(), "it has said so");
        let then = all.done(TWO, first.number, three.clone()).unwrap();
        assert_eq!(counts(&then.parts), [(0, 1_366), (1, 1_365), (2, 1_365)]);
        for thread in [0, 1] {
            let mut kept = first.parts.of(thread).slots().iter();
            assert!(
                kept.all(|slot| then.parts.of(thread).has(*slot)),
                "it stays"
            );
        }
        // What was said of the first step is late now.
        assert!(all.done(THREE, first.number, three.clone()).is_none());
        for id in [ONE, TWO, THREE] {
            assert!(all.is_under_way());
            assert!(all.done(id, then.number, three.clone()).is_none());
        }
        assert!(!all.is_under_way());
    }

    #[test]
    fn who_goes_in_the_middle_of_it_is_not_waited_for() {
        let mut all = Assignments::new(Slots::shared(2));
        let both = members(&[ONE, TWO]);
        let first = all.deal(&[0, 1, 2], both.clone()).unwrap();
        all.done(ONE, first.number, both.clone());
        // Another one comes: it has to wait.
        assert!(all.deal(&[0, 1, 2, 3], both).is_none());
        assert!(!all.is_stale(), "not yet");
        let left = members(&[ONE, THREE]);
        let then = all.left(TWO, left.clone()).unwrap();
        assert_eq!(counts(&then.parts).len(), 3);
        all.done(ONE, then.number, left.clone());
        all.done(THREE, then.number, left.clone());
        assert!(all.is_stale());
        // Thread 1 has gone with its member.
        let again = all.deal(&[0, 2, 3], left.clone()).unwrap();
        assert!(!all.is_stale());
        assert!(again.parts.of(1).slots().is_empty());
        all.done(ONE, again.number, left.clone());
        let last = all.done(THREE, again.number, left.clone()).unwrap();
        assert_eq!(counts(&last.parts), [(0, 1_366), (2, 1_365), (3, 1_365)]);
        assert!(all.left(ONE, members(&[THREE])).is_none());
    }

    #[test]
    fn who_has_slots_is_known_once_they_are_there() {
        let mut all = Assignments::new(Slots::shared(2));
        assert!(all.are_dealt_to(&[0, 1]));
        assert!(!all.are_dealt_to(&[0, 1, 2]) && !all.are_dealt_to(&[0]));
        let one = members(&[ONE]);
        let first = all.deal(&[0], one.clone()).unwrap();
        assert!(!all.are_dealt_to(&[0]), "users are still on their way");
        let then = all.done(ONE, first.number, one.clone()).unwrap();
        all.done(ONE, then.number, one);
        assert!(all.are_dealt_to(&[0]));
    }

    #[test]
    fn without_members_nothing_is_under_way() {
        let mut all = Assignments::new(Slots::shared(1));
        let dealt = all.deal(&[0, 1], members(&[])).unwrap();
        assert!(!all.is_under_way());
        // Whoever is first takes what is there.
        assert_eq!(counts(&dealt.parts), [(0, 2_048)]);
    }
}
