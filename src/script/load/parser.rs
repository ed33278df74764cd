//! Rhai's parser as Katydid sets it up: its limits, and that the same text always gives the same.
//!
//! Owns what applies to every script, whether it runs or is only looked at. `run/engine` runs it;
//! `api` has the functions that it may call.

use std::sync::Once;

use rhai::packages::{Package, StandardPackage};
use rhai::{Engine, OptimizationLevel};

/// Calls of script functions inside one another.
const CALL_LEVELS: usize = 64;

/// Functions and closures of a file. For each variable Rhai's parser looks through all of them:
/// 20,000 took it 6 s, 5,000 take 0.4 s.
const FUNCTIONS: usize = 5_000;

/// Keys of a map that is written out, and variables that are there at once: Rhai's parser compares
/// each with all before it. 100,000 keys took it over a minute; either of these takes 0.2 s.
const KEYS_WRITTEN: usize = 10_000;
const VARIABLES: usize = 5_000;

/// Elements of arrays and maps.
const ELEMENTS: usize = 100_000;

/// Nested expressions; Rhai's own default refuses real scripts.
const EXPRESSION_DEPTH: usize = 256;

/// Strings kept to be shared; Rhai's own default.
const STRINGS_INTERNED: usize = 256;

/// An engine that only parses.
pub(crate) fn parser() -> Engine {
    let mut engine = either();
    engine.set_max_map_size(KEYS_WRITTEN);
    #[expect(
        deprecated,
        reason = "Rhai's mark for a volatile function; the version is pinned"
    )]
    engine.on_def_var(|_, _, context| Ok(context.scope().len() < VARIABLES));
    engine
}

/// What holds for parsing and running.
pub(crate) fn either() -> Engine {
    static SEED: Once = Once::new();
    SEED.call_once(|| {
        // Closures are named by a hash: without a fixed seed they, and so exceptions, would
        // differ from one process to the next. It fails only when a seed is set already.
        let _ = rhai::config::hashing::set_hashing_seed(Some([0x6b61, 0x7479, 0x6469, 0x6421]));
    });
    // Not `Engine::new`: it would take what `print` and `debug` return and write it to stdout.
    let mut engine = Engine::new_raw();
    engine.set_max_strings_interned(STRINGS_INTERNED);
    engine.register_global_module(StandardPackage::new().as_shared_module());
    // The optimiser breaks `const` closures and lets captured constants change.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_strict_variables(true);
    // It could define and hide what the load-time check is to see.
    engine.disable_symbol("eval");
    engine.set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH);
    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_functions(FUNCTIONS);
    engine.set_max_string_size(16 << 20);
    engine.set_max_array_size(ELEMENTS);
    engine.set_max_map_size(ELEMENTS);
    engine
}
