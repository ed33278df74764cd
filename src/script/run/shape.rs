//! A shape's closure, called on the control thread: how many users there should be now.
//!
//! Owns the call, what the closure remembers and reading its result. When it is called and what
//! becomes of the numbers is the runner's business; shapes made of stages are plain data and need
//! no call.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use rhai::{Array, Dynamic, Engine, GlobalRuntimeState, Map};

use super::call::{CallStates, Callable};
use super::extent::KeptGauge;
use super::failure::{Ended, EvaluationStop, Failure};
use super::log::Line;
use crate::load::{Division, Stage};
use crate::scenario::Random;
use crate::script::diagnostic::Diagnostic;
use crate::script::load::capture;
use crate::script::load::declare::shape::{ShapeDeclaration, ShapeKind, Users, rate_of};
use crate::script::load::declare::{Declarations, Moment};
use crate::script::load::definitions::{Definition, Definitions};
use crate::script::results::Problem;

/// What a shape's closure returned.
#[derive(Clone, Debug, PartialEq)]
pub enum ShapeRequest {
    /// To go to these numbers of users. What they count must stay the same from the first call that
    /// asks for any.
    Users(Division, Stage),
    /// To end the run.
    Stop,
}

/// A number without a rate is reached within the second before the closure is called again.
const NEXT_CALL: Duration = Duration::from_secs(1);

/// The closure of `shape(|run_time| …)` or `shape(#{ state, tick })`.
pub(crate) struct ShapeFunction {
    definition: Definition,
    captured: Vec<Dynamic>,
    /// `this` of the closure: its state, kept between calls. Each run compiles the script again.
    memory: RefCell<Dynamic>,
    kept: RefCell<KeptGauge>,
    /// What that begins as.
    initial: Map,
    states: CallStates,
    /// What natives find as the tag: they work as at the top level, which this is called from.
    declarations: Declarations,
    classes: Vec<String>,
}

impl ShapeFunction {
    /// The closure of a shape; `None` if the shape is made of stages.
    ///
    /// # Errors
    /// When it cannot be called with the run time.
    pub(crate) fn of(
        shape: ShapeDeclaration,
        definitions: &Definitions,
        global: &GlobalRuntimeState,
        declarations: &Declarations,
        classes: &[&str],
    ) -> Result<Option<ShapeFunction>, Diagnostic> {
        let ShapeKind::Closure(mut closure, state) = shape.kind else {
            return Ok(None);
        };
        let mut memory = Dynamic::from_map(state);
        let wrong = |message: &str, hint: &str| {
            let message = message.to_owned();
            Diagnostic {
                message,
                ..shape.place.clone()
            }
            .hint(hint)
        };
        let Some(definition) = definitions.taking(&closure, 1) else {
            let hint = "write `shape(|run_time| [users, spawn_rate])`";
            return Err(wrong("a shape's closure takes the run time", hint));
        };
        if capture::own_captured(&mut closure).is_err() || capture::own(&mut memory).is_err() {
            let hint = "give it what it needs by another name";
            return Err(wrong("this closure captures itself", hint));
        }
        // The run's own chance, not the one that the classes were declared with.
        let random = Random::of_user(declarations.inputs.seed, "shape", 0);
        declarations.random.replace(random);
        Ok(Some(ShapeFunction {
            definition: definition.clone(),
            captured: closure.curry().to_vec(),
            initial: memory.clone().try_cast().unwrap_or_default(),
            memory: RefCell::new(memory),
            kept: RefCell::default(),
            states: CallStates::new(global, Vec::new()),
            declarations: declarations.clone(),
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        }))
    }

