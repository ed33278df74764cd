//! The screen of `katydid dev`: what is known about the runs so far, and how it is shown.
//!
//! Owns what stays on the screen and when it is written. The command handles runs and saves.

mod board;
mod fold;
mod frame;
mod live;
#[cfg(test)]
mod tests;

pub(crate) use board::{Board, SaveProblem};
pub(crate) use live::LiveScreen;
