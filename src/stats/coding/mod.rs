//! Reports as bytes: what a member of a run sends to the collector of another process.
//!
//! Owns the form, both ways, and what is believed of bytes from outside: nothing. Carrying them, each
//! exactly once and in order, is left to the transport.
//!
//! All numbers are varints (LEB128, unsigned), all texts UTF-8 behind their length in bytes, all
//! lists behind their length.
//!
//! ```text
//! report   keys cells lags gauges errors exceptions checks counters metrics
//!          started finished interrupted missed dropped  stale_retries folded last_end_us past?
//! key      kind [protocol] class? name method          only what this stream has not named yet
//! cell     second series generation flags [times …] sent received clipped lag_us
//! times    count min_us (max_us - min_us) sum_us clipped buckets: {step of the index, count}
//! lag      second times;    gauge  second in_flight cpu_us
//! text     owner text count first_us (last_us - first_us) stack? trace;    exception  place text
//! trace    power before counts
//! counter  name count;      metric name count min max sum clipped buckets: {step of the key, count}
//! past     {second, what it counted} {from series length figures}, as the timeline has them
//! ```
//!
//! A bucket takes about 2.3 bytes, as most steps and counts are small. Only buckets that have
//! something are there, so a cell of a second is never longer than its samples are many.

mod past;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{Bounds, Damaged, Decoder};
pub use write::Encoder;

/// Counts beyond this are nobody's: so many requests take a year of a million a second, and sums of
/// a million of them still fit.
const MOST: u64 = 1 << 44;

/// The longest text, in bytes.
const LONGEST_TEXT: usize = 4_096;

/// What a cell has, in one number.
const SUCCESSES: u64 = 1;
const FAILURES: u64 = 1 << 1;
const SUCCESSES_DIFFER: u64 = 1 << 2;
const FAILURES_DIFFER: u64 = 1 << 3;
const MISSED: u64 = 1 << 4;
const UNFINISHED: u64 = 1 << 5;
const UNFINISHED_DIFFER: u64 = 1 << 6;
const FLAGS: u64 = (1 << 7) - 1;

/// What a series measures.
const HTTP: u64 = 0;
const GROUP: u64 = 1;
const PROTOCOL: u64 = 2;
