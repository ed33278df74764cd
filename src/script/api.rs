//! Everything a script may call, put into an engine.
//!
//! The files named here own the functions; `words` is the table of all of them, for the
//! load-time check and the reference, and a test keeps the two equal.

use rhai::Engine;

use super::patterns::Patterns;
use super::{
    client, clients, data_source, declare, extract, figures, functions, group, json, record,
    response, shared, stream,
};

/// Registers the whole script API.
pub(super) fn register(engine: &mut Engine) {
    declare::register(engine);
    client::register(engine);
    clients::register(engine);
    data_source::register(engine);
    response::register(engine);
    let patterns = Patterns::default();
    extract::register(engine, &patterns);
    stream::register(engine);
    group::register(engine);
    json::register(engine);
    record::register(engine);
    figures::register(engine);
    functions::register(engine, &patterns);
    shared::register(engine);
    #[cfg(test)]
    super::tests::register(engine);
}
