//! The script's functions that run once, on the control thread: `setup`, `teardown`, listeners.
//!
//! Owns the pseudo-user that calls them: it has a client whose requests are not recorded, and no
//! tasks. The runner decides what is called when, and for how long.

use std::rc::Rc;

use rhai::{Dynamic, Map};

use super::call::Callable;
use super::failure::{Control, Ended, Failure};
use super::log::Level;
use super::thread::Thread;
use super::user::Instance;
use crate::data::Value;
use crate::scenario::Event;
use crate::script::api::channel::Client;
use crate::script::load::assembly::{Assembly, Class};
use crate::script::load::class::ClassDeclaration;
use crate::script::load::declare::Declarations;
use crate::script::plain::{dynamic, plain};

/// The functions of one script that run on control.
pub(crate) struct ControlFunctions {
    /// The pseudo-user's class.
    class: Rc<Class>,
    setup: Option<Callable>,
    teardown: Option<Callable>,
    /// In the order in which they were declared.
    listeners: Vec<(Event, Callable)>,
}

impl ControlFunctions {
    /// Makes what was declared callable; `like` is the class whose way of speaking HTTP the
    /// pseudo-user has.
    pub(crate) fn new(
        assembly: &mut Assembly<'_>,
        declared: &Declarations,
        like: Option<&ClassDeclaration>,
    ) -> Option<ControlFunctions> {
        let mut class = like?.clone();
        class.plan.name = "control".to_owned();
        class.plan.tasks.clear();
        class.plan.sets.clear();
        class.functions.clear();
        class.methods.clear();
        class.headers.clear();
        class.state.clear();
        class.auth = None;
        (class.on_start, class.on_stop) = (None, None);
        (class.on_reload, class.wait) = (None, None);
        let setup = declared.setup.take();
        let teardown = declared.teardown.take();
        let setup = setup.and_then(|function| assembly.taking("`setup`", function, 1));
        let teardown = teardown.and_then(|function| assembly.taking("`teardown`", function, 2));
        let mut listeners = Vec::new();
        for (event, function) in declared.listeners.borrow().iter() {
            if event.is_of_users() {
                continue;
            }
            let what = format!("the listener of `{}`", event.name());
            listeners.extend(
                assembly
                    .taking(&what, function.clone(), 1)
                    .map(|callable| (*event, callable)),
            );
        }
        Some(ControlFunctions {
            class: Rc::new(assembly.class(0, class)),
            setup,
            teardown,
            listeners,
        })
    }
}

/// What control may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `setup`
    Setup,
    /// `teardown`
    Teardown,
    /// All listeners of an event.
    Listeners(Event),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It returned; listeners return nothing.
    Done(Value),
    /// It failed. Outside of `setup` that has been logged and counted.
    Failed(Box<Failure>),
    /// It called `stop_test("why")`.
    StopTest(String),
    /// It was cancelled.
    Cancelled,
}

/// The pseudo-user of the control thread. It is moved into the coroutine that a call runs in and
/// comes back with the result.
pub struct ControlUser {
    instance: Instance,
}

impl ControlUser {
    /// The one of the generation in service; `None` if its script has nothing that runs on
    /// control. It speaks HTTP as users of the first class do.
    #[must_use]
    pub fn new(thread: &Rc<Thread>) -> Option<ControlUser> {
        let generation = thread.generation();
        let class = &generation.program.control.as_ref()?.class;
        Some(ControlUser {
            instance: Instance::new(class, thread, 0),
        })
    }

