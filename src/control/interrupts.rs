//! How a person ends a run: Ctrl-C and the signals that mean the same.
//!
//! Owns counting them while somebody listens. What comes before is kept by whoever started the
//! process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C and SIGTERM, from the begin of the process on: none is missed between two waits.
/// SIGQUIT counts as two of them.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    /// Those that have come and were not given yet.
    pending: u32,
}

impl Interrupts {
    /// Takes the signals from the system; `early` says how many have come before, and is asked when
    /// these listen, so that there is no gap. Must be called in a tokio runtime.
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
