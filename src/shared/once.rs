//! A value that is made once: the first caller makes it, the others wait for it.
//!
//! Owns whose turn it is; the caller with the turn makes the value.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::elsewhere::{Elsewhere, Reply};
use super::locked;
use crate::data::Value;

/// The result of asking for a value.
#[derive(Debug)]
pub enum Turn {
    /// The value, already made.
    Made(Value),
    /// The task to make it.
    Make(Maker),
}

/// The turn to make a value. Dropped without a value, it passes to the next in line.
#[derive(Debug)]
pub struct Maker {
    /// `None` once the turn has passed on, and where it is elsewhere.
    cell: Option<Arc<Cell>>,
    far: Option<Far>,
}

/// A turn that is given in another process.
#[derive(Debug)]
struct Far {
    name: Box<str>,
    number: u64,
    elsewhere: Arc<dyn Elsewhere>,
}

/// One value, its maker and those who wait.
#[derive(Debug, Default)]
pub(super) struct Cell {
    state: Mutex<CellState>,
}

#[derive(Debug, Default)]
struct CellState {
    made: Option<Value>,
    /// Whether the turn is taken.
    is_making: bool,
    waiting: BTreeMap<u64, oneshot::Sender<Turn>>,
    tickets: u64,
}

impl Cell {
    pub(super) async fn turn(self: &Arc<Self>) -> Turn {
        let (ticket, turn) = {
            let mut state = locked(&self.state);
            if let Some(value) = &state.made {
                return Turn::Made(value.clone());
            }
            if !state.is_making {
                state.is_making = true;
                return Turn::Make(Maker::here(Arc::clone(self)));
            }
            let (give, turn) = oneshot::channel();
            state.tickets += 1;
            let ticket = state.tickets;
            state.waiting.insert(ticket, give);
            (ticket, turn)
        };
        let _waiting = Ticket { cell: self, ticket };
        match turn.await {
            Ok(turn) => turn,
            // The sender lies in the cell until it is used, and only this future removes it.
            Err(_) => unreachable!("a waiter's sender is used before it is dropped"),
        }
    }
}

/// A place in line, given up however the wait ends. A turn that arrives too late is dropped with
/// its channel, and so passes on.
struct Ticket<'a> {
    cell: &'a Cell,
    ticket: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        locked(&self.cell.state).waiting.remove(&self.ticket);
    }
}

impl Maker {
    fn here(cell: Arc<Cell>) -> Maker {
        let far = None;
        Maker {
            cell: Some(cell),
            far,
        }
    }

    /// The turn of that number in another process.
    pub(super) fn there(name: &str, number: u64, elsewhere: Arc<dyn Elsewhere>) -> Maker {
        let far = Far {
            name: name.into(),
            number,
            elsewhere,
        };
        Maker {
            cell: None,
            far: Some(far),
        }
    }

    /// The value is made: everyone who waits gets it, and everyone who asks later. If another
    /// process decides, returns a future to await: the value that everyone gets, which is someone
    /// else's if this turn had passed on.
    pub fn made(mut self, value: &Value) -> Option<Reply<Value>> {
        if let Some(far) = self.far.take() {
            return Some(far.elsewhere.made(&far.name, far.number, value));
        }
        let cell = self.cell.take()?;
        let waiting = {
            let mut state = locked(&cell.state);
            state.made = Some(value.clone());
            std::mem::take(&mut state.waiting)
        };
        for waiter in waiting.into_values() {
            // Those that have gone away need none.
            let _ = waiter.send(Turn::Made(value.clone()));
        }
        None
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        if let Some(far) = self.far.take() {
            far.elsewhere.passed(&far.name, far.number);
        }
        let Some(mut cell) = self.cell.take() else {
            return;
        };
        loop {
            let next = {
                let mut state = locked(&cell.state);
                let Some((_, next)) = state.waiting.pop_first() else {
                    state.is_making = false;
                    return;
                };
                next
            };
            match next.send(Turn::Make(Maker::here(cell))) {
                // It went away meanwhile, so the turn passes on.
                Err(Turn::Make(mut maker)) => match maker.cell.take() {
                    Some(kept) => cell = kept,
                    None => return,
                },
                _ => return,
            }
        }
    }
}
