//! A checked script and its resolved options, from which threads compile their generations.
//!
//! Plain data that can be sent anywhere. Owns how a thread compiles its generation; `reload`
//! decides when that goes into service.

use std::rc::Rc;

use crate::clock::Timers;
use crate::http;
use crate::load::Classes;
use crate::scenario::Scenario;
use crate::script::{Bundle, Generation, Inputs, Program};

use super::{Options, Unable};

/// A script for a run, checked, and everything resolved that depends on it.
#[derive(Debug)]
pub struct Edition {
    /// The script.
    pub bundle: Bundle,
    /// What its evaluations are given.
    pub inputs: Inputs,
    /// What it declared when it was checked; each thread's evaluation is compared with it.
    pub declared: Scenario,
    /// What this run makes of `declared`: only the selected tasks, and no users for classes that
    /// were not selected. Classes, sets and functions have the same indices.
    pub scenario: Scenario,
    /// The base URL of each class, for relative requests; valid.
    pub bases: Vec<Option<String>>,
    /// Its options. The run's iterations come from the first edition.
    pub options: Options,
}

/// Parsed by each thread because it is not `Send`; it was checked before.
fn parsed(base: Option<&String>) -> Option<http::Base> {
    http::Base::parse(base?).ok()
}

/// The classes of a scenario, for the mix of a run in which `mixed` users already have theirs.
pub(super) fn classes_of(scenario: &Scenario, mixed: u32) -> Classes {
    let classes = scenario.classes.iter();
    let classes = classes.map(|class| (class.name.clone(), class.share));
    let (names, shares) = classes.unzip();
    Classes {
        mixed,
        names,
        shares,
    }
}

impl Edition {
    /// Its name: 12 hexadecimal digits over the script, its imports and its data.
    #[must_use]
    pub fn hash(&self) -> String {
        self.bundle.hash(&self.inputs.sources)
    }

    /// The names of the classes, in the order written.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.scenario
            .classes
            .iter()
            .map(|class| class.name.as_str())
    }

    /// Its classes, for the mix of a run in which `mixed` users already have theirs.
    #[must_use]
    pub fn classes(&self, mixed: u32) -> Classes {
        classes_of(&self.scenario, mixed)
    }

    /// Compiles the script for the calling thread. Costs about 3.4 ms for 1,000 lines, plus
    /// whatever its top level computes.
    ///
    /// # Errors
    /// When it no longer declares what it did when it was checked.
    pub(super) fn compile(&self) -> Result<Rc<Program>, Unable> {
        let program = Program::compile(&self.bundle, &self.inputs);
        let program = program.map_err(|_| {
            Unable::Script("the script came to another result than when it was checked".to_owned())
        })?;
        if *program.scenario() != self.declared {
            return Err(Unable::Script(
                "the script declares something else each time it is evaluated: it may use \
                 `random`, `now` and `env`, which give the same everywhere"
                    .to_owned(),
            ));
        }
        Ok(Rc::new(program))
    }

    /// Generation `number` of the run, for the calling thread.
    ///
    /// # Errors
    /// When a client cannot be made: a certificate that cannot be read.
    pub(super) fn generation(
        &self,
        number: u16,
        program: Rc<Program>,
        timers: &Timers,
        before: Option<&Generation>,
    ) -> Result<Generation, Unable> {
        let bases = self.bases.iter().map(|base| parsed(base.as_ref()));
        self.with(number, program, bases.collect(), timers, before)
    }

    /// Generation `number` for the control thread, whose requests all go to the first host there
    /// is.
    ///
    /// # Errors
    /// As [`Edition::generation`].
    pub(super) fn control_generation(
        &self,
        number: u16,
        program: Rc<Program>,
        timers: &Timers,
    ) -> Result<Generation, Unable> {
        let base = parsed(self.bases.iter().flatten().next());
        let bases = vec![base; self.bases.len()];
        self.with(number, program, bases, timers, None)
    }

    fn with(
        &self,
        number: u16,
        program: Rc<Program>,
        bases: Vec<Option<http::Base>>,
        timers: &Timers,
        before: Option<&Generation>,
    ) -> Result<Generation, Unable> {
        let plans = self.scenario.classes.iter().cloned().map(Rc::new);
        let generation = Generation::new(number, program, plans.collect(), bases, timers, before);
        generation.map_err(Unable::Client)
    }
}

#[cfg(test)]
impl Edition {
    /// Of a script that has not been checked.
    pub(crate) fn unchecked(script: &str) -> std::sync::Arc<Edition> {
        let plan = crate::load::Plan::idle(crate::load::Division::Mixed);
        std::sync::Arc::new(Edition {
            bundle: Bundle::from_text("s.rhai", script),
            inputs: Inputs::default(),
            declared: Scenario::default(),
            scenario: Scenario::default(),
            bases: Vec::new(),
            options: Options {
                plan: std::sync::Arc::new(plan),
                iterations: None,
                stop_timeout: std::time::Duration::ZERO,
                on_stop_timeout: std::time::Duration::ZERO,
            },
        })
    }
}
