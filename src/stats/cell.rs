//! A cell: what the samples of one series and generation that ended in one second add up to, in a
//! form that merges.
//!
//! There is one form for numbers, wherever they are kept: a second of the window, a line of a
//! report, a load thread's uncollected samples, and, as the sum of all its cells, a series' total.
//! Which series there are, and which second it is, is not known here.

use super::dist::Dist;
use super::sample::{Outcome, Sample, Slots};

/// A missed slot each up to this many; longer stalls are recorded in as many even steps, so that a
/// pace of microseconds cannot keep the control thread busy.
const MAX_STEPS: u64 = 10_000;

/// Service and response times of the same samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    pub(super) service: Dist,
    /// Equal to `service` until the first response time that is not.
    pub(super) differing: Option<Box<Dist>>,
}

impl Latencies {
    #[inline]
    pub(super) fn record(&mut self, service_us: u64, response_us: u64) {
        if service_us != response_us || self.differing.is_some() {
            self.own_response().record(response_us);
        }
        self.service.record(service_us);
    }

    /// The response times.
    pub(super) fn response(&self) -> &Dist {
        self.differing.as_deref().unwrap_or(&self.service)
    }

    fn own_response(&mut self) -> &mut Dist {
        self.differing
            .get_or_insert_with(|| Box::new(self.service.clone()))
    }

    /// Whether all response times are the service times.
    pub(super) fn is_same(&self) -> bool {
        self.differing.is_none()
    }

    pub(super) fn merge(&mut self, other: &Latencies) {
        if self.differing.is_some() || other.differing.is_some() {
            self.own_response().merge(other.response());
        }
        self.service.merge(&other.service);
    }

    fn close(&mut self) {
        self.service.close();
        if let Some(response) = &mut self.differing {
            response.close();
        }
    }

    /// Times above the longest that quantiles know, in either.
    fn clipped(&self) -> u64 {
        let response = self.differing.as_ref();
        self.service.clipped + response.map_or(0, |response| response.clipped)
    }
}

/// Response times of the slots that paced users missed, by how the request ended that answered
/// them.
#[derive(Clone, Debug, Default)]
pub(super) struct Missed {
    pub(super) successes: Dist,
    pub(super) failures: Dist,
}

impl Missed {
    fn of_mut(&mut self, outcome: Outcome) -> &mut Dist {
        match outcome {
            Outcome::Success => &mut self.successes,
            Outcome::Failure => &mut self.failures,
        }
    }

    fn of(&self, outcome: Outcome) -> &Dist {
        match outcome {
            Outcome::Success => &self.successes,
            Outcome::Failure => &self.failures,
        }
    }
}

/// Counts, bytes and times of one series and generation in one second, or the sum of such cells.
///
/// Cells merge in any order: those of any split over threads, members of a run, batches and reports
/// sum to the same, bucket for bucket.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub(super) successes: Latencies,
    pub(super) failures: Latencies,
    pub(super) missed: Option<Box<Missed>>,
    /// The ages of requests that had not ended when they were cut: in no count and no time of the
    /// others.
    pub(super) unfinished: Option<Box<Latencies>>,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Fields of samples that were cut to fit.
    pub(super) clipped: u64,
    /// The greatest lag with which an iteration began.
    pub(super) lag_us: u64,
}

impl Cell {
    /// Adds one sample.
    #[inline]
    pub(super) fn record(&mut self, sample: &Sample) {
        self.of_mut(sample.outcome)
            .record(u64::from(sample.service_us), sample.response_us());
        self.sent = self.sent.saturating_add(u64::from(sample.sent));
        self.received = self.received.saturating_add(u64::from(sample.received));
        self.clipped += u64::from(sample.clipped);
        self.lag_us = self.lag_us.max(u64::from(sample.lag_us));
    }

    /// Adds the response times of missed slots.
    pub(super) fn slots(&mut self, slots: &Slots) {
        if slots.count == 0 {
            return;
        }
        let missed = self.missed.get_or_insert_default();
        let response = missed.of_mut(slots.outcome);
        let width = slots.count.div_ceil(MAX_STEPS).max(1);
        let mut done = 0;
        while done < slots.count {
            let n = width.min(slots.count - done);
            let middle = done + (n - 1) / 2;
            let us = slots
                .longest_us
                .saturating_sub(slots.period_us.saturating_mul(middle));
            response.record_n(us, n);
            done += n;
        }
    }

