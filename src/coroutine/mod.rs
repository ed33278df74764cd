//! Stackful coroutines: synchronous code that may wait, each run on a stack of its own.
//!
//! A script calls `client.get(…)` as if it blocked. [`await_in`] hands the future to the
//! coroutine's driver and switches back to the thread's stack; the driver, itself a future, polls
//! it there and switches in again with the answer. So hyper's and rustls' deep frames never touch
//! a user's small stack.
//!
//! The only `unsafe` code of the crate is here. The caller decides what runs in a coroutine and
//! when to cancel it.
//!
//! Nothing borrowed from a thread-wide cell may live across [`await_in`]: other users run then.

mod faults;
mod memory;
mod stacks;

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::ptr;
use std::task::{Context, Poll};

use corosensei::stack::Stack as _;
use corosensei::{CoroutineResult, Yielder};

pub use faults::{Cause, Crash, Label, crash, new_group, survive};
use memory::{Bounds, Memory};
pub use stacks::{Stack, Stacks};

/// What a suspended coroutine leaves its driver: the future to poll, still on its own stack.
type PendingFuture = *mut dyn FnMut(&mut Context<'_>) -> Poll<()>;

/// What the driver answers.
#[derive(Clone, Copy)]
enum ResumeReason {
    Ready,
    Cancelled,
}

type Inner<R> = corosensei::Coroutine<ResumeReason, PendingFuture, R, Memory>;

/// What a running coroutine knows about itself; lives at the bottom of the coroutine's stack.
struct Frame {
    yielder: *const Yielder<ResumeReason, PendingFuture>,
    /// The lowest stack address that a script may use. Below is room for what it calls.
    limit: usize,
    cancelled: Cell<bool>,
    /// Whether [`leave`] was called.
    leaving: Cell<bool>,
    /// Whether it may not wait: see [`without_waiting`].
    still: Cell<bool>,
}

thread_local! {
    /// The frame of the coroutine that runs now; null on the thread's own stack.
    static CURRENT: Cell<*const Frame> = const { Cell::new(ptr::null()) };
    /// The stack that this thread runs on, for the signal handler; null for the thread's own.
    static STACK: Cell<*const Bounds> = const { Cell::new(ptr::null()) };
    /// How often this thread has begun to poll a coroutine.
    static TURNS: Cell<u64> = const { Cell::new(0) };
}

/// While this lives, the thread is on a coroutine's stack; a panic ends that too.
struct OnStack;

impl OnStack {
    fn of(bounds: *const Bounds) -> OnStack {
        STACK.set(bounds);
        OnStack
    }
}

impl Drop for OnStack {
    fn drop(&mut self) {
        CURRENT.set(ptr::null());
        STACK.set(ptr::null());
    }
}

/// Why [`await_in`] returned no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAwaited {
    /// The coroutine was cancelled; the caller must return.
    Cancelled,
    /// Nothing may wait here: the caller does not run in a coroutine.
    Outside,
}

/// A coroutine and its driver: a future that is ready with what the closure returns.
///
/// Dropping it unwinds the closure's frames (slow: up to a millisecond); [`Coroutine::cancel`] lets
/// it return on its own instead.
pub struct Coroutine<R: 'static> {
    inner: Option<Inner<R>>,
    pending: Option<PendingFuture>,
    cancelled: bool,
    /// The highest address of its stack.
    base: usize,
    /// Where its stack lies.
    bounds: *const Bounds,
    /// Where its stack goes when it is done.
    home: Stacks,
}

impl<R: 'static> Coroutine<R> {
    /// A coroutine that will run `body` on `stack` when first polled. If it crashes the thread, its
    /// label identifies it.
    pub fn new(stack: Stack, label: Label, body: impl FnOnce() -> R + 'static) -> Self {
        let Stack { memory, home } = stack;
        let limit = memory.limit_of_scripts();
        let bounds = memory.labelled(label);
        let base = memory.base().get();
        let inner = Inner::with_stack(memory, move |yielder, _| {
            let frame = Frame {
                yielder,
                limit,
                cancelled: Cell::new(false),
                leaving: Cell::new(false),
                still: Cell::new(false),
            };
            CURRENT.set(&raw const frame);
            body()
        });
        Coroutine {
            inner: Some(inner),
            pending: None,
            cancelled: false,
            base,
            bounds,
            home,
        }
    }

    /// From now on every wait of the closure returns [`NotAwaited::Cancelled`] at once; the current
    /// one is dropped at the next poll.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }
}

