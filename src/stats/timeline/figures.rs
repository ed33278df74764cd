//! What one series added up to in a stretch, and how it is encoded: the form in which it is kept
//! and in which pages get it.
//!
//! All numbers are varints. Which stretch and which series it is stands elsewhere.
//!
//! ```text
//! flags            bit 0: service times differ and follow, bit 1: ages of unfinished requests follow,
//!                  bit 2: reserved
//! requests failures missed sent received
//! times            response times, of all that ended and of missed slots
//! times            service times, with bit 0
//! times            response ages of requests that were cut, with bit 1
//! times = count min_us max_us sum_us pairs, and so often: step of the bucket's index, count
//! ```

use super::times::{Coarse, Extremes, Pile};
use crate::stats::cell::Cell;
use crate::stats::varint::{self, write};

const DIFFERS: u64 = 1;
const HAS_AGES: u64 = 2;

/// Nothing at all, encoded.
pub(super) const NOTHING: [u8; 11] = [0; 11];

/// Counts, bytes and times of one series in a stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) missed: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Of all that ended, failures included, and of missed slots.
    pub(super) response: Coarse,
    /// Of all that ended; empty unless they differ from the response times.
    service: Coarse,
    differs: bool,
    /// Response ages of requests that were cut.
    pub(super) ages: Coarse,
}

impl Figures {
    /// The service times.
    pub(super) fn service(&self) -> &Coarse {
        if self.differs {
            &self.service
        } else {
            &self.response
        }
    }

    /// Whether they are not the response times.
    pub(super) fn differs(&self) -> bool {
        self.differs
    }

    /// Forgets all and keeps the room.
    pub(super) fn clear(&mut self) {
        let mut times = std::mem::take(self);
        for part in [&mut times.response, &mut times.service, &mut times.ages] {
            part.clear();
        }
        *self = Figures {
            response: times.response,
            service: times.service,
            ages: times.ages,
            ..Figures::default()
        };
    }

    /// Adds a cell.
    pub(super) fn add(&mut self, cell: &Cell) {
        if !cell.is_answered_in_time() {
            self.differ();
        }
        if self.differs {
            cell.service().for_each(|times| self.service.add(times));
        }
        cell.response().for_each(|times| self.response.add(times));
        if let Some(ages) = &cell.unfinished {
            self.ages.add(ages.response());
        }
        self.count([
            cell.requests(),
            cell.failures(),
            cell.missed(),
            cell.sent,
            cell.received,
        ]);
    }

    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: &Figures) {
        if other.differs {
            self.differ();
        }
        if self.differs {
            self.service.merge(other.service());
        }
        self.response.merge(&other.response);
        self.ages.merge(&other.ages);
        self.count(other.counts());
    }

    /// From now on service times are kept apart.
    fn differ(&mut self) {
        if !self.differs {
            self.service.clone_from(&self.response);
            self.differs = true;
        }
    }

    fn counts(&self) -> [u64; 5] {
        [
            self.requests,
            self.failures,
            self.missed,
            self.sent,
            self.received,
        ]
    }

    fn count(&mut self, more: [u64; 5]) {
        let ours = [
            &mut self.requests,
            &mut self.failures,
            &mut self.missed,
            &mut self.sent,
            &mut self.received,
        ];
        for (ours, more) in ours.into_iter().zip(more) {
            *ours = ours.saturating_add(more);
        }
    }

    /// Appends them, encoded.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        let ages = if self.ages.span.count > 0 {
            HAS_AGES
        } else {
            0
        };
        write(to, ages | if self.differs { DIFFERS } else { 0 });
        self.counts().into_iter().for_each(|n| write(to, n));
        write_times(to, &self.response);
        if self.differs {
            write_times(to, &self.service);
        }
        if ages != 0 {
            write_times(to, &self.ages);
        }
    }

    /// Whether there is nothing in them.
    pub(super) fn is_nothing(&self) -> bool {
        self.counts() == [0; 5] && self.response.span.count == 0 && self.ages.span.count == 0
    }

    /// What is encoded there, if that is something; nothing is believed of it.
    pub(super) fn read(mut bytes: &[u8]) -> Option<Figures> {
        let from = &mut bytes;
        let flags = varint::read(from)?;
        let counts = read_counts(from)?;
        let mut figures = Figures {
            differs: flags & DIFFERS != 0,
            ..Figures::default()
        };
        figures.count(counts);
        figures.response = Coarse::read(from)?;
        if figures.differs {
            figures.service = Coarse::read(from)?;
        }
        if flags & HAS_AGES != 0 {
            figures.ages = Coarse::read(from)?;
        }
        (flags <= DIFFERS | HAS_AGES && from.is_empty()).then_some(figures)
    }

    /// Becomes what is encoded there.
    pub(super) fn decode(&mut self, mut bytes: &[u8]) {
        let from = &mut bytes;
        let flags = read(from);
        [
            self.requests,
            self.failures,
            self.missed,
            self.sent,
            self.received,
        ] = std::array::from_fn(|_| read(from));
        read_times(from, &mut self.response);
        self.differs = flags & DIFFERS != 0;
        self.service.clear();
        if self.differs {
            read_times(from, &mut self.service);
        }
        self.ages.clear();
        if flags & HAS_AGES != 0 {
            read_times(from, &mut self.ages);
        }
    }
}

/// A sum of the figures of many stretches; see [`Pile`].
#[derive(Debug, Default)]
pub(super) struct Heap {
    counts: Figures,
    response: Pile,
    service: Pile,
    ages: Pile,
}

impl Heap {
    /// Adds what one series added up to.
    pub(super) fn add(&mut self, figures: &Figures) {
        if figures.differs && !self.counts.differs {
            let before = self.response.take();
            self.response.add(&before);
            self.service.add(&before);
            self.counts.differs = true;
        }
        if self.counts.differs {
            self.service.add(figures.service());
        }
        self.response.add(&figures.response);
        self.ages.add(&figures.ages);
        self.counts.count(figures.counts());
    }

    /// Takes the sum and leaves nothing.
    pub(super) fn take(&mut self) -> Figures {
        Figures {
            response: self.response.take(),
            service: self.service.take(),
            ages: self.ages.take(),
            ..std::mem::take(&mut self.counts)
        }
    }
}

/// Takes a number from the front of what the timeline has written.
#[inline]
pub(super) fn read(from: &mut &[u8]) -> u64 {
    varint::read(from).expect("every number is whole")
}

fn read_counts(from: &mut &[u8]) -> Option<[u64; 5]> {
    let mut counts = [0; 5];
    for count in &mut counts {
        *count = varint::read(from)?;
    }
    Some(counts)
}

fn write_times(to: &mut Vec<u8>, times: &Coarse) {
    let Extremes {
        count,
        min_us,
        max_us,
        sum_us,
    } = times.span;
    let pairs = times.buckets.len() as u64;
    [count, min_us, max_us, sum_us, pairs]
        .into_iter()
        .for_each(|n| write(to, n));
    let mut last = 0;
    for (index, n) in &times.buckets {
        write(to, u64::from(index - last));
        write(to, *n);
        last = *index;
    }
}

fn read_times(from: &mut &[u8], times: &mut Coarse) {
    let [count, min_us, max_us, sum_us, pairs] = std::array::from_fn(|_| read(from));
    times.span = Extremes {
        count,
        min_us,
        max_us,
        sum_us,
    };
    times.buckets.clear();
    let mut index = 0;
    for _ in 0..pairs {
        index += u16::try_from(read(from)).expect("there are 3,287 buckets");
        times.buckets.push((index, read(from)));
    }
}
