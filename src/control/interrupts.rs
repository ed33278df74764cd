//! How a person ends a run: Ctrl-C and equivalent signals.
//!
//! Owns counting them while someone listens. Earlier ones are kept by the process's entry point.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C and SIGTERM, from the start of the process: none is missed between two waits. SIGQUIT
/// counts as two.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    /// Those that have arrived and not been returned yet.
    pending: u32,
}

impl Interrupts {
    /// Starts listening; `early` returns how many came before and is called once the listeners are
    /// in place, so that there is no gap. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn listen(early: impl FnOnce() -> u32) -> io::Result<Interrupts> {
        Ok(Interrupts {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            pending: early(),
        })
    }

    /// Waits for the next of them. Cancelling loses none.
    pub async fn next(&mut self) {
        if self.pending > 0 {
            self.pending -= 1;
            return;
        }
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.quit.recv() => self.pending = 1,
        }
    }
}
