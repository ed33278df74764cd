//! Which user class the n-th user is.
//!
//! Owns the interleaving of classes by weight and fixed count. `ramp` says when the user starts,
//! `split` where it runs.

use serde::{Deserialize, Serialize};

/// How large a part of the users one class is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassShare {
    /// Its share relative to the other classes' weights; 0 for none. Ignored with a fixed count.
    pub weight: f64,
    /// Exactly this many users, before all weighted ones.
    pub fixed_count: Option<u32>,
}

/// The default: a weight of one.
impl Default for ClassShare {
    fn default() -> ClassShare {
        ClassShare {
            weight: 1.0,
            fixed_count: None,
        }
    }
}

/// The sequence of classes by user ordinal.
///
/// The first users are those of the classes with a fixed count, interleaved in proportion; from
/// then on the weights decide. At every length the count of each weighted class is less than one
/// user away from its exact share (and exactly the share where that is a whole number, so weights
/// 5 and 1 give 5 and 1 after 6 users). The same shares give the same sequence on every thread
/// and machine.
///
/// The method is R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980),
/// 323-330: among the k classes that are at least 1/(2k - 2) of a user behind, the next user goes
/// to the one that will be a whole user behind the soonest. It keeps every class within
/// 1 - 1/(2k - 2) of its share; the margin to 1 is far above the rounding of the floats used.
///
/// The sequence is kept, two bytes a user, so that users may be stopped and started again at any
/// ordinal.
#[derive(Clone, Debug)]
pub struct Mix {
    fixed: Interleaving,
    fixed_users: u32,
    weighted: Interleaving,
    sequence: Vec<u16>,
}

impl Mix {
    /// The mix of these classes; a class is known by its index in `shares`.
    ///
    /// # Panics
    /// When a weight is negative or not finite, or there are 65,536 classes or more: a script's
    /// weights are judged where they are read.
    #[must_use]
    pub fn new(shares: &[ClassShare]) -> Mix {
        let classes = || (0_u16..).zip(shares);
        assert!(
            u16::try_from(shares.len()).is_ok(),
            "fewer than 2^16 classes"
        );
        assert!(
            classes().all(|(_, share)| share.weight >= 0.0 && share.weight.is_finite()),
            "weights are finite and not negative"
        );
        let fixed = classes().filter_map(|(class, share)| Some((class, share.fixed_count?)));
        Mix {
            fixed_users: fixed
                .clone()
                .fold(0, |sum: u32, (_, count)| sum.saturating_add(count)),
            fixed: Interleaving::new(fixed.map(|(class, count)| (class, f64::from(count)))),
            weighted: Interleaving::new(
                classes()
                    .filter(|(_, share)| share.fixed_count.is_none())
                    .map(|(class, share)| (class, share.weight)),
            ),
            sequence: Vec::new(),
        }
    }

    /// How many users there can be; `None` if there is no limit, because some class has a weight.
    #[must_use]
    pub fn most_users(&self) -> Option<u32> {
        self.weighted.is_empty().then_some(self.fixed_users)
    }

    /// How many users have a fixed class. If the plan asks for fewer, some of them do not start.
    #[must_use]
    pub fn fixed_users(&self) -> u32 {
        self.fixed_users
    }

    /// The class of the user with this ordinal (from 0); `None` beyond [`Mix::most_users`].
    ///
    /// O(classes) for each ordinal that no earlier call has reached, else a look-up.
    pub fn class_of(&mut self, user: u32) -> Option<usize> {
        let index = user as usize;
        while self.sequence.len() <= index {
            let next = if self.sequence.len() < self.fixed_users as usize {
                self.fixed.next()
            } else {
                self.weighted.next()
            };
            self.sequence.push(next?);
        }
        Some(usize::from(self.sequence[index]))
    }

