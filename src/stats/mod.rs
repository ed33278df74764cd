//! The results of the load: samples, series, distributions, and the cumulative result of a run.
//!
//! Pure data and arithmetic: reads no clock, starts no thread, prints nothing, and does not know
//! HTTP, scripts or output formats. Times are microseconds since the run's epoch, the moment the
//! load began.
//!
//! ```text
//! load thread   Recorder::record(Sample) … Outbox::hand_over ─► Batch     one per thread, no lock
//! worker        Ledger::absorb(Batch) … Ledger::cut ─► Report             cells: second, series, generation
//! control       Collector::absorb(Batch) or ::apply(&Report) … Collector::summary ─► Arc<Summary>
//! ```
//!
//! What is counted: a sample is one request (or one group) that ended, well or badly. Its *service
//! time* runs from the actual start to the end of the response, its *response time* from the
//! intended start; they differ only where a user's own overrun delayed the start.

mod baseline;
mod batch;
mod buckets;
mod cell;
mod cells;
mod checks;
mod coding;
mod collector;
#[cfg(test)]
mod conservation;
mod custom_metrics;
mod dist;
mod exceptions;
mod generations;
mod history;
mod intervals;
mod lag;
mod ledger;
mod outbox;
mod pages;
mod pauses;
mod recorder;
mod rewrite;
mod rows;
mod run_figures;
mod sample;
mod seconds;
mod series;
mod sum;
mod summary;
mod tally;
mod timeline;
mod trace;
mod unfinished;
mod varint;
mod window;
mod workers;

pub use baseline::Baseline;
pub use batch::{Batch, Iterations};
pub use cell::Cell;
pub use checks::OTHER_CHECKS;
pub use coding::{Bounds, Damaged, Decoder, Encoder};
pub use collector::{Collector, Times};
pub use history::{History, Mark, Marked, Second};
pub use ledger::{Ledger, Report};
pub use outbox::Outbox;
pub use pauses::Pauses;
pub use recorder::{InFlight, Limits, Recorder, UnderWay};
pub use run_figures::{RowFigures, RunFigures};
pub use sample::{Outcome, Sample, Slots};
pub use seconds::LAG_LIMIT_US;
pub use series::{Kind, OTHER_NAMES, SeriesId, SeriesKey};
pub use summary::{
    CheckRow, CounterRow, Distribution, ErrorRow, ExceptionRow, Generation, GenerationRows,
    Generator, MetricRow, QUANTILES, Row, Summary, Users, Warnings,
};
pub use tally::OTHER_TEXTS;
pub use timeline::{Stretch, Timeline, Windowed, WindowedRow};
pub use trace::Trace;
pub use unfinished::Unfinished;
pub use window::SECONDS as CURRENT_SECONDS;
pub use workers::{
    Roll, Strain, Strained, Strains, WorkerClock, WorkerMachine, WorkerName, WorkerRow, WorkerState,
};
