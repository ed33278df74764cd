//! What became of the load: samples, series, distributions, and the cumulative result of a run.
//!
//! Pure data and arithmetic: no clock is read, no thread started, nothing printed. Times come in
//! as microseconds since the run's epoch (the moment the load began). Nothing here knows HTTP,
//! scripts or output formats.
//!
//! ```text
//! load thread   Recorder::record(Sample) … Outbox::hand_over ─► Batch     one per thread, no lock
//! control       Collector::absorb(Batch) … Collector::summary ─► Arc<Summary>
//! ```
//!
//! What is counted: a sample is one request (or one group) that ended, well or badly. Its *service
//! time* runs from the actual start to the end of the response, its *response time* from the
//! intended start; they differ only where a user's own overrun delayed the start.

mod checks;
mod collector;
#[cfg(test)]
mod conservation;
mod cumulative;
mod dist;
mod exceptions;
mod figures;
mod generations;
mod history;
mod outbox;
mod recorder;
mod rewrite;
mod sample;
mod series;
mod summary;
mod tally;
mod unfinished;
mod window;

pub use checks::OTHER_CHECKS;
pub use collector::{Collector, LAG_LIMIT_US};
pub use history::{History, Mark, Marked, Second};
pub use outbox::Outbox;
pub use recorder::{Batch, Iterations, Limits, Recorder};
pub use sample::{Outcome, Sample, Slots};
pub use series::{Kind, OTHER_NAMES, SeriesId, SeriesKey};
pub use summary::{
    Caveats, CheckRow, CounterRow, Distribution, ErrorRow, ExceptionRow, Generation,
    GenerationRows, Generator, MetricRow, QUANTILES, Row, Summary, Users,
};
pub use tally::OTHER_TEXTS;
pub use unfinished::Unfinished;
