//! Everything a script may call, put into an engine.
//!
//! The files named here own the functions; `language` lists all of them for the load-time check and
//! the reference, and a test keeps the two equal.

pub(super) mod batch;
pub(super) mod channel;
pub(super) mod client;
pub(super) mod clients;
pub(super) mod data_source;
pub(super) mod extract;
pub(super) mod fields;
pub(super) mod figures;
pub(super) mod functions;
pub(super) mod group;
pub(super) mod headers;
pub(super) mod html;
pub(super) mod json;
pub(super) mod multipart;
pub(crate) mod patterns;
pub(super) mod record;
pub(super) mod request;
pub(super) mod request_record;
pub(super) mod response;
pub(super) mod sending;
pub(super) mod sent;
pub(super) mod shared;
pub(super) mod stream;

use rhai::Engine;

use super::load::declare;
use patterns::Patterns;

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
