//! Members whose orders, news and reports are bytes, as between processes: what they are told is
//! what they would be told here, and what they measure arrives.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::spawn_local;

use super::members::{Run, alive, counters, script};
use super::{edited, on_runtime, setup_of, target};
use crate::clock::{self, Micros};
use crate::runner::elsewhere::{
    Contents, Gate, Happening, Joined, News, SentEdition, SentEditions, SentOrder, Work, Worker,
};
use crate::runner::{Notice, Options, Setup, open};
use crate::script::Shared;
use crate::stats::{Bounds, Decoder, Encoder, Limits, Summary};

/// Iterations that a worker gets at once.
const RANGE: u64 = 7;

fn over_the_wire<T: Serialize + DeserializeOwned>(said: &T) -> T {
    postcard::from_bytes(&postcard::to_allocvec(said).unwrap()).unwrap()
}

fn contents(edition: &SentEdition, sent: &SentEditions) -> Contents {
    let held = |content| {
        let mut bytes = Vec::new();
        let held = sent.content(&content).unwrap();
        let given = held.give(7, |piece| {
            bytes.extend(piece);
            true
        });
        given.unwrap();
        bytes.into()
    };
    let wanted = edition.contents().into_keys();
    wanted.map(|content| (content, held(content))).collect()
}

type Workers = Rc<RefCell<Vec<Rc<Worker>>>>;

/// Another process, as far as one can be in this one: all that it shares with the run is bytes.
async fn works(
    joined: Joined,
    gate: Gate,
    sent: Rc<SentEditions>,
    iterations: Rc<Cell<u64>>,
    workers: Workers,
) {
    let Joined {
        member,
        threads,
        mut orders,
    } = joined;
    let begin = over_the_wire(&orders.next(&sent).await.unwrap().unwrap());
    let SentOrder::Begin {
        generation,
        edition,
        is_limited,
        ..
    } = begin
    else {
        panic!("the first order is to begin");
    };
    let edition = edition.assembled(&contents(&edition, &sent), None);
    let work = Work {
        edition: Arc::new(edition.unwrap()),
        number: generation,
        threads,
        shared: Arc::new(Shared::default()),
        is_limited,
        asks: None,
    };
    let (worker, mut happens) = Worker::start(work).unwrap();
    let worker = Rc::new(worker);
    worker.may_begin_until(Micros::NEVER);
    workers.borrow_mut().push(worker.clone());
    let gives = (worker.clone(), sent.clone(), gate.clone());
    let ordering = spawn_local(async move {
        let (worker, sent, deals) = gives;
        while let Some(order) = orders.next(&sent).await {
            let order = over_the_wire(&order.unwrap());
            let contents = order.edition().map(|edition| contents(edition, &sent));
            let contents = contents.unwrap_or_default();
            let starts = matches!(order, SentOrder::Start(_));
            worker.order(order, |moment| moment, &contents).unwrap();
            if starts {
                deals.deal().await;
            }
        }
    });
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::new(Limits::default()));
    let bounds = Bounds {
        second: u64::MAX / 2_000_000,
        generation: 9,
    };
    let mut seconds = tokio::time::interval(Duration::from_millis(300));
    loop {
        let happening = tokio::select! {
            Some(happening) = happens.recv() => happening,
            _ = seconds.tick() => {
                worker.cut();
                continue;
            }
        };
        match happening {
            Happening::Said(news) => {
                let news = over_the_wire(&news);
                assert!(news.is_possible(), "{news:?}");
                let is_end = matches!(news, News::Ended { .. });
                gate.say(member, news).await;
                if is_end {
                    break;
                }
            }
            Happening::Report(report) => {
                let report = decoder.decode(&encoder.encode(&report), bounds).unwrap();
                gate.report(report).await;
            }
            Happening::WantsIterations => {
                let given = gate.iterations(RANGE);
                iterations.set(iterations.get() + given);
                worker.give(given);
            }
            Happening::Unused(unused) => gate.give_back(unused),
            Happening::Line(line) => gate.print(line),
        }
    }
    ordering.abort();
}

/// A run all of whose members are elsewhere.
struct Apart {
    run: Run,
    gate: Gate,
    sent: Rc<SentEditions>,
    /// Iterations that were handed out.
    iterations: Rc<Cell<u64>>,
    workers: Workers,
}

impl Apart {
    async fn start(setup: Arc<Setup>, members: &[u32]) -> Apart {
        let (opening, joined) = open(setup, members, Arc::default()).unwrap();
        let gate = opening.gate();
        let sent = Rc::new(SentEditions::default());
        let iterations = Rc::new(Cell::new(0));
        let workers = Workers::default();
        for joined in joined {
            spawn_local(works(
                joined,
                gate.clone(),
                sent.clone(),
                iterations.clone(),
                workers.clone(),
            ));
        }
        let run = Run::of(opening.begin().await.unwrap(), gate.clone());
        Apart {
            run,
            gate,
            sent,
            iterations,
            workers,
        }
    }

