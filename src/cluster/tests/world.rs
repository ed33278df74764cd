//! The world: one master, some workers, a clock and a network, and everything that goes wrong.
//!
//! Owns the events and their order, and passes them between the real machines and the scripted
//! users. What must hold is in `checks`, what goes wrong in `faults`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use super::chance::Chance;
use super::checks::Checks;
use super::faults::Fault;
use super::load::Load;
use super::net::{Count, Link, Message, SECOND, Way, Wire};
use super::run::Run;
use crate::clock::Micros;
use crate::cluster::hello::{Conn, Credentials};
use crate::cluster::master::{Master, MasterAction, MasterEvent};
use crate::cluster::message::{Counted, Down, Hello, News, PROTOCOL, ProcessId, RunId};
use crate::cluster::worker::{Exit, Measured, Worker, WorkerAction, WorkerEvent};

/// How often machines are told the time.
const TICK: u64 = SECOND / 2;

/// The rows of the source that users take from.
pub(super) const ROWS: u64 = 100_000;

#[derive(Debug)]
pub(super) enum Event {
    Worker(usize),
    Master(u32),
    Deliver(usize, Way, Message),
    User(usize, u64),
    Compiled(usize, u64, News),
    Fault(Fault),
    Save(u32),
    Saved(u32),
    MasterBegins,
    Look,
    End,
}

#[derive(Debug)]
struct Item {
    at: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Item {
    fn eq(&self, other: &Item) -> bool {
        self.order == other.order
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Item) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Item) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A clock of a machine: begun at another moment, and a little too fast or too slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) ahead: u64,
    pub(super) ppm: u64,
}

impl Clock {
    fn new(chance: &mut Chance) -> Clock {
        Clock {
            ahead: chance.within(SECOND, 5_000 * SECOND),
            ppm: chance.within(999_950, 1_000_050),
        }
    }

    pub(super) fn at(self, now: u64) -> Micros {
        let us = self.ahead + now / 1_000 * self.ppm / 1_000;
        Micros::default() + Duration::from_micros(us)
    }
}

/// A worker process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) core: Worker<Count>,
    pub(super) load: Load,
    pub(super) clock: Clock,
    pub(super) frozen: u64,
    pub(super) is_alive: bool,
    pub(super) exit: Option<Exit>,
    /// It, or another one, is a copy.
    pub(super) is_cloned: bool,
    /// What its machine wants done; the first of it is being done.
    pub(super) actions: VecDeque<WorkerAction<Count>>,
    /// By its own number: the connection.
    pub(super) wires: BTreeMap<Conn, usize>,
    /// By question: the user, and the name of the value.
    pub(super) asks: BTreeMap<u64, (u64, u8)>,
    pub(super) next_ask: u64,
    /// Its number on the master, in the present life.
    pub(super) index: Option<u32>,
}

/// The master's process.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) core: Master<Count>,
    pub(super) run: Run,
    pub(super) clock: Clock,
    pub(super) frozen: u64,
    /// By worker: what was counted, and what may be missing.
    pub(super) counted: BTreeMap<u32, u64>,
    pub(super) missing: BTreeMap<u32, u64>,
    pub(super) is_over: bool,
}

/// What a state file has.
pub(super) type File = (Master<Count>, BTreeMap<u32, u64>, Vec<Option<u32>>);

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: u64,
    items: BinaryHeap<Reverse<Item>>,
    order: u64,
    pub(super) chance: Chance,
    pub(super) wires: Vec<Wire>,
    pub(super) links: Vec<Link>,
    pub(super) processes: Vec<Process>,
    pub(super) head: Option<Head>,
    pub(super) life: u32,
    pub(super) has_file: bool,
    pub(super) file: Option<File>,
    pub(super) saving: Option<File>,
    pub(super) checks: Checks,
    pub(super) planned: u32,
    expected: usize,
    /// `--worker-timeout` and `--master-timeout`, in seconds.
    timeouts: (u64, u64),
    pub(super) ends: Option<u64>,
}

fn credentials() -> Credentials {
    Credentials {
        token: b"a token of the world"[..].into(),
        version: "1".into(),
        source_hash: [0; 32],
    }
}

