//! Queues, and values that are made once, for all workers.
//!
//! Owns what is in them, who waits, and whose turn it is. Questions come numbered and are answered
//! once, so an element is handed over exactly once while the worker lives that asked for it.
//!
//! - First in, first out, for elements and for those who wait.
//! - A question may be taken back. If its answer is on the way, the worker gives back what it got:
//!   an element goes to the front, being older than all others, and a turn passes on.
//! - The turn to make a value has a number. It passes on when its worker has lost its users, not
//!   when it is late; a value made in a turn that has passed on is not taken, and its maker gets
//!   the one that everybody has.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::message::{Answer, Ask};
use super::ranges::Answered;
use crate::data::Value;

/// Elements that a queue holds before `put` waits.
pub const ELEMENTS: usize = 100_000;

/// Bytes that a queue's elements hold before `put` waits.
pub const BYTES: usize = 64 << 20;

/// Bytes that the elements of all queues hold before `put` waits.
pub const BYTES_OF_ALL: usize = 256 << 20;

/// Names of queues, and of values made once.
pub const NAMES: usize = 10_000;

/// Who has an open question: the worker, and its number of it.
type Asker = (u32, u64);

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Commons {
    queues: BTreeMap<Box<str>, Elements>,
    values: BTreeMap<Box<str>, Made>,
    /// Where open questions wait.
    #[serde(skip)]
    open: BTreeMap<Asker, (Kind, Box<str>)>,
    bytes: usize,
    turns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Queue,
    Once,
}

/// One queue. There are elements or takers, never both.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Elements {
    elements: VecDeque<Value>,
    bytes: usize,
    #[serde(skip)]
    takers: VecDeque<Asker>,
    #[serde(skip)]
    putters: VecDeque<(Asker, Value)>,
}

/// One value that is made once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Made {
    value: Option<Value>,
    /// Whose turn it is, and its number.
    turn: Option<(u32, u64)>,
    #[serde(skip)]
    waiting: VecDeque<Asker>,
}

impl Commons {
    /// A question; it is answered now or later. Those of `ranges` and for files are not asked here.
    pub fn ask(&mut self, worker: u32, number: u64, ask: Ask) -> Vec<Answered> {
        let question = (worker, number);
        let mut answers = Vec::new();
        match ask {
            Ask::Put(name, value) => {
                if let Some(queue) = named(&mut self.queues, &name) {
                    queue.putters.push_back((question, value));
                    self.settle(&name, &mut answers);
                    self.waits(question, Kind::Queue, name, &answers);
                    return answers;
                }
            }
            Ask::Take(name) => {
                if let Some(queue) = named(&mut self.queues, &name) {
                    queue.takers.push_back(question);
                    self.settle(&name, &mut answers);
                    self.waits(question, Kind::Queue, name, &answers);
                    return answers;
                }
            }
            Ask::TryTake(name) => {
                if let Some(queue) = named(&mut self.queues, &name) {
                    if queue.elements.is_empty() {
                        return vec![(worker, number, Answer::Taken(None))];
                    }
                    queue.takers.push_back(question);
                    self.settle(&name, &mut answers);
                    return answers;
                }
            }
            Ask::Length(name) => {
                if let Some(queue) = named(&mut self.queues, &name) {
                    let length = queue.elements.len() as u64;
                    return vec![(worker, number, Answer::Length(length))];
                }
            }
            Ask::Once(name) => {
                if let Some(made) = named(&mut self.values, &name) {
                    made.waiting.push_back(question);
                    turn(made, &mut self.turns, &mut answers);
                    self.waits(question, Kind::Once, name, &answers);
                    return answers;
                }
            }
            Ask::Made(name, number_of_turn, value) => {
                if let Some(made) = named(&mut self.values, &name) {
                    // Without a turn it was given by a master that knew more: the first one counts.
                    let is_in_turn = made.turn == Some((worker, number_of_turn));
                    if made.value.is_none() && (is_in_turn || made.turn.is_none()) {
                        made.turn = None;
                        made.value = Some(value);
                    }
                    // Who was too late waits for the value with the others.
                    made.waiting.push_back(question);
                    turn(made, &mut self.turns, &mut answers);
                    self.waits(question, Kind::Once, name, &answers);
                    return answers;
                }
            }
            Ask::Range(of, _) => return vec![(worker, number, Answer::UsedUp(of))],
            Ask::Course(..) | Ask::Append(_) => return Vec::new(),
        }
        vec![(worker, number, Answer::TooManyNames)]
    }

    /// A question is taken back; true if it was still open.
    pub fn cancel(&mut self, worker: u32, number: u64) -> (bool, Vec<Answered>) {
        let mut answers = Vec::new();
        let was_open = self.forget((worker, number), &mut answers);
        (was_open, answers)
    }

    /// An element that reached nobody is the first again.
    pub fn back(&mut self, name: &str, value: Value) -> Vec<Answered> {
        let mut answers = Vec::new();
        if let Some(queue) = self.queues.get_mut(name) {
            let bytes = value.held_bytes();
            queue.bytes += bytes;
            self.bytes += bytes;
            queue.elements.push_front(value);
            self.settle(name, &mut answers);
        }
        answers
    }

