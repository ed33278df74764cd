//! The watcher's thread: waits for events or for the time to look, and reports changes.
//!
//! Owns the order of things: watch first, then look, so that nothing falls between. `contents`
//! decides what counts as a change.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::contents::Contents;
use super::events::{Events, why_no_events};
use super::watched_paths::WatchedPaths;
use super::{Mailbox, Timing, WatchMode, locked};

/// How often at most to start over while directories are being replaced.
const MOST_ATTEMPTS: usize = 8;

pub(super) struct WatchThread {
    timing: Timing,
    mailbox: Arc<Mutex<Mailbox>>,
    wakes: Receiver<()>,
    changed: Sender<()>,
    contents: Contents,
    /// `None` when everything is found by polling.
    events: Option<Events>,
    /// Whether some changes give no event.
    polls: bool,
    thorough_at: Instant,
}

impl WatchThread {
    pub(super) fn new(
        mode: WatchMode,
        timing: Timing,
        mailbox: Arc<Mutex<Mailbox>>,
        (wake, wakes): (SyncSender<()>, Receiver<()>),
        changed: Sender<()>,
    ) -> WatchThread {
        let mut watch_thread = WatchThread {
            timing,
            mailbox,
            wakes,
            changed,
            contents: Contents::default(),
            events: None,
            polls: true,
            thorough_at: Instant::now(),
        };
        if mode == WatchMode::Auto {
            match Events::start(wake) {
                Ok(events) => watch_thread.events = Some(events),
                Err(reason) => watch_thread.note(&reason),
            }
        }
        watch_thread
    }

    /// Runs until nobody is listening.
    pub(super) fn run(mut self) {
        let mut wants = self.look();
        while wants {
            let woken = self.wakes.recv_timeout(if self.polls {
                self.timing.poll
            } else {
                self.timing.backstop
            });
            wants = if locked(&self.mailbox).is_over || self.changed.is_closed() {
                false
            } else if woken.is_ok() || self.contents.seem_changed() {
                self.settle();
                self.look()
            } else if self.polls && self.thorough_at.elapsed() >= self.timing.thorough {
                self.look()
            } else {
                true
            };
        }
    }

    /// Takes over the list of files to watch, and watches their directories.
    pub(super) fn follow(&mut self) {
        let files = locked(&self.mailbox).follow.take();
        if let Some(files) = files {
            self.contents.hold(files);
        }
        let Some(events) = &mut self.events else {
            return;
        };
        let mut silent = BTreeSet::new();
        let mut watched_paths = WatchedPaths::of(self.contents.paths());
        for _ in 0..MOST_ATTEMPTS {
            silent.extend(
                watched_paths
                    .folders()
                    .iter()
                    .filter_map(|path| why_no_events(path)),
            );
            events.watch(&watched_paths, &mut silent);
            // What was replaced before it was watched caused no event.
            let now = WatchedPaths::of(self.contents.paths());
            if now == watched_paths {
                break;
            }
            watched_paths = now;
        }
        self.polls = !silent.is_empty();
        for reason in silent {
            self.note(&reason);
        }
    }

    /// Waits until a save is over.
    fn settle(&self) {
        let latest = Instant::now() + self.timing.latest;
        let mut stamps = self.contents.stamps();
        loop {
            let quiet = if self.contents.seem_half_written(&stamps) {
                self.timing.quiet_half_written
            } else {
                self.timing.quiet
            };
            let left = latest.saturating_duration_since(Instant::now());
            let woken = self.wakes.recv_timeout(quiet.min(left));
            // Without events, metadata show whether the file is being written.
            let now = self.contents.stamps();
            let is_quiet = woken.is_err() && now == stamps;
            if is_quiet || left == Duration::ZERO {
                return;
            }
            stamps = now;
        }
    }

    /// Reports changed files; false if nobody is listening.
    fn look(&mut self) -> bool {
        self.follow();
        self.thorough_at = Instant::now();
        let has_changed = self.contents.changed();
        // A message that has not been taken yet says the same.
        let is_closed =
            has_changed && matches!(self.changed.try_send(()), Err(TrySendError::Closed(())));
        #[cfg(test)]
        {
            locked(&self.mailbox).looks += 1;
        }
        !is_closed
    }

    fn note(&self, reason: &str) {
        let note = match reason.split_once("; hint: ") {
            Some((reason, hint)) => format!("{reason}: {}; hint: {hint}", self.consequence()),
            None => format!("{reason}: {}", self.consequence()),
        };
        let notes = &mut locked(&self.mailbox).notes;
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    fn consequence(&self) -> String {
        format!(
            "files are looked at every {} ms",
            self.timing.poll.as_millis()
        )
    }
}
