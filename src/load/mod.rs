//! When users run, as arithmetic on elapsed time: how many there should be, which class each one
//! is, which thread has it.
//!
//! Pure functions of numbers: no clock, no randomness, no user. The runner asks and acts, so that
//! every schedule can be tested as a table.

mod mix;
mod part;
mod plan;
mod ramp;
pub mod ready;
mod split;
mod stage;

pub use mix::{ClassShare, Mix};
pub use part::Part;
pub use plan::{Change, Division, Plan};
pub use ramp::Ramp;
pub use split::Split;
pub use stage::Stage;
