//! User classes made callable: from what a script declared to what users run.
//!
//! Owns the last findings of a load, which need the declared functions themselves: tasks that
//! cannot be called, and what closures captured. Evaluating the script is done before.

use rhai::{Dynamic, FnPtr, GlobalRuntimeState, ImmutableString, Map};

use super::capture;
use super::class::ClassDeclaration;
use super::definitions::{Definition, Definitions};
use super::environment::Environment;
use super::imports::captures_itself_in;
use super::methods::{self, Forwarded, MapFunctions};
use crate::http;
use crate::scenario::Function;
use crate::script::diagnostic::{Diagnostic, Severity, found};
use crate::script::run::call::{CallStates, Callable};
use crate::script::run::secret::Secrets;

/// A user class, ready to be called.
pub struct Class {
    /// Its index in the scenario.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// How its users speak HTTP.
    pub http: http::Options,
    /// Headers of every request, from the start.
    pub headers: Vec<(String, String)>,
    /// Credentials of every request, from the start.
    pub auth: Option<(String, String)>,
    /// What each user's own data starts as.
    pub(crate) state: Map,
    on_start: Option<Callable>,
    on_stop: Option<Callable>,
    on_reload: Option<Callable>,
    wait: Option<Callable>,
    /// The functions of its tasks and sets; the scenario has their indices.
    functions: Vec<Callable>,
    pub(crate) states: CallStates,
    pub(crate) secrets: Secrets,
    pub(crate) environment: Environment,
    /// Whether its scripts ask for what was sent.
    pub(crate) keeps_requests: bool,
}

impl Class {
    pub(crate) fn callable(&self, function: Function) -> Option<&Callable> {
        match function {
            Function::OnStart => self.on_start.as_ref(),
            Function::OnStop => self.on_stop.as_ref(),
            Function::OnReload => self.on_reload.as_ref(),
            Function::Wait => self.wait.as_ref(),
            Function::Task(index) => self.functions.get(index),
        }
    }
}

/// What the classes of one program are made with.
pub(crate) struct Assembly<'a> {
    /// What the top level left behind.
    pub(crate) global: &'a GlobalRuntimeState,
    pub(crate) definitions: Definitions,
    pub(crate) of_maps: MapFunctions,
    pub(crate) forwarded: Forwarded,
    pub(crate) secrets: Secrets,
    pub(crate) environment: Environment,
    pub(crate) keeps_requests: bool,
    /// The script itself, for what has no better place.
    pub(crate) file: ImmutableString,
    pub(crate) findings: Vec<Diagnostic>,
}

impl Assembly<'_> {
    /// Makes a class; what is wrong with it goes to `findings`.
    pub(crate) fn class(&mut self, index: usize, mut class: ClassDeclaration) -> Class {
        let on_start = self.callable("`on_start`", class.on_start);
        let on_stop = self.callable("`on_stop`", class.on_stop);
        let on_reload = self.callable("`on_reload`", class.on_reload);
        let wait = self.callable("`wait_time`", class.wait);
        let mut functions = Vec::new();
        for (what, function) in class.functions {
            // One that cannot be called is an error, and then the others are never used.
            functions.extend(self.callable(&what, Some(function)));
        }
        for (_, method) in &mut class.methods {
            self.own(method);
        }
        for value in class.state.values_mut() {
            if capture::own(value).is_err() {
                self.find(captures_itself_in(&self.file, rhai::Position::NONE));
            }
        }
        let methods = methods::modules(
            &class.methods,
            &self.definitions,
            &self.of_maps,
            &mut self.forwarded,
        );
        Class {
            index,
            name: class.plan.name,
            http: class.http,
            headers: class.headers,
            auth: class.auth,
            state: class.state,
            on_start,
            on_stop,
            on_reload,
            wait,
            functions,
            states: CallStates::new(self.global, methods),
            secrets: self.secrets.clone(),
            environment: self.environment.clone(),
            keeps_requests: self.keeps_requests,
        }
    }

    fn callable(&mut self, what: &str, function: Option<FnPtr>) -> Option<Callable> {
        self.taking(what, function?, 0)
    }

    /// A function that is called with this many arguments, and may take fewer.
    pub(crate) fn taking(
        &mut self,
        what: &str,
        mut function: FnPtr,
        most: usize,
    ) -> Option<Callable> {
        self.own(&mut function);
        let taken = (0..=most).find_map(|taken| self.definitions.taking(&function, taken));
        if let Some(definition) = taken {
            return Some(Callable::new(what, definition, function.curry()));
        }
        let finding = match self.definitions.named(&function).first() {
            Some(other) => {
                let message = match most {
                    0 => format!("{what} is called without arguments, but takes some"),
                    _ => format!("{what} is given {most} arguments, but takes more"),
                };
                found(&other.file, other.begins(), message)
            }
            None => {
                let name = function.fn_name();
                let message = format!("{what} is `{name}`, but the script has no such function");
                Diagnostic::error(&self.file, message)
            }
        };
        self.find(finding);
        None
    }

    /// Makes what a closure captured its own; says what is odd about it.
    fn own(&mut self, closure: &mut FnPtr) {
        let owned = capture::own_captured(closure);
        let Some(definition) = self.definitions.named(closure).first() else {
            return;
        };
        let finding = match owned {
            Err(_) => captures_itself_in(&definition.file, definition.begins()),
            Ok(..=capture::MANY) => return,
            Ok(_) => captures_much(closure, definition),
        };
        self.find(finding);
    }

    /// Notes a finding once: a task is a method too.
    fn find(&mut self, finding: Diagnostic) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// What the engine still needs, the findings that forbid to run the script, and the others.
    pub(crate) fn finish(self) -> (Forwarded, Vec<Diagnostic>, Vec<Diagnostic>) {
        let is_error = |finding: &Diagnostic| finding.severity == Severity::Error;
        let (errors, warnings) = self.findings.into_iter().partition(is_error);
        (self.forwarded, errors, warnings)
    }
}

fn captures_much(closure: &FnPtr, definition: &Definition) -> Diagnostic {
    let elements = |value: &Dynamic| capture::own(&mut value.clone()).unwrap_or(0);
    let names = definition.function.params.iter();
    let largest = names
        .zip(closure.curry())
        .max_by_key(|(_, value)| elements(value));
    let (name, count) = largest.map_or(("", 0), |(name, value)| (name.as_str(), elements(value)));
    let message = format!(
        "this closure captures `{name}` with {count} elements, which are copied at every call"
    );
    let mut finding = found(&definition.file, definition.begins(), message);
    finding.severity = Severity::Warning;
    finding.hint("`json_file` and `rows` keep one copy for all users")
}
