//! A shape that is a closure of the script: asked once a second, on the control thread.
//!
//! Owns when its answer means something new. `script` reads the answer; the loop follows it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Edition;
use crate::load::{Division, Stage};
use crate::scenario::Shape;
use crate::script::{Line, Program, ShapeRequest};

/// The closure, and what it returned last.
pub(super) struct LiveShape {
    program: Rc<Program>,
    /// What the closure is of.
    edition: Arc<Edition>,
    last: Option<ShapeRequest>,
    /// What its numbers count, once it has asked for any users.
    division: Option<Division>,
}

/// What to do after the closure has been asked.
#[derive(Debug, PartialEq)]
pub(super) enum Turn {
    /// It returned the same as before.
    Stay,
    /// Go to these numbers of users.
    To(Division, Stage),
    /// End the run.
    Stop,
    /// End it because of an error in the script.
    Fail(String),
}

impl LiveShape {
    /// Whether an edition has one.
    pub(super) fn is_in(edition: &Edition) -> bool {
        edition.scenario.shape == Some(Shape::Script)
    }

    /// The live shape of a script that has one.
    pub(super) fn new(edition: &Arc<Edition>, program: Rc<Program>) -> LiveShape {
        LiveShape {
            program,
            edition: edition.clone(),
            last: None,
            division: None,
        }
    }

    /// The shape of an edited script, which continues with this one's memory and last answer. With
    /// other classes its numbers may mean something else.
    pub(super) fn renewed(self, edition: &Arc<Edition>, program: Rc<Program>) -> LiveShape {
        program.remember_shape(&self.program);
        let are_classes_the_same = edition.names().eq(self.edition.names());
        let division = self.division.map(|division| match division {
            Division::Mixed => Division::Mixed,
            Division::PerClass(_) => Division::PerClass(edition.scenario.classes.len()),
        });
        LiveShape {
            program,
            edition: edition.clone(),
            last: self.last.filter(|_| are_classes_the_same),
            division,
        }
    }

    /// Its next answer is followed even if it is the same, because the plan has changed.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
    }

    /// Calls the closure, which can see the number of users alive.
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
        if let ShapeRequest::Users(division, stage) = &mut asked {
            self.edition.scenario.without_left_out(*division, stage);
        }
        if self.last.as_ref() == Some(&asked) {
            return Turn::Stay;
        }
        self.last = Some(asked.clone());
        match asked {
            ShapeRequest::Stop => Turn::Stop,
            ShapeRequest::Users(division, stage) => {
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
