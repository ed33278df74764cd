//! The thread of a master: between the sockets, the machine and the run.
//!
//! Owns doing what `master` says, in its order, and handing it what happens. The run is reached by its
//! gate only.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::Status;

use super::going_on::Earlier;
use super::people::People;
use super::sharing::KnownOfRun;
use super::state::State;
use super::{DEPOSED, Lost, MasterOptions, Request, Running, WantedWorkers};
use crate::clock;
use crate::cluster::accepting::number_of;
use crate::cluster::allowance::Allowance;
use crate::cluster::asking::FromUser;
use crate::cluster::build;
use crate::cluster::hello::{Conn, Credentials};
use crate::cluster::master::{Master, MasterAction, MasterEvent};
use crate::cluster::message::{Lines, Numbers, RunId, Said, SentOrder, Sums, Up};
use crate::cluster::server::{self, Happened, Opened};
use crate::cluster::strangers::Strangers;
use crate::cluster::wire::proto;
use crate::random;
use crate::runner::elsewhere::Joined;
use crate::script::Level;
use crate::stats::{Bounds, Decoder, Limits, Report};

/// How often time is looked at.
const TICK: Duration = Duration::from_millis(200);

/// What the run has said and the thread has not heard.
pub(super) const INSIDE: usize = 1_024;

pub(super) async fn serve(
    listener: std::net::TcpListener,
    options: MasterOptions,
    mut asked: mpsc::Receiver<Request>,
) {
    let (Ok(listener), Ok(fresh)) = (TcpListener::from_std(listener), random::bytes()) else {
        return;
    };
    let (happens, mut happened) = mpsc::channel(1_024);
    let (internal, inside) = mpsc::channel(INSIDE);
    tokio::spawn(server::serve(listener, options.tls, happens));
    let moving = options.health.part("the cluster thread");
    options.health.set_ready(true);
    let own = build(options.token);
    let mut master = master(&own, fresh, options.goes_on, options.moves);
    let (mut missing, mut generation) = (BTreeMap::new(), 1);
    let state = options.state.map(|mut file| {
        let place = file.place();
        let Some(kept) = file.take() else {
            master.with_file();
            return State::new(place);
        };
        let mut before = kept.master;
        before.read(own.clone(), options.moves);
        before.going_on(options.goes_on);
        master = before.restarted(clock::now(), epoch());
        (missing, generation) = (kept.missing, kept.generation);
        State::resumed(place, kept.going, kept.report)
    });
    let mut thread = Thread {
        master,
        state,
        own,
        goes_on: options.goes_on,
        moves: options.moves,
        expect: options.expect,
        says: options.says,
        returning: None,
        invited: 0,
        internal,
        inside,
        conns: BTreeMap::new(),
        offered: Vec::new(),
        wanted: None,
        running: None,
        earlier: Earlier::default(),
        waits_for_going: None,
        is_deposed: false,
        known: KnownOfRun::default(),
        own_says: Vec::new(),
        is_waiting_for_run: false,
        epoch_us: None,
        generation,
        is_over: false,
        is_closing: false,
        waits_for_over: Vec::new(),
        missing,
        lost_last: Vec::new(),
        strangers: Strangers::default(),
        people: People::default(),
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(what) = happened.recv() => thread.happened(what).await,
            Some(what) = thread.inside.recv() => thread.run_says(what).await,
            what = own_question(&mut thread.running) => thread.own_asks(what).await,
            ask = asked.recv() => match ask {
                Some(ask) => thread.asked(ask).await,
                None => return,
            },
            _ = ticks.tick() => {
                moving.moves();
                thread.tick().await;
            }
        }
    }
}

/// A master of one run, known by a random number.
pub(super) fn master(
    own: &Credentials,
    fresh: [u8; 16],
    goes_on: bool,
    moves: Duration,
) -> Master<Arc<Report>> {
    let run = RunId(u128::from_be_bytes(fresh));
    let mut master = Master::new(own.clone(), clock::now(), epoch(), run, false);
    master.going_on(goes_on);
    master.moves_after(moves);
    master
}

