//! How far the master's clock is ahead of this worker's, from messages that go there and back.
//!
//! Owns the estimate and its error. Four stamps are what NTP has (RFC 5905, section 8): sent and
//! received here, received and sent there. The two ways may take different times, so the estimate
//! is wrong by at most half the round trip, and the quickest of the last `EXCHANGES` counts.

use std::collections::VecDeque;

use crate::clock::Micros;

/// As many exchanges are remembered; at one a second a clock drifts by less than a millisecond
/// over them.
const EXCHANGES: usize = 16;

/// How fast a correction takes effect: seconds of samples are shifted by no more than 500 µs in
/// each.
const SLEW_US_PER_S: u64 = 500;

/// The four moments of a message and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When it was sent, by the worker's clock.
    pub sent: Micros,
    /// When it arrived, by the master's.
    pub arrived: Micros,
    /// When it was answered, by the master's.
    pub answered: Micros,
    /// When the answer came, by the worker's.
    pub came: Micros,
}

/// What an exchange says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The master's clock minus the worker's, in µs.
    pub offset_us: i64,
    /// By how much that may be wrong, in µs.
    pub error_us: u64,
}

impl Exchange {
    /// `None` for stamps that cannot be: an answer before its question.
    #[must_use]
    pub fn estimate(self) -> Option<Estimate> {
        let us = |moment: Micros| i64::try_from(moment.get()).ok();
        let (sent, arrived) = (us(self.sent)?, us(self.arrived)?);
        let (answered, came) = (us(self.answered)?, us(self.came)?);
        let way = came.checked_sub(sent)?;
        let round_trip = way.checked_sub(answered.checked_sub(arrived)?)?;
        let round_trip = u64::try_from(round_trip).ok()?;
        let there = arrived.checked_sub(sent)?;
        let back = answered.checked_sub(came)?;
        Some(Estimate {
            offset_us: there.midpoint(back),
            // Rounded up, and one for the rounding of the offset.
            error_us: round_trip.div_ceil(2) + 1,
        })
    }
}

/// What a worker knows of its master's clock.
#[derive(Clone, Debug, Default)]
pub struct Offset {
    last: VecDeque<Estimate>,
    /// What samples are shifted by, and since when.
    slewed: Option<(i64, Micros)>,
}

impl Offset {
    /// Another exchange is complete.
    pub fn on(&mut self, exchange: Exchange) {
        let Some(estimate) = exchange.estimate() else {
            return;
        };
        if self.last.len() == EXCHANGES {
            self.last.pop_front();
        }
        self.last.push_back(estimate);
    }

    /// Another master has another clock.
    pub fn forget(&mut self) {
        self.last.clear();
    }

    /// The best estimate.
    #[must_use]
    pub fn best(&self) -> Option<Estimate> {
        self.last.iter().copied().min_by_key(|it| it.error_us)
    }

    /// A moment of this clock by the master's.
    #[must_use]
    pub fn there(&self, here: Micros) -> Option<Micros> {
        let best = self.best()?;
        let us = here.get().checked_add_signed(best.offset_us)?;
        Some(Micros::default() + std::time::Duration::from_micros(us))
    }

    /// What samples are shifted by at `now`, in µs; it follows the estimate slowly, so that no
    /// second has visibly more samples than it should.
    pub fn slewed_us(&mut self, now: Micros) -> Option<i64> {
        let best = self.best()?.offset_us;
        let (shift, since) = self.slewed.unwrap_or((best, now));
        let most = now.since(since).saturating_mul(SLEW_US_PER_S) / 1_000_000;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let step = best.saturating_sub(shift).clamp(-most, most);
        // A step of less than a microsecond is not forgotten.
        let since = if step == 0 && best != shift {
            since
        } else {
            now
        };
        self.slewed = Some((shift + step, since));
        Some(shift + step)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(us: u64) -> Micros {
        Micros::default() + Duration::from_micros(us)
    }

    fn exchange(offset: u64, sent: u64, there: u64, rest: u64, back: u64) -> Exchange {
        Exchange {
            sent: at(sent),
            arrived: at(offset + sent + there),
            answered: at(offset + sent + there + rest),
            came: at(sent + there + rest + back),
        }
    }

    #[test]
    fn the_quickest_exchange_counts() {
        let mut offset = Offset::default();
        assert_eq!(offset.there(at(5)), None);
        offset.on(exchange(1_000_000, 10, 9_000, 50, 1_000));
        let rough = offset.best().unwrap();
        assert_eq!((rough.offset_us, rough.error_us), (1_004_000, 5_001));
        offset.on(exchange(1_000_000, 20, 100, 50, 100));
        assert_eq!(offset.best().unwrap().offset_us, 1_000_000);
        assert_eq!(offset.there(at(5)), Some(at(1_000_005)));
        (0..EXCHANGES).for_each(|_| offset.on(exchange(1_000_300, 30, 1_000, 0, 1_000)));
        assert_eq!(offset.best().unwrap().offset_us, 1_000_300, "it drifted");
    }

    #[test]
    fn samples_are_shifted_slowly() {
        let mut offset = Offset::default();
        offset.on(exchange(1_000_000, 0, 10, 0, 10));
        assert_eq!(offset.slewed_us(at(0)), Some(1_000_000));
        offset.forget();
        offset.on(exchange(1_002_000, 0, 10, 0, 10));
        let steps = [1_000_000, 1_001_000, 1_500_000, 10_000_000];
        let slewed = steps.map(|now| offset.slewed_us(at(now)).unwrap());
        assert_eq!(slewed, [1_000_500, 1_000_500, 1_000_750, 1_002_000]);
    }

    proptest! {
        #[test]
        fn the_error_is_never_more_than_is_said(
            offset in 0_u64..1 << 40,
            ways in prop::collection::vec((0_u64..1 << 40, 0_u64..1 << 24, 0_u64..1 << 20, 0_u64..1 << 24), 1..30),
        ) {
            let mut estimates = Offset::default();
            for (sent, there, rest, back) in ways {
                estimates.on(exchange(offset, sent, there, rest, back));
            }
            let best = estimates.best().unwrap();
            prop_assert!(best.offset_us.abs_diff(i64::try_from(offset).unwrap()) <= best.error_us);
        }
    }

    #[test]
    fn what_cannot_be_is_left_out() {
        let mut offset = Offset::default();
        let mut wrong = exchange(0, 10, 10, 10, 10);
        wrong.came = at(5);
        offset.on(wrong);
        wrong.arrived = Micros::NEVER;
        offset.on(wrong);
        assert_eq!(offset.best(), None);
    }
}
