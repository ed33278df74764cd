//! What the top level of a script may call: it describes user classes, it does not do anything.
//!
//! Collects declarations and everything wrong with them; reading a class is in `class`. Nothing
//! here runs while users run.

mod data;
mod events;
mod markov;
mod options;
mod params;
mod ready;
mod sets;
mod setup;
pub(crate) mod shape;
mod tasks;
mod waits;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::class::{self, ClassDeclaration};
use super::environment::Environment;
use crate::data::{Mode, Origin, Sources};
use crate::scenario::{Event, Hooks, Options, Param, Random};
use crate::script::bounds;
use crate::script::diagnostic::{Diagnostic, Severity, found};
use crate::script::results::Result;
use crate::script::run::log::Level;
use crate::script::run::secret::Secrets;
use crate::units::Bytes;

pub(crate) use options::set_option;
pub(crate) use sets::{Reading, SetDeclaration};
use shape::ShapeDeclaration;
pub(crate) use tasks::{TaskBody, TaskDeclaration, judge_option};

/// What control gives to every evaluation of a top level, so that all come to the same scenario.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Values for `param`, by name; those from the environment by their names in small letters.
    pub params: BTreeMap<String, String>,
    /// The environment as it was when Katydid started.
    pub environment: Environment,
    /// What `random` and the users' streams are seeded with.
    pub seed: u64,
    /// What `now` gives at the top level, in microseconds since 1970.
    pub now_us: i64,
    /// The data files that were read, and whose turn it is: one for all evaluations of a run.
    pub sources: Arc<Sources>,
    /// What a user's variables may hold; `None` for 256 MiB.
    pub user_memory: Option<Bytes>,
}

impl Inputs {
    /// What a user's variables may hold, in bytes.
    pub(crate) fn user_bytes(&self) -> u64 {
        self.user_memory
            .map_or(bounds::MOST_BYTES, |Bytes(most)| most)
    }
}

/// The declarations of one evaluation so far. Clones share them: natives find them as the tag.
#[derive(Clone)]
pub(crate) struct Declarations(Rc<DeclarationState>);

pub(crate) struct DeclarationState {
    pub(crate) inputs: Inputs,
    pub(crate) random: RefCell<Random>,
    pub(crate) classes: RefCell<Vec<ClassDeclaration>>,
    /// The names of `classes`.
    names: RefCell<HashSet<String>>,
    pub(crate) options: RefCell<Options>,
    pub(crate) params: RefCell<Vec<Param>>,
    pub(crate) shape: RefCell<Option<ShapeDeclaration>>,
    pub(crate) setup: RefCell<Option<FnPtr>>,
    pub(crate) teardown: RefCell<Option<FnPtr>>,
    pub(crate) listeners: RefCell<Vec<(Event, FnPtr)>>,
    pub(crate) problems: RefCell<Vec<Diagnostic>>,
    /// What `print` said at the top level; only control passes it on.
    pub(crate) said: RefCell<Vec<(Level, String, String)>>,
    /// While a closure is called that belongs to the run and not to a user: what it may ask.
    pub(crate) moment: Cell<Option<Moment>>,
    /// What must not be shown.
    pub(crate) secrets: Secrets,
    serial: Cell<u64>,
    /// The data sources so far.
    sources: RefCell<Vec<(Origin, Mode)>>,
}

/// A moment of the run, for the functions that tell of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// In microseconds since 1970.
    pub(crate) now_us: i64,
    /// Since the run began.
    pub(crate) run_time: Duration,
    /// Users alive.
    pub(crate) users: u32,
}

impl std::ops::Deref for Declarations {
    type Target = DeclarationState;

    fn deref(&self) -> &DeclarationState {
        &self.0
    }
}