    /// How many of the first `users` users each class has; `classes` is how many there are.
    pub fn counts(&mut self, users: u32, classes: usize) -> Vec<u32> {
        let mut counts = vec![0; classes];
        let reachable = self.most_users().map_or(users, |most| most.min(users));
        if let Some(last) = reachable.checked_sub(1) {
            self.class_of(last);
        }
        for class in &self.sequence[..reachable as usize] {
            counts[usize::from(*class)] += 1;
        }
        counts
    }
}

impl Mix {
    /// The mix of other classes for a run that already has users: as few of them as possible change
    /// class, and those that do are spread over the whole sequence, so that a smaller number of
    /// users is still mixed by the shares, to within about one user of each class. `now` gives the
    /// new index of each old class, if it still exists.
    ///
    /// O(users x classes), once for each edit of a script that changes a share.
    #[must_use]
    pub fn rebalanced(&mut self, users: u32, shares: &[ClassShare], now: &[Option<usize>]) -> Mix {
        let mut mix = Mix::new(shares);
        let targets = mix.counts(users, shares.len());
        let all: u32 = targets.iter().sum();
        let mut given = vec![0_u32; shares.len()];
        let due = |class: usize, user: u32| {
            f64::from(targets[class]) * f64::from(user + 1) / f64::from(all)
        };
        let before: Vec<_> = (0..all)
            .map(|user| self.class_of(user).and_then(|class| now[class]))
            .collect();
        // By class: its old users that are still to come, whose places no other class takes.
        let mut to_come = vec![0_u32; shares.len()];
        for class in before.iter().flatten() {
            to_come[*class] += 1;
        }
        for (user, before) in (0..all).zip(before) {
            if let Some(class) = before {
                to_come[class] -= 1;
            }
            let keeps = before.filter(|class| {
                let (given, to_come) = (given[*class], to_come[*class]);
                let is_in_turn = f64::from(given) < due(*class, user).ceil();
                given < targets[*class] && (is_in_turn || given + to_come < targets[*class])
            });
            let behind = |class: &usize| due(*class, user) - f64::from(given[*class]);
            let class = keeps.or_else(|| {
                let is_open = |class: &usize| given[*class] + to_come[*class] < targets[*class];
                let open = (0..shares.len()).filter(is_open);
                open.max_by(|a, b| behind(a).total_cmp(&behind(b)))
            });
            let class = class.expect("the counts add up to the users");
            given[class] += 1;
            mix.sequence[user as usize] =
                u16::try_from(class).expect("there are fewer than 2^16 classes");
        }
        mix
    }
}

/// Tijdeman's sequence over some of the classes.
#[derive(Clone, Debug)]
struct Interleaving {
    entries: Vec<Entry>,
    total_weight: f64,
    given: u32,
}

#[derive(Clone, Debug)]
struct Entry {
    class: u16,
    weight: f64,
    given: u32,
}

