//! What a person changes of a wish: before a run, or while it goes on.
//!
//! Plain data; whether a change is possible is found out by `preview` and the desk.

use std::time::Duration;

use serde_json::{Map, Value};

use super::wish::Wish;
use crate::units::Rate;

/// Changes to a [`Wish`]; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// The most users at once.
    pub users: Option<u32>,
    /// Users started per second.
    pub spawn_rate: Option<Rate>,
    /// How long to run from the first user on; `Some(None)` is until stopped.
    pub run_time: Option<Option<Duration>>,
    /// Iterations over all users; `Some(None)` is without a limit.
    pub iterations: Option<Option<u64>>,
    /// Base URL of the target; `Some(None)` leaves it to the script.
    pub host: Option<Option<String>>,
    /// Values for the script's parameters, by name; the others keep theirs.
    pub params: Vec<(String, String)>,
    /// The classes to run; empty for all.
    pub classes: Option<Vec<String>>,
    /// Only tasks with one of these tags.
    pub tags: Option<Vec<String>>,
    /// No tasks with one of these tags.
    pub exclude_tags: Option<Vec<String>>,
    /// Other attributes for classes, each a JSON text, after those that are there.
    pub config_users: Vec<String>,
    /// Whether the script's shape decides how many users there are.
    pub use_shape: Option<bool>,
    /// What a running task gets to finish when its user is stopped.
    pub stop_timeout: Option<Option<Duration>>,
    /// Seed of all random choices; `Some(None)` is a new one for each run.
    pub seed: Option<Option<u64>>,
    /// What the run is called in lists and reports.
    pub label: Option<String>,
}

/// Why a script goes into service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The run began with it.
    Start,
    /// It was saved.
    Saved,
    /// Its parameters were changed.
    Parameters,
    /// The classes, tasks or tags to run were changed.
    Classes,
    /// The target was changed.
    Host,
    /// Another option was changed.
    Options,
}

impl Cause {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Start => "start",
            Cause::Saved => "saved",
            Cause::Parameters => "parameters",
            Cause::Classes => "classes",
            Cause::Host => "host",
            Cause::Options => "options",
        }
    }
}

impl Edit {
    /// The wish with these changes.
    #[must_use]
    pub fn applied_to(&self, wish: &Wish) -> Wish {
        let mut wish = wish.clone();
        let edit = self.clone();
        wish.users = edit.users.or(wish.users);
        wish.spawn_rate = edit.spawn_rate.or(wish.spawn_rate);
        wish.run_time = edit.run_time.or(wish.run_time);
        wish.iterations = edit.iterations.or(wish.iterations);
        set(&mut wish.host, edit.host);
        set(&mut wish.stop_timeout, edit.stop_timeout);
        set(&mut wish.seed, edit.seed);
        for (name, value) in edit.params {
            wish.params.retain(|(known, _)| *known != name);
            wish.params.push((name, value));
        }
        let (selection, changes) = (&mut wish.selection.classes, &mut wish.selection.changes);
        set(selection, edit.classes);
        set(&mut changes.tags, edit.tags);
        set(&mut changes.exclude_tags, edit.exclude_tags);
        for config in edit.config_users {
            add_attributes(&mut changes.config_users, config);
        }
        set(&mut wish.ignores_shape, edit.use_shape.map(|uses| !uses));
        set(&mut wish.label, edit.label);
        wish
    }

    /// Whether it says how many users there are to be, or how fast they come.
    pub(super) fn sets_users(&self) -> bool {
        self.users.is_some() || self.spawn_rate.is_some()
    }

    /// Why an edition follows from it during a run; `None` if none does.
    pub(super) fn cause(&self) -> Option<Cause> {
        let chooses = self.classes.is_some() || self.tags.is_some() || self.exclude_tags.is_some();
        if !self.params.is_empty() {
            Some(Cause::Parameters)
        } else if chooses || !self.config_users.is_empty() {
            Some(Cause::Classes)
        } else if self.host.is_some() {
            Some(Cause::Host)
        } else if self.use_shape.is_some() || self.stop_timeout.is_some() {
            Some(Cause::Options)
        } else {
            None
        }
    }
}

/// Adds attributes of a class, in place of the same attributes given before.
fn add_attributes(all: &mut Vec<String>, new: String) {
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    let class = |object: &Map<String, Value>| object.get("user_class_name").cloned();
    if let Some(new) = object(&new) {
        for known in all.iter_mut() {
            if let Some(mut merged) = object(known)
                && class(&merged) == class(&new)
            {
                merged.extend(new);
                *known = Value::Object(merged).to_string();
                return;
            }
        }
    }
    all.push(new);
}

fn set<T>(value: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *value = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else() {
        let before = Wish {
            users: Some(5),
            host: Some("http://a".to_owned()),
            params: vec![
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), "2".to_owned()),
            ],
            ..Wish::default()
        };
        assert_eq!(Edit::default().applied_to(&before), before);
        let edit = Edit {
            users: Some(7),
            host: Some(None),
            params: vec![("a".to_owned(), "3".to_owned())],
            classes: Some(vec!["Shopper".to_owned()]),
            use_shape: Some(false),
            ..Edit::default()
        };
        let after = edit.applied_to(&before);
        assert_eq!(
            (after.users, after.host, after.ignores_shape),
            (Some(7), None, true)
        );
        let params = [
            ("b".to_owned(), "2".to_owned()),
            ("a".to_owned(), "3".to_owned()),
        ];
        assert_eq!(after.params, params);
        assert_eq!(after.selection.classes, ["Shopper"]);
    }

    #[test]
    fn attributes_of_a_class_replace_those_given_before() {
        let edit = |text: &str| Edit {
            config_users: vec![text.to_owned()],
            ..Edit::default()
        };
        let mut wish = Wish::default();
        for text in [
            r#"{"user_class_name":"A","weight":2,"host":"http://a"}"#,
            r#"{"user_class_name":"B","weight":1}"#,
            r#"{"user_class_name":"A","weight":3}"#,
        ] {
            wish = edit(text).applied_to(&wish);
        }
        assert_eq!(
            wish.selection.changes.config_users,
            [
                r#"{"host":"http://a","user_class_name":"A","weight":3}"#,
                r#"{"user_class_name":"B","weight":1}"#
            ]
        );
    }

    #[test]
    fn only_what_a_load_thread_has_to_know_makes_an_edition() {
        assert_eq!(Edit::default().cause(), None);
        let users = Edit {
            users: Some(7),
            run_time: Some(None),
            label: Some("late".to_owned()),
            ..Edit::default()
        };
        assert_eq!(users.cause(), None);
        let classes = Edit {
            classes: Some(Vec::new()),
            host: Some(None),
            ..Edit::default()
        };
        assert_eq!(classes.cause(), Some(Cause::Classes));
    }
}
