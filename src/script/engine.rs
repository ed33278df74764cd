//! The Rhai engine as Katydid sets it up: limits, determinism, and the hook that keeps users fair.
//!
//! Owns what holds for every script; the functions a script may call are registered elsewhere.

use std::cell::Cell;
use std::sync::Once;

use rhai::{Dynamic, Engine, OptimizationLevel};

use super::failure::Control;
use crate::clock::{self, Micros};
use crate::coroutine;

/// Calls of script functions inside one another.
const CALL_LEVELS: usize = 64;

/// Nested expressions; Rhai's own default refuses real scripts.
const EXPRESSION_DEPTH: usize = 256;

/// Stack that must remain: Rhai may need this much before it asks again (and a native function
/// called just before the end is no exception).
const STACK_RESERVE: usize = if cfg!(debug_assertions) {
    192 << 10
} else {
    48 << 10
};

/// How long a user may compute before the others of its thread run.
const SLICE_US: u64 = 1_000;

/// How many operations pass between two looks at the clock (a power of two).
const LOOK_EVERY: u64 = 256;

/// How long the top level of a script may compute.
const TOP_LEVEL_LIMIT_S: u64 = 10;

/// An engine that only parses.
pub(super) fn parser() -> Engine {
    static SEED: Once = Once::new();
    SEED.call_once(|| {
        // Closures are named by a hash: without a fixed seed they, and so exceptions, would
        // differ from one process to the next. It fails only when a seed is set already.
        let _ = rhai::config::hashing::set_hashing_seed(Some([0x6b61, 0x7479, 0x6469, 0x6421]));
    });
    let mut engine = Engine::new();
    // The optimiser breaks `const` closures and lets captured constants change.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_strict_variables(true);
    engine.set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH);
    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_string_size(16 << 20);
    engine.set_max_array_size(100_000);
    engine.set_max_map_size(100_000);
    engine
}

/// An engine that runs: a user is stopped, checked for its stack and made to yield in time.
pub(super) fn runner() -> Engine {
    let mut engine = parser();
    let slice = Cell::new((0_u64, clock::now()));
    engine.on_progress(move |operations| progress(operations, &slice));
    engine
}

/// What happens at every operation of a script: nearly always two comparisons.
fn progress(operations: u64, slice: &Cell<(u64, Micros)>) -> Option<Dynamic> {
    let Some(running) = coroutine::running() else {
        return top_level_progress(operations, slice);
    };
    if running.leaving {
        // A script caught what should have ended it.
        return Some(Control::Cancelled.into());
    }
    if running.remaining_stack < STACK_RESERVE {
        return Some(Control::TooDeep.into());
    }
    if !operations.is_multiple_of(LOOK_EVERY) {
        return None;
    }
    let (switches, started) = slice.get();
    if switches != coroutine::switches() {
        slice.set((coroutine::switches(), clock::now()));
    } else if clock::now().since(started) > SLICE_US && coroutine::yield_now().is_err() {
        return Some(Control::Cancelled.into());
    }
    None
}

/// Outside a coroutine only the top level of a script runs: it is ended when it takes too long.
fn top_level_progress(operations: u64, slice: &Cell<(u64, Micros)>) -> Option<Dynamic> {
    if operations <= 1 {
        slice.set((coroutine::switches(), clock::now()));
    } else if operations.is_multiple_of(LOOK_EVERY)
        && clock::now().since(slice.get().1) > TOP_LEVEL_LIMIT_S * 1_000_000
    {
        return Some(Control::TopLevelTooLong.into());
    }
    None
}
