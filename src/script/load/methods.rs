//! `this.name(…)`: the methods of a class, found by Rhai without being copied into every user.
//!
//! Owns how a closure becomes a method. Which closures are methods is read with the class.

use std::any::TypeId;
use std::cell::OnceCell;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnArgsVec, FnPtr, FuncRegistration, ImmutableString,
    Map, Module, NativeCallContext, RhaiFunc, ScriptFuncDef, Shared,
};

use super::definitions::Definitions;
use super::parser;

/// Calls a method by whose name maps have a function of Rhai's.
const DISPATCH: &str = "katydid_method";

/// The module in which forwarding methods find their closures.
const CLOSURES: &str = "katydid_closures";

type Called = Result<Dynamic, Box<EvalAltResult>>;

/// Functions that any map has, by name and number of arguments without the map.
pub(crate) struct MapFunctions(Vec<(String, usize)>);

impl MapFunctions {
    /// Those of `engine`, before any class adds methods.
    pub(crate) fn of(engine: &Engine) -> MapFunctions {
        let types = [TypeId::of::<Map>(), TypeId::of::<Dynamic>()];
        let found = engine.collect_fn_metadata(
            None,
            |function| {
                let function = function.metadata;
                let first = function.param_types.first()?;
                let arguments = function.num_params - 1;
                types
                    .contains(first)
                    .then(|| (function.name.to_string(), arguments))
            },
            true,
        );
        MapFunctions(found)
    }

    fn has(&self, name: &str, arguments: usize) -> bool {
        let mut all = self.0.iter();
        all.any(|(known, number)| known == name && *number == arguments)
    }
}

/// Registers what methods need. `Client` is what tells a user from other maps: the type of its
/// `client`.
pub(crate) fn register<Client: Clone + 'static>(engine: &mut Engine) {
    let function = |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
        let context = context.ok_or("a method is called by a script")?;
        let [this, closure, name, list] = arguments else {
            return Err("a method has a name, and a list of arguments".into());
        };
        let closure = closure.take().cast::<FnPtr>();
        let list = list.take().cast::<Array>();
        dispatch::<Client>(&context, this, &closure, &name.to_string(), list)
    };
    let types = [
        TypeId::of::<Map>(),
        TypeId::of::<FnPtr>(),
        TypeId::of::<ImmutableString>(),
        TypeId::of::<Array>(),
    ];
    register_on_maps(engine, FuncRegistration::new(DISPATCH), &types, function);
}

/// Registers `this.name(text, closure)`; `parameters` are the two as Rhai's language server shows
/// them.
pub(crate) fn register_on_user(
    engine: &mut Engine,
    name: &'static str,
    parameters: [&'static str; 2],
    call: fn(&NativeCallContext, &mut Dynamic, &str, &FnPtr) -> Called,
) {
    let function = move |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
        let context = context.ok_or_else(|| format!("`{name}` is called by a script"))?;
        let [this, text, closure] = arguments else {
            return Err(format!("`{name}` has a name and a closure").into());
        };
        let text = text.to_string();
        let closure = closure.take().cast::<FnPtr>();
        call(&context, this, &text, &closure)
    };
    let types = [
        TypeId::of::<Map>(),
        TypeId::of::<ImmutableString>(),
        TypeId::of::<FnPtr>(),
    ];
    let [text, closure] = parameters;
    let registration = FuncRegistration::new(name).with_params_info(["user: map", text, closure]);
    register_on_maps(engine, registration, &types, function);
}

/// Not `register_fn`: it would match any first value, and be found more slowly.
fn register_on_maps(
    engine: &mut Engine,
    registration: FuncRegistration,
    types: &[TypeId],
    function: impl Fn(Option<NativeCallContext>, &mut [&mut Dynamic]) -> Called + 'static,
) {
    let mut module = Module::new();
    registration.set_into_module_raw(
        &mut module,
        types,
        RhaiFunc::Method {
            func: Shared::new(function),
            has_context: true,
            is_pure: false,
            is_volatile: true,
        },
    );
    engine.register_global_module(module.into());
}

/// On a user the method of its class, on any other map what Rhai has by that name.
fn dispatch<Client: Clone + 'static>(
    context: &NativeCallContext,
    this: &mut Dynamic,
    closure: &FnPtr,
    name: &str,
    mut arguments: Array,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let is_user = this
        .read_lock::<Map>()
        .is_some_and(|map| map.get("client").is_some_and(Dynamic::is::<Client>));
    if is_user {
        return closure.call_raw(context, Some(this), arguments);
    }
    let mut all = FnArgsVec::with_capacity(1 + arguments.len());
    all.push(this);
    all.extend(arguments.iter_mut());
    context.call_native_fn_raw(name, true, &mut all)
}

/// The methods of one class that Rhai cannot call as they stand: through a function that calls
/// the closure with what it captured, kept as a constant of this module of the engine.
pub(crate) struct Forwarded {
    constants: Module,
    count: usize,
    /// Parses the functions; it does not yet know the module they refer to.
    parser: OnceCell<Engine>,
}

/// The methods of a class, as functions of maps. One module a file, for its name in errors.
pub(crate) fn modules(
    methods: &[(String, FnPtr)],
    definitions: &Definitions,
    of_maps: &MapFunctions,
    forwarded: &mut Forwarded,
) -> Vec<Shared<Module>> {
    let mut modules: Vec<Module> = Vec::new();
    for (name, closure) in methods {
        for definition in definitions.named(closure) {
            let parameters = &definition.function.params;
            let Some(arguments) = parameters.len().checked_sub(closure.curry().len()) else {
                continue;
            };
            let of_map = of_maps.has(name, arguments);
            let mut method = if of_map || closure.is_curried() {
                forwarded.method(name, closure, arguments, of_map)
            } else {
                (*definition.function).clone()
            };
            method.name = name.into();
            method.this_type = Some("map".into());
            let file = definition.file.as_str();
            let known = modules.iter().position(|module| module.id() == Some(file));
            let index = known.unwrap_or_else(|| {
                let mut module = Module::new();
                module.set_id(file);
                modules.push(module);
                modules.len() - 1
            });
            modules[index].set_script_fn(method);
        }
    }
    modules.into_iter().map(Into::into).collect()
}

impl Forwarded {
    pub(crate) fn new() -> Forwarded {
        Forwarded {
            constants: Module::new(),
            count: 0,
            parser: OnceCell::new(),
        }
    }

    /// Lets `engine` find the closures.
    pub(crate) fn install(self, engine: &mut Engine) {
        engine.register_static_module(CLOSURES, self.constants.into());
    }

    fn method(
        &mut self,
        name: &str,
        closure: &FnPtr,
        arguments: usize,
        of_map: bool,
    ) -> ScriptFuncDef {
        let constant = format!("c{}", self.count);
        self.count += 1;
        self.constants.set_var(constant.as_str(), closure.clone());
        let list: Vec<_> = (0..arguments).map(|number| format!("a{number}")).collect();
        let list = list.join(", ");
        let body = if of_map {
            format!("{DISPATCH}(this, {CLOSURES}::{constant}, \"{name}\", [{list}])")
        } else {
            format!("this.call({CLOSURES}::{constant}, {list})")
        };
        let text = format!("fn method({list}) {{ {body} }}");
        let parser = self.parser.get_or_init(|| {
            let mut parser = parser::parser();
            parser.set_strict_variables(false);
            parser
        });
        let ast = parser.compile(text).expect("it is our own text");
        let method = ast.iter_fn_def().next().expect("it has one function");
        (**method).clone()
    }
}
