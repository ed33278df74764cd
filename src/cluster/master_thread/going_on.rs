//! A run of an earlier master, as the thread of this one sees it.
//!
//! Owns telling the run who goes on in it, and keeping what comes before the run is there.

use std::time::Duration;

use tokio::task::spawn_local;

use super::serving::{FromRun, Thread};
use crate::clock;
use crate::cluster::hello::Conn;
use crate::cluster::message::{Going, Holding};
use crate::cluster::wire::proto::Numbered;
use crate::runner::elsewhere::Held;
use crate::script::Level;

/// The most bytes of reports that wait for a run.
const MOST_WAITING: usize = 256 << 20;

/// What is kept for a run that goes on until it is there.
#[derive(Default)]
pub(super) struct Earlier {
    /// How it stands.
    pub(super) going: Option<Going>,
    /// Who has what in it.
    holding: Vec<(u32, Holding)>,
    /// Nobody else will come.
    is_settled: bool,
    /// Reports, undecoded.
    numbers: Vec<(Conn, Numbered)>,
    bytes: usize,
}

impl Thread {
    /// A worker says how the run stands. The first one is believed: the others know the same.
    pub(super) fn take_over(&mut self, going: Going) {
        if self.running.is_some() || self.earlier.going.is_some() {
            return;
        }
        let began = clock::now() - Duration::from_micros(going.elapsed_us);
        self.epoch_us = Some(began.get());
        self.generation = going.generation;
        self.earlier.going = Some(going);
        if let Some(waits) = self.waits_for_going.take() {
            // If nobody waits any longer, it is kept for who starts a run.
            let _ = waits.send(());
        }
        self.look_for_workers();
    }

    /// A worker goes on with what it had.
    pub(super) async fn adopted(&mut self, worker: u32, holding: Holding) {
        self.generation = self.generation.max(holding.generation);
        let Some(running) = &self.running else {
            self.earlier.holding.push((worker, holding));
            return;
        };
        let held = Held {
            member: holding.seat.member,
            first: holding.first,
            parts: holding.parts,
            assignment: holding.assignment,
            generation: holding.generation,
        };
        self.print(Level::Info, format!("worker {worker} goes on"));
        let joined = running.gate.hold(held).await;
        let internal = self.internal.clone();
        spawn_local(async move {
            if let Ok(joined) = joined.await {
                let _ = internal.send(FromRun::Holds(joined)).await;
            }
        });
    }

    /// Nobody else comes from the last master.
    pub(super) async fn settled(&mut self) {
        self.earlier.is_settled = true;
        match &self.running {
            Some(running) => running.gate.settled().await,
            None => return self.look_for_workers(),
        }
        let forgotten = self.master.forgotten();
        if forgotten > 0 {
            let text = format!(
                "up to {forgotten} requests of workers that had gone before this master was \
                 started are in no figure"
            );
            self.print(Level::Error, text);
        }
    }

    /// The run is there: what was kept for it.
    pub(super) async fn caught_up(&mut self) {
        for (worker, holding) in std::mem::take(&mut self.earlier.holding) {
            self.adopted(worker, holding).await;
        }
        if self.earlier.going.is_none() {
            return;
        }
        // Whoever came meanwhile without anything of it.
        for (worker, threads) in std::mem::take(&mut self.offered) {
            self.joins(worker, threads);
        }
        if self.earlier.is_settled {
            self.settled().await;
        }
    }

    /// Keeps a report for a run whose beginning is not known yet; false if there is no room.
    pub(super) fn keep(&mut self, conn: Conn, numbered: Numbered) -> bool {
        self.earlier.bytes += numbered.report.len();
        self.earlier.numbers.push((conn, numbered));
        self.earlier.bytes <= MOST_WAITING
    }

    /// What was kept is counted, if the run and its beginning are known.
    pub(super) async fn count_kept(&mut self) {
        if self.running.is_some() && self.epoch_us.is_some() {
            self.earlier.bytes = 0;
            for (conn, numbered) in std::mem::take(&mut self.earlier.numbers) {
                self.numbered(conn, numbered).await;
            }
        }
    }

    /// Whether a report cannot be counted yet: its run is not there, or not known when it began.
    /// What comes after one that waits, waits as well.
    pub(super) fn is_early(&self, conn: Conn, numbered: &Numbered) -> bool {
        let is_expected = self.master.is_adopting() || self.earlier.going.is_some();
        let is_unknown = match self.running {
            None => is_expected,
            Some(_) => self.epoch_us.is_none() && numbered.is_baseline,
        };
        is_unknown || self.earlier.numbers.iter().any(|(of, _)| *of == conn)
    }
}
