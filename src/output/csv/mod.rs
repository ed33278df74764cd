//! Locust's four CSV files (statistics, history, failures and exceptions), and one each for groups,
//! checks, the script's own metrics, reloads, pauses and workers, where there are any.
//!
//! Locust's columns, order, CRLF and quoting. Unlike Locust's, they are written a last time at the
//! end, so that they agree with the tables, and times are ms with µs precision. A file that can't
//! be written does not affect the others: what is missing is tried again at the next tick.

mod rows;
mod workers;

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use crate::stats::{Row, Summary};

use super::{Output, OutputError, RunInfo};

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

/// A file that can be made from one summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsvFile {
    /// As `PREFIX_stats.csv`.
    Stats,
    /// As `PREFIX_failures.csv`.
    Failures,
    /// As `PREFIX_exceptions.csv`.
    Exceptions,
    /// The columns of `PREFIX_stats_history.csv`, a row for each second. Totals of times are not
    /// there, nor, of seconds long past, percentiles other than the 50th and the 95th.
    History,
}

/// The content of a file.
#[must_use]
pub fn csv(summary: &Summary, file: CsvFile) -> Vec<u8> {
    match file {
        CsvFile::Stats => rows::stats(summary),
        CsvFile::Failures => rows::failures(summary),
        CsvFile::Exceptions => rows::exceptions(summary),
        CsvFile::History => {
            let mut content = rows::history_titles();
            content.extend(rows::seconds(summary));
            content
        }
    }
}

/// Writes `PREFIX_stats.csv`, `PREFIX_stats_history.csv`, `PREFIX_failures.csv` and
/// `PREFIX_exceptions.csv`; where there are groups, checks or own figures `PREFIX_groups.csv`,
/// `PREFIX_checks.csv` and `PREFIX_metrics.csv`; after a reload `PREFIX_generations.csv`; after
/// a pause `PREFIX_pauses.csv`; of a run over workers `PREFIX_workers.csv`.
///
/// The history's rates and percentiles are current (the last up to ten seconds), its `Total …`
/// columns and the statistics' rates are over the whole run.
#[derive(Debug)]
pub struct Csv {
    prefix: PathBuf,
    rows: HistoryRows,
    history: Option<File>,
    /// How much of the history file is complete rows.
    written: u64,
    pending: Vec<u8>,
    /// The history file ends in half a row that could not be cut off.
    is_torn: bool,
    /// Rows of the history had to be given up.
    is_short: bool,
    /// The last call failed, and its error was reported.
    is_troubled: bool,
    last_us: Option<u64>,
}

