//! Imported files: each evaluated once, and what their closures find of imports and constants.
//!
//! Owns `import` and the names that all files of a bundle share while users run. Reading the
//! files is the bundle's.
//!
//! A closure is called by name, without the surroundings of the file it was made in. So the
//! imports and constants of all files are put together; where two files mean different things by
//! one name, that is an error of the load.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rhai::{
    AST, Dynamic, Engine, EvalAltResult, GlobalRuntimeState, ImmutableString, Module,
    ModuleResolver, NativeCallContext, Position, Scope, Shared, Stmt,
};

use super::bundle::{self, Bundle};
use super::capture;
use super::declare::Declarations;
use crate::script::diagnostic::{Diagnostic, found};

/// Called at the end of each imported file: the constants are still there.
const END_OF_FILE: &str = "katydid_end_of_file";

/// The constants that a file left behind; functions called as `file::name()` see the same cell.
type Constants = Rc<RefCell<BTreeMap<ImmutableString, Dynamic>>>;

/// Finds imported files in the bundle and evaluates each once.
#[derive(Clone)]
pub(crate) struct Imports(Rc<State>);

struct State {
    asts: HashMap<String, Rc<AST>>,
    modules: RefCell<HashMap<String, Shared<Module>>>,
    /// The files being evaluated, outermost first.
    evaluating: RefCell<Vec<String>>,
    /// In the order in which their evaluation ended.
    evaluated: RefCell<Vec<Evaluated>>,
    /// The constants of the file whose evaluation just ended.
    constants: Rc<RefCell<Constants>>,
    captures_itself: Cell<bool>,
}

struct Evaluated {
    file: String,
    module: Shared<Module>,
    functions: Shared<Module>,
    constants: Constants,
}

impl Imports {
    /// Lets `engine` import the files of a bundle. The first of `asts` is the script itself.
    pub(crate) fn install(engine: &mut Engine, asts: &[Rc<AST>]) -> Imports {
        let constants: Rc<RefCell<Constants>> = Rc::default();
        let kept = constants.clone();
        engine.register_fn(END_OF_FILE, move |context: NativeCallContext| {
            let global = context.global_runtime_state();
            *kept.borrow_mut() = global.constants.clone().unwrap_or_default();
        });
        let tail = engine.compile(format!("{END_OF_FILE}();"));
        let named = |ast: &Rc<AST>| {
            let file = ast.source().unwrap_or_default().to_owned();
            let mut whole = (**ast).clone();
            if let Ok(tail) = &tail {
                whole.combine(tail.clone());
            }
            whole.set_source(file.as_str());
            (file, Rc::new(whole))
        };
        let main = asts.first().into_iter();
        let main = main.map(|ast| ast.source().unwrap_or_default().to_owned());
        let imports = Imports(Rc::new(State {
            asts: asts.iter().map(named).collect(),
            modules: RefCell::default(),
            evaluating: RefCell::new(main.collect()),
            evaluated: RefCell::default(),
            constants,
            captures_itself: Cell::new(false),
        }));
        engine.set_module_resolver(imports.clone());
        imports
    }