/// The time in µs since 1970, as masters tell who is later.
fn epoch() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0)
}

/// What the run's own functions ask next.
async fn own_question(running: &mut Option<Box<Running>>) -> FromUser {
    match running {
        Some(running) => running.askers.next().await,
        None => std::future::pending().await,
    }
}

/// What the thread tells itself.
pub(super) enum FromRun {
    /// Lines of that worker's question are on their way to the disk, but for those of these files.
    Appended(u32, u64, Lines),
    Joined(u32, Joined),
    /// A member that had its place before.
    Holds(Joined),
    Order(u32, SentOrder),
    Unsendable(u32, String),
    /// What a master knows is on the disk, or why not.
    StateWritten(io::Result<()>),
}

/// A connection.
pub(super) struct Socketed {
    pub(super) down: Option<mpsc::Sender<Result<proto::Down, Status>>>,
    pub(super) applied: Option<mpsc::Sender<Result<proto::Applied, Status>>>,
    /// Where from, and the socket, to be shut by.
    pub(super) opened: Opened,
    pub(super) decoder: Decoder,
    pub(super) allowance: Allowance,
    /// It has proved itself.
    pub(super) is_in: bool,
}

pub(super) struct Thread {
    pub(super) master: Master<Arc<Report>>,
    /// What is kept in a file, if it is.
    pub(super) state: Option<State>,
    pub(super) own: Credentials,
    /// Whether another run may follow.
    pub(super) goes_on: bool,
    /// How long a silent worker keeps its users.
    pub(super) moves: Duration,
    /// How many workers a run waits for.
    pub(super) expect: u32,
    /// The log, without a run.
    pub(super) says: SyncSender<(Level, String)>,
    /// How many workers of the last run are expected to come again, and until when.
    pub(super) returning: Option<(usize, Instant)>,
    /// How many have been asked to.
    pub(super) invited: usize,
    /// What the run says; another way for each run.
    pub(super) internal: mpsc::Sender<FromRun>,
    pub(super) inside: mpsc::Receiver<FromRun>,
    pub(super) conns: BTreeMap<Conn, Socketed>,
    /// Workers without a seat, and their numbers of load threads.
    pub(super) offered: Vec<(u32, u32)>,
    /// Workers that are waited for.
    pub(super) wanted: Option<WantedWorkers>,
    pub(super) running: Option<Box<Running>>,
    /// What came of an earlier master's run before this one had it.
    pub(super) earlier: Earlier,
    /// Who has to know that there is one.
    pub(super) waits_for_going: Option<oneshot::Sender<()>>,
    pub(super) is_deposed: bool,
    pub(super) known: KnownOfRun,
    /// What follows from answers to the run's own functions.
    pub(super) own_says: Vec<Said>,
    /// All of its workers are done, and its own functions are not.
    pub(super) is_waiting_for_run: bool,
    /// When the run began, by this machine's clock, in µs.
    pub(super) epoch_us: Option<u64>,
    /// The newest generation that a member was told of.
    pub(super) generation: u16,
    /// The last run is over.
    pub(super) is_over: bool,
    /// The process ends, and workers have been told.
    pub(super) is_closing: bool,
    pub(super) waits_for_over: Vec<oneshot::Sender<Lost>>,
    /// By worker: what is missing of it, at most.
    pub(super) missing: BTreeMap<u32, u64>,
    /// Of the run that ended last.
    pub(super) lost_last: Lost,
    pub(super) strangers: Strangers,
    pub(super) people: People,
}