    /// Adds a request that had not ended when it was cut, by its ages.
    pub(super) fn cut(&mut self, service_us: u64, response_us: u64) {
        let ages = self.unfinished.get_or_insert_default();
        ages.record(service_us, response_us);
    }

    fn of_mut(&mut self, outcome: Outcome) -> &mut Latencies {
        match outcome {
            Outcome::Success => &mut self.successes,
            Outcome::Failure => &mut self.failures,
        }
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.requests() == 0 && self.missed.is_none() && self.unfinished.is_none()
    }

    /// Requests that ended, failures included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.successes.service.count + self.failures.service.count
    }

    /// Failures among them.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.service.count
    }

    /// Requests that were cut before they ended; in no other count.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        let ages = self.unfinished.as_ref();
        ages.map_or(0, |ages| ages.service.count)
    }

    /// Slots that paced users missed.
    #[must_use]
    pub fn missed(&self) -> u64 {
        let missed = self.missed.as_ref();
        missed.map_or(0, |missed| missed.successes.count + missed.failures.count)
    }

    /// Numbers that were cut to fit, in samples and in times.
    pub(super) fn all_clipped(&self) -> u64 {
        let missed = self.missed.as_ref();
        let missed = missed.map_or(0, |slots| slots.successes.clipped + slots.failures.clipped);
        self.clipped + self.successes.clipped() + self.failures.clipped() + missed
    }

    /// The service times of all that ended.
    pub(super) fn service(&self) -> impl Iterator<Item = &Dist> {
        [&self.successes.service, &self.failures.service].into_iter()
    }

    /// Their response times, without missed slots.
    pub(super) fn answered(&self) -> impl Iterator<Item = &Dist> {
        [self.successes.response(), self.failures.response()].into_iter()
    }

    /// Their response times, and those of missed slots.
    pub(super) fn response(&self) -> impl Iterator<Item = &Dist> {
        let outcomes = [Outcome::Success, Outcome::Failure].into_iter();
        outcomes.flat_map(|outcome| self.response_of(outcome))
    }

    /// The response times of one outcome, and those of missed slots.
    pub(super) fn response_of(&self, outcome: Outcome) -> impl Iterator<Item = &Dist> {
        let times = match outcome {
            Outcome::Success => &self.successes,
            Outcome::Failure => &self.failures,
        };
        let missed = self.missed.as_ref().map(|missed| missed.of(outcome));
        [times.response()].into_iter().chain(missed)
    }

    /// Whether response times, missed slots and all, are the service times.
    pub(super) fn is_answered_in_time(&self) -> bool {
        self.successes.is_same() && self.failures.is_same() && self.missed.is_none()
    }

    /// Makes it small: its second is over, or it is handed on. It may still be added to.
    pub(super) fn close(&mut self) {
        self.successes.close();
        self.failures.close();
        if let Some(missed) = &mut self.missed {
            missed.successes.close();
            missed.failures.close();
        }
        if let Some(ages) = &mut self.unfinished {
            ages.close();
        }
    }

    /// Adds all of `other`; associative and commutative.
    pub(super) fn merge(&mut self, other: &Cell) {
        self.successes.merge(&other.successes);
        self.failures.merge(&other.failures);
        if let Some(theirs) = &other.missed {
            let missed = self.missed.get_or_insert_default();
            missed.successes.merge(&theirs.successes);
            missed.failures.merge(&theirs.failures);
        }
        if let Some(ages) = &other.unfinished {
            self.unfinished.get_or_insert_default().merge(ages);
        }
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.clipped += other.clipped;
        self.lag_us = self.lag_us.max(other.lag_us);
    }
}

