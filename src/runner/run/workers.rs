//! Workers, as a run's figures and its script see them.
//!
//! Owns when listeners of `worker_connect` and `worker_lost` are called, and that the last figures
//! say what became of each worker. Members of the run are `membership`'s.

use std::collections::VecDeque;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Run;
use super::stopping::KILL_GRACE;
use crate::data::Value;
use crate::runner::elsewhere::WorkerCard;
use crate::runner::hooks::Phase;
use crate::runner::inbox::{Event, Timer};
use crate::runner::numbers::Numbers;
use crate::runner::{Command, Notice};
use crate::scenario;
use crate::script::Call;
use crate::stats::Roll;

/// How long the last word on workers may take once their limits are over.
const LAST_WORD: std::time::Duration = std::time::Duration::from_secs(10);

/// Calls of listeners that wait for their turn: as many as a master has workers.
const WAITING: usize = 4_096;

/// So many workers are named where one would do.
const NAMED: usize = 3;

/// The workers of a run.
pub(super) struct Workers {
    roll: watch::Receiver<Roll>,
    /// What listeners are to be told, in order; one call at a time, so that any number of workers
    /// may come at once.
    waiting: VecDeque<(scenario::Event, Box<WorkerCard>)>,
    is_telling: bool,
}

impl Workers {
    pub(super) fn new(roll: watch::Receiver<Roll>) -> Workers {
        Workers {
            roll,
            waiting: VecDeque::new(),
            is_telling: false,
        }
    }

    /// Something happened to a worker that listeners are to know when it is their turn.
    pub(super) fn wait(&mut self, event: scenario::Event, card: Box<WorkerCard>) {
        if self.waiting.len() < WAITING {
            self.waiting.push_back((event, card));
        }
    }

    /// What holds up the end, if that is workers: those that still have users.
    pub(super) fn not_ended(&self) -> Option<String> {
        let roll = self.roll.borrow();
        let rows = roll.rows.iter();
        let names = rows.filter(|row| row.state.has_users());
        let names: Vec<String> = names.map(|row| row.name.to_string()).collect();
        let (first, others) = names.split_at(names.len().min(NAMED));
        let others = match others.len() {
            0 => String::new(),
            more => format!(" and {more} others"),
        };
        (!names.is_empty()).then(|| format!("{}{others} did not end in time", first.join(", ")))
    }

    /// Puts them as they stand into the figures.
    pub(super) fn show(&self, numbers: &mut Numbers) {
        numbers.workers(self.roll.borrow().rows.clone());
    }
}

impl Run {
    /// Something happened to a worker.
    pub(super) fn worker(&mut self, event: scenario::Event, card: Box<WorkerCard>) {
        self.workers.wait(event, card);
        self.tell_of_workers();
    }

    /// Calls the next listeners, once users may start.
    pub(super) fn tell_of_workers(&mut self) {
        if self.hooks.phase() != Phase::Measuring {
            return;
        }
        while !self.workers.is_telling
            && let Some((event, card)) = self.workers.waiting.pop_front()
        {
            let listens = self.edition.scenario.hooks.listeners.contains(&event);
            if listens && let Some(control) = &self.control {
                let call = Call::Listeners(event);
                self.inbox.expect(call, control.call(call, facts(&card)));
                self.workers.is_telling = true;
            }
        }
    }

    /// A call has ended.
    pub(super) fn told_of_worker(&mut self, call: Call) {
        let of_worker = [scenario::Event::WorkerConnect, scenario::Event::WorkerLost];
        if of_worker.map(Call::Listeners).contains(&call) {
            self.workers.is_telling = false;
            self.tell_of_workers();
        }
    }

    /// Waits until it is known what became of each worker: so the last figures have all that was
    /// measured, and name what is missing.
    pub(super) async fn await_workers(&mut self) {
        if self.workers.roll.borrow().rows.is_empty() {
            return;
        }
        let options = &self.edition.options;
        let limit = options.stop_timeout + options.on_stop_timeout + LAST_WORD;
        let mut until = Instant::now() + if self.is_killed { KILL_GRACE } else { limit };
        loop {
            let event = tokio::select! {
                biased;
                event = self.inbox.next(std::iter::empty::<(Timer, _)>()) => event,
                _ = self.workers.roll.wait_for(|roll| roll.is_final) => return,
                () = sleep_until(until) => return,
            };
            match event {
                Event::Report(report) => self.numbers.apply(&report),
                Event::Line(line) => self.notice(Notice::Script(line)),
                Event::Command(Some(Command::Kill)) => {
                    until = until.min(Instant::now() + KILL_GRACE);
                }
                _ => {}
            }
        }
    }
}

/// What a listener is told.
fn facts(card: &WorkerCard) -> Vec<(&'static str, Value)> {
    vec![
        ("worker", Value::Int(i64::from(card.name.number))),
        ("name", Value::Text(card.name.host.clone())),
        ("threads", Value::Int(i64::from(card.threads))),
        ("users", Value::Int(i64::from(card.users))),
    ]
}
