//! A shape that is a closure of the script: asked once a second, on the control thread.
//!
//! Owns when its answer means something new. `script` reads the answer; the loop follows it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{Edition, Unable};
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
    /// What it was asked when it went into service, and has not been followed yet.
    answered: Option<ShapeRequest>,
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
            answered: None,
        }
    }

    /// The shape of an edited script, which continues with the memory and the last answer of the one
    /// `before` it. With other classes its numbers may mean something else. It is asked at once,
    /// because they may also count something else, on which the plan depends.
    ///
    /// # Errors
    /// When the closure fails: the edit is not to go into service.
    pub(super) fn edited(
        edition: &Arc<Edition>,
        program: Rc<Program>,
        before: Option<&LiveShape>,
        run_time: Duration,
        users: u32,
    ) -> Result<LiveShape, Unable> {
        let mut shape = LiveShape::new(edition, program);
        if let Some(before) = before {
            shape.program.remember_shape(&before.program);
            let are_classes_the_same = edition.names().eq(before.edition.names());
            shape.last = before.last.clone().filter(|_| are_classes_the_same);
        }
        shape.answered = shape.answer(run_time, users).map_err(Unable::Script)?;
        shape.division = match (shape.counted(), before.and_then(|before| before.division)) {
            (Some(division), _) => Some(division),
            // It asks for nobody, which says nothing of what its numbers count.
            (None, Some(Division::PerClass(_))) => {
                Some(Division::PerClass(edition.scenario.classes.len()))
            }
            (None, division) => division,
        };
        Ok(shape)
    }

    /// What its numbers count, once it has asked for any users.
    pub(super) fn division(&self) -> Option<Division> {
        self.division
    }

    fn counted(&self) -> Option<Division> {
        match &self.answered {
            Some(ShapeRequest::Users(division, stage)) if stage.users.iter().any(|n| *n > 0) => {
                Some(*division)
            }
            _ => None,
        }
    }

    /// Its next answer is followed even if it is the same, because the plan has changed.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
    }

    /// Calls the closure, which can see the number of users alive.
    pub(super) fn ask(&mut self, run_time: Duration, users: u32) -> Turn {
        let answered = match self.answered.take() {
            Some(answered) => Ok(Some(answered)),
            None => self.answer(run_time, users),
        };
        let mut asked = match answered {
            Ok(Some(asked)) => asked,
            Ok(None) => return Turn::Stay,
            Err(message) => return Turn::Fail(message),
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

    fn answer(&self, run_time: Duration, users: u32) -> Result<Option<ShapeRequest>, String> {
        let answer = self.program.ask_shape(run_time, users, self.division);
        answer.transpose().map_err(|failure| {
            let (place, message) = (failure.location(), &failure.message);
            format!("the shape's closure failed at {place}: {message}")
        })
    }

    /// What it has printed since the last look.
    pub(super) fn said(&self) -> Vec<Line> {
        self.program.shape_said()
    }
}
