//! What ends a run against everybody's will, in time for its results to be kept: a load thread
//! that crashed, and memory that runs out.
//!
//! Owns noticing both. A crashed thread stands still (`coroutine::survive`); a process without
//! memory is killed by the kernel or aborts, and then nothing is written any more.

use std::time::Duration;

use tokio::time::Instant;

use super::memory::{Limit, Room};
use crate::coroutine::{self, Cause, Crash};
use crate::scenario::Scenario;
use crate::script;
use crate::units::Bytes;

/// How often there is a look: users in loops take up to some gigabytes a second, and a look costs
/// 0.05 ms.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often once half of some memory is used.
const LOOK_SOON: Duration = Duration::from_millis(10);

/// How long the other threads may take to end then: what they measured is worth a moment.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// Addresses kept for writing results where they are limited (`ulimit -v`).
const RESERVE: usize = 32 << 20;

/// Looks for what ends a run.
#[derive(Debug)]
pub(super) struct Emergency {
    /// Of the load threads of this run.
    group: u32,
    limits: Vec<Limit>,
    /// Never touched, so it costs no memory.
    reserve: Option<Vec<u8>>,
    is_over: bool,
    look_at: Instant,
}

impl Emergency {
    pub(super) fn new(group: u32) -> Emergency {
        let limits = Limit::all();
        let scarce = limits
            .iter()
            .any(|limit| matches!(limit, Limit::Addresses(_)));
        // Another run of this process may have ended so.
        script::fail_for_memory(false);
        Emergency {
            group,
            reserve: scarce.then(|| Vec::with_capacity(RESERVE)),
            limits,
            is_over: false,
            look_at: Instant::now() + LOOK_EVERY,
        }
    }

    /// When to look next.
    pub(super) fn look_at(&self) -> Instant {
        self.look_at
    }

    /// What has happened, once; `None` while all is well.
    pub(super) fn look(&mut self, scenario: &Scenario) -> Option<String> {
        self.look_at = Instant::now() + LOOK_EVERY;
        if self.is_over {
            return None;
        }
        let rooms: Vec<_> = self
            .limits
            .iter()
            .filter_map(|limit| Some((limit, limit.room()?)))
            .collect();
        if rooms.iter().any(|(_, room)| room.left < room.all / 2) {
            self.look_at = Instant::now() + LOOK_SOON;
        }
        let short = rooms.iter().find(|(_, room)| room.is_short());
        let what = match (coroutine::crash(self.group), short) {
            (Some(crash), _) => Some(described(&crash, scenario)),
            (None, Some((limit, room))) => {
                // Orders come too late where every task takes more.
                script::fail_for_memory(true);
                Some(exceeded(limit, room))
            }
            (None, None) => None,
        };
        if what.is_some() {
            self.is_over = true;
            self.reserve = None;
        }
        what
    }
}

fn described(crash: &Crash, scenario: &Scenario) -> String {
    let thread = crash.thread;
    let who = crash.label.map_or_else(
        || "outside of any user".to_owned(),
        |label| script::described(label, scenario),
    );
    let why = match crash.cause {
        Cause::Overflow => "used up its stack",
        Cause::Abort => "aborted, perhaps for want of memory",
        Cause::Fault => "crashed, which is a bug of Katydid",
    };
    format!(
        "load thread {thread} {why}: {who}; its last 0.1 s are missing in the results, and what its \
         users had in flight"
    )
}

/// Which limit is nearly reached, in words.
fn exceeded(limit: &Limit, room: &Room) -> String {
    let mebibytes = |bytes: u64| Bytes(bytes >> 20 << 20);
    format!(
        "memory runs out: {} of {} are left of {}, and this run has {}; fewer users, smaller bodies \
         or `--user-memory` help",
        mebibytes(room.left),
        mebibytes(room.all),
        limit.name(),
        mebibytes(room.own)
    )
}
