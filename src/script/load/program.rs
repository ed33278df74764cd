//! A bundle compiled and evaluated on one thread: its classes, ready to be called.
//!
//! Owns the way from text to callable functions; `run` calls them. Nothing here is `Send`: each
//! load thread compiles for itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rhai::{AST, Caches, Dynamic, Engine, GlobalRuntimeState, Position, Scope};

use super::assembly::{Assembly, Class};
use super::bundle::{self, Bundle, File};
use super::declare::{Declarations, Inputs};
use super::definitions::Definitions;
use super::imports::Imports;
use super::methods::{Forwarded, MapFunctions};
use super::unread::Unread;
use super::{http_options, methods, request_use};
use crate::files::Files;
use crate::load::Division;
use crate::scenario::Scenario;
use crate::script::api;
use crate::script::api::channel::Client;
use crate::script::diagnostic::{Diagnostic, Severity, found};
use crate::script::run::control::ControlFunctions;
use crate::script::run::engine;
use crate::script::run::failure::{self, Ended, EvaluationStop, Failure};
use crate::script::run::listeners::Listeners;
use crate::script::run::log::Line;
use crate::script::run::secret::Secrets;
use crate::script::run::shape::{ShapeFunction, ShapeRequest};

/// A script as one thread runs it.
pub struct Program {
    pub(crate) engine: Engine,
    classes: Vec<Rc<Class>>,
    /// What runs on control, if the script has such functions.
    pub(crate) control: Option<ControlFunctions>,
    /// Listeners of requests and errors, if any.
    pub(crate) listeners: Option<Listeners>,
    scenario: Scenario,
    shape: Option<ShapeFunction>,
    secrets: Secrets,
    /// What a user's variables may hold.
    pub(crate) user_bytes: u64,
    /// Where files are read that users name.
    pub(crate) files: Files,
    /// Requests whose responses the script cannot look at.
    pub(crate) unread: Unread,
    said: Vec<Line>,
    warnings: Vec<Diagnostic>,
}

impl Program {
    /// Compiles a bundle and evaluates its top level.
    ///
    /// Costs about 3.4 ms for 1,000 lines.
    ///
    /// # Errors
    /// Everything found wrong; the load-time check has usually reported it before, and better.
    pub fn compile(bundle: &Bundle, inputs: &Inputs) -> Result<Program, Vec<Diagnostic>> {
        let user_bytes = inputs.user_bytes();
        let mut engine = engine::runner(user_bytes);
        api::register(&mut engine);
        let of_maps = MapFunctions::of(&engine);
        methods::register::<Client>(&mut engine);
        let asts = parsed(&engine, bundle)?;
        let main = &asts[0];
        let imports = Imports::install(&mut engine, &asts);
        let declarations = Declarations::new(inputs);
        let masked = |mut problems: Vec<Diagnostic>| {
            for problem in &mut problems {
                let message = std::mem::take(&mut problem.message);
                problem.message = declarations.secrets.mask(message);
            }
            problems
        };
        let mut global = engine.new_global_runtime_state();
        global.tag = Dynamic::from(declarations.clone());
        if let Err(last) = evaluate(&engine, &mut global, main) {
            let mut problems = declarations.problems.take();
            problems.extend(last);
            return Err(masked(problems));
        }
        global.tag = Dynamic::UNIT;
        imports.merge_into(&mut global, main, bundle)?;

        let is_error = |finding: &Diagnostic| finding.severity == Severity::Error;
        let findings = declarations.problems.take().into_iter();
        let (mut problems, mut warnings): (Vec<_>, Vec<_>) = findings.partition(is_error);
        let mut declared = declarations.classes.take();
        let file = &bundle.files()[0].path;
        let directory = Path::new(file).parent().unwrap_or(Path::new(""));
        for class in &mut declared {
            class.http.files = inputs.sources.files().clone();
            if let Err(wrong) = http_options::find_files(&mut class.http, directory) {
                let message = format!("the user class `{}`: {wrong}", class.plan.name);
                problems.push(Diagnostic::error(file, message));
            }
        }
        if declared.is_empty() && problems.is_empty() {
            let message = "the script declares no user class";
            let hint =
                "add one: `user(\"Visitor\", #{ browse: task(|| { this.client.get(\"/\"); }) });`";
            problems.push(Diagnostic::error(file, message).hint(hint));
        }
        let shape = declarations.shape.take();
        let classes: Vec<_> = declared.iter().map(|class| &*class.plan.name).collect();
        let resolved = shape.as_ref().and_then(|shape| {
            let resolved = shape.resolve(&classes);
            resolved.map_err(|wrong| problems.push(wrong)).ok()
        });
        let definitions = Definitions::of(&asts);
        let unread = Unread::of(&definitions);
        let shape = shape.and_then(|shape| {
            let function = ShapeFunction::of(shape, &definitions, &global, &declarations, &classes);
            function.map_err(|wrong| problems.push(wrong)).ok()?
        });
        let scenario = Scenario {
            classes: declared.iter().map(|class| class.plan.clone()).collect(),
            options: declarations.options.take(),
            params: declarations.params.take(),
            shape: resolved,
            hooks: declarations.hooks(),
            left_out: BTreeSet::new(),
        };
        let mut assembly = Assembly {
            global: &global,
            definitions,
            of_maps,
            forwarded: Forwarded::new(),
            secrets: declarations.secrets.clone(),
            environment: inputs.environment.clone(),
            keeps_requests: request_use::reads_requests(bundle),
            file: file.into(),
            findings: Vec::new(),
        };
        let control = if scenario.hooks.need_control() {
            ControlFunctions::new(&mut assembly, &declarations, declared.first())
        } else {
            None
        };
        let listeners = Listeners::new(&mut assembly, &declarations);
        let classes = declared.into_iter().enumerate();
        let classes = classes
            .map(|(index, class)| Rc::new(assembly.class(index, class)))
            .collect();
        let (forwarded, errors, more) = assembly.finish();
        forwarded.install(&mut engine);
        problems.extend(errors);
        warnings.extend(more);
        if !problems.is_empty() {
            return Err(masked(problems));
        }
        let said = declarations.said.take().into_iter();
        let said = said.map(|(level, place, text)| Line::of_top_level(level, place, text));
        Ok(Program {
            said: said.collect(),
            engine,
            classes,
            control,
            listeners,
            scenario,
            shape,
            secrets: declarations.secrets.clone(),
            user_bytes,
            files: inputs.sources.files().clone(),
            unread,
            warnings,
        })
    }

