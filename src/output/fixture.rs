//! Runs for the tests of this module, measured through the real recorder and collector.
//!
//! Not compiled into the tool.

use std::sync::Arc;

use super::RunInfo;
use crate::stats::{
    Collector, Generation, Kind, Limits, Outcome, Recorder, Sample, Slots, Strains, Summary,
    WorkerClock, WorkerMachine, WorkerName, WorkerRow, WorkerState,
};

/// All runs here begin on 2026-01-02 at 03:04:05 UTC.
const BEGUN_UNIX_US: i64 = 1_767_323_045_000_000;

fn collector() -> Collector {
    let mut collector = Collector::new(Limits::default());
    collector.begin(BEGUN_UNIX_US);
    collector
}

/// A run's description.
pub(super) fn run() -> RunInfo {
    RunInfo {
        version: "0.1.0".to_owned(),
        script: "scripts/hello.rhai".to_owned(),
        host: "http://127.0.0.1:8080".to_owned(),
        seed: 42,
    }
}

/// Ten seconds of a shop: two names, a group, failures, an exception and a paced user that once
/// overran.
pub(super) fn shop() -> Collector {
    let mut recorder = Recorder::new(0, Limits::default());
    let list = recorder.series(&Kind::Http, "GET", "/coupons");
    let issue = recorder.series(&Kind::Http, "POST", "/coupons/1/issue");
    let group = recorder.series(&Kind::Group, "", "checkout");
    for n in 0..1_000_u64 {
        let start_us = n * 10_000;
        let list_us = 150 + n % 100;
        recorder.iteration_started();
        let sample = Sample::new(list, 1, Outcome::Success, start_us).service_us(list_us);
        recorder.record(sample.bytes(80, 512));
        if n % 4 == 0 {
            let is_sold_out = n >= 800;
            let outcome = if is_sold_out {
                Outcome::Failure
            } else {
                Outcome::Success
            };
            let sample = Sample::new(issue, 1, outcome, start_us + list_us)
                .service_us(12_345 + n)
                .late_us(if n == 400 { 250_000 } else { 0 });
            recorder.record(sample.bytes(200, 64));
            if is_sold_out {
                recorder.error(
                    issue,
                    start_us + list_us + 12_345 + n,
                    "409 Conflict: \"sold out\", 0 left",
                );
            }
            recorder.record(Sample::new(group, 1, outcome, start_us).service_us(12_600 + n));
        }
        recorder.lag(start_us, 60 + u32::try_from(n % 9).expect("below nine"));
        recorder.iteration_finished();
    }
    recorder.missed_slots(Slots {
        series: issue,
        generation: 1,
        outcome: Outcome::Success,
        at_us: 4_012_745,
        longest_us: 262_745,
        period_us: 100_000,
        count: 2,
    });
    recorder.iterations_missed(2);
    recorder.exception(
        2_500_000,
        "index out of bounds",
        "scripts/hello.rhai:12:5",
        || Some("nth (scripts/hello.rhai:12:5)\nthe task `hello` (scripts/hello.rhai:3:9)".into()),
    );

    let mut collector = collector();
    collector.asked(10);
    collector.users(10, 10);
    collector.generation(Generation {
        n: 1,
        hash: "0f1e2d".into(),
        at_us: 0,
    });
    collector.generator(1_234_567, 12_345_678);
    collector.absorb(recorder.take(None));
    collector
}

/// That run's final result.
pub(super) fn final_shop() -> Arc<Summary> {
    let mut collector = shop();
    collector.in_flight(3);
    collector.end(10_000_000);
    collector.tick(10_000_000);
    collector.users(0, 10);
    collector.summary(10_100_000)
}

/// A run of several versions of a script, five seconds each: from the second on they make an
/// additional request, which sometimes fails; two users are still in the first version when the
/// last has taken over, and their requests come in late.
pub(super) fn reloaded(versions: u16) -> Collector {
    let mut recorder = Recorder::new(0, Limits::default());
    let list = recorder.series(&Kind::Http, "GET", "/coupons");
    let issue = recorder.series(&Kind::Http, "POST", "/coupons/1/issue");
    let group = recorder.series(&Kind::Group, "", "checkout");
    let mut collector = collector();
    for n in 1..=versions {
        let version = u64::from(n);
        let begin_us = (version - 1) * 5_000_000;
        collector.generation(Generation {
            n,
            hash: format!("{n}f2a9c1b77d0").into(),
            at_us: begin_us,
        });
        for k in 0..100 {
            let start_us = begin_us + k * 50_000;
            let sample = Sample::new(list, n, Outcome::Success, start_us);
            recorder.record(sample.service_us(version * 1_000 + k).bytes(80, 512));
            if n > 1 && k % 5 == 0 {
                let outcome = if k == 50 {
                    Outcome::Failure
                } else {
                    Outcome::Success
                };
                recorder.record(Sample::new(issue, n, outcome, start_us).service_us(12_345 + k));
                recorder.record(Sample::new(group, n, outcome, start_us).service_us(15_000 + k));
            }
        }
        collector.absorb(recorder.take(None));
    }
    let end_us = u64::from(versions) * 5_000_000;
    for _ in 0..2 {
        let late = Sample::new(list, 1, Outcome::Success, end_us - 1_000_000);
        recorder.record(late.service_us(900_000));
    }
    collector.users(10, 10);
    collector.behind(2);
    collector.absorb(recorder.take(None));
    collector
}

