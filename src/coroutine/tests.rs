//! Coroutines suspended, cancelled and dropped in the places where scripts do it. Not the
//! scripts themselves: these are plain closures.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::*;

fn coroutine<R>(stacks: &Stacks, body: impl FnOnce() -> R + 'static) -> Coroutine<R> {
    Coroutine::new(stacks.take().unwrap(), Label::default(), body)
}

/// A gate that opens on request; `await_in(gate.wait())` blocks on it.
#[derive(Clone, Default)]
struct Gate(Rc<Cell<bool>>);

impl Gate {
    fn wait(&self) -> impl Future<Output = u32> + use<> {
        let open = self.0.clone();
        poll_fn(move |_| {
            if open.get() {
                Poll::Ready(7)
            } else {
                Poll::Pending
            }
        })
    }
}

fn poll<R>(coroutine: &mut Coroutine<R>) -> Poll<R> {
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(coroutine).poll(&mut cx)
}

#[test]
fn returns_what_its_body_returns() {
    let stacks = Stacks::new(1);
    let mut coroutine = coroutine(&stacks, || 42);
    assert_eq!(poll(&mut coroutine), Poll::Ready(42));
    assert_eq!(stacks.idle(), 1, "its stack went back to the pool");
}

#[test]
fn waits_for_a_future_and_lets_others_run() {
    let stacks = Stacks::new(1);
    let (first, second) = (Gate::default(), Gate::default());
    let (a, b) = (first.clone(), second.clone());
    let mut one = coroutine(&stacks, move || await_in(a.wait()));
    let mut two = coroutine(&stacks, move || await_in(b.wait()));
    assert!(poll(&mut one).is_pending() && poll(&mut two).is_pending());
    second.0.set(true);
    assert!(poll(&mut one).is_pending());
    assert_eq!(poll(&mut two), Poll::Ready(Ok(7)));
    first.0.set(true);
    assert_eq!(poll(&mut one), Poll::Ready(Ok(7)));
}

#[test]
fn a_cancelled_one_returns_by_itself_and_waits_for_nothing_more() {
    let stacks = Stacks::new(1);
    let gate = Gate::default();
    let mut coroutine = coroutine(&stacks, move || {
        (
            await_in(gate.wait()),
            await_in(std::future::ready(1)),
            yield_now(),
        )
    });
    assert!(poll(&mut coroutine).is_pending());
    coroutine.cancel();
    let cancelled = NotAwaited::Cancelled;
    assert_eq!(
        poll(&mut coroutine),
        Poll::Ready((Err(cancelled), Err(cancelled), Err(cancelled)))
    );
}

#[test]
fn dropping_a_suspended_one_drops_what_it_holds() {
    let stacks = Stacks::new(1);
    let held = Rc::new(());
    let (inside, gate) = (held.clone(), Gate::default());
    let mut coroutine = coroutine(&stacks, move || {
        let _inside = inside;
        await_in(gate.wait())
    });
    assert!(poll(&mut coroutine).is_pending());
    assert_eq!(Rc::strong_count(&held), 2);
    drop(coroutine);
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!(stacks.idle(), 1);
}

#[test]
fn one_that_never_ran_drops_its_closure() {
    let held = Rc::new(());
    let inside = held.clone();
    drop(coroutine(&Stacks::new(1), move || drop(inside)));
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn nothing_waits_outside() {
    assert_eq!(await_in(std::future::ready(1)), Err(NotAwaited::Outside));
    assert_eq!(remaining_stack(), None);
    assert_eq!(on_thread_stack(|| 3), Ok(3));
}

#[test]
fn futures_are_polled_on_the_stack_of_the_thread() {
    let mut coroutine = coroutine(&Stacks::new(1), || {
        let inside = remaining_stack().is_some();
        let polled_outside = await_in(poll_fn(|_| Poll::Ready(remaining_stack().is_none())));
        let moved_out = on_thread_stack(|| remaining_stack().is_none());
        (
            inside,
            polled_outside,
            moved_out,
            remaining_stack().is_some(),
        )
    });
    assert_eq!(
        poll(&mut coroutine),
        Poll::Ready((true, Ok(true), Ok(true), true))
    );
}

#[test]
fn the_stack_that_remains_shrinks_with_depth() {
    fn deep(levels: u32, seen: &RefCell<Vec<usize>>) -> u32 {
        let buffer = std::hint::black_box([levels; 64]);
        seen.borrow_mut().push(remaining_stack().expect("inside"));
        if levels == 0 {
            buffer[0]
        } else {
            deep(levels - 1, seen) + buffer[1]
        }
    }
    let mut coroutine = coroutine(&Stacks::new(1), || {
        let seen = RefCell::new(Vec::new());
        deep(50, &seen);
        seen.into_inner()
    });
    let Poll::Ready(seen) = poll(&mut coroutine) else {
        panic!("it waits for nothing")
    };
    assert!(seen.is_sorted_by(|a, b| a > b));
    assert!(seen[0] - seen[50] >= 50 * 256, "each level holds 256 bytes");
}

#[test]
fn a_panic_reaches_whoever_polls() {
    let mut coroutine = coroutine(&Stacks::new(1), || -> u32 { panic!("boom") });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut coroutine)));
    assert!(caught.is_err());
    drop(coroutine);
    assert_eq!(await_in(std::future::ready(1)), Err(NotAwaited::Outside));
}

