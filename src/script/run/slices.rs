//! Long work in native functions: other users run meanwhile, and a stopped user does not finish it.
//!
//! Owns the two ways: in slices on the load thread, and on a separate thread for work that cannot
//! be sliced.

use std::time::Duration;

use rhai::EvalAltResult;
use tokio::sync::{Semaphore, oneshot};

use super::failure::Control;
use crate::clock;
use crate::coroutine::{self, NotAwaited};

/// How long a slice may take before the others run: the same as for a script's own computing.
const SLICE: Duration = Duration::from_millis(1);

/// The most separate threads at once, over all load threads: each keeps a core busy and holds a
/// copy of its text.
static ASIDE: Semaphore = Semaphore::const_new(4);

/// Does `work` on a thread of its own while the user waits. If the user is cancelled, the thread
/// still finishes, and its result is dropped.
///
/// # Errors
/// When the user is cancelled, or no thread can be created.
pub(crate) fn aside<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Box<EvalAltResult>> {
    if coroutine::running().is_none() {
        return Ok(work());
    }
    let permit = match coroutine::await_in(ASIDE.acquire()) {
        Ok(permit) => permit.ok(),
        // A listener may not wait.
        Err(NotAwaited::Outside) => None,
        Err(NotAwaited::Cancelled) => return Err(Control::Cancelled.into()),
    };
    let (done_in, mut done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("aside".to_owned());
    let started = thread.spawn(move || {
        let _ = done_in.send(work());
        drop(permit);
    });
    started.map_err(|error| format!("no thread for a long search: {error}"))?;
    let result = match coroutine::await_in(&mut done) {
        Ok(result) => result.ok(),
        Err(NotAwaited::Cancelled) => return Err(Control::Cancelled.into()),
        Err(NotAwaited::Outside) => loop {
            match done.try_recv() {
                Ok(result) => break Some(result),
                Err(oneshot::error::TryRecvError::Closed) => break None,
                Err(oneshot::error::TryRecvError::Empty) => {
                    coroutine::yield_now().map_err(|_| Control::Cancelled)?;
                }
            }
        },
    };
    result.ok_or_else(|| "a long search ended without a result".into())
}

/// Repeats `step` until it has a result. A step is short and may not wait.
///
/// # Errors
/// When the user is cancelled: the work is not finished.
pub(crate) fn sliced<R>(mut step: impl FnMut() -> Option<R>) -> Result<R, Control> {
    loop {
        let mut slice = || {
            let end = clock::now() + SLICE;
            loop {
                let done = step();
                if done.is_some() || clock::now() >= end {
                    return done;
                }
            }
        };
        let done = coroutine::on_thread_stack(&mut slice).map_err(|_| Control::Cancelled)?;
        if let Some(done) = done {
            return Ok(done);
        }
        if coroutine::running().is_some() && coroutine::yield_now().is_err() {
            return Err(Control::Cancelled);
        }
    }
}
