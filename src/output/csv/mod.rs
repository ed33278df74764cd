//! Locust's four CSV files: statistics, history, failures and exceptions.
//!
//! Locust's columns, order, CRLF and quoting. Unlike Locust's, they are written a last time at the
//! end, so that they agree with the tables, and times are ms with µs precision. A file that can't
//! be written costs nothing else: what is missing is tried again at the next tick.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use ::csv::{Terminator, Writer, WriterBuilder};

use crate::stats::{Distribution, Row, Summary};

use super::numbers::{mean_ms, ms, share};
use super::{Output, OutputError, Run};

const QUANTILES: [&str; 11] = [
    "50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%",
];

const STATS: [&str; 11] = [
    "Type",
    "Name",
    "Request Count",
    "Failure Count",
    "Median Response Time",
    "Average Response Time",
    "Min Response Time",
    "Max Response Time",
    "Average Content Size",
    "Requests/s",
    "Failures/s",
];

const HISTORY_BEFORE: [&str; 6] = [
    "Timestamp",
    "User Count",
    "Type",
    "Name",
    "Requests/s",
    "Failures/s",
];

const HISTORY_AFTER: [&str; 7] = [
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
];

const FAILURES: [&str; 6] = [
    "Method",
    "Name",
    "Error",
    "Occurrences",
    "First Seen",
    "Last Seen",
];

const EXCEPTIONS: [&str; 4] = ["Count", "Message", "Traceback", "Nodes"];

/// History that could not be written yet is kept up to this many bytes.
const MAX_PENDING: usize = 64 << 20;

/// Which rows the history has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRows {
    /// The total only.
    Total,
    /// Every name and the total (`--csv-full-history`).
    All,
}

/// Writes `PREFIX_stats.csv`, `PREFIX_stats_history.csv`, `PREFIX_failures.csv` and
/// `PREFIX_exceptions.csv`.
///
/// The history's rates and percentiles are current (the last up to ten seconds), its `Total …`
/// columns and the statistics' rates are over the whole run.
#[derive(Debug)]
pub struct Csv {
    prefix: PathBuf,
    rows: HistoryRows,
    run: Option<Run>,
    history: Option<File>,
    /// How much of the history's file is complete rows.
    written: u64,
    pending: Vec<u8>,
    /// The history's file ends in half a row that could not be cut off.
    is_torn: bool,
    /// Rows of the history had to be given up.
    is_short: bool,
    /// The last call failed, and its trouble was reported.
    is_troubled: bool,
    last_us: Option<u64>,
}

impl Csv {
    /// Files whose names begin with `prefix`, which may name a folder that does not exist yet.
    pub fn new(prefix: impl Into<PathBuf>, rows: HistoryRows) -> Csv {
        Csv {
            prefix: prefix.into(),
            rows,
            run: None,
            history: None,
            written: 0,
            pending: Vec::new(),
            is_torn: false,
            is_short: false,
            is_troubled: false,
            last_us: None,
        }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        let mut name = self.prefix.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// Writes everything that the summary has, each file whatever became of the others; the
    /// trouble of the first that failed.
    fn write(&mut self, summary: &Summary) -> Result<(), OutputError> {
        let Some(run) = self.run.clone() else {
            return Ok(());
        };
        if self.last_us.is_none_or(|last| summary.now_us > last) {
            self.last_us = Some(summary.now_us);
            self.add_history(&run, summary);
        }
        let mut result = self.flush_history();
        let tables = [
            ("_stats.csv", stats(summary)),
            ("_failures.csv", failures(&run, summary)),
            ("_exceptions.csv", exceptions(summary)),
        ];
        for (suffix, content) in tables {
            let path = self.path(suffix);
            let written = replace(&path, &content);
            result = result.and(written.map_err(|error| OutputError::File(path, error)));
        }
        result
    }

    fn add_history(&mut self, run: &Run, summary: &Summary) {
        let at = run.at(summary.now_us).as_second().to_string();
        let users = summary.users.running.to_string();
        let named: &[Row] = match self.rows {
            HistoryRows::Total => &[],
            HistoryRows::All => &summary.requests,
        };
        let content = table(|out| {
            for row in named.iter().chain([&summary.total]) {
                let mut cells = vec![at.clone(), users.clone()];
                cells.extend(named_cells(row));
                cells.push(format!("{:.6}", row.current_rps));
                cells.push(format!("{:.6}", row.current_failures_per_s));
                cells.extend(quantiles(&row.current));
                cells.push(row.requests.to_string());
                cells.push(row.failures.to_string());
                cells.extend(times(&row.response));
                cells.push(content_size(row));
                out.write_record(cells)?;
            }
            Ok(())
        });
        if self.pending.len() + content.len() <= MAX_PENDING {
            self.pending.extend_from_slice(&content);
        } else {
            self.is_short = true;
        }
    }

    /// Appends what is pending.
    fn flush_history(&mut self) -> Result<(), OutputError> {
        let path = self.path("_stats_history.csv");
        self.append_history(&path)
            .map_err(|error| OutputError::File(path, error))
    }

    fn append_history(&mut self, path: &Path) -> io::Result<()> {
        let file = match &mut self.history {
            Some(file) => file,
            None => self.history.insert(File::create(path)?),
        };
        if self.is_torn {
            cut(file, self.written)?;
            self.is_torn = false;
        }
        if let Err(error) = file.write_all(&self.pending) {
            self.is_torn = cut(file, self.written).is_err();
            return Err(error);
        }
        self.written += self.pending.len() as u64;
        self.pending.clear();
        if self.is_short {
            return Err(io::Error::other(
                "it could not be written for so long that rows are missing",
            ));
        }
        Ok(())
    }

    /// The trouble of this call, unless the call before had one too.
    fn report(&mut self, result: Result<(), OutputError>) -> Result<(), OutputError> {
        let is_news = result.is_ok() || !self.is_troubled;
        self.is_troubled = result.is_err();
        if is_news { result } else { Ok(()) }
    }
}

impl Output for Csv {
    fn start(&mut self, run: &Run) -> Result<(), OutputError> {
        self.run = Some(run.clone());
        if let Some(folder) = self
            .prefix
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder)
                .map_err(|error| OutputError::Folder(folder.to_owned(), error))?;
        }
        self.pending = table(|out| {
            out.write_record(
                HISTORY_BEFORE
                    .iter()
                    .chain(&QUANTILES)
                    .chain(&HISTORY_AFTER),
            )
        });
        let result = self.flush_history();
        self.report(result)
    }

    fn tick(&mut self, summary: &Summary) -> Result<(), OutputError> {
        let result = self.write(summary);
        self.report(result)
    }

    fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.write(summary)
    }
}