impl<R: 'static> Future for Coroutine<R> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.get_mut();
        if let Some(pending) = this.pending
            && this.home.exceed_cache()
        {
            prefetch(pending.cast::<u8>() as usize, this.base);
        }
        TURNS.set(TURNS.get().wrapping_add(1));
        loop {
            let mut answer = ResumeReason::Ready;
            if this.cancelled {
                answer = ResumeReason::Cancelled;
                this.pending = None;
            } else if let Some(pending) = this.pending {
                // SAFETY: the pointer leads to a closure in the frame of `suspended`, which is
                // suspended and cannot return before this coroutine is resumed below. Only this
                // driver has the pointer, and it is taken away before resuming. The closure
                // touches nothing but that frame.
                if unsafe { (*pending)(cx) }.is_pending() {
                    return Poll::Pending;
                }
                this.pending = None;
            }
            let inner = this.inner.as_mut().expect("not polled after it was ready");
            let result = {
                let _inside = OnStack::of(this.bounds);
                inner.resume(answer)
            };
            match result {
                CoroutineResult::Yield(pending) => this.pending = Some(pending),
                CoroutineResult::Return(value) => {
                    if let Some(inner) = this.inner.take() {
                        this.home.put(inner.into_stack());
                    }
                    return Poll::Ready(value);
                }
            }
        }
    }
}

impl<R: 'static> Drop for Coroutine<R> {
    fn drop(&mut self) {
        self.pending = None;
        if let Some(mut inner) = self.inner.take() {
            let inside = OnStack::of(self.bounds);
            inner.force_unwind();
            drop(inside);
            self.home.put(inner.into_stack());
        }
    }
}

/// Waits for `future` from inside a coroutine, as if it blocked; other coroutines run meanwhile.
///
/// # Errors
/// [`NotAwaited::Cancelled`] if the coroutine is cancelled, before or while it waits: the future
/// is then dropped unfinished. [`NotAwaited::Outside`] if the caller runs in no coroutine.
pub fn await_in<F: Future>(future: F) -> Result<F::Output, NotAwaited> {
    await_pinned(pin!(future))
}

/// Like [`await_in`], for a future that is already pinned: moving one of a few kilobytes costs
/// time.
///
/// # Errors
/// As [`await_in`].
pub fn await_pinned<F: Future>(future: Pin<&mut F>) -> Result<F::Output, NotAwaited> {
    // SAFETY: as in `suspended`.
    if unsafe { CURRENT.get().as_ref() }.is_some_and(|frame| frame.still.get()) {
        return Err(NotAwaited::Outside);
    }
    suspended(future)
}

/// Runs `body`, in which nothing may wait: [`await_in`] returns [`NotAwaited::Outside`] there. It
/// runs to its end even if the coroutine is about to leave; other coroutines may get their turn
/// meanwhile if `body` computes for long.
pub fn without_waiting<R>(body: impl FnOnce() -> R) -> R {
    /// Restores the flag even when a panic passes through.
    struct RestoreOnDrop<'a>(&'a Cell<bool>, bool);
    impl Drop for RestoreOnDrop<'_> {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }
    // SAFETY: as in `suspended`; the frame outlives this call, which is above it.
    let Some(frame) = (unsafe { CURRENT.get().as_ref() }) else {
        return body();
    };
    let _restored = RestoreOnDrop(&frame.still, frame.still.replace(true));
    body()
}

/// Hands `future` to the driver, and comes back with its output.
fn suspended<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, NotAwaited> {
    let current = CURRENT.get();
    if current.is_null() {
        return Err(NotAwaited::Outside);
    }
    // SAFETY: `CURRENT` is set only while a coroutine runs, to the frame at the bottom of its
    // stack, which outlives everything above it; the driver clears it when it switches away.
    let frame = unsafe { &*current };
    if frame.cancelled.get() {
        return Err(NotAwaited::Cancelled);
    }
    let mut output = None;
    // A panic continues where the coroutine waits, and so reaches its caller; on the driver's stack
    // it would take down everything the thread runs in this task.
    let mut poll = |cx: &mut Context<'_>| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => output = Some(Ok(value)),
            Ok(Poll::Pending) => return Poll::Pending,
            Err(panic) => output = Some(Err(panic)),
        }
        Poll::Ready(())
    };
    let pending: *mut (dyn FnMut(&mut Context<'_>) -> Poll<()> + '_) = &raw mut poll;
    // SAFETY: this only forgets the lifetime of a pointer: the closure stays in this frame until
    // `suspend` returns, and the driver gives the pointer up before it makes `suspend` return.
    let pending = unsafe {
        std::mem::transmute::<*mut (dyn FnMut(&mut Context<'_>) -> Poll<()> + '_), PendingFuture>(
            pending,
        )
    };
    // SAFETY: the yielder lives on this coroutine's stack for as long as the coroutine does.
    let resumed = unsafe { &*frame.yielder }.suspend(pending);
    CURRENT.set(current);
    match resumed {
        ResumeReason::Ready => match output.expect("the driver resumes once the future is ready") {
            Ok(output) => Ok(output),
            Err(panic) => resume_unwind(panic),
        },
        ResumeReason::Cancelled => {
            frame.cancelled.set(true);
            Err(NotAwaited::Cancelled)
        }
    }
}

/// Runs `body` and gives the message of its panic, if it panics.
///
/// # Errors
/// That message. The unwinding of a dropped coroutine is not a panic, and continues.
pub fn caught<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|panic| match panic_text(&*panic) {
        Some(message) => message,
        None => resume_unwind(panic),
    })
}

