//! Scenario scripts: from text to functions that users run.
//!
//! Owns everything that knows Rhai: reading a bundle, the load-time check, the engine and its
//! limits, the script API, and what a script's mistakes look like. When a user runs which
//! function is decided in `vu`.
//!
//! ```text
//! Bundle::read ─► check ─► Program::compile (once per thread) ─► Instance::call (in a coroutine)
//! ```

mod api;
mod assembly;
mod bundle;
mod call;
mod capture;
mod check;
mod class;
mod client;
mod declare;
mod definitions;
pub mod diagnostic;
mod engine;
mod failure;
mod functions;
mod imports;
mod log;
mod methods;
mod program;
mod request;
mod response;
mod routes;
mod secret;
#[cfg(test)]
mod tests;
mod thread;
mod user;
mod value;
pub mod words;

pub use assembly::Class;
pub use bundle::{Bundle, File, Unreadable};
pub use declare::Inputs;
pub use failure::{Control, Ended, Failure};
pub use log::{Level, Line};
pub use program::Program;
pub use thread::{Outbox, Shared, Thread, ThreadParts};
pub use user::{Function, Instance, Missed, User};
pub use value::duration as seconds;
