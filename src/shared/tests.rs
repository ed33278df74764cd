//! Queues, turns and milestones with real threads, with users that go away, and at their bounds.
//!
//! A future is polled by hand where a test needs to know exactly when; nothing here sleeps.

use std::collections::HashSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use super::*;
use crate::data::Value;

/// One poll; what is ready, if it is.
fn polled<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The answer of what does not wait.
fn at_once<F: Future>(future: F) -> F::Output {
    polled(pin!(future)).expect("it does not wait")
}

/// Runs a future on a thread of its own until it is ready.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.build().unwrap().block_on(future)
}

fn int(number: i64) -> Value {
    Value::Int(number)
}

#[test]
fn sixteen_threads_lose_nothing_and_get_nothing_twice() {
    const EACH: i64 = 2_000;
    // Room for few: putters wait as well as takers.
    let queue = Queue::with_capacity(7, usize::MAX);
    let taken = thread::scope(|scope| {
        for thread in 0..8 {
            let queue = &queue;
            scope.spawn(move || {
                block_on(async {
                    for n in 0..EACH {
                        queue.put(int(thread * EACH + n)).await;
                    }
                });
            });
        }
        let takers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    block_on(async {
                        let mut mine = Vec::new();
                        for _ in 0..EACH {
                            mine.push(queue.take().await);
                        }
                        mine
                    })
                })
            })
            .collect();
        let all = takers.into_iter().map(|taker| taker.join().unwrap());
        all.collect::<Vec<_>>()
    });
    for mine in &taken {
        // What one putter put comes out in its order, whoever takes it.
        let mut last = [-1; 8];
        for value in mine {
            let Value::Int(number) = value else { panic!() };
            let putter = usize::try_from(number / EACH).unwrap();
            assert!(number % EACH > last[putter], "out of order");
            last[putter] = number % EACH;
        }
    }
    let all: Vec<i64> = taken
        .concat()
        .iter()
        .map(|value| match value {
            Value::Int(number) => *number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(all.len(), 16_000);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 16_000);
    assert_eq!(at_once(queue.length()), 0);
}

#[test]
fn those_who_wait_are_served_in_their_order() {
    let queue = Queue::default();
    let mut first = pin!(queue.take());
    let mut second = pin!(queue.take());
    assert!(polled(first.as_mut()).is_none() && polled(second.as_mut()).is_none());
    at_once(queue.put(int(1)));
    at_once(queue.put(int(2)));
    assert_eq!(polled(second.as_mut()), Some(int(2)));
    assert_eq!(polled(first.as_mut()), Some(int(1)));
}

#[test]
fn who_goes_away_while_it_waits_loses_no_element() {
    let queue = Queue::default();
    {
        let mut gone = pin!(queue.take());
        assert!(polled(gone.as_mut()).is_none());
    }
    at_once(queue.put(int(1)));
    assert_eq!(
        at_once(queue.length()),
        1,
        "it was not given to who had gone"
    );

    // The element is on its way when it goes away: it is first again.
    assert_eq!(at_once(queue.take()), int(1));
    let mut waits = Box::pin(queue.take());
    assert!(polled(waits.as_mut()).is_none());
    at_once(queue.put(int(2)));
    at_once(queue.put(int(3)));
    drop(waits);
    assert_eq!(at_once(queue.take()), int(2));
    assert_eq!(at_once(queue.take()), int(3));

    // Or goes to the next that waits.
    let mut first = Box::pin(queue.take());
    let mut second = pin!(queue.take());
    assert!(polled(first.as_mut()).is_none() && polled(second.as_mut()).is_none());
    at_once(queue.put(int(4)));
    drop(first);
    assert_eq!(polled(second.as_mut()), Some(int(4)));
}

#[test]
fn takers_that_come_and_go_on_many_threads_lose_nothing() {
    const PUT: i64 = 20_000;
    let queue = Queue::default();
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..PUT {
                at_once(queue.put(int(n)));
            }
        });
        for thread in 0..7 {
            let (queue, taken) = (&queue, &taken);
            scope.spawn(move || {
                let mut patience = thread;
                while taken.load(Ordering::Relaxed) < PUT.unsigned_abs() {
                    let mut take = pin!(queue.take());
                    // Looks a few times, then goes away, often just when it is given something.
                    patience = (patience + 1) % 5;
                    for _ in 0..=patience {
                        if polled(take.as_mut()).is_some() {
                            taken.fetch_add(1, Ordering::Relaxed);
                            break;
                        }
                        std::hint::spin_loop();
                    }
                }
            });
        }
    });
    assert_eq!(taken.into_inner(), PUT.unsigned_abs());
    assert_eq!(at_once(queue.length()), 0);
}

