//! The way in: bytes from another process become a report, or are refused.
//!
//! Owns what is checked. What is right in form may still be a lie: a member's own numbers are its
//! word.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use super::{
    FAILURES, FAILURES_DIFFER, FLAGS, GROUP, HTTP, LONGEST_TEXT, MISSED, MOST, PROTOCOL, SUCCESSES,
    SUCCESSES_DIFFER, UNFINISHED, UNFINISHED_DIFFER,
};
use crate::stats::batch::Iterations;
use crate::stats::buckets::{Buckets, LONGEST_US, index_of};
use crate::stats::cell::{Cell, Latencies, Missed};
use crate::stats::cells::Stamped;
use crate::stats::custom_metrics::{COUNTERS, CustomMetrics, FloatHistogram, METRICS};
use crate::stats::dist::Dist;
use crate::stats::ledger::{Gauge, Report};
use crate::stats::pages::BUCKETS;
use crate::stats::recorder::Limits;
use crate::stats::series::{Kind, SeriesKey};
use crate::stats::tally::TallyEntry;
use crate::stats::trace::{MOST as MOST_STRETCHES, Trace};
use crate::stats::varint;

/// A table has two more series than its limit: those of what did not fit.
const OTHERS: usize = 2;

/// What is wrong with bytes that are no report. Whoever sent them is not to be believed any more:
/// the stream they came by cannot be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged(pub(super) &'static str);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a report with {}", self.0)
    }
}

impl std::error::Error for Damaged {}

/// What a report may speak of.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The latest second since the run's epoch.
    pub second: u64,
    /// The newest generation that was announced.
    pub generation: u16,
}

/// Decodes the reports of one stream, in their order.
#[derive(Debug)]
pub struct Decoder {
    keys: Vec<SeriesKey>,
    limits: Limits,
}

impl Decoder {
    /// For a member with those limits.
    #[must_use]
    pub fn new(limits: Limits) -> Decoder {
        let keys = Vec::new();
        Decoder { keys, limits }
    }

    /// The report of those bytes, all of which it must take. It takes memory in proportion to them,
    /// 50 times as much at most.
    ///
    /// # Errors
    /// When they are cut short, contradict themselves, or speak of what cannot be: other buckets
    /// than there are, seconds to come, generations and series that nobody has named, more series
    /// and texts than the limits allow.
    pub fn decode(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Report, Damaged> {
        let mut from = Reader(bytes);
        let from = &mut from;
        let new = from.list(Reader::key)?;
        self.keys.extend(new);
        if self.keys.len() > self.limits.series + OTHERS {
            return Err(Damaged("more names than a run keeps apart"));
        }
        let series = self.keys.len();
        let texts = self.limits.texts;
        let report = Report {
            keys: self.keys.clone(),
            cells: from.list(|from| from.stamped(series, bounds))?,
            lags: from.map(|from| Ok((from.second(bounds)?, from.times()?)))?,
            gauges: from.map(|from| Ok((from.second(bounds)?, from.gauge()?)))?,
            errors: from.list(|from| from.counted(series, bounds))?,
            exceptions: from.list(|from| Ok((from.text()?, from.counted(texts + 1, bounds)?)))?,
            checks: from.list(|from| from.counted(2, bounds))?,
            custom: from.custom()?,
            iterations: from.iterations()?,
            stale_retries: from.count()?,
            folded: from.count()?,
            last_end_us: from.moment(bounds)?,
            past: match from.number()? {
                0 => None,
                1 => Some(Arc::new(from.past(series, bounds)?)),
                _ => return Err(Damaged("two pasts")),
            },
        };
        match from.0 {
            [] => Ok(report),
            _ => Err(Damaged("more bytes than it says")),
        }
    }
}

/// What is still to be read.
pub(super) struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    pub(super) fn number(&mut self) -> Result<u64, Damaged> {
        varint::read(&mut self.0).ok_or(Damaged("fewer bytes than it says"))
    }

    /// A count that sums of many may have.
    pub(super) fn count(&mut self) -> Result<u64, Damaged> {
        match self.number()? {
            count if count <= MOST => Ok(count),
            _ => Err(Damaged("a count that nothing reaches")),
        }
    }

    /// A number below that one.
    pub(super) fn index(&mut self, end: usize, what: &'static str) -> Result<usize, Damaged> {
        let index = usize::try_from(self.number()?).ok();
        index.filter(|index| *index < end).ok_or(Damaged(what))
    }

    pub(super) fn second(&mut self, bounds: Bounds) -> Result<u64, Damaged> {
        match self.number()? {
            second if second <= bounds.second => Ok(second),
            _ => Err(Damaged("a second that is still to come")),
        }
    }

    /// A moment in µs of a second that has come.
    fn moment(&mut self, bounds: Bounds) -> Result<u64, Damaged> {
        match self.number()? {
            us if us / 1_000_000 <= bounds.second => Ok(us),
            _ => Err(Damaged("a moment that is still to come")),
        }
    }

