//! The tasks of a class and its sets, as plain data, and the order in which a set runs them.
//!
//! Choosing the next task is arithmetic on these and on chance. `vu` runs tasks, enters sets and
//! leaves them; the script has the functions.

use serde::{Deserialize, Serialize};

use super::{Random, Wait};

/// A task of a class or of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name, as in reports.
    pub name: String,
    /// How often it is picked relative to its siblings; in a sequence, how often it runs in a row.
    pub weight: u32,
    /// Its tags, those of the sets around it included.
    pub tags: Vec<String>,
    /// What it runs.
    pub body: Body,
}

/// What a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// A function of the script, by its index in the class's table of functions.
    Function(usize),
    /// A set, by its index in [`Class::sets`](super::Class::sets).
    Set(usize),
}

/// A set of tasks: a user enters it, runs its tasks, and leaves it by `interrupt()`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Set {
    /// Its name as a task.
    pub name: String,
    /// How its next task is chosen.
    pub order: Order,
    /// The wait between its tasks; `None` for the user's, even inside another set.
    pub wait: Option<Wait>,
    /// The closure of a [`Wait::Script`], in the class's table of functions.
    pub wait_function: Option<usize>,
    /// Runs at each entry.
    pub on_start: Option<usize>,
    /// Runs at each exit.
    pub on_stop: Option<usize>,
    /// Its tasks, in the order written.
    pub tasks: Vec<Task>,
}

/// How the next task of a set is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// By weight, independent of the last one.
    Weighted,
    /// One after another, each as often in a row as its weight says, then from the start again.
    Sequence,
    /// By weights that depend on the last one.
    Markov {
        /// The task that each entry begins with.
        first: usize,
        /// For each task, those that may follow, with their weights.
        next: Vec<Vec<(usize, u32)>>,
    },
}

/// Where a user is in a set. Starts over at each entry.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    last: Option<usize>,
    /// How often the last one is still due; only used in sequences.
    left: u32,
}

impl Cursor {
    /// The index of the set's next task.
    pub fn next(&mut self, set: &Set, random: &mut Random) -> usize {
        let next = match &set.order {
            Order::Weighted => pick(&set.tasks, random),
            Order::Sequence => self.in_sequence(&set.tasks),
            Order::Markov { first, next } => match self.last.and_then(|last| next.get(last)) {
                None => *first,
                Some(next) => {
                    let weights = next.iter().map(|(_, weight)| *weight);
                    weighted(weights, random).map_or(*first, |index| next[index].0)
                }
            },
        };
        self.last = Some(next);
        next
    }

    /// Stays at the task of the same name in an edited set. If that is gone, a sequence continues
    /// with the task in its place, and a chain starts over.
    pub fn renew(&mut self, before: &Set, after: &Set) {
        let Some(last) = self.last else { return };
        let name = before.tasks.get(last).map(|task| &task.name);
        let found = after.tasks.iter().position(|task| Some(&task.name) == name);
        if found.is_none() {
            self.left = 0;
        }
        self.last = match after.order {
            Order::Sequence => found.or_else(|| last.checked_sub(1)),
            Order::Weighted | Order::Markov { .. } => found,
        };
        if let Some(task) = self.last.and_then(|last| after.tasks.get(last)) {
            self.left = self.left.min(task.weight.saturating_sub(1));
        }
    }

    fn in_sequence(&mut self, tasks: &[Task]) -> usize {
        if let (Some(last), Some(left)) = (self.last, self.left.checked_sub(1)) {
            self.left = left;
            return last;
        }
        let begin = self.last.map_or(0, |last| last + 1);
        let due = |index: &usize| tasks.get(*index).is_some_and(|task| task.weight > 0);
        let mut all = (begin..tasks.len()).chain(0..tasks.len());
        let next = all.find(due).unwrap_or(0);
        self.left = tasks
            .get(next)
            .map_or(0, |task| task.weight.saturating_sub(1));
        next
    }
}

/// The index of one of `tasks`: each as likely as its weight says, independent of the last.
pub(super) fn pick(tasks: &[Task], random: &mut Random) -> usize {
    if tasks.len() == 1 {
        return 0;
    }
    weighted(tasks.iter().map(|task| task.weight), random).unwrap_or(0)
}

/// An index, as likely as its weight says; `None` if no weight is above zero.
fn weighted(weights: impl Iterator<Item = u32> + Clone, random: &mut Random) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    let mut left = random.below(total);
    for (index, weight) in weights.enumerate() {
        match left.checked_sub(u64::from(weight)) {
            Some(rest) => left = rest,
            None => return Some(index),
        }
    }
    None
}

