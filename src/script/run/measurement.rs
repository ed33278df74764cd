//! Something that took time and counts in a row of the reports: a request, what a script says it
//! measured itself, a group.
//!
//! Owns how it enters the statistics, what else counts by it, and what listeners of `request` hear
//! of it. What was measured is known where it happened.

use std::rc::Rc;
use std::time::Duration;

use rhai::{Dynamic, ImmutableString, Map};

use super::listeners;
use super::thread::Thread;
use super::user::{Missed, User};
use crate::clock::Micros;
use crate::stats::{Outcome, Sample, SeriesId, Slots};

/// What was measured, apart from how it ended.
#[derive(Clone, Copy)]
pub(crate) struct Measurement {
    /// Its row.
    pub(crate) series: SeriesId,
    /// µs since the run began.
    pub(crate) started_us: u64,
    pub(crate) ended_us: u64,
    pub(crate) took_us: u64,
    /// From its start to the first byte of a response; 0 without one.
    pub(crate) first_byte_us: u64,
    /// In bytes.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// How late it began by its user's own fault.
    pub(crate) late_us: u64,
    /// How late the generator began the iteration, if this is its first.
    pub(crate) lag_us: u64,
    /// The slots that its user missed before it.
    pub(crate) missed: Option<Missed>,
    /// How often it was sent again, because its kept connection had gone stale.
    pub(crate) stale_retries: u32,
}

/// What listeners of `request` hear besides times and how it ended.
pub(crate) struct Details {
    /// Type, method and name.
    pub(crate) row: [ImmutableString; 3],
    pub(crate) url: Option<String>,
    pub(crate) status: u16,
    /// Of the body, in bytes.
    pub(crate) length: u64,
}

impl Measurement {
    /// What began and ended at those moments.
    pub(crate) fn of(thread: &Thread, series: SeriesId, from: Micros, to: Micros) -> Measurement {
        Measurement {
            series,
            started_us: thread.run_us(from),
            ended_us: thread.run_us(to),
            took_us: to.since(from),
            first_byte_us: 0,
            sent: 0,
            received: 0,
            late_us: 0,
            lag_us: 0,
            missed: None,
            stale_retries: 0,
        }
    }

    /// Makes it that of a request: the first of an iteration is as late as its user was, and
    /// answers for the slots that were missed before it.
    pub(crate) fn of_request(self, user: &User) -> Measurement {
        Measurement {
            late_us: user.late_us.take(),
            lag_us: user.lag_us.take(),
            missed: user.missed.take(),
            ..self
        }
    }

    /// Records it and nothing else: the way of a group, whose requests count by themselves.
    pub(crate) fn record(&self, user: &User, has_failed: bool, error: Option<&str>) {
        let outcome = match has_failed {
            true => Outcome::Failure,
            false => Outcome::Success,
        };
        let sample = self.sample(user).outcome(outcome);
        user.thread.record(|recorder| {
            recorder.record(sample);
            if let Some(error) = error {
                recorder.error(self.series, self.ended_us, error);
            }
            for _ in 0..self.stale_retries {
                recorder.stale_retry();
            }
            if let Some(missed) = self.missed {
                let first_us = user.thread.run_us(missed.first);
                recorder.missed_slots(Slots {
                    series: self.series,
                    generation: sample.generation(),
                    outcome,
                    at_us: self.ended_us,
                    longest_us: self.ended_us.saturating_sub(first_us),
                    period_us: missed.period_us,
                    count: missed.count,
                });
            }
        });
    }

    /// Records a request, which failed for that reason if there is one. A failure is one of the
    /// groups around it too, and listeners hear of both.
    pub(crate) fn record_request(
        &self,
        user: &Rc<User>,
        error: Option<&str>,
        details: impl FnOnce() -> Details,
    ) {
        self.record(user, error.is_some(), error);
        if error.is_some() {
            user.failed.set(user.failed.get() + 1);
        }
        if user.is_listened {
            listeners::request(user, || self.described(user, error, details()));
        }
    }

    /// The sample of a success.
    fn sample(&self, user: &User) -> Sample {
        let generation = user.generation.number();
        Sample::new(self.series, generation, Outcome::Success, self.started_us)
            .service_us(self.took_us)
            .late_us(self.late_us)
            .lag_us(self.lag_us)
            .first_byte_us(self.first_byte_us)
            .bytes(self.sent, self.received)
    }

    /// What a listener of `request` gets, times in seconds.
    fn described(&self, user: &User, error: Option<&str>, details: Details) -> Map {
        let [kind, method, name] = details.row;
        let response_time = Duration::from_micros(self.sample(user).response_us());
        let length = i64::try_from(details.length).unwrap_or(i64::MAX);
        let text = |text: Option<String>| text.map_or(Dynamic::UNIT, Dynamic::from);
        let clock = user.thread.parts.clock.get();
        Map::from([
            ("type".into(), kind.into()),
            ("method".into(), method.into()),
            ("name".into(), name.into()),
            ("response_time".into(), response_time.as_secs_f64().into()),
            ("response_length".into(), length.into()),
            ("status".into(), i64::from(details.status).into()),
            ("error".into(), text(error.map(str::to_owned))),
            ("url".into(), text(details.url)),
            ("start".into(), clock.unix_s(self.started_us).into()),
        ])
    }
}
