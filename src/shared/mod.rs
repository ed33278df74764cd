//! What exists once for a whole run: queues, values made once, events that have happened.
//!
//! Owns their one awaitable interface. Any call may suspend, and all of it is plain data, so that
//! whoever calls cannot tell whether it is answered inside this process or by another machine.
//! Knows no script and no user; what is asked of it is `script`'s business.
//!
//! No lock is held across a wait, none longer than it takes to move one value, and dropping a
//! future that waits loses nothing: neither an element nor somebody's turn.

pub(crate) mod appends;
mod once;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use once::Cell;
pub(crate) use once::{Maker, Turn};
pub(crate) use queue::Queue;

/// Names of each kind that are kept apart; a script that puts ids into them would fill the memory.
pub(crate) const NAMES: usize = 10_000;

/// There are [`NAMES`] of that kind already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyNames;

/// An event that users can wait for. It happens once; from then on nobody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// All users that were asked for at first have been started.
    SpawningComplete,
}

/// What all users of a run share.
#[derive(Debug)]
pub struct Commons {
    queues: Mutex<HashMap<Box<str>, Arc<Queue>>>,
    cells: Mutex<HashMap<Box<str>, Arc<Cell>>>,
    spawning_complete: watch::Sender<bool>,
}

impl Default for Commons {
    fn default() -> Commons {
        Commons {
            queues: Mutex::default(),
            cells: Mutex::default(),
            spawning_complete: watch::Sender::new(false),
        }
    }
}

impl Commons {
    /// The queue of that name; it begins to exist when it is first asked for. Does not wait.
    ///
    /// # Errors
    /// When there are too many.
    pub fn queue(&self, name: &str) -> Result<Arc<Queue>, TooManyNames> {
        named(&self.queues, name)
    }

    /// Waits for the value of that name, or for the turn to make it. The first that comes makes
    /// it; if that fails the next one's turn comes, in the order in which they asked.
    ///
    /// Dropped while it waits it has not asked.
    ///
    /// # Errors
    /// When there are too many names.
    pub async fn once(&self, name: &str) -> Result<Turn, TooManyNames> {
        let cell = named(&self.cells, name)?;
        Ok(cell.turn().await)
    }

    /// Waits until an event has happened; ready at once if it has.
    pub async fn wait_for(&self, milestone: Milestone) {
        let mut happened = self.flag(milestone).subscribe();
        // It fails only when the sender is gone, which `self` owns.
        let _ = happened.wait_for(|happened| *happened).await;
    }

    /// An event has happened: nobody waits for it any more.
    pub fn reach(&self, milestone: Milestone) {
        self.flag(milestone).send_replace(true);
    }

    fn flag(&self, milestone: Milestone) -> &watch::Sender<bool> {
        match milestone {
            Milestone::SpawningComplete => &self.spawning_complete,
        }
    }
}

fn named<T: Default>(
    all: &Mutex<HashMap<Box<str>, Arc<T>>>,
    name: &str,
) -> Result<Arc<T>, TooManyNames> {
    let mut all = locked(all);
    if let Some(known) = all.get(name) {
        return Ok(Arc::clone(known));
    }
    if all.len() >= NAMES {
        return Err(TooManyNames);
    }
    let new = Arc::<T>::default();
    all.insert(name.into(), Arc::clone(&new));
    Ok(new)
}

/// Nothing under these locks can panic half-way, so what a poisoned one guards is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
