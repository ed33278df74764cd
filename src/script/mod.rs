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
mod bundle;
mod call;
mod check;
mod class;
mod client;
mod declare;
pub mod diagnostic;
mod engine;
mod failure;
mod functions;
mod log;
mod program;
mod request;
mod response;
mod routes;
mod thread;
mod user;
mod value;
pub mod words;

pub use bundle::{Bundle, File, Unreadable};
pub use declare::Inputs;
pub use failure::{Control, Ended, Failure};
pub use log::{Level, Line};
pub use program::{Class, Program};
pub use thread::{Outbox, Shared, Thread, ThreadParts};
pub use user::{Function, Instance, Missed, User};
pub use value::duration as seconds;
