//! What a run has measured so far, and its publication.
//!
//! Owns the collector and the summaries that readers watch. The loop decides when to publish one.

use std::sync::Arc;

use tokio::sync::watch;

use super::usage;
use crate::stats::{Batch, Collector, Generation, Limits, Mark, Report, Summary, WorkerRow};

/// After this many iterations without a request, a run gets a notice.
pub(super) const SILENT_ITERATIONS: u64 = 10;

/// How many users there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UserCounts {
    pub(super) now: u32,
    /// The most at any moment since the last second was closed.
    pub(super) peak: u32,
    /// Users that are not in the generation in service.
    pub(super) behind: u32,
}

/// The numbers of one run.
pub(super) struct Numbers {
    collector: Collector,
    summary: watch::Sender<Arc<Summary>>,
    may_be_silent: bool,
}

impl Numbers {
    pub(super) fn new(now_unix_us: i64) -> Numbers {
        let mut collector = Collector::new(Limits::default());
        // For a run whose users never begin.
        collector.begin(now_unix_us);
        let (summary, _) = watch::channel(collector.summary(0));
        Numbers {
            collector,
            summary,
            may_be_silent: true,
        }
    }

    /// The result so far, and all later ones.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Summary>> {
        self.summary.subscribe()
    }

    /// The first users begin, at that moment in µs since 1970.
    pub(super) fn begin(&mut self, epoch_unix_us: i64) {
        // What was used before belongs to no second.
        self.collector
            .generator(usage::cpu_us(), usage::max_rss_bytes());
        self.collector.begin(epoch_unix_us);
    }

    /// They have begun so long ago, under others.
    pub(super) fn go_on(&mut self, now_us: u64) {
        self.collector.go_on(now_us);
        self.may_be_silent = false;
    }

    /// Adds a batch; returns it empty.
    pub(super) fn absorb(&mut self, batch: Batch) -> Batch {
        self.collector.absorb(batch)
    }

    /// Adds what a member elsewhere measured; each report has to come once.
    pub(super) fn apply(&mut self, report: &Report) {
        self.collector.apply(report);
    }

    /// The workers of the run, as they stand now.
    pub(super) fn workers(&mut self, workers: Arc<[WorkerRow]>) {
        self.collector.workers(workers);
    }

    /// A generation goes into service; to be called before its first sample can arrive.
    pub(super) fn generation(&mut self, n: u16, hash: &str, at_us: u64) {
        let hash = hash.into();
        self.collector.generation(Generation { n, hash, at_us });
    }

    /// Sets how many users the plan asks for from now on.
    pub(super) fn asked(&mut self, users: u32) {
        self.collector.asked(u64::from(users));
    }

    /// Adds a mark to the timeline.
    pub(super) fn mark(&mut self, at_us: u64, mark: Mark) {
        self.collector.mark(at_us, mark);
    }

    /// Sets all figures to zero.
    pub(super) fn reset(&mut self, at_us: u64) {
        self.collector.reset(at_us);
    }

    /// The run is paused.
    pub(super) fn pause(&mut self, at_us: u64) {
        self.collector.pause(at_us);
    }

    /// It goes on.
    pub(super) fn resume(&mut self, at_us: u64) {
        self.collector.resume(at_us);
    }

    /// Adds requests that were in flight when their users were cut.
    pub(super) fn in_flight(&mut self, requests: u64) {
        self.collector.in_flight(requests);
    }

    /// Counts an exception in a function that runs once.
    pub(super) fn exception(&mut self, at_us: u64, message: &str, place: &str) {
        self.collector.exception(at_us, message, place);
    }

    /// Users are told to stop.
    pub(super) fn end(&mut self, now_us: u64) {
        self.collector.end(now_us);
    }

    /// Closes a second and shows the figures. True, once, if iterations end and nothing was
    /// measured.
    pub(super) fn tick(&mut self, now_us: u64, users: UserCounts) -> bool {
        let (now, peak) = (u64::from(users.now), u64::from(users.peak));
        self.collector.users(now, peak);
        self.collector
            .generator(usage::cpu_us(), usage::max_rss_bytes());
        self.collector.tick(now_us);
        let is_silent = self.may_be_silent && self.collector.is_silent_after(SILENT_ITERATIONS);
        self.may_be_silent &= !is_silent;
        self.show(now_us, users.behind);
        is_silent
    }

    /// Publishes the figures so far; `behind` users are in an older generation.
    pub(super) fn show(&mut self, now_us: u64, behind: u32) {
        self.collector.behind(u64::from(behind));
        self.summary.send_replace(self.collector.summary(now_us));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_sees_the_latest_figures() {
        let mut numbers = Numbers::new(7);
        let (one, other) = (numbers.watch(), numbers.watch());
        numbers.generation(1, "abc", 0);
        let users = UserCounts {
            now: 3,
            peak: 5,
            behind: 1,
        };
        assert!(!numbers.tick(1_000_000, users));
        for seen in [one, other] {
            let summary = seen.borrow();
            assert_eq!((summary.users.running, summary.users.peak), (3, 5));
            assert_eq!(summary.epoch_unix_us, 7);
            assert_eq!(&*summary.generations[0].hash, "abc");
        }
    }
}
