//! The workers of a run over many machines, as plain rows.
//!
//! Owns what is said of a worker and what its troubles are called. Who is there, and what it
//! measured, the master knows; a local run has no rows.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::seconds::LAG_LIMIT_US;

/// The longest name of a worker, in characters.
const LONGEST_NAME: usize = 64;

/// Above this share of what its load threads can use, a worker has no CPU to spare.
const BUSY: f64 = 0.9;

/// Above this share of its time, a worker is held back by its control group.
const THROTTLED: f64 = 0.05;

/// So many seconds in a row make a trouble, or end it: one alone is no news.
const IN_A_ROW: u32 = 3;

/// A worker as people call it: `worker 2 (box-7)`. Numbers are never used twice in a run, so two
/// workers of one host are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerName {
    /// Its number, counted from 0.
    pub number: u32,
    /// What its host is called, cleaned and bounded; may be empty.
    pub host: Arc<str>,
}

impl WorkerName {
    /// Of a worker that says that its host is called so: what it says is anybody's text.
    #[must_use]
    pub fn new(number: u32, host: &str) -> WorkerName {
        let shown = host.chars().filter(|letter| is_plain(*letter));
        let shown: String = shown.take(LONGEST_NAME).collect();
        WorkerName {
            number,
            host: shown.trim().into(),
        }
    }
}

/// Of a name only what is read as it is written: no controls, and nothing that turns the line.
fn is_plain(letter: char) -> bool {
    match letter {
        '(' | ')' | '"' | '\'' | '`' | '\u{ad}' | '\u{61c}' | '\u{feff}' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => false,
        letter => !letter.is_control(),
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.number)?;
        if self.host.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.host)
    }
}

/// How a worker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkerState {
    /// It is there, and has no users to run.
    #[default]
    Ready,
    /// It makes load.
    Running,
    /// No sign of it for 3 s.
    Late,
    /// No sign of it for 5 s.
    Missing,
    /// Its users are with the others; it may come back.
    Gone,
    /// Nothing waits for it any longer.
    Lost,
    /// It left in order, and all its numbers are counted.
    Left,
}

impl WorkerState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WorkerState::Ready => "ready",
            WorkerState::Running => "running",
            WorkerState::Late => "late",
            WorkerState::Missing => "missing",
            WorkerState::Gone => "gone",
            WorkerState::Lost => "lost",
            WorkerState::Left => "left",
        }
    }

    /// Whether it has users, as far as is known.
    #[must_use]
    pub fn has_users(self) -> bool {
        use WorkerState::{Late, Missing, Running};
        matches!(self, Running | Late | Missing)
    }
}

/// What a worker said last of its machine and its load threads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkerMachine {
    /// CPU that the process used in the last second, as a share of what its load threads can use.
    pub cpu: f64,
    /// Memory of the process, in bytes.
    pub rss_bytes: u64,
    /// How much it may have; 0 if unknown.
    pub memory_bytes: u64,
    /// For what share of the last second its control group held it back; 0 where there is none.
    pub throttled: f64,
    /// How late its load threads acted in the last second: 99th percentile, in µs.
    pub lag_p99_us: u64,
    /// The most, in µs.
    pub lag_max_us: u64,
}

impl WorkerMachine {
    /// The greater of each figure.
    #[must_use]
    pub fn most(self, other: WorkerMachine) -> WorkerMachine {
        WorkerMachine {
            cpu: self.cpu.max(other.cpu),
            rss_bytes: self.rss_bytes.max(other.rss_bytes),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            throttled: self.throttled.max(other.throttled),
            lag_p99_us: self.lag_p99_us.max(other.lag_p99_us),
            lag_max_us: self.lag_max_us.max(other.lag_max_us),
        }
    }
}

/// What is known of a worker's clock. The run's times do not hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerClock {
    /// A message to it and back, at the quickest of the last ones, in µs.
    pub round_trip_us: u64,
    /// The worker's time of day minus the master's, in µs.
    pub offset_us: i64,
    /// By how much that may be wrong, in µs.
    pub error_us: u64,
}

/// What may make a worker's times its own rather than the target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strain {
    /// It has no CPU to spare.
    Busy,
    /// Its control group holds it back.
    Throttled,
    /// Its load threads act late.
    Lagging,
}

impl Strain {
    /// All of them.
    pub const ALL: [Strain; 3] = [Strain::Busy, Strain::Throttled, Strain::Lagging];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Strain::Busy => "busy",
            Strain::Throttled => "throttled",
            Strain::Lagging => "lagging",
        }
    }

    fn is_in(self, machine: &WorkerMachine) -> bool {
        match self {
            Strain::Busy => machine.cpu > BUSY,
            Strain::Throttled => machine.throttled > THROTTLED,
            Strain::Lagging => machine.lag_p99_us > LAG_LIMIT_US,
        }
    }
}

