//! `append(file, line)`: lines of all users to files, by one writer for a run.
//!
//! Owns the files, the queue before them and their flushing. Lines are whole and in the order in
//! which they came; no load thread waits for a disk. Where the files are in another process, lines
//! go there, and so those of one process stay in their order.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::elsewhere::{Elsewhere, LARGEST};
use crate::files;

/// Lines that may wait for the writer. When it is full, users wait.
const WAITING: usize = 4_096;

/// The longest that a line waits in memory.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// The files that the scripts of this process append to. The lock is taken when a thread meets a
/// file for the first time, and at the end.
#[derive(Debug, Default)]
pub(crate) struct Appends {
    open: Mutex<OpenFiles>,
    /// Where the files are, if not here.
    elsewhere: Option<Arc<dyn Elsewhere>>,
}

#[derive(Debug, Default)]
struct OpenFiles {
    writer: Option<Writer>,
    files: HashMap<PathBuf, Appender>,
}

#[derive(Debug)]
struct Writer {
    jobs: SyncSender<Job>,
    thread: JoinHandle<Vec<String>>,
}

/// One file, as a load thread has it.
#[derive(Clone, Debug)]
pub(crate) struct Appender(FilePlace);

#[derive(Clone, Debug)]
enum FilePlace {
    Here {
        jobs: SyncSender<Job>,
        file: usize,
        failed: Arc<AtomicBool>,
    },
    There(Arc<str>, Arc<dyn Elsewhere>),
}

enum Job {
    Open(Out),
    Line(usize, String),
    End,
}

/// Why a line was not taken.
pub(crate) enum NotTaken {
    /// The queue is full: try again with the line.
    Full(String),
    /// The file cannot be written to any more.
    Failed,
    /// It is longer than what goes to another process.
    TooLong,
}

impl Appender {
    /// Gives a line, with its end, to the writer.
    pub(crate) fn append(&self, line: String) -> Result<(), NotTaken> {
        let (jobs, file, failed) = match &self.0 {
            FilePlace::Here { jobs, file, failed } => (jobs, *file, failed),
            FilePlace::There(..) if line.len() > LARGEST => return Err(NotTaken::TooLong),
            FilePlace::There(file, elsewhere) => return elsewhere.append(file, line),
        };
        if failed.load(Ordering::Relaxed) {
            return Err(NotTaken::Failed);
        }
        jobs.try_send(Job::Line(file, line))
            .map_err(|error| match error {
                TrySendError::Full(Job::Line(_, line)) => NotTaken::Full(line),
                TrySendError::Full(_) | TrySendError::Disconnected(_) => NotTaken::Failed,
            })
    }
}

impl Appends {
    /// For a process whose scripts append to files of another one.
    pub(crate) fn elsewhere(elsewhere: Arc<dyn Elsewhere>) -> Appends {
        Appends {
            elsewhere: Some(elsewhere),
            ..Appends::default()
        }
    }

    /// The file at `path`, made if it is not there.
    ///
    /// # Errors
    /// Why it cannot be written to.
    pub(crate) fn open(&self, path: &str) -> Result<Appender, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("cannot append to `{path}`: {error}");
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.takes_lines_for(path).map_err(|why| wrong(&why))?;
            return Ok(Appender(FilePlace::There(path.into(), elsewhere.clone())));
        }
        let mut state = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Path::new(path).components().collect::<PathBuf>();
        if let Some(known) = state.files.get(&key) {
            return Ok(known.clone());
        }
        let file = files::append(Path::new(path)).map_err(|error| wrong(&error))?;
        let jobs = match &state.writer {
            Some(writer) => writer.jobs.clone(),
            None => {
                let writer = Writer::start().map_err(|error| wrong(&error))?;
                state.writer.insert(writer).jobs.clone()
            }
        };
        let failed = Arc::new(AtomicBool::new(false));
        let out = Out {
            path: path.to_owned(),
            file: Some(BufWriter::new(file)),
            is_dirty: false,
            failed: failed.clone(),
        };
        jobs.send(Job::Open(out))
            .map_err(|_| wrong(&"the run is over"))?;
        let appender = Appender(FilePlace::Here {
            jobs,
            file: state.files.len(),
            failed,
        });
        state.files.insert(key, appender.clone());
        Ok(appender)
    }

    /// Writes everything out; what could not be written is said by file. Lines that come later
    /// are refused.
    pub(crate) fn finish(&self) -> Vec<String> {
        let writer = {
            let mut state = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            state.writer.take()
        };
        let Some(Writer { jobs, thread }) = writer else {
            return Vec::new();
        };
        // If it is gone, it panicked: joining tells.
        let _ = jobs.send(Job::End);
        thread
            .join()
            .unwrap_or_else(|_| vec!["the writer of `append` failed".to_owned()])
    }
}

