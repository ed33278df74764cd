//! Summaries become tables, CSV files and a JSON document.
//!
//! Every output formats the same [`Summary`], so that they cannot disagree. Nothing is measured or
//! added up here, no thread is started and no clock read; outputs do not end the run or print
//! errors; their caller does.

mod console;
mod csv;
#[cfg(test)]
mod fixture;
mod json;
mod numbers;
mod table;
mod visible;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::stats::{ExceptionRow, Summary};

pub use console::{Console, Tables, notes};
pub use csv::{Csv, CsvFile, HistoryRows, csv};
pub use json::{Json, Worker, document};
pub(crate) use numbers::{mean_ms, ms, share};
pub use visible::visible;

/// What is known about a run before it begins.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// Katydid's own version.
    pub version: String,
    /// The script, as it was named.
    pub script: String,
    /// The target's base URL.
    pub host: String,
    /// What the run's random streams were seeded with.
    pub seed: u64,
}

/// The wall-clock time of a moment of a run, given in µs since its epoch.
fn at(summary: &Summary, us: u64) -> Timestamp {
    let us = summary.epoch_unix_us.saturating_add_unsigned(us);
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
}

/// An exception's place, and its call stack with a line for each function.
pub(crate) fn traceback(row: &ExceptionRow) -> impl Iterator<Item = &str> {
    std::iter::once(&*row.location).chain(row.frames())
}

/// Somewhere summaries go.
///
/// An error means that this output is incomplete; the caller reports it and keeps calling, since an
/// output retries whatever it can.
pub trait Output {
    /// Called once, before any summary.
    ///
    /// # Errors
    /// What is missing or can't be written, e.g. a folder.
    fn start(&mut self, run: &RunInfo) -> Result<(), OutputError>;

    /// Called about once a second with the result so far.
    ///
    /// # Errors
    /// What can't be written; reported once, and again only after a call has succeeded.
    fn tick(&mut self, summary: &Summary) -> Result<(), OutputError>;

    /// Called once with the final result; everything is complete when it returns `Ok`.
    ///
    /// # Errors
    /// What stayed incomplete, whether reported before or not.
    fn finish(&mut self, summary: &Summary) -> Result<(), OutputError>;
}

/// Why an output is incomplete.
#[derive(Debug)]
pub enum OutputError {
    /// A folder could not be made.
    Folder(PathBuf, io::Error),
    /// A file could not be written.
    File(PathBuf, io::Error),
    /// A stream (named) could not be written.
    Stream(&'static str, io::Error),
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputError::Folder(path, error) => write!(
                f,
                "can't make the folder `{}`: {error}\nhint: give `--csv` a place where you may write",
                path.display()
            ),
            OutputError::File(path, error) => {
                write!(f, "can't write `{}`: {error}\nhint: ", path.display())?;
                f.write_str(match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "free some space: what is missing is written when there is room, until the run ends"
                    }
                    _ => "give `--csv` a place where you may write; the run goes on without it",
                })
            }
            OutputError::Stream(name, error) => write!(f, "can't write to {name}: {error}"),
        }
    }
}

impl Error for OutputError {}