/// For how long a worker was under one strain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strained {
    /// Whether it is now.
    pub is_now: bool,
    /// Seconds of all its strains that lasted: one alone is none.
    pub seconds: u64,
    /// Seconds in a row that contradict `is_now`.
    other: u32,
}

/// All strains of a worker, by [`Strain::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strains([Strained; 3]);

impl Strains {
    /// A worker has told of another second; returns what has begun, and what is over.
    pub fn on(&mut self, machine: &WorkerMachine) -> Vec<(Strain, bool)> {
        let mut turns = Vec::new();
        for (strain, strained) in Strain::ALL.into_iter().zip(&mut self.0) {
            let is_in = strain.is_in(machine);
            strained.seconds += u64::from(is_in && strained.is_now);
            strained.other = if is_in == strained.is_now {
                0
            } else {
                strained.other + 1
            };
            if strained.other == IN_A_ROW {
                strained.is_now = is_in;
                strained.other = 0;
                if is_in {
                    strained.seconds += u64::from(IN_A_ROW);
                }
                turns.push((strain, is_in));
            }
        }
        turns
    }

    /// For how long it was under that one.
    #[must_use]
    pub fn of(&self, strain: Strain) -> Strained {
        self.0[strain as usize]
    }

    /// Each with how long the worker was under it.
    pub fn iter(&self) -> impl Iterator<Item = (Strain, Strained)> {
        Strain::ALL.into_iter().zip(self.0)
    }
}

/// One worker.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerRow {
    /// What it is called.
    pub name: WorkerName,
    /// Where it came from last.
    pub address: Option<IpAddr>,
    /// Katydid's version there; another one is never let in.
    pub version: &'static str,
    /// How it stands.
    pub state: WorkerState,
    /// Since when (a lost one: since it was gone), in µs since the run's epoch; 0 if since before.
    pub since_us: u64,
    /// When it gave its last sign, in µs since the run's epoch; 0 if before.
    pub heard_us: u64,
    /// Its load threads.
    pub threads: u32,
    /// Its users.
    pub users: u64,
    /// Requests and groups of it that are in the figures.
    pub samples: u64,
    /// As many more it may have made since its last report, at most: they are in no figure. 0
    /// while its numbers can be expected.
    pub missing: u64,
    /// When its last report was counted, in µs since the run's epoch; 0 if none was.
    pub counted_us: u64,
    /// What it said of its machine.
    pub machine: WorkerMachine,
    /// The most that it said of each.
    pub most: WorkerMachine,
    /// What is known of its clock.
    pub clock: Option<WorkerClock>,
    /// What makes its times doubtful.
    pub strains: Strains,
}

/// All workers of a run.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    /// By number.
    pub rows: Arc<[WorkerRow]>,
    /// Nothing more will come of any of them.
    pub is_final: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_and_told_apart() {
        let evil = WorkerName::new(3, "\u{1b}[31mbox)\u{202e} is lost\n");
        assert_eq!(evil.to_string(), "worker 3 ([31mbox is lost)");
        let [one, other] = [1, 2].map(|number| WorkerName::new(number, "box"));
        assert_eq!(one.to_string(), "worker 1 (box)");
        assert_ne!(one.to_string(), other.to_string());
        assert_eq!(WorkerName::new(0, "\u{7}").to_string(), "worker 0");
        assert_eq!(
            WorkerName::new(0, &"ü".repeat(999)).host.chars().count(),
            64
        );
    }

    #[test]
    fn a_strain_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let busy = WorkerMachine {
            cpu: 0.97,
            ..WorkerMachine::default()
        };
        let idle = WorkerMachine::default();
        let mut strains = Strains::default();
        let turns: Vec<_> = [
            busy, busy, idle, busy, busy, busy, busy, idle, busy, idle, idle, idle, idle,
        ]
        .iter()
        .map(|machine| strains.on(machine))
        .collect();
        let told: Vec<_> = turns
            .iter()
            .enumerate()
            .flat_map(|(at, turns)| turns.iter().map(move |turn| (at, *turn)))
            .collect();
        assert_eq!(
            told,
            [(5, (Strain::Busy, true)), (11, (Strain::Busy, false))]
        );
        let strained = strains.of(Strain::Busy);
        assert_eq!((strained.is_now, strained.seconds), (false, 5));
    }
}
