//! The integration tests: one binary, so that it is linked once.
//!
//! Each module tests one promise that no single module of the crate can keep alone. `tool` runs
//! the built binary, `peer` are the servers that it is let loose on.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod bad_input;
mod commands;
mod iterations;
mod main_path;
mod peer;
mod readme;
mod requests;
mod source;
mod spawning;
mod stopping;
mod tidy;
mod tool;
mod verdicts;
mod waits;
