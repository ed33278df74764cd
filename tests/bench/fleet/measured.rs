//! What came of a fleet: its line of the table, and what must hold of it.
//!
//! Owns the limits. Times are of this process: they include what simulating the workers takes.

use std::time::Duration;

use crate::Fleet;
use crate::master::{Cpu, Ended};

/// Of the table.
pub(crate) const HEAD: &str = "\
workers x names x buckets | master's cores (of its thread for workers) | peak MB (at the end) | \
report to applied, ms: p50 p99 max | reports/s, MB/s | all begun after (connections turned away)";

/// What must hold: less than one core, less memory than this, every report applied so soon, and
/// nearly one report a second of each worker.
const MOST_BYTES: u64 = 1_000_000_000;
const MOST_US: u64 = 2_000_000;
const LEAST_REPORTS: f64 = 0.98;

/// What came of it.
pub(crate) struct Measured {
    pub(crate) length: Duration,
    pub(crate) cpu: Cpu,
    /// The master's memory at the most, up to the end of the window.
    pub(crate) peak: u64,
    pub(crate) times_us: [u64; 3],
    /// Reports and bytes of them, in the window.
    pub(crate) reports: u64,
    pub(crate) bytes: u64,
    /// After so long all workers had begun, and so many connections had come to nothing.
    pub(crate) joined: Duration,
    pub(crate) turned_away: u32,
    /// In all reports.
    pub(crate) samples: u64,
    /// Workers that were let go in order.
    pub(crate) done: u32,
    pub(crate) ended: Ended,
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
impl Measured {
    /// Its line of the table.
    pub(crate) fn line(&self, fleet: Fleet) -> String {
        let length_s = self.length.as_secs_f64();
        let [p50, p99, max] = self.times_us.map(|us| us as f64 / 1e3);
        format!(
            "{} x {} x {} | {:.3} ({:.3}) | {} ({}) | {p50:.1} {p99:.1} {max:.1} | {:.0}, {:.1} | \
             {:.1} s ({})",
            fleet.workers,
            fleet.names,
            fleet.buckets,
            self.cpu.whole_s / length_s,
            self.cpu.cluster_s / length_s,
            self.peak / 1_000_000,
            self.ended.peak / 1_000_000,
            self.reports as f64 / length_s,
            self.bytes as f64 / length_s / 1e6,
            self.joined.as_secs_f64(),
            self.turned_away,
        )
    }

    /// What is not as it must be.
    pub(crate) fn wrong(&self, fleet: Fleet) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, what: String| wrong.extend((!holds).then_some(what));
        let length_s = self.length.as_secs_f64();
        let cores = self.cpu.whole_s / length_s;
        must(cores < 1.0, format!("the master takes {cores:.2} cores"));
        let peak = self.peak.max(self.ended.peak);
        must(peak < MOST_BYTES, format!("the master has {peak} bytes"));
        let max = self.times_us[2];
        must(max < MOST_US, format!("a report waits {max} µs"));
        let expected = f64::from(fleet.workers) * length_s * LEAST_REPORTS;
        let reports = self.reports;
        must(
            reports as f64 >= expected,
            format!("{reports} reports in {length_s:.0} s"),
        );
        let done = self.done;
        must(
            done == fleet.workers,
            format!("{done} workers ended in order"),
        );
        let Ended {
            status, document, ..
        } = &self.ended;
        let lines = self.ended.lines.join("\n");
        must(
            status.success(),
            format!("the master ends with {status}:\n{lines}"),
        );
        let counted = document.pointer("/total/requests");
        let counted = counted.and_then(serde_json::Value::as_u64);
        let sent = self.samples;
        must(
            counted == Some(sent),
            format!("{sent} samples were sent, and {counted:?} are in the figures"),
        );
        wrong
    }
}
