//! What a worker remembers of its run, for a master that is started again and knows nothing of it.
//!
//! Owns its moments, by this worker's clock: those of the master that gave the orders are no one's
//! once that has gone.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Micros;
use crate::cluster::message::{Going, Remembered, SentEdition, SentOrder};
use crate::cluster::offset::Offset;

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// The edition that load threads were told to begin with.
    first: Option<(u16, Arc<SentEdition>)>,
    run: Option<Remembered>,
    /// By the master's clock: its beginning, and since when it was paused when this worker began.
    start: (Micros, Option<Micros>),
    /// The run's beginning, as soon as the master's clock is known.
    began: Option<Micros>,
    /// Since when it is paused, if it is.
    paused: Option<Micros>,
}

impl Memory {
    pub(super) fn ordered(&mut self, now: Micros, offset: &Offset, order: &SentOrder) {
        match order {
            SentOrder::Begin {
                generation,
                edition,
                ..
            }
            | SentOrder::CatchUp(generation, edition) => {
                self.first = Some((*generation, edition.clone()));
            }
            SentOrder::Start(start) => {
                let Some((generation, edition)) = self.first.take() else {
                    return;
                };
                self.run = Some(Remembered::new(start, generation, &edition));
                self.start = (start.epoch, start.pauses.1);
                (self.began, self.paused) = (None, None);
                self.look(now, offset);
            }
            SentOrder::Pause => self.paused = Some(now),
            _ => {
                if let SentOrder::Resume(_) = order {
                    self.paused = None;
                }
                if let Some(run) = &mut self.run {
                    run.ordered(order);
                }
            }
        }
    }

    /// The master's clock may be known by now.
    pub(super) fn look(&mut self, now: Micros, offset: &Offset) {
        if self.run.is_none() || self.began.is_some() {
            return;
        }
        let Some(there) = offset.there(now) else {
            return;
        };
        let (epoch, paused) = self.start;
        let here = |moment: Micros| match moment >= there {
            true => now + Duration::from_micros(moment.since(there)),
            false => now - Duration::from_micros(there.since(moment)),
        };
        self.began = Some(here(epoch));
        // An order to pause that came since is later than what it began with.
        self.paused = self.paused.or(paused.map(here));
    }

    /// How the run stands, if that is known.
    pub(super) fn going(&self, now: Micros) -> Option<Going> {
        let length = |since: Micros| Duration::from_micros(now.since(since));
        let (run, began) = (self.run.as_ref()?, self.began?);
        Some(run.going(length(began), self.paused.map(length)))
    }

    /// When it began, if that is known.
    pub(super) fn began(&self) -> Option<Micros> {
        self.began
    }

    pub(super) fn is_known(&self) -> bool {
        self.run.is_some() && self.began.is_some()
    }
}
