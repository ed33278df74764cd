//! What a series adds up to by the script's generation: the newest, the one before it, and all
//! earlier ones together; and which generations there are.
//!
//! A sample carries its generation, so a late one still counts where it belongs. The whole is not
//! stored but merged from the parts on demand: that way they cannot disagree, and a run without a
//! reload has a single part, which is the whole. The runner decides when scripts are replaced.

use std::borrow::Cow;
use std::mem;
use std::slice;

use super::cell::Cell;
use super::rows::{Part, Shown, When};
use super::series::SeriesKey;
use super::sum::Sum;
use super::summary::{Generation, Row};

/// Which of a series' parts a generation counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Age {
    /// All that came before `Before`.
    Earlier,
    /// The one that the newest replaced.
    Before,
    /// The newest.
    Now,
}

/// Some generations in a row that share a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Span<'a> {
    pub(super) age: Age,
    pub(super) first: &'a Generation,
    pub(super) last: &'a Generation,
    /// When the next one replaced it, µs since the run's epoch.
    pub(super) end_us: u64,
}

/// The generations of a run, in their order.
#[derive(Debug, Default)]
pub(super) struct Generations {
    all: Vec<Generation>,
    /// The number of the newest; zero while there is none, so that all samples count in it.
    newest: u16,
    /// The number of the one before it; zero while there is none.
    before: u16,
}

impl Generations {
    /// A new generation replaces the newest.
    pub(super) fn announce(&mut self, generation: Generation) {
        self.before = mem::replace(&mut self.newest, generation.n);
        self.all.push(generation);
    }

    /// All generations so far.
    pub(super) fn all(&self) -> &[Generation] {
        &self.all
    }

    /// Where samples of generation `n` count.
    #[inline]
    pub(super) fn age(&self, n: u16) -> Age {
        if n >= self.newest {
            Age::Now
        } else if n >= self.before {
            Age::Before
        } else {
            Age::Earlier
        }
    }

    /// The parts that are kept apart in a run that ends at `end_us`, oldest first; none unless
    /// there are two.
    pub(super) fn spans(&self, end_us: u64) -> Vec<Span<'_>> {
        let [earlier @ .., before, now] = &self.all[..] else {
            return Vec::new();
        };
        let parts = [
            (Age::Earlier, earlier, before.at_us),
            (Age::Before, slice::from_ref(before), now.at_us),
            (Age::Now, slice::from_ref(now), end_us),
        ];
        let mut spans = Vec::new();
        for (age, part, end_us) in parts {
            if let (Some(first), Some(last)) = (part.first(), part.last()) {
                spans.push(Span {
                    age,
                    first,
                    last,
                    end_us,
                });
            }
        }
        spans
    }
}

/// One series, in up to three parts.
#[derive(Debug, Default)]
pub(super) struct ByGeneration {
    now: Part,
    before: Option<Box<Part>>,
    earlier: Option<Box<Part>>,
    /// The row of the parts together.
    shown: Shown,
}

impl ByGeneration {
    /// Adds what ended in a second.
    pub(super) fn add(&mut self, age: Age, second: u64, cell: Cell) {
        self.to(age).add(second, cell);
    }

    /// Adds what ended in seconds that are long over.
    pub(super) fn recall(&mut self, age: Age, cell: &Cell) {
        self.to(age).recall(cell);
    }

    /// The part of that age, to be added to.
    fn to(&mut self, age: Age) -> &mut Part {
        self.shown.grows_old();
        match age {
            Age::Now => &mut self.now,
            Age::Before => self.before.get_or_insert_default(),
            Age::Earlier => self.earlier.get_or_insert_default(),
        }
    }

    /// A new generation begins: each part moves back by one.
    pub(super) fn grow_older(&mut self) {
        let now = mem::take(&mut self.now);
        let before = (!now.is_empty()).then(|| Box::new(now));
        let Some(older) = mem::replace(&mut self.before, before) else {
            return;
        };
        match &mut self.earlier {
            Some(earlier) => earlier.merge(&older),
            None => self.earlier = Some(older),
        }
    }

    /// One part, if anything ever counted in it.
    pub(super) fn part(&self, age: Age) -> Option<&Part> {
        match age {
            Age::Now => Some(&self.now).filter(|now| !now.is_empty()),
            Age::Before => self.before.as_deref(),
            Age::Earlier => self.earlier.as_deref(),
        }
    }

    /// Like [`ByGeneration::part`], mutable.
    pub(super) fn part_mut(&mut self, age: Age) -> Option<&mut Part> {
        match age {
            Age::Now => Some(&mut self.now).filter(|now| !now.is_empty()),
            Age::Before => self.before.as_deref_mut(),
            Age::Earlier => self.earlier.as_deref_mut(),
        }
    }

    /// The part that has something in the window that ends before that second, if exactly one has.
    pub(super) fn only_recent(&self, second: u64) -> Option<Age> {
        let is_recent = |age: &Age| {
            let part = self.part(*age);
            part.is_some_and(|part| part.parts().1.completed(second).next().is_some())
        };
        let ages = [Age::Now, Age::Before, Age::Earlier];
        let mut recent = ages.into_iter().filter(is_recent);
        recent.next().filter(|_| recent.next().is_none())
    }

