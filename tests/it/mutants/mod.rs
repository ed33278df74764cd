//! Texts and answers damaged at random: nothing may panic, hang or end by a signal.
//!
//! The seed is fixed, so that a failure comes again; `tests/bench/README.md` says how to run many
//! more with another. Each mutant is known by its number, which failures name.

pub(crate) mod alone;
mod answered;
mod answers;
mod checked;
pub(crate) mod mutator;
mod runs;
mod scripts;
mod wire;
mod wired;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The number of mutants: `KATYDID_MUTANTS`, or as many as there is time for in the suite.
fn count(otherwise: usize) -> usize {
    from_environment("KATYDID_MUTANTS").unwrap_or(otherwise)
}

/// What they follow from: `KATYDID_MUTANT_SEED`, or always the same.
fn seed() -> u64 {
    from_environment("KATYDID_MUTANT_SEED").unwrap_or(20_261_127)
}

fn from_environment<N: std::str::FromStr>(name: &str) -> Option<N> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// Tries each of so many mutants on some threads; gives what is wrong, by number. Whoever takes
/// longer than `bound` ends the process, after its text has been shown.
fn each(
    count: usize,
    threads: usize,
    bound: Duration,
    attempt: impl Fn(usize, &dyn Fn(&[u8])) -> Result<(), String> + Sync,
) -> Vec<String> {
    type UnderWay = Option<(usize, Instant, Vec<u8>)>;
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let under_way: Vec<Mutex<UnderWay>> = (0..threads).map(|_| Mutex::default()).collect();
    let ended = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for mine in &under_way {
            let (next, wrong, attempt, ended) = (&next, &wrong, &attempt, &ended);
            // As much stack as the main thread of the command has.
            let builder = std::thread::Builder::new().stack_size(8 << 20);
            let work = move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let began = Instant::now();
                    let tell = |text: &[u8]| {
                        *mine.lock().unwrap() = Some((number, began, text.to_vec()));
                    };
                    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        attempt(number, &tell)
                    }));
                    let text = mine
                        .lock()
                        .unwrap()
                        .take()
                        .map_or(Vec::new(), |(.., text)| text);
                    let why = match caught {
                        Ok(Ok(())) => continue,
                        Ok(Err(why)) => why,
                        Err(_) => "it panics".to_owned(),
                    };
                    let text = String::from_utf8_lossy(&text).into_owned();
                    wrong
                        .lock()
                        .unwrap()
                        .push(format!("mutant {number}: {why}\n{text}"));
                }
                ended.fetch_add(1, Ordering::Relaxed);
            };
            builder.spawn_scoped(scope, work).unwrap();
        }
        while ended.load(Ordering::Relaxed) < threads {
            std::thread::park_timeout(Duration::from_millis(20));
            for one in &under_way {
                if let Some((number, began, text)) = &*one.lock().unwrap()
                    && began.elapsed() > bound
                {
                    let text = String::from_utf8_lossy(text);
                    eprintln!("mutant {number} takes more than {bound:?}:\n{text}");
                    std::process::abort();
                }
            }
        }
    });
    wrong.into_inner().unwrap()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Fails with the first of what is wrong.
fn assert_none(wrong: &[String], what: &str) {
    let first = wrong
        .iter()
        .take(3)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n\n");
    let (number, seed) = (wrong.len(), seed());
    assert!(
        wrong.is_empty(),
        "{number} {what} with seed {seed} are wrong:\n{first}"
    );
}
