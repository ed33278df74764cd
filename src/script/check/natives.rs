//! The functions that an engine has, as far as a check needs to know them: names and arities.
//!
//! Types are not judged: a call may still fail when it runs.

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

/// Names and arities of registered functions; a method's receiver counts as an argument.
#[derive(Clone, Debug, Default)]
pub(in crate::script) struct NativeFunctions(BTreeMap<String, BTreeSet<usize>>);

impl NativeFunctions {
    /// All functions of an engine: Rhai's own and those registered since. Costs a fraction of a
    /// millisecond.
    #[must_use]
    pub(in crate::script) fn of_engine(engine: &Engine) -> NativeFunctions {
        let registered = engine.collect_fn_metadata(
            None,
            |function| {
                let function = function.metadata;
                Some((function.name.to_string(), function.num_params))
            },
            true,
        );
        let built_in = BUILT_IN
            .iter()
            .flat_map(|(name, arities)| arities.iter().map(|arity| ((*name).to_owned(), *arity)));
        let mut all = NativeFunctions::default();
        for (name, arity) in registered.into_iter().chain(built_in) {
            all.0.entry(name).or_default().insert(arity);
        }
        all
    }

    /// True if there is one of that name that takes so many arguments.
    pub(super) fn has(&self, name: &str, arguments: usize) -> bool {
        self.arities(name).any(|arity| arity == arguments)
    }

    /// With how many arguments one of that name may be called.
    pub(super) fn arities(&self, name: &str) -> impl Iterator<Item = usize> {
        self.0.get(name).into_iter().flatten().copied()
    }

    /// The names that a script can write.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    }
}
