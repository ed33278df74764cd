//! The words of `shape(…)`: keys of its map and its stages, and the ready-made shapes.
//!
//! Only the table; `load` computes the resulting shape.

use super::{Kind, Word};

const fn option(kind: Kind, name: &'static str, doc: &'static str) -> Word {
    Word::new(kind, name, doc)
}

pub(super) const SHAPES: &[Word] = &[
    option(
        Kind::ShapeOption,
        "stages",
        "an array of stages, one after the other",
    )
    .signs(&["array"]),
    option(
        Kind::ShapeOption,
        "tick",
        "instead of stages: a closure `|run_time| [users, spawn_rate]`, asked each second; `()` \
         ends the run",
    )
    .signs(&["closure"]),
    option(
        Kind::ShapeOption,
        "state",
        "what `tick` remembers from call to call, as `this`: `state: #{ step: 0 }` is \
         `this.step`; afresh for each run",
    )
    .signs(&["map"])
    .default("#{}"),
    option(
        Kind::StageOption,
        "duration",
        "how long the stage lasts; all stages have one, or all have an `end`",
    )
    .signs(&["seconds"]),
    option(
        Kind::StageOption,
        "end",
        "when the stage is over, from the start of the run: Locust's meaning",
    )
    .signs(&["seconds"]),
    option(
        Kind::StageOption,
        "users",
        "how many users to go to: a number, or a map of a number for each class",
    )
    .signs(&["int | map"]),
    option(
        Kind::StageOption,
        "spawn_rate",
        "users a second; without it they change evenly over the whole stage",
    )
    .signs(&["number"]),
];

/// A ready-made shape: `shape(name, #{…})`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadyShape {
    /// Its name.
    pub name: &'static str,
    /// What it looks like.
    pub doc: &'static str,
    /// The keys of its map.
    pub keys: &'static [ReadyKey],
}

/// A key of a ready-made shape's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadyKey {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What it means.
    pub doc: &'static str,
}

const fn must(name: &'static str, doc: &'static str) -> ReadyKey {
    ReadyKey {
        name,
        required: true,
        doc,
    }
}

const fn may(name: &'static str, doc: &'static str) -> ReadyKey {
    ReadyKey {
        name,
        required: false,
        doc,
    }
}

const SPAWN_RATE: ReadyKey = may(
    "spawn_rate",
    "users a second where the number jumps; without it each jump takes a second",
);

/// All ready-made shapes.
pub(crate) const READY: &[ReadyShape] = &[
    ReadyShape {
        name: "constant",
        doc: "the same number of users all the time",
        keys: &[
            must("users", "how many"),
            must("duration", "how long"),
            SPAWN_RATE,
        ],
    },
    ReadyShape {
        name: "ramp",
        doc: "evenly more users, then as many as were reached",
        keys: &[
            must("users", "how many at the end of the ramp"),
            must("duration", "how long the ramp takes"),
            may("hold", "how long they then stay"),
        ],
    },
    ReadyShape {
        name: "steps",
        doc: "more users at the beginning of each step",
        keys: &[
            must("step_users", "how many more each time"),
            must("step_duration", "how long each step lasts"),
            must("duration", "how long all steps together last"),
            SPAWN_RATE,
        ],
    },
    ReadyShape {
        name: "spike",
        doc: "a few users, suddenly many, then a few again",
        keys: &[
            must("users", "how many before and after"),
            must("peak", "how many in between"),
            must("before", "how long before the spike"),
            must("peak_duration", "how long the spike lasts"),
            must("after", "how long after it"),
            SPAWN_RATE,
        ],
    },
    ReadyShape {
        name: "double_wave",
        doc: "two bell curves, with peaks at a third and two thirds of the time",
        keys: &[
            must("users", "how many far from the peaks"),
            must("peak_one", "how many at the first peak"),
            must("peak_two", "how many at the second peak"),
            must("duration", "how long both together last"),
        ],
    },
];

/// The ready-made shape of that name.
#[must_use]
pub(crate) fn ready(name: &str) -> Option<&'static ReadyShape> {
    READY.iter().find(|shape| shape.name == name)
}

impl ReadyShape {
    /// The names of its keys.
    pub(crate) fn key_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}
