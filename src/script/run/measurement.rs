//! Something that took time and counts in a row of the reports: a request, what a script says it
//! measured itself, a group.
//!
//! Owns how it enters the statistics, what else counts by it, and what listeners of `request` hear
//! of it. What was measured is known where it happened.

use std::rc::Rc;
use std::time::Duration;

use rhai::{Dynamic, ImmutableString, Map};

use super::listeners;
use super::user::{Missed, User};
use crate::clock::Micros;
use crate::stats::{Outcome, Sample, SeriesId, Slots};

/// What was measured, apart from how it ended.
#[derive(Clone, Copy)]
pub(crate) struct Measurement {
    /// That of a success.
    pub(crate) sample: Sample,
    /// µs since the run began.
    ended_us: u64,
    /// The slots that its user missed before it.
    missed: Option<Missed>,
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
    /// A sample of what ended then, in µs since the run began.
    pub(crate) fn new(sample: Sample, ended_us: u64) -> Measurement {
        Measurement {
            sample,
            ended_us,
            missed: None,
            stale_retries: 0,
        }
    }

    /// What began and ended at those moments.
    pub(crate) fn of(user: &User, series: SeriesId, from: Micros, to: Micros) -> Measurement {
        let thread = &user.thread;
        let generation = user.generation.number();
        let sample = Sample::new(series, generation, Outcome::Success, thread.run_us(from));
        Measurement::new(sample.service_us(to.since(from)), thread.run_us(to))
    }

    /// Makes it that of a request: the first of an iteration is as late as its user and the
    /// generator were, and answers for the slots that were missed before it.
    pub(crate) fn of_request(self, user: &User) -> Measurement {
        let (late_us, lag_us) = (user.late_us.take(), user.lag_us.take());
        Measurement {
            sample: self.sample.late_us(late_us).lag_us(lag_us),
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
        let sample = self.sample.outcome(outcome);
        user.thread.record(|recorder| {
            recorder.record(sample);
            if let Some(error) = error {
                recorder.error(sample.series(), self.ended_us, error);
            }
            for _ in 0..self.stale_retries {
                recorder.stale_retry();
            }
            if let Some(missed) = self.missed {
                let first_us = user.thread.run_us(missed.first);
                recorder.missed_slots(Slots {
                    series: sample.series(),
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

    /// What a listener of `request` gets, times in seconds.
    fn described(&self, user: &User, error: Option<&str>, details: Details) -> Map {
        let [kind, method, name] = details.row;
        let response_time = Duration::from_micros(self.sample.response_us());
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
            ("start".into(), clock.unix_s(self.sample.start_us()).into()),
        ])
    }
}