impl Thread {
    async fn happened(&mut self, what: Happened) {
        match what {
            Happened::Opened(conn, opened) => {
                let address = number_of(opened.from);
                let socketed = Socketed {
                    down: None,
                    applied: None,
                    opened,
                    decoder: Decoder::new(Limits::default()),
                    allowance: Allowance::default(),
                    is_in: false,
                };
                self.conns.insert(conn, socketed);
                let (Ok(nonce), Ok(key)) = (random::bytes(), random::bytes()) else {
                    return self.shut(conn);
                };
                let opened = MasterEvent::Opened {
                    conn,
                    address,
                    nonce,
                    key: u128::from_be_bytes(key),
                };
                self.on(opened).await;
            }
            Happened::Serving(conn, down) => {
                if let Some(socketed) = self.conns.get_mut(&conn) {
                    socketed.down = Some(down);
                }
            }
            Happened::Counting(conn, applied) => {
                if let Some(socketed) = self.conns.get_mut(&conn) {
                    socketed.applied = Some(applied);
                }
            }
            Happened::Heard(conn, up) => self.heard(conn, up).await,
            Happened::Numbers(conn, numbered) => self.numbered(conn, numbered).await,
            Happened::Fetch(conn, content, answer) => {
                let is_in = self.conns.get(&conn).is_some_and(|it| it.is_in);
                let content = content.try_into().ok().filter(|_| is_in);
                let running = self.running.as_ref();
                let sent = running.map(|running| running.sent.clone());
                let found = content
                    .zip(sent)
                    .and_then(|(content, sent)| sent.content(&content));
                let _ = answer.send(found);
            }
            Happened::Nonsense(conn) => self.break_off(conn, "it talks nonsense").await,
            Happened::Trouble(from, what) => self.say_stranger(from, &what),
            Happened::Closed(conn) => {
                self.conns.remove(&conn);
                self.on(MasterEvent::Closed(conn)).await;
            }
            Happened::Broken(conn) => {
                self.conns.remove(&conn);
                self.on(MasterEvent::Reset(conn)).await;
            }
        }
    }

    /// A connection keeps no rules: it is told which, and closed.
    async fn break_off(&mut self, conn: Conn, why: &str) {
        if let Some(socketed) = self.conns.get(&conn) {
            let from = socketed.opened.from;
            if let Some(down) = &socketed.down {
                // One that takes nothing hears nothing.
                let _ = down.try_send(Err(Status::resource_exhausted(why)));
            }
            self.say_stranger(from, why);
        }
        self.shut(conn);
        self.on(MasterEvent::Reset(conn)).await;
    }

    async fn heard(&mut self, conn: Conn, up: Up) {
        let Some(socketed) = self.conns.get_mut(&conn) else {
            return;
        };
        if let Err(why) = socketed.allowance.said(clock::now(), &up) {
            return self.break_off(conn, &format!("it says {why}")).await;
        }
        let worker = self.master.worker_of(conn);
        let (levels, rows) = match (up, worker) {
            (Up::Lines(lines), Some(worker)) => return self.printed_there(worker, lines),
            (Up::Beat(beat), Some(worker)) => {
                self.beat(worker, conn, &beat);
                let told = (beat.levels, beat.rows.clone());
                self.on(MasterEvent::Heard(conn, Up::Beat(beat))).await;
                told
            }
            (up, _) => return self.on(MasterEvent::Heard(conn, up)).await,
        };
        if let (Some(member), Some(running)) = (self.master.member_of(conn), &self.running) {
            running.gate.levels(member, levels);
            self.look_at(rows);
        }
    }

    async fn numbered(&mut self, conn: Conn, numbered: proto::Numbered) {
        // Before it has proved itself, nothing of it is looked into.
        let Some(socketed) = self.conns.get_mut(&conn).filter(|it| it.is_in) else {
            return self.shut(conn);
        };
        if let Err(why) = socketed.allowance.report(clock::now()) {
            return self.break_off(conn, &format!("it sends {why}")).await;
        }
        if !self.is_early(conn, &numbered) {
            self.count(conn, numbered).await;
        } else if !self.keep(conn, numbered) {
            let why = "it sends more than there is room for";
            self.break_off(conn, why).await;
        }
    }

