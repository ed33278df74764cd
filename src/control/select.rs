//! Which user classes and tasks a run has, as a person asks for them.
//!
//! Owns what it means; `scenario` does the filtering. Evaluated for each run again, from
//! what the script declares.

use std::path::Path;

use serde_json::{Map, Value};

use super::wish::{Changes, Selection, WishError};
use crate::files;
use crate::scenario::{Class, Scenario, Tags, Wait, names};
use crate::units;

type Result<T> = std::result::Result<T, WishError>;

fn wrong<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T> {
    Err(WishError::new(message).hint(hint))
}

/// The scenario of this run: the same classes, but those not chosen have no users.
///
/// # Errors
/// An unknown class or tag, or a class that has no task left.
pub(crate) fn select(selection: &Selection, declared: &Scenario) -> Result<Scenario> {
    let mut scenario = changed(&selection.changes, declared)?;
    choose_classes(&selection.classes, &mut scenario)?;
    let tags = tags(&selection.changes, &scenario)?;
    for index in 0..scenario.classes.len() {
        if scenario.may_have_users(index) {
            keep_tagged(&mut scenario.classes[index], &tags)?;
        }
    }
    if (0..scenario.classes.len()).any(|index| scenario.may_have_users(index)) {
        return Ok(scenario);
    }
    if scenario.shape != declared.shape {
        return wrong(
            "the script's shape has no users of the classes chosen",
            "choose others, or none for all of them",
        );
    }
    wrong(
        "no user class has any users: all have a `weight` or `fixed_count` of 0",
        "name classes with another weight, or give them one with --config-users",
    )
}

/// The scenario for a single user: of the named class, whatever its weight, or else of the first
/// that has any users; and the index of that class.
///
/// # Errors
/// As [`select`].
pub(crate) fn select_one(
    changes: &Changes,
    name: Option<&str>,
    declared: &Scenario,
) -> Result<(Scenario, usize)> {
    let mut scenario = changed(changes, declared)?;
    let index = match name {
        Some(name) => index_of(name, &scenario)?,
        None => {
            let first = scenario.classes.iter().position(Class::has_users);
            first.unwrap_or(0)
        }
    };
    let tags = tags(changes, &scenario)?;
    keep_tagged(&mut scenario.classes[index], &tags)?;
    Ok((scenario, index))
}

/// The classes with other attributes.
fn changed(changes: &Changes, declared: &Scenario) -> Result<Scenario> {
    let mut scenario = declared.clone();
    for text in &changes.config_users {
        configure(text, &mut scenario)?;
    }
    if changes.equal_weights {
        for class in &mut scenario.classes {
            class.share.weight = 1.0;
            class.equalise();
        }
    }
    // A shape may have numbers for classes without a weight in the script, but not for those whose
    // weight a person has removed.
    for (index, class) in declared.classes.iter().enumerate() {
        if class.has_users() && !scenario.classes[index].has_users() {
            scenario.leave_out(index);
        }
    }
    Ok(scenario)
}

fn choose_classes(chosen: &[String], scenario: &mut Scenario) -> Result<()> {
    for name in chosen {
        class_named(name, scenario)?;
    }
    if !chosen.is_empty() {
        for index in 0..scenario.classes.len() {
            if !chosen.contains(&scenario.classes[index].name) {
                scenario.leave_out(index);
            }
        }
    }
    Ok(())
}

fn class_named<'a>(name: &str, scenario: &'a mut Scenario) -> Result<&'a mut Class> {
    let index = index_of(name, scenario)?;
    Ok(&mut scenario.classes[index])
}

fn index_of(name: &str, scenario: &Scenario) -> Result<usize> {
    let index = scenario.classes.iter().position(|class| class.name == name);
    if let Some(index) = index {
        return Ok(index);
    }
    let known = scenario.classes.iter().map(|class| class.name.as_str());
    let hint = names::hint(name, known, "the script has");
    let error = WishError::new(format!("there is no user class `{name}`"));
    Err(error.hint(hint).of("classes"))
}

/// The tags requested by the person, or else by the script.
fn tags(changes: &Changes, scenario: &Scenario) -> Result<Tags> {
    let asked = |given: &[String], script: &Option<Vec<String>>| {
        let given = words(given);
        if given.is_empty() {
            script.clone()
        } else {
            Some(given)
        }
    };
    let options = &scenario.options;
    let tags = Tags {
        include: asked(&changes.tags, &options.tags),
        exclude: asked(&changes.exclude_tags, &options.exclude_tags).unwrap_or_default(),
    };
    if tags == Tags::default() {
        return Ok(tags);
    }
    let known = scenario.tags();
    for tag in tags.include.iter().flatten().chain(&tags.exclude) {
        if known.is_empty() {
            let hint = "a task has them in its options: `task(#{ tags: [\"slow\"] }, || { … })`";
            let error = WishError::new(format!("there is no tag `{tag}`: no task has any"));
            return Err(error.hint(hint).of("tags"));
        }
        if !known.contains(&tag.as_str()) {
            let hint = names::hint(tag, known, "the script has");
            let error = WishError::new(format!("there is no tag `{tag}`"));
            return Err(error.hint(hint).of("tags"));
        }
    }
    Ok(tags)
}

