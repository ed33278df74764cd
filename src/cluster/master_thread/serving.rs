//! The thread of a master: between the sockets, the machine and the run.
//!
//! Owns doing what `master` says, in its order, and handing it what happens. The run is reached by its
//! gate only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};
use tonic::Status;

use super::{LAST_WORDS, MasterOptions, Request, Running};
use crate::clock;
use crate::cluster::build;
use crate::cluster::hello::Conn;
use crate::cluster::master::{Master, MasterAction, MasterEvent};
use crate::cluster::message::{
    Answer, Counted, Down, News, Numbers, RunId, SentOrder, Sums, Told, Up,
};
use crate::cluster::roster::Stand;
use crate::cluster::server::{self, Happened};
use crate::cluster::wire::{self, proto};
use crate::random;
use crate::runner::Unable;
use crate::runner::elsewhere::Joined;
use crate::script::{Level, Line};
use crate::stats::{Bounds, Decoder, Limits, Report};

/// How often time is looked at.
const TICK: Duration = Duration::from_millis(200);

/// How long the last words to workers get to leave.
const FAREWELL: Duration = Duration::from_millis(200);

pub(super) async fn serve(
    listener: std::net::TcpListener,
    options: MasterOptions,
    mut asked: mpsc::Receiver<Request>,
) {
    let (Ok(listener), Ok(fresh)) = (TcpListener::from_std(listener), random::bytes()) else {
        return;
    };
    let (happens, mut happened) = mpsc::channel(1_024);
    let (internal, mut inside) = mpsc::channel(1_024);
    tokio::spawn(server::serve(listener, happens));
    let own = build(options.token);
    let epoch = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0);
    let master = Master::new(
        own,
        clock::now(),
        epoch,
        RunId(u128::from_be_bytes(fresh)),
        false,
    );
    let mut thread = Thread {
        master,
        internal,
        conns: BTreeMap::new(),
        offered: Vec::new(),
        wanted: None,
        running: None,
        epoch_us: None,
        generation: 1,
        is_over: false,
        waits_for_over: Vec::new(),
        missing: BTreeMap::new(),
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(what) = happened.recv() => thread.happened(what).await,
            Some(what) = inside.recv() => thread.run_says(what).await,
            ask = asked.recv() => match ask {
                Some(ask) => thread.asked(ask).await,
                None => return,
            },
            _ = ticks.tick() => thread.on(MasterEvent::Tick).await,
        }
    }
}

/// What the thread tells itself.
enum FromRun {
    Joined(u32, Joined),
    Order(u32, SentOrder),
    Unsendable(u32, String),
}

/// A connection.
struct Socketed {
    down: Option<mpsc::Sender<Result<proto::Down, Status>>>,
    applied: Option<mpsc::Sender<Result<proto::Applied, Status>>>,
    socket: Socket,
    decoder: Decoder,
    /// It has proved itself.
    is_in: bool,
}

/// Who waits for workers: gets their numbers, and those of their load threads.
type Workers = oneshot::Sender<Vec<(u32, u32)>>;

struct Thread {
    master: Master<Arc<Report>>,
    internal: mpsc::Sender<FromRun>,
    conns: BTreeMap<Conn, Socketed>,
    /// Workers without a seat, and their numbers of load threads.
    offered: Vec<(u32, u32)>,
    /// How many workers are waited for, and by whom.
    wanted: Option<(u32, Workers)>,
    running: Option<Box<Running>>,
    /// When the run began, by this machine's clock, in µs.
    epoch_us: Option<u64>,
    /// The newest generation that a member was told of.
    generation: u16,
    is_over: bool,
    waits_for_over: Vec<oneshot::Sender<Vec<(u32, u64)>>>,
    /// By worker: what is missing of it, at most.
    missing: BTreeMap<u32, u64>,
}

