//! The watcher's thread: waits for events or for the time to look, and tells of changes.
//!
//! Owns the order of things: watch first, look then, so that nothing falls between. What a change
//! is, `contents` knows.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::contents::Contents;
use super::events::{Events, silence};
use super::lookups::Lookups;
use super::{How, Orders, Pace, locked};

/// While directories are being replaced what is watched is found out anew, so often at most.
const MOST_ATTEMPTS: usize = 8;

pub(super) struct Lookout {
    pace: Pace,
    orders: Arc<Mutex<Orders>>,
    rings: Receiver<()>,
    changed: Sender<()>,
    contents: Contents,
    /// `None` when all is found out by looking.
    events: Option<Events>,
    /// Whether some changes give no event.
    polls: bool,
    thorough_at: Instant,
}

impl Lookout {
    pub(super) fn new(
        how: How,
        pace: Pace,
        orders: Arc<Mutex<Orders>>,
        (bell, rings): (SyncSender<()>, Receiver<()>),
        changed: Sender<()>,
    ) -> Lookout {
        let mut lookout = Lookout {
            pace,
            orders,
            rings,
            changed,
            contents: Contents::default(),
            events: None,
            polls: true,
            thorough_at: Instant::now(),
        };
        if how == How::Auto {
            match Events::start(bell) {
                Ok(events) => lookout.events = Some(events),
                Err(reason) => lookout.note(&reason),
            }
        }
        lookout
    }

    /// Until nobody wants to know any more.
    pub(super) fn run(mut self) {
        let mut wants = self.look();
        while wants {
            let rang = self.rings.recv_timeout(if self.polls {
                self.pace.poll
            } else {
                self.pace.backstop
            });
            wants = if locked(&self.orders).is_over || self.changed.is_closed() {
                false
            } else if rang.is_ok() || self.contents.seem_changed() {
                self.settle();
                self.look()
            } else if self.polls && self.thorough_at.elapsed() >= self.pace.thorough {
                self.look()
            } else {
                true
            };
        }
    }

    /// Takes over which files to watch, and watches where they are.
    pub(super) fn follow(&mut self) {
        let files = locked(&self.orders).follow.take();
        if let Some(files) = files {
            self.contents.hold(files);
        }
        let Some(events) = &mut self.events else {
            return;
        };
        let mut silent = BTreeSet::new();
        let mut lookups = Lookups::of(self.contents.paths());
        for _ in 0..MOST_ATTEMPTS {
            silent.extend(lookups.folders().iter().filter_map(|path| silence(path)));
            events.watch(&lookups, &mut silent);
            // What was replaced before it was watched gave no event.
            let now = Lookups::of(self.contents.paths());
            if now == lookups {
                break;
            }
            lookups = now;
        }
        self.polls = !silent.is_empty();
        for reason in silent {
            self.note(&reason);
        }
    }

    /// Waits until a save is over.
    fn settle(&self) {
        let latest = Instant::now() + self.pace.latest;
        let mut marks = self.contents.marks();
        loop {
            let quiet = if self.contents.seem_half_written(&marks) {
                self.pace.quiet_half_written
            } else {
                self.pace.quiet
            };
            let left = latest.saturating_duration_since(Instant::now());
            let rang = self.rings.recv_timeout(quiet.min(left));
            // Where there are no events, metadata say whether somebody writes.
            let now = self.contents.marks();
            let is_quiet = rang.is_err() && now == marks;
            if is_quiet || left == Duration::ZERO {
                return;
            }
            marks = now;
        }
    }

    /// Tells whether files have changed; false if nobody wants to know.
    fn look(&mut self) -> bool {
        self.follow();
        self.thorough_at = Instant::now();
        let has_changed = self.contents.changed();
        // A message that nobody has taken yet says the same.
        let is_closed =
            has_changed && matches!(self.changed.try_send(()), Err(TrySendError::Closed(())));
        #[cfg(test)]
        {
            locked(&self.orders).looks += 1;
        }
        !is_closed
    }

    fn note(&self, reason: &str) {
        let note = match reason.split_once("; hint: ") {
            Some((reason, hint)) => format!("{reason}: {}; hint: {hint}", self.consequence()),
            None => format!("{reason}: {}", self.consequence()),
        };
        let notes = &mut locked(&self.orders).notes;
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    fn consequence(&self) -> String {
        format!(
            "files are looked at every {} ms",
            self.pace.poll.as_millis()
        )
    }
}
