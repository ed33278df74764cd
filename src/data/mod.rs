//! Plain values that may pass between threads, files of rows, and who gets which row.
//!
//! Owns the one form in which what a script makes (a `setup` result, an element of a queue) leaves
//! its thread, and data files: read once, kept compactly, shared by all threads. Knows no Rhai;
//! conversion is `script`'s business.

mod before;
mod csv;
mod fault;
mod json;
mod packed;
mod parse;
mod rows;
mod sources;
mod table;
mod text;
mod turns;
mod value;

pub use csv::{CsvFormat, TextColumns};
pub use fault::Fault;
pub use parse::{Build, NotJson, Number, parse, parse_bytes};
pub use rows::{Row, Rows};
pub use sources::{Declared, Format, Origin, Source, Sources};
pub use table::{Cell, Table};
pub use text::Stamp;
pub use turns::{Mode, Turns};
pub use value::Value;
