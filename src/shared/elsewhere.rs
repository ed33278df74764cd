//! The interface to shared state that is kept in another process.
//!
//! Owns only the interface. Implementations see to it that nothing is lost or done twice on the
//! way.

use std::fmt;
use std::pin::Pin;

use super::TooManyNames;
use super::appends::NotTaken;
use crate::data::Value;

/// The most bytes of a value, or of a line, that goes to another process.
pub(crate) const LARGEST: usize = 512 << 10;

/// The most bytes of a name there.
pub(crate) const LONGEST_NAME: usize = 1_024;

/// A reply that may take a while.
pub(crate) type Reply<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A queue's reply; there may be too many queues.
pub(crate) type QueueReply<T> = Reply<Result<T, TooManyNames>>;

/// Asks the process that keeps the shared state.
///
/// A reply that is no longer awaited is not lost: an element returns to the front of its queue, a
/// turn passes to the next in line.
pub(crate) trait Elsewhere: fmt::Debug + Send + Sync {
    /// Appends to a queue, when there is room.
    fn put(&self, queue: &str, value: Value) -> QueueReply<()>;

    /// Takes the first element of a queue, when there is one.
    fn take(&self, queue: &str) -> QueueReply<Value>;

    /// Takes the first element of a queue if there is one now.
    fn try_take(&self, queue: &str) -> QueueReply<Option<Value>>;

    /// How many elements a queue has.
    fn length(&self, queue: &str) -> QueueReply<usize>;

    /// The value of that name, or the turn to make it.
    fn once(&self, name: &str) -> Reply<Result<FarTurn, TooManyNames>>;

    /// The value is made, in the turn of that number. Sent even if the reply is not awaited. The
    /// reply is the value that everyone has now: someone else's, if the turn had passed on.
    fn made(&self, name: &str, turn: u64, value: &Value) -> Reply<Value>;

    /// The turn of that number is over without a value.
    fn passed(&self, name: &str, turn: u64);

    /// Whether lines may be appended to a file there; if not, why.
    fn takes_lines_for(&self, file: &str) -> Result<(), String>;

    /// Appends a line, with its end, to a file there. Does not wait.
    fn append(&self, file: &str, line: String) -> Result<(), NotTaken>;
}

