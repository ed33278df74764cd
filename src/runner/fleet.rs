//! The members of a run, and how far they are in its plan.
//!
//! Owns the list of members and the levels that each reported last, and adds them up. Members are
//! reached by channels only, and carry out orders in their own way.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::Notice;
use super::load_thread::Order;
use super::plan_progress::PlanProgress;
use crate::load::{Change, Plan};
use crate::stats::Batch;
use crate::units::Rate;
use crate::vu::Budget;

/// Identifies a member of a run; never reused within the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MemberId(pub(crate) u32);

/// What a load thread, or a member, regularly reports of its users. Each report is complete, so the
/// next one makes up for one that is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    /// How many there are.
    pub users: u32,
    /// The most at once in the last tenth of a second.
    pub peak: u32,
    /// Users in an older generation than the one in service.
    pub behind: u32,
    /// The stage whose number of users has been reached.
    pub stage: Option<u32>,
    /// All users have ended by themselves, and under the plan no more will start.
    pub is_idle: bool,
}

impl Levels {
    /// The levels to report while users move between members. Nothing in them can end the run,
    /// since users may be in transit; and the peak does not count leaving and arriving users as
    /// simultaneous.
    pub(super) fn between(self) -> Levels {
        Levels {
            peak: self.users,
            stage: None,
            is_idle: false,
            ..self
        }
    }
}

impl FromIterator<Levels> for Levels {
    /// Adds them up.
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
    /// Its load threads.
    threads: Range<u32>,
    /// The channels that return emptied batches to those of them that are in this process.
    spares: Vec<mpsc::Sender<Batch>>,
    standing: Standing,
    levels: Levels,
}

/// The status of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is compiling its first generation, which has this number.
    Preparing {
        number: u16,
    },
    /// It has compiled it.
    Ready {
        number: u16,
    },
    Serving,
    /// It hands its users to others, then ends.
    Leaving,
}

impl Member {
    pub(super) fn new(
        orders: mpsc::Sender<Order>,
        threads: Range<u32>,
        spares: Vec<mpsc::Sender<Batch>>,
        number: u16,
    ) -> Member {
        Member {
            orders,
            threads,
            spares,
            standing: Standing::Preparing { number },
            levels: Levels::default(),
        }
    }

    fn is_at_work(&self) -> bool {
        matches!(self.standing, Standing::Serving | Standing::Leaving)
    }

    /// Gives an order; a member that has ended needs none.
    pub(super) fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }

    /// Returns an emptied batch to its load thread; dropped if the channel is full.
    pub(super) fn give_back(&self, thread: u32, batch: Batch) {
        let index = (thread - self.threads.start) as usize;
        if let Some(spare) = self.spares.get(index) {
            let _ = spare.try_send(batch);
        }
    }
}

/// All members of a run.
#[derive(Debug)]
pub(super) struct Fleet {
    members: BTreeMap<MemberId, Member>,
    progress: PlanProgress,
    /// Iterations left; `None` for no limit.
    budget: Option<Budget>,
    /// The most users at once since [`Fleet::take_peak`].
    peak: u32,
    /// The fastest ramp of the plan so far, in users a second.
    pace: f64,
    /// How many members and load threads there have been.
    next: (u32, u32),
}

impl Fleet {
    pub(super) fn new(plan: Arc<Plan>, budget: Option<Budget>) -> Fleet {
        Fleet {
            members: BTreeMap::new(),
            progress: PlanProgress::new(plan),
            budget,
            peak: 0,
            pace: 1.0,
            next: (0, 0),
        }
    }

    /// The id of the next member, and the number of its first load thread.
    pub(super) fn next(&self) -> (MemberId, u32) {
        let (member, thread) = self.next;
        (MemberId(member), thread)
    }

    pub(super) fn join(&mut self, id: MemberId, member: Member) {
        // Those of an earlier master come in any order.
        self.next = (
            self.next.0.max(id.0 + 1),
            self.next.1.max(member.threads.end),
        );
        self.members.insert(id, member);
    }

    /// All members are another's.
    pub(super) fn clear(&mut self) {
        self.members.clear();
    }

    /// A member has ended; its users are gone.
    pub(super) fn leave(&mut self, id: MemberId) {
        self.members.remove(&id);
    }

    pub(super) fn has(&self, id: MemberId) -> bool {
        self.members.contains_key(&id)
    }

