//! A worker without load threads: it speaks as a worker does, and sends prepared reports.
//!
//! Connection, machine and encoding are the project's own. Orders are answered at once, since there
//! is nobody to carry them out.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use katydid::clock::{self, Micros};
use katydid::cluster::hello::Conn;
use katydid::cluster::link::{self, Address, Connection, Heard};
use katydid::cluster::message::{
    Hello, Levels, News, PROTOCOL, ProcessId, SentOrder, SentStart, Sums, Up,
};
use katydid::cluster::worker::{Exit, Measured, Worker, WorkerAction, WorkerEvent};
use katydid::cluster::{build, wire};
use katydid::load::Part;
use katydid::stats::{Encoder, Report};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::prepared::{Piece, Prepared};
use crate::tally::Tally;

/// How often time is looked at, as a worker does.
const TICK: Duration = Duration::from_millis(100);

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Where the master is.
    pub(crate) address: String,
    pub(crate) prepared: Rc<RefCell<Prepared>>,
    pub(crate) tally: Rc<RefCell<Tally>>,
}

/// Works for the master until it is let go.
pub(crate) async fn work(nth: u32, shared: Shared) -> Exit {
    let own = build(Box::default());
    let chance = std::collections::hash_map::RandomState::new();
    let chance = std::hash::BuildHasher::hash_one(&chance, nth);
    let process = u128::from(chance) << 64 | u128::from(nth) << 32;
    let card = Hello {
        protocol: PROTOCOL,
        version: own.version.clone(),
        source_hash: own.source_hash,
        name: format!("simulated-{nth}").into(),
        threads: 1,
        memory: 1 << 30,
        labels: BTreeMap::new(),
        // The machine spreads workers over a second by its lower half.
        process: ProcessId(process | u128::from(nth.wrapping_mul(2_654_435_761))),
        nonce: process.to_be_bytes(),
        attempt: 0,
        resume: None,
    };
    let (heard_in, mut heard) = mpsc::channel(64);
    let mut simulated = Simulated {
        machine: Worker::new(own, card, clock::now()),
        nth,
        shared,
        heard: heard_in,
        links: BTreeMap::new(),
        start: None,
        parts: Vec::new(),
        recorded: 0,
        sent: VecDeque::new(),
        exit: None,
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            Some(what) = heard.recv() => simulated.heard(what),
            _ = ticks.tick() => WorkerEvent::Tick,
        };
        simulated.on(event).await;
        if let Some(exit) = simulated.exit {
            return exit;
        }
    }
}

struct Simulated {
    machine: Worker<Arc<Report>>,
    nth: u32,
    shared: Shared,
    heard: mpsc::Sender<Heard>,
    links: BTreeMap<Conn, (Connection, Encoder)>,
    /// How users begin, once that is known.
    start: Option<Box<SentStart>>,
    parts: Vec<Part>,
    /// Samples in all reports.
    recorded: u64,
    /// Reports that are not applied, and when they were sent.
    sent: VecDeque<(u64, Micros)>,
    exit: Option<Exit>,
}

impl Simulated {
    fn heard(&mut self, what: Heard) -> WorkerEvent<Arc<Report>> {
        match what {
            Heard::Connected(conn, link) => {
                self.links.insert(conn, (link, Encoder::default()));
                WorkerEvent::Connected(conn)
            }
            Heard::Refused(conn, _) => WorkerEvent::Refused(conn),
            Heard::Failed(conn, _) => {
                self.shared.tally.borrow_mut().turned_away += 1;
                WorkerEvent::Failed(conn)
            }
            Heard::Said(conn, down) => WorkerEvent::Heard(conn, down),
            Heard::Applied(conn, applied) => {
                let now = clock::now();
                while let Some((_, sent)) = self.sent.pop_front_if(|(n, _)| *n <= applied.applied) {
                    let mut tally = self.shared.tally.borrow_mut();
                    tally.applied.push((sent, now.since(sent)));
                }
                WorkerEvent::Applied(conn, applied)
            }
            Heard::Ended(conn, _) => {
                self.links.remove(&conn);
                WorkerEvent::Ended(conn)
            }
        }
    }

