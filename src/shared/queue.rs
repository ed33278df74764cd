//! A queue of plain values that any user may put into and take from.
//!
//! First in, first out, for elements and for those who wait. It holds [`CAPACITY`] elements; whoever
//! puts one into a full queue waits until somebody takes one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use tokio::sync::oneshot;

use super::locked;
use crate::data::Value;

/// Elements that a queue holds before `put` waits.
pub const CAPACITY: usize = 100_000;

/// A queue; see the module.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    capacity: usize,
}

/// There are elements or takers, never both; putters wait only while it is full.
#[derive(Debug, Default)]
struct State {
    elements: VecDeque<Value>,
    /// Those who wait for an element, by the ticket they drew.
    takers: BTreeMap<u64, oneshot::Sender<Value>>,
    /// Those who wait for room, with what they want to put.
    putters: BTreeMap<u64, (Value, oneshot::Sender<()>)>,
    tickets: u64,
}

impl State {
    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Lets the first of those who wait for room in.
    fn admit(&mut self) -> Option<oneshot::Sender<()>> {
        let (_, (value, told)) = self.putters.pop_first()?;
        self.elements.push_back(value);
        Some(told)
    }
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::with_capacity(CAPACITY)
    }
}

impl Queue {
    pub(super) fn with_capacity(capacity: usize) -> Queue {
        Queue {
            state: Mutex::default(),
            capacity,
        }
    }

    /// Appends a value; waits while the queue is full.
    ///
    /// Dropped while it waits it has put nothing.
    pub async fn put(&self, value: Value) {
        let (told, mut tell) = oneshot::channel();
        let ticket = {
            let mut state = locked(&self.state);
            if let Some((_, taker)) = state.takers.pop_first() {
                drop(state);
                self.hand(taker, value);
                return;
            }
            if state.elements.len() < self.capacity {
                state.elements.push_back(value);
                return;
            }
            let ticket = state.ticket();
            state.putters.insert(ticket, (value, told));
            ticket
        };
        let _waiting = Waiting {
            queue: self,
            leave: |queue: &Queue| {
                locked(&queue.state).putters.remove(&ticket);
            },
        };
        // An error would mean that the sender is gone without having told: it never is.
        let _ = (&mut tell).await;
    }

    /// Takes the first element; waits while there is none.
    ///
    /// Dropped while it waits it takes nothing: an element that was on its way to it goes to the
    /// next.
    pub async fn take(&self) -> Value {
        let (ticket, mut waiter) = {
            let mut state = locked(&self.state);
            if let Some(value) = state.elements.pop_front() {
                let admitted = state.admit();
                drop(state);
                tell(admitted);
                return value;
            }
            let (hand, waiter) = oneshot::channel();
            let ticket = state.ticket();
            state.takers.insert(ticket, hand);
            (
                ticket,
                Taker {
                    queue: self,
                    waiter,
                },
            )
        };
        let _waiting = Waiting {
            queue: self,
            leave: |queue: &Queue| {
                locked(&queue.state).takers.remove(&ticket);
            },
        };
        match (&mut waiter.waiter).await {
            Ok(value) => value,
            // The sender lies in the queue until it is used, and only this future removes it.
            Err(_) => unreachable!("a taker's sender is used before it is dropped"),
        }
    }

    /// Takes the first element, if there is one.
    #[expect(
        clippy::unused_async,
        reason = "a call may suspend: see the module above"
    )]
    pub async fn try_take(&self) -> Option<Value> {
        let mut state = locked(&self.state);
        let value = state.elements.pop_front()?;
        let admitted = state.admit();
        drop(state);
        tell(admitted);
        Some(value)
    }

    /// How many elements there are.
    #[expect(
        clippy::unused_async,
        reason = "a call may suspend: see the module above"
    )]
    pub async fn length(&self) -> usize {
        locked(&self.state).elements.len()
    }

    /// Gives a value to a taker that has left the line, or to the next if it has gone away.
    fn hand(&self, mut taker: oneshot::Sender<Value>, mut value: Value) {
        loop {
            value = match taker.send(value) {
                Ok(()) => return,
                Err(value) => value,
            };
            let mut state = locked(&self.state);
            match state.takers.pop_first() {
                Some((_, next)) => taker = next,
                None => {
                    // It is older than all that are there.
                    state.elements.push_front(value);
                    return;
                }
            }
        }
    }
}

fn tell(admitted: Option<oneshot::Sender<()>>) {
    if let Some(admitted) = admitted {
        // If it has gone away meanwhile, its value has been put all the same.
        let _ = admitted.send(());
    }
}

/// Leaves the line, however the wait ends.
struct Waiting<'a, F: Fn(&Queue)> {
    queue: &'a Queue,
    leave: F,
}

impl<F: Fn(&Queue)> Drop for Waiting<'_, F> {
    fn drop(&mut self) {
        (self.leave)(self.queue);
    }
}

/// One who waits for an element.
struct Taker<'a> {
    queue: &'a Queue,
    waiter: oneshot::Receiver<Value>,
}

impl Drop for Taker<'_> {
    fn drop(&mut self) {
        // From here on a sender keeps its value; what was sent before is given to the next.
        self.waiter.close();
        if let Ok(value) = self.waiter.try_recv() {
            let next = {
                let mut state = locked(&self.queue.state);
                match state.takers.pop_first() {
                    Some((_, next)) => next,
                    None => {
                        state.elements.push_front(value);
                        return;
                    }
                }
            };
            self.queue.hand(next, value);
        }
    }
}