    /// The files of its bundle as they may be shown: a secret's default covered.
    #[must_use]
    pub fn shown_files(&self, bundle: &Bundle) -> Vec<File> {
        let covered = bundle.files().iter().cloned().map(|mut file| {
            file.text = self.secrets.cover(file.text);
            file
        });
        covered.collect()
    }

    /// All that must not be shown, as far as it is known.
    #[must_use]
    pub fn hidden(&self) -> Vec<String> {
        self.secrets.all()
    }

    /// What must not be shown.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What the script declares.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The classes, in the order of the scenario.
    #[must_use]
    pub fn classes(&self) -> &[Rc<Class>] {
        &self.classes
    }

    /// What the top level printed. Every evaluation prints it, but once is enough to show.
    #[must_use]
    pub fn said(&self) -> &[Line] {
        &self.said
    }

    /// Calls the closure of the script's shape; `None` if it has none. Must not run in a
    /// coroutine. `division` is what its numbers counted before, once it has asked for any users.
    ///
    /// # Errors
    /// The error in the script.
    pub fn ask_shape(
        &self,
        run_time: Duration,
        users: u32,
        division: Option<Division>,
    ) -> Option<Result<ShapeRequest, Box<Failure>>> {
        let shape = self.shape.as_ref()?;
        Some(shape.call(&self.engine, run_time, users, division))
    }

    /// Carries over the state of the previous script's shape. Keys whose initial value now has
    /// another type are reset, as in a user's state.
    pub fn remember_shape(&self, before: &Program) {
        if let (Some(shape), Some(before)) = (&self.shape, &before.shape) {
            shape.remember(before);
        }
    }

    /// What the shape's closure has printed since the last look.
    #[must_use]
    pub fn shape_said(&self) -> Vec<Line> {
        self.shape
            .as_ref()
            .map_or_else(Vec::new, ShapeFunction::said)
    }

    /// What is likely not meant so, but may be run.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}

/// The files of a bundle as syntax trees.
fn parsed(engine: &Engine, bundle: &Bundle) -> Result<Vec<Rc<AST>>, Vec<Diagnostic>> {
    let mut asts = Vec::new();
    let mut problems = Vec::new();
    for file in bundle.files() {
        match bundle::parse(engine, file) {
            Ok(ast) => asts.push(Rc::new(ast)),
            Err(error) => {
                let message = error.err_type().to_string();
                problems.push(found(&file.path, error.position(), message));
            }
        }
    }
    if problems.is_empty() {
        Ok(asts)
    } else {
        Err(problems)
    }
}

/// Runs the top level of the script; `global` keeps the imports and constants it leaves behind.
fn evaluate(
    engine: &Engine,
    global: &mut GlobalRuntimeState,
    ast: &AST,
) -> Result<(), Vec<Diagnostic>> {
    let file = ast.source().unwrap_or_default().to_owned();
    global.source = Some(file.as_str().into());
    global.lib.push(ast.shared_lib().clone());
    #[expect(
        deprecated,
        reason = "Rhai's mark for a volatile function; the version is pinned"
    )]
    let result = engine.eval_statements_raw(
        global,
        &mut Caches::new(),
        &mut Scope::new(),
        ast.statements(),
    );
    let Err(error) = result else { return Ok(()) };
    match EvaluationStop::of(&error) {
        // The file was noted where it was declared.
        Some(EvaluationStop::NotLoaded) => return Err(Vec::new()),
        Some(EvaluationStop::TooLong) => {
            let message = "the top level of the script computed for more than 10 s";
            let hint = "it only describes: move what takes time into `on_start` or a task";
            return Err(vec![Diagnostic::error(&file, message).hint(hint)]);
        }
        None => {}
    }
    let failure = match failure::ended(*error, "the script", &file, Position::NONE) {
        Ended::Failure(failure) => failure,
        Ended::Control(_) => {
            let message = "the top level of the script steers no user: it only describes";
            return Err(vec![Diagnostic::error(&file, message)]);
        }
    };
    let position = failure.position.map_or(Position::NONE, |(line, column)| {
        let within = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        Position::new(within(line), within(column))
    });
    Err(vec![found(&failure.file, position, failure.message)])
}
