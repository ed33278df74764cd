//! script: the scenario language. Being written: so far the form of a finding.
//!
//! Knows Rhai; knows no user's life and no schedule.

pub mod check;
pub mod diagnostic;
pub mod words;