fn keep_tagged(class: &mut Class, tags: &Tags) -> Result<()> {
    if *tags == Tags::default() {
        return Ok(());
    }
    match class.tagged(tags) {
        Some(left) => *class = left,
        None => return no_task_left(class, tags),
    }
    Ok(())
}

fn no_task_left<T>(class: &Class, tags: &Tags) -> Result<T> {
    let list = |tags: &[String]| {
        let quoted: Vec<_> = tags.iter().map(|tag| format!("`{tag}`")).collect();
        quoted.join(" ")
    };
    let mut asked = Vec::new();
    if let Some(include) = &tags.include {
        asked.push(format!("--tags {}", list(include)));
    }
    if !tags.exclude.is_empty() {
        asked.push(format!("--exclude-tags {}", list(&tags.exclude)));
    }
    let name = &class.name;
    wrong(
        format!(
            "the user class `{name}` has no task left with {}",
            asked.join(" ")
        ),
        "choose other tags, or name the classes to run",
    )
}

/// Splits tags as people write them: apart, with commas, or as in Locust's environment, `[a, b]`.
fn words(given: &[String]) -> Vec<String> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']');
    let all = given.iter().flat_map(|text| text.split(is_between));
    all.filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The largest file for `--config-users`.
const LARGEST: u64 = 16_000_000;

/// Applies one `--config-users` to the classes.
fn configure(text: &str, scenario: &mut Scenario) -> Result<()> {
    let (json, from) = if text.trim_start().starts_with(['[', '{']) {
        (text.to_owned(), "--config-users".to_owned())
    } else {
        let read = files::read_to_string(Path::new(text), LARGEST);
        let json = read.map_err(|error| {
            let message = format!("cannot read `{text}` of --config-users: {error}");
            WishError::new(message).hint("give a file, or the JSON text itself in quotes")
        })?;
        (json, format!("`{text}`"))
    };
    let form = "write `[{\"user_class_name\": \"Shopper\", \"fixed_count\": 3}]`";
    let entries = match serde_json::from_str(&json) {
        Ok(Value::Array(entries)) => entries,
        Ok(object @ Value::Object(_)) => vec![object],
        Ok(_) => return wrong(format!("{from} is no list of objects"), form),
        Err(error) => return wrong(format!("{from} is not JSON: {error}"), form),
    };
    for entry in entries {
        let Value::Object(mut entry) = entry else {
            return wrong(format!("{from} is no list of objects"), form);
        };
        let Some(Value::String(name)) = entry.remove("user_class_name") else {
            return wrong(
                format!("{from} has an entry without a `user_class_name`"),
                form,
            );
        };
        let class = class_named(&name, scenario)?;
        set_attributes(class, &entry).map_err(|mut wrong| {
            wrong.message = format!("{from}, the user class `{name}`: {}", wrong.message);
            wrong
        })?;
    }
    Ok(())
}

/// What `--config-users` may set.
const ATTRIBUTES: [&str; 5] = ["weight", "fixed_count", "host", "wait_time", "tasks"];

fn set_attributes(class: &mut Class, entry: &Map<String, Value>) -> Result<()> {
    for (key, value) in entry {
        let is = |what: &str| {
            let message = format!("`{key}` is {what}, not {value}");
            Err(WishError::new(message))
        };
        match key.as_str() {
            "weight" => match value.as_f64() {
                Some(weight) if weight >= 0.0 => class.share.weight = weight,
                _ => return is("a number from 0"),
            },
            "fixed_count" => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
                Some(count) => class.share.fixed_count = Some(count),
                None => return is("a whole number from 0"),
            },
            "host" => match value.as_str() {
                Some(host) => class.host = Some(host.to_owned()),
                None => return is("a URL"),
            },
            "wait_time" => match length(value) {
                Some(length) => class.wait = Wait::Constant(length),
                None => return is("a number of seconds, or text such as \"1m30s\""),
            },
            "tasks" => keep_tasks(class, value)?,
            other => {
                let hint = names::hint(other, ATTRIBUTES, "it may set");
                return wrong(format!("`{other}` cannot be set from outside"), hint);
            }
        }
    }
    Ok(())
}

fn length(value: &Value) -> Option<std::time::Duration> {
    match value {
        Value::String(text) => units::parse_duration(text).ok(),
        other => units::duration_from_secs(other.as_f64()?).ok(),
    }
}

/// Keeps only the named tasks of the class itself.
fn keep_tasks(class: &mut Class, value: &Value) -> Result<()> {
    let names = value.as_array().and_then(|names| {
        let names = names.iter().map(Value::as_str);
        names.collect::<Option<Vec<_>>>()
    });
    let Some(kept) = names.filter(|names| !names.is_empty()) else {
        return wrong(
            "`tasks` is a list of names",
            "write `\"tasks\": [\"browse\"]`",
        );
    };
    let known = || class.tasks.iter().map(|task| task.name.as_str());
    for name in &kept {
        if !known().any(|known| known == *name) {
            let hint = names::hint(name, known(), "it has");
            return wrong(format!("it has no task `{name}`"), hint);
        }
    }
    class
        .tasks
        .retain(|task| kept.contains(&task.name.as_str()));
    if class.tasks.iter().all(|task| task.weight == 0) {
        return wrong(
            "none of its `tasks` could be picked",
            "all have a weight of 0",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