    async fn join(&self, threads: u32) -> u32 {
        let joined = self.gate.join(threads).await.expect("the run goes on");
        let member = joined.member;
        let (gate, sent) = (self.gate.clone(), self.sent.clone());
        let (iterations, workers) = (self.iterations.clone(), self.workers.clone());
        spawn_local(works(joined, gate, sent, iterations, workers));
        member
    }
}

/// As `script`, without rows: whose turn it is is counted elsewhere.
fn without_rows(weights: [u32; 2], url: &str) -> String {
    let script = script(weights, url);
    script.replace("counter(\"rows\").add(ROWS.next());", "")
}

#[test]
fn members_elsewhere_come_and_go_and_users_classes_and_counts_stay_exact() {
    let (target, url) = target();
    let first = setup_of(&without_rows([3, 1], &url), 40, 100.0);
    let edited = edited(&first, &without_rows([1, 1], &url), 40, 100.0);
    on_runtime(async {
        let mut apart = Apart::start(first, &[1, 2]).await;
        let run = &mut apart.run;
        run.told(|notice| matches!(notice, Notice::Arrived(change) if change.to == 40))
            .await;
        run.shows(|summary| summary.users.running == 40 && alive(summary) == [30, 10])
            .await;
        run.handle.reload(edited.edition.clone()).await.unwrap();
        let late = apart.join(2).await;
        let run = &mut apart.run;
        run.told(|notice| matches!(notice, Notice::Reloaded { .. }))
            .await;
        let are_in_balance = |summary: &Summary| {
            let users = summary.users;
            users.behind == 0 && users.running == 40 && alive(summary) == [20, 20]
        };
        run.shows(are_in_balance).await;
        let went = |summary: &Summary| {
            let all = counters(summary);
            let of = |name| all.get(name).copied().unwrap_or(0);
            of("A went") + of("B went")
        };
        let before = went(&run.handle.summary().borrow());
        apart.gate.leave(0).await;
        run.shows(|summary| went(summary) >= before + 8 && are_in_balance(summary))
            .await;
        apart.gate.leave(late).await;
        run.shows(|summary| went(summary) >= before + 16 && are_in_balance(summary))
            .await;
        let summary = apart.run.stop().await;
        assert_eq!(summary.total.requests, target.counts().total);
        assert_eq!(summary.total.failures, 0);
        assert_eq!(summary.exceptions.len(), 0, "{:?}", summary.exceptions);
        assert_eq!(alive(&summary), [0, 0], "all have gone");
        assert!(summary.users.peak <= 40, "{:?}", summary.users);
        assert_eq!(counters(&summary)["taken"], summary.total.requests);
    });
}

#[test]
fn iterations_are_as_many_as_were_asked_for() {
    let (target, url) = target();
    let setup = setup_of(&without_rows([3, 1], &url), 20, 1e6);
    let mut setup = Arc::into_inner(setup).unwrap();
    let edition = Arc::get_mut(&mut setup.edition).unwrap();
    edition.options = Options {
        iterations: Some(203),
        ..edition.options.clone()
    };
    on_runtime(async {
        let apart = Apart::start(Arc::new(setup), &[1, 2]).await;
        let summary = apart.run.ends().await;
        assert_eq!(summary.iterations.started, 203);
        assert_eq!(summary.total.requests, 203);
        assert_eq!(target.counts().total, 203);
        assert!(apart.iterations.get() >= 203);
    });
}

#[test]
fn users_begin_nothing_past_the_fence_and_go_on_when_it_moves() {
    let (target, url) = target();
    let setup = setup_of(&without_rows([3, 1], &url), 20, 1e6);
    on_runtime(async {
        let mut apart = Apart::start(setup, &[1, 2]).await;
        let fence = |until| {
            let workers = apart.workers.borrow();
            workers.iter().for_each(|it| it.may_begin_until(until));
        };
        let run = &mut apart.run;
        run.shows(|summary| summary.users.running == 20 && summary.total.requests > 0)
            .await;
        fence(clock::now());
        // Users that were not held would begin something every 0.2 s.
        let held = Cell::new((0, 0));
        run.shows(|summary| {
            let (requests, since_us) = held.get();
            if requests != summary.total.requests {
                held.set((summary.total.requests, summary.end_us));
            }
            requests > 0 && summary.end_us >= since_us + 1_000_000
        })
        .await;
        let held = target.counts().total;
        let until_us = run.handle.summary().borrow().end_us + 1_000_000;
        run.shows(|summary| summary.end_us >= until_us).await;
        assert_eq!(target.counts().total, held);
        fence(Micros::NEVER);
        run.shows(|summary| summary.total.requests >= held + 40)
            .await;
        let summary = apart.run.stop().await;
        assert_eq!(summary.total.requests, target.counts().total);
        assert_eq!(summary.users.peak, 20);
    });
}
