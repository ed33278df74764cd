//! Which of a scenario's tasks and classes a run has: tags, and equal weights.
//!
//! Pure: returns another scenario with the same classes and the same indices of functions and sets.
//! The command line parses what a person asked for.

use std::collections::BTreeSet;

use super::{Body, Class, Order, Scenario, Set, Shape, Task};
use crate::load::{ClassShare, Division, Stage};

/// Which tasks are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// Only those with one of these; `None` for all.
    pub include: Option<Vec<String>>,
    /// None of those with one of these, whatever else they have.
    pub exclude: Vec<String>,
}

impl Tags {
    fn admit(&self, tags: &[String]) -> bool {
        let any = |wanted: &[String]| wanted.iter().any(|tag| tags.contains(tag));
        !any(&self.exclude) && self.include.as_deref().is_none_or(any)
    }
}

impl Scenario {
    /// The class of that name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// All tags of the scenario, in alphabetical order.
    #[must_use]
    pub fn tags(&self) -> Vec<&str> {
        let tasks = self.classes.iter().flat_map(Class::all_tasks);
        let mut tags: Vec<_> = tasks.flat_map(|task| &task.tags).collect();
        tags.sort();
        tags.dedup();
        tags.into_iter().map(String::as_str).collect()
    }
}

impl Scenario {
    /// Leaves a class without users: neither its weight nor a shape gives it any.
    pub fn leave_out(&mut self, class: usize) {
        self.classes[class].share = ClassShare {
            weight: 0.0,
            fixed_count: None,
        };
        self.left_out.insert(class);
        if let Some(Shape::Stages(division, stages)) = &mut self.shape {
            let division = *division;
            for stage in stages {
                keep_users(&self.left_out, division, stage);
            }
        }
    }

    /// A stage that the shape's closure asks for, without users of the classes left out.
    pub fn without_left_out(&self, division: Division, stage: &mut Stage) {
        keep_users(&self.left_out, division, stage);
    }

    /// Whether a class may have users: from a shape with a number for each class, or else from its
    /// weight. What a closure will ask for is not known.
    #[must_use]
    pub fn may_have_users(&self, class: usize) -> bool {
        match &self.shape {
            Some(Shape::Stages(Division::PerClass(_), stages)) => {
                stages.iter().any(|stage| stage.users[class] > 0)
            }
            _ => self.classes[class].has_users(),
        }
    }
}

fn keep_users(left_out: &BTreeSet<usize>, division: Division, stage: &mut Stage) {
    if let Division::PerClass(_) = division {
        for class in left_out {
            stage.users[*class] = 0;
        }
    }
}

impl Class {
    /// Its tasks and those of all its sets, sets included.
    pub fn all_tasks(&self) -> impl Iterator<Item = &Task> {
        let within = self.sets.iter().flat_map(|set| &set.tasks);
        self.tasks.iter().chain(within)
    }

    /// How many of its tasks are functions.
    #[must_use]
    pub fn task_count(&self) -> usize {
        let is_function = |task: &&Task| matches!(task.body, Body::Function(_));
        self.all_tasks().filter(is_function).count()
    }

    /// Whether this class has any users.
    #[must_use]
    pub fn has_users(&self) -> bool {
        match self.share.fixed_count {
            Some(count) => count > 0,
            None => self.share.weight > 0.0,
        }
    }

    /// The class with the tasks that `tags` admit; sets that are left empty are dropped. `None`
    /// if no task is left.
    #[must_use]
    pub fn tagged(&self, tags: &Tags) -> Option<Class> {
        let mut class = self.clone();
        class.tasks = admitted(&self.tasks, &mut class.sets, tags);
        class
            .tasks
            .iter()
            .any(|task| task.weight > 0)
            .then_some(class)
    }

    /// Makes all tasks equally likely; one that is never picked stays so. Chains keep their
    /// transitions.
    pub fn equalise(&mut self) {
        let within = self.sets.iter_mut().flat_map(|set| &mut set.tasks);
        for task in self.tasks.iter_mut().chain(within) {
            task.weight = task.weight.min(1);
        }
    }
}

