//! What exists once for a whole run: queues, values made once, events that have happened.
//!
//! Owns their one awaitable interface. Any call may suspend, and all of it is plain data, so
//! callers cannot tell whether this process answers or another machine. Knows neither scripts nor
//! users.
//!
//! No lock is held across a wait, none longer than it takes to move one value, and dropping a
//! waiting future loses nothing: neither an element nor a turn.

pub(crate) mod appends;
mod elsewhere;
mod once;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::data::Value;

use elsewhere::LONGEST_NAME;
pub(crate) use elsewhere::{Elsewhere, FarTurn, LARGEST, QueueReply, Reply};
use once::Cell;
pub(crate) use once::{Maker, Turn};
use queue::Queue;

/// The most names of each kind; a script that puts ids into them would fill the memory.
pub(crate) const NAMES: usize = 10_000;

/// There are already [`NAMES`] of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyNames;

/// An event that users can wait for. It happens once; after that, waiting for it ends at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// All users that were initially asked for have been started.
    SpawningComplete,
}

/// What all users of a run share.
#[derive(Debug)]
pub struct SharedState {
    queues: Mutex<HashMap<Box<str>, Arc<Queue>>>,
    cells: Mutex<HashMap<Box<str>, Arc<Cell>>>,
    spawning_complete: watch::Sender<bool>,
    /// Where queues and values made once are kept, if not here.
    elsewhere: Option<Arc<dyn Elsewhere>>,
}

/// A queue by its name, wherever it is.
#[derive(Clone, Debug)]
pub struct NamedQueue(Place);

#[derive(Clone, Debug)]
enum Place {
    Here(Result<Arc<Queue>, TooManyNames>),
    There(Box<str>, Arc<dyn Elsewhere>),
}

impl Default for SharedState {
    fn default() -> SharedState {
        SharedState {
            queues: Mutex::default(),
            cells: Mutex::default(),
            spawning_complete: watch::Sender::new(false),
            elsewhere: None,
        }
    }
}

impl SharedState {
    /// For a process whose queues and values are kept in another.
    pub(crate) fn elsewhere(elsewhere: Arc<dyn Elsewhere>) -> SharedState {
        SharedState {
            elsewhere: Some(elsewhere),
            ..SharedState::default()
        }
    }

    /// The queue of that name, created on first use. Does not wait: an error for too many queues
    /// comes when it is used.
    pub fn queue(&self, name: &str) -> NamedQueue {
        NamedQueue(match &self.elsewhere {
            None => Place::Here(named(&self.queues, name)),
            Some(elsewhere) => Place::There(name.into(), elsewhere.clone()),
        })
    }

    /// Waits for the value of that name, or for the turn to make it. The first caller makes it; if
    /// that fails, the turn passes to the others in the order in which they asked.
    ///
    /// Dropped while waiting, it is as if it had never asked.
    ///
    /// # Errors
    /// When there are too many names.
    pub async fn once(&self, name: &str) -> Result<Turn, TooManyNames> {
        let Some(elsewhere) = &self.elsewhere else {
            let cell = named(&self.cells, name)?;
            return Ok(cell.turn().await);
        };
        Ok(match elsewhere.once(name).await? {
            FarTurn::Made(value) => Turn::Made(value),
            FarTurn::Make(number) => Turn::Make(Maker::there(name, number, elsewhere.clone())),
        })
    }

    /// Waits until an event has happened; ready at once if it has.
    pub async fn wait_for(&self, milestone: Milestone) {
        let mut happened = self.flag(milestone).subscribe();
        // It fails only when the sender is gone, which `self` owns.
        let _ = happened.wait_for(|happened| *happened).await;
    }

    /// Whether a value may be put into a queue of that name, or made once for it: what goes to
    /// another process has a bound.
    ///
    /// # Errors
    /// What is too large, for people.
    pub fn fits(&self, name: &str, value: &Value) -> Result<(), String> {
        if self.elsewhere.is_none() {
            return Ok(());
        }
        if name.len() > LONGEST_NAME {
            return Err(format!("has a name of more than {LONGEST_NAME} bytes"));
        }
        match value.held_bytes() > LARGEST {
            true => Err("is larger than 512 KiB, which is the most between machines".to_owned()),
            false => Ok(()),
        }
    }

    /// Whether an event has happened.
    #[must_use]
    pub fn has_happened(&self, milestone: Milestone) -> bool {
        *self.flag(milestone).borrow()
    }

    /// An event has happened: wakes everyone who waits for it.
    pub fn reach(&self, milestone: Milestone) {
        self.flag(milestone).send_replace(true);
    }

    fn flag(&self, milestone: Milestone) -> &watch::Sender<bool> {
        match milestone {
            Milestone::SpawningComplete => &self.spawning_complete,
        }
    }
}

impl NamedQueue {
    /// As [`Queue::put`].
    ///
    /// # Errors
    /// When there are too many queues, here and below.
    pub async fn put(&self, value: Value) -> Result<(), TooManyNames> {
        match &self.0 {
            Place::Here(queue) => {
                queue.as_ref().map_err(|many| *many)?.put(value).await;
                Ok(())
            }
            Place::There(name, elsewhere) => elsewhere.put(name, value).await,
        }
    }

    /// As [`Queue::take`].
    pub async fn take(&self) -> Result<Value, TooManyNames> {
        match &self.0 {
            Place::Here(queue) => Ok(queue.as_ref().map_err(|many| *many)?.take().await),
            Place::There(name, elsewhere) => elsewhere.take(name).await,
        }
    }

    /// As [`Queue::try_take`].
    pub async fn try_take(&self) -> Result<Option<Value>, TooManyNames> {
        match &self.0 {
            Place::Here(queue) => Ok(queue.as_ref().map_err(|many| *many)?.try_take().await),
            Place::There(name, elsewhere) => elsewhere.try_take(name).await,
        }
    }

    /// As [`Queue::length`].
    pub async fn length(&self) -> Result<usize, TooManyNames> {
        match &self.0 {
            Place::Here(queue) => Ok(queue.as_ref().map_err(|many| *many)?.length().await),
            Place::There(name, elsewhere) => elsewhere.length(name).await,
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
