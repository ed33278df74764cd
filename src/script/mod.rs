//! Scenario scripts: from text to functions that users run.
//!
//! Owns everything that knows Rhai: reading a bundle, the engine and its limits, the script API,
//! and how errors in scripts are shown. `vu` decides which function a user runs and when.
//!
//! ```text
//! Bundle::read ─► Program::compile (once per thread) ─► Instance::call (in a coroutine)
//!    `load`          `load`                                `run`, which calls back into `api`
//! ```

mod load;

mod run;

mod api;

mod bounds;
pub mod diagnostic;
mod plain;
mod results;
mod value;

#[cfg(test)]
mod tests;

// For `check` and `reference`, which look at a script's text without running it.
pub(crate) use api::patterns;
pub(crate) use load::class;
pub(crate) use load::declare;
pub(crate) use load::parsed;
pub(crate) use load::parser;
pub(crate) use load::tree;

pub use load::assembly::Class;
pub use load::bundle::{Bundle, File, Unreadable};
pub use load::declare::Inputs;
pub use load::environment::Environment;

pub use load::program::Program;
pub use run::control::{Call, ControlUser, Outcome};
pub use run::engine::fail_for_memory;
pub use run::failure::{Control, Ended, Failure, Frame};
pub use run::generation::Generation;
pub use run::label::described;
pub use run::log::{Level, Line, shortened};
pub use run::observer::{Event, Observer};
pub use run::run_clock::RunClock;
pub use run::shape::ShapeRequest;
pub use run::thread::{Thread, ThreadParts};
pub use run::user::{Instance, Missed, User};
pub use run::whole::Shared;
pub use value::duration as seconds;
