//! Whether this process works, for whoever runs it: `/livez` and `/readyz` on a port of their own.
//!
//! Owns what is noted of the parts of the process, and the thread that answers. What is wrong is said
//! in words, so that `kubectl describe` and `docker inspect` show it. Who asks learns nothing else,
//! and needs no token: probes have none.

mod ask;
mod serve;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{self, Micros};

pub use ask::{Question, ask};
pub use serve::serve;

/// A part that has not moved for so long stands still: a deadlock, or a machine without a core to
/// spare.
const STANDS_STILL: Duration = Duration::from_secs(10);

/// How often a part has to say that it moves: often enough for two to be missed.
pub const MOVES: Duration = Duration::from_secs(1);

/// What is known of this process. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    parts: Mutex<Vec<Part>>,
    is_ready: AtomicBool,
}

/// A loop of the process, which notes that it goes round. One that has ended stands still, for all
/// that is known of it: a process goes on without a part only by mistake.
#[derive(Clone, Debug)]
pub struct Part {
    name: &'static str,
    moved: Arc<AtomicU64>,
}

impl Part {
    /// It has gone round again. Costs a reading of the clock.
    pub fn moves(&self) {
        self.moved.store(clock::now().get(), Ordering::Relaxed);
    }
}

impl Health {
    /// Another part, which moves from now on.
    #[must_use]
    pub fn part(&self, name: &'static str) -> Part {
        let part = Part {
            name,
            moved: Arc::default(),
        };
        part.moves();
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.push(part.clone());
        part
    }

    /// Whether it can do what it is there for: take workers, or work for a master.
    pub fn set_ready(&self, is_ready: bool) {
        self.0.is_ready.store(is_ready, Ordering::Relaxed);
    }

    /// What stands still, and for how many seconds.
    fn stands_still(&self, now: Micros) -> Option<(&'static str, u64)> {
        let parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let still = parts.iter().map(|part| {
            let moved = part.moved.load(Ordering::Relaxed);
            (part.name, now.get().saturating_sub(moved))
        });
        let still_us = u64::try_from(STANDS_STILL.as_micros()).unwrap_or(u64::MAX);
        let (name, us) = still.max_by_key(|(_, us)| *us)?;
        (us > still_us).then_some((name, us / 1_000_000))
    }

    /// Status and text of an answer.
    fn answer(&self, question: Question, now: Micros) -> (u16, String) {
        let is_ready = self.0.is_ready.load(Ordering::Relaxed);
        match (self.stands_still(now), question) {
            (Some((name, seconds)), _) => (503, format!("{name} has not moved for {seconds} s\n")),
            (None, Question::Ready) if !is_ready => (503, "not ready yet\n".to_owned()),
            _ => (200, "ok\n".to_owned()),
        }
    }
}
