//! Following a script while it runs: each save is checked, and goes into service if it is valid.
//!
//! Owns when to read the script again, and the outcome of a save. `watch` watches the files; the
//! runner puts an edition into service.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot};

use super::reading::{self, CheckInput, CheckedScript};
use crate::data::Sources;
use crate::runner::Edition;
use crate::script::diagnostic::{Diagnostic, Diagnostics};
use crate::script::{Bundle, Inputs, Level, Program};
use crate::units::Bytes;
use crate::watch::{WatchMode, Watcher};

/// Stack of the thread that checks: as large as a load thread's.
const STACK: usize = 64 << 20;

/// A top level that takes longer than this is timed again, with its data already loaded.
const SLOW: Duration = Duration::from_millis(100);

/// The longest that a top level may hold up the users of a load thread.
const LONGEST: Duration = Duration::from_millis(500);

/// Which files are watched, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchChoice {
    /// None: the script is only read again on a signal.
    No,
    /// The files of the scenario.
    Files(WatchMode),
}

/// The outcome of a save of the script.
pub enum SaveOutcome {
    /// A valid script that differs from the one in service.
    Edited {
        /// The checked script.
        checked: Box<CheckedScript>,
        /// Whether the previous save could not be run.
        was_broken: bool,
    },
    /// The script in service; without a run, the valid one read before.
    Same {
        /// The checked script.
        checked: Box<CheckedScript>,
        /// Whether the previous save could not be run; otherwise a signal asked for the script to
        /// be read.
        was_broken: bool,
    },
    /// A script with mistakes.
    Broken(Box<CheckedScript>),
    /// A script that could not be read: why.
    Unreadable(String),
}

/// Follows the script of a run.
pub(super) struct Follower {
    path: PathBuf,
    params: Vec<(String, String)>,
    seed: u64,
    user_memory: Option<Bytes>,
    watcher: Option<Watcher>,
    /// The files of the last valid script.
    files: Vec<PathBuf>,
    notes: Vec<(Level, String)>,
    changed: mpsc::Receiver<()>,
    hangup: Signal,
    /// Somebody asked for a look otherwise than by a signal.
    asked: Notify,
    /// The check under way, on a thread of its own.
    checking: Option<oneshot::Receiver<Result<CheckedScript, String>>>,
    /// A person asked by a signal and expects an answer.
    is_asked: bool,
    /// The last outcome was such an answer.
    was_asked: bool,
    /// The data of the edition last handed over.
    sources: Arc<Sources>,
    /// Its hash; `None` if it did not go into service: if saved again, it is tried again.
    hash: Option<String>,
    broken: Option<BrokenSave>,
}

/// The last save, when it can't be run.
#[derive(PartialEq)]
enum BrokenSave {
    /// The script has mistakes: its hash, and which.
    Script(String, Diagnostics),
    /// It could not be read, or does not fit the command line.
    Otherwise,
}

