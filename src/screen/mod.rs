//! What a person sees of a run on a terminal: log lines, `debug`'s trace, `dev`'s screen.
//!
//! Owns their form, and that nothing a terminal would obey and no secret gets there. Results for
//! programs and tables are `output`'s.

pub(crate) mod debug;
pub(crate) mod dev;
pub(crate) mod show;
