//! A worker at work: a process without a script of its own, between its connection, the machine and
//! the load threads.
//!
//! Owns doing what `worker` says, in its order, and handing it what happens; and that an edition's
//! files are here before load threads get it.

mod asking;
mod exits;
mod meter;
mod orders;
mod printed;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};

use super::asking::Askers;
use super::hello::Conn;
use super::link::{self, Address, Connection, Heard};
use super::message::{
    Ask, Counted, Hello, Levels, MOST_CELLS, News, PROTOCOL, ProcessId, SentOrder, Sums, Up,
};
use super::wire::LONGEST_WHY;
use super::worker::{Exit, Measured, Worker, WorkerAction, WorkerEvent};
use super::{build, wire};
use crate::clock::{self, Micros};
use crate::health::{Health, Part};
use crate::random;
use crate::runner::elsewhere::{Happening, Worker as LoadThreads};
use crate::runner::{self, Unable};
use crate::script::Line;
use crate::stats::{Baseline, Encoder, Limits, Report};
use meter::Meter;
use printed::Printed;

/// How often time is looked at.
const TICK: Duration = Duration::from_millis(100);

/// What a worker needs to know.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Host and port of its master.
    pub master: String,
    /// How the connection is encrypted, if it is, and for which name the master's certificate has to
    /// be.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// What both have to know; empty for nothing.
    pub token: Box<[u8]>,
    /// Its load threads.
    pub threads: u32,
    /// For people: its host's name.
    pub name: String,
    /// Where it is noted that it moves, and that a master has welcomed it.
    pub health: Health,
    /// How long it goes on without a master, and then keeps its numbers.
    pub alone: Duration,
}

/// Something for the log of a worker.
#[derive(Debug)]
pub enum LogLine {
    /// What it does.
    Says(String),
    /// What a script printed.
    Printed(Line),
}

/// Works for a master, run after run, until that ends or the worker is not wanted. Must be called in
/// a runtime with local tasks. `leaves` says that the process is to end in order.
///
/// # Errors
/// Why it ends without being done, for people.
pub async fn work(
    options: WorkerOptions,
    mut leaves: mpsc::Receiver<()>,
    tell: impl Fn(LogLine),
) -> Result<(), String> {
    let moving = options.health.part("the worker");
    while work_in_one_run(options.clone(), &mut leaves, &moving, &tell).await? == Exit::Again {
        tell(LogLine::Says("waiting for the next run".to_owned()));
    }
    Ok(())
}

/// Works for a master until the run is over. Each time it is another worker to the master.
async fn work_in_one_run(
    options: WorkerOptions,
    leaves: &mut mpsc::Receiver<()>,
    moving: &Part,
    tell: &impl Fn(LogLine),
) -> Result<Exit, String> {
    let (Ok(process), Ok(nonce)) = (random::bytes(), random::bytes()) else {
        return Err("the system has no random numbers to give".to_owned());
    };
    let own = build(options.token.clone());
    let card = Hello {
        protocol: PROTOCOL,
        version: own.version.clone(),
        source_hash: own.source_hash,
        name: options.name.clone().into(),
        threads: options.threads,
        memory: runner::allowed_memory(),
        labels: BTreeMap::new(),
        process: ProcessId(u128::from_be_bytes(process)),
        nonce,
        attempt: 0,
        resume: None,
    };
    let (heard_in, mut heard) = mpsc::channel(1_024);
    let (inside_in, mut inside) = mpsc::channel(1_024);
    let mut machine = Worker::new(own, card, clock::now());
    machine.alone_for(options.alone);
    let mut process = Process {
        machine,
        address: Address {
            address: options.master.clone(),
            tls: options.tls.clone(),
        },
        meter: Meter::new(options.threads),
        printed: Printed::default(),
        options,
        heard: heard_in,
        inside: inside_in,
        links: BTreeMap::new(),
        encoders: BTreeMap::new(),
        load: Rc::default(),
        orders: None,
        levels: Levels::default(),
        reported: 0,
        earlier: 0,
        baseline: Baseline::new(Limits::default()),
        askers: Askers::new(),
        ended: None,
        last_trouble: String::new(),
        clocks: watch::Sender::new(None),
        is_held: false,
        exit: None,
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(what) = heard.recv() => process.heard(what, tell),
            Some(what) = inside.recv() => process.load_says(what, tell),
            what = process.askers.next() => process.users_say(what),
            Some(()) = leaves.recv() => {
                tell(LogLine::Says("leaving: users go to the other workers".to_owned()));
                process.on(WorkerEvent::Leave);
            }
            _ = ticks.tick() => {
                moving.moves();
                process.tick(tell);
            }
        }
        if let Some(exit) = process.exit.take() {
            return process.ended(exit, tell);
        }
    }
}

/// What the process tells itself.
enum FromLoad {
    Happens(Box<Happening>),
    /// The load threads have ended, or could not begin.
    Ended,
    Unable(Unable),
}

