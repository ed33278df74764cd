//! One run over many machines: a master that has the script, the plan and the numbers, and workers
//! that make the load.
//!
//! Owns what both say to each other and what follows from it: who is there, whose share of the
//! users moves when, that no number is lost or counted twice, and what exists once for all workers.
//! What decides that (`master`, `worker` and what they are put together of) are state machines
//! without I/O: an event goes in with the time at which it happened, actions come out. Around them,
//! `master_thread` and `worker_process` do what they say, over `server` and `link`. Load threads and
//! the run itself are the runner's.
//!
//! ```text
//! worker                                                          master
//!   │── Hello (who, which version, what it has) ────────────────────►│  hello
//!   │◄── Challenge (the master's proof) ─────────────────────────────│
//!   │── Proof ──────────────────────────────────────────────────────►│
//!   │◄── Welcome (run, epoch, what has come of its numbers) ─────────│
//!   │── Idle ───────────────────────────────────────────────────────►│  Joins ─► the run
//!   │◄── Begin (a seat: member and numbers of its threads) ──────────│
//!   │── Ready ──────────────────────────────────────────────────────►│
//!   │◄── Start, Assign, Prepare, Adopt … ────────────────────────────│  delivery: letters
//!   │── Assigned, Prepared, Ask … ──────────────────────────────────►│
//!   │◄── Answer ─────────────────────────────────────────────────────│  ranges, commons
//!   │── Beat every second ──────────────────────────────────────────►│  roster
//!   │◄── Beat, its echo ─────────────────────────────────────────────│  fence, offset
//!   │── Report 1, 2, 3 … ───────────────────────────────────────────►│  delivery: reports
//!   │◄── Applied ────────────────────────────────────────────────────│
//!   │── Leaving, or ◄── Stop; Ended ────────────────────────────────►│
//!   │◄── Finish ─────────────────────────────────────────────────────│
//!   │── Finished (so many reports) ─────────────────────────────────►│
//!   │◄── Farewell, once all of them are applied ─────────────────────│
//! ```
//!
//! The times below belong together. A worker may begin iterations until [`fence()`] after it sent the
//! last beat that it knows arrived; the master gives a silent worker's users to others after all of
//! `--worker-timeout` ([`MOVES`]) since the last beat it received, which is later whatever the
//! delays. Only the rates of the two clocks have to agree, to within a fifth.

mod accepting;
mod allowance;
mod asking;
pub mod commons;
pub mod delivery;
pub mod fence;
pub mod gathering;
mod guarded;
pub mod hello;
mod lines;
pub mod link;
pub mod loss;
pub mod master;
mod master_thread;
pub mod message;
pub mod offset;
pub mod printed;
mod questions;
pub mod ranges;
pub mod roster;
mod server;
mod state_file;
mod strangers;
#[cfg(test)]
mod tests;
mod tls;
pub mod wire;
pub mod worker;
mod worker_process;

use std::time::Duration;

pub use master_thread::{Loss, MasterOptions, MasterThread};
pub use state_file::{NotReadable, StateFile};
pub use tls::{MasterTls, WorkerTls};
pub use worker_process::{LogLine, WorkerOptions, work};

use hello::Credentials;

/// How often a worker sends a beat; the master answers each.
pub const BEAT: Duration = Duration::from_secs(1);

/// Without a beat for so long, a worker is late: a busy machine, or a slow link.
pub const LATE: Duration = Duration::from_secs(3);

/// Without a beat for so long, a worker is missing: a person should look.
pub const MISSING: Duration = Duration::from_secs(5);

/// How long after the last beat received the master gives a worker's users to others, unless
/// `--worker-timeout` says otherwise; the least that it may say, and the most.
pub const MOVES: Duration = Duration::from_secs(15);
/// See there.
pub const MOVES_BOUNDS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// How long after sending its last beat that was echoed a worker may still begin iterations, if its
/// users are given to others after `moves`.
#[must_use]
pub fn fence(moves: Duration) -> Duration {
    moves / 5 * 4
}

/// How long after a worker's connection was closed by its kernel its users move, unless it comes
/// back: a process that has died needs no fence.
pub const MOVES_AFTER_END: Duration = Duration::from_secs(2);

/// How long after the end of its own connection a worker may still begin iterations: what ended
/// the connection may have told the master the same.
pub const FENCE_AFTER_END: Duration = Duration::from_millis(1_500);

/// Without a beat for so long, or for the worker timeout if that is longer, a worker is lost:
/// nothing waits for its numbers any longer.
pub const LOST: Duration = Duration::from_secs(60);

/// How long a worker goes on without any master, and how long it then keeps its numbers, unless
/// `--master-timeout` says otherwise.
pub const ALONE: Duration = Duration::from_secs(60);

/// What this process has to have in common with the others.
#[must_use]
pub fn build(token: Box<[u8]>) -> Credentials {
    Credentials {
        token,
        version: env!("CARGO_PKG_VERSION").into(),
        source_hash: *include_bytes!(concat!(env!("OUT_DIR"), "/source_hash")),
    }
}
