//! Exceptions of scripts, counted by message and place, with a bounded number of both.
//!
//! Where they come from and what they do to a user is not decided here.

use std::collections::HashMap;
use std::sync::Arc;

use super::tally::{Tally, TallyEntry};

/// The place of exceptions beyond the limit of places.
const OTHER_PLACES: &str = "(other places)";

/// A [`Tally`] whose owners are places.
#[derive(Debug)]
pub(super) struct Exceptions {
    tally: Tally,
    numbers: HashMap<Arc<str>, u32>,
    places: Vec<Arc<str>>,
    limit: usize,
    scratch: Vec<TallyEntry>,
}

impl Exceptions {
    /// At most `limit` places, `limit` messages, and one more of each for the rest.
    pub(super) fn new(limit: usize) -> Exceptions {
        Exceptions {
            tally: Tally::new(limit),
            numbers: HashMap::new(),
            places: Vec::new(),
            limit,
            scratch: Vec::new(),
        }
    }

    /// Counts one that happened at `at_us` after the run's epoch. When it is known only its call
    /// stack allocates, which is made once a batch, for the first.
    pub(super) fn count(
        &mut self,
        at_us: u64,
        message: &str,
        location: &str,
        stack: impl FnOnce() -> Option<Arc<str>>,
    ) {
        let place = self.number(location);
        self.tally.count_at(place, message, at_us, stack);
    }

    /// Adds what another counted.
    pub(super) fn merge(&mut self, location: &str, other: &TallyEntry) {
        let place = self.number(location);
        self.tally.merge(place, other);
    }

    fn number(&mut self, location: &str) -> u32 {
        if let Some(number) = self.numbers.get(location) {
            return *number;
        }
        let fits = self.places.len() < self.limit;
        let location = if fits { location } else { OTHER_PLACES };
        let next = u32::try_from(self.places.len()).expect("places are bounded");
        let number = *self.numbers.entry(location.into()).or_insert(next);
        if number == next {
            self.places.push(location.into());
        }
        number
    }

    /// Moves the counts since the last call to the end of `out`.
    pub(super) fn take(&mut self, out: &mut Vec<(Arc<str>, TallyEntry)>) {
        self.tally.take(&mut self.scratch);
        for exception in self.scratch.drain(..) {
            out.push((
                Arc::clone(&self.places[exception.owner as usize]),
                exception,
            ));
        }
    }

    /// Place, and message with count, of all.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &TallyEntry)> {
        self.tally
            .entries()
            .iter()
            .map(|entry| (&self.places[entry.owner as usize], entry))
    }

    /// Whether some did not fit.
    pub(super) fn overflowed(&self) -> bool {
        self.tally.overflowed() || self.numbers.contains_key(OTHER_PLACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_messages_are_bounded_and_nothing_is_lost() {
        let mut thread = Exceptions::new(3);
        for n in 0..10 {
            thread.count(n, "boom", &format!("a.rhai:{n}:1"), || None);
        }
        let mut taken = Vec::new();
        thread.take(&mut taken);
        let mut run = Exceptions::new(3);
        for (place, exception) in &taken {
            run.merge(place, exception);
        }

        let rows: Vec<_> = run
            .entries()
            .map(|(at, e)| (&**at, &*e.text, e.count))
            .collect();
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[0], ("a.rhai:0:1", "boom", 1));
        assert_eq!(rows[3].0, OTHER_PLACES);
        assert_eq!(rows.iter().map(|row| row.2).sum::<u64>(), 10);
        assert!(run.overflowed());
    }
}
