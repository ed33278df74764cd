//! How often each task is picked, as a tree of shares.
//!
//! Arithmetic on weights. A set's share is how often it is entered; how long users stay in it is
//! not known in advance.

use super::{Body, Class, Order, Scenario, Set, Task};

/// A class or a task with its share, from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// The name of the class or task.
    pub name: String,
    /// Its share.
    pub ratio: f64,
    /// Its tasks; empty for a function.
    pub tasks: Vec<Ratio>,
}

/// What the shares of tasks refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Their siblings: each class and each set is a whole.
    Each,
    /// All users.
    Total,
}

/// The classes of a scenario for a number of users; without one only weights count, unless a class
/// has a fixed number of users.
#[must_use]
pub fn ratios(scenario: &Scenario, users: Option<u32>, whole: Whole) -> Vec<Ratio> {
    let classes = &scenario.classes;
    let counts = users_of(classes, users);
    let total: f64 = counts.iter().sum();
    classes
        .iter()
        .zip(counts)
        .filter(|(class, _)| class.has_users())
        .map(|(class, count)| {
            let ratio = if total > 0.0 { count / total } else { 0.0 };
            let shares = by_weight(&class.tasks);
            Ratio {
                name: class.name.clone(),
                ratio,
                tasks: of_tasks(class, &class.tasks, &shares, ratio, whole),
            }
        })
        .collect()
}

fn users_of(classes: &[Class], users: Option<u32>) -> Vec<f64> {
    let fixed: f64 = classes
        .iter()
        .filter_map(|class| class.share.fixed_count)
        .map(f64::from)
        .sum();
    let weights: f64 = classes
        .iter()
        .filter(|class| class.share.fixed_count.is_none())
        .map(|class| class.share.weight)
        .sum();
    let users = match users {
        Some(users) => f64::from(users),
        None if fixed > 0.0 => 1.0,
        None => weights,
    };
    let left = (users - fixed).max(0.0);
    let count = |class: &Class| match class.share.fixed_count {
        Some(count) => f64::from(count),
        None if weights > 0.0 => class.share.weight / weights * left,
        None => 0.0,
    };
    classes.iter().map(count).collect()
}

fn of_tasks(
    class: &Class,
    tasks: &[Task],
    shares: &[f64],
    parent: f64,
    whole: Whole,
) -> Vec<Ratio> {
    let parent = match whole {
        Whole::Each => 1.0,
        Whole::Total => parent,
    };
    let ratio = |(task, share): (&Task, &f64)| {
        let ratio = share * parent;
        let tasks = match task.body {
            Body::Function(_) => Vec::new(),
            Body::Set(set) => {
                let set = &class.sets[set];
                of_tasks(class, &set.tasks, &of_set(set), ratio, whole)
            }
        };
        Ratio {
            name: task.name.clone(),
            ratio,
            tasks,
        }
    };
    tasks.iter().zip(shares).map(ratio).collect()
}

fn of_set(set: &Set) -> Vec<f64> {
    match &set.order {
        Order::Weighted | Order::Sequence => by_weight(&set.tasks),
        Order::Markov { first, next } => in_the_long_run(*first, next),
    }
}

fn by_weight(tasks: &[Task]) -> Vec<f64> {
    let total: f64 = tasks.iter().map(|task| f64::from(task.weight)).sum();
    let share = |task: &Task| f64::from(task.weight) / total.max(1.0);
    tasks.iter().map(share).collect()
}

