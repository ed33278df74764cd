//! Everything a script may call, put into an engine.
//!
//! The files named here own the functions; `words` is the table of all of them, for the
//! load-time check and the reference, and a test keeps the two equal.

use rhai::Engine;

use super::{client, declare, functions, response};

/// Registers the whole script API.
pub(super) fn register(engine: &mut Engine) {
    declare::register(engine);
    client::register(engine);
    response::register(engine);
    functions::register(engine);
}
