//! The screen of `katydid dev`: what is known of the runs so far, and how it is shown.
//!
//! Owns what stays on the screen and when it is written. Runs and saves are the command's.

mod board;
mod fold;
mod frame;
mod stage;
#[cfg(test)]
mod tests;

pub(crate) use board::{Board, SaveProblem};
pub(crate) use stage::Stage;