    /// Counts a report that came.
    pub(super) async fn count(&mut self, conn: Conn, numbered: proto::Numbered) {
        let Some(socketed) = self.conns.get_mut(&conn) else {
            return;
        };
        let now = clock::now().get();
        let since = self.epoch_us.map_or(0, |epoch| now.saturating_sub(epoch));
        let bounds = Bounds {
            // Clocks of machines agree to within some milliseconds.
            second: since / 1_000_000 + 5,
            generation: self.generation,
        };
        let decoded = socketed.decoder.decode(&numbered.report, bounds);
        let report = match decoded {
            Ok(report) => report,
            Err(why) => return self.break_off(conn, &format!("it sends {why}")).await,
        };
        let numbers = Numbers {
            number: numbered.number,
            // Not what it says they are.
            sums: Sums {
                samples: report.samples(),
                started: report.started(),
            },
            is_baseline: numbered.is_baseline,
            report: Arc::new(report),
        };
        self.on(MasterEvent::Numbers(conn, numbers)).await;
    }

    /// Hands the machine an event and does what it says.
    pub(super) async fn on(&mut self, event: MasterEvent<Arc<Report>>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.master.on(clock::now(), event) {
                self.act(action).await;
            }
            events.extend(self.own_says.drain(..).map(MasterEvent::Own));
        }
    }

    async fn act(&mut self, action: MasterAction<Arc<Report>>) {
        match action {
            MasterAction::Send(conn, down) => self.send(conn, down),
            MasterAction::Applied(conn, applied) => {
                let socketed = self.conns.get(&conn);
                if let Some(to) = socketed.and_then(|it| it.applied.as_ref()) {
                    // What is lost here is said again with the next.
                    let _ = to.try_send(Ok(applied.into()));
                }
            }
            MasterAction::Close(conn) => self.shut(conn),
            MasterAction::Joins { worker, threads } => self.joins(worker, threads),
            MasterAction::News(member, news) => self.news(member, news).await,
            MasterAction::Leaves(member) => self.leaves(member).await,
            MasterAction::Gone(member) => self.gone(member).await,
            MasterAction::Count(worker, report) => {
                self.counted(worker);
                let users = self.people.users();
                if let Some(state) = &mut self.state {
                    state.counted(&report, users);
                }
                if let Some(running) = &self.running {
                    let report = Arc::try_unwrap(report).unwrap_or_else(|it| (*it).clone());
                    running.gate.report(report).await;
                }
            }
            MasterAction::Stands(worker, stand) => {
                self.say_stand(worker, stand);
                self.show_people_soon();
            }
            MasterAction::Unable(worker, why) => {
                let text = format!("{} can make no load: {why}", self.name_of(worker));
                // The run may end with it, and shows no line any more.
                let _ = self.says.try_send((Level::Error, text));
            }
            // It has come back.
            MasterAction::Missing(worker, 0) => {
                self.missing.remove(&worker);
            }
            MasterAction::Missing(worker, samples) => {
                self.missing.insert(worker, samples);
            }
            MasterAction::Burned(worker, burned) => self.say_burned(worker, &burned),
            MasterAction::Answer(number, answer) => self.own_answer(number, answer),
            MasterAction::Append(worker, question, lines) => {
                self.take_lines(worker, question, lines);
            }
            MasterAction::Barred(worker, why) => {
                let text = format!("{} is turned away: {why}", self.name_of(worker));
                self.print(Level::Warn, text);
            }
            MasterAction::Over => self.over(),
            MasterAction::Deposed => {
                self.is_deposed = true;
                self.look_for_workers();
                if let Some(running) = &self.running {
                    running.gate.deposed(DEPOSED.to_owned()).await;
                }
                self.over();
            }
            MasterAction::Deal => {
                if let Some(running) = &self.running {
                    running.gate.deal().await;
                }
            }
            MasterAction::GoesOn(going) => self.take_over(*going),
            MasterAction::Adopted(worker, holding) => self.adopted(worker, *holding).await,
            MasterAction::Settled => self.settled().await,
        }
    }
}