    /// Hands the machine an event, and what that leads to.
    async fn on(&mut self, event: WorkerEvent<Arc<Report>>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.machine.measured(Measured {
                recorded: self.recorded,
                levels: self.levels(),
                ..Measured::default()
            });
            for action in self.machine.on(clock::now(), event) {
                self.act(action, &mut events).await;
            }
        }
    }

    async fn act(
        &mut self,
        action: WorkerAction<Arc<Report>>,
        events: &mut VecDeque<WorkerEvent<Arc<Report>>>,
    ) {
        match action {
            WorkerAction::Connect(conn) => {
                let to = Address {
                    address: self.shared.address.clone(),
                    tls: None,
                };
                tokio::spawn(link::open(conn, to, self.heard.clone()));
            }
            WorkerAction::Send(conn, up) => {
                if let Some((link, _)) = self.links.get(&conn) {
                    if matches!(up, Up::Proof(_)) {
                        link.admit();
                    }
                    if link.up.try_send(wire::up(up)).is_err() {
                        link.reset();
                    }
                }
            }
            WorkerAction::Report(conn, numbers) => {
                let Some((link, encoder)) = self.links.get_mut(&conn) else {
                    return;
                };
                self.sent.push_back((numbers.number, clock::now()));
                let report = encoder.encode(&numbers.report);
                self.shared.tally.borrow_mut().bytes += report.len() as u64;
                let numbered = wire::proto::Numbered {
                    number: numbers.number,
                    is_baseline: numbers.is_baseline,
                    report,
                };
                if link.numbers.try_send(numbered).is_err() {
                    link.reset();
                }
            }
            WorkerAction::Close(conn) => {
                if let Some((link, _)) = self.links.remove(&conn) {
                    link.reset();
                }
            }
            WorkerAction::Order(order) => {
                let news = self.carry_out(order).await;
                events.extend(news.map(WorkerEvent::News));
            }
            WorkerAction::Cut => events.extend(self.cut()),
            WorkerAction::CutLast => {
                events.push_back(WorkerEvent::Last(Arc::default(), Sums::default()));
            }
            WorkerAction::SumUp => self.exit = Some(Exit::Abandoned),
            WorkerAction::Exit(exit) => self.exit = Some(exit),
            WorkerAction::Answer(..) => {}
        }
    }

    /// What load threads would say of an order.
    async fn carry_out(&mut self, order: SentOrder) -> Option<News> {
        if let Some(edition) = order.edition() {
            let welcomed = self.machine.connection()?;
            let (link, _) = self.links.get(&welcomed)?;
            for (content, size) in edition.contents() {
                link.fetch(&content, size).await.ok()?;
            }
        }
        match order {
            SentOrder::Begin { .. } | SentOrder::CatchUp(..) => Some(News::Ready),
            SentOrder::Start(start) => {
                self.parts.clone_from(&start.parts);
                self.start = Some(start);
                self.shared.tally.borrow_mut().started += 1;
                None
            }
            SentOrder::Assign { number, parts, .. } => {
                self.parts = parts;
                Some(News::Assigned(number, self.levels()))
            }
            SentOrder::Follow(plan) => {
                if let Some(start) = &mut self.start {
                    start.plan = plan;
                }
                None
            }
            SentOrder::Prepare(ticket, ..) => Some(News::Prepared {
                ticket,
                result: Ok(Vec::new()),
            }),
            SentOrder::Adopt(..) => Some(News::Adopted(self.levels())),
            SentOrder::Stop { .. } => {
                self.start = None;
                Some(News::Ended { cut: 0 })
            }
            SentOrder::Pause | SentOrder::Resume(_) | SentOrder::Discard => None,
        }
    }

    /// The time since the run began, by the master's clock.
    fn elapsed(&self) -> Option<(Duration, &SentStart)> {
        let start = self.start.as_deref()?;
        let there = self.machine.offset().there(clock::now())?;
        let since = Duration::from_micros(there.since(start.epoch));
        (there >= start.epoch).then_some((since, start))
    }

    /// The users that it is to have now.
    fn levels(&self) -> Levels {
        let Some((elapsed, SentStart { plan, .. })) = self.elapsed() else {
            return Levels::default();
        };
        let tracks = 0..plan.division().tracks();
        let each = |part: &Part| {
            let users = tracks.clone();
            users
                .map(|track| part.users_of(plan, track, elapsed))
                .sum::<u32>()
        };
        let users = self.parts.iter().map(each).sum();
        Levels {
            users,
            peak: users,
            stage: Some(plan.change_at(elapsed).stage),
            ..Levels::default()
        }
    }

    /// The report of this second, in pieces if it is long; before the start there is none.
    fn cut(&mut self) -> Vec<WorkerEvent<Arc<Report>>> {
        let Some((elapsed, _)) = self.elapsed() else {
            return Vec::new();
        };
        let mut prepared = self.shared.prepared.borrow_mut();
        let pieces = prepared.of(elapsed.as_secs(), self.nth);
        let mut tally = self.shared.tally.borrow_mut();
        let samples: u64 = pieces.iter().map(|(_, sums)| sums.samples).sum();
        self.recorded += samples;
        tally.samples += samples;
        tally.reports += 1;
        let cut = |(report, sums): &Piece| WorkerEvent::Cut(report.clone(), *sums);
        pieces.iter().map(cut).collect()
    }
}