/// The share of each state of a chain that begins in `first` and is never left.
///
/// By power iteration on the chain that stays where it is at every other step: it has the same
/// shares, but is not periodic, so they converge.
fn in_the_long_run(first: usize, next: &[Vec<(usize, u32)>]) -> Vec<f64> {
    const STEPS: usize = 10_000;
    const CLOSE: f64 = 1e-9;
    let mut shares = vec![0.0; next.len()];
    shares[first] = 1.0;
    for _ in 0..STEPS {
        let mut after: Vec<f64> = shares.iter().map(|share| share / 2.0).collect();
        for (share, targets) in shares.iter().zip(next) {
            let total: f64 = targets.iter().map(|(_, weight)| f64::from(*weight)).sum();
            for (target, weight) in targets {
                after[*target] += share / 2.0 * f64::from(*weight) / total;
            }
        }
        let change = shares.iter().zip(&after).map(|(a, b)| (a - b).abs());
        let is_close = change.sum::<f64>() < CLOSE;
        shares = after;
        if is_close {
            break;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::ClassShare;
    use crate::scenario::Wait;

    fn task(name: &str, weight: u32, body: Body) -> Task {
        Task {
            name: name.to_owned(),
            weight,
            tags: Vec::new(),
            body,
        }
    }

    fn class(name: &str, weight: f64, fixed_count: Option<u32>) -> Class {
        Class {
            name: name.to_owned(),
            share: ClassShare {
                weight,
                fixed_count,
            },
            host: None,
            wait: Wait::Constant(Duration::ZERO),
            tasks: vec![
                task("a", 3, Body::Function(0)),
                task("set", 1, Body::Set(0)),
            ],
            sets: vec![Set {
                name: "set".to_owned(),
                order: Order::Sequence,
                wait: None,
                wait_function: None,
                on_start: None,
                on_stop: None,
                tasks: vec![
                    task("b", 1, Body::Function(1)),
                    task("c", 4, Body::Function(2)),
                ],
            }],
        }
    }

    fn shares(classes: Vec<Class>, users: Option<u32>, whole: Whole) -> String {
        fn lines(ratios: &[Ratio]) -> String {
            let line = |ratio: &Ratio| {
                let within = lines(&ratio.tasks);
                format!("{} {:.3} {within}", ratio.name, ratio.ratio)
            };
            ratios.iter().map(line).collect()
        }
        let scenario = Scenario {
            classes,
            ..Scenario::default()
        };
        lines(&ratios(&scenario, users, whole)).trim().to_owned()
    }

    #[test]
    fn shares_are_of_each_or_of_all() {
        let classes = || vec![class("U", 1.0, None), class("V", 3.0, None)];
        assert_eq!(
            shares(classes(), None, Whole::Each),
            "U 0.250 a 0.750 set 0.250 b 0.200 c 0.800 V 0.750 a 0.750 set 0.250 b 0.200 c 0.800"
        );
        assert_eq!(
            shares(classes(), Some(8), Whole::Total),
            "U 0.250 a 0.188 set 0.062 b 0.013 c 0.050 V 0.750 a 0.562 set 0.188 b 0.038 c 0.150"
        );
    }

    #[test]
    fn fixed_counts_come_first_and_classes_without_users_are_left_out() {
        let classes = || {
            let mut all = vec![
                class("U", 1.0, Some(2)),
                class("V", 3.0, None),
                class("W", 0.0, None),
            ];
            for class in &mut all {
                class.tasks.clear();
            }
            all
        };
        assert_eq!(shares(classes(), Some(8), Whole::Each), "U 0.250 V 0.750");
        assert_eq!(shares(classes(), None, Whole::Each), "U 1.000 V 0.000");
    }

    #[test]
    fn a_chain_has_the_shares_of_the_long_run() {
        // From 0 to 1 three times in four, else to 2; both lead back.
        let next = vec![vec![(1, 3), (2, 1)], vec![(0, 1)], vec![(0, 1)]];
        let shares = in_the_long_run(1, &next);
        for (share, expected) in shares.iter().zip([0.5, 0.375, 0.125]) {
            assert!((share - expected).abs() < 1e-6, "{shares:?}");
        }
        // A state that is left forever has no share in the end.
        let shares = in_the_long_run(0, &[vec![(1, 1)], vec![(1, 1)]]);
        assert!(shares[0] < 1e-6 && shares[1] > 0.999_999, "{shares:?}");
    }
}
