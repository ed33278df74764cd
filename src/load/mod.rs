//! When users run, as arithmetic on elapsed time: how many there should be, of which class each one
//! is and which thread runs it, even as threads come and go.
//!
//! Pure functions of numbers: no clock, no randomness, no users. The runner asks and acts, so every
//! schedule can be tested as a table.

mod classes;
mod mix;
mod part;
mod plan;
mod ramp;
pub mod ready;
mod slots;
mod split;
mod stage;

pub use classes::Classes;
pub use mix::{ClassShare, Mix};
pub use part::Part;
pub use plan::{Division, Plan};
pub use ramp::Ramp;
pub use slots::{Moves, Slots};
pub use split::Split;
pub use stage::{Change, Stage};
