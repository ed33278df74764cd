//! `markov(#{…})`: a set in which the last task decides how likely each next one is.
//!
//! Owns reading states and transitions; what a chain shares with other sets is read by `sets`.

use std::collections::BTreeSet;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::Declarations;
use super::sets::Reading;
use super::tasks::{self, TaskBody, TaskDeclaration};
use crate::scenario::{Order, names};
use crate::script::diagnostic::Severity;
use crate::script::results::Result;
use crate::script::value;

/// What `tags` inside a chain are answered with.
const WHY_NO_TAGS: &str = "without some of its states a chain is another one; tag it as a whole: \
     `task(#{ tags: [\"slow\"] }, markov(…))`";

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("markov", markov);
}

#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn markov(context: NativeCallContext, map: Map) -> Result<TaskDeclaration> {
    let declarations = Declarations::required(&context)?;
    let mut reading = Reading::new(Order::Weighted);
    let mut first = None;
    let mut states = Map::new();
    for (key, value) in map {
        match key.as_str() {
            "first" => first = Some(value),
            "states" => match value.try_cast_result::<Map>() {
                Ok(map) => states = map,
                Err(other) => {
                    let kind = value::kind(&other);
                    let message = format!("`states` is a map of states, not {kind}");
                    reading.problem(
                        message,
                        "write `states: #{ a: #{ run: || { … }, next: \"a\" } }`",
                    );
                }
            },
            "weight" | "name" | "wait_time" | "on_start" | "on_stop" => {
                reading.attribute(&key, &value);
            }
            "tags" => reading.problem("a `markov` has no tags", WHY_NO_TAGS),
            other => reading.problem(
                format!("`markov` has no option `{other}`"),
                "it takes first, states, weight, name, wait_time, on_start and on_stop",
            ),
        }
    }
    let names: Vec<String> = states.keys().map(ToString::to_string).collect();
    if names.is_empty() && reading.problems.is_empty() {
        reading.problem(
            "this `markov` has no states",
            "write `states: #{ a: #{ run: || { … }, next: \"a\" } }`",
        );
    }
    let mut next = Vec::new();
    for (name, state) in states {
        match read_state(&context, &name, state, &names) {
            Ok((task, targets)) => {
                reading.set.tasks.push((name.to_string(), task));
                next.push(targets);
            }
            Err((message, hint)) => reading.problem(message, hint),
        }
    }
    match first_of(first.as_ref(), &names) {
        Ok(first) => reading.set.order = Order::Markov { first, next },
        Err((message, hint)) => reading.problem(message, hint),
    }
    for (message, hint) in &reading.problems {
        declarations.problem(&context, message, hint.as_deref());
    }
    if reading.problems.is_empty()
        && let Order::Markov { first, next } = &reading.set.order
    {
        for state in unreachable(*first, next) {
            let message = format!(
                "the state `{}` of this `markov` is never reached",
                names[state]
            );
            let hint = "name it in the `next` of another state";
            declarations.finding(&context, Severity::Warning, &message, Some(hint));
        }
    }
    Ok(reading.finish(&declarations))
}

/// An error and what to do about it.
type HintedProblem = (String, String);

fn first_of(first: Option<&Dynamic>, names: &[String]) -> Result<usize, HintedProblem> {
    let Some(first) = first else {
        return match names {
            [] | [_] => Ok(0),
            [one, ..] => Err((
                "this `markov` does not say which state is the `first`".to_owned(),
                format!("write `first: \"{one}\"`: each entry begins with it"),
            )),
        };
    };
    let Some(name) = value::text(first) else {
        let message = format!("`first` is the name of a state, not {}", value::kind(first));
        return Err((message, "write `first: \"name\"`".to_owned()));
    };
    index_of(&name, names).map_err(|hint| (format!("`first` is `{name}`, which is no state"), hint))
}

/// The state of that name, or what may have been meant.
fn index_of(name: &str, states: &[String]) -> Result<usize, String> {
    let found = states.iter().position(|known| known == name);
    found.ok_or_else(|| names::hint(name, states.iter().map(String::as_str), "the states are"))
}

type Targets = Vec<(usize, u32)>;