/// What comes of a master that was written to a file.
fn read_again(core: &Master<Count>) -> Master<Count> {
    let bytes = postcard::to_allocvec(core).expect("it can be written");
    postcard::from_bytes(&bytes).expect("it can be read")
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let mut chance = Chance::new(seed);
        let workers = usize::try_from(chance.within(1, 5)).unwrap();
        let planned = u32::try_from(chance.within(3, 12)).unwrap();
        let has_file = chance.one_in(2);
        let timeouts = match seed % 4 {
            0 => (8, 60),
            1 => (20, 75),
            _ => (15, 60),
        };
        let mut world = World {
            now: 0,
            items: BinaryHeap::new(),
            order: 0,
            chance,
            wires: Vec::new(),
            links: Vec::new(),
            processes: Vec::new(),
            head: None,
            life: 0,
            has_file,
            file: None,
            saving: None,
            checks: Checks::default(),
            planned,
            expected: workers,
            timeouts,
            ends: None,
        };
        world.begin_master();
        for _ in 0..workers {
            world.begin_worker();
        }
        world
    }

    pub(super) fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        let item = Item {
            at,
            order: self.order,
            event,
        };
        self.items.push(Reverse(item));
    }

    /// Goes on until nothing more happens, or until then.
    pub(super) fn go(&mut self, until: u64) {
        while self
            .items
            .peek()
            .is_some_and(|Reverse(item)| item.at <= until)
            && let Some(Reverse(item)) = self.items.pop()
        {
            self.now = item.at;
            self.happens(item);
        }
    }

    fn happens(&mut self, mut item: Item) {
        let until = match &item.event {
            Event::Worker(it) | Event::User(it, _) | Event::Compiled(it, ..) => {
                self.processes[*it].frozen
            }
            Event::Deliver(wire, Way::Down, _) => self.processes[self.wires[*wire].worker].frozen,
            Event::Master(_) | Event::Deliver(_, Way::Up, _) | Event::Save(_) | Event::Saved(_) => {
                self.head.as_ref().map_or(0, |head| head.frozen)
            }
            _ => 0,
        };
        if until > self.now {
            // It keeps its place among what is there by then.
            item.at = until;
            self.items.push(Reverse(item));
            return;
        }
        match item.event {
            Event::Worker(it) => self.worker_tick(it),
            Event::Master(life) => self.master_tick(life),
            Event::Deliver(wire, way, message) => self.deliver(wire, way, message),
            Event::User(it, user) => self.user(it, user),
            Event::Compiled(it, ticket, news) => {
                if self.processes[it].load.compiling == ticket {
                    self.worker(it, WorkerEvent::News(news));
                }
            }
            Event::Fault(fault) => self.fault(fault),
            Event::Save(life) => self.save(life),
            Event::Saved(life) => self.saved(life),
            Event::MasterBegins => self.begin_master(),
            Event::Look => self.look(),
            Event::End => self.end(),
        }
    }

    pub(super) fn begin_master(&mut self) {
        self.life += 1;
        let clock = Clock::new(&mut self.chance);
        let now = clock.at(self.now);
        let epoch = 1_000_000_000 + self.now;
        let run = RunId(u128::from(self.chance.bits()));
        let is_first = self.life == 1;
        let file = self.file.clone().filter(|_| self.has_file);
        for process in &mut self.processes {
            process.index = None;
        }
        let (mut core, counted) = match file {
            Some((core, counted, indices)) => {
                for (process, index) in self.processes.iter_mut().zip(indices) {
                    process.index = index;
                }
                let mut core = read_again(&core);
                core.read(credentials(), Duration::from_secs(self.timeouts.0));
                (core.restarted(now, epoch), counted)
            }
            None => {
                let mut core = Master::new(credentials(), now, epoch, run, !is_first);
                core.moves_after(Duration::from_secs(self.timeouts.0));
                (core, BTreeMap::new())
            }
        };
        if self.has_file && self.file.is_none() {
            core.with_file();
        }
        self.head = Some(Head {
            core,
            run: Run::new(
                if is_first { self.expected } else { 1 },
                self.life * 1_000,
                self.planned,
                is_first,
            ),
            clock,
            frozen: 0,
            counted,
            missing: BTreeMap::new(),
            is_over: false,
        });
        self.at(self.now, Event::Master(self.life));
        if self.has_file {
            self.at(self.now + SECOND, Event::Save(self.life));
        }
        self.master(MasterEvent::Expect(None, self.planned));
        self.master(MasterEvent::Declare(Counted::Rows(1), Some(ROWS)));
    }

    pub(super) fn begin_worker(&mut self) {
        let it = self.processes.len();
        let clock = Clock::new(&mut self.chance);
        let process = ProcessId(u128::from(self.chance.bits()));
        let card = Hello {
            protocol: PROTOCOL,
            version: "1".into(),
            source_hash: [0; 32],
            name: "worker".into(),
            threads: u32::try_from(self.chance.within(1, 2)).unwrap(),
            memory: 0,
            labels: BTreeMap::new(),
            process,
            nonce: [3; 16],
            attempt: 0,
            resume: None,
        };
        let begins = self.now + self.chance.within(0, 2 * SECOND);
        let delay = match self.chance.within(0, 4) {
            0 => (180_000, 220_000),
            1 => (5_000, 40_000),
            _ => (100, 2_000),
        };
        self.links.push(Link {
            delay,
            blocked: [0, 0],
        });
        let mut core = Worker::new(credentials(), card, clock.at(begins));
        core.alone_for(Duration::from_secs(self.timeouts.1));
        self.processes.push(Process {
            core,
            load: Load::new(self.planned),
            clock,
            frozen: 0,
            is_alive: true,
            exit: None,
            is_cloned: false,
            actions: VecDeque::new(),
            wires: BTreeMap::new(),
            asks: BTreeMap::new(),
            next_ask: 0,
            index: None,
        });
        self.at(begins, Event::Worker(it));
    }

    /// A process ends; its kernel closes its connections, unless the power is gone.
    pub(super) fn kill_worker(&mut self, it: usize, is_closed: bool) {
        let process = &mut self.processes[it];
        process.is_alive = false;
        process.load.users.clear();
        let wires: Vec<usize> = std::mem::take(&mut process.wires).into_values().collect();
        for wire in wires {
            if is_closed {
                self.send(wire, Way::Up, Message::Closed);
            }
            self.wires[wire].open[0] = false;
        }
    }

    pub(super) fn kill_master(&mut self, ending: Option<Message>) {
        self.head = None;
        self.saving = None;
        for wire in 0..self.wires.len() {
            let open = self.wires[wire].open[1];
            if open && let Some(ending) = &ending {
                self.send(wire, Way::Down, ending.clone());
            }
            self.wires[wire].open[1] = false;
        }
    }

    fn worker_tick(&mut self, it: usize) {
        if !self.processes[it].is_alive {
            return;
        }
        let process = &mut self.processes[it];
        let users = process.load.users.len();
        let mut measured = Measured {
            recorded: process.load.recorded,
            ..Measured::default()
        };
        measured.levels.users = u32::try_from(users).unwrap();
        process.core.measured(measured);
        self.worker(it, WorkerEvent::Tick);
        self.checks.bounds(&self.processes[it], self.has_file);
        self.at(self.now + TICK, Event::Worker(it));
    }

    fn master_tick(&mut self, life: u32) {
        if self.life != life || self.head.is_none() {
            return;
        }
        self.master(MasterEvent::Tick);
        if let Some(head) = &mut self.head {
            head.run.tick(self.now);
            self.wanted();
            self.at(self.now + TICK, Event::Master(life));
        }
    }

    /// What the run wants of its master.
    fn wanted(&mut self) {
        while let Some(head) = &mut self.head {
            let wants = std::mem::take(&mut head.run.wants);
            if wants.is_empty() {
                return;
            }
            for event in wants {
                self.master(event);
            }
        }
    }

    pub(super) fn master(&mut self, event: MasterEvent<Count>) {
        let Some(head) = &mut self.head else {
            return;
        };
        let now = head.clock.at(self.now);
        let actions = head.core.on(now, event);
        for action in actions {
            self.master_does(action);
        }
        self.wanted();
    }

    fn master_does(&mut self, action: MasterAction<Count>) {
        let Some(head) = &mut self.head else {
            return;
        };
        let wire = |conn: Conn| usize::try_from(conn.0).unwrap();
        match action {
            MasterAction::Send(conn, down) => {
                if let Down::Welcome(welcome) = &down {
                    let worker = self.wires[wire(conn)].worker;
                    self.processes[worker].index = Some(welcome.index);
                }
                self.send(wire(conn), Way::Down, Message::Down(down));
            }
            MasterAction::Applied(conn, applied) => {
                self.send(wire(conn), Way::Down, Message::Applied(applied));
            }
            MasterAction::Close(conn) => {
                self.send(wire(conn), Way::Down, Message::Closed);
                self.wires[wire(conn)].open[1] = false;
            }
            MasterAction::Joins { worker, threads } => head.run.joins(worker, threads),
            MasterAction::Adopted(_, holding) => head.run.adopted(*holding),
            MasterAction::Settled => head.run.settled(),
            MasterAction::News(member, news) => head.run.news(member, news),
            MasterAction::Leaves(member) => head.run.leaves(member),
            MasterAction::Gone(member) => head.run.gone(member),
            MasterAction::Deal => head.run.deal(),
            MasterAction::Count(worker, count) => *head.counted.entry(worker).or_default() += count,
            MasterAction::Missing(worker, missing) => {
                head.missing.insert(worker, missing);
            }
            MasterAction::Over => head.is_over = true,
            MasterAction::Deposed => panic!("there is one master at a time"),
            MasterAction::GoesOn(_)
            | MasterAction::Stands(..)
            | MasterAction::Burned(..)
            | MasterAction::Barred(..)
            | MasterAction::Unable(..) => {}
            MasterAction::Answer(..) | MasterAction::Append(..) => {
                panic!("nobody has asked for that")
            }
        }
    }

    fn end(&mut self) {
        self.ends = Some(self.now);
        if let Some(head) = &mut self.head {
            head.run.end();
            self.wanted();
            self.master(MasterEvent::End(Duration::from_secs(10)));
        }
    }
}