    /// How many load threads all have.
    pub(super) fn threads(&self) -> u32 {
        let members = self.members.values();
        members
            .map(|member| member.threads.end - member.threads.start)
            .sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Members that have started.
    pub(super) fn ids(&self) -> impl Iterator<Item = MemberId> {
        let members = self.members.iter();
        members
            .filter(|(_, member)| member.is_at_work())
            .map(|(id, _)| *id)
    }

    /// Members that can start, with the number of the generation they have compiled.
    pub(super) fn ready(&self) -> Vec<(MemberId, u16)> {
        let ready = |(id, member): (&MemberId, &Member)| match member.standing {
            Standing::Ready { number } => Some((*id, number)),
            _ => None,
        };
        self.members.iter().filter_map(ready).collect()
    }

    pub(super) fn are_all_ready(&self) -> bool {
        self.ready().len() == self.members.len()
    }

    pub(super) fn leaving(&self) -> impl Iterator<Item = MemberId> {
        let members = self.members.iter();
        members
            .filter(|(_, member)| member.standing == Standing::Leaving)
            .map(|(id, _)| *id)
    }

    /// Whether it can be given users.
    pub(super) fn is_serving(&self, id: MemberId) -> bool {
        let member = self.members.get(&id);
        member.is_some_and(|member| member.standing == Standing::Serving)
    }

    /// The load threads of all members that can be given users.
    pub(super) fn serving_threads(&self) -> Vec<u32> {
        let members = self.members.values();
        members
            .filter(|member| member.standing == Standing::Serving)
            .flat_map(|member| member.threads.clone())
            .collect()
    }

    pub(super) fn stand(&mut self, id: MemberId, standing: Standing) {
        if let Some(member) = self.members.get_mut(&id) {
            member.standing = standing;
        }
    }

    /// A member has compiled its first generation.
    pub(super) fn is_ready(&mut self, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id)
            && let Standing::Preparing { number } = member.standing
        {
            member.standing = Standing::Ready { number };
        }
    }

    /// How fast users that move between members start: as fast as the plan's fastest ramp so far.
    pub(super) fn pace(&self) -> Rate {
        Rate::from_per_sec(self.pace).expect("a ramp has a rate, and there is one of 1 a second")
    }

    pub(super) fn order(&self, id: MemberId, order: Order) {
        if let Some(member) = self.members.get(&id) {
            member.order(order);
        }
    }

    /// Gives an order to all members that have started.
    pub(super) fn order_all(&self, order: &Order) {
        let at_work = self.members.values().filter(|member| member.is_at_work());
        at_work.for_each(|member| member.order(order.clone()));
    }

    /// Tells all members to stop, started or not.
    pub(super) fn stop(&self, order: &Order) {
        let members = self.members.values();
        members.for_each(|member| member.order(order.clone()));
    }

    /// Returns an emptied batch to its load thread; dropped if the channel is full.
    pub(super) fn give_back(&self, thread: u32, batch: Batch) {
        let members = self.members.values();
        let mut owners = members.filter(|member| member.threads.contains(&thread));
        if let Some(member) = owners.next() {
            member.give_back(thread, batch);
        }
    }

    /// Takes a member's report.
    pub(super) fn update_levels(&mut self, id: MemberId, levels: Levels) {
        if let Some(member) = self.members.get_mut(&id) {
            member.levels = levels;
            self.peak = self.peak.max(self.levels().peak);
        }
    }

    /// The levels of all members that have started, added up.
    pub(super) fn levels(&self) -> Levels {
        let at_work = self.members.values().filter(|member| member.is_at_work());
        at_work.map(|member| member.levels).collect()
    }

    /// The most users at once since the last call. Exact for one thread; peaks that several threads
    /// report within a tenth of a second are added up as if simultaneous.
    pub(super) fn take_peak(&mut self) -> u32 {
        let now = self.levels().users;
        std::mem::replace(&mut self.peak, now).max(now)
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        self.progress.plan()
    }

    /// Enters the plan's current stage unless that is done already; returns it with the notice to
    /// send, if any.
    pub(super) fn enter_stage(&mut self, elapsed: Duration) -> Option<(Change, Option<Notice>)> {
        let entered = self.progress.enter(elapsed)?;
        self.pace = self.pace.max(entered.0.per_sec);
        Some(entered)
    }

