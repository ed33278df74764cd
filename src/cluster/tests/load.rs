//! The load threads of a worker in the world, as one: users that begin iterations, ask, and stop.
//!
//! Owns what a crew does with its orders, in short: which users there are, when each begins, that a
//! lost one is stopped and told of once it is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use crate::cluster::message::{Levels, News, SentOrder};
use crate::load::Part;

/// A user of the world.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) ordinal: u32,
    /// It begins nothing more.
    pub(super) is_stopping: bool,
    pub(super) is_at_it: bool,
    /// Its iteration is over but for an answer.
    pub(super) waits: bool,
    pub(super) asked: Option<u64>,
}

/// What became of an order.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Users to wake up, from now on in these steps.
    pub(super) started: Vec<u64>,
    pub(super) stopped: Vec<u64>,
    pub(super) news: Vec<News>,
    /// Compiling takes a while; then this is the news.
    pub(super) compiled: Option<News>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// All users of the plan.
    pub(super) planned: u32,
    pub(super) users: BTreeMap<u64, User>,
    yielding: Vec<(u16, BTreeSet<u64>)>,
    pub(super) generation: u16,
    prepared: Option<u16>,
    /// What was begun since, by the ticket that is waited for.
    pub(super) compiling: u64,
    is_stopping: bool,
    next: u64,
    pub(super) rations: BTreeMap<u64, VecDeque<Range<u64>>>,
    /// Samples that are in no report, and all that were recorded.
    pub(super) uncut: u64,
    pub(super) recorded: u64,
}

impl Load {
    pub(super) fn new(planned: u32) -> Load {
        Load {
            planned,
            ..Load::default()
        }
    }

    pub(super) fn ordered(&mut self, order: SentOrder) -> Done {
        let mut done = Done::default();
        match order {
            SentOrder::Begin { generation, .. } => {
                self.is_stopping = false;
                self.prepared = None;
                self.yielding.clear();
                self.compiling += 1;
                self.generation = generation;
                done.compiled = Some(News::Ready);
            }
            SentOrder::CatchUp(generation, _) => {
                self.generation = generation;
                self.compiling += 1;
                done.compiled = Some(News::Ready);
            }
            SentOrder::Start(start) => self.take(&start.parts, &mut done),
            SentOrder::Assign { number, parts, .. } => {
                self.take(&parts, &mut done);
                let lost: BTreeSet<u64> = done.stopped.iter().copied().collect();
                match lost.is_empty() {
                    true => done.news.push(News::Assigned(number, Levels::default())),
                    false => self.yielding.push((number, lost)),
                }
            }
            SentOrder::Prepare(ticket, number, _) => {
                self.prepared = Some(number);
                self.compiling += 1;
                done.compiled = Some(News::Prepared {
                    ticket,
                    result: Ok(Vec::new()),
                });
            }
            SentOrder::Adopt(number, ..) => {
                assert_eq!(self.prepared.take(), Some(number), "what was prepared");
                self.generation = number;
                done.news.push(News::Adopted(Default::default()));
            }
            SentOrder::Discard => {
                if self.prepared.take().is_some() {
                    self.compiling += 1;
                }
            }
            SentOrder::Stop { .. } => {
                self.is_stopping = true;
                self.prepared = None;
                self.compiling += 1;
                self.yielding.clear();
                let all = self.users.iter().filter(|(_, user)| !user.is_stopping);
                done.stopped = all.map(|(id, _)| *id).collect();
                self.stop(&done.stopped);
                if self.users.is_empty() {
                    done.news.push(News::Ended { cut: 0 });
                }
            }
            SentOrder::Follow(_) | SentOrder::Pause | SentOrder::Resume(_) => {}
        }
        done
    }

    fn take(&mut self, parts: &[Part], done: &mut Done) {
        let mut wanted: BTreeSet<u32> = BTreeSet::new();
        for part in parts {
            let own = 0..part.own_of(0, self.planned);
            wanted.extend(own.filter_map(|index| part.ordinal(0, index)));
        }
        for (id, user) in &self.users {
            if !user.is_stopping && !wanted.remove(&user.ordinal) {
                done.stopped.push(*id);
            }
        }
        self.stop(&done.stopped);
        for ordinal in wanted {
            self.next += 1;
            let user = User {
                ordinal,
                is_stopping: false,
                is_at_it: false,
                waits: false,
                asked: None,
            };
            self.users.insert(self.next, user);
            done.started.push(self.next);
        }
    }

    fn stop(&mut self, users: &[u64]) {
        for id in users {
            if let Some(user) = self.users.get_mut(id) {
                user.is_stopping = true;
            }
        }
    }

    /// A user has ended: what is said of that.
    pub(super) fn ended(&mut self, id: u64) -> Vec<News> {
        let mut news = Vec::new();
        self.users.remove(&id);
        self.yielding.retain_mut(|(number, users)| {
            users.remove(&id);
            if users.is_empty() {
                news.push(News::Assigned(*number, Levels::default()));
            }
            !users.is_empty()
        });
        if self.is_stopping && self.users.is_empty() {
            self.is_stopping = false;
            news.push(News::Ended { cut: 0 });
        }
        news
    }

    pub(super) fn active(&self) -> impl Iterator<Item = u32> {
        let users = self.users.values();
        users
            .filter(|user| !user.is_stopping)
            .map(|user| user.ordinal)
    }

    /// The next number of a source that came here.
    pub(super) fn row(&mut self, source: u64) -> Option<u64> {
        let rations = self.rations.entry(source).or_default();
        while let Some(range) = rations.front_mut() {
            if let Some(row) = range.next() {
                return Some(row);
            }
            rations.pop_front();
        }
        None
    }
}
