//! What must hold in the world, whatever goes wrong.
//!
//! Owns the checks; each says which promise is broken.
//!
//! - (a) What was counted of a worker was recorded by it, and what was not counted is named; it is
//!   nothing for one that ended in order.
//! - (b) No user begins an iteration once another one of the same ordinal has.
//! - (c) A minute after the last fault every user of the plan is there once.
//! - (d) No row is used twice.
//! - (e) No element of a queue is taken twice, and without deaths none is missing.
//! - (f) A value that is made once is the same for all, and nobody who has gone is to make it.
//! - (g) All workers are in one generation.
//! - (h) The run ends in time, and so do its workers.
//! - (i) What is kept for others is bounded.

use std::collections::{BTreeMap, BTreeSet};

use super::net::SECOND;
use super::world::{Process, World};
use crate::cluster::worker::Exit;

/// A user: its process, and its number there.
type Life = (usize, u64);

#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) has_killed: bool,
    pub(super) has_restarted: bool,
    pub(super) has_cloned: bool,
    running: BTreeMap<u32, Life>,
    retired: BTreeSet<Life>,
    rows: BTreeSet<u64>,
    puts: i64,
    have_put: i64,
    taken: BTreeSet<i64>,
    values: BTreeMap<u8, i64>,
    made: i64,
    /// How much was looked at, so that a world in which nothing happens is found out.
    pub(super) iterations: u64,
}

impl Checks {
    pub(super) fn begins(&mut self, now: u64, ordinal: u32, life: Life) {
        let before = self.running.insert(ordinal, life);
        if let Some(before) = before.filter(|before| *before != life) {
            self.retired.insert(before);
        }
        assert!(
            !self.retired.contains(&life),
            "(b) user {ordinal} on {life:?} begins at {now}, though {before:?} has",
        );
    }

    pub(super) fn row(&mut self, row: u64) {
        // What one of two copies gives back, the other may have used.
        let is_first = self.rows.insert(row) || self.has_cloned;
        assert!(is_first, "(d) row {row} is used twice");
    }

    pub(super) fn puts(&mut self) -> i64 {
        self.puts += 1;
        self.puts
    }

    pub(super) fn has_put(&mut self) {
        self.have_put += 1;
    }

    pub(super) fn takes(&mut self, value: i64) {
        assert!(value <= self.puts, "(e) nobody has put {value}");
        let is_first = self.taken.insert(value);
        // A master that is started again has the queue of some time ago, or none.
        assert!(
            is_first || self.has_restarted || self.has_cloned,
            "(e) {value} is taken twice"
        );
    }

    pub(super) fn makes(&mut self) -> i64 {
        self.made += 1;
        self.made
    }

    pub(super) fn once(&mut self, name: u8, value: i64) {
        let first = *self.values.entry(name).or_insert(value);
        assert!(
            first == value || self.has_restarted,
            "(f) {name} is {first} and {value}"
        );
    }

    pub(super) fn bounds(&self, process: &Process, has_file: bool) {
        let [letters, reports, questions] = process.core.held();
        // The last report and a sum come on top.
        let most = if has_file { 66 } else { 10 };
        assert!(
            letters <= 2_000 && reports <= most && questions <= 300,
            "(i) {letters} letters, {reports} reports, {questions} questions"
        );
    }
}

impl World {
    /// A minute after the last fault.
    pub(super) fn look(&mut self) {
        let Some(head) = &self.head else {
            panic!("(h) there is no master");
        };
        let [letters, questions] = head.core.held();
        assert!(
            letters <= 5_000 && questions <= 300,
            "(i) {letters}, {questions}"
        );
        let alive = self.processes.iter().filter(|process| process.is_alive);
        let alive: Vec<&Process> = alive.collect();
        if alive.is_empty() {
            return;
        }
        assert!(head.run.has_begun(), "(c) the run has not begun");
        for maker in head.core.makers() {
            let is_there = alive.iter().any(|process| process.index == Some(maker));
            assert!(is_there, "(f) worker {maker} has gone with its turn");
        }
        let mut users: Vec<u32> = Vec::new();
        for process in &alive {
            let copies = alive.iter().filter(|other| other.index == process.index);
            let is_alone = !process.is_cloned || copies.count() == 1;
            assert!(is_alone, "(h) a clone is still there");
            users.extend(process.load.active());
            assert_eq!(
                process.load.generation,
                head.run.generation(),
                "(g) generations differ"
            );
        }
        users.sort_unstable();
        let planned: Vec<u32> = (0..self.planned).collect();
        assert_eq!(users, planned, "(c) the users of the plan");
    }

    /// After the end of the run.
    pub(super) fn judge(&mut self, there: &[usize]) {
        let Some(head) = &self.head else {
            panic!("(h) there is no master");
        };
        assert!(head.is_over, "(h) the run is not over");
        for it in there {
            let exit = self.processes[*it].exit;
            assert_eq!(exit, Some(Exit::Done), "(h) worker {it}");
        }
        for (it, process) in self.processes.iter().enumerate() {
            let recorded = process.load.recorded;
            let Some(index) = process.index else {
                let may_be_unknown = self.checks.has_restarted || recorded == 0;
                assert!(may_be_unknown, "(a) worker {it} is unknown");
                continue;
            };
            let counted = head.counted.get(&index).copied().unwrap_or(0);
            let missing = head.missing.get(&index).copied().unwrap_or(0);
            if process.is_cloned {
                let copies = self
                    .processes
                    .iter()
                    .filter(|other| other.index == Some(index));
                let all: u64 = copies.map(|copy| copy.load.recorded).sum();
                assert!(counted <= all, "(a) {counted} of {all}");
                continue;
            }
            assert!(
                counted <= recorded,
                "(a) worker {it}: {counted} of {recorded}"
            );
            assert!(
                recorded <= counted + missing,
                "(a) worker {it}: {counted} and {missing} of {recorded}"
            );
            // One that left before its welcome came has nothing to be missed, but who knows that?
            if process.exit == Some(Exit::Done) && recorded > 0 {
                assert_eq!((counted, missing), (recorded, 0), "(a) worker {it}");
            }
        }
        let checks = &self.checks;
        if !(checks.has_killed || checks.has_restarted || checks.has_cloned) {
            let there = i64::try_from(checks.taken.len() + head.core.elements()).unwrap();
            assert!(
                checks.have_put <= there && there <= checks.puts,
                "(e) {} to {} were put, and {there} are there",
                checks.have_put,
                checks.puts
            );
        }
        let worked = self.now / SECOND > 60 && !there.is_empty();
        assert!(!worked || checks.iterations > 10, "nothing happened");
    }
}
