//! Stages of a plan, and how one is placed in time.
//!
//! Owns what a stage asks for and the ramps that come of it. One stage after the other is a
//! `plan`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ramp;
use super::plan::Division;
use crate::units::Rate;

/// A part of a plan: go to a number of users, then stay there until its length is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How long it lasts, its ramp included. A ramp that does not fit is cut short: the next stage
    /// continues from the number that was reached.
    pub length: Duration,
    /// How many users to go to, one number for each of the division's tracks.
    pub users: Vec<u32>,
    /// How many users start or stop a second, all classes together; `None` spreads the change
    /// over the whole stage.
    pub rate: Option<Rate>,
}

/// What a stage amounts to, for people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The number of its stage, from 0.
    pub stage: u32,
    /// Users of all classes when it begins.
    pub from: u32,
    /// Users of all classes that it goes to.
    pub to: u32,
    /// Users that start or stop a second.
    pub per_sec: f64,
}

/// A stage placed in time, its ramps worked out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) number: u32,
    pub(super) begins: Duration,
    /// What was asked for; its length is what it was said to be.
    pub(super) stage: Stage,
    /// One for each track; their times count from `begins`.
    pub(super) ramps: Vec<Ramp>,
}

impl Step {
    /// A stage that begins at `begins` with these numbers of users.
    pub(super) fn of(number: u32, begins: Duration, from: &[u32], stage: Stage) -> Step {
        let changes = |(from, to): (&u32, &u32)| f64::from(from.abs_diff(*to));
        let all: f64 = from.iter().zip(&stage.users).map(changes).sum();
        let length = stage.length.as_secs_f64();
        let ramps = from.iter().zip(&stage.users).map(|(from, to)| {
            // Classes that change by different numbers finish at the same time.
            let share = changes((from, to));
            let per_sec = match stage.rate {
                Some(rate) => rate.per_sec() * share / all,
                None => share / length,
            };
            // Nothing to change, or faster than can be told from at once.
            let rate = Rate::from_per_sec(per_sec).unwrap_or_else(|_| one_a_second());
            Ramp::new(*from, *to, rate)
        });
        Step {
            number,
            begins,
            ramps: ramps.collect(),
            stage,
        }
    }
}

/// A stage without users that does not end.
pub(super) fn nobody(division: Division) -> Stage {
    Stage {
        length: Duration::MAX,
        users: vec![0; division.tracks()],
        rate: None,
    }
}

fn one_a_second() -> Rate {
    Rate::from_per_sec(1.0).expect("one is a rate")
}
