//! Orders as bytes.
//!
//! Owns the form between the processes, and the moments in it, which are of the run's clock. The
//! orders themselves are `load_thread`'s.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::edition::SentEdition;
use crate::clock::Micros;
use crate::load::{Classes, Part, Plan};
use crate::runner::Edition;
use crate::runner::assignments::{Assignment, Parts};
use crate::runner::load_thread::{Adoption, Order, Preparation, Start};
use crate::units::Rate;

/// An order to a member elsewhere. Moments are microseconds of the run's process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SentOrder(Sent);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Sent {
    Start {
        epoch_us: u64,
        unix_us: i64,
        plan: Plan,
        parts: SentParts,
        classes: Vec<Classes>,
        paused_us: u64,
        paused_at_us: Option<u64>,
    },
    CatchUp(Box<SentEdition>, u16),
    Assign {
        number: u16,
        parts: SentParts,
        pace: Rate,
    },
    Pause,
    Resume {
        paused_us: u64,
    },
    Follow(Plan),
    Prepare {
        ticket: u32,
        edition: Box<SentEdition>,
        number: u16,
    },
    Adopt {
        mixed: u32,
        plan: Option<Plan>,
    },
    Discard,
    Stop {
        stop_timeout: Duration,
        on_stop_timeout: Duration,
    },
}

/// The slots of one member's threads, and how many there are in all.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SentParts {
    count: u32,
    by_thread: BTreeMap<u32, Vec<u32>>,
}

impl SentParts {
    fn of(parts: &Parts, threads: Range<u32>) -> SentParts {
        let of = |thread| (thread, parts.of(thread).slots().to_vec());
        SentParts {
            count: parts.of(threads.start).count(),
            by_thread: threads.map(of).collect(),
        }
    }

    fn parts(self) -> Option<Parts> {
        let mut by_thread = BTreeMap::new();
        for (thread, slots) in self.by_thread {
            by_thread.insert(thread, Part::of(self.count, slots)?);
        }
        Some(Parts::new(by_thread, self.count))
    }
}

impl SentOrder {
    /// The bytes of it.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("memory is all that it takes")
    }

    /// The order of those bytes, from whom one takes orders; `None` if they are none.
    #[must_use]
    pub fn decoded(bytes: &[u8]) -> Option<SentOrder> {
        postcard::from_bytes(bytes).ok()
    }

    /// What is sent of an order to the member with these threads; `sent` gives what is sent of its
    /// edition, if it has one.
    pub(super) fn of<E>(
        order: &Order,
        threads: Range<u32>,
        sent: impl Fn(&Arc<Edition>) -> Result<SentEdition, E>,
    ) -> Result<SentOrder, E> {
        Ok(SentOrder(match order {
            Order::Start(start) => Sent::Start {
                epoch_us: start.epoch.get(),
                unix_us: start.unix_us,
                plan: (*start.plan).clone(),
                parts: SentParts::of(&start.parts, threads),
                classes: start.classes.to_vec(),
                paused_us: start.pauses.0,
                paused_at_us: start.pauses.1.map(Micros::get),
            },
            Order::CatchUp(edition, number) => Sent::CatchUp(Box::new(sent(edition)?), *number),
            Order::Assign { assignment, pace } => Sent::Assign {
                number: assignment.number,
                parts: SentParts::of(&assignment.parts, threads),
                pace: *pace,
            },
            Order::Pause => Sent::Pause,
            Order::Resume { paused_us } => Sent::Resume {
                paused_us: *paused_us,
            },
            Order::Follow(plan) => Sent::Follow((**plan).clone()),
            Order::Prepare(preparation) => Sent::Prepare {
                ticket: preparation.ticket,
                edition: Box::new(sent(&preparation.edition)?),
                number: preparation.number,
            },
            Order::Adopt(adoption) => Sent::Adopt {
                mixed: adoption.mixed,
                plan: adoption.plan.as_deref().cloned(),
            },
            Order::Discard => Sent::Discard,
            Order::Stop {
                stop_timeout,
                on_stop_timeout,
            } => Sent::Stop {
                stop_timeout: *stop_timeout,
                on_stop_timeout: *on_stop_timeout,
            },
        }))
    }

    /// The edition it carries, if it carries one.
    #[must_use]
    pub fn edition(&self) -> Option<&SentEdition> {
        match &self.0 {
            Sent::CatchUp(edition, _) | Sent::Prepare { edition, .. } => Some(edition),
            _ => None,
        }
    }

    /// The order again. `here` turns a moment of the run's process into one of this process;
    /// `assembled` is the edition it carries. `None` if it contradicts itself.
    pub(super) fn order(
        self,
        here: impl Fn(u64) -> Micros,
        assembled: Option<Arc<Edition>>,
    ) -> Option<Order> {
        Some(match self.0 {
            Sent::Start {
                epoch_us,
                unix_us,
                plan,
                parts,
                classes,
                paused_us,
                paused_at_us,
            } => Order::Start(Start {
                epoch: here(epoch_us),
                unix_us,
                plan: Arc::new(plan),
                parts: parts.parts()?,
                classes: classes.into(),
                pauses: (paused_us, paused_at_us.map(here)),
            }),
            Sent::CatchUp(_, number) => Order::CatchUp(assembled?, number),
            Sent::Assign {
                number,
                parts,
                pace,
            } => Order::Assign {
                assignment: Assignment {
                    number,
                    parts: parts.parts()?,
                },
                pace,
            },
            Sent::Pause => Order::Pause,
            Sent::Resume { paused_us } => Order::Resume { paused_us },
            Sent::Follow(plan) => Order::Follow(Arc::new(plan)),
            Sent::Prepare { ticket, number, .. } => Order::Prepare(Preparation {
                ticket,
                edition: assembled?,
                number,
            }),
            Sent::Adopt { mixed, plan } => Order::Adopt(Adoption {
                mixed,
                plan: plan.map(Arc::new),
            }),
            Sent::Discard => Order::Discard,
            Sent::Stop {
                stop_timeout,
                on_stop_timeout,
            } => Order::Stop {
                stop_timeout,
                on_stop_timeout,
            },
        })
    }
}
