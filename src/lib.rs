//! Katydid, a load tester: scenario scripts in, truthful numbers out.
//!
//! Start with `main.rs`, then the list of layers in ARCHITECTURE.md: each module below may use
//! only the ones that its line there names.

mod certificates;
pub mod check;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod control;
#[expect(unsafe_code, reason = "stack switching needs it; see the module")]
pub mod coroutine;
mod data;
mod files;
pub mod health;
pub mod http;
mod language;
pub mod load;
pub mod output;
mod random;
mod reference;
pub mod runner;
pub mod scenario;
mod screen;
pub mod script;
mod shared;
pub mod stats;
pub mod target;
pub mod units;
mod vu;
mod watch;
mod web;
