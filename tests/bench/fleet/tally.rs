//! What simulated workers sent, and when they heard of it again.
//!
//! Owns no verdict: what is too slow stands in `main`.

use katydid::clock::Micros;

/// Of all workers.
#[derive(Default)]
pub(crate) struct Tally {
    /// Workers that were told to start users.
    pub(crate) started: u32,
    /// Connections that came to nothing.
    pub(crate) turned_away: u32,
    /// Reports that were cut, the samples in them, and their bytes as they were sent.
    pub(crate) reports: u64,
    pub(crate) samples: u64,
    pub(crate) bytes: u64,
    /// Reports that were applied: when they were sent, and how many µs later that was heard.
    pub(crate) applied: Vec<(Micros, u64)>,
}

impl Tally {
    /// From sending a report to hearing that it is applied, in µs, of those sent within a window:
    /// the median, the 99th of a hundred, and the longest. Zeros without any.
    pub(crate) fn times(&self, from: Micros, to: Micros) -> [u64; 3] {
        let sent = self.applied.iter();
        let within = sent.filter(|(sent, _)| *sent >= from && *sent < to);
        let mut times: Vec<u64> = within.map(|(_, us)| *us).collect();
        times.sort_unstable();
        let at = |hundredths: usize| times.get((times.len() * hundredths).div_ceil(100).max(1) - 1);
        [50, 99, 100].map(|hundredths| at(hundredths).copied().unwrap_or(0))
    }
}
