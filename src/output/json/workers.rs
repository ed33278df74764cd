//! Workers in the JSON document, and in the API: one form for both.
//!
//! Owns the form; docs/summary.schema.json and docs/openapi.json describe it. Times are in the unit
//! that their name says.

use serde::Serialize;

use crate::stats::{self, Strain, Strains, Summary};

use super::super::numbers::{difference_ms, ms, seconds};
use super::super::visible::visible;

/// One worker.
#[derive(Serialize)]
pub struct Worker {
    number: u32,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    version: &'static str,
    state: &'static str,
    since_s: f64,
    heard_s: f64,
    counted_s: f64,
    threads: u32,
    users: u64,
    samples: u64,
    missing: u64,
    now: Machine,
    most: Machine,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<Clock>,
    strained: Strained,
}

#[derive(Serialize)]
struct Machine {
    cpu: f64,
    throttled: f64,
    rss_bytes: u64,
    memory_bytes: u64,
    lag_p99_ms: f64,
    lag_max_ms: f64,
}

#[derive(Serialize)]
struct Clock {
    round_trip_ms: f64,
    offset_ms: f64,
    error_ms: f64,
}

#[derive(Serialize)]
struct Strained {
    now: Vec<&'static str>,
    busy_s: u64,
    throttled_s: u64,
    lagging_s: u64,
}

impl Worker {
    /// All workers of a run.
    #[must_use]
    pub fn all(summary: &Summary) -> Vec<Worker> {
        summary.workers.iter().map(Worker::of).collect()
    }

    fn of(row: &stats::WorkerRow) -> Worker {
        Worker {
            number: row.name.number,
            name: visible(&row.name.host).into_owned(),
            address: row.address.map(|address| address.to_string()),
            version: row.version,
            state: row.state.as_str(),
            since_s: seconds(row.since_us),
            heard_s: seconds(row.heard_us),
            counted_s: seconds(row.counted_us),
            threads: row.threads,
            users: row.users,
            samples: row.samples,
            missing: row.missing,
            now: Machine::of(row.machine),
            most: Machine::of(row.most),
            clock: row.clock.map(Clock::of),
            strained: Strained::of(&row.strains),
        }
    }
}

impl Machine {
    fn of(machine: stats::WorkerMachine) -> Machine {
        Machine {
            cpu: machine.cpu,
            throttled: machine.throttled,
            rss_bytes: machine.rss_bytes,
            memory_bytes: machine.memory_bytes,
            lag_p99_ms: ms(machine.lag_p99_us),
            lag_max_ms: ms(machine.lag_max_us),
        }
    }
}

impl Clock {
    fn of(clock: stats::WorkerClock) -> Clock {
        Clock {
            round_trip_ms: ms(clock.round_trip_us),
            offset_ms: difference_ms(clock.offset_us),
            error_ms: ms(clock.error_us),
        }
    }
}

impl Strained {
    fn of(strains: &Strains) -> Strained {
        let now = strains.iter().filter(|(_, strained)| strained.is_now);
        let seconds = |strain| strains.of(strain).seconds;
        Strained {
            now: now.map(|(strain, _)| strain.as_str()).collect(),
            busy_s: seconds(Strain::Busy),
            throttled_s: seconds(Strain::Throttled),
            lagging_s: seconds(Strain::Lagging),
        }
    }
}
