//! What a handle can ask of a running run, and why the run may refuse.
//!
//! Owns what each request does. [`Handle`](crate::runner::Handle) makes them; `reloading` has the
//! rules of reloads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Run;
use crate::clock;
use crate::load::{Division, Stage};
use crate::runner::Edition;
use crate::runner::hooks::Phase;
use crate::stats::Mark;
use crate::units::Rate;

/// A request that the run may refuse.
#[derive(Debug)]
pub(in crate::runner) enum Wish {
    Users { users: u32, rate: Rate },
    RunTime(Option<Duration>),
    Pause,
    Resume,
    Reload(Arc<Edition>),
    Reset,
    Note(String),
}

/// Why a run refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its shape has numbers of users for each class, so a single number means nothing.
    PerClass,
    /// It is paused already.
    Paused,
    /// It is not paused.
    NotPaused,
    /// Too many requests were made before it began.
    NotBegun,
    /// It is stopping.
    Stopping,
    /// It is over.
    Ended,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::PerClass => {
                "the shape has numbers of users for each class: edit the script to change them"
            }
            Refusal::Paused => "the run is paused already",
            Refusal::NotPaused => "the run is not paused",
            Refusal::NotBegun => "the run has not begun: try again when its users start",
            Refusal::Stopping => "the run is stopping",
            Refusal::Ended => "the run is over",
        })
    }
}

impl std::error::Error for Refusal {}

/// Requests made before the run began, each with where its reply goes.
#[derive(Debug, Default)]
pub(super) struct Early(Vec<(Wish, Reply)>);

/// Where the reply goes. The other end may be gone by then.
pub(super) type Reply = oneshot::Sender<Result<(), Refusal>>;

/// The most requests that are kept before the first user starts.
const MOST_EARLY: usize = 16;

impl Early {
    fn keep(&mut self, wish: Wish, answer: Reply) {
        if self.0.len() < MOST_EARLY {
            self.0.push((wish, answer));
        } else {
            let _ = answer.send(Err(Refusal::NotBegun));
        }
    }
}

impl Run {
    /// Grants or refuses a request, and replies. Requests made during `setup` wait until it is
    /// over, except for an edition, which is taken at once: its sender has more to do than to wait
    /// for a long `setup`.
    pub(super) fn handle_wish(&mut self, wish: Wish, answer: Reply) {
        let is_kept = self.hooks.phase() == Phase::SettingUp && !matches!(wish, Wish::Reload(_));
        if is_kept {
            return self.early.keep(wish, answer);
        }
        let _ = answer.send(self.grant(wish));
    }

    /// Handles the requests that were made during `setup`.
    pub(super) fn handle_early(&mut self) {
        for (wish, answer) in std::mem::take(&mut self.early.0) {
            let _ = answer.send(self.grant(wish));
        }
    }

    fn grant(&mut self, wish: Wish) -> Result<(), Refusal> {
        if self.end.is_some() {
            return Err(Refusal::Stopping);
        }
        let now_us = self.now_us();
        match wish {
            Wish::Users { users, rate } => {
                if self.fleet.plan().division() != Division::Mixed {
                    return Err(Refusal::PerClass);
                }
                let asked = u64::from(users);
                self.numbers.mark(now_us, Mark::Users { asked });
                let stage = Stage {
                    length: Duration::MAX,
                    users: vec![users],
                    rate: Some(rate),
                };
                self.redirect(Division::Mixed, &stage);
            }
            Wish::RunTime(run_time) => {
                let plan = Arc::new(self.fleet.plan().ending(run_time));
                let paused_us = self.plan_clock.paused_until(clock::now());
                let ends_us = plan.end().map(|end| micros(end).saturating_add(paused_us));
                self.numbers.mark(now_us, Mark::RunTime { ends_us });
                self.fleet.follow(plan);
            }
            Wish::Pause => return self.pause(),
            Wish::Resume => return self.resume(),
            Wish::Reload(edition) => {
                self.reload.take(edition, Instant::now());
                self.look_at_reload();
            }
            Wish::Reset => {
                self.numbers.reset(now_us);
                self.show();
            }
            Wish::Note(text) => {
                let text = text.into();
                self.numbers.mark(now_us, Mark::Note { text });
                self.show();
            }
        }
        Ok(())
    }
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}