/// The sum of those.
pub(super) fn together<'a>(parts: impl Iterator<Item = &'a Dist>) -> Dist {
    let mut sum = Dist::default();
    parts.for_each(|part| sum.merge(part));
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::SeriesId;

    const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 1.0];

    fn sample(end_s: u64, outcome: Outcome, service_us: u64, late_us: u64) -> Sample {
        let start_us = (end_s * 1_000_000).saturating_sub(service_us);
        Sample::new(SeriesId::new(0), 1, outcome, start_us)
            .service_us(service_us)
            .late_us(late_us)
            .bytes(10, service_us * 3)
            .lag_us(end_s)
    }

    fn of(samples: &[Sample]) -> Cell {
        let mut cell = Cell::default();
        for sample in samples {
            cell.record(sample);
        }
        cell
    }

    fn slots(outcome: Outcome, longest_us: u64, period_us: u64, count: u64) -> Slots {
        Slots {
            series: SeriesId::new(0),
            generation: 1,
            outcome,
            at_us: 0,
            longest_us,
            period_us,
            count,
        }
    }

    fn everything(cell: &Cell) -> impl PartialEq + std::fmt::Debug + use<> {
        let times = [&cell.successes, &cell.failures].map(|latencies| {
            [&latencies.service, latencies.response()].map(|dist| {
                (
                    dist.count,
                    dist.min_us,
                    dist.max_us,
                    dist.sum_us,
                    dist.quantiles_us(&QUANTILES),
                )
            })
        });
        let missed = [Outcome::Success, Outcome::Failure]
            .map(|outcome| together(cell.response_of(outcome)).buckets());
        (
            times,
            missed,
            cell.sent,
            cell.received,
            cell.clipped,
            cell.lag_us,
        )
    }

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let outcome = prop_oneof![Just(Outcome::Success), Just(Outcome::Failure)];
        let late = prop_oneof![3 => Just(0_u64), 1 => 0..5_000_000_000_u64];
        prop::collection::vec(
            (0_u64..30, outcome, 0_u64..100_000, late).prop_map(|(s, o, t, l)| sample(s, o, t, l)),
            0..40,
        )
    }

    #[test]
    fn merging_is_associative_commutative_and_the_same_as_recording() {
        proptest!(ProptestConfig::with_cases(48), |(a in samples(), b in samples(), c in samples())| {
            let (x, mut y, z) = (of(&a), of(&b), of(&c));
            y.close();
            let mut left = x.clone();
            left.merge(&y);
            left.merge(&z);
            let mut right = z;
            right.merge(&y);
            let mut outer = x;
            outer.merge(&right);
            let mut sorted = [a, b, c].concat();
            sorted.sort_by_key(Sample::end_us);
            prop_assert_eq!(everything(&left), everything(&outer));
            prop_assert_eq!(everything(&left), everything(&of(&sorted)));
        });
    }

    #[test]
    fn response_times_have_a_distribution_only_once_one_differs() {
        let mut cell = of(&[
            sample(1, Outcome::Success, 200, 0),
            sample(2, Outcome::Success, 300, 0),
        ]);
        assert!(cell.successes.differing.is_none());
        assert_eq!(cell.successes.response().count, 2);

        cell.record(&sample(3, Outcome::Success, 100, 5_000));
        cell.record(&sample(3, Outcome::Failure, 7, 0));

        let response = cell.successes.response();
        assert_eq!(
            (response.count, response.min_us, response.max_us),
            (3, 200, 5_100)
        );
        assert_eq!(cell.successes.service.max_us, 300);
        assert!(cell.failures.differing.is_none());
        assert_eq!((cell.requests(), cell.failures.service.count), (4, 1));
    }

    #[test]
    fn missed_slots_enter_response_times_and_nothing_else() {
        let mut cell = of(&[sample(1, Outcome::Success, 200, 0)]);
        cell.slots(&slots(Outcome::Success, 1_000_000, 100_000, 3));
        cell.slots(&slots(Outcome::Success, 1_000_000, 100_000, 0));

        let response = together(cell.response_of(Outcome::Success));
        assert_eq!((response.count, response.max_us), (4, 1_000_000));
        assert_eq!(response.sum_us, 200 + 1_000_000 + 900_000 + 800_000);
        assert_eq!(together(cell.response()).sum_us, response.sum_us);
        assert_eq!((cell.requests(), cell.missed()), (1, 3));
        assert_eq!(together(cell.answered()).count, 1);
    }

    #[test]
    fn a_stall_of_millions_of_slots_is_recorded_in_even_steps() {
        let mut cell = Cell::default();
        cell.slots(&slots(Outcome::Failure, 60_000_000, 1, 60_000_000));

        let response = together(cell.response_of(Outcome::Failure));
        assert_eq!(response.count, 60_000_000);
        let [p50, p90, _, max] = response.quantiles_us(&QUANTILES);
        let is_near = |us: u64, exact: u64| us.abs_diff(exact) * 500 < exact;
        assert!(is_near(p50, 30_000_000) && is_near(p90, 54_000_000) && is_near(max, 60_000_000));
    }
}