struct Process {
    machine: Worker<Arc<Report>>,
    options: WorkerOptions,
    address: Address,
    heard: mpsc::Sender<Heard>,
    inside: mpsc::Sender<FromLoad>,
    links: BTreeMap<Conn, Connection>,
    encoders: BTreeMap<Conn, Encoder>,
    /// The load threads, once there are some.
    load: Rc<RefCell<Option<LoadThreads>>>,
    /// Orders on their way to them: an edition's files may have to be fetched first.
    orders: Option<mpsc::UnboundedSender<(SentOrder, Option<Connection>)>>,
    meter: Meter,
    printed: Printed,
    levels: Levels,
    /// Samples in all reports, and in those of load threads that have ended.
    reported: u64,
    earlier: u64,
    /// All of them as one, for a master that has none of them.
    baseline: Baseline,
    /// Questions of users.
    askers: Askers,
    /// Load threads have ended, and until when what they asked may hold up saying so.
    ended: Option<(News, Micros)>,
    /// What was said last of why there is no connection.
    last_trouble: String,
    /// One moment by the master's clock and by ours, once that is known.
    clocks: watch::Sender<Option<(Micros, Micros)>>,
    /// Users begin nothing, for the master is silent.
    is_held: bool,
    exit: Option<Exit>,
}

impl Process {
    fn heard(&mut self, what: Heard, tell: &impl Fn(LogLine)) {
        let event = match what {
            Heard::Connected(conn, link) => {
                self.last_trouble.clear();
                self.links.insert(conn, link);
                self.encoders.insert(conn, Encoder::default());
                WorkerEvent::Connected(conn)
            }
            Heard::Refused(conn, why) => {
                self.trouble(why, tell);
                WorkerEvent::Refused(conn)
            }
            Heard::Failed(conn, why) => {
                self.trouble(why, tell);
                WorkerEvent::Failed(conn)
            }
            Heard::Said(conn, down) => WorkerEvent::Heard(conn, down),
            Heard::Applied(conn, applied) => WorkerEvent::Applied(conn, applied),
            Heard::Ended(conn, why) => {
                if let Some(why) = why {
                    self.trouble(why, tell);
                }
                self.links.remove(&conn);
                self.encoders.remove(&conn);
                WorkerEvent::Ended(conn)
            }
        };
        self.on(event);
    }

    /// Says why there is no connection, once for each reason.
    fn trouble(&mut self, why: String, tell: &impl Fn(LogLine)) {
        if why != self.last_trouble {
            tell(LogLine::Says(format!("no master yet: {why}; trying again")));
            self.last_trouble = why;
        }
    }

    fn load_says(&mut self, what: FromLoad, tell: &impl Fn(LogLine)) {
        match what {
            FromLoad::Happens(happening) => self.happens(*happening, tell),
            FromLoad::Ended => {
                self.load.borrow_mut().take();
                self.earlier = self.reported;
                self.orders = None;
                self.levels = Levels::default();
                self.meter.rests();
            }
            FromLoad::Unable(why) => {
                let why = why.to_string();
                let told = &why[..why.floor_char_boundary(LONGEST_WHY)];
                self.on(WorkerEvent::Unable(told.into()));
                tell(LogLine::Says(format!("no load can be made here: {why}")));
            }
        }
    }

    fn happens(&mut self, happening: Happening, tell: &impl Fn(LogLine)) {
        match happening {
            Happening::Said(News::Levels(levels)) => self.levels = levels,
            Happening::Said(news @ News::Ended { .. }) => self.load_ended(news),
            Happening::Said(news) => {
                // What was printed before it comes before it.
                self.send_lines();
                if let News::Assigned(_, levels) | News::Adopted(levels) = &news {
                    // The next beat says no less than this letter, and nothing that can end a run.
                    self.levels = Levels {
                        stage: None,
                        is_idle: false,
                        ..*levels
                    };
                    self.measured();
                }
                self.on(WorkerEvent::News(news));
            }
            Happening::Report(report) => {
                self.meter.lagged(report.lag_us());
                self.baseline.add(&report, self.levels.users);
                for (report, sums) in pieces(*report) {
                    self.reported += sums.samples;
                    self.on(WorkerEvent::Cut(report, sums));
                }
            }
            Happening::Line(line) => {
                self.printed.on(clock::now(), &line);
                tell(LogLine::Printed(line));
            }
            Happening::WantsIterations => {
                let ask = Ask::Range(Counted::Iterations, u64::MAX);
                let number = self.askers.asker().number();
                self.on(WorkerEvent::Ask(number, ask));
            }
            Happening::Unused(iterations) => {
                self.on(WorkerEvent::Returned(Counted::Iterations, 0..iterations));
            }
        }
    }

    fn measured(&mut self) {
        let load = self.load.borrow();
        let rows = load.as_ref().map(|load| load.shared().rows_looked_at());
        let machine = self.meter.machine(self.machine.offset().best());
        self.machine.measured(Measured {
            recorded: load
                .as_ref()
                .map_or(self.reported, |load| self.earlier + load.recorded()),
            levels: self.levels,
            used: self.askers.used(),
            rows: rows.unwrap_or_default(),
            load: machine,
        });
    }

