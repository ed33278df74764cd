//! The functions that an engine has, as far as a check needs to know them: names and arities.
//!
//! Types are not checked: a call may still fail when it runs.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Engine;

/// What Rhai calls by a special path, not as a registered function, and with how many arguments.
const BUILT_IN: [(&str, &[usize]); 9] = [
    ("Fn", &[1]),
    ("eval", &[1]),
    ("type_of", &[1]),
    ("is_shared", &[1]),
    ("is_def_var", &[1]),
    ("is_def_fn", &[2, 3]),
    ("print", &[1]),
    ("debug", &[1]),
    ("sleep", &[1]),
];

/// Functions that are only called as methods of these: `random(x)` is not a call of
/// `data.random()`.
const METHODS_OF: [&str; 1] = [crate::language::DATA_SOURCE];

/// Names and arities of registered functions; a method's receiver counts as an argument.
#[derive(Clone, Debug, Default)]
pub(crate) struct NativeFunctions {
    all: BTreeMap<String, BTreeSet<usize>>,
    /// Those that are not only methods.
    functions: BTreeMap<String, BTreeSet<usize>>,
}

impl NativeFunctions {
    /// All functions of an engine: Rhai's own and those registered since. Costs a fraction of a
    /// millisecond.
    #[must_use]
    pub(crate) fn of_engine(engine: &Engine) -> NativeFunctions {
        let registered = engine.collect_fn_metadata(
            None,
            |function| {
                let function = function.metadata;
                let first = function.params_info.first();
                let is_method =
                    first.is_some_and(|first| METHODS_OF.iter().any(|known| first.contains(known)));
                Some((function.name.to_string(), function.num_params, is_method))
            },
            true,
        );
        let built_in = BUILT_IN.iter().flat_map(|(name, arities)| {
            let one = |arity: &usize| ((*name).to_owned(), *arity, false);
            arities.iter().map(one)
        });
        let mut natives = NativeFunctions::default();
        for (name, arity, is_method) in registered.into_iter().chain(built_in) {
            if !is_method {
                let functions = natives.functions.entry(name.clone()).or_default();
                functions.insert(arity);
            }
            natives.all.entry(name).or_default().insert(arity);
        }
        natives
    }

    /// True if one of that name takes this many arguments.
    pub(super) fn has(&self, name: &str, arguments: usize) -> bool {
        self.arities(name).any(|arity| arity == arguments)
    }

    /// With how many arguments one of that name may be called.
    pub(super) fn arities(&self, name: &str) -> impl Iterator<Item = usize> {
        self.all.get(name).into_iter().flatten().copied()
    }

    /// With how many arguments one of that name may be called without a receiver.
    pub(super) fn function_arities(&self, name: &str) -> impl Iterator<Item = usize> {
        self.functions.get(name).into_iter().flatten().copied()
    }

    /// The names that a script can write.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all
            .keys()
            .map(String::as_str)
            .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    }
}
