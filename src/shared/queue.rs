//! A queue of plain values that any user may put into and take from.
//!
//! First in, first out, for elements and for waiters. It holds [`CAPACITY`] elements, or
//! [`CAPACITY_BYTES`] if they are large; putting into a full queue waits until an element is taken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use tokio::sync::oneshot;

use super::locked;
use crate::data::Value;

/// Elements that a queue holds before `put` waits.
pub(crate) const CAPACITY: usize = 100_000;

/// Bytes that a queue's elements hold, about, before `put` waits. An empty queue takes an element
/// of any size.
pub(crate) const CAPACITY_BYTES: usize = 256 << 20;

/// A queue; see the module.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    capacity: usize,
    capacity_bytes: usize,
}

/// There are elements or takers, never both; putters wait only while it is full.
#[derive(Debug, Default)]
struct QueueState {
    elements: VecDeque<Value>,
    /// What they hold in all.
    bytes: usize,
    /// Waiting for an element, by ticket.
    takers: BTreeMap<u64, oneshot::Sender<Value>>,
    /// Waiting for room, with what they want to put.
    putters: BTreeMap<u64, (Value, oneshot::Sender<()>)>,
    tickets: u64,
}

impl QueueState {
    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn push(&mut self, value: Value) {
        self.bytes += value.held_bytes();
        self.elements.push_back(value);
    }

    /// Returns an element that was not taken after all: it is older than all others.
    fn push_front(&mut self, value: Value) {
        self.bytes += value.held_bytes();
        self.elements.push_front(value);
    }

    fn pop(&mut self) -> Option<Value> {
        let value = self.elements.pop_front()?;
        self.bytes -= value.held_bytes();
        Some(value)
    }
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::with_capacity(CAPACITY, CAPACITY_BYTES)
    }
}

impl Queue {
    pub(super) fn with_capacity(capacity: usize, capacity_bytes: usize) -> Queue {
        Queue {
            state: Mutex::default(),
            capacity,
            capacity_bytes,
        }
    }

    fn has_room(&self, state: &QueueState, value: &Value) -> bool {
        let fits = || state.bytes.saturating_add(value.held_bytes()) <= self.capacity_bytes;
        state.elements.is_empty() || state.elements.len() < self.capacity && fits()
    }

    /// Admits putters that wait for room, as far as there is some.
    fn admit(&self, state: &mut QueueState) -> Vec<oneshot::Sender<()>> {
        let mut admitted = Vec::new();
        while let Some((ticket, (value, told))) = state.putters.pop_first() {
            if !self.has_room(state, &value) {
                state.putters.insert(ticket, (value, told));
                break;
            }
            state.push(value);
            admitted.push(told);
        }
        admitted
    }

    /// Appends a value; waits while the queue is full.
    ///
    /// Dropped while waiting, it has put nothing.
    pub(super) async fn put(&self, value: Value) {
        let (told, mut entered) = oneshot::channel();
        let ticket = {
            let mut state = locked(&self.state);
            if let Some((_, taker)) = state.takers.pop_first() {
                drop(state);
                self.hand(taker, value);
                return;
            }
            if state.putters.is_empty() && self.has_room(&state, &value) {
                state.push(value);
                return;
            }
            let ticket = state.ticket();
            state.putters.insert(ticket, (value, told));
            ticket
        };
        let _waiting = LeaveOnDrop {
            queue: self,
            leave: |queue: &Queue| {
                let mut state = locked(&queue.state);
                // The next one may be smaller.
                if state.putters.remove(&ticket).is_some() {
                    let admitted = queue.admit(&mut state);
                    drop(state);
                    tell(admitted);
                }
            },
        };
        // The sender cannot be dropped without sending.
        let _ = (&mut entered).await;
    }

    /// Takes the first element; waits while there is none.
    ///
    /// Dropped while waiting, it takes nothing: an element that was on its way goes to the next
    /// taker.
    pub(super) async fn take(&self) -> Value {
        let (ticket, mut waiter) = {
            let mut state = locked(&self.state);
            if let Some(value) = state.pop() {
                let admitted = self.admit(&mut state);
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
        let _waiting = LeaveOnDrop {
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
    pub(super) async fn try_take(&self) -> Option<Value> {
        let mut state = locked(&self.state);
        let value = state.pop()?;
        let admitted = self.admit(&mut state);
        drop(state);
        tell(admitted);
        Some(value)
    }

    /// How many elements there are.
    #[expect(
        clippy::unused_async,
        reason = "a call may suspend: see the module above"
    )]
    pub(super) async fn length(&self) -> usize {
        locked(&self.state).elements.len()
    }

    /// Hands a value to a taker taken from the line, or to the next if that one has gone away.
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
                    state.push_front(value);
                    return;
                }
            }
        }
    }
}

fn tell(admitted: Vec<oneshot::Sender<()>>) {
    for admitted in admitted {
        // If it has gone away meanwhile, its value was put all the same.
        let _ = admitted.send(());
    }
}

/// Leaves the line however the wait ends.
struct LeaveOnDrop<'a, F: Fn(&Queue)> {
    queue: &'a Queue,
    leave: F,
}

impl<F: Fn(&Queue)> Drop for LeaveOnDrop<'_, F> {
    fn drop(&mut self) {
        (self.leave)(self.queue);
    }
}

/// A caller that waits for an element.
struct Taker<'a> {
    queue: &'a Queue,
    waiter: oneshot::Receiver<Value>,
}

impl Drop for Taker<'_> {
    fn drop(&mut self) {
        // From here on senders keep their value; one that was sent before goes to the next taker.
        self.waiter.close();
        if let Ok(value) = self.waiter.try_recv() {
            let next = {
                let mut state = locked(&self.queue.state);
                match state.takers.pop_first() {
                    Some((_, next)) => next,
                    None => {
                        state.push_front(value);
                        return;
                    }
                }
            };
            self.queue.hand(next, value);
        }
    }
}
