//! The free functions of the script API, by what they are about.
//!
//! None of them makes a request; only `sleep` waits.

mod control;
mod encoding;
mod random;
mod speech;
mod time;

use rhai::Engine;

/// Registers them all.
pub(super) fn register(engine: &mut Engine) {
    control::register(engine);
    encoding::register(engine);
    random::register(engine);
    speech::register(engine);
    time::register(engine);
}
