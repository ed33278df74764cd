//! Closures that a user kept in its state across an edit of the script.
//!
//! Rhai finds a closure by a name derived from its place in the text; in the edited script that
//! name may be gone or belong to another closure. So a kept closure is called in the generation
//! that made it, while that is the previous one. After another edit, calling it is an error that
//! names the key.

use std::rc::Rc;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, ImmutableString, Map, NativeCallContext};

use super::failure::OLD_CLOSURE;
use super::generation::Generation;
use super::user::User;
use crate::script::api::client;
use crate::script::load::assembly::Class;

/// How deep to follow values; only a closure that captures itself goes deeper.
const DEEPEST: usize = 48;

/// A closure of an older generation. It is the first curried argument of the pointer that replaces
/// it, where a call and the next renewal find it.
#[derive(Clone)]
struct StaleClosure {
    key: ImmutableString,
    /// `None` once the script has been edited again.
    kept: Option<Rc<Kept>>,
}

struct Kept {
    generation: Rc<Generation>,
    class: Rc<Class>,
    closure: FnPtr,
}

/// A user's move from one generation to another, as far as its state is concerned.
pub(crate) struct Migration<'a> {
    pub(crate) from: &'a Rc<User>,
    pub(crate) to: &'a Rc<User>,
}

impl Migration<'_> {
    /// Carries over a value of the user's state: closures stay with their generation, clients move
    /// with the user.
    pub(crate) fn carry_over(&self, key: &ImmutableString, value: &mut Dynamic) {
        self.within(key, value, DEEPEST);
    }

    fn within(&self, key: &ImmutableString, value: &mut Dynamic, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        if let Some(mut closure) = value.write_lock::<FnPtr>() {
            self.closure(key, &mut closure, depth);
        } else if let Some(mut array) = value.write_lock::<Array>() {
            for value in array.iter_mut() {
                self.within(key, value, depth);
            }
        } else if let Some(mut map) = value.write_lock::<Map>() {
            for value in map.values_mut() {
                self.within(key, value, depth);
            }
        } else {
            client::carry_over(value, self.from, self.to);
        }
    }

    fn closure(&self, key: &ImmutableString, closure: &mut FnPtr, depth: usize) {
        if let Some(first) = closure.iter_curry_mut().next()
            && let Some(mut stale) = first.write_lock::<StaleClosure>()
        {
            // Captured by several closures and so reached again: it was wrapped just now.
            let of = stale.kept.as_ref().map(|kept| &kept.generation);
            if !of.is_some_and(|of| Rc::ptr_eq(of, &self.from.generation)) {
                stale.kept = None;
            }
            return;
        }
        for captured in closure.iter_curry_mut() {
            self.within(key, captured, depth);
        }
        // A named function resolves to the edited script's function of that name.
        if !closure.is_anonymous() {
            return;
        }
        let stale = StaleClosure {
            key: key.clone(),
            kept: Some(Rc::new(Kept {
                generation: self.from.generation.clone(),
                class: self.from.class.clone(),
                closure: closure.clone(),
            })),
        };
        #[expect(
            deprecated,
            reason = "Rhai's mark for a volatile function; the version is pinned"
        )]
        let pointer = FnPtr::from_fn(OLD_CLOSURE, call);
        if let Ok(mut pointer) = pointer {
            pointer.add_curry(Dynamic::from(stale));
            *closure = pointer;
        }
    }
}

/// Calls a stale closure. It may be preceded by the value for `this`, and is followed by the
/// arguments.
#[expect(clippy::needless_pass_by_value, reason = "Rhai passes a context")]
fn call(
    context: NativeCallContext,
    arguments: &mut [&mut Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let place = arguments
        .iter()
        .position(|value| value.is::<StaleClosure>());
    let (before, after) = arguments.split_at_mut(place.ok_or("a closure was lost")?);
    let stale = after[0].clone().cast::<StaleClosure>();
    let Some(kept) = stale.kept else {
        let key = stale.key;
        return Err(format!(
            "`this.{key}` holds a closure of a script that was replaced more than once: make it \
             anew, `on_reload` is the place for it"
        )
        .into());
    };
    let arguments: Vec<_> = after[1..].iter_mut().map(|value| value.take()).collect();
    let user = User::of(&context)?;
    let engine = &kept.generation.program.engine;
    let this = before.first_mut().map(|this| &mut **this);
    let states = &kept.class.states;
    let result = states.call_closure(engine, &kept.closure, arguments, Dynamic::from(user), this);
    result.map_err(|error| match *error {
        // `map` and its like then try other arguments, if the name is that of what they called.
        EvalAltResult::ErrorFunctionNotFound(called, position)
            if called.starts_with(kept.closure.fn_name()) =>
        {
            EvalAltResult::ErrorFunctionNotFound(OLD_CLOSURE.to_owned(), position).into()
        }
        _ => error,
    })
}