    /// A worker's turn is over without a value.
    pub fn passed(&mut self, worker: u32, name: &str, number: u64) -> Vec<Answered> {
        let mut answers = Vec::new();
        if let Some(made) = self.values.get_mut(name)
            && made.turn == Some((worker, number))
        {
            made.turn = None;
            turn(made, &mut self.turns, &mut answers);
            self.tidy(&answers);
        }
        answers
    }

    /// A worker's users are gone: their questions are, and turns of theirs pass on.
    pub fn gone(&mut self, worker: u32) -> Vec<Answered> {
        let mut answers = Vec::new();
        let open = self.open.range((worker, 0)..=(worker, u64::MAX));
        let open: Vec<Asker> = open.map(|(question, _)| *question).collect();
        for question in open {
            self.forget(question, &mut answers);
        }
        for made in self.values.values_mut() {
            if made.turn.is_some_and(|(of, _)| of == worker) {
                made.turn = None;
                turn(made, &mut self.turns, &mut answers);
            }
        }
        self.tidy(&answers);
        answers
    }

    /// The master was started again: questions come again, and turns begin anew.
    pub fn restart(&mut self) {
        self.open.clear();
        for queue in self.queues.values_mut() {
            queue.takers.clear();
            queue.putters.clear();
        }
        for made in self.values.values_mut() {
            made.turn = None;
            made.waiting.clear();
        }
    }

    /// Open questions of all workers.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open.len()
    }

    /// Workers whose turn it is to make a value.
    pub fn makers(&self) -> impl Iterator<Item = u32> {
        let turns = self.values.values().filter_map(|made| made.turn);
        turns.map(|(worker, _)| worker)
    }

    /// Elements in all queues.
    #[must_use]
    pub fn elements(&self) -> usize {
        let queues = self.queues.values();
        queues.map(|queue| queue.elements.len()).sum()
    }

    fn forget(&mut self, question: Asker, answers: &mut Vec<Answered>) -> bool {
        let Some((kind, name)) = self.open.remove(&question) else {
            return false;
        };
        match kind {
            Kind::Once => {
                if let Some(made) = self.values.get_mut(&name) {
                    made.waiting.retain(|waits| *waits != question);
                }
            }
            Kind::Queue => {
                if let Some(queue) = self.queues.get_mut(&name) {
                    queue.takers.retain(|waits| *waits != question);
                    queue.putters.retain(|(waits, _)| *waits != question);
                }
                // The next one may be smaller.
                self.settle(&name, answers);
            }
        }
        true
    }

    /// Notes a question that was not answered at once, and that others were.
    fn waits(&mut self, question: Asker, kind: Kind, name: Box<str>, answers: &[Answered]) {
        self.open.insert(question, (kind, name));
        self.tidy(answers);
    }

    fn tidy(&mut self, answers: &[Answered]) {
        for (worker, number, _) in answers {
            self.open.remove(&(*worker, *number));
        }
    }

    /// Admits elements as far as there is room, and hands them to takers.
    fn settle(&mut self, name: &str, answers: &mut Vec<Answered>) {
        let Some(queue) = self.queues.get_mut(name) else {
            return;
        };
        let from = answers.len();
        loop {
            if let Some((_, value)) = queue.putters.front() {
                let bytes = value.held_bytes();
                let fits = queue.bytes + bytes <= BYTES && self.bytes + bytes <= BYTES_OF_ALL;
                let has_room =
                    queue.elements.is_empty() || (queue.elements.len() < ELEMENTS && fits);
                if has_room && let Some(((worker, number), value)) = queue.putters.pop_front() {
                    queue.bytes += bytes;
                    self.bytes += bytes;
                    queue.elements.push_back(value);
                    answers.push((worker, number, Answer::Put));
                    continue;
                }
            }
            if queue.takers.is_empty() || queue.elements.is_empty() {
                break;
            }
            if let (Some((worker, number)), Some(value)) =
                (queue.takers.pop_front(), queue.elements.pop_front())
            {
                let bytes = value.held_bytes();
                queue.bytes -= bytes;
                self.bytes -= bytes;
                answers.push((worker, number, Answer::Taken(Some(value))));
            }
        }
        let answered: Vec<Answered> = answers[from..].to_vec();
        self.tidy(&answered);
    }
}

/// Answers all who wait for a value, or gives the turn to the first.
fn turn(made: &mut Made, turns: &mut u64, answers: &mut Vec<Answered>) {
    if let Some(value) = &made.value {
        let waiting = made.waiting.drain(..);
        answers.extend(waiting.map(|(worker, ask)| (worker, ask, Answer::Value(value.clone()))));
    } else if made.turn.is_none()
        && let Some((worker, ask)) = made.waiting.pop_front()
    {
        *turns += 1;
        made.turn = Some((worker, *turns));
        answers.push((worker, ask, Answer::Make(*turns)));
    }
}

