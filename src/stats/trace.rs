//! When something happened over a run, in little memory: counts by stretches of time.
//!
//! What is counted, and in which unit it is shown, is not decided here.

/// The most stretches of a trace.
pub(super) const MOST: u64 = 64;

/// Counts by stretches of the run, from the first that has one to the last: at most 64, each of
/// 2^k seconds from a multiple of 2^k on, k being the least with which they fit. So any parts of a
/// trace merge to the same in any order. At most 512 bytes of counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// k.
    pub(super) power: u32,
    /// How many stretches lie between the run's epoch and the first of these.
    pub(super) before: u64,
    pub(super) counts: Vec<u64>,
}

impl Trace {
    /// The second of the run that the first stretch begins with.
    #[must_use]
    pub fn from(&self) -> u64 {
        self.before << self.power
    }

    /// How many seconds each stretch has.
    #[must_use]
    pub fn step(&self) -> u64 {
        1 << self.power
    }

    /// How often it happened in each; none is there if it never did.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Counts something in a second of the run. Allocates only when there is another stretch.
    pub(super) fn add(&mut self, second: u64, count: u64) {
        let inside = (second >> self.power).checked_sub(self.before);
        let known = inside
            .and_then(|nth| usize::try_from(nth).ok())
            .and_then(|nth| self.counts.get_mut(nth));
        match known {
            Some(known) => *known += count,
            None => self.extend(second, count),
        }
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, other: &Trace) {
        while self.power < other.power {
            self.coarsen();
        }
        for (nth, count) in (other.before..).zip(&other.counts) {
            if *count > 0 {
                self.add(nth << other.power, *count);
            }
        }
    }

    /// Forgets all and keeps the room.
    pub(super) fn clear(&mut self) {
        self.counts.clear();
        (self.power, self.before) = (0, 0);
    }

    /// Counts something outside of what there is.
    #[cold]
    fn extend(&mut self, second: u64, count: u64) {
        if self.counts.is_empty() {
            self.before = second >> self.power;
            self.counts.push(count);
            return;
        }
        loop {
            let nth = second >> self.power;
            let (first, last) = (self.before, self.before + self.len() - 1);
            if nth.max(last) - nth.min(first) < MOST {
                break;
            }
            self.coarsen();
        }
        let nth = second >> self.power;
        let missing = usize::try_from(self.before.saturating_sub(nth)).expect("below 64");
        self.counts.splice(0..0, std::iter::repeat_n(0, missing));
        self.before = self.before.min(nth);
        let at = usize::try_from(nth - self.before).expect("below 64");
        self.counts.resize(self.counts.len().max(at + 1), 0);
        self.counts[at] += count;
    }

    /// Makes one stretch of every two.
    fn coarsen(&mut self) {
        let odd = self.before % 2 == 1;
        let mut merged = 0;
        for at in 0..self.counts.len() {
            let to = (at + usize::from(odd)) / 2;
            let count = std::mem::take(&mut self.counts[at]);
            self.counts[to] += count;
            merged = to + 1;
        }
        self.counts.truncate(merged);
        self.before /= 2;
        self.power += 1;
    }

    fn len(&self) -> u64 {
        self.counts.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(seconds: &[u64]) -> Trace {
        let mut trace = Trace::default();
        seconds.iter().for_each(|second| trace.add(*second, 1));
        trace
    }

    #[test]
    fn stretches_become_longer_when_there_are_too_many() {
        let mut trace = of(&[10, 11, 11, 73]);
        assert_eq!((trace.from(), trace.step()), (10, 1));
        assert_eq!(trace.counts().len(), 64);
        assert_eq!(trace.counts()[..3], [1, 2, 0]);
        trace.add(74, 5);
        assert_eq!((trace.from(), trace.step()), (10, 2));
        assert_eq!(trace.counts().len(), 33);
        assert_eq!((trace.counts()[0], trace.counts()[32]), (3, 5));
        trace.add(0, 2);
        assert_eq!(
            (trace.from(), trace.counts()[0], trace.counts()[5]),
            (0, 2, 3)
        );
        trace.add(604_799, 1);
        assert_eq!((trace.from(), trace.step()), (0, 16_384));
        assert_eq!(trace.counts().iter().sum::<u64>(), 12);
    }

    #[test]
    fn the_latest_second_there_can_be_fits() {
        let trace = of(&[0, u64::MAX / 1_000_000]);
        assert_eq!(trace.counts().iter().sum::<u64>(), 2);
        assert!(trace.counts().len() <= 64);
    }

    #[test]
    fn an_emptied_one_is_as_new() {
        let mut trace = of(&[3, 900]);
        trace.clear();
        assert_eq!(trace, Trace::default());
        trace.add(7, 1);
        assert_eq!(trace, of(&[7]));
    }

    #[test]
    fn any_split_merges_to_the_same_and_no_stretch_is_longer_than_it_must_be() {
        let seconds = prop::collection::vec((0_u64..3, 0_u64..20, 0_u64..70), 1..60);
        proptest!(|(events in seconds, scale in 0_u32..9)| {
            let second = |(_, far, near): &(u64, u64, u64)| (far << scale) + near;
            let all: Vec<u64> = events.iter().map(second).collect();
            let whole = of(&all);
            let mut parts = [(); 3].map(|()| Trace::default());
            for event in &events {
                parts[usize::try_from(event.0).unwrap()].add(second(event), 1);
            }
            for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
                let mut sum = Trace::default();
                order.iter().for_each(|part| sum.merge(&parts[*part]));
                prop_assert_eq!(&sum, &whole);
            }
            let (first, last) = (all.iter().min().unwrap(), all.iter().max().unwrap());
            let power = (0..).find(|power| (last >> power) - (first >> power) < 64).unwrap();
            prop_assert_eq!(whole.step(), 1 << power);
            for (nth, count) in whole.counts().iter().enumerate() {
                let from = whole.from() + (nth as u64) * whole.step();
                let within = all.iter().filter(|at| (from..from + whole.step()).contains(at));
                prop_assert_eq!(*count, within.count() as u64);
            }
        });
    }
}