/// A panic's message; `None` if it does not come from `panic!` and the like.
fn panic_text(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}

/// The most bytes of a stack to fetch ahead: what is live during a script's request.
const FETCHED_AHEAD: usize = 12 << 10;

/// The size of a cache line.
const LINE: usize = 64;

/// Prefetches the live end of a suspended stack, which other users have evicted from the caches,
/// while its future is polled: at 1,000 users that halves the cost of resuming.
fn prefetch(from: usize, base: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let end = base.min(from + FETCHED_AHEAD);
        let mut line = from;
        while line < end {
            // Eight at a time, or the loop would cost more than it saves.
            for ahead in 0..8 {
                // SAFETY: a prefetch reads nothing the program can see and never faults, wherever
                // its address may lead.
                unsafe { _mm_prefetch::<_MM_HINT_T0>((line + ahead * LINE) as *const i8) };
            }
            line += 8 * LINE;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, base, FETCHED_AHEAD, LINE);
}

/// Lets the thread's other tasks run before going on, including those that a timer or a socket
/// wakes meanwhile: if it woke itself, the runtime would not check for them for 61 turns.
///
/// # Errors
/// As [`await_in`].
pub fn yield_now() -> Result<(), NotAwaited> {
    suspended(pin!(tokio::task::yield_now()))
}

/// Runs `body` on the thread's own large stack, for work whose depth the caller cannot bound.
/// `body` may not wait there. Outside a coroutine it just runs.
///
/// # Errors
/// [`NotAwaited::Cancelled`] if the coroutine is cancelled: `body` did not run.
pub fn on_thread_stack<R>(body: impl FnOnce() -> R) -> Result<R, NotAwaited> {
    if CURRENT.get().is_null() {
        return Ok(body());
    }
    suspended(pin!(async { body() }))
}

/// What is known about the running coroutine.
#[derive(Clone, Copy, Debug)]
pub struct CoroutineStatus {
    /// Bytes of stack left to it. Native code that it calls may use more.
    pub remaining_stack: usize,
    /// Whether it should return: it was cancelled while it waited, or [`leave`] was called.
    pub leaving: bool,
}

/// The running coroutine; `None` outside one.
#[must_use]
pub fn running() -> Option<CoroutineStatus> {
    // SAFETY: as in `suspended`.
    let frame = unsafe { CURRENT.get().as_ref() }?;
    let here = 0_u8;
    Some(CoroutineStatus {
        remaining_stack: (&raw const here as usize).saturating_sub(frame.limit),
        leaving: (frame.cancelled.get() | frame.leaving.get()) & !frame.still.get(),
    })
}

/// Bytes of stack left to the running coroutine; `None` outside one.
#[must_use]
pub fn remaining_stack() -> Option<usize> {
    running().map(|running| running.remaining_stack)
}

/// Whether the running coroutine should return; false outside one.
#[must_use]
pub fn is_leaving() -> bool {
    running().is_some_and(|running| running.leaving)
}

/// Notes that the running coroutine should return. It takes effect only where [`is_leaving`] is
/// checked: the coroutine may still wait.
pub fn leave() {
    // SAFETY: as in `suspended`.
    if let Some(frame) = unsafe { CURRENT.get().as_ref() } {
        frame.leaving.set(true);
    }
}

/// A number that changes whenever a coroutine gets its turn on this thread: while it stays the
/// same, nothing else has run. Futures that are ready at once, as in [`on_thread_stack`], do not
/// count.
#[must_use]
pub fn turns() -> u64 {
    TURNS.get()
}

#[cfg(test)]
mod tests;
