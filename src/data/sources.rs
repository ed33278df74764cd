//! The data sources of a run: each file read once, whichever thread comes first, and one count of
//! turns for all.
//!
//! A script's top level is evaluated once per load thread and once for control: the first
//! evaluation fills this, the others find it. `before` decides what a new generation of the script
//! takes over.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::before::Before;
use super::csv::CsvFormat;
use super::elsewhere::RationSource;
use super::fault::Fault;
use super::rows::{Kind, Rows};
use super::text::Stamp;
use super::turns::{Mode, Turns};
use super::{Value, csv, json, text};
use crate::files::Files;

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Values separated by a character, line by line.
    Csv(CsvFormat),
    /// An array of values or one object; by lines if its name says `.jsonl` or `.ndjson`.
    Json,
    /// Each line that is not empty.
    Lines,
}

/// A file, and how it is read.
pub(super) type FileAs = (PathBuf, Format);

/// A file as it was read.
#[derive(Debug)]
pub(super) struct Loaded {
    rows: Arc<Rows>,
    pub(super) stamp: Stamp,
}

/// Rows and whose turn it is: what all evaluations of one declaration share.
#[derive(Debug)]
pub struct Source {
    /// The rows.
    pub rows: Arc<Rows>,
    /// Whose turn it is; of one count with the generation before, if they go on from it.
    pub turns: Arc<Turns>,
}

/// Which declaration of a script a source belongs to. Every evaluation of the top level comes to
/// the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Declared {
    /// What the rows are.
    pub origin: Origin,
    /// Their order.
    pub mode: Mode,
    /// How many declarations of the same origin and mode came before it.
    pub repeated: usize,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A file.
    File(PathBuf, Format),
    /// An array of the script, by its content's SHA-256.
    Array([u8; 32]),
}

/// The turns of a declaration, as another process has to know them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedRows {
    /// Which one.
    pub declared: Declared,
    /// How many rows it has.
    pub rows: u64,
    /// The name of its count, which those before an edit have too if it goes on from them.
    pub name: u64,
}

/// As often the rows of one declaration may be replaced by others, for a process that goes on from
/// an earlier one to know.
const BEGUN: u32 = 1_000;

/// The name of a count that has begun so often before.
fn name_of(declared: &Declared, times: u32) -> u64 {
    let digest = Sha256::digest(format!("{declared:?} {times}"));
    let (name, _) = digest.split_first_chunk().expect("it has 32 bytes");
    u64::from_le_bytes(*name)
}

/// What was read for a run, by all threads together. Its locks are taken when a script is loaded,
/// never while users run.
#[derive(Default)]
pub struct Sources {
    files: Mutex<HashMap<FileAs, Arc<Loaded>>>,
    declared: Mutex<HashMap<Declared, Arc<Source>>>,
    failed: Mutex<BTreeSet<PathBuf>>,
    before: Mutex<Option<Before>>,
    /// Where files are read.
    read_in: Files,
    /// How often the counts of a declaration have begun, those of earlier generations included: so
    /// no two have the same name.
    begun: Mutex<HashMap<Declared, u32>>,
    /// Where turns are counted, if that is not here, and under which names.
    asks: Option<(Vec<CountedRows>, Arc<dyn RationSource>)>,
}

impl Sources {
    /// Reads files from `files`: data, and whatever else the script names.
    #[must_use]
    pub fn reading(self, files: Files) -> Sources {
        let read_in = files;
        Sources { read_in, ..self }
    }

    /// Where files are read.
    pub(crate) fn files(&self) -> &Files {
        &self.read_in
    }

    /// Leaves counting turns to `asks`, where they have these names: so they say which rows go on
    /// from those before an edit.
    #[must_use]
    pub fn asking(self, names: Vec<CountedRows>, asks: Arc<dyn RationSource>) -> Sources {
        Sources {
            asks: Some((names, asks)),
            ..self
        }
    }

    /// Leaves counting the turns of all declarations so far to `asks`, as other processes do.
    pub fn ask(&self, asks: &Arc<dyn RationSource>) {
        for source in locked(&self.declared).values() {
            source.turns.ask(asks.clone());
        }
    }

    /// All declarations whose turns are counted.
    #[must_use]
    pub fn counted(&self) -> Vec<CountedRows> {
        let declared = locked(&self.declared);
        let counted = declared.iter();
        let counted = counted.filter(|(declared, _)| declared.mode != Mode::Random);
        let counted = counted.map(|(declared, source)| CountedRows {
            declared: declared.clone(),
            rows: source.rows.count() as u64,
            name: source.turns.name(),
        });
        counted.collect()
    }

    /// So many turns of that count were taken elsewhere, at least.
    pub fn were_taken(&self, name: u64, taken: u64) {
        let declared = locked(&self.declared);
        let named = declared.values().find(|it| it.turns.name() == name);
        if let Some(source) = named {
            source.turns.were_taken(taken);
        }
    }

