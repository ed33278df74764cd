//! The way out: a report becomes bytes.
//!
//! Owns which series this stream has named. What the bytes look like is told in the module above.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{
    FAILURES, FAILURES_DIFFER, GROUP, HTTP, LONGEST_TEXT, MISSED, PROTOCOL, SUCCESSES,
    SUCCESSES_DIFFER, UNFINISHED, UNFINISHED_DIFFER,
};
use crate::stats::baseline::Past;
use crate::stats::batch::Iterations;
use crate::stats::cell::{Cell, Latencies};
use crate::stats::cells::Stamped;
use crate::stats::custom_metrics::{CustomMetrics, FloatHistogram};
use crate::stats::dist::Dist;
use crate::stats::history::Second;
use crate::stats::ledger::Report;
use crate::stats::series::{Kind, SeriesKey};
use crate::stats::tally::TallyEntry;
use crate::stats::trace::Trace;
use crate::stats::varint::write as number;

/// How many bytes a cell takes.
fn length_of(scratch: &mut Vec<u8>, cell: &Stamped) -> usize {
    scratch.clear();
    stamped(scratch, cell.series, cell);
    scratch.len()
}

/// How many bytes the counts of a second take.
fn length_of_second(scratch: &mut Vec<u8>, (second, counts): &(u64, Second)) -> usize {
    scratch.clear();
    of_second(scratch, *second, counts);
    scratch.len()
}

fn of_second(to: &mut Vec<u8>, second: u64, counts: &Second) {
    number(to, second);
    numbers(to, counts.as_numbers());
}

/// The most bytes that a stretch takes besides its figures.
const STRETCH: usize = 24;

impl Past {
    /// As [`Report::in_pieces`].
    fn in_pieces(&self, most: usize) -> Vec<Past> {
        let mut pieces = vec![Past::default()];
        let (mut scratch, mut length) = (Vec::new(), 0);
        let mut room_for = |pieces: &mut Vec<Past>, bytes: usize| {
            length += bytes;
            if length > most && length > bytes {
                length = bytes;
                pieces.push(Past::default());
            }
            pieces.len() - 1
        };
        for second in &self.seconds {
            let at = room_for(&mut pieces, length_of_second(&mut scratch, second));
            pieces[at].seconds.push(*second);
        }
        for stretch in &self.stretches {
            let at = room_for(&mut pieces, STRETCH + stretch.figures.len());
            pieces[at].stretches.push(stretch.clone());
        }
        pieces
    }
}

impl Report {
    /// Divides it into reports, none of which has cells of more than so many bytes, nor more of when
    /// all that was: what was measured in a long time without a connection, or in the life of a
    /// member, may be more than one message takes.
    #[must_use = "what was measured is in these"]
    pub fn in_pieces(mut self, most: usize) -> Vec<Report> {
        let mut pieces = Vec::new();
        // Each piece of a sum is one, and known by that.
        let no_past = self.past.as_ref().map(|_| Arc::default());
        let pasts = self.past.take().map(|past| past.in_pieces(most));
        for past in pasts.into_iter().flatten() {
            if let Some(before) = self.past.replace(Arc::new(past)) {
                pieces.push(Report {
                    keys: self.keys.clone(),
                    past: Some(before),
                    ..Report::default()
                });
            }
        }
        let (mut scratch, mut length) = (Vec::new(), 0);
        for cell in std::mem::take(&mut self.cells) {
            length += length_of(&mut scratch, &cell);
            if length > most && !self.cells.is_empty() {
                length = scratch.len();
                pieces.push(Report {
                    keys: self.keys.clone(),
                    cells: std::mem::take(&mut self.cells),
                    last_end_us: self.last_end_us,
                    past: no_past.clone(),
                    ..Report::default()
                });
            }
            self.cells.push(cell);
        }
        // All else is bounded, whatever the time.
        pieces.push(self);
        pieces
    }
}

/// Encodes reports for one stream, in their order. They may be of several ledgers.
///
/// A stream that is opened anew needs another, and a [`Decoder`](super::Decoder) of its own at the
/// other end.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    /// The series it has named, and their numbers in the stream.
    named: HashMap<SeriesKey, usize>,
}

impl Encoder {
    /// The bytes of a report. About 3 ns a bucket.
    ///
    /// Series that are new to the stream are named in it, so a report that is not sent after all
    /// needs a new stream.
    #[must_use]
    pub fn encode(&mut self, report: &Report) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 * report.cells.len() + 64);
        let to = &mut bytes;
        let (new, numbers_of) = self.name(&report.keys);
        all(to, new, key);
        all(to, &report.cells, |to, cell| {
            stamped(to, numbers_of[cell.series], cell);
        });
        all(to, &report.lags, |to, (second, lags)| {
            number(to, *second);
            times(to, lags);
        });
        all(to, &report.gauges, |to, (second, gauge)| {
            numbers(to, [*second, gauge.in_flight, gauge.cpu_us]);
        });
        all(to, &report.errors, |to, error| {
            counted(to, numbers_of[error.owner as usize] as u64, error);
        });
        all(to, &report.exceptions, |to, (place, exception)| {
            text(to, place);
            counted(to, u64::from(exception.owner), exception);
        });
        all(to, &report.checks, |to, check| {
            counted(to, u64::from(check.owner), check);
        });
        custom(to, &report.custom);
        let Iterations {
            started,
            finished,
            interrupted,
            missed,
            dropped,
        } = report.iterations;
        numbers(to, [started, finished, interrupted, missed, dropped]);
        numbers(
            to,
            [report.stale_retries, report.folded, report.last_end_us],
        );
        all(to, report.past.as_slice(), |to, past| {
            all(to, &past.seconds, |to, (second, counts)| {
                of_second(to, *second, counts);
            });
            all(to, &past.stretches, |to, one| {
                numbers(to, [one.from, numbers_of[one.id as usize] as u64]);
                all(to, one.figures.iter().copied(), |to, byte| to.push(byte));
            });
        });
        bytes
    }

    /// Names series that the stream does not know yet; returns those, and the numbers of all.
    fn name<'a>(&mut self, keys: &'a [SeriesKey]) -> (Vec<&'a SeriesKey>, Vec<usize>) {
        let mut new = Vec::new();
        let number = |key: &'a SeriesKey| {
            let next = self.named.len();
            *self.named.entry(key.clone()).or_insert_with(|| {
                new.push(key);
                next
            })
        };
        let numbers = keys.iter().map(number).collect();
        (new, numbers)
    }
}