    /// Puts what the imported files left behind beside what the script itself did.
    ///
    /// # Errors
    /// The names by which two files mean different things.
    pub(crate) fn merge_into(
        &self,
        global: &mut GlobalRuntimeState,
        main: &Rc<AST>,
        bundle: &Bundle,
    ) -> Result<(), Vec<Diagnostic>> {
        let evaluated = self.0.evaluated.borrow();
        let mut problems = Vec::new();
        let main_file = main.source().unwrap_or_default();
        // Who means what by the name of an import.
        let mut aliases: HashMap<String, (String, String)> = global
            .iter_imports()
            .map(|(alias, module)| (alias.to_owned(), meaning(main_file, module)))
            .collect();
        let own = global.constants.clone().unwrap_or_default();
        let mut captures_itself = self.0.captures_itself.get();
        for constants in evaluated.iter().map(|one| &one.constants).chain([&own]) {
            let mut constants = constants.borrow_mut();
            captures_itself |= constants
                .values_mut()
                .any(|value| capture::own(value).is_err());
        }
        if captures_itself {
            problems.push(captures_itself_in(main_file, Position::NONE));
        }
        let mut constants = own.borrow().clone();
        let mut owners: HashMap<ImmutableString, &str> = constants
            .keys()
            .map(|name| (name.clone(), main_file))
            .collect();
        for one in &*evaluated {
            for (alias, module) in one.module.iter_sub_modules() {
                match aliases.get(alias) {
                    None => {
                        aliases.insert(alias.to_owned(), meaning(&one.file, module));
                        global.push_import(alias, module.clone());
                    }
                    Some((owner, file)) if module.id() != Some(file.as_str()) => {
                        problems.push(self.two_imports(&one.file, alias, owner, file));
                    }
                    Some(_) => {}
                }
            }
            for (name, value) in &*one.constants.borrow() {
                match owners.get(name) {
                    None => {
                        owners.insert(name.clone(), &one.file);
                        constants.insert(name.clone(), value.clone());
                    }
                    Some(owner) if refers_to(bundle, name) => {
                        problems.push(two_constants(bundle, &one.file, name, owner));
                    }
                    Some(_) => {}
                }
            }
        }
        global.constants = Some(Rc::new(RefCell::new(constants)));
        // Imported files first, the script last: the last is searched first.
        global.lib.clear();
        if !evaluated.is_empty() {
            // Rhai calls closures that it finds in the first without noting their file.
            global.lib.push(Module::new().into());
        }
        global
            .lib
            .extend(evaluated.iter().map(|one| one.functions.clone()));
        global.lib.push(main.shared_lib().clone());
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    fn two_imports(&self, file: &str, alias: &str, owner: &str, other: &str) -> Diagnostic {
        let position = self.0.asts.get(file).map(|ast| import_of(ast, alias));
        let message =
            format!("`{alias}` is another file here than in `{owner}`, where it is `{other}`");
        found(file, position.unwrap_or(Position::NONE), message)
            .hint("closures of both files run side by side: import it under another name")
    }

    fn evaluate(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        file: &str,
        ast: &AST,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.0.evaluating.borrow_mut().push(file.to_owned());
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, ast);
        self.0.evaluating.borrow_mut().pop();
        let mut module = module.map_err(|error| match *error {
            // Its place is in the innermost file.
            EvalAltResult::ErrorInModule(..) => error,
            _ => EvalAltResult::ErrorInModule(file.to_owned(), error, Position::NONE).into(),
        })?;
        let exported: Vec<_> = module
            .iter_var()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        for (name, mut value) in exported {
            if capture::own(&mut value).is_err() {
                self.0.captures_itself.set(true);
            }
            module.set_var(name, value);
        }
        module.build_index();
        let module: Shared<Module> = module.into();
        self.0.evaluated.borrow_mut().push(Evaluated {
            file: file.to_owned(),
            module: module.clone(),
            functions: ast.shared_lib().clone(),
            constants: self.0.constants.take(),
        });
        let mut modules = self.0.modules.borrow_mut();
        modules.insert(file.to_owned(), module.clone());
        Ok(module)
    }
}

/// The file that imports, and the file that it imports.
fn meaning(owner: &str, module: &Module) -> (String, String) {
    (owner.to_owned(), module.id().unwrap_or_default().to_owned())
}

fn import_of(ast: &AST, alias: &str) -> Position {
    let imports = ast
        .statements()
        .iter()
        .filter_map(|statement| match statement {
            Stmt::Import(import, position) => Some((&import.1.name, *position)),
            _ => None,
        });
    imports
        .filter(|(name, _)| name.as_str() == alias)
        .map(|(_, position)| position)
        .next()
        .unwrap_or(Position::NONE)
}

/// Whether any file says `global::NAME`.
fn refers_to(bundle: &Bundle, name: &str) -> bool {
    let mut files = bundle.files().iter();
    files.any(|file| {
        let mut rest = file.text.as_str();
        while let Some(at) = rest.find("global::") {
            rest = &rest[at + "global::".len()..];
            if let Some(after) = rest.strip_prefix(name)
                && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            {
                return true;
            }
        }
        false
    })
}

fn two_constants(bundle: &Bundle, file: &str, name: &str, owner: &str) -> Diagnostic {
    let text = bundle.files().iter().find(|known| known.path == file);
    let lines = text
        .into_iter()
        .flat_map(|file| (1..).zip(file.text.lines()));
    let place = lines
        .filter(|(_, line)| line.trim_start().starts_with("const ") && line.contains(name))
        .map(|(number, _)| number)
        .next();
    let message = format!("`{name}` is a constant of `{owner}` too");
    Diagnostic::error(file, message)
        .at(place.unwrap_or(0), 1, 1)
        .hint(format!(
            "`global::{name}` could be either: rename one of them"
        ))
}

/// What is said of a closure that captures itself.
pub(crate) fn captures_itself_in(file: &str, position: Position) -> Diagnostic {
    found(file, position, "a closure captures itself")
        .hint("write it as a function, `fn name() { … }`, which can call itself")
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
        let wrong = |message: String| EvalAltResult::ErrorRuntime(message.into(), position).into();
        if global.tag.read_lock::<Declarations>().is_none() {
            return Err(wrong(
                "`import` belongs to the top level of a file".to_owned(),
            ));
        }
        let file = bundle::resolve(global.source().unwrap_or_default(), path);
        if let Some(module) = self.0.modules.borrow().get(&file) {
            return Ok(module.clone());
        }
        let Some(ast) = self.0.asts.get(&file) else {
            return Err(wrong(format!(
                "cannot import `{file}`: it was not read with the script"
            )));
        };
        let mut circle = self.0.evaluating.borrow().clone();
        if let Some(first) = circle.iter().position(|known| *known == file) {
            circle.push(file);
            let circle = circle[first..].join("` imports `");
            return Err(wrong(format!("the imports go in a circle: `{circle}`")));
        }
        self.evaluate(engine, global, &file, ast)
    }
}
