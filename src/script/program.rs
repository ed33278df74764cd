//! A bundle compiled and evaluated on one thread: its classes, ready to be called.
//!
//! Owns the way from text to callable functions. Who calls them, and what they may call, lies
//! elsewhere. Nothing here is `Send`: each load thread compiles for itself.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rhai::{
    AST, Caches, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, GlobalRuntimeState, Map,
    Module, ModuleResolver, NativeCallContext, Position, RhaiFunc, Scope, ScriptFuncDef, Shared,
};

use super::bundle::{self, Bundle};
use super::call::{CallStates, Callable};
use super::class::ClassDeclaration;
use super::declare::{Declarations, Inputs};
use super::diagnostic::Diagnostic;
use super::failure::{self, Ended, found};
use super::log::Line;
use super::user::Function;
use super::{api, engine};
use crate::http;
use crate::scenario::Scenario;

/// A script as one thread runs it.
pub struct Program {
    pub(super) engine: Engine,
    classes: Vec<Rc<Class>>,
    scenario: Scenario,
    said: Vec<Line>,
}

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
    pub(super) state: Map,
    on_start: Option<Callable>,
    on_stop: Option<Callable>,
    wait: Option<Callable>,
    /// In the order of the scenario's tasks.
    tasks: Vec<Callable>,
    pub(super) states: CallStates,
    /// The script itself, where failures begin.
    pub(super) file: String,
}