/// Which of a class's functions to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Function {
    /// `on_start`
    OnStart,
    /// `on_stop`
    OnStop,
    /// `on_reload`
    OnReload,
    /// The closure of `wait_time`.
    Wait,
    /// The function of a task, or a set's hook, by its index in the class's table.
    Task(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(weight: u32) -> Task {
        Task {
            name: format!("t{weight}"),
            weight,
            tags: Vec::new(),
            body: Body::Function(0),
        }
    }

    fn set(order: Order, weights: &[u32]) -> Set {
        Set {
            name: "set".to_owned(),
            order,
            wait: None,
            wait_function: None,
            on_start: None,
            on_stop: None,
            tasks: weights.iter().map(|weight| task(*weight)).collect(),
        }
    }

    /// The first `count` tasks of a user in the set.
    fn run(set: &Set, count: usize) -> Vec<usize> {
        let mut random = Random::of_user(1, "Shopper", 0);
        let mut cursor = Cursor::default();
        (0..count).map(|_| cursor.next(set, &mut random)).collect()
    }

    /// How often each of `tasks` was run.
    fn counts(tasks: usize, run: &[usize]) -> Vec<usize> {
        (0..tasks)
            .map(|task| run.iter().filter(|index| **index == task).count())
            .collect()
    }

    #[test]
    fn tasks_are_picked_by_weight() {
        let run = run(&set(Order::Weighted, &[3, 0, 1]), 40_000);
        let counts = counts(3, &run);
        assert_eq!(counts[1], 0);
        // Five standard deviations are 433.
        assert!(counts[0].abs_diff(30_000) < 440, "{counts:?}");
    }

    #[test]
    fn a_sequence_repeats_by_weight_and_begins_again() {
        let in_order = |weights: &[u32], count| run(&set(Order::Sequence, weights), count);
        assert_eq!(in_order(&[1, 1, 1], 7), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(in_order(&[1, 3, 0, 2], 8), [0, 1, 1, 1, 3, 3, 0, 1]);
        assert_eq!(in_order(&[0, 2], 3), [1, 1, 1]);
        assert_eq!(in_order(&[1], 2), [0, 0]);
    }

    #[test]
    fn a_markov_chain_follows_its_transitions() {
        let next = vec![vec![(1, 3), (2, 1)], vec![(0, 1)], vec![(0, 1)]];
        let chain = set(Order::Markov { first: 2, next }, &[1, 1, 1]);
        let run = run(&chain, 40_000);
        assert_eq!(run[..2], [2, 0]);
        for pair in run.windows(2) {
            assert_eq!(pair[0] == 0, pair[1] != 0, "{pair:?}");
        }
        let counts = counts(3, &run);
        // A quarter of 20,000; five standard deviations are 306.
        assert!(counts[2].abs_diff(5_000) < 320, "{counts:?}");
    }

    /// A set whose tasks are these letters, each of the weight that follows it.
    fn named(order: Order, tasks: &str) -> Set {
        let tasks = tasks.split_whitespace().map(|task| {
            let (name, weight) = task.split_at(1);
            Task {
                name: name.to_owned(),
                ..self::task(weight.parse().unwrap_or(1))
            }
        });
        Set {
            tasks: tasks.collect(),
            ..set(order, &[])
        }
    }

    /// The tasks that a user runs in a set, a number in each of its versions.
    fn renewed(versions: &[(&Set, usize)]) -> String {
        let mut random = Random::of_user(1, "Shopper", 0);
        let mut cursor = Cursor::default();
        let mut ran = String::new();
        for (index, (set, count)) in versions.iter().enumerate() {
            if let Some(before) = index.checked_sub(1) {
                cursor.renew(versions[before].0, set);
            }
            for _ in 0..*count {
                ran += &set.tasks[cursor.next(set, &mut random)].name;
            }
        }
        ran
    }

    #[test]
    fn a_sequence_goes_on_after_the_task_it_was_at() {
        let sequence = |tasks| named(Order::Sequence, tasks);
        let ran =
            |before, count, after| renewed(&[(&sequence(before), count), (&sequence(after), 4)]);
        assert_eq!(ran("a b c", 0, "b a"), "baba");
        // Moved, among more, and as the last.
        assert_eq!(ran("a b c", 2, "c b a d"), "abadcb");
        assert_eq!(ran("a b c", 2, "a c b"), "abacba");
        // Gone: the task in its place is next.
        assert_eq!(ran("a b c", 2, "a c"), "abcaca");
        assert_eq!(ran("a b c", 1, "b c"), "abcbc");
        assert_eq!(ran("a b c", 3, "a"), "abcaaaa");
        // A task's remaining runs never exceed its current weight, and those of a task that is gone
        // are not passed to another.
        assert_eq!(ran("a3 b", 1, "a3 b"), "aaaba");
        assert_eq!(ran("a9 b", 1, "a2 b"), "aabaa");
        assert_eq!(ran("a3 b", 1, "a1 b"), "ababa");
        assert_eq!(ran("a3 b", 1, "a0 b"), "abbbb");
        assert_eq!(ran("a3 b", 1, "c b"), "acbcb");
    }

    #[test]
    fn a_chain_goes_on_from_its_state_or_begins_again() {
        let chain = |tasks, first, next: &[usize]| {
            let next = next.iter().map(|next| vec![(*next, 1)]).collect();
            named(Order::Markov { first, next }, tasks)
        };
        let circle = chain("a b c", 0, &[1, 2, 0]);
        // `b` is now followed by `a`, and has moved.
        let back = chain("b a c", 2, &[1, 0, 0]);
        assert_eq!(renewed(&[(&circle, 2), (&back, 3)]), "ababa");
        let without = chain("a c", 1, &[1, 0]);
        assert_eq!(renewed(&[(&circle, 2), (&without, 3)]), "abcac");
        // Another order of the same set: the sequence goes on after the state it was in.
        let sequence = named(Order::Sequence, "a c b d");
        assert_eq!(renewed(&[(&circle, 2), (&sequence, 2)]), "abda");
        assert_eq!(renewed(&[(&sequence, 2), (&circle, 2)]), "acab");
    }
}