impl Thread {
    async fn asked(&mut self, ask: Request) {
        match ask {
            // Its workers leave with their run.
            Request::Workers(..) if self.running.is_some() => {}
            Request::Workers(count, answer) => {
                self.wanted = Some((count, answer));
                self.look_for_workers();
            }
            Request::Run(running, joined) => {
                self.on(MasterEvent::Expect(None, running.users)).await;
                let iterations = running.iterations;
                self.running = Some(running);
                if iterations.is_some() {
                    let declare = MasterEvent::Declare(Counted::Iterations, iterations);
                    self.on(declare).await;
                }
                for (worker, joined) in joined {
                    self.joined(worker, joined).await;
                }
            }
            Request::End(limit) => self.on(MasterEvent::End(limit)).await,
            Request::Over(answer) if self.is_over || self.running.is_none() => {
                let _ = answer.send(self.lost());
            }
            Request::Over(answer) => self.waits_for_over.push(answer),
        }
    }

    fn look_for_workers(&mut self) {
        let Some((count, answer)) = self.wanted.take() else {
            return;
        };
        let offered = std::mem::take(&mut self.offered);
        let is_free = |(worker, _): &(u32, u32)| self.master.is_free(*worker);
        // Who is silent may come back, and is offered no second time.
        let (free, silent): (Vec<_>, Vec<_>) = offered.into_iter().partition(is_free);
        self.offered = silent;
        if free.len() < count.max(1) as usize {
            self.offered.extend(free);
            self.wanted = Some((count, answer));
            return;
        }
        // If nobody waits any longer, they are still there.
        if let Err(workers) = answer.send(free) {
            self.offered.extend(workers);
        }
    }

