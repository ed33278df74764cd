//! What a person asks of a run, from the command line or the browser, before anything is checked.
//!
//! Plain data: what it comes to with a script is worked out in `prepare`.

use std::time::Duration;

use crate::units::{Bytes, Rate};

/// The options of a run. Whatever is `None` is as the script says, or else the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    /// Base URL of the target; wins over the script's.
    pub host: Option<String>,
    /// The most users at once.
    pub users: Option<u32>,
    /// Users started per second.
    pub spawn_rate: Option<Rate>,
    /// How long to run; `Some(None)` is until stopped.
    pub run_time: Option<Option<Duration>>,
    /// Iterations over all users; `Some(None)` is without a limit.
    pub iterations: Option<Option<u64>>,
    /// What a running task gets to finish when its user is stopped.
    pub stop_timeout: Option<Duration>,
    /// What all `on_stop` together get.
    pub on_stop_timeout: Option<Duration>,
    /// Values for the script's parameters.
    pub params: Vec<(String, String)>,
    /// Seed of all random choices.
    pub seed: Option<u64>,
    /// Load threads.
    pub threads: Option<u32>,
    /// What the variables of one user may hold.
    pub user_memory: Option<Bytes>,
    /// What the bodies of all responses may take together.
    pub body_memory: Option<Bytes>,
    /// Which classes and tasks.
    pub selection: Selection,
    /// Leave the script's shape alone and have as many users as asked for.
    pub ignores_shape: bool,
    /// What the run is called in lists and reports.
    pub label: String,
}

/// Which user classes and tasks a run has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The classes to run; empty for all.
    pub classes: Vec<String>,
    /// What the classes are changed to.
    pub changes: Changes,
}

/// What changes the classes of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only tasks with one of these tags.
    pub tags: Vec<String>,
    /// No tasks with one of these tags; wins over `tags`.
    pub exclude_tags: Vec<String>,
    /// All classes and all tasks equally likely.
    pub equal_weights: bool,
    /// Other attributes for classes, each a JSON text or a file with it.
    pub config_users: Vec<String>,
}

/// Why a wish can't be granted, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WishError {
    /// The field of [`Wish`] that is wrong, if it is one.
    pub field: Option<&'static str>,
    /// The parameter of the script that is wrong, if it is one.
    pub param: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl WishError {
    /// Without a field or a hint.
    pub(crate) fn new(message: impl Into<String>) -> WishError {
        WishError {
            message: message.into(),
            ..WishError::default()
        }
    }

    /// With this hint.
    pub(crate) fn hint(self, hint: impl Into<String>) -> WishError {
        WishError {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Of this field.
    pub(crate) fn of(self, field: &'static str) -> WishError {
        WishError {
            field: Some(field),
            ..self
        }
    }
}