/// The tasks that are admitted; of sets among them only the admitted ones are left.
fn admitted(tasks: &[Task], sets: &mut [Set], tags: &Tags) -> Vec<Task> {
    let mut left = Vec::new();
    for task in tasks {
        let is_admitted = match task.body {
            // The states of a chain have the tags of the whole, and no others.
            Body::Set(set) if !matches!(sets[set].order, Order::Markov { .. }) => {
                let within = std::mem::take(&mut sets[set].tasks);
                sets[set].tasks = admitted(&within, sets, tags);
                sets[set].tasks.iter().any(|task| task.weight > 0)
            }
            Body::Set(_) | Body::Function(_) => tags.admit(&task.tags),
        };
        if is_admitted {
            left.push(task.clone());
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::Wait;

    fn task(name: &str, tags: &[&str], body: Body) -> Task {
        Task {
            name: name.to_owned(),
            weight: 1,
            tags: tags.iter().map(ToString::to_string).collect(),
            body,
        }
    }

    fn set(order: Order, tasks: Vec<Task>) -> Set {
        Set {
            name: "set".to_owned(),
            order,
            wait: None,
            wait_function: None,
            on_start: None,
            on_stop: None,
            tasks,
        }
    }

    /// `a` of tag x, `b` without a tag, a set of tag y with `c` and, of tag x too, `d`; and a
    /// chain of tag z within that set.
    fn class() -> Class {
        let chain = Order::Markov {
            first: 0,
            next: vec![vec![(0, 1)]],
        };
        Class {
            name: "U".to_owned(),
            share: ClassShare {
                weight: 2.0,
                fixed_count: None,
            },
            host: None,
            wait: Wait::Constant(Duration::ZERO),
            tasks: vec![
                task("a", &["x"], Body::Function(0)),
                task("b", &[], Body::Function(1)),
                task("set", &["y"], Body::Set(0)),
            ],
            sets: vec![
                set(
                    Order::Weighted,
                    vec![
                        task("c", &["y"], Body::Function(2)),
                        task("d", &["x", "y"], Body::Function(3)),
                        task("chain", &["y", "z"], Body::Set(1)),
                    ],
                ),
                set(chain, vec![task("e", &["y", "z"], Body::Function(4))]),
            ],
        }
    }

    /// The names of the tasks left, those of a set in brackets.
    fn left(include: Option<&[&str]>, exclude: &[&str]) -> Option<String> {
        fn names(tasks: &[Task], class: &Class) -> String {
            let name = |task: &Task| match task.body {
                Body::Function(_) => task.name.clone(),
                Body::Set(set) => format!("({})", names(&class.sets[set].tasks, class)),
            };
            tasks.iter().map(name).collect::<Vec<_>>().join(" ")
        }
        let owned = |tags: &[&str]| tags.iter().map(ToString::to_string).collect();
        let tags = Tags {
            include: include.map(owned),
            exclude: owned(exclude),
        };
        let class = class().tagged(&tags)?;
        Some(names(&class.tasks, &class))
    }

    #[test]
    fn one_of_the_tags_is_enough_and_exclusion_wins() {
        let some = |names: &str| Some(names.to_owned());
        assert_eq!(left(None, &[]), some("a b (c d (e))"));
        assert_eq!(left(Some(&["x"]), &[]), some("a (d)"));
        assert_eq!(left(Some(&["y"]), &[]), some("(c d (e))"));
        assert_eq!(left(Some(&["z", "x"]), &[]), some("a (d (e))"));
        assert_eq!(left(None, &["x"]), some("b (c (e))"));
        assert_eq!(left(Some(&["y"]), &["x", "z"]), some("(c)"));
        assert_eq!(left(None, &["y"]), some("a b"));
    }

    #[test]
    fn nothing_left_is_no_class() {
        assert_eq!(left(Some(&["no"]), &[]), None);
        assert_eq!(left(Some(&["x"]), &["x"]), None);
        let mut never_picked = class();
        never_picked.tasks[0].weight = 0;
        let only_x = Tags {
            include: Some(vec!["x".to_owned()]),
            exclude: vec!["y".to_owned()],
        };
        assert_eq!(never_picked.tagged(&only_x), None);
    }

    #[test]
    fn functions_and_sets_keep_their_indices() {
        let only_z = Tags {
            include: Some(vec!["z".to_owned()]),
            exclude: Vec::new(),
        };
        let class = class().tagged(&only_z).unwrap();
        assert_eq!(class.tasks[0].body, Body::Set(0));
        assert_eq!(class.sets[0].tasks[0].body, Body::Set(1));
        assert_eq!(class.sets[1].tasks[0].body, Body::Function(4));
    }

    #[test]
    fn equal_weights_keep_what_is_never_picked() {
        let mut class = class();
        class.tasks[0].weight = 7;
        class.tasks[1].weight = 0;
        class.sets[0].tasks[1].weight = 3;
        class.equalise();
        let weights: Vec<_> = class.all_tasks().map(|task| task.weight).collect();
        assert_eq!(weights, [1, 0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn tags_are_listed_once_and_tasks_counted_without_sets() {
        let scenario = Scenario {
            classes: vec![class(), class()],
            ..Scenario::default()
        };
        assert_eq!(scenario.tags(), ["x", "y", "z"]);
        assert_eq!(scenario.classes[0].task_count(), 5);
    }
}
