//! The data sources of a run: each file read once, whichever thread comes first, and one count of
//! turns for all.
//!
//! A script's top level is evaluated once per load thread and once for control: the first
//! evaluation fills this, the others find it. Later workers fill theirs with what they are sent.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::csv::CsvFormat;
use super::fault::Fault;
use super::packed::Packed;
use super::table::Table;
use super::text::Stamp;
use super::turns::{Mode, Turns};
use super::{Value, csv, json, text};

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Values separated by a character, line by line.
    Csv(CsvFormat),
    /// An array of values or one object; by lines if its name says `.jsonl` or `.ndjson`.
    Json,
    /// Each line that is not empty.
    Lines,
}

/// Rows by number; immutable.
#[derive(Debug)]
pub struct Rows(Kind);

#[derive(Debug)]
enum Kind {
    Table(Table),
    Texts(Packed),
    Json(Packed),
    Values(Vec<Value>),
}

/// One row.
#[derive(Debug)]
pub enum Row<'a> {
    /// The row of that number in a table.
    Of(&'a Table, usize),
    /// A line.
    Text(&'a str),
    /// JSON text, which was seen to be valid.
    Json(&'a str),
    /// A value of a script.
    Value(&'a Value),
}

impl Rows {
    /// How many there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.0 {
            Kind::Table(table) => table.rows(),
            Kind::Texts(texts) | Kind::Json(texts) => texts.len(),
            Kind::Values(values) => values.len(),
        }
    }

    /// The row of that number, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Row<'_>> {
        match &self.0 {
            Kind::Table(table) => (index < table.rows()).then_some(Row::Of(table, index)),
            Kind::Texts(texts) => texts.get(index).map(Row::Text),
            Kind::Json(texts) => texts.get(index).map(Row::Json),
            Kind::Values(values) => values.get(index).map(Row::Value),
        }
    }

    /// The table, if they are one.
    #[must_use]
    pub fn table(&self) -> Option<&Table> {
        match &self.0 {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }
}

/// A file as it was read.
#[derive(Debug)]
struct Loaded {
    rows: Arc<Rows>,
    stamp: Stamp,
}

/// Rows and whose turn it is: what all evaluations of one declaration share.
#[derive(Debug)]
pub struct Source {
    /// The rows.
    pub rows: Arc<Rows>,
    /// How many were taken.
    pub turns: Turns,
}

/// Which declaration of a script a source belongs to. Every evaluation of the top level comes to
/// the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Declared {
    /// What the rows are.
    pub origin: Origin,
    /// Their order.
    pub mode: Mode,
    /// How many declarations of the same origin and mode came before it.
    pub repeated: usize,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A file.
    File(PathBuf, Format),
    /// An array of the script, by its content's SHA-256.
    Array([u8; 32]),
}

/// What was read for a run, by all threads together. Its locks are taken when a script is loaded,
/// never while users run.
#[derive(Default)]
pub struct Sources {
    files: Mutex<HashMap<(PathBuf, Format), Arc<Loaded>>>,
    declared: Mutex<HashMap<Declared, Arc<Source>>>,
}

impl Sources {
    /// The rows of a file, for that declaration.
    ///
    /// Costs about a second for 100 MB the first time; a file that changes later is not read
    /// again.
    ///
    /// # Errors
    /// What is wrong with the file, and in which row or line.
    pub fn file(&self, declared: Declared) -> Result<Arc<Source>, Fault> {
        let Origin::File(path, format) = &declared.origin else {
            return Err(Fault::new("an array is no file"));
        };
        let rows = {
            // Held while the file is read: another thread that needs it waits, not reads.
            let mut files = locked(&self.files);
            match files.get(&(path.clone(), format.clone())) {
                Some(loaded) => loaded.rows.clone(),
                None => {
                    let loaded = load(path, format)
                        .map_err(|fault| fault.of(&path.display().to_string()))?;
                    let rows = loaded.rows.clone();
                    files.insert((path.clone(), format.clone()), Arc::new(loaded));
                    rows
                }
            }
        };
        Ok(self.source(declared, rows))
    }

    /// Values of a script as rows; `repeated` as in [`Declared`].
    ///
    /// # Errors
    /// When there is none.
    pub fn array(
        &self,
        values: Vec<Value>,
        mode: Mode,
        repeated: impl FnOnce(&Origin) -> usize,
    ) -> Result<Arc<Source>, Fault> {
        if values.is_empty() {
            return Err(Fault::new("the array is empty"));
        }
        // Evaluations that came to other values, which they may not, would not share a count.
        let content: [u8; 32] = Sha256::digest(format!("{values:?}")).into();
        let origin = Origin::Array(content);
        let declared = Declared {
            repeated: repeated(&origin),
            origin,
            mode,
        };
        Ok(self.source(declared, Arc::new(Rows(Kind::Values(values)))))
    }

    fn source(&self, declared: Declared, rows: Arc<Rows>) -> Arc<Source> {
        let mut all = locked(&self.declared);
        let source = all.entry(declared).or_insert_with(|| {
            Arc::new(Source {
                rows,
                turns: Turns::default(),
            })
        });
        source.clone()
    }

    /// The files that were read, in the order of their names: for whoever must know whether they
    /// have changed, or send them elsewhere.
    #[must_use]
    pub fn stamps(&self) -> Vec<(PathBuf, Stamp)> {
        let files = locked(&self.files);
        let stamps = files.iter();
        let mut stamps: Vec<_> = stamps
            .map(|((path, _), loaded)| (path.clone(), loaded.stamp))
            .collect();
        stamps.sort_by(|a, b| a.0.cmp(&b.0));
        stamps.dedup();
        stamps
    }
}

impl fmt::Debug for Sources {
    /// Names, not a million rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stamps()).finish()
    }
}

/// A panic while it was held has left nothing half-done: entries are whole or not there.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn load(path: &Path, format: &Format) -> Result<Loaded, Fault> {
    let (text, stamp) = text::read(path)?;
    let by_lines = path.extension().is_some_and(|name| {
        name.eq_ignore_ascii_case("jsonl") || name.eq_ignore_ascii_case("ndjson")
    });
    let kind = match format {
        Format::Csv(format) => Kind::Table(csv::table(&text, format)?),
        Format::Json if by_lines => Kind::Json(json::lines(&text)?),
        Format::Json => Kind::Json(json::document(&text)?),
        Format::Lines => Kind::Texts(text::lines(&text)?),
    };
    Ok(Loaded {
        rows: Arc::new(Rows(kind)),
        stamp,
    })
}
