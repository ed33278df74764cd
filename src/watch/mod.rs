//! Watching the files of a scenario: a message when one of them has other content than before.
//!
//! Owns when to look and when a save is over. What is done about a change is the business of
//! whoever listens.
//!
//! ```text
//! events ─┐
//!         ├─► wait until it is quiet ─► contents: changed? ─► a message
//! times  ─┘
//! ```

mod contents;
mod events;
mod lookout;
mod lookups;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use contents::Mark;
use lookout::Lookout;

/// Tells when files have changed. Dropping it ends the watching.
pub(crate) struct Watcher {
    orders: Arc<Mutex<Orders>>,
    bell: SyncSender<()>,
}

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By the system's events, and by looking every half second where there are none.
    Auto,
    /// By looking every half second.
    Poll,
}

/// What passes between a watcher and its thread.
#[derive(Default)]
struct Orders {
    /// The files to watch from now on.
    follow: Option<Vec<(PathBuf, Mark)>>,
    is_over: bool,
    notes: Vec<String>,
    /// How often files were looked at.
    #[cfg(test)]
    looks: u64,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// A save is over when nothing has happened for so long,
    quiet: Duration,
    /// or for so long if a file is missing or empty that was not: an editor is perhaps between
    /// two steps,
    quiet_half_written: Duration,
    /// but at the latest after so long.
    latest: Duration,
    /// Between two looks at the metadata where there are no events,
    poll: Duration,
    /// and at the content, which metadata may hide.
    thorough: Duration,
    /// Between two looks at the metadata where there are events: a directory further up may have
    /// been replaced, and a file system may be silent that is not known to be.
    backstop: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            quiet: Duration::from_millis(50),
            quiet_half_written: Duration::from_millis(250),
            latest: Duration::from_millis(500),
            poll: Duration::from_millis(500),
            thorough: Duration::from_secs(4),
            backstop: Duration::from_secs(2),
        }
    }
}

impl Watcher {
    /// Watches `files` on a thread of its own. `changed`, of capacity 1, gets a message when any of
    /// them has other content than before, after the burst of a save is over; messages that nobody
    /// has taken yet are one. A file that is missing or cannot be read is in a state like others:
    /// that it goes, and that it comes back, are changes.
    ///
    /// What counts is the content from this call on: whoever reads the files does so afterwards, so
    /// that no save falls between. Costs some system calls a file; contents are read by the thread.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(
        files: Vec<PathBuf>,
        how: How,
        changed: Sender<()>,
    ) -> Result<Watcher, String> {
        Watcher::paced(files, how, changed, Pace::default())
    }

    fn paced(
        files: Vec<PathBuf>,
        how: How,
        changed: Sender<()>,
        pace: Pace,
    ) -> Result<Watcher, String> {
        let (bell, rings) = sync_channel(1);
        let orders = Arc::new(Mutex::new(Orders {
            follow: Some(marked(files)),
            ..Orders::default()
        }));
        let mut lookout = Lookout::new(how, pace, orders.clone(), (bell.clone(), rings), changed);
        lookout.follow();
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || lookout.run())
            .map_err(|error| format!("there can be no thread to watch files: {error}"))?;
        Ok(Watcher { orders, bell })
    }

    /// Watches these files from now on, and no others. Of files that were watched already no
    /// change is lost.
    pub(crate) fn follow(&self, files: Vec<PathBuf>) {
        locked(&self.orders).follow = Some(marked(files));
        self.ring();
    }

    /// Why files are looked at every half second instead of having their changes told, each reason
    /// once; for a person.
    #[must_use]
    pub(crate) fn notes(&self) -> Vec<String> {
        locked(&self.orders).notes.clone()
    }

    fn ring(&self) {
        // Full: it rings already. Closed: the thread ended with whoever listened to it.
        let _ = self.bell.try_send(());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        locked(&self.orders).is_over = true;
        self.ring();
    }
}

fn marked(files: Vec<PathBuf>) -> Vec<(PathBuf, Mark)> {
    let marked = files.into_iter().map(|path| {
        // The working directory is that of now.
        let path = std::path::absolute(&path).unwrap_or(path);
        let mark = Mark::of(&path);
        (path, mark)
    });
    marked.collect()
}

/// A panic while it was held has left nothing half-done: every change is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