impl Follower {
    /// Follows the script at `path`, which contained this bundle when it was read. Must be called
    /// in a tokio runtime.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub(super) fn new(
        path: PathBuf,
        params: Vec<(String, String)>,
        (bundle, inputs): (&Bundle, &Inputs),
        watching: WatchChoice,
    ) -> io::Result<Follower> {
        let (changed_in, changed) = mpsc::channel(1);
        let mut notes = Vec::new();
        let files = files(&path, bundle.paths(), &inputs.sources);
        let watcher = match watching {
            WatchChoice::No => None,
            WatchChoice::Files(how) => {
                match Watcher::start(files.clone(), how, changed_in.clone()) {
                    Ok(watcher) => {
                        // It may have been edited since it was read.
                        let _ = changed_in.try_send(());
                        notes.extend(watcher.notes().into_iter().map(|note| (Level::Info, note)));
                        Some(watcher)
                    }
                    Err(message) => {
                        let text = format!("the script is not watched: {message}");
                        notes.push((Level::Warn, text));
                        None
                    }
                }
            }
        };
        Ok(Follower {
            path,
            params,
            seed: inputs.seed,
            user_memory: inputs.user_memory,
            watcher,
            files,
            notes,
            changed,
            hangup: signal(SignalKind::hangup())?,
            asked: Notify::new(),
            checking: None,
            is_asked: false,
            was_asked: false,
            sources: inputs.sources.clone(),
            hash: Some(bundle.hash(&inputs.sources)),
            broken: None,
        })
    }

    /// For a script that could not be run when it was read, with these findings.
    pub(super) fn broken(self, findings: &Diagnostics) -> Follower {
        Follower {
            broken: Some(BrokenSave::Script(
                self.hash.clone().unwrap_or_default(),
                findings.clone(),
            )),
            ..self
        }
    }

    /// What a person should know about how files are watched; each thing once.
    pub(super) fn notes(&mut self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.notes)
    }

    /// The outcome of the next save. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> SaveOutcome {
        loop {
            let result = self.looked().await;
            let is_asked = std::mem::take(&mut self.is_asked);
            self.was_asked = is_asked;
            match result {
                Ok(checked) => {
                    if let Some(found) = self.outcome_of(checked, is_asked) {
                        return found;
                    }
                }
                Err(message) => {
                    self.refuse();
                    return SaveOutcome::Unreadable(message);
                }
            }
        }
    }

    /// Notes that an edition has been handed over, with which the next save is compared. Returns
    /// what a person should know about its data.
    pub(super) fn took(&mut self, edition: &Edition) -> Vec<String> {
        self.hash = Some(edition.hash());
        self.seed = edition.inputs.seed;
        self.sources = edition.inputs.sources.clone();
        let restarted = self.sources.finish();
        let remark = |file: &PathBuf| {
            format!(
                "`{}` has other rows: they are taken from the first",
                file.display()
            )
        };
        restarted.iter().map(remark).collect()
    }

    /// Notes what was read while no run could take it over, with which the next save is compared.
    pub(super) fn read(&mut self, checked: &CheckedScript) {
        self.hash = Some(checked.bundle.hash(&checked.inputs.sources));
    }

    /// Whether a person asked for the last outcome.
    pub(super) fn was_asked(&self) -> bool {
        self.was_asked
    }

    /// Notes that the last outcome cannot be run after all, or not with this command line.
    pub(super) fn refuse(&mut self) {
        self.broken = Some(BrokenSave::Otherwise);
    }

    /// Notes that the edition last handed over did not go into service: if saved again, or asked
    /// for by a signal, it is tried again.
    pub(super) fn lost(&mut self) {
        self.hash = None;
    }

    /// From now on, the script is given these values for its parameters.
    pub(super) fn given(&mut self, params: &[(String, String)]) {
        self.params = params.to_vec();
    }

    /// What the script is given when it is read again.
    pub(super) fn check_input(&self) -> CheckInput {
        CheckInput {
            params: self.params.clone(),
            seed: Some(self.seed),
            before: Some(self.sources.clone()),
            user_memory: self.user_memory,
        }
    }

    /// Reads the script again, as a signal would.
    pub(super) fn look_again(&self) {
        self.asked.notify_one();
    }

    /// The next check's result.
    async fn looked(&mut self) -> Result<CheckedScript, String> {
        loop {
            if let Some(checking) = &mut self.checking {
                let result = checking.await;
                self.checking = None;
                return result
                    .unwrap_or_else(|_| Err("the check of the script panicked".to_owned()));
            }
            tokio::select! {
                Some(()) = self.changed.recv() => {}
                Some(()) = self.hangup.recv() => self.is_asked = true,
                () = self.asked.notified() => self.is_asked = true,
            }
            let given = self.check_input();
            let path = self.path.clone();
            let (answer, checking) = oneshot::channel();
            let thread = std::thread::Builder::new()
                .name("check".to_owned())
                .stack_size(STACK)
                .spawn(move || {
                    let checked = reading::read(&path, &given);
                    let _ = answer.send(checked.map(timed));
                })
                .map_err(|error| format!("cannot check the script: {error}"))?;
            drop(thread);
            self.checking = Some(checking);
        }
    }

    /// The outcome of a check; `None` if there is nothing new.
    fn outcome_of(&mut self, checked: CheckedScript, is_asked: bool) -> Option<SaveOutcome> {
        let sources = &checked.inputs.sources;
        if let Some(watcher) = &self.watcher {
            let mut now = files(&self.path, checked.bundle.paths(), sources);
            if checked.scenario.is_none() {
                // The mistake may be fixed in a file that only the valid script imports.
                now.extend(self.files.iter().cloned());
            } else {
                self.files.clone_from(&now);
            }
            watcher.follow(now);
        }
        let hash = checked.bundle.hash(&checked.inputs.sources);
        if checked.scenario.is_none() {
            let now = Some(BrokenSave::Script(hash, checked.findings.clone()));
            let is_known = self.broken == now;
            self.broken = now;
            return (!is_known || is_asked).then(|| SaveOutcome::Broken(Box::new(checked)));
        }
        let was_broken = self.broken.take().is_some();
        if self.hash.as_ref() != Some(&hash) {
            return Some(SaveOutcome::Edited {
                checked: Box::new(checked),
                was_broken,
            });
        }
        (was_broken || is_asked).then(|| SaveOutcome::Same {
            checked: Box::new(checked),
            was_broken,
        })
    }
}

/// The files that a scenario is made of; the script itself, if it could not be read.
fn files(script: &Path, mut bundle: Vec<PathBuf>, data: &Sources) -> Vec<PathBuf> {
    if bundle.is_empty() {
        bundle.push(script.to_owned());
    }
    bundle.extend(data.paths());
    bundle
}

/// Refuses a slow top level, which would hold up the users of every load thread.
fn timed(mut checked: CheckedScript) -> CheckedScript {
    if checked.scenario.is_none() || checked.took <= SLOW {
        return checked;
    }
    let begun = Instant::now();
    let _ = Program::compile(&checked.bundle, &checked.inputs);
    let took = begun.elapsed();
    if took > LONGEST {
        let path = &checked.bundle.files()[0].path;
        let message = format!(
            "the top level of the script computes for {:.1} s: going on with it would hold the \
             users of each load thread for so long",
            took.as_secs_f64()
        );
        let hint = "it only describes: move what takes time into `setup`, `on_start` or a task";
        let finding = Diagnostic::error(path, message).hint(hint);
        checked.findings.extend([finding]);
        checked.scenario = None;
    }
    checked
}
