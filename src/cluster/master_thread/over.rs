//! The end of a run, as the thread of its master sees it, and of the last one.
//!
//! Owns what goes on from one run to the next: connections, and that workers come again. Each run
//! has a machine of its own, so nothing of one is left in another; workers are told to come again as
//! new ones.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::going_on::Earlier;
use super::people::People;
use super::serving::{INSIDE, Thread, master};
use super::{LAST_NUMBERS, Lost, Running};
use crate::clock;
use crate::cluster::master::{MasterAction, MasterEvent};
use crate::random;
use tokio::sync::oneshot;

/// How long the last words to workers get to leave.
const FAREWELL: Duration = Duration::from_millis(200);

/// How long a run waits for workers of the one before that were asked to come again. They try at
/// once; one that does not come by then is no part of the run's beginning.
const RETURN: Duration = Duration::from_secs(3);

impl Thread {
    /// The process ends: no other run follows. Whoever waits for that is answered once all workers
    /// know it.
    pub(super) async fn close(&mut self, answer: oneshot::Sender<Lost>) {
        self.waits_for_over.push(answer);
        self.goes_on = false;
        self.master.going_on(false);
        match self.is_over {
            true => self.answer_over(),
            false => self.look_at_close().await,
        }
    }

    /// Time has passed.
    pub(super) async fn tick(&mut self) {
        self.tell_figures().await;
        self.look_at_state();
        self.on(MasterEvent::Tick).await;
        self.look_for_workers();
        self.look_at_people();
        self.look_at_close().await;
    }

    /// Lets workers go that are in no run, if the process ends.
    async fn look_at_close(&mut self) {
        let is_due = !self.waits_for_over.is_empty() && !self.is_closing;
        if is_due && self.running.is_none() && !self.are_returning(self.offered.len()) {
            self.is_closing = true;
            self.on(MasterEvent::End(LAST_NUMBERS)).await;
        }
    }

    /// Whether more workers of the last run than those are about to come.
    pub(super) fn are_returning(&self, there: usize) -> bool {
        let returning = self.returning;
        returning.is_some_and(|(count, until)| there < count && Instant::now() < until)
    }

    /// The run's own functions have ended too.
    pub(super) fn run_has_ended(&mut self) {
        if let Some(running) = &mut self.running {
            running.has_ended = true;
        }
        if std::mem::take(&mut self.is_waiting_for_run) {
            self.over();
        }
    }

    /// Nothing more will come of the run's workers. While its own functions are at work, they may
    /// still ask.
    pub(super) fn over(&mut self) {
        if self.running.is_some() {
            self.lost_last = self.lost();
            // The run ends once it has this.
            self.show_people(clock::now(), true);
        }
        let running = self.running.as_deref();
        if running.is_some_and(|running: &Running| !running.has_ended) {
            self.is_waiting_for_run = true;
            return;
        }
        // A run that is another master's, or that was not gone on with, may still need its file.
        let has_ended = self.running.is_some() && !self.is_deposed;
        let state = self.state.take().map(|state| state.of_next_run(has_ended));
        let fresh = random::bytes()
            .ok()
            .filter(|_| self.goes_on && !self.is_deposed);
        let Some(fresh) = fresh else {
            self.is_over = true;
            return self.answer_over();
        };
        for action in self.master.hand_over() {
            if let MasterAction::Send(conn, down) = action {
                self.send(conn, down);
            }
        }
        // What is still said of the old run reaches nobody.
        (self.internal, self.inside) = mpsc::channel(INSIDE);
        self.master = master(&self.own, fresh, self.goes_on, self.moves);
        // What comes back of an earlier run is too late.
        self.master.begins_anew();
        self.state = state;
        if self.state.is_some() {
            self.master.with_file();
        }
        self.earlier = Earlier::default();
        self.running = None;
        self.offered.clear();
        self.epoch_us = None;
        self.generation = 1;
        self.missing.clear();
        self.people = People::default();
        let invited = std::mem::take(&mut self.invited);
        self.returning = Some((invited, Instant::now() + RETURN));
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.shut(conn);
        }
    }

    fn answer_over(&mut self) {
        let waiting = std::mem::take(&mut self.waits_for_over);
        let lost = self.lost_last.clone();
        spawn_local(async move {
            // The process may end then: what was said to workers has to leave before.
            tokio::time::sleep(FAREWELL).await;
            for waiting in waiting {
                let _ = waiting.send(lost.clone());
            }
        });
    }
}
