//! The stacks of one thread: pooled, reserved rather than committed, given back when unused.
//!
//! Owns the memory between two uses, not what runs on it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use super::faults;
use super::memory::Memory;

/// Idle stacks that are never given back.
const KEPT: usize = 64;

/// Stacks whose live ends fit into a core's caches.
const CACHED: usize = 96;

/// Mappings a process may have if the kernel does not say: its default.
const MAPPINGS: usize = 65_530;

/// Mappings left to everything else. With none left the allocator fails, which ends the process.
const OTHER_MAPPINGS: usize = 4_096;

/// A pool of stacks. Clones share it.
#[derive(Clone)]
pub struct Stacks {
    shared: Rc<StackPool>,
}

struct StackPool {
    /// How many stacks there may be, in use or idle.
    most: usize,
    made: Cell<usize>,
    idle: RefCell<Vec<Memory>>,
    /// The fewest stacks that were idle at once since the last [`Stacks::trim`].
    fewest_idle: Cell<usize>,
}

/// A stack on which nothing runs yet.
pub struct Stack {
    pub(super) memory: Memory,
    pub(super) home: Stacks,
}

impl Stacks {
    /// An empty pool, one of `pools` that share what the kernel allows the process.
    #[must_use]
    pub fn new(pools: u32) -> Stacks {
        let allowed = std::fs::read_to_string("/proc/sys/vm/max_map_count");
        let allowed = allowed.ok().and_then(|text| text.trim().parse().ok());
        let stacks = allowed.unwrap_or(MAPPINGS).saturating_sub(OTHER_MAPPINGS) / 2;
        Stacks::of_at_most((stacks / pools.max(1) as usize).max(1))
    }

    fn of_at_most(most: usize) -> Stacks {
        faults::install();
        let shared = StackPool {
            most,
            made: Cell::new(0),
            idle: RefCell::default(),
            fewest_idle: Cell::new(0),
        };
        Stacks {
            shared: Rc::new(shared),
        }
    }

    /// A stack from the pool, or a new one if it is empty, which costs two memory mappings.
    ///
    /// # Errors
    /// When no stack is available: the kernel allows a process 65,530 mappings by default, some of
    /// which are left to the rest of the process.
    pub fn take(&self) -> io::Result<Stack> {
        let mut idle = self.shared.idle.borrow_mut();
        let memory = match idle.pop() {
            Some(memory) => {
                let fewest = self.shared.fewest_idle.get().min(idle.len());
                self.shared.fewest_idle.set(fewest);
                memory
            }
            None => {
                let made = self.shared.made.get();
                if made >= self.shared.most {
                    return Err(rustix::io::Errno::NOMEM.into());
                }
                let memory = Memory::new()?;
                self.shared.made.set(made + 1);
                memory
            }
        };
        Ok(Stack {
            memory,
            home: self.clone(),
        })
    }

    /// Whether there are more stacks than fit into a core's caches: 13 KB of each are live while a
    /// request is under way, and a core has 1 to 2 MB of its own.
    pub(super) fn exceed_cache(&self) -> bool {
        self.shared.made.get() > CACHED
    }

    /// Takes a stack back. One that has grown is returned to the kernel: it may hold megabytes.
    pub(super) fn put(&self, stack: Memory) {
        if stack.has_grown() {
            self.shared.made.set(self.shared.made.get() - 1);
            return;
        }
        self.shared.idle.borrow_mut().push(stack);
    }

    /// Returns to the kernel half of the stacks unused since the last call. Called a few times a
    /// second, it follows a falling load without remapping at every task.
    pub fn trim(&self) {
        let mut idle = self.shared.idle.borrow_mut();
        let unused = self.shared.fewest_idle.replace(idle.len());
        let surplus = unused.saturating_sub(KEPT).div_ceil(2);
        // The oldest are at the front; the most recently used are still in the cache.
        idle.drain(..surplus);
        self.shared.made.set(self.shared.made.get() - surplus);
        self.shared.fewest_idle.set(idle.len());
    }

    /// How many stacks lie idle.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.shared.idle.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many_stacks() {
        let stacks = Stacks::of_at_most(2);
        let (one, two) = (stacks.take().unwrap(), stacks.take().unwrap());
        let error = stacks.take().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        stacks.put(one.memory);
        let again = stacks.take().unwrap();
        assert!(stacks.take().is_err());
        drop((two, again));
    }

    #[test]
    fn the_pools_of_a_process_share_what_the_kernel_allows() {
        let (one, four) = (Stacks::new(1), Stacks::new(4));
        assert!(one.shared.most > 1_000 && one.shared.most < usize::MAX / 2);
        assert_eq!(four.shared.most, one.shared.most / 4);
    }
}
