//! The fast way into a script function: a call state that is kept, not built anew.
//!
//! The only file that uses Rhai's internals while users run; an upgrade of Rhai touches this one.
//! `Engine::call_fn` starts with an empty runtime state each time: imports, constants and the
//! closures of imported files would be gone, and every function would be looked up afresh.

use std::cell::{Cell, RefCell};

use rhai::{
    Caches, Dynamic, Engine, EvalAltResult, EvalContext, FnPtr, GlobalRuntimeState,
    ImmutableString, Module, Scope, Shared,
};

/// States kept for the next call; more are dropped.
const KEPT: usize = 256;

/// A function of the script that Katydid calls: a task, a hook, a wait.
#[derive(Clone, Debug)]
pub(super) struct Callable {
    name: ImmutableString,
    /// What its closure captured: constants, see [`Callable::new`].
    captured: Vec<Dynamic>,
}

impl Callable {
    /// Takes a closure out of a script.
    ///
    /// A captured variable is one cell for all users of the thread; while one user waits with the
    /// cell locked, the next gets "data race detected". So captures become values of their own.
    pub(super) fn new(mut function: FnPtr) -> Callable {
        for captured in function.iter_curry_mut() {
            *captured = std::mem::take(captured).flatten();
        }
        Callable {
            name: function.fn_name().into(),
            captured: function.curry().to_vec(),
        }
    }
}

/// What a running call needs of Rhai. Never shared by two users, never kept by a waiting one.
pub(super) struct CallState {
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
}

/// Makes and keeps the call states of one user class.
pub(super) struct CallStates {
    template: GlobalRuntimeState,
    #[expect(clippy::vec_box, reason = "a state is moved in and out, and is 1.1 KB")]
    idle: RefCell<Vec<Box<CallState>>>,
    made: Cell<usize>,
}

impl CallStates {
    /// `global` is the state that the top level of the script left behind; `methods` are found
    /// before all other functions.
    pub(super) fn new(global: &GlobalRuntimeState, methods: Vec<Shared<Module>>) -> CallStates {
        let mut template = global.clone();
        template.lib.extend(methods);
        CallStates {
            template,
            idle: RefCell::default(),
            made: Cell::new(0),
        }
    }

    /// Calls `function` with `this`. `tag` is what natives see as the current user.
    ///
    /// The call may wait; whatever else runs then uses a state of its own.
    pub(super) fn call(
        &self,
        engine: &Engine,
        function: &Callable,
        tag: &mut Dynamic,
        this: &mut Dynamic,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut state = self.take();
        std::mem::swap(&mut state.global.tag, tag);
        let mut captured = function.captured.clone();
        let mut arguments = rhai::FnArgsVec::with_capacity(1 + captured.len());
        arguments.push(this);
        arguments.extend(captured.iter_mut());
        let CallState {
            global,
            caches,
            scope,
        } = &mut *state;
        let result = EvalContext::new(engine, global, caches, scope, None).call_fn_raw(
            &function.name,
            true,
            true,
            &mut arguments,
        );
        std::mem::swap(&mut state.global.tag, tag);
        if result.is_ok() {
            self.put(state);
        }
        // After an error the state may hold half a call: it is thrown away.
        result
    }

    fn take(&self) -> Box<CallState> {
        if let Some(state) = self.idle.borrow_mut().pop() {
            return state;
        }
        self.made.set(self.made.get() + 1);
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
