//! One user as its script sees it: client, data, random stream and open verdicts.
//!
//! Owns what a script can reach of its user. `vu` decides when the user runs, waits and stops; it
//! moves an [`Instance`] into a coroutine and gets it back.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Context;

use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext, Position};

use super::call::Callable;
use super::extent::{self, KeptGauge};
use super::failure::{Control, Ended, Failure};
use super::generation::{Generation, Membership};
use super::listeners;
use super::observer::Event;
use super::thread::Thread;
use super::verdict::{self, Open};
use crate::clock::{self, Micros};
use crate::coroutine::{self, Label};
use crate::http::Session;
use crate::scenario::{Function, Random};
use crate::script::api::channel::{Channel, Client};
use crate::script::api::request_record::RequestRecord;
use crate::script::load::assembly::Class;

/// What native functions know of the user that calls them.
pub struct User {
    pub(crate) ordinal: u64,
    pub(crate) class: Rc<Class>,
    /// The version of the script that it runs.
    pub(crate) generation: Rc<Generation>,
    pub(crate) thread: Rc<Thread>,
    /// Its session with its host.
    pub(crate) channel: Rc<Channel>,
    /// Those of its other clients (`http_client`).
    pub(crate) channels: RefCell<Vec<Weak<Channel>>>,
    pub(crate) random: RefCell<Random>,
    pub(crate) iteration: Cell<u64>,
    /// The user's own lateness, for the next request: only the first of an iteration has any.
    pub(crate) late_us: Cell<u64>,
    pub(crate) missed: Cell<Option<Missed>>,
    /// The generator's lag at the start of the iteration, reported with its first request.
    pub(crate) lag_us: Cell<u64>,
    /// Whether `interrupt` has a set to leave.
    pub(crate) in_set: Cell<bool>,
    /// The control call that was made: it takes effect even if the script catches the error.
    pub(crate) ending: RefCell<Option<Control>>,
    /// Requests whose verdicts are still open.
    pub(crate) open: RefCell<Open>,
    /// Requests with a streamed body.
    pub(crate) streams: RefCell<Vec<Weak<RequestRecord>>>,
    /// How many of its samples have failed; a group compares it before and after.
    pub(crate) failed: Cell<u64>,
    /// Whether the script has listeners for what its users do.
    pub(crate) is_listened: bool,
    /// Whether the return value of the running function is dropped.
    pub(crate) drops_value: Cell<bool>,
    /// Whether a listener is running.
    pub(crate) is_listening: Cell<bool>,
    /// The values of `once` that it is making: waiting for one of them would never end.
    pub(crate) making: RefCell<Vec<Box<str>>>,
}

/// Slots that a paced user missed before the current iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The intended start of the first of them.
    pub first: Micros,
    /// The pace, in µs.
    pub period_us: u64,
    /// How many.
    pub count: u64,
}

impl User {
    /// The user that calls a native function.
    ///
    /// # Errors
    /// When there is none: the call is at the script's top level, which only declares.
    pub(crate) fn of(context: &NativeCallContext) -> Result<Rc<User>, Box<EvalAltResult>> {
        let user = context
            .tag()
            .and_then(|tag| Some(tag.read_lock::<Rc<User>>()?.clone()));
        user.ok_or_else(|| {
            let name = context.fn_name();
            format!("`{name}` works only inside a task: the top level declares, it does not do")
                .into()
        })
    }

    /// Notes a request with a streamed body.
    pub(crate) fn keep_stream(&self, answer: &Rc<RequestRecord>) {
        let mut streams = self.streams.borrow_mut();
        streams.retain(|other| other.strong_count() > 0);
        streams.push(Rc::downgrade(answer));
    }

    /// Abandons what is left of streamed bodies at the end of the task that requested them;
    /// otherwise a response kept in `this` would hold its connection.
    fn end_streams(&self) {
        for answer in self.streams.borrow_mut().drain(..) {
            if let Some(answer) = answer.upgrade()
                && let Some(streaming) = &answer.streaming
            {
                streaming.abandon();
            }
        }
    }

    /// Whether a control call has ended the running function.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.borrow().is_some()
    }

    /// Ends the running function by a control call; returns the error that unwinds the script.
    ///
    /// Rhai wraps the error where `map` and the like call a closure, and `try` can catch a wrapped
    /// one; so from now on every operation of the script raises it again.
    pub(crate) fn end(&self, control: Control) -> Box<EvalAltResult> {
        *self.ending.borrow_mut() = Some(control.clone());
        coroutine::leave();
        control.into()
    }

    /// `Shopper 17`
    pub(crate) fn described(&self) -> String {
        format!("{} {}", self.class.name, self.ordinal)
    }
}