/// The reply to asking for a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FarTurn {
    /// The value, already made.
    Made(Value),
    /// The task to make it, and the number of this turn.
    Make(u64),
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Waker};

    use super::super::appends::Appends;
    use super::super::{Maker, SharedState, Turn};
    use super::*;

    fn polled<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn at_once<F: Future>(future: F) -> F::Output {
        polled(pin!(future)).expect("it is answered at once")
    }

    /// Another process, as if every message came at once.
    #[derive(Clone, Debug, Default)]
    struct Master(Arc<Inner>);

    #[derive(Debug, Default)]
    struct Inner {
        state: SharedState,
        turns: Mutex<(u64, HashMap<u64, Maker>)>,
        lines: Mutex<Vec<String>>,
    }

    impl Elsewhere for Master {
        fn put(&self, queue: &str, value: Value) -> QueueReply<()> {
            let queue = self.0.state.queue(queue);
            Box::pin(async move { queue.put(value).await })
        }

        fn take(&self, queue: &str) -> QueueReply<Value> {
            let queue = self.0.state.queue(queue);
            Box::pin(async move { queue.take().await })
        }

        fn try_take(&self, queue: &str) -> QueueReply<Option<Value>> {
            let queue = self.0.state.queue(queue);
            Box::pin(async move { queue.try_take().await })
        }

        fn length(&self, queue: &str) -> QueueReply<usize> {
            let queue = self.0.state.queue(queue);
            Box::pin(async move { queue.length().await })
        }

        fn once(&self, name: &str) -> Reply<Result<FarTurn, TooManyNames>> {
            let (inner, name) = (self.0.clone(), name.to_owned());
            Box::pin(async move {
                Ok(match inner.state.once(&name).await? {
                    Turn::Made(value) => FarTurn::Made(value),
                    Turn::Make(maker) => {
                        let mut turns = inner.turns.lock().unwrap();
                        turns.0 += 1;
                        let number = turns.0;
                        turns.1.insert(number, maker);
                        FarTurn::Make(number)
                    }
                })
            })
        }

        fn made(&self, name: &str, turn: u64, value: &Value) -> Reply<Value> {
            if let Some(maker) = self.0.turns.lock().unwrap().1.remove(&turn) {
                assert!(maker.made(value).is_none(), "it is made here");
            }
            let (inner, name) = (self.0.clone(), name.to_owned());
            Box::pin(async move {
                match inner.state.once(&name).await {
                    Ok(Turn::Made(value)) => value,
                    turn => unreachable!("{turn:?}"),
                }
            })
        }

        fn passed(&self, _: &str, turn: u64) {
            let maker = self.0.turns.lock().unwrap().1.remove(&turn);
            drop(maker);
        }

        fn takes_lines_for(&self, file: &str) -> Result<(), String> {
            match file {
                "ids.txt" => Ok(()),
                _ => Err("it is not known here".to_owned()),
            }
        }

        fn append(&self, _: &str, line: String) -> Result<(), NotTaken> {
            let mut lines = self.0.lines.lock().unwrap();
            if lines.len() == 2 {
                return Err(NotTaken::Full(line));
            }
            lines.push(line);
            Ok(())
        }
    }

    fn two_workers() -> (Master, SharedState, SharedState) {
        let master = Master::default();
        let worker = || SharedState::elsewhere(Arc::new(master.clone()));
        let (one, other) = (worker(), worker());
        (master, one, other)
    }

    #[test]
    fn what_one_process_puts_another_takes() {
        let (_, one, other) = two_workers();
        let (jobs, taken) = (one.queue("jobs"), other.queue("jobs"));
        let mut waits = pin!(taken.take());
        assert_eq!(polled(waits.as_mut()), None);
        assert_eq!(at_once(jobs.put(Value::Int(1))), Ok(()));
        assert_eq!(polled(waits), Some(Ok(Value::Int(1))));
        assert_eq!(at_once(jobs.put(Value::Int(2))), Ok(()));
        assert_eq!(at_once(taken.length()), Ok(1));
        assert_eq!(at_once(taken.try_take()), Ok(Some(Value::Int(2))));
        assert_eq!(at_once(taken.try_take()), Ok(None));
    }

    #[test]
    fn a_value_is_made_in_one_process_for_all() {
        let (_, one, other) = two_workers();
        let Ok(Turn::Make(first)) = at_once(one.once("token")) else {
            panic!("nobody else makes it");
        };
        let mut waits = pin!(other.once("token"));
        assert!(polled(waits.as_mut()).is_none());
        // Its user was stopped: the turn passes on.
        drop(first);
        let Some(Ok(Turn::Make(second))) = polled(waits) else {
            panic!("it is its turn");
        };
        let made = second
            .made(&Value::Int(7))
            .expect("that is decided elsewhere");
        assert_eq!(at_once(made), Value::Int(7));
        let told = at_once(one.once("token"));
        assert!(matches!(told, Ok(Turn::Made(Value::Int(7)))), "{told:?}");
    }

    #[test]
    fn lines_go_to_files_that_are_known_there_until_the_way_is_full() {
        let master = Master::default();
        let appends = Appends::elsewhere(Arc::new(master.clone()));
        assert!(appends.open("other.txt").is_err());
        let file = appends.open("ids.txt").unwrap();
        for line in ["1\n", "2\n"] {
            assert!(file.append(line.to_owned()).is_ok());
        }
        let full = file.append("3\n".to_owned());
        assert!(matches!(full, Err(NotTaken::Full(line)) if line == "3\n"));
        let long = file.append("x".repeat(LARGEST + 1));
        assert!(matches!(long, Err(NotTaken::TooLong)));
        assert_eq!(*master.0.lines.lock().unwrap(), ["1\n", "2\n"]);
    }

    #[test]
    fn what_is_too_large_for_the_way_is_known_before() {
        let (_, far, _) = two_workers();
        let large = Value::Bytes(vec![0; LARGEST + 1].into());
        assert!(far.fits("q", &large).is_err());
        assert!(far.fits(&"q".repeat(2_000), &Value::Unit).is_err());
        assert!(far.fits("q", &Value::Int(1)).is_ok());
        assert!(SharedState::default().fits("q", &large).is_ok());
    }

    #[test]
    fn whose_turn_has_passed_on_gets_the_value_of_another() {
        let (master, one, other) = two_workers();
        let Ok(Turn::Make(late)) = at_once(one.once("token")) else {
            panic!("nobody else makes it");
        };
        // The master takes that worker for lost.
        master.passed("token", 1);
        let Ok(Turn::Make(second)) = at_once(other.once("token")) else {
            panic!("the turn has passed on");
        };
        let _ = second.made(&Value::Int(2));
        let kept = late
            .made(&Value::Int(1))
            .expect("that is decided elsewhere");
        assert_eq!(at_once(kept), Value::Int(2));
    }
}