/// That run's final result.
pub(super) fn final_reloaded(versions: u16) -> Arc<Summary> {
    let mut collector = reloaded(versions);
    let end_us = u64::from(versions) * 5_000_000;
    collector.end(end_us);
    collector.tick(end_us);
    collector.users(0, 10);
    collector.behind(0);
    collector.summary(end_us)
}

/// Two seconds of a script that has figures of its own and makes no request.
pub(super) fn figures() -> Arc<Summary> {
    let mut recorder = Recorder::new(0, Limits::default());
    for n in 0..1_000_u32 {
        recorder.measure_own("balance", f64::from(n) / 4.0 - 50.0);
        recorder.count_own("coupons", u64::from(n % 4));
    }
    recorder.measure_own("rows, first page", 20.0);
    let mut collector = collector();
    collector.absorb(recorder.take(None));
    collector.summary(2_000_000)
}

/// A run in which nothing happened.
pub(super) fn nothing() -> Arc<Summary> {
    collector().summary(0)
}

/// A run over three workers: one left in order, one was busy, one was lost.
pub(super) fn with_workers() -> Arc<Summary> {
    let machine = WorkerMachine {
        cpu: 0.412,
        rss_bytes: 48_300_000,
        memory_bytes: 512 << 20,
        throttled: 0.0,
        lag_p99_us: 190,
        lag_max_us: 1_234,
    };
    let busy = WorkerMachine {
        cpu: 0.97,
        throttled: 0.3,
        lag_max_us: 31_000,
        ..machine
    };
    let row = |number, state, machine: WorkerMachine| WorkerRow {
        name: WorkerName::new(number, "box"),
        address: Some([10, 0, 0, 7].into()),
        version: "0.1.0",
        state,
        since_us: 9_000_000,
        heard_us: 8_900_000,
        counted_us: 8_200_000,
        threads: 2,
        users: 0,
        samples: 625,
        missing: 0,
        machine,
        most: machine,
        clock: Some(WorkerClock {
            round_trip_us: 400,
            offset_us: -3_200,
            error_us: 201,
        }),
        strains: Strains::default(),
    };
    let mut strained = row(1, WorkerState::Left, busy);
    (0..7).for_each(|_| {
        strained.strains.on(&busy);
    });
    let lost = WorkerRow {
        missing: 45,
        clock: None,
        address: None,
        ..row(2, WorkerState::Lost, machine)
    };
    let mut shop = shop();
    shop.workers([row(0, WorkerState::Left, machine), strained, lost].into());
    shop.end(10_000_000);
    shop.summary(10_000_000)
}

/// A run with long numbers, long or wide names, and every possible warning.
pub(super) fn troubled() -> Arc<Summary> {
    let limits = Limits {
        series: 3,
        texts: 1,
        samples: 16,
    };
    let mut recorder = Recorder::new(0, limits);
    let names = [
        "/优惠券/领取/第一批/每人限领一张",
        "/a/very/long/path/that/no/narrow/terminal/has/room/for",
        "/x",
        "/y",
    ];
    for (n, name) in names.iter().enumerate() {
        let kind = if n == 2 {
            Kind::Protocol("websocket".into())
        } else {
            Kind::Http
        };
        let series = recorder.series(&kind, ["GET", "PROPPATCH!"][n % 2], name);
        for us in [7, 5_000_000_000] {
            let sample = Sample::new(series, 1, Outcome::Failure, 0).service_us(us);
            recorder.record(sample.late_us(1_000_000));
        }
        let text = format!(
            "{n}: {}",
            "the server closed the connection while it sent the body; ".repeat(3)
        );
        recorder.error(series, 7, &text);
        recorder.exception(7, &format!("thrown {n}"), "scripts/a.rhai:1:1", || None);
    }
    recorder.lag(0, 12_000);
    recorder.stale_retry();
    recorder.iteration_dropped();
    recorder.fold();
    let mut collector = Collector::new(limits);
    collector.begin(BEGUN_UNIX_US);
    collector.absorb(recorder.take(None));
    let mut summary = collector.summary(1_000_000);
    let wide = Arc::get_mut(&mut summary).expect("nobody else has it");
    for row in wide.requests.iter_mut().chain([&mut wide.total]) {
        row.requests = u64::MAX;
        row.failures = u64::MAX;
        row.rps = 1.234e12;
        row.current_rps = 1.234e12;
    }
    summary
}
