//! How a run that goes on stands, as one of its workers knows it: for a master that is started
//! again.
//!
//! Owns what a worker remembers of its orders for that. Who may be believed, and which of several
//! workers knows it best, is decided elsewhere.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::edition::SentEdition;
use super::order::{SentOrder, SentStart};
use crate::data::{CountedRows, Value};
use crate::load::{Classes, Part, Plan};

/// Longer than any run that a worker may speak of: eight days, in µs.
const LONGEST_US: u64 = 8 * 86_400_000_000;

/// The most editions whose classes are told.
const EDITIONS: usize = 65_535;

/// The most sources of rows that are told: as many as a master counts.
const COUNTS: usize = 1_000;

/// A run that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Going {
    /// For how long, in µs, when this was said.
    pub elapsed_us: u64,
    /// When it began, in µs since 1970.
    pub unix_us: i64,
    /// How many users there are to be when.
    pub plan: Arc<Plan>,
    /// What all editions so far said of the classes.
    pub classes: Arc<[Classes]>,
    /// The length of all pauses that are over, and of the present one if there is one, in µs.
    pub pauses: (u64, Option<u64>),
    /// What `setup` returned, if there is one.
    pub setup: Option<Value>,
    /// The generation in service, and what names its edition.
    pub generation: u16,
    /// See there.
    pub hash: String,
    /// Rows whose turns are counted once for all, as that edition knows them.
    pub counted: Vec<CountedRows>,
}

impl Going {
    /// Whether there can be such a run.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let pause_us = self.pauses.1.unwrap_or(0);
        let times = [self.elapsed_us, self.pauses.0, pause_us];
        let names = self
            .classes
            .iter()
            .map(|it| (it.names.len(), it.shares.len()));
        times.into_iter().all(|us| us <= LONGEST_US)
            && self.unix_us >= 0
            && (1..=EDITIONS).contains(&self.classes.len())
            && names.into_iter().all(|(names, shares)| names == shares)
            && self.generation > 0
            && self.hash.len() <= 64
            && self.counted.len() <= COUNTS
            && self.plan.is_possible()
    }
}

/// What is remembered of a run by the orders to its members. Each may be heard once by one member, or
/// once for each of several, and counts once.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// But for what changes with time.
    going: Going,
    prepared: Option<(u16, Arc<SentEdition>)>,
}

impl Remembered {
    /// It begins, with that edition in service.
    #[must_use]
    pub fn new(start: &SentStart, generation: u16, edition: &SentEdition) -> Remembered {
        Remembered::resumed(Going {
            elapsed_us: 0,
            unix_us: start.unix_us,
            plan: start.plan.clone(),
            classes: start.classes.clone(),
            pauses: (start.pauses.0, None),
            setup: start.setup.clone(),
            generation,
            hash: edition.hash().to_owned(),
            counted: counted(edition),
        })
    }

    /// It goes on as it was remembered before.
    #[must_use]
    pub fn resumed(going: Going) -> Remembered {
        Remembered {
            going,
            prepared: None,
        }
    }

    /// There is an order.
    pub fn ordered(&mut self, order: &SentOrder) {
        let going = &mut self.going;
        match order {
            SentOrder::Follow(plan) => going.plan = plan.clone(),
            SentOrder::Resume(paused_us) => going.pauses.0 = *paused_us,
            SentOrder::Prepare(_, number, edition) => {
                self.prepared = Some((*number, edition.clone()));
            }
            SentOrder::Adopt(number, mixed, plan) if *number > going.generation => {
                if let Some((_, edition)) = self.prepared.take_if(|(of, _)| of == number) {
                    let classes = going.classes.iter().cloned();
                    going.classes = classes.chain([edition.classes(*mixed)]).collect();
                    edition.hash().clone_into(&mut going.hash);
                    going.counted = counted(&edition);
                }
                going.generation = *number;
                if let Some(plan) = plan {
                    going.plan = plan.clone();
                }
            }
            _ => {}
        }
    }

    /// How it stands after that time, paused for so long if it is.
    #[must_use]
    pub fn going(&self, elapsed: Duration, paused: Option<Duration>) -> Going {
        let us = |length: Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let mut going = self.going.clone();
        going.elapsed_us = us(elapsed);
        going.pauses.1 = paused.map(us);
        going
    }
}

fn counted(edition: &SentEdition) -> Vec<CountedRows> {
    edition.counted().iter().take(COUNTS).cloned().collect()
}

/// What a member has had since before its master was started again.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldPlace {
    /// Its number.
    pub member: u32,
    /// The number of its first load thread.
    pub first: u32,
    /// By thread: its part of the users.
    pub parts: Vec<Part>,
    /// The last assignment that it heard of.
    pub assignment: u16,
    /// The generation in service there.
    pub generation: u16,
}
