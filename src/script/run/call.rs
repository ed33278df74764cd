//! The fast way into a script function: a call state that is kept instead of rebuilt.
//!
//! The only file that uses Rhai's internals while users run; an upgrade of Rhai touches this one.
//! `Engine::call_fn` starts with an empty runtime state each time: imports, constants and the
//! closures of imported files would be gone, and every function would be looked up afresh.

use std::cell::RefCell;

use rhai::{
    Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, FnPtr,
    GlobalRuntimeState, ImmutableString, Module, NativeCallContext, Position, Scope, Shared,
};

use super::failure::{self, Ended};
use crate::script::load::definitions::Definition;

/// States kept for the next call; more are dropped.
const KEPT: usize = 256;

/// A function of the script that Katydid calls: a task, a hook, a wait.
pub(crate) struct Callable {
    body: Expr,
    /// What its closure captured, under the names that its body has for it.
    captured: Vec<(ImmutableString, Dynamic)>,
    /// What it is, for people: ``the task `browse` ``.
    pub(crate) what: String,
    /// The names of the arguments that it is called with.
    pub(crate) parameters: Vec<ImmutableString>,
    /// The file it stands in.
    pub(crate) file: ImmutableString,
    /// Where its body begins.
    pub(crate) begins: Position,
}

impl Callable {
    /// `captured` belong to the closure alone: see [`capture`](crate::script::load::capture).
    pub(crate) fn new(what: &str, definition: &Definition, captured: &[Dynamic]) -> Callable {
        let names = &definition.function.params;
        Callable {
            what: what.to_owned(),
            body: Expr::Stmt(Box::new(definition.body())),
            captured: names
                .iter()
                .cloned()
                .zip(captured.iter().cloned())
                .collect(),
            parameters: names.iter().skip(captured.len()).cloned().collect(),
            file: definition.file.clone(),
            begins: definition.begins(),
        }
    }

    /// What an error means that a call of it came to.
    pub(crate) fn ended(&self, error: EvalAltResult) -> Ended {
        failure::ended(error, &self.what, &self.file, self.begins)
    }
}

/// What a running call needs of Rhai. Never shared by two users, never kept by a waiting one.
pub(crate) struct CallState {
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
}

/// Makes and keeps the call states of one user class.
pub(crate) struct CallStates {
    template: GlobalRuntimeState,
    #[expect(clippy::vec_box, reason = "a state is moved in and out, and is 1.1 KB")]
    idle: RefCell<Vec<Box<CallState>>>,
}

impl CallStates {
    /// `global` is the state that the top level of the script left behind; `methods` are found
    /// before all other functions.
    pub(crate) fn new(global: &GlobalRuntimeState, methods: Vec<Shared<Module>>) -> CallStates {
        let mut template = global.clone();
        template.lib.extend(methods);
        template.num_operations = 0;
        CallStates {
            template,
            idle: RefCell::default(),
        }
    }

    /// Counts operations from zero again, so that the limit on computing outside a coroutine
    /// holds for the next call alone, not for all calls since the script was loaded.
    pub(crate) fn start_counting(&self) {
        self.idle.borrow_mut().clear();
    }

    /// Calls `function` with `this` and as many arguments as it has parameters. `tag` is what
    /// natives see as the current user.
    ///
    /// The call may wait; whatever else runs then uses a state of its own.
    pub(crate) fn call(
        &self,
        engine: &Engine,
        function: &Callable,
        arguments: Vec<Dynamic>,
        tag: &mut Dynamic,
        this: &mut Dynamic,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut state = self.take();
        std::mem::swap(&mut state.global.tag, tag);
        let CallState {
            global,
            caches,
            scope,
        } = &mut *state;
        global.source = Some(function.file.clone());
        scope.extend(function.captured.iter().cloned());
        if !arguments.is_empty() {
            scope.extend(function.parameters.iter().cloned().zip(arguments));
        }
        // Its body, not the function by its name: Rhai would look the name up, and put the place
        // of our call, which is none, over the place where calls are nested too deep.
        let result = EvalContext::new(engine, global, caches, scope, Some(this))
            .eval_expression_tree(&Expression::from(&function.body))
            .or_else(|error| match *error {
                EvalAltResult::Return(value, _) => Ok(value),
                _ => Err(error),
            });
        std::mem::swap(&mut state.global.tag, tag);
        if result.is_ok() {
            self.put(state);
        }
        // After an error the state may hold half a call: it is thrown away.
        result
    }

    /// Calls a closure that a user kept, with `this` if there is one. It may wait.
    pub(crate) fn call_closure(
        &self,
        engine: &Engine,
        closure: &FnPtr,
        arguments: Vec<Dynamic>,
        tag: Dynamic,
        this: Option<&mut Dynamic>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut state = self.take();
        let kept = std::mem::replace(&mut state.global.tag, tag);
        let name = closure.fn_name();
        let context = NativeCallContext::new_with_all_fields(
            engine,
            name,
            None,
            &state.global,
            Position::NONE,
        );
        let result = closure.call_raw(&context, this, arguments);
        state.global.tag = kept;
        if result.is_ok() {
            self.put(state);
        }
        result
    }

    fn take(&self) -> Box<CallState> {
        if let Some(state) = self.idle.borrow_mut().pop() {
            return state;
        }
        Box::new(CallState {
            global: self.template.clone(),
            caches: Caches::new(),
            scope: Scope::new(),
        })
    }

    fn put(&self, mut state: Box<CallState>) {
        state.scope.rewind(0);
        let mut idle = self.idle.borrow_mut();
        if idle.len() < KEPT {
            idle.push(state);
        }
    }
}