fn stats(summary: &Summary) -> Vec<u8> {
    table(|out| {
        out.write_record(STATS.iter().chain(&QUANTILES))?;
        for row in summary.requests.iter().chain([&summary.total]) {
            let mut cells = named_cells(row).to_vec();
            cells.push(row.requests.to_string());
            cells.push(row.failures.to_string());
            cells.extend(times(&row.response));
            cells.push(content_size(row));
            cells.push(format!("{:.6}", row.rps));
            cells.push(format!("{:.6}", row.failures_per_s));
            cells.extend(quantiles(&row.response));
            out.write_record(cells)?;
        }
        Ok(())
    })
}

fn failures(run: &Run, summary: &Summary) -> Vec<u8> {
    let time = |us| format!("{:.0}", run.at(us));
    table(|out| {
        out.write_record(FAILURES)?;
        for row in &summary.errors {
            let (count, first, last) =
                (row.count.to_string(), time(row.first_us), time(row.last_us));
            out.write_record([&row.method, &row.name, &row.error, &*count, &*first, &*last])?;
        }
        Ok(())
    })
}

fn exceptions(summary: &Summary) -> Vec<u8> {
    table(|out| {
        out.write_record(EXCEPTIONS)?;
        for row in &summary.exceptions {
            out.write_record([
                &*row.count.to_string(),
                &row.message,
                &row.location,
                "local",
            ])?;
        }
        Ok(())
    })
}

fn named_cells(row: &Row) -> [String; 2] {
    [row.key.method.to_string(), row.key.name.to_string()]
}

/// Median, average, minimum, maximum.
fn times(of: &Distribution) -> [String; 4] {
    [
        ms(of.p50_us()),
        mean_ms(of.mean_us),
        ms(of.min_us),
        ms(of.max_us),
    ]
    .map(|ms| ms.to_string())
}

fn quantiles(of: &Distribution) -> [String; 11] {
    of.quantiles_us.map(|us| {
        if of.count == 0 {
            "N/A".to_owned()
        } else {
            ms(us).to_string()
        }
    })
}

fn content_size(row: &Row) -> String {
    let size = share(row.received, row.requests);
    ((size * 1e3).round() / 1e3).to_string()
}

/// The rows that `fill` writes, as bytes.
fn table(fill: impl FnOnce(&mut Writer<Vec<u8>>) -> ::csv::Result<()>) -> Vec<u8> {
    let mut out = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .flexible(true)
        .from_writer(Vec::new());
    fill(&mut out).expect("writing to memory does not fail");
    out.into_inner().expect("writing to memory does not fail")
}

/// Writes a file beside it and renames, so that a reader sees the old or the new, never a half.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.to_owned().into_os_string();
    name.push(".tmp");
    let beside = PathBuf::from(name);
    let result = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        // The trouble to report is the first one.
        let _ = fs::remove_file(&beside);
    }
    result
}

fn cut(file: &mut File, length: u64) -> io::Result<()> {
    file.set_len(length)?;
    file.seek(io::SeekFrom::Start(length)).map(|_| ())
}
