//! The run of the world: what `runner::Run` does with members that come and go, with its own
//! machines for assignments and reloads.
//!
//! Owns members and their standing. Has no users, no plan but a number, no hooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Micros;
use crate::cluster::master::MasterEvent;
use crate::cluster::message::{Holding, News, SentOrder, SentStart};
use crate::load::{Division, Part, Plan, Slots};
use crate::runner::{Assignment, Assignments, Edition, MemberId, Reload, ReloadStep};
use crate::units::Rate;

use super::net::{Count, SECOND};

/// Few, since all are dealt again whenever a worker comes or goes; more than threads.
const SLOTS: u32 = 32;

/// A member that cannot be reached holds a reload up for so long.
const PREPARES_WITHIN: Duration = Duration::from_secs(10);

/// The run waits so long for those that are expected.
const BEGINS_WITHIN: u64 = 8 * SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Preparing(u16),
    Ready(u16),
    Serving,
    Leaving,
    Stopping,
}

#[derive(Clone, Debug)]
struct Member {
    first: u32,
    threads: u32,
    standing: Standing,
}

const STOP: SentOrder = SentOrder::Stop {
    stop_timeout: Duration::ZERO,
    on_stop_timeout: Duration::ZERO,
};

/// See the module. What it wants of the master is collected in `wants`.
#[derive(Debug)]
pub(super) struct Run {
    members: BTreeMap<MemberId, Member>,
    claims: Vec<(MemberId, Holding)>,
    assignments: Option<Assignments>,
    reload: Reload,
    preparing_since: Option<u64>,
    generation: u16,
    next: (u32, u32),
    expected: usize,
    has_begun: bool,
    is_ending: bool,
    /// Who was a member of the last master's is known.
    is_settled: bool,
    pub(super) wants: Vec<MasterEvent<Count>>,
    plan: Arc<Plan>,
    /// The members' share of the plan, at most.
    users: u32,
}

impl Run {
    /// A run that begins when so many members are ready; members and threads are numbered from
    /// `first`.
    pub(super) fn new(expected: usize, first: u32, users: u32, is_settled: bool) -> Run {
        Run {
            members: BTreeMap::new(),
            claims: Vec::new(),
            assignments: None,
            reload: Reload::default(),
            preparing_since: None,
            generation: 1,
            next: (first, first),
            expected,
            has_begun: false,
            is_ending: false,
            is_settled,
            wants: Vec::new(),
            plan: Arc::new(Plan::idle(Division::Mixed)),
            users,
        }
    }