    /// `Some` once all members have reached the stage, the first time only, with the notice to
    /// send, if any.
    pub(super) fn arrive(&mut self) -> Option<Option<Notice>> {
        let stage = self.levels().stage?;
        self.progress.arrive(stage)
    }

    /// Switches to another plan and tells the members.
    pub(super) fn follow(&mut self, plan: Arc<Plan>) {
        self.order_all(&Order::Follow(plan.clone()));
        self.progress.redirect(plan);
    }

    /// Switches to the plan of an edited script, which the members already have.
    pub(super) fn restart(&mut self, plan: Arc<Plan>) {
        self.progress.restart(plan);
    }

    /// Whether the iterations of the run are used up.
    pub(super) fn is_used_up(&self) -> bool {
        self.budget.as_ref().is_some_and(Budget::is_used_up)
    }

    /// Whether no users are left and no more will start. A plan that `may_turn` can always ask for
    /// more.
    pub(super) fn is_done(&self, elapsed: Duration, may_turn: bool) -> bool {
        let is_settled = self.is_used_up() || !may_turn && self.progress.is_settled(elapsed);
        let levels = self.levels();
        is_settled && levels.is_idle && levels.users == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MemberId = MemberId(1);
    const TWO: MemberId = MemberId(2);

    fn fleet(users: u32, budget: Option<u64>) -> (Fleet, [mpsc::Receiver<Order>; 2]) {
        let plan = Plan::closed(users, Rate::from_per_sec(1e6).unwrap(), None);
        let mut fleet = Fleet::new(Arc::new(plan), budget.map(Budget::of));
        let ways = [(ONE, 0..2), (TWO, 2..4)].map(|(id, threads)| {
            let (orders, orders_out) = mpsc::channel(8);
            fleet.join(id, Member::new(orders, threads, Vec::new(), 1));
            fleet.stand(id, Standing::Serving);
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
        fleet.update_levels(ONE, levels(2, 2, stage));
        assert_eq!(fleet.arrive(), None);
        fleet.update_levels(TWO, levels(2, 3, stage));
        assert!(matches!(fleet.arrive(), Some(Some(Notice::Arrived(_)))));
        assert_eq!(fleet.arrive(), None);
        assert_eq!((fleet.levels().users, fleet.take_peak()), (4, 5));
        fleet.update_levels(TWO, levels(1, 1, stage));
        assert_eq!((fleet.levels().users, fleet.take_peak()), (3, 4));
        assert_eq!(fleet.take_peak(), 3);
    }

    #[test]
    fn a_run_is_done_when_nobody_is_left_and_nobody_will_come() {
        let (mut fleet, _ways) = fleet(4, Some(7));
        let stage = fleet.enter_stage(Duration::ZERO).unwrap().0.stage;
        fleet.update_levels(ONE, levels(0, 2, stage));
        fleet.update_levels(TWO, levels(1, 2, stage));
        fleet.arrive();
        assert!(!fleet.is_done(Duration::ZERO, false));
        fleet.update_levels(TWO, levels(0, 1, stage));
        assert!(fleet.is_done(Duration::ZERO, false));
        // A shape's closure may ask for more, unless there is nothing left to do.
        assert!(!fleet.is_done(Duration::ZERO, true));
        fleet.budget.as_ref().unwrap().give_back();
        assert!(fleet.is_done(Duration::ZERO, true));
        // A member that still has a user counts, whatever else it reports.
        fleet.update_levels(TWO, levels(1, 1, stage));
        assert!(!fleet.is_done(Duration::ZERO, true));
    }

    #[test]
    fn who_has_left_counts_no_more() {
        let (mut fleet, mut ways) = fleet(4, None);
        let stage = fleet.enter_stage(Duration::ZERO).unwrap().0.stage;
        fleet.update_levels(ONE, levels(2, 2, stage));
        fleet.leave(TWO);
        assert!(fleet.arrive().is_some());
        fleet.update_levels(TWO, levels(9, 9, stage));
        assert_eq!((fleet.levels().users, fleet.take_peak()), (2, 2));
        fleet.order_all(&Order::Discard);
        assert!(matches!(ways[0].try_recv(), Ok(Order::Discard)));
        assert!(ways[1].try_recv().is_err());
    }
}
