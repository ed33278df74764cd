//! The stacks of one thread: pooled, reserved rather than committed, given back when unused.
//!
//! Owns the memory between two uses; what runs on a stack is not its business.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use corosensei::stack::DefaultStack;

/// Bytes reserved for one stack. A flat script task touches 13 KB of it (72 KB unoptimised); each
/// script call inside another takes 6 to 18 KB (53 to 121 KB) more, an expression of the deepest
/// nesting more than 208 KB. Below 2 MiB the kernel never backs it with a huge page.
const STACK_SIZE: usize = if cfg!(debug_assertions) {
    1 << 20
} else {
    512 << 10
};

/// Idle stacks that are never given back.
const KEPT: usize = 64;

/// A pool of stacks. Clones share it.
#[derive(Clone, Default)]
pub struct Stacks {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    idle: RefCell<Vec<DefaultStack>>,
    /// The fewest stacks that were idle at once since the last [`Stacks::trim`].
    fewest_idle: Cell<usize>,
}

/// A stack that nothing runs on yet.
pub struct Stack {
    pub(super) memory: DefaultStack,
    pub(super) home: Stacks,
}

impl Stacks {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Stacks {
        Stacks::default()
    }

    /// A stack from the pool, or a new one if that is empty, which costs two memory mappings.
    ///
    /// # Errors
    /// When no stack can be had: the kernel allows a process 65,530 mappings by default.
    pub fn take(&self) -> io::Result<Stack> {
        let mut idle = self.shared.idle.borrow_mut();
        let memory = match idle.pop() {
            Some(memory) => {
                let fewest = self.shared.fewest_idle.get().min(idle.len());
                self.shared.fewest_idle.set(fewest);
                memory
            }
            None => DefaultStack::new(STACK_SIZE)?,
        };
        Ok(Stack {
            memory,
            home: self.clone(),
        })
    }

    pub(super) fn put(&self, stack: DefaultStack) {
        self.shared.idle.borrow_mut().push(stack);
    }

    /// Gives back to the kernel half of the stacks that nobody has used since the last call.
    /// Called a few times a second it follows a falling load without a mapping per task.
    pub fn trim(&self) {
        let mut idle = self.shared.idle.borrow_mut();
        let unused = self.shared.fewest_idle.replace(idle.len());
        let surplus = unused.saturating_sub(KEPT).div_ceil(2);
        // The oldest lie at the front: the last used are the ones still in the cache.
        idle.drain(..surplus);
        self.shared.fewest_idle.set(idle.len());
    }

    /// How many stacks lie idle.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.shared.idle.borrow().len()
    }
}

/// Bytes at the low end of a stack that may not be touched: one page.
pub(super) fn guard_size() -> usize {
    rustix::param::page_size()
}
