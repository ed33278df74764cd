//! Watching the files of a scenario: a message when the content of one has changed.
//!
//! Owns when to look and when a save is over. Its listener decides what to do about a change.
//!
//! ```text
//! events ─┐
//!         ├─► wait until it is quiet ─► contents: changed? ─► a message
//! times  ─┘
//! ```

mod contents;
mod events;
#[cfg(test)]
mod tests;
mod watch_thread;
mod watched_paths;

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use contents::Stamp;
use watch_thread::WatchThread;

/// Reports when files have changed. Dropping it stops watching.
pub(crate) struct Watcher {
    mailbox: Arc<Mutex<Mailbox>>,
    wake: SyncSender<()>,
}

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchMode {
    /// By the system's events, and by looking every half second where there are none.
    Auto,
    /// By looking every half second.
    Poll,
}

/// What passes between a watcher and its thread.
#[derive(Default)]
struct Mailbox {
    /// The files to watch from now on.
    follow: Option<Vec<(PathBuf, Stamp)>>,
    is_over: bool,
    notes: Vec<String>,
    /// How often the files have been looked at.
    #[cfg(test)]
    looks: u64,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
struct Timing {
    /// A save is over when nothing has happened for this long,
    quiet: Duration,
    /// or for this long if a file has become missing or empty: an editor may be between two steps,
    quiet_half_written: Duration,
    /// but after this long at the latest.
    latest: Duration,
    /// Between two looks at the metadata where there are no events,
    poll: Duration,
    /// and at the content, which metadata may hide.
    thorough: Duration,
    /// Between two looks at the metadata where there are events: a directory further up may have
    /// been replaced, or a file system may send no events without being on our list.
    backstop: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
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
    /// them has other content than before, after the burst of a save is over; messages not yet
    /// taken count as one. Being missing or unreadable is a state like any other: a file that
    /// disappears has changed, and so has one that comes back.
    ///
    /// Content is compared with what it was at this call: read the files afterwards, so that no
    /// save is missed in between. Costs a few system calls per file; contents are read by the
    /// thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(
        files: Vec<PathBuf>,
        mode: WatchMode,
        changed: Sender<()>,
    ) -> Result<Watcher, String> {
        Watcher::paced(files, mode, changed, Timing::default())
    }

    fn paced(
        files: Vec<PathBuf>,
        mode: WatchMode,
        changed: Sender<()>,
        timing: Timing,
    ) -> Result<Watcher, String> {
        let (wake, wakes) = sync_channel(1);
        let mailbox = Arc::new(Mutex::new(Mailbox {
            follow: Some(stamped(files)),
            ..Mailbox::default()
        }));
        let mut watch_thread = WatchThread::new(
            mode,
            timing,
            mailbox.clone(),
            (wake.clone(), wakes),
            changed,
        );
        watch_thread.follow();
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch_thread.run())
            .map_err(|error| format!("there can be no thread to watch files: {error}"))?;
        Ok(Watcher { mailbox, wake })
    }

    /// Watches these files from now on, and no others. Changes to files that were already watched
    /// are not lost.
    pub(crate) fn follow(&self, files: Vec<PathBuf>) {
        locked(&self.mailbox).follow = Some(stamped(files));
        self.wake();
    }

    /// Why files are polled every half second instead of watched by events, each reason once; for a
    /// person.
    #[must_use]
    pub(crate) fn notes(&self) -> Vec<String> {
        locked(&self.mailbox).notes.clone()
    }

    fn wake(&self) {
        // Full: it has been woken already. Closed: the thread ended with its listener.
        let _ = self.wake.try_send(());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        locked(&self.mailbox).is_over = true;
        self.wake();
    }
}

fn stamped(files: Vec<PathBuf>) -> Vec<(PathBuf, Stamp)> {
    let stamped = files.into_iter().map(|path| {
        // Relative to the current working directory.
        let path = std::path::absolute(&path).unwrap_or(path);
        let stamp = Stamp::of(&path);
        (path, stamp)
    });
    stamped.collect()
}

/// A panic while the lock was held leaves nothing half-done: every change is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