/// What has that name, made on first use; `None` if there are too many.
fn named<'a, T: Default>(all: &'a mut BTreeMap<Box<str>, T>, name: &str) -> Option<&'a mut T> {
    if !all.contains_key(name) {
        if all.len() >= NAMES {
            return None;
        }
        all.insert(name.into(), T::default());
    }
    all.get_mut(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(name: &str, value: i64) -> Ask {
        Ask::Put(name.into(), Value::Int(value))
    }

    fn taken(value: i64) -> Answer {
        Answer::Taken(Some(Value::Int(value)))
    }

    #[test]
    fn what_one_puts_another_takes_in_order() {
        let mut commons = Commons::default();
        assert_eq!(commons.ask(1, 1, Ask::Take("q".into())), []);
        assert_eq!(commons.ask(2, 1, Ask::Take("q".into())), []);
        let handed = commons.ask(3, 1, put("q", 7));
        assert_eq!(handed, [(3, 1, Answer::Put), (1, 1, taken(7))]);
        assert_eq!(commons.waiting(), 1);
        // It is gone; what comes is for who takes next.
        assert_eq!(commons.gone(2), []);
        assert_eq!(commons.ask(3, 2, put("q", 8)), [(3, 2, Answer::Put)]);
        assert_eq!(commons.ask(3, 3, put("q", 9)), [(3, 3, Answer::Put)]);
        assert_eq!(commons.back("q", Value::Int(7)), []);
        let length = commons.ask(1, 2, Ask::Length("q".into()));
        assert_eq!(length, [(1, 2, Answer::Length(3))]);
        let all = [7, 8, 9].map(|value| (1, 3, taken(value)));
        for expected in all {
            assert_eq!(commons.ask(1, 3, Ask::TryTake("q".into())), [expected]);
        }
        let none = commons.ask(1, 4, Ask::TryTake("q".into()));
        assert_eq!(none, [(1, 4, Answer::Taken(None))]);
        assert_eq!(
            (commons.waiting(), commons.elements(), commons.bytes),
            (0, 0, 0)
        );
    }

    #[test]
    fn a_question_that_is_taken_back_gets_nothing() {
        let mut commons = Commons::default();
        commons.ask(1, 1, Ask::Take("q".into()));
        assert_eq!(commons.cancel(1, 1), (true, vec![]));
        assert_eq!(commons.cancel(1, 1), (false, vec![]));
        assert_eq!(commons.ask(2, 1, put("q", 7)), [(2, 1, Answer::Put)]);
        assert_eq!(commons.elements(), 1);
    }

    #[test]
    fn a_full_queue_lets_its_putters_wait() {
        let mut commons = Commons::default();
        let large = Value::Bytes(vec![0; BYTES / 2].into());
        let put =
            |commons: &mut Commons, ask| commons.ask(1, ask, Ask::Put("q".into(), large.clone()));
        assert_eq!(put(&mut commons, 1).len(), 1);
        assert_eq!(put(&mut commons, 2), []);
        assert_eq!(put(&mut commons, 3), []);
        commons.cancel(1, 2);
        let answers = commons.ask(2, 1, Ask::Take("q".into()));
        let put = answers.iter().filter(|(.., answer)| *answer == Answer::Put);
        assert_eq!((answers.len(), put.count()), (2, 1));
    }

    #[test]
    fn a_value_is_made_once_and_its_turn_passes_on() {
        let mut commons = Commons::default();
        let once = || Ask::Once("v".into());
        let made = |turn, value| Ask::Made("v".into(), turn, Value::Int(value));
        let value = Answer::Value(Value::Int(2));
        assert_eq!(commons.ask(1, 1, once()), [(1, 1, Answer::Make(1))]);
        assert_eq!(commons.ask(2, 1, once()), []);
        assert_eq!(commons.ask(3, 1, once()), []);
        assert_eq!(commons.passed(2, "v", 1), [], "it is not its turn");
        // The first one is gone, and comes back with what it made.
        assert_eq!(commons.gone(1), [(2, 1, Answer::Make(2))]);
        assert_eq!(commons.ask(1, 2, made(1, 1)), []);
        let all = [
            (2, 2, value.clone()),
            (3, 1, value.clone()),
            (1, 2, value.clone()),
        ];
        let mut answers = commons.ask(2, 2, made(2, 2));
        answers.sort_by_key(|(worker, ..)| *worker);
        let mut all = all.to_vec();
        all.sort_by_key(|(worker, ..)| *worker);
        assert_eq!(answers, all);
        assert_eq!(commons.ask(9, 9, once()), [(9, 9, value)]);
        assert_eq!(commons.waiting(), 0);
    }

    #[test]
    fn there_are_only_so_many_names() {
        let mut commons = Commons::default();
        for name in 0..NAMES {
            commons.ask(1, 1, Ask::Length(name.to_string().into()));
        }
        let more = commons.ask(1, 1, Ask::Length("more".into()));
        assert_eq!(more, [(1, 1, Answer::TooManyNames)]);
    }
}
