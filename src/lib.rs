//! Katydid, a load tester: scenario scripts in, truthful numbers out.
//!
//! Start with `main.rs`, then the list of layers in ARCHITECTURE.md: each module below may use
//! only the ones that its line there names.

pub mod check;
pub mod cli;
pub mod clock;
pub mod control;
#[expect(unsafe_code, reason = "stack switching needs it; see the module")]
pub mod coroutine;
pub mod data;
pub mod files;
pub mod http;
pub mod language;
pub mod load;
pub mod output;
pub mod reference;
pub mod runner;
pub mod scenario;
pub mod screen;
pub mod script;
pub mod shared;
pub mod stats;
pub mod target;
pub mod units;
pub mod vu;
pub mod watch;
