//! Orders to a member elsewhere, as plain data.
//!
//! Owns the form between the processes, and the moments in it, which are of the run's clock. What
//! orders mean is `load_thread`'s.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::edition::SentEdition;
use crate::clock::Micros;
use crate::data::Value;
use crate::load::{Classes, Part, Plan};
use crate::runner::Edition;
use crate::runner::assignments::{Assignment, Parts};
use crate::runner::load_thread::{Adoption, Order, Preparation, Start};
use crate::units::Rate;

/// An order to a member elsewhere. Its load threads are one, their parts in the order of their
/// numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SentOrder {
    /// Start load threads with these numbers, and compile a generation.
    Begin {
        /// The numbers of the load threads.
        threads: Range<u32>,
        /// The generation's number.
        generation: u16,
        /// What it is of.
        edition: Arc<SentEdition>,
        /// Whether the run has a limit of iterations.
        is_limited: bool,
    },
    /// Instead of the generation compiled earlier, this one.
    CatchUp(u16, Arc<SentEdition>),
    /// Start users.
    Start(Box<SentStart>),
    /// Take this part of the plan.
    Assign {
        /// The assignment.
        number: u16,
        /// By thread: its part.
        parts: Vec<Part>,
        /// How fast users start that come from others.
        pace: Rate,
    },
    /// Users finish their iteration and wait.
    Pause,
    /// They go on, after pauses of so many µs in all.
    Resume(u64),
    /// Follow another plan.
    Follow(Arc<Plan>),
    /// Compile a generation, under this ticket.
    Prepare(u32, u16, Arc<SentEdition>),
    /// Put it into service: how many users the mix has given classes, and the plan, if it changes.
    Adopt(u16, u32, Option<Arc<Plan>>),
    /// Drop what was prepared.
    Discard,
    /// Stop all users and end.
    Stop {
        /// What a running task gets to finish.
        stop_timeout: Duration,
        /// What all `on_stop` together get.
        on_stop_timeout: Duration,
    },
}

/// How users begin, or how things stand for one who comes late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentStart {
    /// The run's beginning; may lie in the future.
    pub epoch: Micros,
    /// That moment in µs since 1970.
    pub unix_us: i64,
    /// How many users there should be when.
    pub plan: Arc<Plan>,
    /// By thread: its part of it.
    pub parts: Vec<Part>,
    /// What all editions so far said of the classes.
    pub classes: Arc<[Classes]>,
    /// The length of all pauses in µs, and since when the run is paused.
    pub pauses: (u64, Option<Micros>),
    /// What `setup` returned, if there is one.
    pub setup: Option<Value>,
}

fn parts_of(parts: &Parts, threads: Range<u32>) -> Vec<Part> {
    threads.map(|thread| parts.of(thread).clone()).collect()
}

/// `None` if these are not the parts of so many threads.
fn parts_for(threads: Range<u32>, parts: Vec<Part>) -> Option<Parts> {
    let count = parts.first()?.count();
    let are_right = parts.len() == threads.len() && parts.iter().all(|it| it.count() == count);
    are_right.then(|| Parts::new(threads.zip(parts).collect(), count))
}

impl Order {
    /// The edition that it is about, if it is about one.
    pub(super) fn edition(&self) -> Option<&Arc<Edition>> {
        match self {
            Order::CatchUp(edition, _) => Some(edition),
            Order::Prepare(preparation) => Some(&preparation.edition),
            _ => None,
        }
    }
}

impl SentOrder {
    /// What is sent of an order to the member with these threads; `edition` is what is sent of its
    /// edition, if it has one.
    pub(super) fn of(
        order: &Order,
        threads: Range<u32>,
        setup: Option<&Value>,
        edition: Option<Arc<SentEdition>>,
    ) -> SentOrder {
        let edition = || edition.expect("what is sent of its edition is given");
        match order {
            Order::Start(start) => SentOrder::Start(Box::new(SentStart {
                epoch: start.epoch,
                unix_us: start.unix_us,
                plan: start.plan.clone(),
                parts: parts_of(&start.parts, threads),
                classes: start.classes.clone(),
                pauses: start.pauses,
                setup: setup.cloned(),
            })),
            Order::CatchUp(_, number) => SentOrder::CatchUp(*number, edition()),
            Order::Assign { assignment, pace } => SentOrder::Assign {
                number: assignment.number,
                parts: parts_of(&assignment.parts, threads),
                pace: *pace,
            },
            Order::Pause => SentOrder::Pause,
            Order::Resume { paused_us } => SentOrder::Resume(*paused_us),
            Order::Follow(plan) => SentOrder::Follow(plan.clone()),
            Order::Prepare(preparation) => {
                SentOrder::Prepare(preparation.ticket, preparation.number, edition())
            }
            Order::Adopt(Adoption {
                number,
                mixed,
                plan,
            }) => SentOrder::Adopt(*number, *mixed, plan.clone()),
            Order::Discard => SentOrder::Discard,
            Order::Stop {
                stop_timeout,
                on_stop_timeout,
            } => SentOrder::Stop {
                stop_timeout: *stop_timeout,
                on_stop_timeout: *on_stop_timeout,
            },
        }
    }

    /// The edition it carries, if it carries one.
    #[must_use]
    pub fn edition(&self) -> Option<&Arc<SentEdition>> {
        match self {
            SentOrder::Begin { edition, .. }
            | SentOrder::CatchUp(_, edition)
            | SentOrder::Prepare(_, _, edition) => Some(edition),
            _ => None,
        }
    }

    /// The order again, for these load threads. `here` turns a moment of the run's process into one
    /// of this process; `assembled` is the edition it carries. `None` if it contradicts itself, or
    /// is the one to begin.
    pub(super) fn order(
        self,
        threads: Range<u32>,
        here: impl Fn(Micros) -> Micros,
        assembled: Option<Arc<Edition>>,
    ) -> Option<Order> {
        Some(match self {
            SentOrder::Begin { .. } => return None,
            SentOrder::Start(start) => Order::Start(Start {
                epoch: here(start.epoch),
                unix_us: start.unix_us,
                plan: start.plan,
                parts: parts_for(threads, start.parts)?,
                classes: start.classes,
                pauses: (start.pauses.0, start.pauses.1.map(here)),
            }),
            SentOrder::CatchUp(number, _) => Order::CatchUp(assembled?, number),
            SentOrder::Assign {
                number,
                parts,
                pace,
            } => Order::Assign {
                assignment: Assignment {
                    number,
                    parts: parts_for(threads, parts)?,
                },
                pace,
            },
            SentOrder::Pause => Order::Pause,
            SentOrder::Resume(paused_us) => Order::Resume { paused_us },
            SentOrder::Follow(plan) => Order::Follow(plan),
            SentOrder::Prepare(ticket, number, _) => Order::Prepare(Preparation {
                ticket,
                edition: assembled?,
                number,
            }),
            SentOrder::Adopt(number, mixed, plan) => Order::Adopt(Adoption {
                number,
                mixed,
                plan,
            }),
            SentOrder::Discard => Order::Discard,
            SentOrder::Stop {
                stop_timeout,
                on_stop_timeout,
            } => Order::Stop {
                stop_timeout,
                on_stop_timeout,
            },
        })
    }
}