impl Declarations {
    pub(crate) fn new(inputs: &Inputs) -> Declarations {
        Declarations(Rc::new(DeclarationState {
            random: RefCell::new(Random::of_user(inputs.seed, "", 0)),
            inputs: inputs.clone(),
            classes: RefCell::default(),
            names: RefCell::default(),
            options: RefCell::default(),
            params: RefCell::default(),
            shape: RefCell::default(),
            setup: RefCell::default(),
            teardown: RefCell::default(),
            listeners: RefCell::default(),
            problems: RefCell::default(),
            said: RefCell::default(),
            moment: Cell::new(None),
            secrets: Secrets::default(),
            serial: Cell::new(0),
            sources: RefCell::default(),
        }))
    }

    /// The declarations that the calling script is making; `None` in a task.
    pub(crate) fn of(context: &NativeCallContext) -> Option<Declarations> {
        Some(context.tag()?.read_lock::<Declarations>()?.clone())
    }

    /// The moment of the run, where a closure of the run is called; `None` at the top level and
    /// in a task.
    pub(crate) fn moment_of(context: &NativeCallContext) -> Option<Moment> {
        Declarations::of(context)?.moment.get()
    }

    fn required(context: &NativeCallContext) -> Result<Declarations, Box<EvalAltResult>> {
        Declarations::of(context).ok_or_else(|| {
            let name = context.fn_name();
            format!("`{name}` declares something: it belongs to the top level of the script").into()
        })
    }

    /// How many data sources of that origin and mode this evaluation has declared before.
    fn repeated(&self, origin: &Origin, mode: Mode) -> usize {
        let mut sources = self.sources.borrow_mut();
        let this = (origin.clone(), mode);
        let before = sources.iter().filter(|other| **other == this).count();
        sources.push(this);
        before
    }

    /// What was declared to run once, and when something happens.
    pub(crate) fn hooks(&self) -> Hooks {
        let listeners = self.listeners.borrow();
        Hooks {
            setup: self.setup.borrow().is_some(),
            teardown: self.teardown.borrow().is_some(),
            listeners: listeners.iter().map(|(event, _)| *event).collect(),
        }
    }

    /// Notes a mistake at the place of the call and goes on, so that all are shown at once.
    fn problem(&self, context: &NativeCallContext, message: &str, hint: Option<&str>) {
        self.finding(context, Severity::Error, message, hint);
    }

    /// Notes something about the call.
    fn finding(
        &self,
        context: &NativeCallContext,
        severity: Severity,
        message: &str,
        hint: Option<&str>,
    ) {
        let file = context.call_source().unwrap_or_default();
        let mut diagnostic = found(file, context.call_position(), message);
        diagnostic.severity = severity;
        self.problems.borrow_mut().push(match hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        });
    }

    /// The next number in the order of evaluation, which is that of the source.
    fn next_serial(&self) -> u64 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }
}

/// Registers everything that declares.
pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_fn("user", user)
        .register_fn("extend", extend);
    data::register(engine);
    events::register(engine);
    options::register(engine);
    params::register(engine);
    shape::register(engine);
    setup::register(engine);
    markov::register(engine);
    sets::register(engine);
    tasks::register(engine);
    waits::register(engine);
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn user(context: NativeCallContext, name: &str, map: Map) -> Result<()> {
    let declarations = Declarations::required(&context)?;
    let (class, problems) = class::read(name, map);
    for (message, hint) in problems {
        declarations.problem(&context, &message, hint.as_deref());
    }
    let is_new = declarations
        .names
        .borrow_mut()
        .insert(class.plan.name.to_string());
    if !is_new {
        let message = format!("the user class `{name}` is declared twice");
        declarations.problem(
            &context,
            &message,
            Some("give each class a name of its own"),
        );
    }
    declarations.classes.borrow_mut().push(class);
    Ok(())
}

/// Map addition with the `state` maps merged: how a class inherits from another.
fn extend(mut base: Map, derived: Map) -> Map {
    for (key, value) in derived {
        if key == "state"
            && let Some(state) = base.get_mut("state")
            && let Some(mut kept) = state.write_lock::<Map>()
            && let Some(added) = value.read_lock::<Map>()
        {
            kept.extend(added.clone());
            continue;
        }
        base.insert(key, value);
    }
    base
}