    pub(super) fn generation(&self) -> u16 {
        self.generation
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn order(&mut self, member: MemberId, order: SentOrder) {
        self.wants.push(MasterEvent::Order(member.0, order));
    }

    fn at_work(&self) -> BTreeSet<MemberId> {
        let at_work = self
            .members
            .iter()
            .filter(|(_, member)| matches!(member.standing, Standing::Serving | Standing::Leaving));
        at_work.map(|(id, _)| *id).collect()
    }

    fn threads(&self) -> Vec<u32> {
        let serving = self.members.values();
        let serving = serving.filter(|member| member.standing == Standing::Serving);
        serving
            .flat_map(|member| member.first..member.first + member.threads)
            .collect()
    }

    pub(super) fn joins(&mut self, worker: u32, threads: u32) {
        let (member, first) = self.next;
        self.next = (member + 1, first + threads);
        let generation = self.generation;
        self.members.insert(
            MemberId(member),
            Member {
                first,
                threads,
                standing: Standing::Preparing(generation),
            },
        );
        self.wants.push(MasterEvent::Seat { worker, member });
        let begin = SentOrder::Begin {
            threads: first..first + threads,
            generation,
            edition: Arc::default(),
            is_limited: false,
        };
        self.order(MemberId(member), begin);
    }

    /// A member of the last master's.
    pub(super) fn adopted(&mut self, holding: Holding) {
        let id = MemberId(holding.seat.member);
        let threads = u32::try_from(holding.parts.len()).unwrap();
        self.members.insert(
            id,
            Member {
                first: holding.first,
                threads,
                standing: Standing::Serving,
            },
        );
        self.claims.push((id, holding));
        self.wants.push(MasterEvent::Expect(Some(id.0), self.users));
    }

    /// Nobody else is adopted: who has what is known now.
    pub(super) fn settled(&mut self) {
        self.is_settled = true;
        if self.claims.is_empty() {
            return;
        }
        let mut owners = vec![u32::MAX; SLOTS as usize];
        let mut number = 0;
        for (id, holding) in &self.claims {
            number = number.max(holding.assignment);
            self.generation = self.generation.max(holding.generation);
            if !self.members.contains_key(id) {
                continue;
            }
            for (thread, part) in (holding.first..).zip(&holding.parts) {
                for slot in part.slots() {
                    let owner = &mut owners[*slot as usize];
                    assert_eq!(*owner, u32::MAX, "slot {slot} is claimed twice");
                    *owner = thread;
                }
            }
        }
        self.assignments = Some(Assignments::resumed(Slots::owned(owners), number));
        self.has_begun = true;
        // Some may have adopted what others have only prepared: all get the edition on the disk.
        self.reload = Reload::resumed(self.generation);
        self.take_edition();
    }

    pub(super) fn take_edition(&mut self) {
        self.reload
            .take(Edition::unchecked("edited"), Instant::now());
    }

    pub(super) fn news(&mut self, member: u32, news: News) {
        let id = MemberId(member);
        let Some(at) = self.members.get_mut(&id) else {
            return;
        };
        match news {
            News::Ready => {
                if let Standing::Preparing(number) = at.standing {
                    at.standing = Standing::Ready(number);
                }
            }
            News::Prepared { ticket, result } => {
                let steps = self.reload.prepared(id, ticket, result);
                self.reload_by(steps);
            }
            News::Adopted(_) => self.reload.adopted(id),
            News::Assigned(number, _) => {
                let at_work = self.at_work();
                let next = self.assignments.as_mut();
                let next = next.and_then(|all| all.done(id, number, at_work));
                self.assign(next);
            }
            News::Ended { .. } => self.gone(member),
            News::StopTest(_)
            | News::Failed(_)
            | News::Levels(_)
            | News::ExitCode(_)
            | News::Overflowed => {}
        }
    }

    pub(super) fn leaves(&mut self, member: u32) {
        let id = MemberId(member);
        match self.members.get_mut(&id) {
            Some(at) if at.standing == Standing::Serving => at.standing = Standing::Leaving,
            Some(at) => {
                at.standing = Standing::Stopping;
                self.order(id, STOP.clone());
            }
            None => {}
        }
    }

    pub(super) fn gone(&mut self, member: u32) {
        let id = MemberId(member);
        self.members.remove(&id);
        let steps = self.reload.left(id);
        self.reload_by(steps);
        let at_work = self.at_work();
        let next = self.assignments.as_mut();
        let next = next.and_then(|all| all.left(id, at_work));
        self.assign(next);
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: u64) {
        if self.is_ending {
            return;
        }
        if !self.has_begun {
            if !self.is_settled {
                return;
            }
            let ready = self.members.values();
            let ready = ready.filter(|member| matches!(member.standing, Standing::Ready(_)));
            // Some of those that were expected may have left already.
            let expected = if now > BEGINS_WITHIN {
                1
            } else {
                self.expected
            };
            if ready.count() >= expected {
                self.begin();
            }
            return;
        }
        self.start_ready();
        if let Some(ReloadStep::Open(_)) = self.reload.look(0, Instant::now()) {
            let members = self.at_work();
            self.preparing_since = Some(now);
            let steps = self.reload.opened(members);
            self.reload_by(steps);
        }
        let limit = u64::try_from(PREPARES_WITHIN.as_micros()).unwrap();
        if self
            .preparing_since
            .is_some_and(|since| since + limit <= now)
        {
            let steps = self.reload.abandon(crate::runner::Unable::Panicked);
            self.reload_by(steps);
        }
    }

    fn begin(&mut self) {
        self.has_begun = true;
        let ready: Vec<MemberId> = self
            .members
            .iter()
            .filter_map(|(id, member)| matches!(member.standing, Standing::Ready(_)).then_some(*id))
            .collect();
        for id in &ready {
            if let Some(member) = self.members.get_mut(id) {
                member.standing = Standing::Serving;
            }
        }
        let mut slots = Slots::local(SLOTS);
        slots.deal(&self.threads());
        self.assignments = Some(Assignments::new(slots));
        for id in ready {
            self.start(id);
        }
    }

    fn start_ready(&mut self) {
        if self.reload.is_under_way() {
            return;
        }
        let ready = self
            .members
            .iter()
            .filter_map(|(id, member)| match member.standing {
                Standing::Ready(number) => Some((*id, number)),
                _ => None,
            });
        for (id, number) in ready.collect::<Vec<_>>() {
            let is_current = number == self.generation;
            let generation = self.generation;
            if let Some(member) = self.members.get_mut(&id) {
                member.standing = match is_current {
                    true => Standing::Serving,
                    false => Standing::Preparing(generation),
                };
            }
            match is_current {
                true => {
                    self.start(id);
                    self.wants.push(MasterEvent::Gather);
                }
                false => self.order(id, SentOrder::CatchUp(generation, Arc::default())),
            }
        }
    }

    fn parts(&self, id: MemberId) -> Vec<Part> {
        let (member, all) = (&self.members[&id], self.assignments.as_ref().unwrap());
        let threads = member.first..member.first + member.threads;
        threads
            .map(|thread| all.parts().of(thread).clone())
            .collect()
    }

    fn start(&mut self, id: MemberId) {
        let start = SentStart {
            epoch: Micros::default(),
            unix_us: 0,
            plan: self.plan.clone(),
            parts: self.parts(id),
            classes: Arc::default(),
            pauses: (0, None),
            setup: None,
        };
        self.wants.push(MasterEvent::Expect(Some(id.0), self.users));
        self.order(id, SentOrder::Start(Box::new(start)));
    }

    pub(super) fn deal(&mut self) {
        let (threads, at_work) = (self.threads(), self.at_work());
        let Some(all) = &mut self.assignments else {
            return;
        };
        if self.is_ending || all.are_dealt_to(&threads) {
            return;
        }
        let assignment = all.deal(&threads, at_work);
        self.assign(assignment);
    }

    fn assign(&mut self, assignment: Option<Assignment>) {
        if let Some(assignment) = assignment {
            for id in self.at_work() {
                let order = SentOrder::Assign {
                    number: assignment.number,
                    parts: self.parts(id),
                    pace: Rate::from_per_sec(20.0).unwrap(),
                };
                self.order(id, order);
            }
        }
        let Some(all) = &self.assignments else {
            return;
        };
        if all.is_under_way() {
            return;
        }
        // Those without users have handed them over.
        let is_stale = all.is_stale();
        let leaving = self.members.iter().filter(|(id, member)| {
            let has_none = || self.parts(**id).iter().all(|part| part.slots().is_empty());
            member.standing == Standing::Leaving && (self.threads().is_empty() || has_none())
        });
        for id in leaving.map(|(id, _)| *id).collect::<Vec<_>>() {
            if let Some(member) = self.members.get_mut(&id) {
                member.standing = Standing::Stopping;
            }
            self.order(id, STOP.clone());
        }
        if is_stale {
            self.deal();
        }
    }

    fn reload_by(&mut self, steps: Vec<ReloadStep>) {
        for step in steps {
            match step {
                ReloadStep::Open(_) | ReloadStep::Tell(_) => {}
                ReloadStep::Prepare(members, preparation) => {
                    for id in members {
                        let (ticket, number) = (preparation.ticket, preparation.number);
                        self.order(id, SentOrder::Prepare(ticket, number, Arc::default()));
                    }
                }
                ReloadStep::Adopt(adopted) => {
                    self.preparing_since = None;
                    self.generation = adopted.number;
                    let members = self.at_work();
                    for id in &members {
                        self.order(*id, SentOrder::Adopt(adopted.number, 0, None));
                    }
                    self.reload.in_service(members);
                }
                ReloadStep::Discard => {
                    self.preparing_since = None;
                    for id in self.at_work() {
                        self.order(id, SentOrder::Discard);
                    }
                }
            }
        }
    }

    /// The run is over: all members stop.
    pub(super) fn end(&mut self) {
        self.is_ending = true;
        for id in self.members.keys().copied().collect::<Vec<_>>() {
            self.order(id, STOP.clone());
        }
    }
}
