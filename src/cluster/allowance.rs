//! How much a worker may say that has proved itself.
//!
//! Owns the limits: far above what a worker of ours says, and low enough that no worker can keep the
//! master from the others.

use std::time::Duration;

use super::message::{Said, Up};
use crate::clock::Micros;

/// So much a second, and so much at once.
#[derive(Clone, Copy, Debug)]
struct Rate {
    a_second: u32,
    at_once: u32,
}

/// A report is cut once a second, and one of many wide names comes in several. Eight are under way,
/// the others of a time without a connection follow, and so may the sum of all of them.
const REPORTS: Rate = Rate {
    a_second: 16,
    at_once: 256,
};

/// What users ask of what exists once, and what goes with that.
const ASKS: Rate = Rate {
    a_second: 20_000,
    // On another connection all is said again that has not arrived.
    at_once: 70_000,
};

/// News of load threads; some for each order.
const NEWS: Rate = Rate {
    a_second: 100,
    at_once: 2_000,
};

/// One a second, and one whenever something changes that others wait for.
const BEATS: Rate = Rate {
    a_second: 20,
    at_once: 100,
};

/// What scripts print: fifty lines a second come in one message, or in one for each.
const LINES: Rate = Rate {
    a_second: 100,
    at_once: 200,
};

/// What is left of one rate.
#[derive(Clone, Copy, Debug)]
struct Left {
    rate: Rate,
    /// When all of it will be there again.
    full: Micros,
}

impl Left {
    fn of(rate: Rate) -> Left {
        let full = Micros::default();
        Left { rate, full }
    }

    /// Whether one more is allowed.
    fn take(&mut self, now: Micros) -> bool {
        let one = Duration::from_secs(1) / self.rate.a_second;
        let full = self.full.max(now) + one;
        let is_allowed = full <= now + one * self.rate.at_once;
        if is_allowed {
            self.full = full;
        }
        is_allowed
    }
}

/// What a connection may still say.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    reports: Left,
    asks: Left,
    news: Left,
    beats: Left,
    lines: Left,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance {
            reports: Left::of(REPORTS),
            asks: Left::of(ASKS),
            news: Left::of(NEWS),
            beats: Left::of(BEATS),
            lines: Left::of(LINES),
        }
    }
}

impl Allowance {
    /// It sends a report.
    ///
    /// # Errors
    /// That these are too many, for people.
    pub(super) fn report(&mut self, now: Micros) -> Result<(), String> {
        taken(&mut self.reports, now, "reports")
    }

    /// It says something.
    ///
    /// # Errors
    /// As [`report`](Allowance::report).
    pub(super) fn said(&mut self, now: Micros, up: &Up) -> Result<(), String> {
        match up {
            // These come once for each connection, which is seen to elsewhere.
            Up::Hello(_) | Up::Proof(_) => Ok(()),
            Up::Beat(_) => taken(&mut self.beats, now, "beats"),
            // It comes once for each connection, too.
            Up::Brings(_) => taken(&mut self.news, now, "news"),
            Up::Lines(_) => taken(&mut self.lines, now, "messages with lines"),
            Up::Letter(letter) => match &letter.says {
                Said::Ask(..)
                | Said::Cancel(_)
                | Said::Back(..)
                | Said::Returned(..)
                | Said::Passed(..) => taken(&mut self.asks, now, "questions"),
                _ => taken(&mut self.news, now, "news"),
            },
        }
    }
}

fn taken(left: &mut Left, now: Micros, what: &str) -> Result<(), String> {
    match left.take(now) {
        true => Ok(()),
        false => Err(format!("more than {} {what} a second", left.rate.a_second)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::message::{Ask, Letter};

    fn at(millis: u64) -> Micros {
        Micros::default() + Duration::from_millis(millis)
    }

    #[test]
    fn so_many_at_once_and_then_so_many_a_second() {
        let mut allowance = Allowance::default();
        let now = at(7_000);
        let at_once = (0..1_000).filter(|_| allowance.report(now).is_ok());
        assert_eq!(at_once.count(), 256);
        assert_eq!(
            allowance.report(now),
            Err("more than 16 reports a second".to_owned())
        );
        let later = (7_001..=17_000).filter(|now| allowance.report(at(*now)).is_ok());
        assert_eq!(later.count(), 160);
    }

    #[test]
    fn a_worker_of_ours_is_never_stopped() {
        let mut allowance = Allowance::default();
        for second in 0..600 {
            let now = at(second * 1_000);
            assert_eq!(allowance.report(now), Ok(()));
            assert_eq!(allowance.said(now, &Up::Beat(Box::default())), Ok(()));
        }
    }

    #[test]
    fn a_report_of_many_wide_names_may_come_in_ten_pieces_each_second() {
        let mut allowance = Allowance::default();
        for second in 0..3_600 {
            for _ in 0..10 {
                assert_eq!(allowance.report(at(second * 1_000)), Ok(()));
            }
        }
    }

    #[test]
    fn questions_have_a_limit_of_their_own() {
        let mut allowance = Allowance::default();
        let ask = Up::Letter(Letter {
            number: 1,
            says: Said::Ask(1, Ask::Length("q".into())),
        });
        let asked = (0..100_000).filter(|_| allowance.said(at(0), &ask).is_ok());
        assert_eq!(asked.count(), 70_000);
        assert!(allowance.said(at(0), &Up::Beat(Box::default())).is_ok());
    }
}