    /// All parts that have something in them.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        let ages = [Age::Now, Age::Before, Age::Earlier];
        ages.into_iter().filter_map(|age| self.part(age))
    }

    /// The parts together. Copies nothing if there is only one.
    pub(super) fn whole(&self) -> Cow<'_, Cell> {
        together(&self.now, [&self.before, &self.earlier])
    }

    /// The row of the parts together.
    pub(super) fn row(&mut self, id: u32, key: &SeriesKey, when: When, sum: &mut Sum) -> &Row {
        let older = [&self.before, &self.earlier].map(|part| part.as_deref().map(Part::parts));
        let now = self.now.parts();
        // Single names are compared by generation; of the whole only the total is.
        let has_intervals = id == 0;
        match older {
            [None, None] => self.shown.row(id, key, &[now], when, has_intervals, sum),
            [Some(one), None] | [None, Some(one)] => {
                self.shown
                    .row(id, key, &[now, one], when, has_intervals, sum)
            }
            [Some(one), Some(two)] => {
                self.shown
                    .row(id, key, &[now, one, two], when, has_intervals, sum)
            }
        }
    }

    /// The row of one part, of nothing if nothing ever counted in it.
    pub(super) fn part_row(&mut self, age: Age, key: &SeriesKey, when: When, sum: &mut Sum) -> Row {
        match self.part_mut(age) {
            Some(part) => part.row(0, key, when, sum).clone(),
            None => Part::default().row(0, key, when, sum).clone(),
        }
    }

    /// Whether the row of one part, shown in that second, stays as it is unless something is added.
    pub(super) fn is_settled(&self, age: Age, second: u64) -> bool {
        let part = self.part(age);
        part.is_none_or(|part| part.is_settled(second))
    }

    /// Numbers that were cut to fit.
    pub(super) fn clipped(&self) -> u64 {
        self.parts().map(|part| part.sum.all_clipped()).sum()
    }
}

/// The sum of those parts; copies nothing where there is one.
fn together<'a>(now: &'a Part, older: [&'a Option<Box<Part>>; 2]) -> Cow<'a, Cell> {
    let mut sum = Cow::Borrowed(&now.sum);
    for part in older.into_iter().flatten() {
        if sum.is_empty() {
            sum = Cow::Borrowed(&part.sum);
        } else {
            sum.to_mut().merge(&part.sum);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Outcome, Sample, SeriesId};

    fn generation(n: u16) -> Generation {
        Generation {
            n,
            hash: format!("hash {n}").into(),
            at_us: u64::from(n) * 1_000,
        }
    }

    fn spans(count: u16) -> Vec<(Age, u16, u16, u64)> {
        let mut generations = Generations::default();
        (1..=count).for_each(|n| generations.announce(generation(n)));
        let spans = generations.spans(99_000);
        let flat = spans.iter();
        flat.map(|span| (span.age, span.first.n, span.last.n, span.end_us))
            .collect()
    }

    #[test]
    fn two_generations_are_kept_apart_and_the_earlier_ones_together() {
        assert_eq!(spans(0), []);
        assert_eq!(spans(1), []);
        assert_eq!(
            spans(2),
            [(Age::Before, 1, 1, 2_000), (Age::Now, 2, 2, 99_000)]
        );
        assert_eq!(
            spans(5),
            [
                (Age::Earlier, 1, 3, 4_000),
                (Age::Before, 4, 4, 5_000),
                (Age::Now, 5, 5, 99_000)
            ]
        );
    }

    #[test]
    fn roles_move_up_and_late_samples_count_where_they_belong() {
        let mut generations = Generations::default();
        let mut series = ByGeneration::default();
        let record = |generations: &Generations, series: &mut ByGeneration, n: u16| {
            let sample = Sample::new(SeriesId::new(0), n, Outcome::Success, 0);
            let mut cell = Cell::default();
            cell.record(&sample.service_us(u64::from(n)));
            series.add(generations.age(n), 0, cell);
        };
        let requests = |series: &ByGeneration| {
            [Age::Earlier, Age::Before, Age::Now]
                .map(|age| series.part(age).map_or(0, |part| part.sum.requests()))
        };
        record(&generations, &mut series, 1);
        assert_eq!(requests(&series), [0, 0, 1], "nothing was announced");
        assert!(matches!(series.whole(), Cow::Borrowed(_)));

        let mut seen = Vec::new();
        for n in 1..=4 {
            if n > 1 {
                series.grow_older();
            }
            generations.announce(generation(n));
            (1..=n).for_each(|n| record(&generations, &mut series, n));
            seen.push(requests(&series));
        }
        // Each round adds one sample for every generation so far.
        assert_eq!(seen, [[0, 0, 2], [0, 3, 1], [4, 2, 1], [8, 2, 1]]);
        let whole = series.whole();
        assert_eq!(whole.requests(), 11);
        assert_eq!(whole.successes.service.max_us, 4);
    }
}
