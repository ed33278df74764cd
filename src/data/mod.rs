//! Plain values that may pass between threads, files of rows, and who gets which row.
//!
//! Owns the one form in which what a script makes (a `setup` result, an element of a queue) leaves
//! its thread, and data files: read once, kept compactly, shared by all threads. Knows no Rhai;
//! conversion is done in `script`.

mod before;
mod csv;
mod elsewhere;
mod fault;
mod json;
mod packed;
mod parse;
mod rows;
mod sent;
mod sources;
mod table;
mod text;
mod turns;
mod value;

pub(crate) use csv::{CsvFormat, TextColumns};
pub(crate) use elsewhere::{RationSource, Rations};
pub(crate) use fault::Fault;
pub(crate) use parse::{Build, NotJson, Number, parse_bytes};
pub(crate) use rows::Row;
pub(crate) use sources::{CountedRows, Declared, Format, Origin, Source, Sources};
pub(crate) use table::{Cell, Table};
pub(crate) use turns::{Course, Mode};
pub(crate) use value::Value;
