//! What a person may ask of a run that goes on, and why a run refuses.
//!
//! Owns what each does. How it is asked is the handle's; reloads have rules of their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Edition;
use super::load_thread::Order;
use super::run::Run;
use crate::load::{Division, Stage};
use crate::stats::Mark;
use crate::units::Rate;

/// What a run may be asked for, and may refuse.
#[derive(Debug)]
pub(super) enum Wish {
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

impl Run {
    /// Does what it is asked for, if it can.
    pub(super) fn grant(&mut self, wish: Wish) -> Result<(), Refusal> {
        if self.end.is_some() {
            return Err(Refusal::Stopping);
        }
        let now_us = self.now_us();
        match wish {
            Wish::Users { users, rate } => {
                if self.course.plan().division() != Division::Mixed {
                    return Err(Refusal::PerClass);
                }
                let asked = u64::from(users);
                self.numbers.mark(now_us, Mark::Users { asked });
                let stage = Stage {
                    length: Duration::MAX,
                    users: vec![users],
                    rate: Some(rate),
                };
                self.turn(Division::Mixed, &stage);
            }
            Wish::RunTime(run_time) => {
                let plan = Arc::new(self.course.plan().ending(run_time));
                let ends_us = plan.end().map(micros);
                self.numbers.mark(now_us, Mark::RunTime { ends_us });
                self.order(&Order::Follow(plan.clone()));
                self.course.turn(plan);
            }
            Wish::Reload(edition) => {
                self.reload.take(edition);
                self.try_reload();
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