impl Program {
    /// Compiles a bundle and evaluates its top level.
    ///
    /// Costs about 3.4 ms for 1,000 lines.
    ///
    /// # Errors
    /// Everything found wrong; the load-time check has usually told it before, and better.
    pub fn compile(bundle: &Bundle, inputs: &Inputs) -> Result<Program, Vec<Diagnostic>> {
        let mut engine = engine::runner();
        api::register(&mut engine);
        let mut asts = Vec::new();
        let mut problems = Vec::new();
        for file in bundle.files() {
            match bundle::parse(&engine, file) {
                Ok(ast) => asts.push(Rc::new(ast)),
                Err(error) => {
                    let message = error.err_type().to_string();
                    problems.push(found(&file.path, error.position(), message));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let imports = Imports::new(&asts);
        engine.set_module_resolver(imports.clone());
        let declarations = Declarations::new(inputs);
        let mut global = engine.new_global_runtime_state();
        global.tag = Dynamic::from(declarations.clone());
        evaluate(&engine, &mut global, &asts[0])?;
        global.tag = Dynamic::UNIT;
        // Imported files first, the script last: the last is searched first.
        global.lib.clear();
        global.lib.extend(imports.evaluated());
        global.lib.push(asts[0].shared_lib().clone());

        problems.append(&mut declarations.problems.borrow_mut());
        let declared = declarations.classes.borrow();
        if declared.is_empty() && problems.is_empty() {
            let message = "the script declares no user class";
            let hint =
                "add one: `user(\"Visitor\", #{ browse: task(|| { this.client.get(\"/\"); }) });`";
            problems.push(Diagnostic::error(&bundle.files()[0].path, message).hint(hint));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let scenario = Scenario {
            classes: declared.iter().map(|class| class.plan.clone()).collect(),
            options: declarations.options.borrow().clone(),
            params: declarations.params.borrow().clone(),
        };
        let classes = declared.iter().enumerate();
        let classes = classes
            .map(|(index, class)| Rc::new(Class::new(index, class.clone(), &global, &asts)))
            .collect();
        let said = declarations.said.take().into_iter();
        let said = said.map(|(level, place, text)| Line::of_top_level(level, place, text));
        Ok(Program {
            said: said.collect(),
            engine,
            classes,
            scenario,
        })
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

    /// What the top level printed. Every evaluation prints it; one is enough for a person.
    #[must_use]
    pub fn said(&self) -> &[Line] {
        &self.said
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
    let failure = match failure::ended(*error, &file) {
        Ended::Failure(failure) => failure,
        Ended::Control(control) => {
            let message = "the top level of the script computed for more than 10 s";
            let hint = "it only describes: move what takes time into `on_start` or a task";
            let diagnostic = Diagnostic::error(&file, message).hint(hint);
            debug_assert_eq!(control, failure::Control::TopLevelTooLong);
            return Err(vec![diagnostic]);
        }
    };
    let position = failure.position.map_or(Position::NONE, |(line, column)| {
        let within = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        Position::new(within(line), within(column))
    });
    Err(vec![found(&failure.file, position, failure.message)])
}

impl Class {
    fn new(
        index: usize,
        class: ClassDeclaration,
        global: &GlobalRuntimeState,
        asts: &[Rc<AST>],
    ) -> Class {
        let states = CallStates::new(global, methods(&class.methods, asts));
        Class {
            index,
            name: class.plan.name,
            http: class.http,
            headers: class.headers,
            auth: class.auth,
            state: class.state,
            on_start: class.on_start.map(Callable::new),
            on_stop: class.on_stop.map(Callable::new),
            wait: class.wait.map(Callable::new),
            tasks: class.tasks.into_iter().map(Callable::new).collect(),
            states,
            file: asts[0].source().unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn callable(&self, function: Function) -> Option<&Callable> {
        match function {
            Function::OnStart => self.on_start.as_ref(),
            Function::OnStop => self.on_stop.as_ref(),
            Function::Wait => self.wait.as_ref(),
            Function::Task(index) => self.tasks.get(index),
        }
    }
}

/// The methods of a class as functions that Rhai finds for `this.name(…)`: resolved from the
/// class instead of being copied into every user's map. One module a file, for its name in errors.
fn methods(methods: &[(String, FnPtr)], asts: &[Rc<AST>]) -> Vec<Shared<Module>> {
    let mut modules = Vec::new();
    for ast in asts {
        let mut module = Module::new();
        module.set_id(ast.source().unwrap_or_default());
        for (name, function) in methods {
            let Some(definition) = ast
                .iter_fn_def()
                .find(|known| known.name == function.fn_name())
            else {
                continue;
            };
            if function.is_curried() {
                set_closure(&mut module, name, function.clone(), definition);
            } else {
                let mut method = (**definition).clone();
                method.name = name.into();
                method.this_type = Some("map".into());
                module.set_script_fn(method);
            }
        }
        if !module.is_empty() {
            modules.push(module.into());
        }
    }
    modules
}

/// A method that captured something: its constants are passed in front of the arguments.
fn set_closure(module: &mut Module, name: &str, mut closure: FnPtr, definition: &ScriptFuncDef) {
    for captured in closure.iter_curry_mut() {
        *captured = std::mem::take(captured).flatten();
    }
    let arguments = definition
        .params
        .len()
        .saturating_sub(closure.curry().len());
    let mut types = vec![TypeId::of::<Map>()];
    types.resize(1 + arguments, TypeId::of::<Dynamic>());
    let call = move |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
        let context = context.ok_or("a method is called by a script")?;
        let (this, arguments) = arguments.split_first_mut().ok_or("a method has a `this`")?;
        let mut arguments: Vec<_> = arguments.iter_mut().map(|value| value.take()).collect();
        closure.call_raw(&context, Some(this), &mut arguments)
    };
    FuncRegistration::new(name).set_into_module_raw(
        module,
        types,
        RhaiFunc::Method {
            func: Shared::new(call),
            has_context: true,
            is_pure: false,
            is_volatile: true,
        },
    );
}

/// Finds imported files in the bundle and evaluates each once.
#[derive(Clone)]
struct Imports(Rc<ImportsShared>);

struct ImportsShared {
    asts: HashMap<String, Rc<AST>>,
    modules: RefCell<HashMap<String, Shared<Module>>>,
    /// The files being evaluated, outermost first.
    evaluating: RefCell<Vec<String>>,
    evaluated: RefCell<Vec<Shared<Module>>>,
}

impl Imports {
    fn new(asts: &[Rc<AST>]) -> Imports {
        let named = |ast: &Rc<AST>| (ast.source().unwrap_or_default().to_owned(), ast.clone());
        Imports(Rc::new(ImportsShared {
            asts: asts.iter().map(named).collect(),
            modules: RefCell::default(),
            evaluating: RefCell::default(),
            evaluated: RefCell::default(),
        }))
    }

    /// The functions of the imported files, in the order they were evaluated.
    fn evaluated(&self) -> Vec<Shared<Module>> {
        self.0.evaluated.borrow().clone()
    }
}

impl ModuleResolver for Imports {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let mut global = engine.new_global_runtime_state();
        global.source = source.map(Into::into);
        self.resolve_raw(engine, &mut global, &mut Scope::new(), path, position)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _scope: &mut Scope,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let file = bundle::resolve(global.source().unwrap_or_default(), path);
        if let Some(module) = self.0.modules.borrow().get(&file) {
            return Ok(module.clone());
        }
        let Some(ast) = self.0.asts.get(&file) else {
            let message = format!("cannot import `{file}`: it was not read with the script");
            return Err(EvalAltResult::ErrorRuntime(message.into(), position).into());
        };
        if self.0.evaluating.borrow().contains(&file) {
            let mut circle = self.0.evaluating.borrow().join("` imports `");
            circle.push_str("` imports `");
            circle.push_str(&file);
            let message = format!("the imports go in a circle: `{circle}`");
            return Err(EvalAltResult::ErrorRuntime(message.into(), position).into());
        }
        self.0.evaluating.borrow_mut().push(file.clone());
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, ast);
        self.0.evaluating.borrow_mut().pop();
        let module: Shared<Module> = module?.into();
        self.0.evaluated.borrow_mut().push(ast.shared_lib().clone());
        self.0.modules.borrow_mut().insert(file, module.clone());
        Ok(module)
    }
}