#[test]
fn unused_stacks_are_given_back_step_by_step() {
    let stacks = Stacks::new(1);
    let gate = Gate::default();
    let mut all: Vec<_> = (0..1_000)
        .map(|_| {
            let gate = gate.clone();
            coroutine(&stacks, move || await_in(gate.wait()))
        })
        .collect();
    assert!(all.iter_mut().all(|coroutine| poll(coroutine).is_pending()));
    gate.0.set(true);
    assert!(all.iter_mut().all(|coroutine| poll(coroutine).is_ready()));
    assert_eq!(stacks.idle(), 1_000);
    stacks.trim();
    assert_eq!(stacks.idle(), 1_000, "they were in use until now");
    for _ in 0..20 {
        stacks.trim();
    }
    assert_eq!(stacks.idle(), 64);
}

#[test]
fn a_thread_that_overruns_a_stack_stands_still_and_is_told_of() {
    #[expect(unconditional_recursion, reason = "it is to use up the stack")]
    fn deeper(level: u64) -> u64 {
        std::hint::black_box(deeper(std::hint::black_box(level) + 1)) + 1
    }
    let label = Label {
        owner: 17,
        kind: 1,
        work: 5,
    };
    let overrun = move |group, thread| {
        // It never ends, so it must not be joined.
        std::thread::spawn(move || {
            survive(group, thread);
            let stack = Stacks::new(1).take().unwrap();
            let mut overrun = Coroutine::new(stack, label, || deeper(0));
            poll(&mut overrun)
        });
        let begun = std::time::Instant::now();
        loop {
            if let Some(crash) = crash(group) {
                break crash;
            }
            assert!(begun.elapsed().as_secs() < 60, "it was not told of");
            std::thread::yield_now();
        }
    };
    let (group, other) = (new_group(), new_group());
    let expected = |thread| Crash {
        thread,
        cause: Cause::Overflow,
        label: Some(label),
    };
    assert_eq!(overrun(group, 3), expected(3));
    // Another run of this process has not crashed by that; if it does, that is told.
    assert_eq!(crash(other), None);
    assert_eq!(overrun(other, 0), expected(0));
}

#[test]
fn a_panic_where_a_coroutine_waits_is_caught_in_it() {
    let mut waits = coroutine(&Stacks::new(1), || {
        let inside = caught(|| await_in(async { panic!("in a future") }).map(|(): ()| ()));
        let aside = caught(|| on_thread_stack(|| panic!("{} aside", 1)).map(|(): ()| ()));
        (inside.unwrap_err(), aside.unwrap_err(), caught(|| 7))
    });
    let expected = ("in a future".to_owned(), "1 aside".to_owned(), Ok(7));
    assert_eq!(poll(&mut waits), Poll::Ready(expected));
}

#[test]
fn a_coroutine_that_is_dropped_unwinds_through_what_catches_panics() {
    struct Noted(Rc<Cell<bool>>);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let (unwound, after) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let (noted, reached) = (Noted(unwound.clone()), after.clone());
    let mut waits = coroutine(&Stacks::new(1), move || {
        let _ = caught(|| {
            let _noted = noted;
            await_in(std::future::pending::<()>())
        });
        reached.set(true);
    });
    assert!(poll(&mut waits).is_pending());
    drop(waits);
    assert!(unwound.get());
    assert!(!after.get(), "it does not go on after it was dropped");
}
