//! The run, as the thread of its master sees it.
//!
//! Owns giving it workers and passing on what it orders. The run is reached by its gate only.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::Instant;

use super::going_on::Early;
use super::serving::{FromRun, Thread};
use super::sharing::{self, Written};
use super::{Found, Loss, Request};
use crate::cluster::master::MasterEvent;
use crate::cluster::message::{Counted, News, SentOrder};
use crate::cluster::wire;
use crate::runner::Unable;
use crate::runner::elsewhere::{Joined, SentEditions};
use crate::script::Level;

impl Thread {
    pub(super) async fn asked(&mut self, ask: Request) {
        match ask {
            Request::Workers(wanted) => {
                self.wanted = Some(wanted);
                self.look_for_workers();
            }
            Request::Back(workers) => self.offered.extend(workers),
            Request::Run(running, written, joined) => {
                self.on(MasterEvent::Expect(None, running.users)).await;
                let iterations = running.iterations;
                let (shared, gate) = (running.shared.clone(), running.gate.clone());
                let edition = running.edition.clone();
                spawn_local(sharing::write(written, shared, gate, self.internal.clone()));
                self.running = Some(running);
                self.recall().await;
                self.known = sharing::KnownOfRun::default();
                if iterations.is_some() {
                    let declare = MasterEvent::Declare(Counted::Iterations, iterations);
                    self.on(declare).await;
                }
                self.declare_known().await;
                if let Some(edition) = edition {
                    self.declare(&edition).await;
                }
                for (worker, joined) in joined {
                    self.joined(worker, joined).await;
                }
                self.caught_up().await;
                self.count_kept().await;
            }
            Request::Going(answer) => match &self.earlier.going {
                Some(_) => {
                    let _ = answer.send(());
                }
                None => self.waits_for_going = Some(answer),
            },
            Request::Hurry => {
                self.on(MasterEvent::End(Duration::ZERO)).await;
                self.on(MasterEvent::Tick).await;
            }
            Request::End(limit) => self.on(MasterEvent::End(limit)).await,
            Request::Ended => self.run_has_ended(),
            Request::Over(answer) => self.close(answer).await,
        }
    }

    pub(super) fn look_for_workers(&mut self) {
        let Some(wanted) = self.wanted.take() else {
            return;
        };
        if self.is_deposed {
            let _ = wanted.answer.send(Ok(Found::Deposed));
            return;
        }
        if let Some(going) = &self.earlier.going {
            // If nobody waits any longer, it is kept for who asks next.
            let going = Found::Going(Box::new(going.clone()));
            let _ = wanted.answer.send(Ok(going));
            return;
        }
        // Which run it is, workers say that may come yet.
        if self.master.is_adopting() {
            self.wanted = Some(wanted);
            return;
        }
        let offered = std::mem::take(&mut self.offered);
        let is_free = |(worker, _): &(u32, u32)| self.master.is_free(*worker);
        // Who is silent may come back, and is offered no second time.
        let (free, silent): (Vec<_>, Vec<_>) = offered.into_iter().partition(is_free);
        self.offered = silent;
        let there = free.len();
        if there < wanted.count.max(1) as usize || self.are_returning(there) {
            self.offered.extend(free);
            let is_too_late = wanted.until.is_some_and(|until| until <= Instant::now());
            match is_too_late {
                true => drop(wanted.answer.send(Err(there))),
                false => self.wanted = Some(wanted),
            }
            return;
        }
        // If nobody waits any longer, they are still there.
        if let Err(Ok(Found::Free(workers))) = wanted.answer.send(Ok(Found::Free(free))) {
            self.offered.extend(workers);
        }
    }

    /// A worker has its place in the run: its orders are passed on from now on.
    pub(super) async fn joined(&mut self, worker: u32, joined: Joined) {
        let Some(sent) = self.running.as_ref().map(|running| running.sent.clone()) else {
            return;
        };
        let member = joined.member;
        self.takes_seat(worker, member).await;
        self.on(MasterEvent::Seat { worker, member }).await;
        self.orders(sent, joined);
    }

