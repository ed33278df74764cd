//! How a load thread switches to an edited script.
//!
//! Owns which of the thread's users renew, and which make way for a user of another class. Control
//! decides when a generation goes into service; `vu` renews a user.

use std::collections::HashMap;
use std::rc::Rc;

use tokio::task::{spawn_local, yield_now};

use super::crew::Crew;
use super::load_thread::{Adoption, News, Preparation};
use super::places::{Place, Places, Taken};
use crate::load::Division;
use crate::script::Generation;
use crate::vu::Signal;

/// Users signalled in one go before the thread's others run. Each that is waiting renews at once,
/// which takes a few microseconds.
const SIGNALLED_AT_ONCE: usize = 32;

impl Crew {
    /// Compiles a generation and reports the result. The thread does nothing else meanwhile.
    pub(super) fn prepare(&self, preparation: Preparation) {
        let Preparation {
            ticket,
            edition,
            number,
        } = preparation;
        let before = self.thread.generation();
        let made = edition.compile().and_then(|program| {
            let timers = self.thread.timers();
            edition.generation(number, program, timers, Some(&before))
        });
        let result = made.map(|generation| {
            let remarks = generation.remarks_after(&before);
            *self.prepared.borrow_mut() = Some((edition, generation));
            remarks
        });
        self.tell_for_sure(News::Prepared { ticket, result });
    }

    /// Puts the prepared generation into service.
    pub(super) fn adopt(self: &Rc<Self>, adoption: Adoption) {
        let Some((edition, generation)) = self.prepared.take() else {
            return;
        };
        let before = self.thread.generation();
        let now = moved(&before, &generation);
        self.thread.adopt(generation);
        let old = self.division();
        if let Some(plan) = adoption.plan {
            self.set_plan(plan);
        }
        let new = self.division();
        let before = self.edition.borrow().classes(0);
        let next = edition.classes(adoption.mixed);
        self.mix.borrow_mut().adopt(&before, &next);
        *self.edition.borrow_mut() = edition;
        self.rearrange(old, new, &now);
        self.signal_all(new, &now);
    }

    /// Reorders the tracks to match the edited script's classes. Users whose track is gone lose
    /// their place.
    fn rearrange(&self, old: Division, new: Division, now: &[Option<usize>]) {
        let mut places = self.places.borrow_mut();
        let before = std::mem::take(&mut *places);
        match (old, new) {
            (Division::Mixed, Division::Mixed) => *places = before,
            (Division::PerClass(_), Division::PerClass(tracks)) => {
                places.resize_with(tracks, Places::default);
                for (track, kept) in before.into_iter().enumerate() {
                    if let Some(Some(track)) = now.get(track) {
                        places[*track] = kept;
                    }
                }
            }
            // The numbers count something else: all places start from scratch.
            (Division::Mixed, Division::PerClass(_)) | (Division::PerClass(_), Division::Mixed) => {
            }
        }
    }

    /// Signals every user: those that keep their class and place renew, the others retire. Then
    /// offers vacant places again.
    fn signal_all(self: &Rc<Self>, division: Division, now: &[Option<usize>]) {
        let mut signals: Vec<(u64, Signal)> = Vec::new();
        let mut kept = HashMap::new();
        let mut vacant = Vec::new();
        for (track, places) in self.places.borrow().iter().enumerate() {
            for (index, taken) in places.all().iter().enumerate() {
                let place = Place { track, index };
                match taken {
                    Taken::By(serial) => drop(kept.insert(*serial, place)),
                    Taken::Vacant => vacant.push(place),
                    // The crew has yet to start its user.
                    Taken::Awaited => {}
                }
            }
        }
        for (serial, user) in &mut *self.alive.borrow_mut() {
            let class = now.get(user.class).copied().flatten();
            let due = kept
                .get(serial)
                .and_then(|place| self.user_of(division, *place));
            let signal = match class {
                Some(class) if due.is_some_and(|(_, due)| due == class) => {
                    user.class = class;
                    Signal::Renew
                }
                _ => Signal::Retire,
            };
            signals.push((*serial, signal));
        }
        let crew = self.clone();
        spawn_local(async move {
            for signals in signals.chunks(SIGNALLED_AT_ONCE) {
                for (serial, signal) in signals {
                    if let Some(user) = crew.alive.borrow().get(serial) {
                        user.orders.send(*signal);
                    }
                }
                yield_now().await;
            }
            for vacant in vacant.chunks(SIGNALLED_AT_ONCE) {
                vacant.iter().for_each(|place| crew.fill(*place));
                yield_now().await;
            }
        });
    }

    /// Starts a user in a vacant place, if the edited script has one for it.
    fn fill(self: &Rc<Self>, place: Place) {
        if self.starts_nobody() {
            return;
        }
        let places = self.places.borrow();
        // The plan may have gone down or changed in the meantime.
        let track = places.get(place.track);
        let is_vacant = track.is_some_and(|places| places.is_vacant(place.index));
        drop(places);
        if is_vacant {
            self.start(self.division(), place);
        }
    }

    /// Whether a user that started now would find nothing to do.
    fn starts_nobody(&self) -> bool {
        self.is_stopping.get() || self.is_used_up()
    }

    /// Starts another user in the place of one that has retired; false if no user is to have it.
    pub(super) fn replace(self: &Rc<Self>, serial: u64) -> bool {
        if self.starts_nobody() {
            return false;
        }
        let places = self.places.borrow();
        let place = places.iter().enumerate().find_map(|(track, places)| {
            let index = places.place_of(serial)?;
            Some(Place { track, index })
        });
        drop(places);
        place.is_some_and(|place| self.begin(self.division(), place))
    }
}

/// By class of one generation: its index in the next.
fn moved(before: &Generation, after: &Generation) -> Vec<Option<usize>> {
    let classes = before.classes().iter();
    classes
        .map(|class| after.class_named(&class.name))
        .collect()
}