    /// Passes on what was printed; without a connection it waits.
    fn send_lines(&mut self) {
        let link = self.machine.connection();
        if let Some(link) = link.and_then(|conn| self.links.get(&conn)) {
            let lines = self.printed.take();
            if !lines.is_empty() {
                // One that is full has more important things to carry.
                let _ = link.up.try_send(wire::up(Up::Lines(lines)));
            }
        }
    }

    fn tick(&mut self, tell: &impl Fn(LogLine)) {
        self.measured();
        self.send_lines();
        let now = clock::now();
        self.tell_if_held(now, tell);
        if let Some(there) = self.machine.offset().there(now) {
            self.clocks.send_replace(Some((there, now)));
        }
        if let Some(load) = &*self.load.borrow() {
            let (workers, figures) = self.machine.figures();
            load.shared().tell(*workers, figures);
        }
        self.on(WorkerEvent::Tick);
        let is_welcome = self.machine.connection().is_some();
        self.options.health.set_ready(is_welcome);
        self.look_at_end(now);
    }

    /// Says when users begin nothing more because the master is silent, and when they go on.
    fn tell_if_held(&mut self, now: Micros, tell: &impl Fn(LogLine)) {
        let fence = self.machine.fence();
        // Without a seat, or with one that is lost, users are ending.
        let is_held = fence > Micros::default() && fence <= now;
        if std::mem::replace(&mut self.is_held, is_held) != is_held && fence > Micros::default() {
            let text = match is_held {
                true => "no sign of the master: users begin nothing more until it is heard again",
                false => "users may begin iterations again",
            };
            tell(LogLine::Says(text.to_owned()));
        }
    }

    /// Hands the machine an event and does what it says.
    fn on(&mut self, event: WorkerEvent<Arc<Report>>) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.machine.on(clock::now(), event) {
                let next = self.act(action);
                events.splice(0..0, next.into_iter().rev());
            }
        }
        if let Some(load) = &*self.load.borrow() {
            load.may_begin_until(self.machine.fence());
        }
    }

    fn act(&mut self, action: WorkerAction<Arc<Report>>) -> Vec<WorkerEvent<Arc<Report>>> {
        match action {
            WorkerAction::Connect(conn) => {
                let to = self.address.clone();
                tokio::spawn(link::open(conn, to, self.heard.clone()));
            }
            WorkerAction::Send(conn, up) => {
                if let Some(link) = self.links.get(&conn) {
                    if matches!(up, Up::Proof(_)) {
                        link.admit();
                    }
                    if link.up.try_send(wire::up(up)).is_err() {
                        link.reset();
                    }
                }
            }
            WorkerAction::Report(conn, numbers) => {
                if let (Some(link), Some(encoder)) =
                    (self.links.get(&conn), self.encoders.get_mut(&conn))
                {
                    let numbered = wire::proto::Numbered {
                        number: numbers.number,
                        is_baseline: numbers.is_baseline,
                        report: encoder.encode(&numbers.report),
                    };
                    if link.numbers.try_send(numbered).is_err() {
                        link.reset();
                    }
                }
            }
            WorkerAction::Close(conn) => {
                if let Some(link) = self.links.remove(&conn) {
                    link.reset();
                }
            }
            WorkerAction::Order(order) => self.order(order),
            WorkerAction::Answer(number, answer) => return self.answer(number, answer),
            WorkerAction::Cut => {
                if let Some(load) = &*self.load.borrow() {
                    load.cut();
                }
            }
            // What was measured until the last load thread ended has been reported by then.
            WorkerAction::CutLast => {
                let report = Arc::new(Report::default());
                return vec![WorkerEvent::Last(report, Sums::default())];
            }
            WorkerAction::SumUp => {
                let pieces = pieces(self.baseline.report()).collect();
                return vec![WorkerEvent::Baseline(pieces)];
            }
            WorkerAction::Exit(exit) => self.exit = Some(exit),
        }
        Vec::new()
    }

    /// Passes an order on, in its turn.
    fn order(&mut self, order: SentOrder) {
        if let Some(edition) = order.edition() {
            let files = edition.appended_to().iter().cloned();
            self.askers.asker().may_append_to(files);
        }
        if matches!(order, SentOrder::Begin { .. }) {
            let (orders, queue) = mpsc::unbounded_channel();
            self.orders = Some(orders);
            let (load, inside) = (self.load.clone(), self.inside.clone());
            spawn_local(orders::carry_out(
                queue,
                load,
                inside,
                self.clocks.subscribe(),
                (self.machine.index().unwrap_or(0), self.askers.asker()),
            ));
        }
        let welcomed = self.machine.connection();
        let link = welcomed.and_then(|conn| self.links.get(&conn)).cloned();
        if let Some(orders) = &self.orders {
            // Whoever carries them out ends with the load threads.
            let _ = orders.send((order, link));
        }
    }
}

/// A report in pieces that a message takes, with what each amounts to.
fn pieces(report: Report) -> impl Iterator<Item = (Arc<Report>, Sums)> {
    let pieces = report.in_pieces(MOST_CELLS).into_iter();
    pieces.map(|report| {
        let sums = Sums {
            samples: report.samples(),
            started: report.started(),
        };
        (Arc::new(report), sums)
    })
}