    /// Passes on what a member is ordered.
    pub(super) fn orders(&self, sent: Arc<SentEditions>, joined: Joined) {
        let Joined {
            member, mut orders, ..
        } = joined;
        let internal = self.internal.clone();
        spawn_local(async move {
            while let Some(order) = orders.next(&sent).await {
                let inside = match order {
                    Ok(order) if wire::is_too_long(&order) => {
                        FromRun::Unsendable(member, wire::TOO_LONG.to_owned())
                    }
                    Ok(order) => FromRun::Order(member, order),
                    Err(why) => FromRun::Unsendable(member, why.to_string()),
                };
                if internal.send(inside).await.is_err() {
                    return;
                }
            }
            // The run is over, or never began: a member that is still there has nothing to do.
            let stop = SentOrder::Stop {
                stop_timeout: Duration::ZERO,
                on_stop_timeout: Duration::ZERO,
            };
            let _ = internal.send(FromRun::Order(member, stop)).await;
        });
    }

    pub(super) async fn run_says(&mut self, what: FromRun) {
        match what {
            FromRun::Joined(worker, joined) => self.joined(worker, joined).await,
            FromRun::Holds(joined) => self.held(joined),
            FromRun::StateWritten(written) => self.state_written(written).await,
            FromRun::Order(member, order) => {
                match &order {
                    SentOrder::Start(start) => {
                        self.epoch_us = Some(start.epoch.get());
                        // One that joins a run which goes on has no users yet.
                        self.on(MasterEvent::Gather).await;
                    }
                    SentOrder::Begin { generation, .. }
                    | SentOrder::CatchUp(generation, _)
                    | SentOrder::Prepare(_, generation, _) => {
                        self.generation = self.generation.max(*generation);
                    }
                    _ => {}
                }
                if let Some(state) = &mut self.state {
                    state.ordered(&order);
                }
                if let Some(edition) = order.edition() {
                    self.declare(edition).await;
                }
                let begins = matches!(order, SentOrder::Start(_));
                self.on(MasterEvent::Order(member, order)).await;
                if begins {
                    self.count_kept().await;
                }
            }
            FromRun::Appended(worker, question, failed) => {
                let appended = MasterEvent::Appended(worker, question, failed);
                self.on(appended).await;
            }
            FromRun::Unsendable(member, why) => {
                if let Some(running) = &self.running {
                    let failed = News::Failed(Unable::Script(why));
                    running.gate.say(member, failed).await;
                }
            }
        }
    }

    pub(super) fn joins(&mut self, worker: u32, threads: u32) {
        let Some(running) = &self.running else {
            self.offered.push((worker, threads));
            let (name, there) = (self.name_of(worker), self.offered.len());
            let text = format!("{name} is ready: {there} of {}", self.expect);
            self.print(Level::Info, text);
            return self.look_for_workers();
        };
        let (gate, internal) = (running.gate.clone(), self.internal.clone());
        spawn_local(async move {
            if let Some(joined) = gate.join(threads).await {
                let _ = internal.send(FromRun::Joined(worker, joined)).await;
            }
        });
        self.print(
            Level::Info,
            format!("{} joins with {threads} load threads", self.name_of(worker)),
        );
    }

    pub(super) async fn leaves(&mut self, member: u32) {
        match &self.running {
            Some(running) => running.gate.leave(member).await,
            None => self.keep_early(Early::Leaves(member)),
        }
    }

    pub(super) async fn gone(&mut self, member: u32) {
        self.leaves_seat(member, true).await;
        if let Some(state) = &mut self.state {
            state.wants_writing();
        }
        match &self.running {
            Some(running) => running.gate.gone(member).await,
            None => self.keep_early(Early::Gone(member)),
        }
    }

    pub(super) async fn news(&mut self, member: u32, news: News) {
        if self.running.is_none() {
            return self.keep_early(Early::News(member, news));
        }
        let news = match self.name_of_member(member) {
            Some(name) => news.said_by(&name.to_string()),
            None => news,
        };
        let has_ended = matches!(news, News::Ended { .. });
        if has_ended {
            self.leaves_seat(member, false).await;
        }
        match &self.running {
            // After what it appends.
            Some(running) if has_ended => drop(running.writes.send(Written::News(member, news))),
            Some(running) => running.gate.say(member, news).await,
            None => {}
        }
    }

    pub(super) fn lost(&self) -> Vec<Loss> {
        let missing = self.missing.iter();
        let lost = missing.filter(|(_, samples)| **samples > 0);
        let loss = |(worker, samples): (&u32, &u64)| Loss {
            worker: self.name_of(*worker).to_string(),
            requests: *samples,
        };
        lost.map(loss).collect()
    }
}
