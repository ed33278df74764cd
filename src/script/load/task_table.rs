//! Tasks and sets as a class has them: nested declarations laid out as a plan and one flat table
//! of functions.
//!
//! Owns the indices by which plan and functions know each other, and which functions of sets are
//! methods. What a declaration may say is read in `declare`.

use rhai::FnPtr;

use super::declare::{SetDeclaration, TaskBody, TaskDeclaration};
use crate::scenario::{self, Body};

/// The tasks of one class, laid out.
#[derive(Clone, Default)]
pub(crate) struct TaskTable {
    /// The functions of tasks and the hooks of sets, each with what it is. Those of the class's
    /// own tasks come first.
    pub(crate) functions: Vec<(String, FnPtr)>,
    pub(crate) sets: Vec<scenario::Set>,
    /// What sets have by name: possibly methods.
    found: Vec<Found>,
}

/// A function that stands in a set under a key.
#[derive(Clone)]
struct Found {
    name: String,
    function: FnPtr,
    is_task: bool,
}

impl TaskTable {
    /// Lays out tasks, in the order written, by key; gives the plan.
    pub(crate) fn lay_out(
        &mut self,
        tasks: Vec<(String, TaskDeclaration)>,
        tags: &[String],
    ) -> Vec<scenario::Task> {
        // Functions first: a class without sets has its tasks' indices as they are written.
        let mut bodies: Vec<_> = tasks
            .iter()
            .map(|(key, task)| match &task.body {
                TaskBody::Function(function) => {
                    let function = function.clone();
                    Some(Body::Function(
                        self.list(format!("the task `{key}`"), function),
                    ))
                }
                TaskBody::Set(_) => None,
            })
            .collect();
        let mut plan = Vec::new();
        for ((key, task), body) in tasks.into_iter().zip(&mut bodies) {
            let name = task.name.unwrap_or_else(|| key.clone());
            let mut tags = tags.to_vec();
            tags.extend(task.tags);
            tags.sort();
            tags.dedup();
            let body = match task.body {
                TaskBody::Set(set) => Body::Set(self.set(&key, &name, *set, &tags)),
                TaskBody::Function(_) => body.expect("it was listed above"),
            };
            plan.push(scenario::Task {
                name,
                weight: task.weight,
                tags,
                body,
            });
        }
        plan
    }

    fn set(&mut self, key: &str, name: &str, set: SetDeclaration, tags: &[String]) -> usize {
        let index = self.sets.len();
        let mut hook = |what: &str, function: Option<FnPtr>| {
            function.map(|function| self.list(format!("{what} of the set `{key}`"), function))
        };
        let wait_function = hook("`wait_time`", set.wait_function);
        let on_start = hook("`on_start`", set.on_start);
        let on_stop = hook("`on_stop`", set.on_stop);
        self.sets.push(scenario::Set {
            name: name.to_owned(),
            order: set.order,
            wait: set.wait,
            wait_function,
            on_start,
            on_stop,
            tasks: Vec::new(),
        });
        for (name, task) in &set.tasks {
            if let TaskBody::Function(function) = &task.body {
                self.found(name, function, true);
            }
        }
        for (name, method) in &set.methods {
            self.found(name, method, false);
        }
        self.sets[index].tasks = self.lay_out(set.tasks, tags);
        index
    }

    fn list(&mut self, what: String, function: FnPtr) -> usize {
        self.functions.push((what, function));
        self.functions.len() - 1
    }

    fn found(&mut self, name: &str, function: &FnPtr, is_task: bool) {
        self.found.push(Found {
            name: name.to_owned(),
            function: function.clone(),
            is_task,
        });
    }

    /// Adds to the methods of a class what its sets have: `this` is the user's there too.
    ///
    /// A class's own come first. Tasks of several sets that share a name (`leave`) are not methods;
    /// other closures that share one are an error, because the wrong one would be called.
    ///
    /// # Errors
    /// The names of such closures; the methods are complete but for those.
    pub(crate) fn methods(&self, methods: &mut Vec<(String, FnPtr)>) -> Result<(), Vec<String>> {
        let own = methods.len();
        let mut wrong = Vec::new();
        for (index, found) in self.found.iter().enumerate() {
            let of_class = methods[..own].iter().find(|(name, _)| *name == found.name);
            let mut twins = self
                .found
                .iter()
                .filter(|other| other.name == found.name && !is_same(&other.function, found));
            let mine = of_class.is_some_and(|(_, function)| !is_same(function, found));
            let any_method = !found.is_task || twins.clone().any(|twin| !twin.is_task);
            if any_method && (mine || twins.clone().next().is_some()) {
                if !wrong.contains(&found.name) {
                    wrong.push(found.name.clone());
                }
                continue;
            }
            let is_again = self.found[..index]
                .iter()
                .any(|other| other.name == found.name);
            if of_class.is_none() && twins.next().is_none() && !is_again {
                methods.push((found.name.clone(), found.function.clone()));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// Whether both are the same function: a set may stand in several places.
fn is_same(function: &FnPtr, found: &Found) -> bool {
    function.fn_name() == found.function.fn_name()
        && !function.is_curried()
        && !found.function.is_curried()
        || std::ptr::eq(function, &raw const found.function)
}
