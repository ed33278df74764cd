//! Moving users from one load thread to another during a run.
//!
//! Owns what a thread does when it gets another part of the plan: which users it stops, and when
//! those that it takes over start. `load` and `places` work out which users those are. Control
//! deals the parts, and has no thread take over users before their old thread has reported them
//! gone.

use std::rc::Rc;
use std::time::Duration;

use super::crew::Crew;
use super::places::{Place, Places};
use crate::clock::{self, Micros};
use crate::load::{Division, Part, Ramp};
use crate::units::Rate;

/// Users that a thread takes over start one by one: the plan does not ask for a thousand log-ins at
/// once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gaining {
    /// In plan time.
    since: Micros,
    pace: Rate,
    started: u32,
}

impl Gaining {
    /// When the next of them may start, in plan time.
    fn due(self) -> Micros {
        let ramp = Ramp::new(0, u32::MAX, self.pace);
        ramp.due(self.started)
            .map_or(self.since, |due| self.since + due)
    }
}

/// Users whose slots are another thread's now and that have not ended yet.
#[derive(Debug)]
pub(super) struct Yielding {
    /// The assignment's number.
    number: u16,
    users: Vec<u64>,
}

impl Crew {
    /// Switches to another part of the plan. Users of lost slots are stopped, and reported once
    /// they are gone; those of gained slots start at `pace`. No other users are touched.
    pub(super) fn assign(self: &Rc<Self>, number: u16, part: Part, pace: Rate, epoch: Micros) {
        let now = self.plan_clock.now();
        let elapsed = Duration::from_micros(now.since(epoch));
        let plan = self.plan();
        let next = self.holding.borrow().assigned(number, part);
        let (mut lost, mut surplus) = (Vec::new(), Vec::new());
        {
            let before = self.holding.borrow();
            let mut all = self.places.borrow_mut();
            all.resize_with(plan.division().tracks(), Places::default);
            for (track, places) in all.iter_mut().enumerate() {
                let asked = next.part().users_of(&plan, track, elapsed);
                let mut moved = places.moved(track, &before, &next, asked);
                *places = moved.places;
                lost.append(&mut moved.lost);
                surplus.append(&mut moved.surplus);
            }
        }
        *self.holding.borrow_mut() = next;
        self.gaining.set(Some(Gaining {
            since: now,
            pace,
            started: 0,
        }));
        self.arrived.set(None);
        lost.retain(|serial| self.alive.borrow().contains_key(serial));
        self.stop_users(lost.iter().chain(&surplus));
        if lost.is_empty() {
            self.report_assigned(number);
        } else {
            let users = lost;
            self.yielding.borrow_mut().push(Yielding { number, users });
        }
    }

    /// Notes that a user has ended, and reports assignments that waited only for it.
    pub(super) fn yielded(&self, serial: u64) {
        if self.is_stopping.get() {
            return;
        }
        let mut all = self.yielding.borrow_mut();
        all.retain_mut(|yielding| {
            yielding.users.retain(|user| *user != serial);
            if yielding.users.is_empty() {
                self.report_assigned(yielding.number);
            }
            !yielding.users.is_empty()
        });
    }

    /// When the next user that the thread takes over is to start, in plan time, if any are left.
    pub(super) fn next_gained(&self) -> Option<Micros> {
        let gaining = self.gaining.get()?;
        if self.first_gained().is_none() {
            self.gaining.set(None);
            return None;
        }
        Some(gaining.due())
    }

    /// Starts the users to be taken over that are due; stops at `until`.
    pub(super) fn start_gained(self: &Rc<Self>, division: Division, until: Micros) -> bool {
        while let Some(due) = self.next_gained() {
            if due > self.plan_clock.now() {
                break;
            }
            if clock::now() > until {
                return false;
            }
            let (Some(place), Some(mut gaining)) = (self.first_gained(), self.gaining.get()) else {
                break;
            };
            gaining.started = gaining.started.saturating_add(1);
            self.gaining.set(Some(gaining));
            self.start(division, place);
        }
        true
    }

    fn first_gained(&self) -> Option<Place> {
        let mut places = self.places.borrow_mut();
        let mut tracks = places.iter_mut().enumerate();
        tracks.find_map(|(track, places)| {
            let index = places.next_gained()?;
            Some(Place { track, index })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_takes_over_comes_one_by_one() {
        let gaining = Gaining {
            since: Micros::default() + Duration::from_secs(1),
            pace: Rate::from_per_sec(10.0).unwrap(),
            started: 0,
        };
        let due = |started| Gaining { started, ..gaining }.due().since(gaining.since);
        assert_eq!([0, 1, 2, 30].map(due), [0, 100_000, 200_000, 3_000_000]);
    }
}
