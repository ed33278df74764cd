//! What the editions of a script said of its classes, one after the other.
//!
//! Owns that a thread which comes late mixes users as those do that were there: which class a user
//! got depends on all edits before. How few users change their class is `mix`'s.

use serde::{Deserialize, Serialize};

use super::{ClassShare, Mix};

/// What one edition says of the classes; plain data, which can be kept and sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    /// How many users had got their classes from the mix when it went into service.
    pub mixed: u32,
    /// Their names, in the order written.
    pub names: Vec<String>,
    /// By class: how large a part of the users it is.
    pub shares: Vec<ClassShare>,
}

impl Mix {
    /// The mix of a run that has gone on with these, one after the other.
    #[must_use]
    pub fn of(adopted: &[Classes]) -> Mix {
        let shares = adopted.first().map_or(&[][..], |first| &first.shares);
        let mut mix = Mix::new(shares);
        for pair in adopted.windows(2) {
            if let [before, next] = pair {
                mix.adopt(before, next);
            }
        }
        mix
    }

    /// Goes on with the classes of an edition; `before` are those of the one before it.
    pub fn adopt(&mut self, before: &Classes, next: &Classes) {
        // The same shares would come to nearly the same mix, and move users for nothing.
        if before.names == next.names && before.shares == next.shares {
            return;
        }
        let names = before.names.iter();
        let now: Vec<Option<usize>> = names
            .map(|name| next.names.iter().position(|known| known == name))
            .collect();
        *self = self.rebalanced(next.mixed, &next.shares, &now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(mixed: u32, all: &[(&str, f64)]) -> Classes {
        let share = |weight| ClassShare {
            weight,
            fixed_count: None,
        };
        let all = all.iter();
        let all = all.map(|(name, weight)| ((*name).to_owned(), share(*weight)));
        let (names, shares) = all.unzip();
        Classes {
            mixed,
            names,
            shares,
        }
    }

    fn sequence(mix: &mut Mix, classes: &Classes) -> String {
        let name = |class: usize| classes.names[class].as_str();
        let of = |user| mix.class_of(user).map_or("-", name);
        (0..40).map(of).collect()
    }

    #[test]
    fn who_comes_late_mixes_as_those_that_were_there() {
        let edits = [
            classes(0, &[("A", 1.0), ("B", 1.0)]),
            classes(12, &[("A", 1.0), ("B", 1.0), ("C", 1.0)]),
            // Nothing changed in the shares, whatever the number of users.
            classes(30, &[("A", 1.0), ("B", 1.0), ("C", 1.0)]),
            classes(7, &[("C", 3.0), ("A", 1.0)]),
            classes(0, &[("D", 1.0), ("C", 2.0)]),
        ];
        let mut there = Mix::of(&edits[..1]);
        for last in 1..edits.len() {
            there.adopt(&edits[last - 1], &edits[last]);
            let mut late = Mix::of(&edits[..=last]);
            let expected = sequence(&mut there, &edits[last]);
            assert_eq!(sequence(&mut late, &edits[last]), expected, "{last}");
        }
        // The history matters: a mix of the last edition alone is another.
        let known = sequence(&mut Mix::of(&edits[..2]), &edits[1]);
        assert_ne!(sequence(&mut Mix::new(&edits[1].shares), &edits[1]), known);
        assert_eq!(Mix::of(&[]).most_users(), Some(0));
    }
}
