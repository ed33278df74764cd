//! The members of a run, and where they stand in its plan.
//!
//! Owns who they are, what each said of its users last, and what that comes to. A member is reached
//! by channels only: how it carries out an order is its own business.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::Notice;
use super::course::Course;
use super::load_thread::Order;
use crate::load::{Change, Plan};
use crate::stats::Batch;

/// Names a member of a run; no other member of that run ever has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemberId(pub(super) u32);

/// What a load thread, or a member, says of its users again and again. Each time it says everything,
/// so what is lost on the way is made good by the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) users: u32,
    /// The most at once since the last time.
    pub(super) peak: u32,
    /// Those that are in an older generation than the one in service.
    pub(super) behind: u32,
    /// The stage whose number of users there is.
    pub(super) stage: Option<u32>,
    /// All users have ended by themselves, and as the plan is no more will start.
    pub(super) is_idle: bool,
}

impl FromIterator<Levels> for Levels {
    /// What they come to together.
    fn from_iter<I: IntoIterator<Item = Levels>>(all: I) -> Levels {
        let together = all.into_iter().reduce(|sum, one| Levels {
            users: sum.users + one.users,
            peak: sum.peak + one.peak,
            behind: sum.behind + one.behind,
            stage: sum.stage.filter(|stage| one.stage == Some(*stage)),
            is_idle: sum.is_idle && one.is_idle,
        });
        together.unwrap_or_default()
    }
}

/// One member, as the run sees it.
#[derive(Debug)]
pub(super) struct Member {
    orders: mpsc::Sender<Order>,
    /// The number of its first load thread, and the ways by which emptied batches go back to them.
    first: u32,
    spares: Vec<mpsc::Sender<Batch>>,
    levels: Levels,
}

impl Member {
    pub(super) fn new(
        orders: mpsc::Sender<Order>,
        first: u32,
        spares: Vec<mpsc::Sender<Batch>>,
    ) -> Member {
        Member {
            orders,
            first,
            spares,
            levels: Levels::default(),
        }
    }

    /// Gives an order; a member that has ended needs none.
    fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }
}

/// All members of a run.
#[derive(Debug)]
pub(super) struct Fleet {
    members: BTreeMap<MemberId, Member>,
    course: Course,
    /// Iterations left; `None` for no limit.
    budget: Option<Arc<AtomicU64>>,
    /// The most users at once since somebody asked.
    peak: u32,
}

impl Fleet {
    pub(super) fn new(plan: Arc<Plan>, budget: Option<Arc<AtomicU64>>) -> Fleet {
        Fleet {
            members: BTreeMap::new(),
            course: Course::new(plan),
            budget,
            peak: 0,
        }
    }

    pub(super) fn join(&mut self, id: MemberId, member: Member) {
        self.members.insert(id, member);
    }

