//! What happens when a thread is about to crash: a stack grows, or the thread stops for good while
//! the rest of the process lives on to report it.
//!
//! Owns the signal handlers for SIGSEGV, SIGBUS, SIGILL and SIGABRT, which run on the alternate
//! stack that Rust gives each of its threads. A handler may take no lock and allocate nothing, so
//! it only leaves a few numbers, which their reader must interpret.

use std::cell::Cell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::STACK;
use super::memory::Bounds;

/// What a coroutine is for, in numbers of its owner's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Who owns it.
    pub owner: u64,
    /// The kind of owner.
    pub kind: u32,
    /// What it does.
    pub work: u32,
}

/// A thread that crashed and has stood still since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The number that the thread passed to [`survive`].
    pub thread: u32,
    /// Why.
    pub cause: Cause,
    /// What it was doing; `None` outside a coroutine.
    pub label: Option<Label>,
}

/// Why a thread crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A stack was used up.
    Overflow,
    /// The process called `abort`: out of memory, or a panic during another.
    Abort,
    /// An invalid address was accessed, or an illegal instruction reached.
    Fault,
}

/// The first crash of the group that crashed last. It is global because a signal handler can reach nothing else: none of its
/// arguments are ours.
struct Slot {
    /// See the constants below.
    state: AtomicU32,
    group: AtomicU32,
    thread: AtomicU32,
    cause: AtomicU32,
    is_labelled: AtomicU32,
    owner: AtomicU64,
    kind: AtomicU32,
    work: AtomicU32,
}

const EMPTY: u32 = 0;
const TAKEN: u32 = 1;
const FILLED: u32 = 2;

static SLOT: Slot = Slot {
    state: AtomicU32::new(EMPTY),
    group: AtomicU32::new(0),
    thread: AtomicU32::new(0),
    cause: AtomicU32::new(0),
    is_labelled: AtomicU32::new(0),
    owner: AtomicU64::new(0),
    kind: AtomicU32::new(0),
    work: AtomicU32::new(0),
};

/// The signals that are handled, and their previous handlers.
const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGABRT];

static BEFORE: [AtomicUsize; SIGNALS.len()] = [const { AtomicUsize::new(0) }; SIGNALS.len()];

thread_local! {
    /// The group of this thread and its number in it, if it may stop without ending the process.
    static SURVIVED: Cell<Option<(u32, u32)>> = const { Cell::new(None) };
}

/// A number for threads that belong together, which no others have: a process may make one run after
/// the other, and a crash is of one of them.
#[must_use]
pub fn new_group() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// From now on a crash of this thread, number `thread` of its group, does not end the process: the
/// thread stands still, and [`crash`] reports it. Its locks stay locked, so nothing may wait for it
/// without a time limit.
pub fn survive(group: u32, thread: u32) {
    install();
    SURVIVED.set(Some((group, thread)));
}

/// The first crash of a thread of this group that called [`survive`], if there has been one.
#[must_use]
pub fn crash(group: u32) -> Option<Crash> {
    if SLOT.state.load(Ordering::Acquire) != FILLED || SLOT.group.load(Ordering::Relaxed) != group {
        return None;
    }
    let cause = match SLOT.cause.load(Ordering::Relaxed) {
        0 => Cause::Overflow,
        1 => Cause::Abort,
        _ => Cause::Fault,
    };
    let label = Label {
        owner: SLOT.owner.load(Ordering::Relaxed),
        kind: SLOT.kind.load(Ordering::Relaxed),
        work: SLOT.work.load(Ordering::Relaxed),
    };
    Some(Crash {
        thread: SLOT.thread.load(Ordering::Relaxed),
        cause,
        label: (SLOT.is_labelled.load(Ordering::Relaxed) == 1).then_some(label),
    })
}

/// Sets up the handlers, once per process.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
            // SAFETY: an all-zero `sigaction` is a valid one; the handler below keeps to what a
            // handler may do, and runs on the alternate stack.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                let mut old: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = on_signal as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&raw mut action.sa_mask);
                if libc::sigaction(signal, &raw const action, &raw mut old) == 0 {
                    let old = Box::into_raw(Box::new(old));
                    before.store(old as usize, Ordering::Release);
                }
            }
        }
    });
}

/// The handler.
extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    let mut cause = match signal {
        libc::SIGABRT => Cause::Abort,
        _ => Cause::Fault,
    };
    // SAFETY: the driver sets it to the bounds of the stack it switches to, and clears it when the
    // thread is back on its own; a stack is not dropped while a thread is on it.
    let stack = unsafe { STACK.get().as_ref() };
    if let Some(bounds) = stack
        && signal == libc::SIGSEGV
    {
        // SAFETY: the kernel gives a valid `siginfo_t`, and for this signal it has an address.
        let address = unsafe { (*info).si_addr() } as usize;
        if bounds.grow(address) {
            return;
        }
        if bounds.is_overrun(address) {
            cause = Cause::Overflow;
        }
    }
    let Some((group, thread)) = SURVIVED.get() else {
        pass_on(signal);
        return;
    };
    let take = |from| {
        let state = &SLOT.state;
        state.compare_exchange(from, TAKEN, Ordering::Acquire, Ordering::Relaxed)
    };
    let is_of_others = || SLOT.group.load(Ordering::Relaxed) != group;
    if take(EMPTY).is_ok() || is_of_others() && take(FILLED).is_ok() {
        SLOT.group.store(group, Ordering::Relaxed);
        SLOT.thread.store(thread, Ordering::Relaxed);
        let code = match cause {
            Cause::Overflow => 0,
            Cause::Abort => 1,
            Cause::Fault => 2,
        };
        SLOT.cause.store(code, Ordering::Relaxed);
        let label = stack.map(Bounds::label);
        SLOT.is_labelled
            .store(label.is_some().into(), Ordering::Relaxed);
        if let Some(label) = label {
            SLOT.owner.store(label.owner, Ordering::Relaxed);
            SLOT.kind.store(label.kind, Ordering::Relaxed);
            SLOT.work.store(label.work, Ordering::Relaxed);
        }
        SLOT.state.store(FILLED, Ordering::Release);
    }
    loop {
        // SAFETY: waiting for a signal touches nothing. Every signal can also be delivered to other
        // threads.
        unsafe { libc::pause() };
    }
}

/// Restores the previous handler: the failing instruction is executed again, or `abort` raises the
/// signal again.
fn pass_on(signal: c_int) {
    let before = SIGNALS.iter().position(|known| *known == signal);
    let before = before.map_or(0, |index| BEFORE[index].load(Ordering::Acquire));
    // SAFETY: the pointer is null or leads to a `sigaction` that is never freed.
    unsafe {
        if before == 0 {
            libc::signal(signal, libc::SIG_DFL);
        } else {
            libc::sigaction(signal, before as *const libc::sigaction, ptr::null_mut());
        }
    }
}
