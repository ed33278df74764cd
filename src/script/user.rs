//! One user as its script sees it: client, data, random stream, and the verdict that is open.
//!
//! Owns what a script can reach of its user. When the user runs, waits and stops is decided in
//! `vu`, which moves an [`Instance`] into a coroutine and gets it back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext, Position};

use super::assembly::Class;
use super::call::Callable;
use super::client::Client;
use super::failure::{self, Control, Ended, Failure};
use super::program::Program;
use super::response::Answer;
use super::thread::Thread;
use crate::clock::Micros;
use crate::coroutine;
use crate::http::{Base, Session};
use crate::scenario::Random;
use crate::stats::{Outcome, Slots};

/// What natives know of the user that calls them.
pub struct User {
    pub(super) ordinal: u64,
    pub(super) class: Rc<Class>,
    pub(super) thread: Rc<Thread>,
    pub(super) session: Session,
    pub(super) base: RefCell<Option<Base>>,
    pub(super) random: RefCell<Random>,
    pub(super) iteration: Cell<u64>,
    /// How late the next request is by the user's own fault: only the first of an iteration.
    pub(super) late_us: Cell<u64>,
    pub(super) missed: Cell<Option<Missed>>,
    /// A control call that was made: it counts, whatever the script does with the error.
    ending: RefCell<Option<Control>>,
    /// The answer whose verdict is still open.
    open: RefCell<Option<Rc<Answer>>>,
}

/// Slots that a paced user missed before the iteration that runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The intended start of the first of them.
    pub first: Micros,
    /// The pace, in µs.
    pub period_us: u64,
    /// How many.
    pub count: u64,
}

/// Which of a class's functions to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `on_start`
    OnStart,
    /// `on_stop`
    OnStop,
    /// The closure of `wait_time`.
    Wait,
    /// A task, by its index.
    Task(usize),
}

impl User {
    /// The user that calls a native function.
    ///
    /// # Errors
    /// When no user does: the top level of the script, which only declares.
    pub(super) fn of(context: &NativeCallContext) -> Result<Rc<User>, Box<EvalAltResult>> {
        let user = context
            .tag()
            .and_then(|tag| Some(tag.read_lock::<Client>()?.user.clone()));
        user.ok_or_else(|| {
            let name = context.fn_name();
            format!("`{name}` works only inside a task: the top level declares, it does not do")
                .into()
        })
    }

    /// Closes the verdict that is open and records its sample. `by` is the place of the call
    /// that closed it.
    pub(super) fn settle(&self, by: Position) {
        let Some(answer) = self.open.take() else {
            return;
        };
        answer.close(by);
        answer.mask(&self.class.secrets);
        self.thread.record(|recorder| answer.record(recorder));
        if let Some(missed) = answer.missed {
            let ended = answer.ended_us;
            let first = self.thread.run_us(missed.first);
            self.thread.record(|recorder| {
                recorder.missed_slots(Slots {
                    series: answer.series,
                    outcome: answer.outcome(),
                    longest_us: ended.saturating_sub(first),
                    period_us: missed.period_us,
                    count: missed.count,
                });
            });
        }
    }

    /// Keeps the verdict of `answer` open.
    pub(super) fn keep_open(&self, answer: Rc<Answer>) {
        *self.open.borrow_mut() = Some(answer);
    }

    /// Ends what the user runs, by a control call; gives the error that unwinds the script.
    ///
    /// Rhai wraps it where `map` and its like call a closure, and what is wrapped `try` can
    /// catch: so from now on every operation of the script ends it again.
    pub(super) fn end(&self, control: Control) -> Box<EvalAltResult> {
        *self.ending.borrow_mut() = Some(control.clone());
        coroutine::leave();
        control.into()
    }

    /// `Shopper 17`
    pub(super) fn described(&self) -> String {
        format!("{} {}", self.class.name, self.ordinal)
    }
}

/// A user with everything it needs to run a function of its script. It is moved into the
/// coroutine that runs it and comes back with the result.
pub struct Instance {
    program: Rc<Program>,
    user: Rc<User>,
    this: Dynamic,
    tag: Dynamic,
}

