//! What a script declares, as plain data: user classes, tasks, waits, options, parameters.
//!
//! Knows neither Rhai nor users. It can be sent between threads, compared and shown; every load
//! thread evaluates the script afresh and must arrive at the same scenario.

mod hooks;
pub mod names;
mod params;
mod random;
mod ratio;
mod select;
mod tasks;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::{ClassShare, Division, Stage};

pub use hooks::{Event, Hooks};
pub use params::{Param, ParamKind, ParamValue};
pub use random::Random;
pub use ratio::{Ratio, Whole, ratios};
pub use select::Tags;
pub use tasks::{Body, Cursor, Function, Order, Set, Task};

/// Everything a script declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// The user classes, in the order written.
    pub classes: Vec<Class>,
    /// The script's own defaults for options not given by the person.
    pub options: Options,
    /// The parameters it takes.
    pub params: Vec<Param>,
    /// How many users over time; without one, the person decides.
    pub shape: Option<Shape>,
    /// What runs once, and at which events.
    pub hooks: Hooks,
    /// The classes that this run leaves out, by index, even if a shape asks for their users; none
    /// as declared by the script.
    pub left_out: BTreeSet<usize>,
}

/// What `shape(…)` declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// These stages.
    Stages(Division, Vec<Stage>),
    /// Whatever a closure of the script returns during the run.
    Script,
}

/// A user class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// Its name, as in reports.
    pub name: String,
    /// How many of the users are of this class.
    pub share: ClassShare,
    /// Where its relative requests go, unless overridden by the person.
    pub host: Option<String>,
    /// The wait between two tasks.
    pub wait: Wait,
    /// Its tasks, in the order written; at least one.
    pub tasks: Vec<Task>,
    /// The sets among its tasks and within one another.
    pub sets: Vec<Set>,
}

/// The wait between two iterations of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Wait {
    /// Always the same.
    Constant(Duration),
    /// Uniformly distributed between two lengths.
    Between(Duration, Duration),
    /// Whatever is left until one period after the last intended start.
    Pacing(Duration),
    /// Exponentially distributed, with this many iterations a second on average.
    Poisson(f64),
    /// What a closure of the script returns.
    Script,
}

/// What `options(#{…})` sets. The command line and the environment win.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// `users`: the most users at once.
    pub users: Option<u32>,
    /// `spawn_rate`: users started per second.
    pub spawn_rate: Option<f64>,
    /// `run_time`
    pub run_time: Option<Duration>,
    /// `iterations`: over all users.
    pub iterations: Option<u64>,
    /// `host`
    pub host: Option<String>,
    /// `tags`: only tasks with one of these.
    pub tags: Option<Vec<String>>,
    /// `exclude_tags`: no tasks with one of these.
    pub exclude_tags: Option<Vec<String>>,
    /// `stop_timeout`
    pub stop_timeout: Option<Duration>,
    /// `on_stop_timeout`
    pub on_stop_timeout: Option<Duration>,
    /// `seed`
    pub seed: Option<u64>,
}

impl Class {
    /// The index of the next task: each as likely as its weight says, independent of the last.
    #[must_use]
    pub fn pick(&self, random: &mut Random) -> usize {
        tasks::pick(&self.tasks, random)
    }
}

impl Wait {
    /// The length of the next wait; `None` where more than chance decides it.
    #[must_use]
    pub fn draw(&self, random: &mut Random) -> Option<Duration> {
        match self {
            Wait::Constant(length) => Some(*length),
            Wait::Between(least, most) => {
                Some(*least + most.saturating_sub(*least).mul_f64(random.unit()))
            }
            Wait::Poisson(rate) => {
                Some(Duration::try_from_secs_f64(random.exponential() / rate).unwrap_or_default())
            }
            Wait::Pacing(_) | Wait::Script => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_in_their_bounds_and_have_their_mean() {
        let mut random = Random::of_user(1, "Shopper", 0);
        let second = Duration::from_secs(1);
        let between = Wait::Between(second, 3 * second);
        let poisson = Wait::Poisson(2.0);
        let (mut uniform_sum, mut poisson_sum) = (0.0, 0.0);
        for _ in 0..40_000 {
            let wait = between.draw(&mut random).unwrap();
            assert!(wait >= second && wait <= 3 * second);
            uniform_sum += wait.as_secs_f64();
            poisson_sum += poisson.draw(&mut random).unwrap().as_secs_f64();
        }
        assert!(
            (uniform_sum / 40_000.0 - 2.0).abs() < 0.015,
            "five standard errors are 0.0144"
        );
        assert!(
            (poisson_sum / 40_000.0 - 0.5).abs() < 0.013,
            "five standard errors are 0.0125"
        );
        assert_eq!(Wait::Pacing(second).draw(&mut random), None);
    }
}
