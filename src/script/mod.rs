//! Scenario scripts: from text to functions that users run.
//!
//! Owns everything that knows Rhai: reading a bundle, the load-time check, the engine and its
//! limits, the script API, and what a script's mistakes look like. When a user runs which
//! function is decided in `vu`.
//!
//! ```text
//! Bundle::read ─► check ─► Program::compile (once per thread) ─► Instance::call (in a coroutine)
//! ```

mod answer;
mod api;
mod appends;
mod assembly;
mod batch;
mod bundle;
mod call;
mod capture;
mod check;
mod class;
mod client;
mod clients;
mod control;
mod data_source;
mod declare;
mod definitions;
pub mod diagnostic;
mod engine;
mod extent;
mod extract;
mod failure;
mod fields;
mod figures;
mod former;
mod functions;
mod generation;
mod group;
mod headers;
mod html;
mod http_options;
mod imports;
mod json;
mod label;
mod listeners;
mod log;
mod methods;
mod multipart;
mod onlooker;
mod patterns;
mod plain;
mod program;
mod record;
pub mod reference;
mod renewal;
mod request;
mod response;
mod routes;
mod said_once;
mod secret;
mod sending;
mod sent;
mod shape;
mod shared;
mod slices;
mod stream;
mod task_table;
#[cfg(test)]
mod tests;
mod thread;
mod user;
mod value;
pub mod watch;
pub mod words;

pub use assembly::Class;
pub use bundle::{Bundle, File, Unreadable};
pub use control::{Call, ControlUser, Outcome};
pub use declare::Inputs;
pub use engine::fail_for_memory;
pub use failure::{Control, Ended, Failure};
pub use generation::Generation;
pub use label::described;
pub use log::{Level, Line};
pub use onlooker::{Event, Onlooker};
pub use program::Program;
pub use shape::Asked;
pub use thread::{Outbox, Shared, Thread, ThreadParts};
pub use user::{Function, Instance, Missed, User};
pub use value::duration as seconds;
