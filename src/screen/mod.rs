//! What a person sees of a run on a terminal: log lines, `debug`'s trace, `dev`'s screen.
//!
//! Owns their form, and that no control characters and no secrets get there. Tables and results for
//! programs belong to `output`.

pub(crate) mod debug;
pub(crate) mod dev;
pub(crate) mod journal;
pub(crate) mod show;
