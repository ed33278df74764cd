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
    fn record(&mut self, service_us: u64, response_us: u64) {
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
        self.window.merge(&other.window);
    }
}
