//! Numbers on messages, so that each arrives exactly once, whatever becomes of connections.
//!
//! Owns what is kept until it has arrived ([`Outgoing`]), what is next ([`Incoming`]), and the
//! reports of a worker with what the master has of them ([`Reports`]). Sends nothing itself.
//!
//! - Everything numbered is kept by its sender until the other side has said that it has it.
//! - A receiver takes number n only after n − 1. What comes again is dropped; a gap cannot come of
//!   a connection that delivers in order, so it is a fault of the sender.
//! - After a reconnect the receiver says what it has, and the sender goes on from there.
//! - At most [`Outgoing::MOST`] letters are kept: who is so far behind is not served any longer.
//!   At most [`Reports::UNDER_WAY`] reports are under way; until one is applied none is cut, and
//!   what is measured meanwhile adds up in the next one. So a worker without a master holds a
//!   bounded number of reports, however long that lasts.

use std::collections::VecDeque;

use super::message::{Applied, Letter, Numbers, Standing, Sums};

/// The sending side.
#[derive(Clone, Debug)]
pub struct Outgoing<T> {
    kept: VecDeque<T>,
    /// The number of the first one kept.
    first: u64,
    /// The number of the next one to send on this connection.
    next: u64,
}

/// What cannot be, if both sides keep to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder;

impl<T> Default for Outgoing<T> {
    fn default() -> Outgoing<T> {
        Outgoing {
            kept: VecDeque::new(),
            first: 1,
            next: 1,
        }
    }
}

impl<T: Clone> Outgoing<T> {
    /// The most that are kept for one receiver.
    pub const MOST: usize = 50_000;

    /// Gives a message the next number, and keeps it. False if too many are kept.
    #[must_use = "who does not acknowledge what it gets is to be let go"]
    pub fn push(&mut self, message: T) -> bool {
        self.kept.push_back(message);
        self.kept.len() <= Self::MOST
    }

    /// The next one to send on this connection; without a connection it is not asked for.
    pub fn send(&mut self) -> Option<Letter<T>> {
        let at = usize::try_from(self.next - self.first).ok()?;
        let says = self.kept.get(at)?.clone();
        let number = self.next;
        self.next += 1;
        Some(Letter { number, says })
    }

    /// The other side has all up to `number`.
    ///
    /// # Errors
    /// When so many were never sent.
    pub fn arrived(&mut self, number: u64) -> Result<(), OutOfOrder> {
        if number >= self.next {
            return Err(OutOfOrder);
        }
        while self.first <= number {
            self.kept.pop_front();
            self.first += 1;
        }
        Ok(())
    }

    /// There is a new connection, and the other side has all up to `heard`.
    ///
    /// # Errors
    /// When so many were never pushed, or an earlier one is not kept any longer.
    pub fn resume(&mut self, heard: u64) -> Result<(), OutOfOrder> {
        let end = self.first + self.kept.len() as u64;
        if heard + 1 < self.first || heard >= end {
            return Err(OutOfOrder);
        }
        self.next = end;
        let arrived = self.arrived(heard);
        self.next = heard + 1;
        arrived
    }

    /// Numbers begin anew; what was kept is given out.
    pub fn restart(&mut self) -> VecDeque<T> {
        let kept = std::mem::take(&mut self.kept);
        (self.first, self.next) = (1, 1);
        kept
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept: all have arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

/// The receiving side: up to where it has all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    heard: u64,
}

impl Incoming {
    /// Up to where it has all.
    #[must_use]
    pub fn heard(self) -> u64 {
        self.heard
    }

    /// Whether the message of this number is the next; false if it has come before.
    ///
    /// # Errors
    /// When one before it is missing.
    pub fn is_next(&mut self, number: u64) -> Result<bool, OutOfOrder> {
        if number > self.heard + 1 {
            return Err(OutOfOrder);
        }
        let is_next = number > self.heard;
        self.heard += u64::from(is_next);
        Ok(is_next)
    }
}

/// The reports of a worker: cut, under way, applied, kept.
///
/// ```text
/// 1 … kept │ kept+1 … applied │ applied+1 … next−1 │ next … cut │
/// forgotten│ held, for a restart│ under way          │ to be sent │ the ledger
/// ```
#[derive(Clone, Debug)]
pub struct Reports<R> {
    /// From `standing.kept + 1` to `cut`.
    held: VecDeque<Numbers<R>>,
    cut: u64,
    standing: Applied,
    /// The next one to send on this connection.
    next: u64,
}

impl<R> Default for Reports<R> {
    fn default() -> Reports<R> {
        Reports {
            held: VecDeque::new(),
            cut: 0,
            standing: Applied::default(),
            next: 1,
        }
    }
}

impl<R: Clone> Reports<R> {
    /// The most reports that are not applied; more are not cut.
    pub const UNDER_WAY: u64 = 8;