    /// A member has ended; its users are gone.
    pub(super) fn leave(&mut self, id: MemberId) {
        self.members.remove(&id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = MemberId> {
        self.members.keys().copied()
    }

    pub(super) fn order(&self, id: MemberId, order: Order) {
        if let Some(member) = self.members.get(&id) {
            member.order(order);
        }
    }

    pub(super) fn order_all(&self, order: &Order) {
        for member in self.members.values() {
            member.order(order.clone());
        }
    }

    /// Gives an emptied batch back to its load thread; without room it is simply dropped.
    pub(super) fn give_back(&self, thread: u32, batch: Batch) {
        let spare = self.members.values().find_map(|member| {
            let index = thread.checked_sub(member.first)?;
            member.spares.get(index as usize)
        });
        if let Some(spare) = spare {
            let _ = spare.try_send(batch);
        }
    }

    /// A member says where it stands.
    pub(super) fn hear(&mut self, id: MemberId, levels: Levels) {
        if let Some(member) = self.members.get_mut(&id) {
            member.levels = levels;
            self.peak = self.peak.max(self.levels().peak);
        }
    }

    /// What the members say together.
    pub(super) fn levels(&self) -> Levels {
        self.members.values().map(|member| member.levels).collect()
    }

    /// The most users at once since the last call. Each thread's is exact; what several say within a
    /// tenth of a second is added up as if it were at one moment.
    pub(super) fn take_peak(&mut self) -> u32 {
        let now = self.levels().users;
        std::mem::replace(&mut self.peak, now).max(now)
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        self.course.plan()
    }

    /// Enters the stage of the plan that goes on, if that has not been done: gives it, and what to
    /// tell of it.
    pub(super) fn enter_stage(&mut self, elapsed: Duration) -> Option<(Change, Option<Notice>)> {
        self.course.enter(elapsed)
    }

    /// The stage that all members have reached, once: what to tell of it, if anything.
    pub(super) fn arrive(&mut self) -> Option<Option<Notice>> {
        let stage = self.levels().stage?;
        self.course.arrive(stage)
    }

    /// Follows another plan, members and all.
    pub(super) fn follow(&mut self, plan: Arc<Plan>) {
        self.order_all(&Order::Follow(plan.clone()));
        self.course.turn(plan);
    }

    /// Follows the plan that an edited script brought, of which the members know.
    pub(super) fn restart(&mut self, plan: Arc<Plan>) {
        self.course.restart(plan);
    }

    /// Whether the iterations of the run are used up.
    pub(super) fn is_used_up(&self) -> bool {
        let left = |budget: &Arc<AtomicU64>| budget.load(Ordering::Relaxed);
        self.budget.as_ref().map(left) == Some(0)
    }

    /// Whether nobody is left and nobody will come. A plan that `may_turn` may always ask for more.
    pub(super) fn is_done(&self, elapsed: Duration, may_turn: bool) -> bool {
        let is_settled = self.is_used_up() || !may_turn && self.course.is_settled(elapsed);
        let levels = self.levels();
        is_settled && levels.is_idle && levels.users == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    const ONE: MemberId = MemberId(1);
    const TWO: MemberId = MemberId(2);

    fn fleet(users: u32, budget: Option<u64>) -> (Fleet, [mpsc::Receiver<Order>; 2]) {
        let plan = Plan::closed(users, Rate::from_per_sec(1e6).unwrap(), None);
        let budget = budget.map(|left| Arc::new(AtomicU64::new(left)));
        let mut fleet = Fleet::new(Arc::new(plan), budget);
        let ways = [(ONE, 0), (TWO, 2)].map(|(id, first)| {
            let (orders, orders_out) = mpsc::channel(8);
            fleet.join(id, Member::new(orders, first, Vec::new()));
            orders_out
        });
        (fleet, ways)
    }

    fn levels(users: u32, peak: u32, stage: u32) -> Levels {
        Levels {
            users,
            peak,
            behind: 0,
            stage: Some(stage),
            is_idle: users == 0,
        }
    }

    #[test]
    fn a_run_has_arrived_when_all_members_have_and_is_told_once() {
        let (mut fleet, _ways) = fleet(4, None);
        let stage = fleet.enter_stage(Duration::ZERO).unwrap().0.stage;
        fleet.hear(ONE, levels(2, 2, stage));
        assert_eq!(fleet.arrive(), None);
        fleet.hear(TWO, levels(2, 3, stage));
        assert!(matches!(fleet.arrive(), Some(Some(Notice::Arrived(_)))));
        assert_eq!(fleet.arrive(), None);
        assert_eq!((fleet.levels().users, fleet.take_peak()), (4, 5));
        fleet.hear(TWO, levels(1, 1, stage));
        assert_eq!((fleet.levels().users, fleet.take_peak()), (3, 4));
        assert_eq!(fleet.take_peak(), 3);
    }

    #[test]
    fn a_run_is_done_when_nobody_is_left_and_nobody_will_come() {
        let (mut fleet, _ways) = fleet(4, Some(7));
        let stage = fleet.enter_stage(Duration::ZERO).unwrap().0.stage;
        fleet.hear(ONE, levels(0, 2, stage));
        fleet.hear(TWO, levels(1, 2, stage));
        fleet.arrive();
        assert!(!fleet.is_done(Duration::ZERO, false));
        fleet.hear(TWO, levels(0, 1, stage));
        assert!(fleet.is_done(Duration::ZERO, false));
        // A shape's closure may ask for more, unless there is nothing left to do.
        assert!(!fleet.is_done(Duration::ZERO, true));
        fleet.budget.as_ref().unwrap().store(0, Ordering::Relaxed);
        assert!(fleet.is_done(Duration::ZERO, true));
        // Whoever still has a user says so whatever else it said.
        fleet.hear(TWO, levels(1, 1, stage));
        assert!(!fleet.is_done(Duration::ZERO, true));
    }

    #[test]
    fn who_has_left_counts_no_more() {
        let (mut fleet, mut ways) = fleet(4, None);
        let stage = fleet.enter_stage(Duration::ZERO).unwrap().0.stage;
        fleet.hear(ONE, levels(2, 2, stage));
        fleet.leave(TWO);
        assert!(fleet.arrive().is_some());
        fleet.hear(TWO, levels(9, 9, stage));
        assert_eq!((fleet.levels().users, fleet.take_peak()), (2, 2));
        fleet.order_all(&Order::Discard);
        assert!(matches!(ways[0].try_recv(), Ok(Order::Discard)));
        assert!(ways[1].try_recv().is_err());
    }
}