    /// A worker has its place in the run: its orders are passed on from now on.
    async fn joined(&mut self, worker: u32, joined: Joined) {
        let Some(sent) = self.running.as_ref().map(|running| running.sent.clone()) else {
            return;
        };
        let Joined {
            member, mut orders, ..
        } = joined;
        self.on(MasterEvent::Seat { worker, member }).await;
        let internal = self.internal.clone();
        spawn_local(async move {
            while let Some(order) = orders.next(&sent).await {
                let inside = match order {
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

    async fn run_says(&mut self, what: FromRun) {
        match what {
            FromRun::Joined(worker, joined) => self.joined(worker, joined).await,
            FromRun::Order(member, order) => {
                match &order {
                    SentOrder::Start(start) => self.epoch_us = Some(start.epoch.get()),
                    SentOrder::Begin { generation, .. }
                    | SentOrder::CatchUp(generation, _)
                    | SentOrder::Prepare(_, generation, _) => {
                        self.generation = self.generation.max(*generation);
                    }
                    _ => {}
                }
                self.on(MasterEvent::Order(member, order)).await;
            }
            FromRun::Unsendable(member, why) => {
                if let Some(running) = &self.running {
                    let failed = News::Failed(Unable::Script(why));
                    running.gate.say(member, failed).await;
                }
            }
        }
    }

    async fn happened(&mut self, what: Happened) {
        match what {
            Happened::Opened(conn, address, socket) => {
                let socketed = Socketed {
                    down: None,
                    applied: None,
                    socket,
                    decoder: Decoder::new(Limits::default()),
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
            Happened::Nonsense(conn) => {
                self.shut(conn);
                self.on(MasterEvent::Reset(conn)).await;
            }
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

    async fn heard(&mut self, conn: Conn, up: Up) {
        let levels = match &up {
            Up::Beat(beat) => Some(beat.levels),
            _ => None,
        };
        self.on(MasterEvent::Heard(conn, up)).await;
        if let (Some(levels), Some(member), Some(running)) =
            (levels, self.master.member_of(conn), &self.running)
        {
            running.gate.levels(member, levels);
        }
    }

    async fn numbered(&mut self, conn: Conn, numbered: proto::Numbered) {
        // Before it has proved itself, nothing of it is looked into.
        let Some(socketed) = self.conns.get_mut(&conn).filter(|it| it.is_in) else {
            return self.shut(conn);
        };
        let now = clock::now().get();
        let since = self.epoch_us.map_or(0, |epoch| now.saturating_sub(epoch));
        let bounds = Bounds {
            // Clocks of machines agree to within some milliseconds.
            second: since / 1_000_000 + 5,
            generation: self.generation,
        };
        let decoded = socketed.decoder.decode(&numbered.report, bounds);
        let Ok(report) = decoded else {
            self.shut(conn);
            return self.on(MasterEvent::Reset(conn)).await;
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
    async fn on(&mut self, event: MasterEvent<Arc<Report>>) {
        for action in self.master.on(clock::now(), event) {
            self.act(action).await;
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
            MasterAction::Leaves(member) => {
                if let Some(running) = &self.running {
                    running.gate.leave(member).await;
                }
            }
            MasterAction::Gone(member) => {
                if let Some(running) = &self.running {
                    running.gate.gone(member).await;
                }
            }
            MasterAction::Count(_, report) => {
                if let Some(running) = &self.running {
                    let report = Arc::try_unwrap(report).unwrap_or_else(|it| (*it).clone());
                    running.gate.report(report).await;
                }
            }
            MasterAction::Stands(worker, stand) => self.say_stand(worker, stand),
            MasterAction::Missing(worker, samples) => {
                self.missing.insert(worker, samples);
            }
            // Of iterations only: what was begun is in the figures, and rows are not handed out.
            MasterAction::Burned(..) => {}
            MasterAction::Barred(worker, why) => {
                let text = format!("worker {worker} is turned away: {why:?}");
                self.print(Level::Warn, text);
            }
            MasterAction::Over => {
                self.is_over = true;
                let (lost, waiting) = (self.lost(), std::mem::take(&mut self.waits_for_over));
                spawn_local(async move {
                    // The process may end then: what was said to workers has to leave before.
                    tokio::time::sleep(FAREWELL).await;
                    for waiting in waiting {
                        let _ = waiting.send(lost.clone());
                    }
                });
            }
            MasterAction::Deposed => {
                let text = "a worker knows a later master: this one is not wanted any longer";
                self.print(Level::Error, text.to_owned());
            }
            // The run deals by itself, and takes over nobody from an earlier master.
            MasterAction::Deal | MasterAction::Adopted(..) | MasterAction::Settled => {}
        }
    }

    fn lost(&self) -> Vec<(u32, u64)> {
        let missing = self.missing.iter();
        let lost = missing.filter(|(_, samples)| **samples > 0);
        lost.map(|(worker, samples)| (*worker, *samples)).collect()
    }

    fn send(&mut self, conn: Conn, down: Down) {
        let Some(socketed) = self.conns.get_mut(&conn) else {
            return;
        };
        socketed.is_in |= matches!(down, Down::Welcome(_));
        let is_used_up = matches!(
            &down,
            Down::Letter(letter)
                if matches!(letter.says, Told::Answer(_, Answer::UsedUp(Counted::Iterations)))
        );
        let sent = match &socketed.down {
            Some(to) => to.try_send(Ok(wire::down(down))).is_ok(),
            None => false,
        };
        if !sent {
            // It takes nothing: the connection is of no use, and what was said is said again on
            // another one.
            self.shut(conn);
        }
        if is_used_up && let Some(running) = &self.running {
            // Handed out by the machine, and so none of the run's own any more.
            let _ = running.gate.iterations(u64::MAX);
        }
    }

    fn shut(&mut self, conn: Conn) {
        let Some(mut socketed) = self.conns.remove(&conn) else {
            return;
        };
        // The streams end once all that was said has left.
        socketed.down = None;
        socketed.applied = None;
        spawn_local(async move {
            tokio::time::sleep(LAST_WORDS).await;
            let _ = socketed.socket.shutdown(std::net::Shutdown::Both);
        });
    }

    fn joins(&mut self, worker: u32, threads: u32) {
        let Some(running) = &self.running else {
            self.offered.push((worker, threads));
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
            format!("worker {worker} joins with {threads} load threads"),
        );
    }

    async fn news(&self, member: u32, news: News) {
        if let Some(running) = &self.running {
            running.gate.say(member, news).await;
        }
    }

    fn say_stand(&self, worker: u32, stand: Stand) {
        let (level, what) = match stand {
            Stand::Present => (Level::Info, "is heard again"),
            Stand::Late => (Level::Info, "is late: no sign of it for 3 s"),
            Stand::Missing => (Level::Warn, "is missing: no sign of it for 5 s"),
            Stand::Moved => (Level::Warn, "is gone: its users move to the others"),
            Stand::Lost => (Level::Error, "is lost: no sign of it for a minute"),
        };
        self.print(level, format!("worker {worker} {what}"));
    }

    fn print(&self, level: Level, text: String) {
        if let Some(running) = &self.running {
            running.gate.print(Line {
                level,
                who: String::new(),
                place: String::new(),
                text,
                dropped: 0,
            });
        }
    }
}