    /// The most reports that are held for a master which keeps them in a file: one that has not
    /// written it for so long gets no more.
    pub const MOST: u64 = 64;

    /// Whether another one may be cut.
    #[must_use]
    pub fn may_cut(&self) -> bool {
        self.cut - self.standing.applied < Self::UNDER_WAY
            && self.cut - self.standing.kept < Self::MOST
    }

    /// The number of the last one that was cut.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// How many are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether the master has counted all of them.
    #[must_use]
    pub fn are_applied(&self) -> bool {
        self.standing.applied == self.cut
    }

    /// A report was cut.
    pub fn push(&mut self, report: R, sums: Sums) {
        self.cut += 1;
        self.held.push_back(Numbers {
            number: self.cut,
            sums,
            is_baseline: false,
            report,
        });
    }

    /// The next one to send on this connection.
    pub fn send(&mut self) -> Option<Numbers<R>> {
        let first = self.cut + 1 - self.held.len() as u64;
        let at = usize::try_from(self.next.checked_sub(first)?).ok()?;
        let report = self.held.get(at)?.clone();
        self.next += 1;
        Some(report)
    }

    /// The master has applied and kept so many.
    ///
    /// # Errors
    /// When so many were never cut.
    pub fn applied(&mut self, standing: Applied) -> Result<(), OutOfOrder> {
        if standing.applied > self.cut || standing.kept > standing.applied {
            return Err(OutOfOrder);
        }
        // A late word of an earlier connection takes nothing back.
        self.standing.applied = self.standing.applied.max(standing.applied);
        self.standing.kept = self.standing.kept.max(standing.kept);
        let held = usize::try_from(self.cut - self.standing.kept);
        let held = held.expect("as many are held");
        while self.held.len() > held {
            self.held.pop_front();
        }
        Ok(())
    }

    /// There is a new connection to a master that has so many. True if it needs a baseline.
    ///
    /// # Errors
    /// When it wants what was forgotten, since it had said that it keeps it, or what never was.
    pub fn resume(&mut self, standing: Standing) -> Result<bool, OutOfOrder> {
        let first = self.cut - self.held.len() as u64;
        let Standing::Applied(standing) = standing else {
            let has_one = self.held.front().is_some_and(|report| report.is_baseline);
            // It is on its way already, with what came after it.
            self.next = first + 1;
            return Ok(!has_one);
        };
        let is_baseline = self.held.front().is_some_and(|report| report.is_baseline);
        // A baseline stands for all before it, so the master has either all of it or nothing.
        if standing.applied > self.cut || (standing.applied < first && !is_baseline) {
            return Err(OutOfOrder);
        }
        self.standing = standing;
        self.next = standing.applied.max(first) + 1;
        let held = usize::try_from(self.cut - standing.kept.max(first));
        let held = held.expect("as many are held");
        while self.held.len() > held {
            self.held.pop_front();
        }
        Ok(false)
    }

    /// The sum of all that was cut so far, for a master that knows nothing of them. It comes in
    /// pieces: the first one has the number of the last report, and the others are reports after it.
    pub fn baseline(&mut self, pieces: Vec<(R, Sums)>) {
        self.held.clear();
        // Even if nothing was cut yet: a number is needed for it.
        let first = self.cut.max(1);
        for (number, (report, sums)) in (first..).zip(pieces) {
            self.cut = number;
            self.held.push_back(Numbers {
                number,
                sums,
                is_baseline: number == first,
                report,
            });
        }
        self.standing = Applied {
            applied: first - 1,
            kept: first - 1,
        };
        self.next = first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(outgoing: &mut Outgoing<char>) -> Vec<(u64, char)> {
        let letters = std::iter::from_fn(|| outgoing.send());
        letters.map(|letter| (letter.number, letter.says)).collect()
    }

    #[test]
    fn what_has_not_arrived_is_sent_again() {
        let mut outgoing = Outgoing::default();
        assert!("abc".chars().all(|letter| outgoing.push(letter)));
        assert_eq!(sent(&mut outgoing), [(1, 'a'), (2, 'b'), (3, 'c')]);
        assert_eq!(sent(&mut outgoing), []);
        outgoing.arrived(1).unwrap();
        // Of the second one only the acknowledgement was lost.
        outgoing.resume(2).unwrap();
        assert_eq!(sent(&mut outgoing), [(3, 'c')]);
        assert_eq!(outgoing.len(), 1);
        assert_eq!(outgoing.arrived(4), Err(OutOfOrder));
        assert_eq!(outgoing.resume(4), Err(OutOfOrder));
        assert_eq!(outgoing.resume(0), Err(OutOfOrder), "it is forgotten");
        outgoing.resume(3).unwrap();
        assert!(outgoing.is_empty() && outgoing.push('d'));
        assert_eq!(sent(&mut outgoing), [(4, 'd')]);
    }

    #[test]
    fn a_number_comes_once_and_in_order() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.is_next(1), Ok(true));
        assert_eq!(incoming.is_next(1), Ok(false));
        assert_eq!(incoming.is_next(3), Err(OutOfOrder));
        assert_eq!((incoming.is_next(2), incoming.heard()), (Ok(true), 2));
    }