fn numbers<const N: usize>(to: &mut Vec<u8>, all: [u64; N]) {
    all.into_iter().for_each(|n| number(to, n));
}

/// A list behind its length.
fn all<T>(
    to: &mut Vec<u8>,
    list: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    each: impl Fn(&mut Vec<u8>, T),
) {
    let list = list.into_iter();
    number(to, list.len() as u64);
    list.for_each(|one| each(to, one));
}

/// A name of a megabyte, such as a URL that nobody gave a name, is told by its beginning.
fn text(to: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(LONGEST_TEXT)];
    number(to, text.len() as u64);
    to.extend_from_slice(text.as_bytes());
}

fn key(to: &mut Vec<u8>, key: &SeriesKey) {
    match &key.kind {
        Kind::Http => number(to, HTTP),
        Kind::Group => number(to, GROUP),
        Kind::Protocol(protocol) => {
            number(to, PROTOCOL);
            text(to, protocol);
        }
        Kind::Total => unreachable!("no series is the total"),
    }
    all(to, key.class.as_slice(), |to, class| text(to, class));
    text(to, &key.name);
    text(to, &key.method);
}

fn stamped(to: &mut Vec<u8>, series: usize, stamped: &Stamped) {
    let Stamped {
        second,
        generation,
        cell,
        ..
    } = stamped;
    numbers(to, [*second, series as u64, u64::from(*generation)]);
    let Cell {
        successes,
        failures,
        missed,
        unfinished,
        sent,
        received,
        clipped,
        lag_us,
    } = cell;
    let outcome = |latencies: &Latencies, has: u64, differs: u64| match latencies {
        it if it.service.count == 0 => 0,
        it if it.is_same() => has,
        _ => has | differs,
    };
    let ages = unfinished.as_deref();
    let flags = outcome(successes, SUCCESSES, SUCCESSES_DIFFER)
        | outcome(failures, FAILURES, FAILURES_DIFFER)
        | missed.as_ref().map_or(0, |_| MISSED)
        | ages.map_or(0, |ages| outcome(ages, UNFINISHED, UNFINISHED_DIFFER));
    number(to, flags);
    for it in [Some(successes), Some(failures), ages]
        .into_iter()
        .flatten()
    {
        latencies(to, it);
    }
    if let Some(missed) = missed {
        times(to, &missed.successes);
        times(to, &missed.failures);
    }
    numbers(to, [*sent, *received, *clipped, *lag_us]);
}

fn latencies(to: &mut Vec<u8>, latencies: &Latencies) {
    if latencies.service.count > 0 {
        times(to, &latencies.service);
        if !latencies.is_same() {
            times(to, latencies.response());
        }
    }
}

fn times(to: &mut Vec<u8>, dist: &Dist) {
    number(to, dist.count);
    if dist.count == 0 {
        return;
    }
    let above = dist.max_us - dist.min_us;
    numbers(to, [dist.min_us, above, dist.sum_us, dist.clipped]);
    let buckets = dist.buckets.sorted();
    let mut last = 0;
    number(to, buckets.len() as u64);
    for (index, n) in &*buckets {
        numbers(to, [u64::from(index - last), *n]);
        last = *index;
    }
}

fn counted(to: &mut Vec<u8>, owner: u64, entry: &TallyEntry) {
    number(to, owner);
    text(to, &entry.text);
    let lasted = entry.last_us - entry.first_us;
    numbers(to, [entry.count, entry.first_us, lasted]);
    all(to, entry.stack.as_slice(), |to, stack| text(to, stack));
    let Trace {
        power,
        before,
        counts,
    } = &entry.trace;
    numbers(to, [u64::from(*power), *before]);
    all(to, counts, |to, count| number(to, *count));
}

fn custom(to: &mut Vec<u8>, custom: &CustomMetrics) {
    let CustomMetrics { counters, metrics } = custom;
    named(to, counters, |to, count| number(to, *count));
    named(to, metrics, metric);
}

fn named<T>(to: &mut Vec<u8>, entries: &BTreeMap<Arc<str>, T>, each: impl Fn(&mut Vec<u8>, &T)) {
    all(to, entries, |to, (name, value)| {
        text(to, name);
        each(to, value);
    });
}

fn metric(to: &mut Vec<u8>, spread: &FloatHistogram) {
    number(to, spread.count);
    for value in [spread.min, spread.max, spread.sum] {
        to.extend_from_slice(&value.to_le_bytes());
    }
    number(to, spread.clipped);
    let mut last = i32::MIN;
    let buckets = spread.sorted();
    number(to, buckets.len() as u64);
    for (key, n) in buckets {
        numbers(to, [u64::from(key.abs_diff(last)), n]);
        last = key;
    }
}
