//! Users at run time: one user as its script sees it, its thread, what it keeps when the script is
//! edited, how a call ends.
//!
//! Owns calling a script's functions. `vu` decides which one a user runs and when.

pub(super) mod call;
pub(super) mod control;
pub(super) mod engine;
pub(super) mod extent;
pub(super) mod failure;
pub(super) mod generation;
pub(super) mod label;
pub(super) mod listeners;
pub(super) mod log;
pub(super) mod measurement;
pub(super) mod observer;
pub(super) mod renewal;
pub(super) mod routes;
pub(super) mod run_clock;
pub(super) mod said_once;
pub(super) mod secret;
pub(super) mod shape;
pub(super) mod slices;
pub(super) mod stale_closure;
pub(super) mod thread;
pub(super) mod user;
pub(super) mod verdict;
pub(super) mod whole;
