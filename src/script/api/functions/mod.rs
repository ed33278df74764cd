//! The free functions of the script API, by what they are about.
//!
//! None of them makes a request; only `sleep` waits, and `append` if the disk is slow.

mod control;
mod digests;
mod encoding;
mod figures;
mod files;
mod find;
mod order;
mod padding;
mod random;
mod speech;
mod time;

use rhai::Engine;

use super::patterns::Patterns;

pub(crate) use random::draw;

/// Registers them all.
pub(crate) fn register(engine: &mut Engine, patterns: &Patterns) {
    control::register(engine);
    digests::register(engine);
    encoding::register(engine);
    figures::register(engine);
    files::register(engine);
    find::register(engine, patterns);
    order::register(engine);
    padding::register(engine);
    random::register(engine);
    speech::register(engine);
    time::register(engine);
}
