//! A shape that is a closure of the script: asked once a second, on the control thread.
//!
//! Owns when its answer means something new. Reading the answer is `script`'s, following it the
//! loop's.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Edition;
use crate::load::{Division, Stage};
use crate::scenario::Shape;
use crate::script::{Line, Program, ShapeRequest};

/// The closure, and what it said last.
pub(super) struct LiveShape {
    program: Rc<Program>,
    /// What the closure is of.
    edition: Arc<Edition>,
    last: Option<ShapeRequest>,
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

    /// The one of an edited script, which goes on with this one's memory, and from what this one
    /// said last: with other classes its numbers may mean others.
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

    /// What it says next is followed, also if it says the same: the plan is another.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
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
