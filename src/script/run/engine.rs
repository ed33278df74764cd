//! The Rhai engine that runs users: the hooks that keep them fair and within their bounds.
//!
//! Owns what happens at each operation of a script. `load/parser` parses; `api` has the functions
//! that a script may call.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::{Dynamic, Engine};

use super::extent::Gauge;
use super::failure::{Control, EvaluationStop};
use crate::clock::{self, Micros};
use crate::coroutine;
use crate::script::load::parser;

/// Stack that must remain: Rhai may need this much before it asks again, and so may a native
/// function called just before the end. Whatever needs more, for very deeply nested values, makes
/// the stack grow.
const STACK_RESERVE: usize = if cfg!(debug_assertions) {
    192 << 10
} else {
    128 << 10
};

/// How long a user may compute before the others of its thread run.
const SLICE_US: u64 = 1_000;

/// The most operations between two looks at the clock (a power of two). When one is a native call
/// of milliseconds, there is a look after each, until they are short again.
const LOOK_EVERY: u64 = 64;

/// Looks further apart than this are too rare, closer than this too frequent.
const TOO_RARE_US: u64 = 200;
const TOO_MANY_US: u64 = 20;

/// Whether the process is almost out of memory. A static, because memory belongs to the process.
static IS_MEMORY_SHORT: AtomicBool = AtomicBool::new(false);

/// Makes scripts that run for users fail within a few operations, or stops doing so. An order to
/// each user would arrive only after it had taken more memory.
pub fn fail_for_memory(is_short: bool) {
    IS_MEMORY_SHORT.store(is_short, Ordering::Relaxed);
}

/// How long the top level of a script may compute.
const TOP_LEVEL_LIMIT_S: u64 = 10;

/// An engine that runs users: it stops them, makes them yield in time, and checks their stack and
/// what their variables hold against `most_bytes`.
pub(crate) fn runner(most_bytes: u64) -> Engine {
    let mut engine = parser::either();
    // Otherwise each method call on a user looks for the name of its type in twenty places.
    engine.register_type_with_name_raw("map", "map");
    let watchdog = Watchdog::new();
    engine.on_progress(move |operations| watchdog.progress(operations));
    let gauge = Gauge::new(most_bytes);
    #[expect(
        deprecated,
        reason = "Rhai's mark for a volatile function; the version is pinned"
    )]
    engine.on_var(move |_, _, context| {
        gauge.read(&context)?;
        Ok(None)
    });
    engine
}

/// Limits how long scripts compute on one thread.
struct Watchdog {
    /// The coroutine's turn seen at the last look, when it began, and when that look was.
    turn: Cell<u64>,
    began: Cell<Micros>,
    looked: Cell<Micros>,
    /// There is a look when these bits of the number of operations are all zero.
    mask: Cell<u64>,
}

impl Watchdog {
    fn new() -> Watchdog {
        Watchdog {
            turn: Cell::new(0),
            began: Cell::new(clock::now()),
            looked: Cell::new(clock::now()),
            mask: Cell::new(LOOK_EVERY - 1),
        }
    }

    /// What happens at every operation of a script: nearly always a few comparisons.
    fn progress(&self, operations: u64) -> Option<Dynamic> {
        let Some(running) = coroutine::running() else {
            return self.top_level(operations);
        };
        if running.leaving {
            // The script caught the error that should have ended it.
            return Some(Control::Cancelled.into());
        }
        if running.remaining_stack < STACK_RESERVE {
            return Some(Control::TooDeep.into());
        }
        if operations & self.mask.get() != 0 {
            return None;
        }
        self.look()
    }

    #[inline(never)]
    fn look(&self) -> Option<Dynamic> {
        // Taking much memory takes time, so by then there is a look after each operation.
        if IS_MEMORY_SHORT.load(Ordering::Relaxed) {
            return Some(Control::MemoryIsShort.into());
        }
        let now = clock::now();
        let turn = coroutine::turns();
        let gap_us = now.since(self.looked.replace(now));
        if self.turn.replace(turn) != turn {
            self.began.set(now);
            return None;
        }
        let mask = self.mask.get();
        if gap_us > TOO_RARE_US {
            self.mask.set(mask >> 2);
        } else if gap_us < TOO_MANY_US {
            self.mask.set((mask << 2 | 3) & (LOOK_EVERY - 1));
        }
        if now.since(self.began.get()) > SLICE_US && coroutine::yield_now().is_err() {
            return Some(Control::Cancelled.into());
        }
        None
    }

    /// Outside a coroutine only a script's top level runs; it is ended when it takes too long.
    fn top_level(&self, operations: u64) -> Option<Dynamic> {
        if operations <= 1 {
            self.began.set(clock::now());
        } else if operations.is_multiple_of(LOOK_EVERY)
            && clock::now().since(self.began.get()) > TOP_LEVEL_LIMIT_S * 1_000_000
        {
            return Some(EvaluationStop::TooLong.into());
        }
        None
    }
}