    /// Makes a call. Must run in a coroutine, because it may wait. Listeners are told these facts
    /// besides what all are told.
    pub fn call(&mut self, call: Call, users: u32, facts: &[(&'static str, Value)]) -> Outcome {
        let program = self.instance.user().generation.program.clone();
        let Some(functions) = &program.control else {
            return Outcome::Done(Value::Unit);
        };
        match call {
            Call::Setup => self.setup(functions),
            Call::Teardown => self.teardown(functions),
            Call::Listeners(event) => self.listeners(functions, event, users, facts),
        }
    }

    fn setup(&mut self, functions: &ControlFunctions) -> Outcome {
        let Some(setup) = &functions.setup else {
            return Outcome::Done(Value::Unit);
        };
        let arguments = self.arguments(setup, &[]);
        let result = self.instance.run(setup, arguments).and_then(|value| {
            plain(&value).map_err(|wrong| {
                let message = format!("what it returns {wrong}");
                Ended::Failure(Box::new(Failure::at_callable(&message, setup)))
            })
        });
        match result {
            Ok(value) => Outcome::Done(value),
            Err(ended) => ended_of(setup, ended),
        }
    }

    fn teardown(&mut self, functions: &ControlFunctions) -> Outcome {
        let Some(teardown) = &functions.teardown else {
            return Outcome::Done(Value::Unit);
        };
        let shared = &self.instance.user().thread.parts.shared;
        let made = shared.setup_result().map_or(Dynamic::UNIT, dynamic);
        let arguments = self.arguments(teardown, &[made]);
        match self.instance.run(teardown, arguments) {
            Ok(_) => Outcome::Done(Value::Unit),
            Err(ended) => {
                let outcome = ended_of(teardown, ended);
                self.tell("`teardown`", &outcome);
                outcome
            }
        }
    }

    /// Calls all of them, in order, even if one fails.
    fn listeners(
        &mut self,
        functions: &ControlFunctions,
        event: Event,
        users: u32,
        facts: &[(&'static str, Value)],
    ) -> Outcome {
        let mut all: Vec<_> = functions.listeners.iter().collect();
        if event == Event::Quitting {
            // As in Locust, in reverse order.
            all.reverse();
        }
        let mut worst = Outcome::Done(Value::Unit);
        for (_, listener) in all.into_iter().filter(|(known, _)| *known == event) {
            let mut map = Map::new();
            map.insert("event".into(), event.name().into());
            map.insert("user_count".into(), i64::from(users).into());
            for (name, fact) in facts {
                map.insert((*name).into(), dynamic(fact));
            }
            let arguments = match listener.parameters.len() {
                0 => Vec::new(),
                _ => vec![map.into()],
            };
            let Err(ended) = self.instance.run(listener, arguments) else {
                continue;
            };
            let outcome = ended_of(listener, ended);
            self.tell(&format!("a listener of `{}`", event.name()), &outcome);
            match outcome {
                Outcome::Cancelled => return outcome,
                Outcome::StopTest(_) => worst = outcome,
                _ => {}
            }
        }
        worst
    }

    /// The client, and what more there is, as far as the function takes them.
    fn arguments(&self, function: &Callable, more: &[Dynamic]) -> Vec<Dynamic> {
        let client = Client::of(self.instance.user());
        let mut all = vec![Dynamic::from(client)];
        all.extend_from_slice(more);
        all.truncate(function.parameters.len());
        all
    }

    /// Says what failed, and counts it under Exceptions.
    fn tell(&self, what: &str, outcome: &Outcome) {
        if let Outcome::Failed(failure) = outcome {
            let user = self.instance.user();
            let text = format!("{what} failed: {}", failure.message);
            user.thread
                .log
                .print(Level::Error, String::new(), failure.location(), text);
            user.exception(failure);
        }
    }
}

/// What the end of a call means where there is no user.
fn ended_of(function: &Callable, ended: Ended) -> Outcome {
    let failure = match ended {
        Ended::Control(Control::Cancelled) => return Outcome::Cancelled,
        Ended::Control(Control::StopTest(why)) => return Outcome::StopTest(why),
        Ended::Control(Control::Unexpected) => {
            Failure::at_callable("an `expect` did not hold", function)
        }
        Ended::Control(_) => Failure::at_callable(
            "it called what only a user can do: `stop_user` and `reschedule` are for tasks",
            function,
        ),
        Ended::Failure(failure) => *failure,
    };
    Outcome::Failed(Box::new(failure))
}
