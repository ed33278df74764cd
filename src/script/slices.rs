//! Long work of a native function, done in slices on the thread's own stack: other users run
//! between two of them, and a user that is stopped does not finish it.
//!
//! Owns the slices. What work is done so is its owner's business.

use std::time::Duration;

use super::failure::Control;
use crate::clock;
use crate::coroutine;

/// How long it may take until the others run: as for what a script computes itself.
const SLICE: Duration = Duration::from_millis(1);

/// Does one `step` after the other until one has a result. A step is short, and may not wait.
///
/// # Errors
/// When the user is cancelled: the work is not finished.
pub(super) fn sliced<R>(mut step: impl FnMut() -> Option<R>) -> Result<R, Control> {
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
