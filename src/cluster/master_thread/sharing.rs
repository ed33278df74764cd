//! What exists once for a whole run, as the thread of its master serves it.
//!
//! Owns what the machine does not know: which rows its counts are of, what the run's own functions
//! ask, lines on their way to files, and the figures that workers are told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::going_on::Early;
use super::serving::{FromRun, Thread};
use crate::cluster::asking::FromUser;
use crate::cluster::master::MasterEvent;
use crate::cluster::message::{Answer, Counted, Lines, News, RunFigures};
use crate::data::{CountedRows, Mode, Origin};
use crate::runner::elsewhere::{Gate, SentEdition};
use crate::script::{Level, Line, Shared};
use crate::shared::appends::{Appender, NotTaken};

/// The most rows whose figures workers are told.
const ROWS: usize = 100;

/// How long a full way to the disk is given before a line is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// What the thread knows of a run's editions and of what its scripts look at.
#[derive(Default)]
pub(super) struct KnownOfRun {
    /// By the name of a count: its rows, for people, and their order.
    counts: BTreeMap<u64, (String, Mode)>,
    /// The edition that was looked into last.
    last: Option<Arc<SentEdition>>,
    /// Files that users may append to.
    files: BTreeSet<Box<str>>,
    /// Rows of the figures that scripts look at, and the figures that were told last.
    rows: BTreeSet<Box<str>>,
    figures: Arc<RunFigures>,
}

/// Something that has to come after the lines before it.
pub(super) enum Written {
    /// Lines of a worker, by its question.
    Lines(u32, u64, Lines),
    /// News of a member: its last, so that the run is not over before its lines are written.
    News(u32, News),
}

impl Thread {
    /// What is declared in an edition is known before workers have it, and in one that they have
    /// already, before they are answered.
    pub(super) async fn declare(&mut self, edition: &Arc<SentEdition>) {
        let last = self.known.last.replace(edition.clone());
        if last.is_some_and(|last| Arc::ptr_eq(&last, edition)) {
            return;
        }
        self.known
            .files
            .extend(edition.appended_to().iter().cloned());
        self.declare_rows(edition.counted()).await;
    }

    /// There are rows whose turns are counted here.
    pub(super) async fn declare_rows(&mut self, all: &[CountedRows]) {
        for counted in all {
            let (mode, name) = (counted.declared.mode, counted.name);
            let of = match &counted.declared.origin {
                Origin::File(path, _) => path.file_name().unwrap_or_default().to_string_lossy(),
                Origin::Array(_) => "an array of the script".into(),
            };
            self.known.counts.insert(name, (of.into_owned(), mode));
            self.on(MasterEvent::DeclareRows(name, mode, counted.rows))
                .await;
        }
    }

    /// The run's own functions want something.
    pub(super) async fn own_asks(&mut self, what: FromUser) {
        let Some(running) = &mut self.running else {
            return;
        };
        for said in running.askers.says(what) {
            self.on(MasterEvent::Own(said)).await;
        }
    }

    /// A question of the run's own functions is answered; what follows is said later.
    pub(super) fn own_answer(&mut self, number: u64, answer: Answer) {
        self.has_given(&answer);
        if let Some(running) = &mut self.running {
            self.own_says
                .extend(running.askers.answered(number, answer));
        }
    }

    /// Notes how far rows are used, for the next edit of the script.
    pub(super) fn has_given(&self, answer: &Answer) {
        if let (Answer::Range(Counted::Rows(count), range), Some(running)) = (answer, &self.running)
        {
            running.sent.were_taken(*count, range.end);
        }
    }

    /// Names what was with a worker and is not used again. Iterations that were begun are in the
    /// figures, and the others are given out again.
    pub(super) fn say_burned(&self, worker: u32, burned: &[(Counted, u64)]) {
        for (of, many) in burned {
            let Counted::Rows(count) = of else {
                continue;
            };
            let (name, mode) = match self.known.counts.get(count) {
                Some((name, mode)) => (name.as_str(), *mode),
                None => ("a source of rows", Mode::Unique),
            };
            let what = match mode {
                Mode::Unique => "are not used again",
                Mode::Circular | Mode::Random | Mode::Shuffle => "are left out in this round",
            };
            let text = format!("{name}: {many} rows were with worker {worker} and {what}");
            self.print(Level::Warn, text);
        }
    }

    /// Takes lines of a worker; those for files that the script does not name are refused, whatever
    /// the worker says.
    pub(super) fn take_lines(&mut self, worker: u32, question: u64, lines: Lines) {
        let Some(running) = &self.running else {
            return self.keep_early(Early::Lines(worker, question, lines));
        };
        let (lines, strange): (Lines, Lines) = lines
            .into_iter()
            .partition(|(file, _)| self.known.files.contains(file));
        if !strange.is_empty() {
            let text = format!(
                "worker {worker} wants to append to a file that the script does not name: refused"
            );
            self.print(Level::Error, text);
        }
        let _ = running.writes.send(Written::Lines(worker, question, lines));
    }

    /// Notes what scripts of a worker look at.
    pub(super) fn look_at(&mut self, rows: Vec<Box<str>>) {
        for row in rows {
            if self.known.rows.len() >= ROWS {
                return;
            }
            self.known.rows.insert(row);
        }
    }

    /// Tells the machine how the run stands, if that has changed, and the run how many workers there
    /// are.
    pub(super) async fn tell_figures(&mut self) {
        let Some(running) = &self.running else {
            return;
        };
        running.shared.workers_are(self.master.workers());
        let figures = running.shared.figures(&self.known.rows);
        if figures != *self.known.figures {
            self.known.figures = Arc::new(figures);
            let figures = self.known.figures.clone();
            self.on(MasterEvent::Figures(figures)).await;
        }
    }
}

/// Writes lines to files in the order in which they come, until no more do. While a disk takes
/// none, workers wait for the answer, and their users with them.
pub(super) async fn write(
    mut written: mpsc::UnboundedReceiver<Written>,
    shared: Arc<Shared>,
    gate: Gate,
    tells: mpsc::Sender<FromRun>,
) {
    let mut files = HashMap::new();
    while let Some(next) = written.recv().await {
        match next {
            Written::News(member, news) => gate.say(member, news).await,
            Written::Lines(worker, question, lines) => {
                let mut failed = Lines::new();
                for (file, line) in lines {
                    if let Err(why) = append(&mut files, &shared, &gate, &file, line).await
                        && !failed.iter().any(|(known, _)| *known == file)
                    {
                        failed.push((file, why.into()));
                    }
                }
                let told = FromRun::Appended(worker, question, failed);
                if tells.send(told).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn append(
    files: &mut HashMap<Box<str>, Result<Appender, String>>,
    shared: &Shared,
    gate: &Gate,
    file: &str,
    line: Box<str>,
) -> Result<(), String> {
    if !files.contains_key(file) {
        let opened = shared.append_to(file);
        if let Err(why) = &opened {
            gate.print(Line {
                level: Level::Error,
                who: String::new(),
                place: String::new(),
                text: why.clone(),
                dropped: 0,
            });
        }
        files.insert(file.into(), opened);
    }
    let appender = files.get(file).ok_or_else(String::new)?.as_ref();
    let appender = appender.map_err(String::clone)?;
    let mut line = line.into_string();
    loop {
        match appender.append(line) {
            Ok(()) => return Ok(()),
            Err(NotTaken::Full(again)) => line = again,
            Err(NotTaken::Failed | NotTaken::TooLong) => {
                return Err("it cannot be written to any more".to_owned());
            }
        }
        sleep(RETRY).await;
    }
}
