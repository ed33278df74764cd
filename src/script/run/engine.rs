//! The Rhai engine that runs users: the hooks that keep them fair and within their bounds.
//!
//! Owns what happens at each operation of a script. What the parser takes is `load/parser`'s, the
//! functions a script may call are `api`'s.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::{Dynamic, Engine};

use super::extent::Gauge;
use super::failure::Control;
use crate::clock::{self, Micros};
use crate::coroutine;
use crate::script::load::parser;

/// Stack that must remain: Rhai may need this much before it asks again, and a native function
/// called just before the end is no exception. What needs more, for values that are nested very
/// deep, makes the stack grow.
const STACK_RESERVE: usize = if cfg!(debug_assertions) {
    192 << 10
} else {
    128 << 10
};

/// How long a user may compute before the others of its thread run.
const SLICE_US: u64 = 1_000;

/// How many operations pass between two looks at the clock at most (a power of two). One may be a
/// native call of milliseconds: then there is a look after each, until they are short again.
const LOOK_EVERY: u64 = 64;

/// Looks this far apart are too rare, and this near too many.
const TOO_RARE_US: u64 = 200;
const TOO_MANY_US: u64 = 20;

/// Whether the process has hardly any memory left. It belongs to the process, as memory does.
static IS_MEMORY_SHORT: AtomicBool = AtomicBool::new(false);

/// From now on scripts that run for users fail soon, within a few operations, or none does any
/// more: an order would come after each user has taken more.
pub fn fail_for_memory(is_short: bool) {
    IS_MEMORY_SHORT.store(is_short, Ordering::Relaxed);
}

/// How long the top level of a script may compute.
const TOP_LEVEL_LIMIT_S: u64 = 10;

/// An engine that runs: a user is stopped, checked for its stack and what its variables hold, of
/// which there may be so many bytes, and made to yield in time.
pub(crate) fn runner(most_bytes: u64) -> Engine {
    let mut engine = parser::either();
    // Else each method call on a user looks for the name of its type in twenty places.
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

/// Watches over what computes on one thread.
struct Watchdog {
    /// The coroutine's turn, as far as it was seen, and when that was.
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
            // A script caught what should have ended it.
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
        // What takes much memory takes time, and then there is a look after each operation.
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

    /// Outside a coroutine only the top level of a script runs: it is ended when it takes too long.
    fn top_level(&self, operations: u64) -> Option<Dynamic> {
        if operations <= 1 {
            self.began.set(clock::now());
        } else if operations.is_multiple_of(LOOK_EVERY)
            && clock::now().since(self.began.get()) > TOP_LEVEL_LIMIT_S * 1_000_000
        {
            return Some(Control::TopLevelTooLong.into());
        }
        None
    }
}