impl Writer {
    fn start() -> std::io::Result<Writer> {
        let (jobs, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("append".to_owned());
        let thread = thread.spawn(move || write(&waiting))?;
        Ok(Writer { jobs, thread })
    }
}

/// The body of the writer's thread; gives what could not be written.
fn write(jobs: &Receiver<Job>) -> Vec<String> {
    let mut files: Vec<Out> = Vec::new();
    let mut problems = Vec::new();
    let mut flushed = Instant::now();
    loop {
        let job = match jobs.try_recv() {
            Ok(job) => job,
            Err(TryRecvError::Disconnected) => break,
            // The queue is empty: time to write, then wait for the next job.
            Err(TryRecvError::Empty) => {
                flush(&mut files, &mut problems);
                flushed = Instant::now();
                match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => break,
                }
            }
        };
        match job {
            Job::Open(file) => files.push(file),
            Job::Line(file, line) => files[file].write(&line, &mut problems),
            Job::End => break,
        }
        if flushed.elapsed() > FLUSH_EVERY {
            flush(&mut files, &mut problems);
            flushed = Instant::now();
        }
    }
    flush(&mut files, &mut problems);
    problems
}

fn flush(files: &mut [Out], problems: &mut Vec<String>) {
    for file in files {
        file.flush(problems);
    }
}

/// A file in the writer's hands.
struct Out {
    path: String,
    /// `None` once it has failed.
    file: Option<BufWriter<File>>,
    is_dirty: bool,
    failed: Arc<AtomicBool>,
}

impl Out {
    fn write(&mut self, line: &str, problems: &mut Vec<String>) {
        let Some(file) = &mut self.file else { return };
        self.is_dirty = true;
        let written = file.write_all(line.as_bytes());
        self.judge(written, problems);
    }

    fn flush(&mut self, problems: &mut Vec<String>) {
        if std::mem::take(&mut self.is_dirty)
            && let Some(file) = &mut self.file
        {
            let written = file.flush();
            self.judge(written, problems);
        }
    }

    /// A file that failed takes no more lines and is reported once. Half a line at its end is
    /// removed.
    fn judge(&mut self, written: std::io::Result<()>, problems: &mut Vec<String>) {
        let Err(error) = written else { return };
        self.failed.store(true, Ordering::Relaxed);
        // What is still in memory must not follow.
        if let Some(file) = self.file.take() {
            let (file, _) = file.into_parts();
            let trimmed = end_with_a_line(&file, Path::new(&self.path));
            let and = if trimmed.is_ok() {
                ""
            } else {
                ", and its last one may be cut"
            };
            let path = &self.path;
            problems.push(format!(
                "cannot append to `{path}`: {error}; lines are missing{and}"
            ));
        }
    }
}

/// The longest partial line that is removed.
const LONGEST: u64 = 1 << 20;

/// Removes what follows the last line break in a file, if it is a regular one.
fn end_with_a_line(file: &File, path: &Path) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    let mut end = Vec::new();
    let from = length.saturating_sub(LONGEST);
    let mut reading = files::open(path)?;
    reading.seek(SeekFrom::Start(from))?;
    reading.take(LONGEST).read_to_end(&mut end)?;
    let last = end.iter().rposition(|byte| *byte == b'\n');
    match last {
        Some(last) => file.set_len(from + last as u64 + 1),
        None if from == 0 => file.set_len(0),
        None => Err(std::io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_many_threads_are_whole_and_all_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ids.txt");
        std::fs::write(&path, "before\n").unwrap();
        let path = path.to_str().unwrap();
        let appends = Appends::default();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let appender = appends
                    .open(path)
                    .map_err(|wrong| panic!("{wrong}"))
                    .unwrap();
                scope.spawn(move || {
                    for number in 0..2_000 {
                        let mut line = format!("{thread}:{number}:{}\n", "x".repeat(50));
                        while let Err(NotTaken::Full(again)) = appender.append(line) {
                            line = again;
                            std::thread::yield_now();
                        }
                    }
                });
            }
        });
        assert_eq!(appends.finish(), Vec::<String>::new());
        let text = std::fs::read_to_string(path).unwrap();
        let mut next = [0; 8];
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("before"));
        for line in lines {
            let (thread, rest) = line.split_once(':').unwrap();
            let next = &mut next[thread.parse::<usize>().unwrap()];
            assert_eq!(rest, format!("{next}:{}", "x".repeat(50)));
            *next += 1;
        }
        assert_eq!(next, [2_000; 8]);
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let appends = Appends::default();
        let wrong = appends.open(folder.path().to_str().unwrap()).unwrap_err();
        assert!(
            wrong.starts_with("cannot append to `/") && wrong.contains("directory"),
            "{wrong}"
        );
        // A device that is always full.
        let full = appends.open("/dev/full").unwrap();
        assert!(full.append("x\n".to_owned()).is_ok());
        let problems = appends.finish();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with("cannot append to `/dev/full`: "),
            "{problems:?}"
        );
        assert!(matches!(
            full.append("y\n".to_owned()),
            Err(NotTaken::Failed)
        ));
    }

    #[test]
    fn half_a_line_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ids.txt");
        for (content, left) in [
            ("one\ntw", "one\n"),
            ("on", ""),
            ("one\n", "one\n"),
            ("", ""),
        ] {
            std::fs::write(&path, content).unwrap();
            end_with_a_line(&files::append(&path).unwrap(), &path).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
        }
    }
}