/// A user with everything it needs to run a function of its script. It moves into the coroutine
/// that runs the function, and comes back with the result.
pub struct Instance {
    pub(crate) user: Rc<User>,
    pub(crate) this: Dynamic,
    pub(crate) tag: Dynamic,
    pub(crate) membership: Membership,
    pub(crate) kept: KeptGauge,
}

impl Instance {
    /// The user `ordinal` (from 0, over the whole run) of a class, in the generation in service on
    /// the thread.
    #[must_use]
    pub fn new(class: &Rc<Class>, thread: &Rc<Thread>, ordinal: u64) -> Instance {
        Instance::respawned(class, thread, ordinal, 0)
    }

    /// Like [`Instance::new`], for an ordinal that earlier users have had. Each `incarnation` draws
    /// its own random numbers.
    #[must_use]
    pub fn respawned(
        class: &Rc<Class>,
        thread: &Rc<Thread>,
        ordinal: u64,
        incarnation: u32,
    ) -> Instance {
        let generation = thread.generation();
        let stream = ordinal ^ (u64::from(incarnation) << u32::BITS);
        let way = &generation.ways[class.index];
        let channel = Channel::new(
            Session::new(&way.client),
            way.destination.clone(),
            &class.headers,
            class.auth.as_ref(),
        );
        let membership = Membership::new(&generation, thread);
        let user = Rc::new(User {
            ordinal,
            class: class.clone(),
            thread: thread.clone(),
            channel,
            channels: RefCell::default(),
            random: RefCell::new(thread.random(&class.name, stream)),
            iteration: Cell::new(0),
            late_us: Cell::new(0),
            missed: Cell::new(None),
            lag_us: Cell::new(0),
            in_set: Cell::new(false),
            ending: RefCell::default(),
            open: RefCell::default(),
            streams: RefCell::default(),
            failed: Cell::new(0),
            is_listened: generation.program.listeners.is_some()
                && thread.parts.outbox.counts_requests,
            generation,
            drops_value: Cell::new(false),
            is_listening: Cell::new(false),
            making: RefCell::default(),
        });
        let mut this: Map = class.state.clone();
        this.insert("client".into(), Dynamic::from(Client::of(&user)));
        Instance {
            tag: Dynamic::from(user.clone()),
            user,
            this: Dynamic::from_map(this),
            membership,
            kept: KeptGauge::default(),
        }
    }

    /// Identifies a call of that function, should it crash the thread.
    #[must_use]
    pub fn label(&self, function: Function) -> Label {
        Label {
            owner: self.user.ordinal,
            kind: u32::try_from(self.user.class.index).unwrap_or(u32::MAX),
            work: function.code(),
        }
    }

    /// Whether the class has that function.
    #[must_use]
    pub fn has(&self, function: Function) -> bool {
        self.user.class.callable(function).is_some()
    }

    /// Calls a function of the class. Must run in a coroutine, because the function may wait.
    ///
    /// However it ends, the open verdict is then closed and its sample recorded; an error in the
    /// script makes that sample a failure.
    ///
    /// # Errors
    /// How it ended, if it did not return.
    pub fn call(&mut self, function: Function) -> Result<Dynamic, Ended> {
        let class = self.user.class.clone();
        match class.callable(function) {
            Some(callable) => {
                // A wait returns its length.
                self.user.drops_value.set(function != Function::Wait);
                let result = self.run(callable, Vec::new());
                self.user.drops_value.set(false);
                self.heard(result)
            }
            None => Ok(Dynamic::UNIT),
        }
    }

    /// Calls the listeners for a failure; a control call that one of them makes replaces it.
    fn heard(&self, result: Result<Dynamic, Ended>) -> Result<Dynamic, Ended> {
        if !self.user.is_listened {
            return result;
        }
        if let Err(Ended::Failure(failure)) = &result {
            listeners::user_error(&self.user, failure);
        }
        match self.user.ending.take() {
            Some(control) => Err(Ended::Control(control)),
            None => result,
        }
    }

    /// Like [`Instance::call`], for a function with arguments.
    pub(crate) fn run(
        &mut self,
        callable: &Callable,
        arguments: Vec<Dynamic>,
    ) -> Result<Dynamic, Ended> {
        let user = self.user.clone();
        if let Some(tracer) = &user.thread.tracer {
            tracer.tell(Event::Begins {
                who: tracer.mask(user.described()),
                what: tracer.mask(callable.what.clone()),
            });
        }
        let engine = &user.generation.program.engine;
        let states = &user.class.states;
        let result = coroutine::caught(|| {
            states.call(engine, callable, arguments, &mut self.tag, &mut self.this)
        });
        let result = result.unwrap_or_else(|panic| {
            // The tag was lost with the state of the call.
            self.tag = Dynamic::from(user.clone());
            Err(format!("a bug of Katydid, please report it: {panic}").into())
        });
        let mut result = self.concluded(callable, result);
        if self.kept.is_due() {
            result = self.hold_kept(callable, result);
        }
        // Unit, which most calls return, and handles such as responses cannot be deep.
        if matches!(&result, Ok(value) if !value.is_unit() && !value.is_variant()) {
            result = extent::hold_returned(callable, result);
        }
        if let Err(Ended::Failure(failure)) = &result {
            verdict::fail_last(&user, &failure.message);
        }
        verdict::settle(&user, Position::NONE);
        user.end_streams();
        result
    }