impl Csv {
    /// Writes files whose names begin with `prefix`, which may be in a folder that does not exist
    /// yet.
    pub fn new(prefix: impl Into<PathBuf>, rows: HistoryRows) -> Csv {
        Csv {
            prefix: prefix.into(),
            rows,
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

    fn make_folder(&self) -> Result<(), OutputError> {
        // From a file's path, since the prefix may be just a folder (`results/`).
        let path = self.path("_stats.csv");
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => fs::create_dir_all(folder)
                .map_err(|error| OutputError::Folder(folder.to_owned(), error)),
            _ => Ok(()),
        }
    }

    /// Writes everything in the summary, each file independently of the others; returns the first
    /// error.
    fn write(&mut self, summary: &Summary) -> Result<(), OutputError> {
        if self.last_us.is_none_or(|last| summary.now_us > last) {
            self.last_us = Some(summary.now_us);
            self.add_history(summary);
        }
        let mut result = self.flush_history();
        let mut tables = vec![
            ("_stats.csv", rows::stats(summary)),
            ("_failures.csv", rows::failures(summary)),
            ("_exceptions.csv", rows::exceptions(summary)),
        ];
        // Locust has no such files, so they are only written if there is something in them.
        if !summary.groups.is_empty() {
            tables.push(("_groups.csv", rows::groups(summary)));
        }
        if !summary.checks.is_empty() {
            tables.push(("_checks.csv", rows::checks(summary)));
        }
        tables.extend(rows::metrics(summary).map(|metrics| ("_metrics.csv", metrics)));
        tables.extend(rows::generations(summary).map(|rows| ("_generations.csv", rows)));
        tables.extend(rows::pauses(summary).map(|rows| ("_pauses.csv", rows)));
        tables.extend(workers::workers(summary).map(|rows| ("_workers.csv", rows)));
        for (suffix, content) in tables {
            let path = self.path(suffix);
            let written = replace(&path, &content);
            result = result.and(written.map_err(|error| OutputError::File(path, error)));
        }
        result
    }

    fn add_history(&mut self, summary: &Summary) {
        let named: &[Row] = match self.rows {
            HistoryRows::Total => &[],
            HistoryRows::All => &summary.requests,
        };
        let content = rows::history(summary, named);
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

    /// The error of this call, unless the previous call failed too.
    fn report(&mut self, result: Result<(), OutputError>) -> Result<(), OutputError> {
        let is_news = result.is_ok() || !self.is_troubled;
        self.is_troubled = result.is_err();
        if is_news { result } else { Ok(()) }
    }
}

impl Output for Csv {
    fn start(&mut self, _run: &RunInfo) -> Result<(), OutputError> {
        let made = self.make_folder();
        self.pending = rows::history_titles();
        let result = made.and(self.flush_history());
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

/// Writes a temporary file and renames it, so that a reader sees either the old or the new content.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.to_owned().into_os_string();
    name.push(".tmp");
    let beside = PathBuf::from(name);
    let result = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    result
}

fn cut(file: &mut File, length: u64) -> io::Result<()> {
    file.set_len(length)?;
    file.seek(io::SeekFrom::Start(length)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::output::fixture;

    const FILES: [&str; 4] = ["_stats", "_stats_history", "_failures", "_exceptions"];

    fn read(folder: &TempDir, prefix: &str) -> [String; 4] {
        FILES.map(|name| {
            let path = folder.path().join(format!("{prefix}{name}.csv"));
            fs::read_to_string(path).expect("the file is there")
        })
    }

    fn written(rows: HistoryRows) -> [String; 4] {
        let folder = TempDir::new().expect("a folder");
        let mut csv = Csv::new(folder.path().join("new/folder/run"), rows);
        csv.start(&fixture::run()).expect("written");
        csv.tick(&fixture::shop().summary(5_000_000))
            .expect("written");
        csv.finish(&fixture::final_shop()).expect("written");
        let left: Vec<_> = fs::read_dir(folder.path().join("new/folder"))
            .expect("made")
            .collect();
        // Locust's four, and one for the groups of this run.
        assert_eq!(left.len(), 5, "nothing else: {left:?}");
        read(&folder, "new/folder/run")
    }

    #[test]
    fn the_files_have_locusts_columns_first() {
        let percentiles = "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";
        let columns = [
            format!(
                "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,\
                 Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,\
                 {percentiles},Unfinished,Certain To,50% At Most,66% At Most,75% At Most,80% At Most,90% At Most,95% At Most,98% At Most,99% At Most,99.9% At Most,99.99% At Most,100% At Most"
            ),
            format!(
                "Timestamp,User Count,Type,Name,Requests/s,Failures/s,{percentiles},\
                 Total Request Count,Total Failure Count,Total Median Response Time,\
                 Total Average Response Time,Total Min Response Time,Total Max Response Time,\
                 Total Average Content Size"
            ),
            "Method,Name,Error,Occurrences,First Seen,Last Seen".to_owned(),
            "Count,Message,Traceback,Nodes".to_owned(),
        ];
        for (file, columns) in written(HistoryRows::Total).iter().zip(columns) {
            assert_eq!(file.split("\r\n").next(), Some(&*columns));
            assert!(file.ends_with("\r\n"));
            assert_eq!(file.matches('\n').count(), file.matches("\r\n").count());
        }
    }

    #[test]
    fn the_files_of_a_run() {
        let [stats, history, failures, exceptions] = written(HistoryRows::Total);
        insta::assert_snapshot!(stats.replace("\r\n", "\n"), @r"
        Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Unfinished,Certain To,50% At Most,66% At Most,75% At Most,80% At Most,90% At Most,95% At Most,98% At Most,99% At Most,99.9% At Most,99.99% At Most,100% At Most
        GET,/coupons,1000,0,0.199,0.2,0.15,0.249,512,100.000000,0.000000,0.199,0.215,0.224,0.229,0.239,0.244,0.247,0.248,0.249,0.249,0.249,0,1,0.199,0.215,0.224,0.229,0.239,0.244,0.247,0.248,0.249,0.249,0.249
        POST,/coupons/1/issue,250,50,12.855,15.422,12.345,262.745,64,25.000000,5.000000,12.855,13.015,13.103,13.159,13.255,13.311,13.335,162.815,262.745,262.745,262.745,0,1,12.855,13.015,13.103,13.159,13.255,13.311,13.335,162.815,262.745,262.745,262.745
        ,Aggregated,1250,50,0.212,3.263,0.15,262.745,422.4,125.000000,5.000000,0.212,0.232,0.243,12.351,12.855,13.111,13.255,13.311,262.745,262.745,262.745,0,1,0.212,0.232,0.243,12.351,12.855,13.111,13.255,13.311,262.745,262.745,262.745
        ");
        insta::assert_snapshot!(history.replace("\r\n", "\n"), @r"
        Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size
        1767323050,10,,Aggregated,125.000000,0.000000,0.212,0.232,0.243,0.249,12.599,12.719,12.799,12.823,262.745,262.745,262.745,1250,50,0.212,3.263,0.15,262.745,422.4
        1767323055,0,,Aggregated,125.000000,5.000000,0.212,0.232,0.243,0.249,12.847,13.103,13.247,13.303,13.343,262.745,262.745,1250,50,0.212,3.263,0.15,262.745,422.4
        ");
        insta::assert_snapshot!(failures.replace("\r\n", "\n"), @r#"
        Method,Name,Error,Occurrences,First Seen,Last Seen
        POST,/coupons/1/issue,"409 Conflict: ""sold out"", 0 left",50,2026-01-02T03:04:13Z,2026-01-02T03:04:14Z
        "#);
        insta::assert_snapshot!(exceptions.replace("\r\n", "\n"), @r"
        Count,Message,Traceback,Nodes
        1,index out of bounds,scripts/hello.rhai:12:5; nth (scripts/hello.rhai:12:5); the task `hello` (scripts/hello.rhai:3:9),local
        ");
    }

    #[test]
    fn pauses_have_a_file_of_their_own() {
        let folder = TempDir::new().expect("a folder");
        let mut csv = Csv::new(folder.path().join("run"), HistoryRows::Total);
        csv.start(&fixture::run()).expect("written");
        let mut shop = fixture::shop();
        shop.pause(12_000_000);
        shop.resume(14_500_000);
        csv.finish(&shop.summary(20_000_000)).expect("written");
        let path = folder.path().join("run_pauses.csv");
        let pauses = fs::read_to_string(path).expect("the file is there");
        insta::assert_snapshot!(pauses.replace("\r\n", "\n"), @r"
        Paused,Resumed,Seconds,Seconds Not In Rates
        1767323057,1767323059,2.5,2.5
        ");
    }

    #[test]
    fn own_figures_have_a_file_of_their_own() {
        let folder = TempDir::new().expect("a folder");
        let mut csv = Csv::new(folder.path().join("run"), HistoryRows::Total);
        csv.start(&fixture::run()).expect("written");
        csv.finish(&fixture::figures()).expect("written");
        let path = folder.path().join("run_metrics.csv");
        let metrics = fs::read_to_string(path).expect("the file is there");
        insta::assert_snapshot!(metrics.replace("\r\n", "\n"), @r#"
        Type,Name,Count,Per Second,Average,Min,Max,50%,95%,99%
        counter,coupons,1500,750.000000,,,,,,
        metric,balance,1000,,74.875,-50,199.75,74.81249999999999,187.37499999999997,197.37499999999997
        metric,"rows, first page",1,,20,20,20,20,20,20
        "#);
    }

    #[test]
    fn after_a_reload_there_is_a_file_of_generations() {
        let folder = TempDir::new().expect("a folder");
        let mut csv = Csv::new(folder.path().join("run"), HistoryRows::Total);
        csv.start(&fixture::run()).expect("written");
        let path = folder.path().join("run_generations.csv");
        csv.tick(&fixture::reloaded(1).summary(5_000_000))
            .expect("written");
        assert!(!path.exists(), "there was no reload yet");
        csv.finish(&fixture::final_reloaded(4)).expect("written");
        let generations = fs::read_to_string(path).expect("the file is there");
        insta::assert_snapshot!(generations.replace("\r\n", "\n"), @r"
        First Generation,Last Generation,Hash,Timestamp,Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Unfinished,Certain To,50% At Most,66% At Most,75% At Most,80% At Most,90% At Most,95% At Most,98% At Most,99% At Most,99.9% At Most,99.99% At Most,100% At Most
        1,2,2f2a9c1b77d0,1767323045,GET,/coupons,202,0,2,10.445,1,900,506.931,20.200000,0.000000,2,2.033,2.051,2.061,2.081,2.091,2.097,2.099,900,900,900,0,1,2,2.033,2.051,2.061,2.081,2.091,2.097,2.099,900,900,900
        1,2,2f2a9c1b77d0,1767323045,POST,/coupons/1/issue,20,1,12.391,12.393,12.345,12.44,0,2.000000,0.100000,12.391,12.415,12.415,12.423,12.431,12.439,12.44,12.44,12.44,12.44,12.44,0,1,12.391,12.415,12.415,12.423,12.431,12.439,12.44,12.44,12.44,12.44,12.44
        1,2,2f2a9c1b77d0,1767323045,,Aggregated,222,1,2.01,10.62,1,900,461.261,22.200000,0.100000,2.01,2.046,2.067,2.077,2.099,12.399,12.431,12.447,900,900,900,0,1,2.01,2.046,2.067,2.077,2.099,12.399,12.431,12.447,900,900,900
        1,2,2f2a9c1b77d0,1767323045,group,checkout,20,1,15.047,15.048,15,15.095,0,2.000000,0.100000,15.047,15.071,15.071,15.079,15.087,15.095,15.095,15.095,15.095,15.095,15.095,0,1,15.047,15.071,15.071,15.079,15.087,15.095,15.095,15.095,15.095,15.095,15.095
        3,3,3f2a9c1b77d0,1767323055,GET,/coupons,100,0,3.049,3.05,3,3.099,512,20.000000,0.000000,3.049,3.065,3.075,3.079,3.089,3.095,3.097,3.099,3.099,3.099,3.099,0,1,3.049,3.065,3.075,3.079,3.089,3.095,3.097,3.099,3.099,3.099,3.099
        3,3,3f2a9c1b77d0,1767323055,POST,/coupons/1/issue,20,1,12.391,12.393,12.345,12.44,0,4.000000,0.200000,12.391,12.415,12.415,12.423,12.431,12.439,12.44,12.44,12.44,12.44,12.44,0,1,12.391,12.415,12.415,12.423,12.431,12.439,12.44,12.44,12.44,12.44,12.44
        3,3,3f2a9c1b77d0,1767323055,,Aggregated,120,1,3.059,4.607,3,12.44,426.667,24.000000,0.200000,3.059,3.079,3.089,3.095,12.383,12.415,12.431,12.439,12.44,12.44,12.44,0,1,3.059,3.079,3.089,3.095,12.383,12.415,12.431,12.439,12.44,12.44,12.44
        3,3,3f2a9c1b77d0,1767323055,group,checkout,20,1,15.047,15.048,15,15.095,0,4.000000,0.200000,15.047,15.071,15.071,15.079,15.087,15.095,15.095,15.095,15.095,15.095,15.095,0,1,15.047,15.071,15.071,15.079,15.087,15.095,15.095,15.095,15.095,15.095,15.095
        4,4,4f2a9c1b77d0,1767323060,GET,/coupons,100,0,4.049,4.05,4,4.099,512,20.000000,0.000000,4.049,4.065,4.075,4.079,4.089,4.095,4.099,4.099,4.099,4.099,4.099,0,1,4.049,4.065,4.075,4.079,4.089,4.095,4.099,4.099,4.099,4.099,4.099
        4,4,4f2a9c1b77d0,1767323060,POST,/coupons/1/issue,20,1,12.391,12.393,12.345,12.44,0,4.000000,0.200000,12.391,12.415,12.415,12.423,12.431,12.439,12.44,12.44,12.44,12.44,12.44,0,1,12.391,12.415,12.415,12.423,12.431,12.439,12.44,12.44,12.44,12.44,12.44
        4,4,4f2a9c1b77d0,1767323060,,Aggregated,120,1,4.059,5.44,4,12.44,426.667,24.000000,0.200000,4.059,4.079,4.089,4.095,12.383,12.415,12.431,12.439,12.44,12.44,12.44,0,1,4.059,4.079,4.089,4.095,12.383,12.415,12.431,12.439,12.44,12.44,12.44
        4,4,4f2a9c1b77d0,1767323060,group,checkout,20,1,15.047,15.048,15,15.095,0,4.000000,0.200000,15.047,15.071,15.071,15.079,15.087,15.095,15.095,15.095,15.095,15.095,15.095,0,1,15.047,15.071,15.071,15.079,15.087,15.095,15.095,15.095,15.095,15.095,15.095
        ");
    }

    #[test]
    fn the_full_history_has_every_name_at_every_tick() {
        let [_, history, ..] = written(HistoryRows::All);
        let named = history
            .lines()
            .filter(|line| line.contains(",GET,/coupons,"))
            .count();
        assert_eq!((history.lines().count(), named), (1 + 2 * 3, 2));
    }

    #[test]
    fn without_a_request_percentiles_are_not_available() {
        let folder = TempDir::new().expect("a folder");
        let mut csv = Csv::new(folder.path().join("run"), HistoryRows::Total);
        csv.start(&fixture::run()).expect("written");
        csv.finish(&fixture::nothing()).expect("written");
        let [stats, ..] = read(&folder, "run");
        assert_eq!(
            stats.lines().nth(1),
            Some(
                ",Aggregated,0,0,0,0,0,0,0,0.000000,0.000000,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,0,1,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A"
            )
        );
    }

    #[test]
    fn a_full_disk_is_reported_once_and_costs_only_what_it_hits() {
        let folder = TempDir::new().expect("a folder");
        let full = |name: &str| symlink("/dev/full", folder.path().join(name)).expect("a link");
        full("run_stats_history.csv");
        full("run_failures.csv.tmp");
        let mut csv = Csv::new(folder.path().join("run"), HistoryRows::Total);

        let error = csv
            .start(&fixture::run())
            .expect_err("the disk is full")
            .to_string();
        assert!(
            error.contains("run_stats_history.csv`: No space left on device"),
            "{error}"
        );
        assert!(error.contains("\nhint: free some space"), "{error}");
        csv.tick(&fixture::shop().summary(5_000_000))
            .expect("reported before");
        assert!(csv.finish(&fixture::final_shop()).is_err());

        let whole = written(HistoryRows::Total);
        let stats = fs::read_to_string(folder.path().join("run_stats.csv")).expect("written");
        assert_eq!(stats, whole[0]);
        assert!(folder.path().join("run_exceptions.csv").exists());
    }

    #[test]
    fn when_there_is_space_again_what_was_missing_is_written() {
        let folder = TempDir::new().expect("a folder");
        let history = folder.path().join("run_stats_history.csv");
        fs::create_dir(&history).expect("something in the way");
        let mut csv = Csv::new(folder.path().join("run"), HistoryRows::Total);
        assert!(csv.start(&fixture::run()).is_err());
        csv.tick(&fixture::shop().summary(5_000_000))
            .expect("reported before");
        fs::remove_dir(&history).expect("out of the way");
        csv.finish(&fixture::final_shop()).expect("written");

        assert_eq!(read(&folder, "run"), written(HistoryRows::Total));
    }

    #[test]
    fn a_half_row_is_cut_off() {
        let folder = TempDir::new().expect("a folder");
        let mut csv = Csv::new(folder.path().join("run"), HistoryRows::Total);
        csv.start(&fixture::run()).expect("written");
        csv.history
            .as_mut()
            .expect("open")
            .write_all(b"half a r")
            .expect("written");
        csv.is_torn = true;
        csv.tick(&fixture::shop().summary(5_000_000))
            .expect("written");
        csv.finish(&fixture::final_shop()).expect("written");

        assert_eq!(read(&folder, "run"), written(HistoryRows::Total));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let mut csv = Csv::new("/dev/null/x/run", HistoryRows::Total);
        let error = csv
            .start(&fixture::run())
            .expect_err("no folder")
            .to_string();
        assert!(
            error.starts_with("can't make the folder `/dev/null/x`: "),
            "{error}"
        );
        csv.tick(&fixture::nothing()).expect("reported before");
        assert!(csv.finish(&fixture::nothing()).is_err());
    }

    #[test]
    fn a_prefix_may_be_a_folder() {
        let folder = TempDir::new().expect("a folder");
        let mut csv = Csv::new(folder.path().join("results/"), HistoryRows::Total);
        csv.start(&fixture::run()).expect("written");
        csv.finish(&fixture::final_shop()).expect("written");
        assert!(folder.path().join("results/_stats.csv").exists());
    }
}
