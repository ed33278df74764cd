//! Closing the seconds of a run: what the history says of each, some of it over several seconds.
//!
//! Cells of a second may come late, from a thread that was busy or another member of the run. They
//! count in it, and its figures over several seconds are recomputed, percentiles for as long as
//! the times are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::cell::{Cell, together};
use super::dist::Dist;
use super::history::{History, Second};
use super::ledger::Gauge;
use super::pauses::common;
use super::sum::Sum;
use super::summary::{Distribution, Users, per_second};
use super::window::{SECONDS, rates_over_us};

/// A generator that acts later than this on what is due makes times doubtful: 10 ms, in µs.
pub const LAG_LIMIT_US: u64 = 10_000;

/// Percentiles of this many closed seconds may still change.
const KEPT: u64 = 120;

/// The seconds of a run, all requests together.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    history: History,
    /// Response times of the latest seconds.
    times: BTreeMap<u64, Dist>,
    /// Seconds before this one are closed.
    closed: u64,
    /// Of seconds before this one the times are not all here.
    recalled: u64,
    /// Seconds to which something was added since the last was closed.
    changed: BTreeSet<u64>,
    /// Greatest lags of seconds that are not closed.
    lags: BTreeMap<u64, u64>,
    /// Closed seconds that turned out to be tainted, and how late the generator was.
    tainted: BTreeMap<u64, u64>,
    sum: Sum,
}

impl Seconds {
    /// All there are.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Adds what ended in a second.
    pub(super) fn add(&mut self, second: u64, cell: &Cell) {
        let Some(open) = self.history.second(second) else {
            return;
        };
        open.count(cell);
        self.changed.insert(second);
        if second >= self.first_kept() {
            let mut answered = together(cell.answered());
            answered.close();
            let times = self.times.entry(second).or_default();
            times.close();
            times.merge(&answered);
        }
    }

    /// Adds what a member of the run says of the end of a second.
    pub(super) fn gauge(&mut self, second: u64, gauge: Gauge) {
        if let Some(open) = self.history.second(second) {
            open.in_flight += gauge.in_flight;
            open.cpu_us += gauge.cpu_us;
        }
    }

    /// The run goes on from that second: those before it were others' to close.
    pub(super) fn begin(&mut self, second: u64) {
        self.closed = self.closed.max(second);
    }

    /// Adds what is known of seconds from another collector or member, without their times.
    pub(super) fn recall(&mut self, seconds: &[(u64, Second)]) {
        for (second, known) in seconds {
            if let Some(ours) = self.history.second(*second) {
                ours.recall(known);
                self.changed.insert(*second);
                self.recalled = self.recalled.max(second + 1);
            }
        }
    }

    /// Notes how late the generator was in a second.
    pub(super) fn lag(&mut self, second: u64, lag_us: u64) {
        if second >= self.closed {
            let lag = self.lags.entry(second).or_default();
            *lag = lag_us.max(*lag);
            return;
        }
        let Some(closed) = self.history.second(second) else {
            return;
        };
        closed.lag_us = closed.lag_us.max(lag_us);
        if lag_us > LAG_LIMIT_US {
            let worst = self.tainted.entry(second).or_default();
            *worst = lag_us.max(*worst);
        }
    }

    /// Nobody was at work between these moments, in µs since the run's epoch.
    pub(super) fn rest(&mut self, (from_us, to_us): (u64, u64)) {
        for second in from_us / 1_000_000..to_us.div_ceil(1_000_000) {
            let span = (second * 1_000_000, (second + 1) * 1_000_000);
            let Some(paused) = self.history.second(second) else {
                return;
            };
            paused.paused_us += common(span, (from_us, to_us));
            self.changed.insert(second);
        }
    }

    /// In that second times are doubtful.
    pub(super) fn taint(&mut self, second: u64) {
        if let Some(second) = self.history.second(second) {
            second.is_tainted = true;
        }
    }

    /// Closes all seconds before `now`, which had these users. Gives those
    /// that turned out to be tainted.
    pub(super) fn close(&mut self, now: u64, users: Users) -> BTreeMap<u64, u64> {
        for second in self.closed..now {
            let Some(open) = self.history.second(second) else {
                break;
            };
            (open.users, open.asked, open.behind) = (users.running, users.asked, users.behind);
            self.changed.insert(second);
        }
        self.closed = self.closed.max(now);
        let running = self.lags.split_off(&self.closed);
        for (second, lag_us) in mem::replace(&mut self.lags, running) {
            self.lag(second, lag_us);
        }
        let mut next = 0;
        for changed in mem::take(&mut self.changed) {
            let last = self.closed.min(changed + SECONDS);
            (next.max(changed)..last).for_each(|second| self.compute(second));
            next = next.max(last);
        }
        self.times = self.times.split_off(&self.first_kept());
        mem::take(&mut self.tainted)
    }

    /// Seconds before are not looked at any more.
    fn first_kept(&self) -> u64 {
        self.closed.saturating_sub(KEPT + SECONDS)
    }

    /// The figures of a closed second that are over up to ten.
    fn compute(&mut self, second: u64) {
        let first = (second + 1).saturating_sub(SECONDS);
        let (mut requests, mut failures, mut paused_us) = (0, 0, 0);
        for past in (first..=second).filter_map(|past| self.history.get(past)) {
            requests += past.requests;
            failures += past.failures;
            paused_us += past.paused_us;
        }
        let length_us = rates_over_us(second + 1 - first, paused_us);
        let is_kept = second + KEPT >= self.closed && second >= self.recalled;
        let current = is_kept.then(|| {
            let within = self.times.range(first..=second).map(|(_, times)| times);
            Distribution::of_all(within, &mut self.sum)
        });
        let Some(closed) = self.history.second(second) else {
            return;
        };
        closed.rps = per_second(requests, length_us);
        closed.failures_per_s = per_second(failures, length_us);
        if let Some(current) = current {
            (closed.p50_us, closed.p95_us) = (current.p50_us(), current.p95_us());
        }
    }
}
