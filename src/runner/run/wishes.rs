//! What a person may ask of a run that goes on, and why a run refuses.
//!
//! Owns what each does. How it is asked is the handle's; reloads have rules of their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Run;
use crate::load::{Division, Stage};
use crate::runner::Edition;
use crate::runner::hooks::Phase;
use crate::stats::Mark;
use crate::units::Rate;

/// What a run may be asked for, and may refuse.
#[derive(Debug)]
pub(in crate::runner) enum Wish {
    Users { users: u32, rate: Rate },
    RunTime(Option<Duration>),
    Reload(Arc<Edition>),
    Reset,
    Note(String),
}

/// Why a run does not do what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its shape has numbers of users for each class: one number for all says nothing.
    PerClass,
    /// It is asked for more before it has begun than it remembers.
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
            Refusal::NotBegun => "the run has not begun: try again when its users start",
            Refusal::Stopping => "the run is stopping",
            Refusal::Ended => "the run is over",
        })
    }
}

impl std::error::Error for Refusal {}

/// What was asked of a run before it began, and who waits for an answer.
#[derive(Debug, Default)]
pub(super) struct Early(Vec<(Wish, Reply)>);

/// Where the answer goes. Whoever asked may have gone.
pub(super) type Reply = oneshot::Sender<Result<(), Refusal>>;

/// The most that is remembered of what is asked for before the first user.
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
    /// Does what it is asked for, if it can, and answers. What is asked for before the first user is
    /// done then, but an edition is taken at once: whoever hands it over has others to listen to than
    /// a long `setup`.
    pub(super) fn handle_wish(&mut self, wish: Wish, answer: Reply) {
        let is_kept = self.hooks.phase() == Phase::SettingUp && !matches!(wish, Wish::Reload(_));
        if is_kept {
            return self.early.keep(wish, answer);
        }
        let _ = answer.send(self.grant(wish));
    }

    /// Does what was asked for before the first user.
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
                let ends_us = plan.end().map(micros);
                self.numbers.mark(now_us, Mark::RunTime { ends_us });
                self.fleet.follow(plan);
            }
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