    /// How a call really ended.
    fn concluded(
        &mut self,
        callable: &Callable,
        result: Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Dynamic, Ended> {
        let user = &self.user;
        let mut result = result.map_err(|error| callable.ended(*error));
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

    /// Checks what calls have left in `this` against the user's memory limit.
    #[inline(never)]
    fn hold_kept(
        &mut self,
        callable: &Callable,
        result: Result<Dynamic, Ended>,
    ) -> Result<Dynamic, Ended> {
        let most = self.user.generation.program.user_bytes;
        match self.kept.look(&mut self.this, most) {
            Err((key, control)) if !matches!(result, Err(Ended::Control(_))) => {
                let failure = Failure::of_kept(key.as_deref(), &control, callable);
                Err(Ended::Failure(Box::new(failure)))
            }
            _ => result,
        }
    }

    fn has_client(&self) -> bool {
        let this = self.this.read_lock::<Map>();
        let client = this.as_ref().and_then(|this| this.get("client"));
        let client = client.and_then(|client| client.read_lock::<Client>());
        client.is_some_and(|client| Rc::ptr_eq(&client.channel, &self.user.channel))
    }

    /// Restores `this.client` after the script has removed it.
    fn give_client(&mut self) {
        let client = Client::of(&self.user);
        if let Some(mut this) = self.this.write_lock::<Map>() {
            this.insert("client".into(), Dynamic::from(client));
            return;
        }
        let mut this = self.user.class.state.clone();
        this.insert("client".into(), Dynamic::from(client));
        self.this = Dynamic::from_map(this);
    }

    /// The user itself.
    #[must_use]
    pub fn user(&self) -> &Rc<User> {
        &self.user
    }
}

impl User {
    /// Begins an iteration. `late_us`: the user's own lateness, for its first request.
    pub fn begin_iteration(&self, late_us: u64, missed: Option<Missed>) {
        self.iteration.set(self.iteration.get() + 1);
        self.late_us.set(late_us);
        self.missed.set(missed);
        if let Some(tracer) = &self.thread.tracer {
            tracer.tell(Event::IterationBegins {
                number: self.iteration.get(),
                generation: self.generation.number(),
            });
        }
    }

    /// Adds generator lag to the iteration that is about to begin or has just begun.
    pub fn begun_late(&self, lag_us: u64) {
        self.lag_us.set(self.lag_us.get() + lag_us);
    }

    /// Drops what is left of an iteration's lateness: it does not carry over to the next.
    pub fn end_requests(&self) {
        self.late_us.set(0);
        self.missed.set(None);
        self.lag_us.set(0);
    }

    /// Ends an iteration; `is_whole` is false if it was interrupted.
    pub fn end_iteration(&self, is_whole: bool) {
        if let Some(tracer) = &self.thread.tracer {
            tracer.tell(Event::IterationEnds { is_whole });
        }
    }

    /// Sets whether `interrupt` has a set to leave.
    pub fn set_in_set(&self, in_set: bool) {
        self.in_set.set(in_set);
    }

    /// Draws from the user's random stream.
    pub fn draw<R>(&self, draw: impl FnOnce(&mut Random) -> R) -> R {
        draw(&mut self.random.borrow_mut())
    }

    /// Drops idle connections that the server has closed, and wakes `cx` when another is closed.
    /// To be polled while the user waits.
    pub fn poll_idle(&self, cx: &mut Context<'_>) {
        self.channel.session.poll_idle(cx);
        for channel in &*self.channels.borrow() {
            if let Some(channel) = channel.upgrade() {
                channel.session.poll_idle(cx);
            }
        }
    }

    /// Adds a client made with `http_client`; it stays for as long as the script keeps it.
    pub(crate) fn add_channel(&self, channel: &Rc<Channel>) {
        let mut channels = self.channels.borrow_mut();
        channels.retain(|channel| channel.strong_count() > 0);
        channels.push(Rc::downgrade(channel));
    }

    /// Counts an error in the script under Exceptions, as of now.
    pub fn exception(&self, failure: &Failure) {
        if let Some(tracer) = &self.thread.tracer {
            tracer.tell(Event::Failed(failure.clone()));
        }
        let at_us = self.thread.run_us(clock::now());
        self.thread.record(|recorder| {
            let stack = || failure.trace().map(Arc::from);
            recorder.exception(at_us, &failure.message, &failure.location(), stack);
        });
    }
}
