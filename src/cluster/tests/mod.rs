//! The layer as a whole, in a simulated world: seeded schedules of everything that can go wrong.
//!
//! 10,000 of them in a release build, fewer otherwise; `KATYDID_SCHEDULES=A..B` runs others.
//! A failure names its seed, and that seed does the same again.

mod chance;
mod checks;
mod faults;
mod file;
mod load;
mod net;
mod run;
mod users;
mod wires;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use net::SECOND;
use world::{Event, World};

/// One schedule, from the start of a run to its end.
fn schedule(seed: u64) -> World {
    let mut world = World::new(seed);
    let last = world.schedule();
    let calm = last + 60 * SECOND;
    world.at(calm, Event::Look);
    world.at(calm + SECOND, Event::End);
    world.go(calm + SECOND);
    let there: Vec<usize> = (0..world.processes.len())
        .filter(|it| world.processes[*it].is_alive)
        .collect();
    world.go(calm + 14 * SECOND);
    world.judge(&there);
    world
}

/// The seeds to try: `A..B` from the environment, or as many as a build has time for.
fn seeds() -> Range<u64> {
    let named = std::env::var("KATYDID_SCHEDULES").ok();
    let bounds = named.as_deref().and_then(|range| range.split_once(".."));
    let bounds = bounds.and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    let most = if cfg!(debug_assertions) { 300 } else { 10_000 };
    bounds.unwrap_or(0..most)
}

/// Why a schedule failed.
fn broken(seed: u64) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(|| schedule(seed))).err()?;
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    });
    Some(format!("schedule {seed}: {}", text.unwrap_or_default()))
}

#[test]
fn whatever_goes_wrong_what_must_hold_does() {
    let seeds = seeds();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let broken: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let seeds = seeds.clone().skip(thread).step_by(threads);
                scope.spawn(move || seeds.filter_map(broken).take(10).collect::<Vec<_>>())
            })
            .collect();
        let all = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        all.collect()
    });
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_seed_does_the_same_again() {
    for seed in 0..5 {
        let (one, other) = (schedule(seed), schedule(seed));
        assert!(
            format!("{one:?}") == format!("{other:?}"),
            "schedule {seed}"
        );
    }
}
