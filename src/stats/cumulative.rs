//! What a series adds up to: counts, bytes and times of all its samples, in a form that merges.
//!
//! The same type serves the whole run (collector) and a load thread that nobody relieved of its
//! batch. Which series there are is not known here.

use super::dist::Dist;
use super::sample::{Outcome, Sample, Slots};
use super::summary::Distribution;
use super::window::Window;

/// A missed slot each up to this many; longer stalls are recorded in as many even steps, so that a
/// pace of microseconds cannot keep the control thread busy.
const MAX_STEPS: u64 = 10_000;

/// Service and response times of the same samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    pub(super) service: Dist,
    /// Equal to `service` until the first response time that is not.
    differing: Option<Dist>,
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
        self.differing.as_ref().unwrap_or(&self.service)
    }

    fn own_response(&mut self) -> &mut Dist {
        self.differing.get_or_insert_with(|| self.service.clone())
    }

    fn slots(&mut self, slots: &Slots) {
        let response = self.own_response();
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

    pub(super) fn merge(&mut self, other: &Latencies) {
        if self.differing.is_some() || other.differing.is_some() {
            self.own_response().merge(other.response());
        }
        self.service.merge(&other.service);
    }

    /// Service and response times as rows of a summary.
    pub(super) fn distributions(&self) -> (Distribution, Distribution) {
        let service = Distribution::of(&self.service);
        (
            service,
            self.differing.as_ref().map_or(service, Distribution::of),
        )
    }

    /// Times above the longest that quantiles know, in either.
    fn clipped(&self) -> u64 {
        self.service.clipped
            + self
                .differing
                .as_ref()
                .map_or(0, |response| response.clipped)
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.response().count == 0
    }
}

/// Everything a series adds up to.
#[derive(Clone, Debug, Default)]
pub(super) struct SeriesStats {
    pub(super) successes: Latencies,
    pub(super) failures: Latencies,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Fields of samples that were cut to fit.
    pub(super) clipped: u64,
    /// The ages of requests that had not ended when they were cut: in no count and no time of the
    /// others.
    pub(super) unfinished: Option<Box<Latencies>>,
    pub(super) window: Window,
}

impl SeriesStats {
    /// Adds one sample.
    #[inline]
    pub(super) fn record(&mut self, sample: &Sample) {
        let response_us = sample.response_us();
        self.of_mut(sample.outcome)
            .record(u64::from(sample.service_us), response_us);
        self.sent = self.sent.saturating_add(u64::from(sample.sent));
        self.received = self.received.saturating_add(u64::from(sample.received));
        self.clipped += u64::from(sample.clipped);
        self.window
            .record(sample.end_us(), sample.outcome, response_us);
    }

    /// Adds the response times of missed slots.
    pub(super) fn slots(&mut self, slots: &Slots) {
        if slots.count > 0 {
            self.of_mut(slots.outcome).slots(slots);
        }
    }

    fn of_mut(&mut self, outcome: Outcome) -> &mut Latencies {
        match outcome {
            Outcome::Success => &mut self.successes,
            Outcome::Failure => &mut self.failures,
        }
    }

    /// Adds requests that had not ended when they were cut.
    pub(super) fn cut(&mut self, ages: &Latencies) {
        self.unfinished.get_or_insert_default().merge(ages);
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.successes.is_empty() && self.failures.is_empty() && self.unfinished.is_none()
    }

    /// Requests that ended, failures included.
    pub(super) fn requests(&self) -> u64 {
        self.successes.service.count + self.failures.service.count
    }

    /// Numbers that were cut to fit, in samples and in times.
    pub(super) fn all_clipped(&self) -> u64 {
        self.clipped + self.successes.clipped() + self.failures.clipped()
    }

    /// Adds all of `other`; associative and commutative.
    pub(super) fn merge(&mut self, other: &SeriesStats) {
        self.successes.merge(&other.successes);
        self.failures.merge(&other.failures);
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.clipped += other.clipped;
        if let Some(unfinished) = &other.unfinished {
            self.cut(unfinished);
        }
        self.window.merge(&other.window);
    }
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
    }

    fn of(samples: &[Sample]) -> SeriesStats {
        let mut stats = SeriesStats::default();
        for sample in samples {
            stats.record(sample);
        }
        stats
    }

    fn everything(stats: &SeriesStats) -> impl PartialEq + std::fmt::Debug + use<> {
        let times = [&stats.successes, &stats.failures].map(|latencies| {
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
        let windows: Vec<_> = (0..40)
            .map(|now| stats.window.completed(now).0)
            .map(|slot| {
                (
                    slot.requests,
                    slot.failures,
                    slot.response.quantiles_us(&QUANTILES),
                )
            })
            .collect();
        (times, stats.sent, stats.received, stats.clipped, windows)
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
            let (x, y, z) = (of(&a), of(&b), of(&c));
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
    fn response_times_have_a_histogram_only_once_one_differs() {
        let mut stats = of(&[
            sample(1, Outcome::Success, 200, 0),
            sample(2, Outcome::Success, 300, 0),
        ]);
        assert!(stats.successes.differing.is_none());
        assert_eq!(stats.successes.response().count, 2);

        stats.record(&sample(3, Outcome::Success, 100, 5_000));
        stats.record(&sample(3, Outcome::Failure, 7, 0));

        let response = stats.successes.response();
        assert_eq!(
            (response.count, response.min_us, response.max_us),
            (3, 200, 5_100)
        );
        assert_eq!(stats.successes.service.max_us, 300);
        assert!(stats.failures.differing.is_none());
        assert_eq!((stats.requests(), stats.failures.service.count), (4, 1));
    }

    #[test]
    fn missed_slots_enter_response_times_and_nothing_else() {
        let mut stats = of(&[sample(1, Outcome::Success, 200, 0)]);
        let slots = |count| Slots {
            series: SeriesId::new(0),
            generation: 1,
            outcome: Outcome::Success,
            longest_us: 1_000_000,
            period_us: 100_000,
            count,
        };
        stats.slots(&slots(3));
        stats.slots(&slots(0));

        let response = stats.successes.response();
        assert_eq!((response.count, response.max_us), (4, 1_000_000));
        assert_eq!(response.sum_us, 200 + 1_000_000 + 900_000 + 800_000);
        assert_eq!(stats.requests(), 1);
        assert_eq!(stats.window.completed(2).0.requests, 1);
    }

    #[test]
    fn a_stall_of_millions_of_slots_is_recorded_in_even_steps() {
        let mut stats = SeriesStats::default();
        stats.slots(&Slots {
            series: SeriesId::new(0),
            generation: 1,
            outcome: Outcome::Failure,
            longest_us: 60_000_000,
            period_us: 1,
            count: 60_000_000,
        });

        let response = stats.failures.response();
        assert_eq!(response.count, 60_000_000);
        let [p50, p90, _, max] = response.quantiles_us(&QUANTILES);
        let is_near = |us: u64, exact: u64| us.abs_diff(exact) * 500 < exact;
        assert!(is_near(p50, 30_000_000) && is_near(p90, 54_000_000) && is_near(max, 60_000_000));
    }
}
