//! A thousand workers and one master: what that takes of the master, and how long a report waits.
//!
//! The master is the real program. The workers are simulated in this process, over real connections
//! and with the project's own machines and encoding; only their load is prepared.
//!
//! ```text
//! cargo bench --bench fleet                                  # the four fleets of the README
//! cargo bench --bench fleet -- 1000x50x400 --seconds 60      # workers x names x buckets a name
//! ```

#![allow(clippy::print_stdout, reason = "its table is the result")]

mod master;
mod measured;
mod prepared;
mod tally;
mod worker;

use std::cell::RefCell;
use std::fmt::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use katydid::clock;
use katydid::cluster::worker::Exit;
use master::Master;
use measured::{HEAD, Measured};
use prepared::Prepared;
use tally::Tally;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;
use worker::Shared;

/// How long the figures settle before they are taken.
const SETTLES: Duration = Duration::from_secs(12);

/// How many seconds of load come after the window, so that the end is not in it.
const AFTER: u64 = 3;

/// The longest wait for all workers to begin.
const BOUND: Duration = Duration::from_secs(120);

/// Workers, names of each, buckets of a name in a second.
#[derive(Clone, Copy)]
struct Fleet {
    workers: u32,
    names: u32,
    buckets: u32,
}

const FLEETS: [Fleet; 4] = [
    Fleet::new(1_000, 50, 5),
    Fleet::new(1_000, 50, 100),
    Fleet::new(1_000, 50, 400),
    Fleet::new(100, 1_000, 100),
];

impl Fleet {
    const fn new(workers: u32, names: u32, buckets: u32) -> Fleet {
        Fleet {
            workers,
            names,
            buckets,
        }
    }

    /// From `1000x50x5`.
    fn parse(text: &str) -> Option<Fleet> {
        let mut numbers = text.split('x').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Fleet::new(next()?, next()?, next()?))
    }

    /// A script with as many tasks as names.
    fn script(self) -> String {
        let mut script = "user(\"Shopper\", #{ wait_time: 1".to_owned();
        for n in 0..self.names {
            let _ = write!(
                script,
                ",\n    t{n}: task(|| {{ this.client.get(\"/{n}\"); }})"
            );
        }
        script.push_str(" });\n");
        script
    }
}

fn main() {
    // `cargo test --all-targets` runs benches too, and a number is met in a benchmark only.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("a fleet is measured by `cargo bench --bench fleet`");
    }
    let mut fleets = Vec::new();
    let mut seconds = 30;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--seconds" => seconds = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(30),
            "--bench" => {}
            text => match Fleet::parse(text) {
                Some(fleet) => fleets.push(fleet),
                None => panic!("`{text}` is no fleet: WORKERSxNAMESxBUCKETS, such as 1000x50x100"),
            },
        }
    }
    if fleets.is_empty() {
        fleets.extend(FLEETS);
    }
    println!("{HEAD}");
    let folder = tempfile::tempdir().expect("there is room");
    let wrong = fleets
        .into_iter()
        .map(|fleet| one(fleet, seconds, folder.path()));
    // Every one is run, whatever came of those before.
    let wrong: Vec<String> = wrong.flatten().collect();
    if !wrong.is_empty() {
        eprintln!("NOT AS IT MUST BE:\n{}", wrong.join("\n"));
        std::process::exit(1);
    }
}

/// Runs a fleet; what is not as it must be.
fn one(fleet: Fleet, seconds: u64, folder: &Path) -> Vec<String> {
    std::fs::write(folder.join("script.rhai"), fleet.script()).expect("there is room");
    // All users start within a second, and the run time counts from the first.
    let run_s = SETTLES.as_secs() + seconds + AFTER;
    let arguments = format!(
        "-H http://127.0.0.1:9 -u {0} -r {0} -t {run_s}s --expect-workers {0}",
        fleet.workers
    );
    let master = Master::start(folder, &arguments);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .expect("a runtime can be had");
    let measured = runtime.block_on(measure(fleet, seconds, master));
    println!("{}", measured.line(fleet));
    let wrong = measured.wrong(fleet).into_iter();
    let name = format!("{}x{}x{}", fleet.workers, fleet.names, fleet.buckets);
    wrong.map(|what| format!("{name}: {what}")).collect()
}

async fn measure(fleet: Fleet, seconds: u64, master: Master) -> Measured {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let shared = Shared {
        address: master.address.clone(),
        prepared: Rc::new(RefCell::new(Prepared::new(fleet.names, fleet.buckets))),
        tally: tally.clone(),
    };
    let begun = Instant::now();
    let mut working = JoinSet::new();
    for nth in 0..fleet.workers {
        working.spawn_local(worker::work(nth, shared.clone()));
    }
    while tally.borrow().started < fleet.workers {
        let started = tally.borrow().started;
        assert!(begun.elapsed() < BOUND, "only {started} workers have begun");
        sleep(Duration::from_millis(20)).await;
    }
    let joined = begun.elapsed();
    sleep(SETTLES).await;
    let look = || {
        let tally = tally.borrow();
        (clock::now(), master.cpu(), tally.reports, tally.bytes)
    };
    let before = look();
    sleep(Duration::from_secs(seconds)).await;
    let after = look();
    let peak = master.peak();
    let ended = spawn_blocking(move || master.ended());
    let mut done = 0;
    while let Some(exit) = working.join_next().await {
        done += u32::from(matches!(exit, Ok(Exit::Done)));
    }
    let ended = ended.await.expect("it does not panic");
    let length = Duration::from_micros(after.0.since(before.0));
    let tally = tally.borrow();
    Measured {
        length,
        cpu: after.1 - before.1,
        peak,
        times_us: tally.times(before.0, after.0),
        reports: after.2 - before.2,
        bytes: after.3 - before.3,
        joined,
        turned_away: tally.turned_away,
        samples: tally.samples,
        done,
        ended,
    }
}