#[test]
fn a_full_queue_makes_putters_wait_in_their_order() {
    let queue = Queue::with_capacity(2, usize::MAX);
    at_once(queue.put(int(1)));
    at_once(queue.put(int(2)));
    let mut third = pin!(queue.put(int(3)));
    let mut gone = Box::pin(queue.put(int(4)));
    let mut fifth = pin!(queue.put(int(5)));
    assert!(polled(third.as_mut()).is_none());
    assert!(polled(gone.as_mut()).is_none());
    assert!(polled(fifth.as_mut()).is_none());
    assert_eq!(at_once(queue.length()), 2, "it does not grow");
    drop(gone);
    assert_eq!(at_once(queue.take()), int(1));
    assert_eq!(polled(third.as_mut()), Some(()));
    assert!(polled(fifth.as_mut()).is_none());
    assert_eq!(at_once(queue.try_take()), Some(int(2)));
    assert_eq!(polled(fifth.as_mut()), Some(()));
    assert_eq!(at_once(queue.take()), int(3));
    assert_eq!(at_once(queue.take()), int(5), "4 was never put");
    assert_eq!(at_once(queue.try_take()), None);
}

#[test]
fn a_queue_is_full_of_few_large_elements_too() {
    let text = |length: usize| Value::from("x".repeat(length).as_str());
    let queue = Queue::with_capacity(100, 10_000);
    at_once(queue.put(text(50_000)));
    let mut small = pin!(queue.put(text(1)));
    assert!(
        polled(small.as_mut()).is_none(),
        "an empty one takes any size"
    );
    at_once(queue.take());
    assert_eq!(polled(small.as_mut()), Some(()));
    at_once(queue.put(text(6_000)));
    let mut large = Box::pin(queue.put(text(6_000)));
    let mut behind = pin!(queue.put(text(1)));
    assert!(polled(large.as_mut()).is_none());
    assert!(polled(behind.as_mut()).is_none(), "nobody overtakes");
    drop(large);
    assert_eq!(
        polled(behind.as_mut()),
        Some(()),
        "and fits when the large one is gone"
    );
    assert_eq!(at_once(queue.length()), 3);
}

#[test]
fn a_value_is_made_once_by_sixteen_threads() {
    let state = SharedState::default();
    let made = AtomicU64::new(0);
    let values: Vec<Value> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|thread| {
                let (state, made) = (&state, &made);
                scope.spawn(move || {
                    block_on(async {
                        match state.once("token").await.unwrap() {
                            Turn::Made(value) => value,
                            Turn::Make(maker) => {
                                made.fetch_add(1, Ordering::Relaxed);
                                // Others come while it is made.
                                tokio::task::yield_now().await;
                                maker.made(&int(thread));
                                int(thread)
                            }
                        }
                    })
                })
            })
            .collect();
        let all = threads.into_iter().map(|thread| thread.join().unwrap());
        all.collect()
    });
    assert_eq!(made.into_inner(), 1);
    assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
}

#[test]
fn a_turn_that_comes_to_nothing_passes_to_the_next_that_waits() {
    let state = SharedState::default();
    let Ok(Turn::Make(maker)) = at_once(state.once("a")) else {
        panic!("the first makes it");
    };
    let mut second = Box::pin(state.once("a"));
    let mut third = Box::pin(state.once("a"));
    let mut fourth = pin!(state.once("a"));
    assert!(polled(second.as_mut()).is_none());
    assert!(polled(third.as_mut()).is_none());
    assert!(polled(fourth.as_mut()).is_none());
    drop(second);
    drop(maker);
    assert!(polled(fourth.as_mut()).is_none(), "it is the third's turn");
    // It goes away without having looked.
    drop(third);
    let Some(Ok(Turn::Make(maker))) = polled(fourth.as_mut()) else {
        panic!("it is the fourth's turn");
    };
    maker.made(&int(4));
    assert!(matches!(at_once(state.once("a")), Ok(Turn::Made(value)) if value == int(4)));
    assert!(matches!(at_once(state.once("b")), Ok(Turn::Make(_))));
    assert!(
        matches!(at_once(state.once("b")), Ok(Turn::Make(_))),
        "nobody waited: the next that comes tries"
    );
}

#[test]
fn a_milestone_is_waited_for_until_it_is_reached() {
    let state = SharedState::default();
    let mut waits = pin!(state.wait_for(Milestone::SpawningComplete));
    assert!(polled(waits.as_mut()).is_none());
    state.reach(Milestone::SpawningComplete);
    assert!(polled(waits.as_mut()).is_some());
    at_once(state.wait_for(Milestone::SpawningComplete));
}

#[test]
fn names_are_bounded() {
    let state = SharedState::default();
    for n in 0..NAMES {
        assert_eq!(at_once(state.queue(&n.to_string()).length()), Ok(0));
    }
    assert_eq!(at_once(state.queue("one more").length()), Err(TooManyNames));
    let known = state.queue("7");
    assert_eq!(at_once(known.put(int(7))), Ok(()));
    assert_eq!(at_once(state.queue("7").length()), Ok(1));
    assert!(at_once(state.once("their names are apart")).is_ok());
}
