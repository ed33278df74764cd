//! What the machine gives this process: cores, open files, signals.
//!
//! Owns asking for it; what it means for a run is decided by the caller.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::signals;

/// Cores this process may use: its affinity and its share of the machine's time are respected.
pub(super) fn cores() -> u32 {
    std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1_024))
}

/// Raises the number of files that may be open to what the system allows; returns it.
pub(super) fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where it is refused the old limit holds, and is what is returned.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Ctrl-C and SIGTERM, from the begin of the process on: none is missed between two waits.
/// SIGQUIT counts as two of them.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    /// Those that have come and were not given yet.
    pending: u32,
}

impl Interrupts {
    /// Takes the signals from the system; must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub(super) fn listen() -> io::Result<Interrupts> {
        Ok(Interrupts {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            // After these listen, so that there is no gap.
            pending: signals::take(),
        })
    }

    /// Waits for the next of them. Cancelling loses none.
    pub(super) async fn next(&mut self) {
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
