//! The memory of one stack: a small part that is usable, and room below it to grow into.
//!
//! Owns the mapping and its growth. Rhai drops, copies and compares values by recursion, one frame
//! a level and without any check, so how much stack an operation needs depends on a script's data.
//! Reserved room costs addresses, but neither memory nor a promise of memory
//! (`vm.overcommit_memory=2` does not count it); the signal handler in `faults` makes it usable
//! when it is accessed.

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;

use corosensei::stack::valgrind::ValgrindStackRegistration;
use corosensei::stack::{Stack, StackPointer};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::process::{Resource, getrlimit};

use super::faults::Label;

/// Bytes that are usable from the beginning. A flat script task touches 13 KB of it (72 KB
/// unoptimised); each script call inside another takes 6 to 18 KB (53 to 121 KB) more, an
/// expression of the deepest nesting more than 208 KB. Below 2 MiB the kernel never backs it with a
/// huge page.
pub(super) const USABLE: usize = if cfg!(debug_assertions) {
    1 << 20
} else {
    512 << 10
};

/// Bytes that a stack may grow to. Rhai's own limits allow 100,000 arrays or maps inside one
/// another, and dropping, copying or measuring them takes up to 0.4 KB a level (unoptimised twice
/// that).
const RESERVED: usize = if cfg!(debug_assertions) {
    128 << 20
} else {
    64 << 20
};

/// What is reserved at least where addresses are scarce: under `ulimit -v`, or on a kernel with
/// small address spaces.
const RESERVED_AT_LEAST: usize = 4 << 20;

/// One stack's mapping.
pub(super) struct Memory {
    bounds: Box<Bounds>,
    valgrind: ManuallyDrop<ValgrindStackRegistration>,
}

/// Where a stack lies. Boxed, because the signal handler looks at it while the stack's owner may be
/// moved.
pub(super) struct Bounds {
    /// The highest address.
    base: usize,
    /// The lowest address of the mapping. Nothing from here to `floor` ever becomes usable.
    bottom: usize,
    /// The lowest address that may become usable.
    floor: usize,
    /// The lowest address that is usable now.
    usable: Cell<usize>,
    /// What runs on it.
    label: Cell<Label>,
}

impl Bounds {
    pub(super) fn label(&self) -> Label {
        self.label.get()
    }

    /// Whether the guard page is hit: the stack cannot grow any more.
    pub(super) fn is_overrun(&self, address: usize) -> bool {
        (self.bottom..self.floor).contains(&address)
    }

    /// Makes an address of the reserved room usable, at least doubling the stack; false if the
    /// address is elsewhere or the kernel has no memory left to promise.
    ///
    /// For the signal handler: takes no lock and allocates nothing.
    pub(super) fn grow(&self, address: usize) -> bool {
        let usable = self.usable.get();
        if !(self.floor..usable).contains(&address) {
            return false;
        }
        let doubled = usable.saturating_sub(self.base - usable);
        let wanted = doubled.min(address & !(PAGE - 1)).max(self.floor);
        // SAFETY: from `floor` to `usable` lies reserved memory of this mapping, which was
        // inaccessible so far; all bounds are multiples of the page size.
        let result = unsafe {
            mprotect(
                wanted as *mut _,
                usable - wanted,
                MprotectFlags::READ | MprotectFlags::WRITE,
            )
        };
        if result.is_ok() {
            self.usable.set(wanted);
        }
        result.is_ok()
    }
}

/// What bounds are rounded to: a multiple of any page size that Linux uses here.
const PAGE: usize = 64 << 10;

impl Memory {
    /// A new mapping.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn new() -> io::Result<Memory> {
        let scarce = getrlimit(Resource::As).current.is_some();
        if !scarce && let Ok(memory) = Memory::reserving(RESERVED) {
            return Ok(memory);
        }
        Memory::reserving(RESERVED_AT_LEAST)
    }

    fn reserving(reserved: usize) -> io::Result<Memory> {
        // An odd number of pages: mappings lie side by side, and with a round distance the live ends
        // of all stacks would fall into one set of the TLB.
        let length = reserved + PAGE + rustix::param::page_size();
        // SAFETY: a mapping at an address of the kernel's choice overlaps nothing.
        let bottom = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                length,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )?
        };
        let bottom = bottom as usize;
        let base = bottom + length;
        // Bounds are rounded inwards: the kernel may start a mapping at any page.
        let floor = (bottom + PAGE).next_multiple_of(PAGE);
        let usable = (base - USABLE) & !(PAGE - 1);
        let memory = Memory {
            bounds: Box::new(Bounds {
                base,
                bottom,
                floor,
                usable: Cell::new(usable),
                label: Cell::default(),
            }),
            valgrind: ManuallyDrop::new(ValgrindStackRegistration::new(bottom as *mut u8, length)),
        };
        // SAFETY: this is the high end of the mapping just made.
        unsafe {
            mprotect(
                usable as *mut _,
                base - usable,
                MprotectFlags::READ | MprotectFlags::WRITE,
            )?;
        }
        Ok(memory)
    }

    /// Sets what runs there from now on, and returns where it lies. The pointer is valid for as
    /// long as this is.
    pub(super) fn labelled(&self, label: Label) -> *const Bounds {
        self.bounds.label.set(label);
        &raw const *self.bounds
    }

    /// The lowest address that scripts may use; below it is room for what they call.
    pub(super) fn limit_of_scripts(&self) -> usize {
        self.bounds.base - USABLE
    }

    /// Whether it has grown, and so holds more memory than others from now on.
    pub(super) fn has_grown(&self) -> bool {
        self.bounds.base - self.bounds.usable.get() > USABLE + PAGE
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the registration is dropped once, here.
        unsafe { ManuallyDrop::drop(&mut self.valgrind) };
        let Bounds { base, bottom, .. } = *self.bounds;
        // SAFETY: the mapping is ours alone, and nothing runs on it any more.
        let unmapped = unsafe { munmap(bottom as *mut _, base - bottom) };
        debug_assert!(unmapped.is_ok());
    }
}

// SAFETY: the lowest pages of the mapping are never made usable, and far more than the minimum
// above them is.
unsafe impl Stack for Memory {
    fn base(&self) -> StackPointer {
        StackPointer::new(self.bounds.base).expect("the kernel maps nothing at address zero")
    }

    fn limit(&self) -> StackPointer {
        StackPointer::new(self.bounds.bottom).expect("the kernel maps nothing at address zero")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_where_it_is_touched_and_no_further_than_its_guard() {
        let memory = Memory::new().unwrap();
        let bounds = &memory.bounds;
        assert!(!memory.has_grown());
        assert!(!bounds.grow(bounds.base - 1), "what is usable is no fault");
        let just_below = bounds.usable.get() - 1;
        assert!(bounds.grow(just_below));
        let used = bounds.base - bounds.usable.get();
        assert!(used >= 2 * USABLE, "it grows by doubling: {used}");
        assert!(memory.has_grown());
        assert!(bounds.grow(bounds.floor));
        assert_eq!(bounds.usable.get(), bounds.floor);
        assert!(!bounds.grow(bounds.floor - 1) && bounds.is_overrun(bounds.floor - 1));
    }
}
