//! How the run stands, as a master tells its workers.
//!
//! Owns what is remembered of its orders for the state file. Members get the same orders one after
//! the other, so each order is heard as often as there are members, and counts once.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Micros;
use crate::cluster::message::{Going, Remembered, SentEdition, SentOrder};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// What a member was told last to begin with.
    first: Option<(u16, Arc<SentEdition>)>,
    run: Option<Begun>,
}

/// A run that has begun.
#[derive(Debug)]
struct Begun {
    at: Micros,
    /// Since when it is paused, if it is.
    paused: Option<Micros>,
    remembered: Remembered,
}

impl Account {
    /// A run that goes on.
    pub(super) fn resumed(now: Micros, going: Going) -> Account {
        let before = |us: u64| now - Duration::from_micros(us);
        Account {
            run: Some(Begun {
                at: before(going.elapsed_us),
                paused: going.pauses.1.map(before),
                remembered: Remembered::resumed(going),
            }),
            ..Account::default()
        }
    }

    /// A member gets an order.
    pub(super) fn ordered(&mut self, now: Micros, order: &SentOrder) {
        match order {
            SentOrder::Begin {
                generation,
                edition,
                ..
            }
            | SentOrder::CatchUp(generation, edition) => {
                self.first = Some((*generation, edition.clone()));
            }
            SentOrder::Start(start) if self.run.is_none() => {
                let first = self.first.as_ref();
                self.run = first.map(|(generation, edition)| Begun {
                    at: start.epoch,
                    paused: start.pauses.1,
                    remembered: Remembered::new(start, *generation, edition),
                });
            }
            _ => {
                if let Some(run) = &mut self.run {
                    run.ordered(now, order);
                }
            }
        }
    }

    /// How the run stands, once it has begun.
    pub(super) fn going(&self, now: Micros) -> Option<Going> {
        let length = |since: Micros| Duration::from_micros(now.since(since));
        let run = self.run.as_ref()?;
        Some(run.remembered.going(length(run.at), run.paused.map(length)))
    }
}

impl Begun {
    fn ordered(&mut self, now: Micros, order: &SentOrder) {
        match order {
            SentOrder::Pause => self.paused = self.paused.or(Some(now)),
            SentOrder::Resume(_) => self.paused = None,
            _ => {}
        }
        self.remembered.ordered(order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Classes, Plan};
    use crate::units::Rate;

    fn at(secs: u64) -> Micros {
        Micros::default() + Duration::from_secs(secs)
    }

    fn plan(users: u32) -> Arc<Plan> {
        let rate = Rate::from_per_sec(1.0).unwrap();
        Arc::new(Plan::closed(users, rate, None))
    }

    fn going() -> Going {
        let classes = Classes {
            mixed: 0,
            names: Vec::new(),
            shares: Vec::new(),
        };
        Going {
            elapsed_us: 3_000_000,
            unix_us: 1_700_000_000_000_000,
            plan: plan(5),
            classes: Arc::new([classes]),
            pauses: (0, None),
            setup: None,
            generation: 1,
            hash: "abc".to_owned(),
            counted: Vec::new(),
        }
    }

    #[test]
    fn a_run_goes_on_as_it_was_told_whoever_heard_it_last() {
        let mut account = Account::default();
        assert_eq!(account.going(at(1)), None);
        account = Account::resumed(at(10), going());
        assert_eq!(account.going(at(10)), Some(going()));
        // Each of two members is told, one later than the other.
        let told = [
            (12, SentOrder::Pause),
            (13, SentOrder::Pause),
            (14, SentOrder::Adopt(2, 7, Some(plan(8)))),
            (15, SentOrder::Follow(plan(9))),
            (16, SentOrder::Adopt(2, 7, Some(plan(8)))),
        ];
        for (secs, order) in told {
            account.ordered(at(secs), &order);
        }
        let mut expected = going();
        expected.elapsed_us = 10_000_000;
        expected.pauses.1 = Some(5_000_000);
        expected.generation = 2;
        expected.plan = plan(9);
        assert_eq!(account.going(at(17)), Some(expected.clone()));
        account.ordered(at(18), &SentOrder::Resume(6_000_000));
        expected.elapsed_us = 11_000_000;
        expected.pauses = (6_000_000, None);
        assert_eq!(account.going(at(18)), Some(expected));
    }
}
