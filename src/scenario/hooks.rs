//! What a script declares to run once a test, and the events that it listens to.
//!
//! Only their names, and whether they exist; the functions themselves stay with the script, and the
//! runner decides when an event happens.

use serde::{Deserialize, Serialize};

/// Something that happens in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The test begins: `setup` is done, and no user has been started.
    TestStart,
    /// All users that were asked for have been started.
    SpawningComplete,
    /// The users are about to be stopped.
    TestStopping,
    /// All users have ended.
    TestStop,
    /// An edited script has been taken into service.
    Reload,
    /// A worker has joined.
    WorkerConnect,
    /// A worker is gone.
    WorkerLost,
    /// The process is about to end.
    Quitting,
    /// A request has ended and its verdict is closed.
    Request,
    /// A user's task has thrown.
    UserError,
}

impl Event {
    /// All events, in the order in which a person would list them.
    pub const ALL: [Event; 10] = [
        Event::TestStart,
        Event::SpawningComplete,
        Event::TestStopping,
        Event::TestStop,
        Event::Reload,
        Event::WorkerConnect,
        Event::WorkerLost,
        Event::Quitting,
        Event::Request,
        Event::UserError,
    ];

    /// Its name in scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Event::TestStart => "test_start",
            Event::SpawningComplete => "spawning_complete",
            Event::TestStopping => "test_stopping",
            Event::TestStop => "test_stop",
            Event::Reload => "reload",
            Event::WorkerConnect => "worker_connect",
            Event::WorkerLost => "worker_lost",
            Event::Quitting => "quitting",
            Event::Request => "request",
            Event::UserError => "user_error",
        }
    }

    /// The event of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.name() == name)
    }

    /// Whether its listeners run where it happens, on a load thread, rather than on control.
    #[must_use]
    pub fn is_of_users(self) -> bool {
        matches!(self, Event::Request | Event::UserError)
    }
}

/// Which hooks a script has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// `setup`
    pub setup: bool,
    /// `teardown`
    pub teardown: bool,
    /// The events it listens to, in the order of its listeners.
    pub listeners: Vec<Event>,
}

impl Hooks {
    /// Whether any of them runs on control.
    #[must_use]
    pub fn need_control(&self) -> bool {
        self.setup || self.teardown || self.listeners.iter().any(|event| !event.is_of_users())
    }
}
