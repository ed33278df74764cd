//! Stretches of the time axis that do not change any more but for what comes very late: thinner the
//! older they are.
//!
//! Tier k has stretches of 2^k seconds, the coarsest tier the oldest; together they cover every
//! second from the first on, without a gap. Which seconds are young is not decided here.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::sheet::Sheet;

/// A tier that has more stretches hands its two oldest on, as one.
const MOST: usize = 900;
/// Stretches in one shared piece; even, so that the two oldest are always in one.
const CHUNK: usize = 60;

/// Stretches of one length. Cloning shares them, sixty with one counter.
#[derive(Clone, Debug, Default)]
struct Tier {
    /// Oldest first. `None` for a stretch without anything.
    chunks: VecDeque<Arc<Vec<Option<Sheet>>>>,
    len: usize,
}

impl Tier {
    fn push(&mut self, sheet: Option<Sheet>) {
        if self.chunks.back().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push_back(Arc::default());
        }
        let last = self.chunks.back_mut().expect("one was pushed");
        Arc::make_mut(last).push(sheet);
        self.len += 1;
    }

    /// Takes the two oldest, of at least two.
    fn pop_two(&mut self) -> [Option<Sheet>; 2] {
        let oldest = self.chunks.front_mut().expect("there are two");
        let chunk = Arc::make_mut(oldest);
        let second = chunk.remove(1);
        let two = [chunk.remove(0), second];
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        self.len -= 2;
        two
    }

    fn get_mut(&mut self, mut nth: usize) -> Option<&mut Option<Sheet>> {
        for chunk in &mut self.chunks {
            if nth < chunk.len() {
                return Arc::make_mut(chunk).get_mut(nth);
            }
            nth -= chunk.len();
        }
        None
    }

    fn iter(&self) -> impl Iterator<Item = &Option<Sheet>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

/// All tiers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiers {
    /// The finest first.
    all: Vec<Tier>,
    /// Of all sheets.
    bytes: usize,
    /// The first second that is not in them.
    end: u64,
}

impl Tiers {
    /// The first second that is not in them.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of all sheets.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the next second. Merges two older stretches into one if a tier has too many, or if memory
    /// is scarce: then there are as many stretches as before.
    pub(super) fn push(&mut self, sheet: Option<Sheet>, is_scarce: bool) {
        self.add_to(0, sheet);
        self.end += 1;
        // Each tier hands on half of what it gets, so one pair a second is enough for all.
        let fullest = self.fullest();
        let len = self.all[fullest].len;
        if len > MOST || is_scarce && len > 1 {
            self.thin(fullest);
        }
    }

    /// Adds what came late, to a second that is in them.
    pub(super) fn add_late(&mut self, second: u64, late: &Sheet) {
        let mut from = 0;
        for (tier, len) in self.all.iter_mut().zip(lengths()).rev() {
            let past = tier.len as u64 * len;
            if second < from + past {
                let nth = usize::try_from((second - from) / len).expect("it is in memory");
                let sheet = tier.get_mut(nth).expect("the tier is that long");
                self.bytes -= sheet.as_ref().map_or(0, Sheet::len);
                let sum = Sheet::merged(sheet.iter().chain([late]));
                self.bytes += sum.len();
                *sheet = Some(sum);
                return;
            }
            from += past;
        }
    }

    /// Makes them take at most so many bytes, or of each tier one stretch at most.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let fullest = self.fullest();
            if self.all.get(fullest).is_none_or(|tier| tier.len < 2) {
                return;
            }
            self.thin(fullest);
        }
    }

    /// Makes stretches longer, as evenly as possible: what is recent is worth no more than the rest.
    pub(super) fn coarsen_to(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let Some(finest) = self.all.iter().position(|tier| tier.len > 1) else {
                return;
            };
            self.thin(finest);
        }
    }

    /// The tier with the most stretches. Of several the coarsest.
    fn fullest(&self) -> usize {
        let tiers = self.all.iter().enumerate();
        let fullest = tiers.max_by_key(|(_, tier)| tier.len);
        fullest.map_or(0, |(nth, _)| nth)
    }

    /// Merges the two oldest of a tier into one of the next.
    fn thin(&mut self, nth: usize) {
        let two = self.all[nth].pop_two();
        let bytes = two.iter().flatten().map(Sheet::len).sum::<usize>();
        self.bytes -= bytes;
        let sum = match two {
            [Some(first), Some(second)] => Some(Sheet::merged([&first, &second].into_iter())),
            [one, None] | [None, one] => one,
        };
        self.add_to(nth + 1, sum);
    }

    fn add_to(&mut self, nth: usize, sheet: Option<Sheet>) {
        if nth == self.all.len() {
            self.all.push(Tier::default());
        }
        self.bytes += sheet.as_ref().map_or(0, Sheet::len);
        self.all[nth].push(sheet);
    }

    /// All stretches, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range<u64>, Option<&Sheet>)> {
        let tiers = self.all.iter().zip(lengths()).rev();
        let sheets = tiers.flat_map(|(tier, len)| tier.iter().map(move |sheet| (len, sheet)));
        let mut from = 0;
        sheets.map(move |(len, sheet)| {
            let seconds = from..from + len;
            from += len;
            (seconds, sheet.as_ref())
        })
    }

    /// How many stretches each tier has, the finest first.
    #[cfg(test)]
    pub(super) fn lens(&self) -> Vec<usize> {
        self.all.iter().map(|tier| tier.len).collect()
    }
}

/// Seconds of a stretch of each tier. There are no more than the seconds of seven days have bits.
fn lengths() -> impl ExactSizeIterator<Item = u64> + DoubleEndedIterator {
    (0..64_u32).map(|tier| 1 << tier)
}
