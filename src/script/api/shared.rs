//! What scripts share over all users and threads: `queue`, `once`, `wait_for`.
//!
//! Owns the script's side: names, waiting, and values as plain data. The layer `shared` keeps the
//! state. Every call here may suspend its user, so each closes the open verdict, as `sleep` does.

use std::cell::OnceCell;
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, NativeCallContext};

use crate::coroutine::{self, NotAwaited};
use crate::scenario::Event;
use crate::script::api::channel::Client;
use crate::script::load::methods::register_on_user;
use crate::script::plain::{dynamic, plain};
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::listeners::cannot_wait;
use crate::script::run::user::User;
use crate::script::run::verdict;
use crate::shared::{Maker, Milestone, NAMES, NamedQueue, TooManyNames, Turn};

/// The result of `queue(name)`: only a name until it is used, because the top level has no run yet.
#[derive(Clone)]
struct QueueHandle {
    name: ImmutableString,
    queue: Rc<OnceCell<NamedQueue>>,
}

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<QueueHandle>("queue")
        .register_fn("queue", |name: ImmutableString| QueueHandle {
            name,
            queue: Rc::default(),
        })
        .register_fn("put", put)
        .register_fn("take", take)
        .register_fn("try_take", try_take)
        .register_fn("len", length)
        .register_fn(
            "once",
            |context: NativeCallContext, name: &str, make: FnPtr| once(&context, None, name, &make),
        )
        .register_fn("wait_for", wait_for);
    let parameters = ["name: &str", "make: Fn"];
    register_on_user(engine, "once", parameters, |context, this, name, make| {
        once(context, Some(this), name, make)
    });
}

impl QueueHandle {
    /// The queue itself, and the user that asks for it.
    fn of(&self, context: &NativeCallContext) -> Result<(Rc<User>, NamedQueue)> {
        let user = User::of(context)?;
        let begun = || user.thread.parts.shared.state().queue(&self.name);
        let queue = self.queue.get_or_init(begun).clone();
        Ok((user, queue))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn put(context: NativeCallContext, queue: &mut QueueHandle, value: Dynamic) -> Result<()> {
    let name = queue.name.clone();
    let (user, queue) = queue.of(&context)?;
    let value = plain(&value).map_err(|wrong| format!("what is put into a queue {wrong}"))?;
    user.thread
        .parts
        .shared
        .state()
        .fits(&name, &value)
        .map_err(|wrong| format!("what is put into a queue {wrong}"))?;
    asked(&context, &user, queue.put(value))
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn take(context: NativeCallContext, queue: &mut QueueHandle) -> Result<Dynamic> {
    let (user, queue) = queue.of(&context)?;
    Ok(dynamic(&asked(&context, &user, queue.take())?))
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn try_take(context: NativeCallContext, queue: &mut QueueHandle) -> Result<Dynamic> {
    let (user, queue) = queue.of(&context)?;
    let value = asked(&context, &user, queue.try_take())?;
    Ok(value.as_ref().map_or(Dynamic::UNIT, dynamic))
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn length(context: NativeCallContext, queue: &mut QueueHandle) -> Result<i64> {
    let (user, queue) = queue.of(&context)?;
    let length = asked(&context, &user, queue.length())?;
    Ok(i64::try_from(length).unwrap_or(i64::MAX))
}

/// `make` is given the user's client if it takes an argument, and `this` if it was called so.
fn once(
    context: &NativeCallContext,
    this: Option<&mut Dynamic>,
    name: &str,
    make: &FnPtr,
) -> Result<Dynamic> {
    let user = User::of(context)?;
    if user.making.borrow().iter().any(|made| **made == *name) {
        let message = format!("`once(\"{name}\", …)` inside itself would wait for ever");
        return Err(message.into());
    }
    let state = user.thread.parts.shared.state();
    let turn = waited(context, &user, state.once(name))?;
    let maker: Maker = match turn.map_err(|TooManyNames| too_many("names of `once`"))? {
        Turn::Made(value) => return Ok(dynamic(&value)),
        Turn::Make(maker) => maker,
    };
    user.making.borrow_mut().push(name.into());
    let _guard = OnceGuard(&user);
    let client = Client::of(&user);
    let arguments = if takes_one(context, make) {
        vec![Dynamic::from(client)]
    } else {
        Vec::new()
    };
    // An error drops the turn, which passes to the next one that waits.
    let made = make.call_raw(context, this, arguments)?;
    let made = plain(&made).map_err(|wrong| format!("what `once` keeps for all users {wrong}"))?;
    state
        .fits(name, &made)
        .map_err(|wrong| format!("what `once` keeps for all users {wrong}"))?;
    match maker.made(&made) {
        None => Ok(dynamic(&made)),
        Some(kept) => Ok(dynamic(&waited(context, &user, kept)?)),
    }
}

/// A user makes the last of those values for as long as this lives.
struct OnceGuard<'a>(&'a User);

impl Drop for OnceGuard<'_> {
    fn drop(&mut self) {
        self.0.making.borrow_mut().pop();
    }
}

/// Whether a closure has one parameter besides what it captured.
fn takes_one(context: &NativeCallContext, closure: &FnPtr) -> bool {
    let parameters = closure.curry().len() + 1;
    let known = |name: &str| {
        let mut modules = context.iter_namespaces();
        modules.any(|module| module.get_script_fn(name, parameters).is_some())
    };
    known(closure.fn_name())
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn wait_for(context: NativeCallContext, event: &str) -> Result<()> {
    let user = User::of(&context)?;
    let known = Event::SpawningComplete.name();
    if event != known {
        return Err(format!(
            "`wait_for` waits for `{known}` only, not for `{event}`: users run after \
             all that is before it, and are stopped at what comes after"
        )
        .into());
    }
    let state = user.thread.parts.shared.state();
    waited(&context, &user, state.wait_for(Milestone::SpawningComplete))
}

/// Waits for what is shared, as a user may.
fn waited<F: Future>(context: &NativeCallContext, user: &Rc<User>, asked: F) -> Result<F::Output> {
    verdict::settle(user, context.call_position());
    coroutine::await_in(asked).map_err(|not| match not {
        NotAwaited::Cancelled => Control::Cancelled.into(),
        NotAwaited::Outside => cannot_wait(&format!("`{}`", context.fn_name())),
    })
}

/// Waits for a queue's reply, which is an error if there are too many queues.
fn asked<T>(
    context: &NativeCallContext,
    user: &Rc<User>,
    asked: impl Future<Output = Result<T, TooManyNames>>,
) -> Result<T> {
    waited(context, user, asked)?.map_err(|TooManyNames| too_many("queues"))
}

fn too_many(what: &str) -> Box<EvalAltResult> {
    format!("there are {NAMES} {what} already: a name with an id in it makes one for each id")
        .into()
}
