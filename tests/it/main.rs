//! The integration tests: one binary, so that it is linked once.
//!
//! Each module tests one promise that no single module of the crate can keep alone. `tool` runs
//! the built binary, `peer` and `gates` are the servers that it is let loose on.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod appends;
mod as_curl;
mod bad_input;
mod batches;
mod build_script;
mod circles;
mod clients;
mod cluster;
mod cluster_faults;
mod cluster_garbage;
mod cluster_restart;
mod cluster_secure;
mod cluster_shared;
mod cluster_shown;
mod cluster_state;
mod commands;
mod crashes;
mod data;
mod debug;
mod deploy;
mod dev;
mod examples;
mod gates;
mod groups;
mod hostile;
mod iterations;
mod main_path;
mod mutants;
mod names;
mod no_files;
mod paths;
mod peer;
mod protocols;
mod proxy;
mod readme;
mod reference;
mod reload;
mod reload_ends;
mod reload_races;
mod requests;
mod said_once;
mod screen;
mod selection;
mod sets;
mod shapes;
mod shared;
mod shown;
mod signals;
mod source;
mod spawning;
mod steering;
mod stopping;
mod streams;
mod tidy;
mod tool;
mod verdicts;
mod waits;
mod watching;
mod web;