    /// Bytes behind their length.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Damaged> {
        let length = self.length()?;
        let Some((bytes, rest)) = self.0.split_at_checked(length) else {
            return Err(Damaged("fewer bytes than it says"));
        };
        self.0 = rest;
        Ok(bytes.to_vec())
    }

    fn text(&mut self) -> Result<Arc<str>, Damaged> {
        let length = self.index(LONGEST_TEXT + 1, "a text that is too long")?;
        let Some((text, rest)) = self.0.split_at_checked(length) else {
            return Err(Damaged("fewer bytes than it says"));
        };
        self.0 = rest;
        let text = str::from_utf8(text).map_err(|_| Damaged("a text that is no UTF-8"))?;
        Ok(text.into())
    }

    fn float(&mut self) -> Result<f64, Damaged> {
        let Some((bytes, rest)) = self.0.split_first_chunk() else {
            return Err(Damaged("fewer bytes than it says"));
        };
        self.0 = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    /// The length of a list. Every element takes a byte at least, so what is made room for has come.
    fn length(&mut self) -> Result<usize, Damaged> {
        self.index(self.0.len() + 1, "a list longer than itself")
    }

    pub(super) fn list<T>(
        &mut self,
        each: impl Fn(&mut Self) -> Result<T, Damaged>,
    ) -> Result<Vec<T>, Damaged> {
        let length = self.length()?;
        // What an element takes may be much more than a byte: room is made as they come.
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(each(self)?);
        }
        Ok(list)
    }

    pub(super) fn map<K: Ord, V>(
        &mut self,
        each: impl Fn(&mut Self) -> Result<(K, V), Damaged>,
    ) -> Result<BTreeMap<K, V>, Damaged> {
        let list = self.list(each)?;
        let length = list.len();
        let map: BTreeMap<K, V> = list.into_iter().collect();
        match map.len() == length {
            true => Ok(map),
            false => Err(Damaged("something that is there twice")),
        }
    }

    fn key(&mut self) -> Result<SeriesKey, Damaged> {
        let kind = match self.number()? {
            HTTP => Kind::Http,
            GROUP => Kind::Group,
            PROTOCOL => Kind::Protocol(self.text()?),
            _ => return Err(Damaged("a kind of series that there is not")),
        };
        Ok(SeriesKey {
            class: self.optional("a series of two classes")?,
            name: self.text()?,
            method: self.text()?,
            kind,
        })
    }

    fn optional(&mut self, two: &'static str) -> Result<Option<Arc<str>>, Damaged> {
        match self.number()? {
            0 => Ok(None),
            1 => Ok(Some(self.text()?)),
            _ => Err(Damaged(two)),
        }
    }

    fn stamped(&mut self, series: usize, bounds: Bounds) -> Result<Stamped, Damaged> {
        let second = self.second(bounds)?;
        let series = self.index(series, "a series without a name")?;
        let newest = usize::from(bounds.generation);
        let generation = self.index(newest + 1, "a generation that was not announced")?;
        Ok(Stamped {
            second,
            series,
            generation: u16::try_from(generation).expect("it is no more than another"),
            cell: self.cell()?,
        })
    }

    fn cell(&mut self) -> Result<Cell, Damaged> {
        let flags = self.number()?;
        if flags > FLAGS {
            return Err(Damaged("a part that there is not"));
        }
        let has = |flag| flags & flag != 0;
        let successes = self.latencies(has(SUCCESSES), has(SUCCESSES_DIFFER))?;
        let failures = self.latencies(has(FAILURES), has(FAILURES_DIFFER))?;
        let unfinished = match has(UNFINISHED) {
            true => Some(Box::new(self.latencies(true, has(UNFINISHED_DIFFER))?)),
            false => None,
        };
        let missed = match has(MISSED) {
            true => Some(Box::new(Missed {
                successes: self.times()?,
                failures: self.times()?,
            })),
            false => None,
        };
        let cell = Cell {
            successes,
            failures,
            missed,
            unfinished,
            sent: self.number()?,
            received: self.number()?,
            clipped: self.count()?,
            lag_us: self.number()?,
        };
        match cell.is_empty() {
            true => Err(Damaged("a cell of nothing")),
            false => Ok(cell),
        }
    }

    fn latencies(&mut self, is_there: bool, differ: bool) -> Result<Latencies, Damaged> {
        if !is_there {
            return match differ {
                true => Err(Damaged("response times of no requests")),
                false => Ok(Latencies::default()),
            };
        }
        let service = self.times()?;
        let differing = match differ {
            true => Some(Box::new(self.times()?)),
            false => None,
        };
        let response = differing.as_deref().unwrap_or(&service);
        if service.count == 0 || response.count != service.count {
            return Err(Damaged("other response times than service times"));
        }
        Ok(Latencies { service, differing })
    }

    fn times(&mut self) -> Result<Dist, Damaged> {
        let count = self.count()?;
        if count == 0 {
            return Ok(Dist::default());
        }
        let min_us = self.number()?;
        let above = self.number()?;
        let max_us = min_us.checked_add(above);
        let max_us = max_us.ok_or(Damaged("times beyond all times"))?;
        let sum_us = self.number()?;
        let clipped = self.count()?;
        let pairs = self.length()?;
        // Each takes two bytes at least.
        let mut buckets: Vec<(u16, u64)> = Vec::with_capacity(pairs.min(self.0.len() / 2));
        let (mut end, mut total) = (0, 0_u64);
        for _ in 0..pairs {
            // The first may be bucket zero; each other one comes after the one before.
            let index = end + self.index(BUCKETS, "a bucket that there is not")?;
            let n = self.count()?;
            let is_next = buckets
                .last()
                .is_none_or(|last| usize::from(last.0) < index);
            if index >= BUCKETS || !is_next || n == 0 {
                return Err(Damaged("buckets out of order"));
            }
            total += n;
            if total > count {
                break;
            }
            end = index;
            buckets.push((u16::try_from(index).expect("there are 23,552"), n));
        }
        let fits = |us: u64, bucket: Option<&(u16, u64)>| {
            bucket.is_some_and(|(index, _)| *index == index_of(us.min(LONGEST_US)))
        };
        let is_whole = total == count && clipped <= count;
        if !is_whole || !fits(min_us, buckets.first()) || !fits(max_us, buckets.last()) {
            return Err(Damaged("times that are not what they add up to"));
        }
        Ok(Dist {
            count,
            min_us,
            max_us,
            sum_us,
            clipped,
            buckets: Buckets::List(buckets),
        })
    }

    fn gauge(&mut self) -> Result<Gauge, Damaged> {
        Ok(Gauge {
            in_flight: self.count()?,
            cpu_us: self.count()?,
        })
    }

    fn counted(&mut self, owners: usize, bounds: Bounds) -> Result<TallyEntry, Damaged> {
        let owner = self.index(owners, "an error of a series without a name")?;
        let text = self.text()?;
        let count = self.count()?;
        let first_us = self.moment(bounds)?;
        let last_us = first_us.checked_add(self.number()?);
        let last_us = last_us.filter(|us| us / 1_000_000 <= bounds.second);
        Ok(TallyEntry {
            owner: u32::try_from(owner).map_err(|_| Damaged("too many series"))?,
            text,
            count,
            first_us,
            last_us: last_us.ok_or(Damaged("a moment that is still to come"))?,
            stack: self.optional("two stacks")?,
            trace: self.trace(bounds)?,
        })
    }

    fn trace(&mut self, bounds: Bounds) -> Result<Trace, Damaged> {
        let still_to_come = Damaged("a second that is still to come");
        let power = u32::try_from(self.number()?).ok().filter(|it| *it < 40);
        let power = power.ok_or(still_to_come)?;
        let before = self.number()?;
        let counts = self.list(Reader::count)?;
        let after = counts.len() as u64;
        let end = before.checked_add(after.saturating_sub(1));
        let is_past = end.is_some_and(|end| end <= bounds.second >> power);
        match is_past && after <= MOST_STRETCHES {
            true => Ok(Trace {
                power,
                before,
                counts,
            }),
            false => Err(still_to_come),
        }
    }

    fn custom(&mut self) -> Result<CustomMetrics, Damaged> {
        let counters = self.map(|from| Ok((from.text()?, from.number()?)))?;
        let metrics = self.map(|from| Ok((from.text()?, from.metric()?)))?;
        // One more each: the row of what did not fit.
        if counters.len() > COUNTERS + 1 || metrics.len() > METRICS + 1 {
            return Err(Damaged("more counters or metrics than a run keeps apart"));
        }
        Ok(CustomMetrics { counters, metrics })
    }

    fn metric(&mut self) -> Result<FloatHistogram, Damaged> {
        let count = self.count()?;
        let (min, max, sum) = (self.float()?, self.float()?, self.float()?);
        let clipped = self.count()?;
        let pairs = self.length()?;
        let mut buckets = HashMap::new();
        let (mut key, mut total) = (i32::MIN, 0_u64);
        for _ in 0..pairs {
            let step = u32::try_from(self.number()?).ok();
            let next = step.and_then(|step| key.checked_add_unsigned(step));
            key = next.ok_or(Damaged("a bucket that there is not"))?;
            let n = self.count()?;
            if !FloatHistogram::is_key(key) || buckets.insert(key, n).is_some() {
                return Err(Damaged("buckets out of order"));
            }
            total += n;
            if total > count {
                break;
            }
        }
        let is_range = count == 0 || min.is_finite() && max.is_finite() && min <= max;
        // The sum may be more than any number, or of both signs no number.
        if total != count || clipped > count || !is_range {
            return Err(Damaged("values that are not what they add up to"));
        }
        Ok(FloatHistogram {
            count,
            min,
            max,
            sum,
            clipped,
            buckets,
        })
    }

    fn iterations(&mut self) -> Result<Iterations, Damaged> {
        Ok(Iterations {
            started: self.count()?,
            finished: self.count()?,
            interrupted: self.count()?,
            missed: self.count()?,
            dropped: self.count()?,
        })
    }
}
