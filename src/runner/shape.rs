//! A shape that is a closure of the script: asked once a second, on the control thread.
//!
//! Owns when its answer means something new. Reading the answer is `script`'s, following it the
//! loop's.

use std::time::Duration;

use super::Setup;
use crate::load::{Division, Stage};
use crate::scenario::{Scenario, Shape};
use crate::script::{Asked, Line, Program};

/// The closure, and what it said last.
pub(super) struct LiveShape {
    program: Program,
    /// As the run has it.
    scenario: Scenario,
    last: Option<Asked>,
    /// What its numbers count, since it has asked for anybody.
    division: Option<Division>,
}

/// What to do after the closure has been asked.
#[derive(Debug, PartialEq)]
pub(super) enum Turn {
    /// It said the same as before.
    Stay,
    /// Go to these numbers of users.
    To(Division, Stage),
    /// End the run.
    Stop,
    /// End it for a mistake of the script.
    Fail(String),
}

impl LiveShape {
    /// The live shape of a script; `None` if it has none.
    ///
    /// # Errors
    /// When the script does not evaluate as it did when it was checked.
    pub(super) fn of(setup: &Setup) -> Result<Option<LiveShape>, String> {
        if setup.scenario.shape != Some(Shape::Script) {
            return Ok(None);
        }
        let program = Program::compile(&setup.bundle, &setup.inputs)
            .map_err(|_| "the script came to another result than when it was checked".to_owned())?;
        Ok(Some(LiveShape {
            program,
            scenario: setup.scenario.clone(),
            last: None,
            division: None,
        }))
    }

    /// Asks the closure, when so many users are alive.
    pub(super) fn ask(&mut self, run_time: Duration, users: u32) -> Turn {
        let mut asked = match self.program.ask_shape(run_time, users, self.division) {
            Some(Ok(asked)) => asked,
            Some(Err(failure)) => {
                let message = format!(
                    "the shape's closure failed at {}: {}",
                    failure.location(),
                    failure.message
                );
                return Turn::Fail(message);
            }
            None => return Turn::Stay,
        };
        if let Asked::Users(division, stage) = &mut asked {
            self.scenario.without_left_out(*division, stage);
        }
        if self.last.as_ref() == Some(&asked) {
            return Turn::Stay;
        }
        self.last = Some(asked.clone());
        match asked {
            Asked::Stop => Turn::Stop,
            Asked::Users(division, stage) => {
                if stage.users.iter().any(|users| *users > 0) {
                    self.division = Some(division);
                }
                Turn::To(division, stage)
            }
        }
    }

    /// What it has printed since the last look.
    pub(super) fn said(&self) -> Vec<Line> {
        self.program.shape_said()
    }
}