    #[test]
    fn who_acknowledges_nothing_is_let_go() {
        let mut outgoing = Outgoing::default();
        assert!((0..Outgoing::<()>::MOST).all(|_| outgoing.push(())));
        assert!(!outgoing.push(()));
    }

    fn numbers(reports: &mut Reports<u64>) -> Vec<u64> {
        std::iter::from_fn(|| reports.send())
            .map(|it| it.number)
            .collect()
    }

    #[test]
    fn reports_are_held_until_they_are_kept() {
        let mut reports = Reports::default();
        (1..=3).for_each(|n| reports.push(n, Sums::default()));
        assert_eq!(numbers(&mut reports), [1, 2, 3]);
        let standing = |applied, kept| Applied { applied, kept };
        reports.applied(standing(2, 1)).unwrap();
        assert_eq!(reports.held(), 2);
        // The master was started again, and has what its file had.
        let resumed = reports.resume(Standing::Applied(standing(1, 1)));
        assert_eq!(resumed, Ok(false));
        assert_eq!(numbers(&mut reports), [2, 3]);
        let forgotten = reports.resume(Standing::Applied(standing(0, 0)));
        assert_eq!(forgotten, Err(OutOfOrder));
        assert!(reports.applied(standing(4, 0)).is_err());
        reports.applied(standing(3, 3)).unwrap();
        assert!(reports.are_applied() && reports.held() == 0);
    }

    #[test]
    fn while_too_many_are_under_way_none_is_cut() {
        let mut reports = Reports::default();
        let mut cut = 0;
        while reports.may_cut() {
            reports.push((), Sums::default());
            cut += 1;
        }
        assert_eq!(cut, Reports::<()>::UNDER_WAY);
        let standing = |applied, kept| Applied { applied, kept };
        reports.applied(standing(1, 1)).unwrap();
        assert!(reports.may_cut());
        // All are applied, but the master's disk is full.
        loop {
            reports.applied(standing(reports.cut(), 1)).unwrap();
            match reports.may_cut() {
                true => reports.push((), Sums::default()),
                false => break,
            }
        }
        assert_eq!(reports.held() as u64, Reports::<()>::MOST);
    }

    #[test]
    fn a_master_that_knows_nothing_gets_the_sum() {
        let mut reports = Reports::default();
        (1..=4).for_each(|n| reports.push(n, Sums::default()));
        reports
            .applied(Applied {
                applied: 4,
                kept: 3,
            })
            .unwrap();
        assert_eq!(reports.resume(Standing::Unknown), Ok(true));
        reports.baseline(vec![(10, Sums::default())]);
        reports.push(5, Sums::default());
        let next = reports.send().unwrap();
        assert_eq!((next.number, next.is_baseline, next.report), (4, true, 10));
        // It is gone before it was applied; the next connection brings it again.
        let nothing = Standing::Applied(Applied::default());
        assert_eq!(reports.resume(nothing), Ok(false));
        assert_eq!(numbers(&mut reports), [4, 5]);
        reports
            .applied(Applied {
                applied: 5,
                kept: 5,
            })
            .unwrap();
        assert!(reports.are_applied());
        // One that had cut nothing has a baseline too.
        let mut reports = Reports::default();
        reports.baseline(vec![(0, Sums::default())]);
        assert_eq!((numbers(&mut reports), reports.cut()), (vec![1], 1));
    }

    #[test]
    fn a_long_sum_comes_in_pieces_and_goes_on_where_the_connection_ended() {
        let mut reports = Reports::default();
        (1..=4).for_each(|n| reports.push(n, Sums::default()));
        assert_eq!(reports.resume(Standing::Unknown), Ok(true));
        let piece = |n| (n, Sums::default());
        reports.baseline(vec![piece(10), piece(20), piece(30)]);
        let sent = std::iter::from_fn(|| reports.send());
        let sent: Vec<_> = sent.map(|it| (it.number, it.is_baseline)).collect();
        assert_eq!(sent, [(4, true), (5, false), (6, false)]);
        let standing = |applied| Applied {
            applied,
            kept: applied,
        };
        reports.applied(standing(4)).unwrap();
        assert_eq!(reports.resume(Standing::Applied(standing(4))), Ok(false));
        assert_eq!(numbers(&mut reports), [5, 6]);
        // Another master has none of it: a part of the sum is of no use to it.
        assert_eq!(reports.resume(Standing::Unknown), Ok(true));
    }
}