impl Interleaving {
    fn new(classes: impl Iterator<Item = (u16, f64)>) -> Interleaving {
        let entries: Vec<Entry> = classes
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(class, weight)| Entry {
                class,
                weight,
                given: 0,
            })
            .collect();
        Interleaving {
            total_weight: entries.iter().map(|entry| entry.weight).sum(),
            entries,
            given: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn next(&mut self) -> Option<u16> {
        self.given += 1;
        let turn = f64::from(self.given);
        // With one class the margin is of no use; with two it is one half.
        let margin = 1.0 / (2.0 * self.entries.len() as f64 - 2.0).max(1.0);
        let behind =
            |entry: &Entry| entry.weight * turn / self.total_weight - f64::from(entry.given);
        // Turns until the class is a whole user behind, but for a constant and a common factor.
        let slack = |entry: &Entry| (1.0 - margin - behind(entry)) / entry.weight;
        let eligible = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| behind(entry) >= margin)
            .min_by(|(_, a), (_, b)| slack(a).total_cmp(&slack(b)));
        // In exact arithmetic some class always is; rounding may miss one right on the margin.
        let chosen = eligible.or_else(|| {
            self.entries
                .iter()
                .enumerate()
                .max_by(|(_, a), (_, b)| behind(a).total_cmp(&behind(b)))
        });
        let (index, _) = chosen?;
        let entry = &mut self.entries[index];
        entry.given += 1;
        Some(entry.class)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weighted(weight: f64) -> ClassShare {
        ClassShare {
            weight,
            fixed_count: None,
        }
    }

    fn fixed(count: u32) -> ClassShare {
        ClassShare {
            weight: 1.0,
            fixed_count: Some(count),
        }
    }

    fn letters(shares: &[ClassShare], users: u32) -> String {
        let mut mix = Mix::new(shares);
        (0..users)
            .map(|user| match mix.class_of(user) {
                Some(class) => char::from(b'A' + u8::try_from(class).unwrap()),
                None => '-',
            })
            .collect()
    }

    #[test]
    fn classes_are_interleaved_smoothly() {
        assert_eq!(letters(&[weighted(1.0)], 3), "AAA");
        assert_eq!(letters(&[weighted(5.0), weighted(1.0)], 12), "AAABAAAAABAA");
        assert_eq!(letters(&[weighted(1.0), weighted(1.0)], 6), "ABABAB");
        assert_eq!(
            letters(&[weighted(0.5), weighted(0.25), weighted(0.25)], 8),
            "ABCAABCA"
        );
        assert_eq!(letters(&[weighted(0.0), weighted(2.0)], 3), "BBB");
    }

    #[test]
    fn fixed_counts_come_first_and_are_exact() {
        assert_eq!(letters(&[weighted(1.0), fixed(2), fixed(1)], 6), "BCBAAA");
        assert_eq!(letters(&[fixed(2), weighted(0.0)], 4), "AA--");
        assert_eq!(letters(&[], 1), "-");
        let mix = Mix::new(&[fixed(2), weighted(0.0), fixed(0)]);
        assert_eq!(mix.most_users(), Some(2));
        assert_eq!(Mix::new(&[fixed(2), weighted(1.0)]).most_users(), None);
    }

    #[test]
    fn counts_need_no_order_of_asking() {
        let mut mix = Mix::new(&[weighted(5.0), weighted(1.0), fixed(1)]);
        assert_eq!(mix.counts(7, 3), [5, 1, 1]);
        assert_eq!(mix.counts(0, 3), [0, 0, 0]);
        assert_eq!(mix.counts(600_001, 3), [500_000, 100_000, 1]);
        assert_eq!(mix.class_of(0), Some(2));
        let mut only_fixed = Mix::new(&[fixed(3)]);
        assert_eq!(only_fixed.counts(10, 1), [3]);
    }

    #[test]
    #[should_panic(expected = "weights are finite")]
    fn a_negative_weight_is_a_bug() {
        let _ = Mix::new(&[weighted(-1.0)]);
    }

    fn rebalanced(before: &[ClassShare], after: &[ClassShare], users: u32) -> String {
        let mut mix = Mix::new(before);
        let now: Vec<_> = (0..before.len())
            .map(|class| Some(class).filter(|class| *class < after.len()))
            .collect();
        let mut mix = mix.rebalanced(users, after, &now);
        (0..users + 6)
            .map(|user| mix.class_of(user))
            .map(|class| class.map_or('-', |class| char::from(b'A' + u8::try_from(class).unwrap())))
            .collect()
    }

    #[test]
    fn a_new_class_takes_as_few_users_as_it_needs() {
        let one = weighted(1.0);
        // Twelve of two classes become four of each of three, and it goes on as three do.
        let after = rebalanced(&[one; 2], &[one; 3], 12);
        let changed = after.chars().zip("ABABABABABAB".chars());
        assert_eq!(
            changed.filter(|(now, before)| now != before).count(),
            4,
            "{after}"
        );
        assert_eq!(after[..12].matches('C').count(), 4, "{after}");
        assert_eq!(after[12..].matches('C').count(), 2, "{after}");
        // Half of them, at any length, are still mixed.
        assert!(
            after[..6].contains('C') && after[6..12].contains('C'),
            "{after}"
        );
    }

    #[test]
    fn a_class_that_is_gone_leaves_its_users_to_the_others() {
        let one = weighted(1.0);
        let after = rebalanced(&[one; 3], &[one; 2], 6);
        assert_eq!(after[..6].matches('A').count(), 3, "{after}");
        assert_eq!(
            after.chars().filter(|class| *class > 'B').count(),
            0,
            "{after}"
        );
        // Users of a class that still exists keep it, whatever its index.
        let mut mix = Mix::new(&[one; 2]).rebalanced(2, &[one; 2], &[None, Some(1)]);
        assert_eq!((mix.class_of(0), mix.class_of(1)), (Some(0), Some(1)));
        // With fixed counts there may be none for them.
        assert_eq!(rebalanced(&[one; 2], &[fixed(1)], 3), "A--------");
        assert_eq!(
            rebalanced(&[one], &[fixed(2), one], 4)[..4]
                .matches('A')
                .count(),
            2
        );
    }

    proptest! {
        #[test]
        fn rebalancing_ends_at_the_shares(
            before in prop::collection::vec(0_u32..9, 1..6),
            after in prop::collection::vec(0_u32..9, 1..6),
            users in 0_u32..200,
        ) {
            let shares = |weights: &[u32]| -> Vec<_> {
                weights.iter().map(|weight| weighted(f64::from(*weight))).collect()
            };
            let (before, after) = (shares(&before), shares(&after));
            let now: Vec<_> = (0..before.len())
                .map(|class| Some(class).filter(|class| *class < after.len()))
                .collect();
            let mut fresh = Mix::new(&after);
            let mut old = Mix::new(&before);
            let mut mix = old.rebalanced(users, &after, &now);
            let expected = fresh.counts(users, after.len());
            let all: u32 = expected.iter().sum();
            let counts = old.counts(all, before.len());
            let may_keep: u32 = counts.iter().zip(&expected).map(|(was, is)| *was.min(is)).sum();
            let kept = (0..all).filter(|user| {
                let was = old.class_of(*user).and_then(|class| now[class]);
                was.is_some() && was == mix.class_of(*user)
            });
            prop_assert_eq!(kept.count(), may_keep as usize, "as many as possible keep their class");
            prop_assert_eq!(mix.counts(users, after.len()), expected);
            for user in users..users + 20 {
                prop_assert_eq!(mix.class_of(user), fresh.class_of(user));
            }
        }

        #[test]
        fn no_class_is_a_user_away_from_its_share(
            weights in prop::collection::vec(0.001_f64..1000.0, 1..20),
            users in 1_u32..2_000,
        ) {
            let shares: Vec<_> = weights.iter().copied().map(weighted).collect();
            let total: f64 = weights.iter().sum();
            let mut mix = Mix::new(&shares);
            let mut counts = vec![0_u32; weights.len()];
            for user in 0..users {
                counts[mix.class_of(user).unwrap()] += 1;
                for (count, weight) in counts.iter().zip(&weights) {
                    let share = f64::from(user + 1) * weight / total;
                    prop_assert!((f64::from(*count) - share).abs() < 1.0);
                }
            }
        }

        #[test]
        fn whole_shares_are_exact(weights in prop::collection::vec(0_u32..50, 1..10), rounds in 1_u32..5) {
            let shares: Vec<_> = weights.iter().map(|weight| weighted(f64::from(*weight))).collect();
            let total: u32 = weights.iter().sum();
            let expected: Vec<u32> = weights.iter().map(|weight| weight * rounds).collect();
            prop_assert_eq!(Mix::new(&shares).counts(total * rounds, shares.len()), expected);
        }

        #[test]
        fn fixed_counts_are_kept(counts in prop::collection::vec(0_u32..50, 1..10)) {
            let shares: Vec<_> = counts.iter().copied().map(fixed).chain([weighted(1.0)]).collect();
            let total: u32 = counts.iter().sum();
            let mut expected = counts;
            expected.push(7);
            prop_assert_eq!(Mix::new(&shares).counts(total + 7, shares.len()), expected);
        }
    }
}