impl Instance {
    /// The user `ordinal` (from 0, over the whole run) of a class.
    #[must_use]
    pub fn new(
        program: &Rc<Program>,
        class: &Rc<Class>,
        thread: &Rc<Thread>,
        ordinal: u64,
    ) -> Instance {
        let session = Session::new(&thread.clients[class.index]);
        let base = thread.bases[class.index].clone();
        let user = Rc::new(User {
            ordinal,
            class: class.clone(),
            thread: thread.clone(),
            session,
            base: RefCell::new(base),
            random: RefCell::new(thread.random(&class.name, ordinal)),
            iteration: Cell::new(0),
            late_us: Cell::new(0),
            missed: Cell::new(None),
            ending: RefCell::default(),
            open: RefCell::default(),
        });
        super::client::start_session(&user);
        let client = Client { user: user.clone() };
        let mut this: Map = class.state.clone();
        this.insert("client".into(), Dynamic::from(client.clone()));
        Instance {
            program: program.clone(),
            user,
            this: Dynamic::from_map(this),
            tag: Dynamic::from(client),
        }
    }

    /// Whether the class has that function.
    #[must_use]
    pub fn has(&self, function: Function) -> bool {
        self.user.class.callable(function).is_some()
    }

    /// Calls a function of the class; must run in a coroutine, for it may wait.
    ///
    /// At its end, however it ends, the open verdict is closed and its sample recorded; a mistake
    /// of the script fails that sample.
    ///
    /// # Errors
    /// How it ended if it did not return.
    pub fn call(&mut self, function: Function) -> Result<Dynamic, Ended> {
        let user = self.user.clone();
        let class = &user.class;
        let Some(callable) = class.callable(function) else {
            return Ok(Dynamic::UNIT);
        };
        let engine = &self.program.engine;
        let result = class
            .states
            .call(engine, callable, &mut self.tag, &mut self.this);
        let result = self.concluded(callable, result);
        if let Err(Ended::Failure(failure)) = &result
            && let Some(open) = &*user.open.borrow()
            && open.outcome() == Outcome::Success
        {
            // What failed already keeps its reason: it is usually why the script threw.
            open.fail(format!("script error: {}", failure.message));
        }
        user.settle(Position::NONE);
        result
    }

    /// How a call really ended.
    fn concluded(
        &mut self,
        callable: &Callable,
        result: Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Dynamic, Ended> {
        let user = &self.user;
        let mut result =
            result.map_err(|error| failure::ended(*error, &callable.file, callable.begins));
        if let Some(control) = user.ending.take() {
            result = Err(Ended::Control(control));
        } else if coroutine::is_leaving() {
            result = Err(Ended::Control(Control::Cancelled));
        }
        if !self.has_client() {
            self.give_client();
            if !matches!(result, Err(Ended::Control(_))) {
                let message = "`this.client` was taken away: `this` may not be cleared or replaced";
                result = Err(Ended::Failure(Box::new(Failure::at_callable(
                    message, callable,
                ))));
            }
        }
        if let Err(Ended::Failure(failure)) = &mut result {
            let secrets = &self.user.class.secrets;
            failure.message = secrets.mask(std::mem::take(&mut failure.message));
        }
        result
    }

    fn has_client(&self) -> bool {
        let this = self.this.read_lock::<Map>();
        let client = this.as_ref().and_then(|this| this.get("client"));
        let client = client.and_then(|client| client.read_lock::<Client>());
        client.is_some_and(|client| Rc::ptr_eq(&client.user, &self.user))
    }

    /// Gives back what the script took away.
    fn give_client(&mut self) {
        let client = Client {
            user: self.user.clone(),
        };
        if let Some(mut this) = self.this.write_lock::<Map>() {
            this.insert("client".into(), Dynamic::from(client));
            return;
        }
        let mut this = self.user.class.state.clone();
        this.insert("client".into(), Dynamic::from(client));
        self.this = Dynamic::from_map(this);
    }

    /// What the script may reach of this user.
    #[must_use]
    pub fn user(&self) -> &Rc<User> {
        &self.user
    }
}

impl User {
    /// Begins an iteration: its number, and how late its first request is by the user's own
    /// fault, in µs.
    pub fn begin_iteration(&self, late_us: u64, missed: Option<Missed>) {
        self.iteration.set(self.iteration.get() + 1);
        self.late_us.set(late_us);
        self.missed.set(missed);
    }

    /// Draws from the user's random stream.
    pub fn draw<R>(&self, draw: impl FnOnce(&mut Random) -> R) -> R {
        draw(&mut self.random.borrow_mut())
    }

    /// The user's HTTP session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Counts a mistake of the script under Exceptions.
    pub fn exception(&self, failure: &Failure) {
        self.thread
            .record(|recorder| recorder.exception(&failure.message, &failure.location()));
    }
}
