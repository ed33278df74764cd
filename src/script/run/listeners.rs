//! Listeners of `request` and `user_error`: they run where it happened, on the user's own stack.
//!
//! Owns what they are given and what they may not do: they cannot wait, for the user is in the
//! middle of something else. A script without them pays nothing.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Map};

use super::call::Callable;
use super::failure::{Ended, Failure};
use super::log::Level;
use super::user::User;
use crate::coroutine;
use crate::scenario::Event;
use crate::script::load::assembly::Assembly;
use crate::script::load::declare::Declarations;

/// The listeners that run on load threads, in the order in which they were declared.
pub(crate) struct Listeners(Vec<(Event, Callable)>);

impl Listeners {
    /// `None` if the script has none.
    pub(crate) fn new(assembly: &mut Assembly<'_>, declared: &Declarations) -> Option<Listeners> {
        let mut all = Vec::new();
        for (event, function) in declared.listeners.borrow().iter() {
            if event.is_of_users() {
                let what = format!("the listener of `{}`", event.name());
                let callable = assembly.taking(&what, function.clone(), 1);
                all.extend(callable.map(|callable| (*event, callable)));
            }
        }
        (!all.is_empty()).then_some(Listeners(all))
    }

    /// Whether there is one for this event.
    fn hears(&self, event: Event) -> bool {
        self.0.iter().any(|(known, _)| *known == event)
    }
}

/// A request of this user has ended, and its verdict is closed; or its script has recorded one.
/// `described` builds the listeners' argument.
pub(crate) fn request(user: &Rc<User>, described: impl FnOnce() -> Map) {
    tell(user, Event::Request, described);
}

/// A function of this user has failed.
pub(crate) fn user_error(user: &Rc<User>, failure: &Failure) {
    tell(user, Event::UserError, || {
        let mut map = Map::new();
        map.insert("message".into(), failure.message.clone().into());
        map.insert("location".into(), failure.location().into());
        map.insert("class".into(), user.class.name.clone().into());
        let stack = failure.functions();
        let stack = stack.map(|function| Dynamic::from(function.to_owned()));
        map.insert("stack".into(), Dynamic::from_array(stack.collect()));
        map
    });
}

/// Calls the listeners of an event, whatever becomes of one. Hearing what a listener itself
/// records would have no end: while one runs, nothing is heard.
fn tell(user: &Rc<User>, event: Event, map: impl FnOnce() -> Map) {
    let program = &user.generation.program;
    let Some(listeners) = program.listeners.as_ref() else {
        return;
    };
    if user.is_listening.get() || !listeners.hears(event) {
        return;
    }
    let map = Dynamic::from_map(map());
    user.is_listening.set(true);
    for (_, listener) in listeners.0.iter().filter(|(known, _)| *known == event) {
        let arguments = vec![map.clone(); listener.parameters.len()];
        let mut tag = Dynamic::from(user.clone());
        let mut this = Dynamic::UNIT;
        let states = &user.class.states;
        let result = coroutine::without_waiting(|| {
            states.call(&program.engine, listener, arguments, &mut tag, &mut this)
        });
        let ended = result.map_err(|error| listener.ended(*error));
        // A control call is kept by the user, and ends what it runs.
        if let Err(Ended::Failure(mut failure)) = ended {
            failure.message = user.class.secrets.mask(failure.message);
            let text = format!(
                "a listener of `{}` failed: {}",
                event.name(),
                failure.message
            );
            let log = &user.thread.log;
            log.print(Level::Error, user.described(), failure.location(), text);
            user.exception(&failure);
        }
    }
    user.is_listening.set(false);
}

/// Why something that waits cannot be called here.
pub(crate) fn cannot_wait(what: &str) -> Box<EvalAltResult> {
    if coroutine::running().is_some() {
        format!(
            "{what} would wait, and a listener of `request` or `user_error` may not: it can add \
             to a `counter` or a `metric`"
        )
        .into()
    } else {
        format!("{what} works only where a user may wait: in a task or a hook").into()
    }
}