    /// Goes on with what another one remembers. Closures are left out: they are of its script.
    pub(crate) fn remember(&self, before: &ShapeFunction) {
        let mut memory = self.memory.borrow_mut();
        let known = before.memory.borrow();
        let (Some(mut memory), Some(known)) =
            (memory.write_lock::<Map>(), known.read_lock::<Map>())
        else {
            return;
        };
        for (key, value) in &*known {
            let is_another = self.initial.get(key).is_some_and(|initial| {
                let begun = before.initial.get(key);
                begun.is_some_and(|begun| begun.type_id() != initial.type_id())
            });
            if !is_another && !value.is_fnptr() {
                memory.insert(key.clone(), value.clone());
            }
        }
    }

    /// Calls it; must not run in a coroutine, and what it calls may not wait. `division` is what
    /// its numbers counted before, if it has asked for anybody.
    ///
    /// # Errors
    /// The script's mistake: it threw, took too long, or returned something else.
    pub(crate) fn call(
        &self,
        engine: &Engine,
        run_time: Duration,
        users: u32,
        division: Option<Division>,
    ) -> Result<ShapeRequest, Box<Failure>> {
        let arguments: Vec<_> = self
            .captured
            .iter()
            .cloned()
            .chain([run_time.as_secs_f64().into()])
            .collect();
        self.states.start_counting();
        let function = Callable::new("the shape", &self.definition, &arguments);
        self.declarations.moment.set(Some(Moment {
            now_us: Timestamp::now().as_microsecond(),
            run_time,
            users,
        }));
        let mut tag = Dynamic::from(self.declarations.clone());
        let mut this = self.memory.borrow_mut();
        let returned = self
            .states
            .call(engine, &function, Vec::new(), &mut tag, &mut this);
        let most = self.declarations.inputs.user_bytes();
        let mut kept = self.kept.borrow_mut();
        if kept.is_due()
            && let Err((key, control)) = kept.look(&mut this, most)
        {
            let failure = Failure::of_kept(key.as_deref(), &control, &function);
            return Err(Box::new(failure));
        }
        let returned = returned.map_err(|error| {
            if EvaluationStop::of(&error).is_some() {
                let message = "the shape's closure computed for more than 10 s";
                return Box::new(Failure::at_callable(message, &function));
            }
            match function.ended(*error) {
                Ended::Failure(failure) => failure,
                Ended::Control(_) => {
                    let message = "a shape's closure steers no user: it returns numbers";
                    Box::new(Failure::at_callable(message, &function))
                }
            }
        })?;
        self.read(&returned, division).map_err(|(message, hint)| {
            let message = match hint {
                Some(hint) => format!("{message} ({hint})"),
                None => message,
            };
            Box::new(Failure::at_callable(&message, &function))
        })
    }

    /// `[users, spawn_rate]`, `users`, or `()` to stop.
    fn read(&self, returned: &Dynamic, known: Option<Division>) -> Result<ShapeRequest, Problem> {
        if returned.is_unit() {
            return Ok(ShapeRequest::Stop);
        }
        let plain = |message: String| (message, None);
        let (users, rate) = match returned.read_lock::<Array>().as_deref().map(Vec::as_slice) {
            Some([users]) => (Users::read(users), None),
            Some([users, rate]) => (Users::read(users), Some(rate_of(rate).map_err(plain)?)),
            Some(_) => {
                let message = "it returned an array of another length".to_owned();
                let hint = "return `[users, spawn_rate]`, or `()` to stop".to_owned();
                return Err((message, Some(hint)));
            }
            None => (Users::read(returned), None),
        };
        let users = users.map_err(plain)?;
        let classes: Vec<_> = self.classes.iter().map(String::as_str).collect();
        let own = users.division(classes.len());
        let division = known.or(own).unwrap_or(Division::Mixed);
        let users = users.numbers(division, &classes)?;
        let stage = Stage {
            length: NEXT_CALL,
            users,
            rate,
        };
        Ok(ShapeRequest::Users(division, stage))
    }

    /// What it has printed since the last look.
    pub(crate) fn said(&self) -> Vec<Line> {
        let said = self.declarations.said.take().into_iter();
        said.map(|(level, place, text)| Line::of_top_level(level, place, text))
            .collect()
    }
}