fn read_state(
    context: &NativeCallContext,
    name: &str,
    state: Dynamic,
    names: &[String],
) -> Result<(TaskDeclaration, Targets), HintedProblem> {
    let form = || format!("write `{name}: #{{ run: || {{ … }}, next: \"…\" }}`");
    let kind = value::kind(&state);
    let Ok(state) = state.try_cast_result::<Map>() else {
        let message = format!("the state `{name}` is a map with `run` and `next`, not {kind}");
        return Err((message, form()));
    };
    let (mut run, mut targets) = (None, None);
    for (key, value) in state {
        match key.as_str() {
            "run" => {
                let read = tasks::task(context, value);
                let task =
                    read.map_err(|wrong| (format!("the state `{name}`: {wrong}"), form()))?;
                if has_tags(&task) {
                    let message =
                        format!("the state `{name}` has tags, which a `markov` cannot have");
                    return Err((message, WHY_NO_TAGS.to_owned()));
                }
                run = Some(task);
            }
            "next" => targets = Some(read_next(name, &value, names)?),
            "tags" => {
                let message = format!("the state `{name}` has tags, which a `markov` cannot have");
                return Err((message, WHY_NO_TAGS.to_owned()));
            }
            other => {
                let message = format!("the state `{name}` has no option `{other}`");
                return Err((message, "a state has `run` and `next`".to_owned()));
            }
        }
    }
    match (run, targets) {
        (Some(run), Some(targets)) => Ok((run, targets)),
        (None, _) => Err((format!("the state `{name}` has no `run`"), form())),
        (_, None) => Err((
            format!("the state `{name}` does not say what is `next`"),
            format!("`next: \"{name}\"` stays; `interrupt()` in it leaves the chain"),
        )),
    }
}

/// `#{ b: 3, c: 1 }`, `["b", "c"]` or `"b"`.
fn read_next(name: &str, next: &Dynamic, names: &[String]) -> Result<Targets, HintedProblem> {
    let mut targets = Targets::new();
    let mut add = |target: &str, weight: u32| {
        let index = index_of(target, names).map_err(|hint| {
            let message = format!("`{name}` goes to `{target}`, which is no state");
            (message, hint)
        })?;
        targets.push((index, weight));
        Ok::<_, HintedProblem>(())
    };
    if let Some(map) = next.read_lock::<Map>() {
        for (target, weight) in map.iter() {
            let weight = tasks::weight(weight).map_err(|_| {
                let message = format!("the weight of `{name}` to `{target}` is no whole number");
                (message, "write `next: #{ a: 3, b: 1 }`".to_owned())
            })?;
            add(target, weight)?;
        }
    } else if let Some(array) = next.read_lock::<Array>() {
        for target in array.iter() {
            let target = value::text(target).ok_or_else(|| wrong_next(name, target))?;
            add(&target, 1)?;
        }
    } else {
        let target = value::text(next).ok_or_else(|| wrong_next(name, next))?;
        add(&target, 1)?;
    }
    if targets.iter().all(|(_, weight)| *weight == 0) {
        let message = format!("no state can follow `{name}`");
        let hint = format!("`next: \"{name}\"` stays; `interrupt()` in it leaves the chain");
        return Err((message, hint));
    }
    Ok(targets)
}

fn wrong_next(name: &str, value: &Dynamic) -> HintedProblem {
    let kind = value::kind(value);
    let message = format!("`next` of `{name}` is the names of states, not {kind}");
    let hint = "write `next: \"a\"`, `next: [\"a\", \"b\"]` or `next: #{ a: 3, b: 1 }`";
    (message, hint.to_owned())
}

/// Whether the task, or any in it, has tags.
fn has_tags(task: &TaskDeclaration) -> bool {
    let within = match &task.body {
        TaskBody::Function(_) => false,
        TaskBody::Set(set) => set.tasks.iter().any(|(_, task)| has_tags(task)),
    };
    within || !task.tags.is_empty()
}

/// The states to which no way leads from `first`.
fn unreachable(first: usize, next: &[Targets]) -> Vec<usize> {
    let mut reached = BTreeSet::from([first]);
    let mut open = vec![first];
    while let Some(state) = open.pop() {
        let likely = next[state].iter().filter(|(_, weight)| *weight > 0);
        open.extend(likely.filter_map(|(target, _)| reached.insert(*target).then_some(*target)));
    }
    (0..next.len())
        .filter(|state| !reached.contains(state))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::unreachable;

    #[test]
    fn states_without_a_way_to_them_are_found() {
        // 0 → 1 → 0; 2 → 0; 3 only with weight 0.
        let next = vec![
            vec![(1, 1), (3, 0)],
            vec![(0, 1)],
            vec![(0, 1)],
            vec![(0, 1)],
        ];
        assert_eq!(unreachable(0, &next), [2, 3]);
        assert_eq!(unreachable(2, &next), [3]);
    }
}