    /// For a new generation of the script.
    ///
    /// Files are read again, but parsed only if their content has changed. A declaration continues
    /// the old one of the same file, format and mode, with one count for the users of both
    /// generations, if its rows begin with all the old ones; so does an array. Otherwise it begins
    /// with its first row.
    ///
    /// Holds what `old` has read until [`finish`](Sources::finish).
    #[must_use]
    pub fn after(old: &Sources) -> Sources {
        let before = Before::new(locked(&old.files).clone(), locked(&old.declared).clone());
        Sources {
            before: Mutex::new(Some(before)),
            begun: Mutex::new(locked(&old.begun).clone()),
            ..Sources::default()
        }
    }

    /// The first evaluation is over, and later ones find what it has read: drops the previous
    /// generation. Returns the files, ordered by name, of which rows were taken and that start
    /// again from the first row.
    pub fn finish(&self) -> Vec<PathBuf> {
        let before = locked(&self.before).take();
        before.map_or_else(Vec::new, Before::restarted)
    }

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
                    let loaded = self.load(path, format).map_err(|fault| {
                        locked(&self.failed).insert(path.clone());
                        fault.of(&path.display().to_string())
                    })?;
                    let rows = loaded.rows.clone();
                    files.insert((path.clone(), format.clone()), loaded);
                    rows
                }
            }
        };
        self.source(declared, rows)
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
        self.source(declared, Arc::new(Rows::new(Kind::Values(values))))
    }

    fn source(&self, declared: Declared, rows: Arc<Rows>) -> Result<Arc<Source>, Fault> {
        let mut all = locked(&self.declared);
        if let Some(source) = all.get(&declared) {
            return Ok(source.clone());
        }
        let turns = match &self.asks {
            Some((names, asks)) => {
                Arc::new(turns_elsewhere(&declared, &rows, names, asks.clone())?)
            }
            None => self.turns(&declared, &rows),
        };
        let source = Arc::new(Source { rows, turns });
        all.insert(declared, source.clone());
        Ok(source)
    }

    /// The turns of a declaration, counted here.
    fn turns(&self, declared: &Declared, rows: &Arc<Rows>) -> Arc<Turns> {
        let mut before = locked(&self.before);
        let goes_on = before
            .as_mut()
            .and_then(|before| before.turns(declared, rows));
        if let Some(turns) = goes_on {
            return turns;
        }
        let mut begun = locked(&self.begun);
        let times = begun.entry(declared.clone()).or_default();
        let name = name_of(declared, *times);
        *times += 1;
        Arc::new(Turns::new(declared.mode, rows.count() as u64, name))
    }

    /// Goes on with the counts of an earlier process, as others know them: some may have begun anew
    /// there, which this process has not seen.
    pub fn go_on_as(&self, counted: &[CountedRows]) {
        for CountedRows { declared, name, .. } in counted {
            let had = (0..BEGUN).find(|times| name_of(declared, *times) == *name);
            if let Some(times) = had {
                locked(&self.begun).insert(declared.clone(), times + 1);
            }
            if let Some(source) = locked(&self.declared).get(declared) {
                source.turns.are_known_as(*name);
            }
        }
    }

    fn load(&self, path: &Path, format: &Format) -> Result<Arc<Loaded>, Fault> {
        let (bytes, stamp) = text::read(&self.read_in, path)?;
        if let Some(before) = &*locked(&self.before)
            && let Some(loaded) = before.unchanged(path, format, &stamp)
        {
            return Ok(loaded);
        }
        let rows = Arc::new(Rows::new(parsed(&text::decoded(&bytes)?, path, format)?));
        Ok(Arc::new(Loaded { rows, stamp }))
    }

    /// Whether a script has declared any rows.
    #[must_use]
    pub fn are_declared(&self) -> bool {
        !locked(&self.declared).is_empty()
    }

    /// The files that were read or could not be, ordered by name: to be watched.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut paths = locked(&self.failed).clone();
        paths.extend(locked(&self.files).keys().map(|(path, _)| path.clone()));
        paths.into_iter().collect()
    }

    /// The files that were read, ordered by name: to see whether they have changed, or to send them
    /// elsewhere.
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

/// The turns of a declaration, counted in another process.
fn turns_elsewhere(
    declared: &Declared,
    rows: &Rows,
    names: &[CountedRows],
    asks: Arc<dyn RationSource>,
) -> Result<Turns, Fault> {
    let (mode, rows) = (declared.mode, rows.count() as u64);
    if mode == Mode::Random {
        return Ok(Turns::new(mode, rows, 0));
    }
    let mut named = names.iter();
    let named = named.find(|it| it.declared == *declared && it.rows == rows);
    let named = named.ok_or_else(|| {
        Fault::new("the script declares other rows here than when it was checked")
            .hint("`random`, `now` and `env` give the same everywhere")
    })?;
    Ok(Turns::elsewhere(mode, named.name, rows, asks))
}

/// A panic while it was held has left nothing half-done: entries are whole or not there.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parsed(text: &str, path: &Path, format: &Format) -> Result<Kind, Fault> {
    let by_lines = path.extension().is_some_and(|name| {
        name.eq_ignore_ascii_case("jsonl") || name.eq_ignore_ascii_case("ndjson")
    });
    Ok(match format {
        Format::Csv(format) => Kind::Table(csv::table(text, format)?),
        Format::Json if by_lines => Kind::Json(json::lines(text)?),
        Format::Json => Kind::Json(json::document(text)?),
        Format::Lines => Kind::Texts(text::lines(text)?),
    })
}
