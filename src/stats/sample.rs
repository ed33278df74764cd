//! One measurement: the fixed-size record a load thread appends per request or group.
//!
//! Conversions into its narrow fields saturate and count what they clipped. Where samples go, and
//! what they add up to, is not decided here.

use super::series::SeriesId;

/// How a sample ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The verdict was good.
    Success,
    /// No response, a status that was not expected, or the script said so.
    Failure,
}

/// One request or group that ended.
///
/// Built by [`Sample::new`] and the chained setters; what is not set is zero. 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Actual start, µs since the run's epoch.
    pub(super) start_us: u64,
    pub(super) series: SeriesId,
    pub(super) service_us: u32,
    pub(super) late_us: u32,
    pub(super) first_byte_us: u32,
    pub(super) lag_us: u32,
    pub(super) sent: u32,
    pub(super) received: u32,
    pub(super) generation: u16,
    pub(super) outcome: Outcome,
    /// How many of the setters had to cut a number.
    pub(super) clipped: u8,
}

impl Sample {
    /// A sample of `series`, sent by the script's `generation`, actually started `start_us`
    /// microseconds after the run's epoch.
    #[inline]
    #[must_use]
    pub fn new(series: SeriesId, generation: u16, outcome: Outcome, start_us: u64) -> Sample {
        Sample {
            start_us,
            series,
            service_us: 0,
            late_us: 0,
            first_byte_us: 0,
            lag_us: 0,
            sent: 0,
            received: 0,
            generation,
            outcome,
            clipped: 0,
        }
    }

    /// Sets the outcome: the verdict may come later than the response.
    #[inline]
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Sample {
        self.outcome = outcome;
        self
    }

    /// End of the response − actual start, in µs. Cut at 4,294 s.
    #[inline]
    #[must_use]
    pub fn service_us(mut self, us: u64) -> Sample {
        self.service_us = self.narrow(us);
        self
    }

    /// Actual start − intended start, in µs, as far as the user's own overrun (or an open plan's
    /// exhausted pool) caused it. The generator's own lateness goes to
    /// [`Recorder::lag`](super::Recorder::lag). Cut at 4,294 s.
    #[inline]
    #[must_use]
    pub fn late_us(mut self, us: u64) -> Sample {
        self.late_us = self.narrow(us);
        self
    }

    /// How late the generator began the iteration whose first request this is, in µs; in no time of
    /// the request. Cut at 4,294 s.
    #[inline]
    #[must_use]
    pub fn lag_us(mut self, us: u64) -> Sample {
        self.lag_us = self.narrow(us);
        self
    }

    /// First byte of the response − actual start, in µs; zero where there was none.
    #[inline]
    #[must_use]
    pub fn first_byte_us(mut self, us: u64) -> Sample {
        self.first_byte_us = self.narrow(us);
        self
    }

    /// Bytes sent and bytes received. Each cut at 4 GiB.
    #[inline]
    #[must_use]
    pub fn bytes(mut self, sent: u64, received: u64) -> Sample {
        self.sent = self.narrow(sent);
        self.received = self.narrow(received);
        self
    }

    /// When the response had arrived, in µs since the run's epoch: decides the second in which the
    /// sample counts.
    #[inline]
    #[must_use]
    pub fn end_us(&self) -> u64 {
        self.start_us.saturating_add(u64::from(self.service_us))
    }

    /// Replaces time and bytes received by those of a body that was read since.
    #[must_use]
    pub fn read_on(mut self, service_us: u64, received: u64) -> Sample {
        self.service_us = self.narrow(service_us);
        self.received = self.narrow(received);
        self
    }

    /// What it counts under.
    #[must_use]
    pub fn series(&self) -> SeriesId {
        self.series
    }

    /// Actual start, in µs since the run's epoch.
    #[must_use]
    pub fn start_us(&self) -> u64 {
        self.start_us
    }

    /// End of the response − intended start, in µs.
    #[inline]
    #[must_use]
    pub fn response_us(&self) -> u64 {
        u64::from(self.service_us) + u64::from(self.late_us)
    }

    /// The generation of the script that sent it.
    #[must_use]
    pub fn generation(&self) -> u16 {
        self.generation
    }

    #[inline]
    fn narrow(&mut self, value: u64) -> u32 {
        u32::try_from(value).unwrap_or_else(|_| {
            self.clipped += 1;
            u32::MAX
        })
    }
}

/// Response times without a request of their own: the slots that a paced user missed because it
/// overran, all answered by the first request of the iteration that ended the stall.
///
/// They enter the response times of that request's series and nothing else: no request is counted
/// and no service time. Slot `k` (from 0) waited `longest_us − k × period_us`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The series of the iteration's first request.
    pub series: SeriesId,
    /// The generation that sent it.
    pub generation: u16,
    /// How that request ended.
    pub outcome: Outcome,
    /// When that request ended, in µs since the run's epoch: decides the second in which they count.
    pub at_us: u64,
    /// End of the request − intended start of the first missed slot, in µs.
    pub longest_us: u64,
    /// The user's pace, in µs.
    pub period_us: u64,
    /// How many slots were missed.
    pub count: u64,
}

/// How late the generator was, and in which second of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lag {
    pub(super) second: u32,
    pub(super) us: u32,
}

impl Lag {
    pub(super) fn new(at_us: u64, us: u32) -> Lag {
        let second = u32::try_from(at_us / 1_000_000).unwrap_or(u32::MAX);
        Lag { second, us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_forty_bytes() {
        assert_eq!(size_of::<Sample>(), 40);
    }

    #[test]
    fn conversions_saturate_and_are_counted() {
        let sample = Sample::new(SeriesId::new(3), 1, Outcome::Success, 5)
            .service_us(u64::MAX)
            .late_us(7)
            .bytes(10, 1 << 32);

        assert_eq!(sample.clipped, 2);
        assert_eq!(sample.response_us(), u64::from(u32::MAX) + 7);
        assert_eq!(sample.end_us(), u64::from(u32::MAX) + 5);
        assert_eq!((sample.sent, sample.received), (10, u32::MAX));
    }
}
