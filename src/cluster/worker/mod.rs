//! What a worker does on each event of its connections, of its load threads and of the clock.
//!
//! Owns its seat, its numbers until they are counted, its questions until they are answered, and
//! until when its users may begin iterations ([`Worker::fence`]). Load threads, their ledger and
//! sockets are elsewhere.
//!
//! | it | when | and then |
//! |---|---|---|
//! | is idle | welcomed, or its users have ended | says so, and may be given a seat |
//! | holds a seat | told to begin | passes orders on, and news back |
//! | retires | the master says that the seat is not its own any longer, or there was none for `--master-timeout` | its users end, begin nothing more, and nothing that they say counts |
//! | finishes | told so | cuts its last report, and waits until all are counted |
//!
//! Whatever becomes of seats, its numbers stay, and are counted once.

mod cutting;
mod hearing;
mod link;
mod memory;
mod session;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::{Incoming, Outgoing, Reports};
use super::fence::Fence;
use super::hello::{Conn, Credentials};
use super::message::{
    Answer, Applied, Ask, Counted, Down, Hello, Holding, Levels, Machine, News, Numbers, Refused,
    RunFigures, Said, SentOrder, Sums, Up, UpBeat,
};
use super::offset::Offset;
use super::questions::Questions;
use super::{ALONE, BEAT, MOVES};
use crate::clock::Micros;
use crate::data::Value;
use link::{Link, Move};
use memory::Memory;
use session::Session;

/// What users whose share is others' get to finish their task, and then for `on_stop`.
const RETIRES_WITHIN: Duration = Duration::from_secs(5);

/// With so many letters on their way, a beat is sent at each look at the clock.
const PRESSED: usize = 1_000;

/// How long leaving in order may take; then it ends as it is.
const LEAVES_WITHIN: Duration = Duration::from_secs(120);

/// Something that happened to a worker.
#[derive(Clone, Debug)]
pub enum WorkerEvent<R> {
    /// The connection that was asked for stands.
    Connected(Conn),
    /// Nobody listens there: a sign that there is no master.
    Refused(Conn),
    /// It came to nothing otherwise.
    Failed(Conn),
    /// A message came on *Serve*.
    Heard(Conn, Down),
    /// An answer came on *Numbers*.
    Applied(Conn, Applied),
    /// The connection has ended.
    Ended(Conn),
    /// Time has passed; expected a few times a second.
    Tick,
    /// The report that was asked for.
    Cut(R, Sums),
    /// The sum of all reports so far, that was asked for, in pieces that add up to it.
    Baseline(Vec<(R, Sums)>),
    /// The last report, that was asked for: nothing is measured any more.
    Last(R, Sums),
    /// Load threads have news.
    News(News),
    /// Load threads could not begin: why.
    Unable(Box<str>),
    /// A user has a question, with a number of its own.
    Ask(u64, Ask),
    /// A user that asked is gone.
    Cancel(u64),
    /// What was not used of a source.
    Returned(Counted, Range<u64>),
    /// A turn to make a value is over without one.
    Passed(Box<str>, u64),
    /// What was handed to a user that had gone: to the front of its queue.
    Back(Box<str>, Value),
    /// The process is to leave in order (SIGTERM).
    Leave,
}

/// What follows.
#[derive(Clone, Debug)]
pub enum WorkerAction<R> {
    /// Open a connection, known by this number from now on.
    Connect(Conn),
    /// Send this on *Serve*.
    Send(Conn, Up),
    /// Send this on *Numbers*.
    Report(Conn, Numbers<R>),
    /// Break the connection off, by a reset: an orderly end is what the master takes for the death
    /// of the process.
    Close(Conn),
    /// Give load threads this order.
    Order(SentOrder),
    /// A question of a user is answered.
    Answer(u64, Answer),
    /// Cut a report.
    Cut,
    /// Sum up all reports that were cut.
    SumUp,
    /// Users have ended: cut the last report.
    CutLast,
    /// The process ends.
    Exit(Exit),
}

/// Why a worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// In order: all its numbers are counted.
    Done,
    /// As `Done`, and the master goes on: the process begins anew as another worker.
    Again,
    /// It is not wanted.
    Refused(Refused),
    /// Who answers there does not know the token.
    Stranger,
    /// There was no master for too long, and its numbers are in nobody's.
    Abandoned,
    /// The master keeps no rules.
    Nonsense,
}

/// What stands with load threads, from now on.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Samples in the life of the process.
    pub recorded: u64,
    /// Their users.
    pub levels: Levels,
    /// How many numbers of each source were used in the life of the process.
    pub used: Vec<(Counted, u64)>,
    /// The rows of the run's figures that scripts look at.
    pub rows: Vec<Box<str>>,
    /// What the machine is doing.
    pub load: Machine,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Worker<R> {
    own: Credentials,
    /// Who it is; what differs from connection to connection is filled in.
    card: Hello,
    link: Link,
    /// The connection that stands, and when it said something.
    current: Option<(Conn, Micros)>,
    session: Option<Session>,
    up: Outgoing<Said>,
    down: Incoming,
    reports: Reports<R>,
    questions: Questions,
    seat: Option<Holding>,
    is_retiring: bool,
    /// Its load threads have ended, which is said once all reports are counted.
    ended: Option<News>,
    is_leaving: Option<Micros>,
    /// No users are wanted of it any more; the last report has been asked for, or cut.
    is_finishing: bool,
    is_last_cut: bool,
    fence: Fence,
    /// When the last beat was sent that was echoed.
    echoed: Micros,
    /// Whether it was certainly a member when it first found nobody, since then.
    found_nobody: Option<bool>,
    /// When the master said something last.
    with_master: Micros,
    offset: Offset,
    horizons: (u64, Arc<[(Counted, u64)]>),
    departed: u64,
    memory: Memory,
    /// How long its users stay with it while it is silent, as the master said.
    moves: Duration,
    /// How long it goes on without a master.
    alone: Duration,
    figures: (u32, Arc<RunFigures>),
    contradictions: u32,
    measured: Measured,
    /// When the last beat was sent, and when the next report is due.
    beat: Micros,
    cut: Micros,
    actions: Vec<WorkerAction<R>>,
}

impl<R: Clone> Worker<R> {
    /// A worker that begins; `card` says who it is.
    #[must_use]
    pub fn new(own: Credentials, card: Hello, now: Micros) -> Worker<R> {
        // Truncation is meant: the process is random.
        let seed = card.process.0 as u64;
        Worker {
            own,
            link: Link::new(now, seed),
            card,
            current: None,
            session: None,
            up: Outgoing::default(),
            down: Incoming::default(),
            reports: Reports::default(),
            questions: Questions::default(),
            seat: None,
            is_retiring: false,
            ended: None,
            is_leaving: None,
            is_finishing: false,
            is_last_cut: false,
            fence: Fence::default(),
            echoed: now,
            found_nobody: None,
            with_master: now,
            offset: Offset::default(),
            horizons: (0, Arc::default()),
            departed: 0,
            memory: Memory::default(),
            moves: MOVES,
            alone: ALONE,
            figures: (1, Arc::default()),
            contradictions: 0,
            measured: Measured::default(),
            beat: Micros::default(),
            cut: now + Duration::from_micros(seed % 1_000_000),
            actions: Vec::new(),
        }
    }

    /// It goes on for so long without a master, and then keeps its numbers for as long again.
    pub fn alone_for(&mut self, length: Duration) {
        self.alone = length;
    }

    /// Users may begin iterations before this moment.
    #[must_use]
    pub fn fence(&self) -> Micros {
        match (&self.seat, self.is_retiring) {
            (Some(_), false) => self.fence.until(),
            _ => Micros::default(),
        }
    }

    /// The connection on which it was welcomed.
    #[must_use]
    pub fn connection(&self) -> Option<Conn> {
        self.current.map(|(conn, _)| conn)
    }

    /// What is known of the master's clock.
    #[must_use]
    pub fn offset(&self) -> &Offset {
        &self.offset
    }

    /// Its number, once it was welcomed.
    #[must_use]
    pub fn index(&self) -> Option<u32> {
        self.session.map(|session| session.index)
    }

    /// How many workers there are and how the whole run stands, as it was told last.
    #[must_use]
    pub fn figures(&self) -> &(u32, Arc<RunFigures>) {
        &self.figures
    }

    /// The seat it has, with what belongs to it.
    #[must_use]
    pub fn seat(&self) -> Option<&Holding> {
        self.seat.as_ref()
    }

    /// Whether somebody still waits for the answer to a question.
    #[must_use]
    pub fn is_open(&self, question: u64) -> bool {
        self.questions.is_open(question)
    }

    /// What it holds that could grow: letters, reports, questions.
    #[must_use]
    pub fn held(&self) -> [usize; 3] {
        [self.up.len(), self.reports.held(), self.questions.open()]
    }

    /// What stands with load threads; said with the next beat.
    pub fn measured(&mut self, measured: Measured) {
        self.measured = measured;
    }

    /// Something has happened. What follows is to be done in this order, and what that leads to is
    /// handed in after all of it: letters are numbered as they were made.
    pub fn on(&mut self, now: Micros, event: WorkerEvent<R>) -> Vec<WorkerAction<R>> {
        match event {
            WorkerEvent::Connected(conn) => self.connected(now, conn),
            WorkerEvent::Refused(conn) => self.refused(now, conn),
            WorkerEvent::Failed(conn) => {
                if self.link.attempt(conn).is_some() {
                    self.link.failed(now);
                }
            }
            WorkerEvent::Heard(conn, down) => self.heard(now, conn, down),
            WorkerEvent::Applied(conn, applied) => self.applied(conn, applied),
            WorkerEvent::Ended(conn) => self.ended(now, conn),
            WorkerEvent::Tick => self.tick(now),
            WorkerEvent::Cut(report, sums) => {
                self.reports.push(report, sums);
                self.flush();
            }
            WorkerEvent::Baseline(pieces) => {
                self.reports.baseline(pieces);
                if self.is_last_cut {
                    self.say(Said::Finished(self.reports.cut()));
                }
                self.flush();
            }
            WorkerEvent::Last(report, sums) => {
                self.reports.push(report, sums);
                self.is_last_cut = true;
                self.say(Said::Finished(self.reports.cut()));
                self.flush();
            }
            WorkerEvent::News(news) => self.news(news),
            WorkerEvent::Unable(why) => self.say(Said::Unable(why)),
            WorkerEvent::Ask(number, ask) => {
                self.questions.ask(number, ask.clone());
                self.say(Said::Ask(number, ask));
            }
            WorkerEvent::Cancel(number) => {
                if self.questions.cancel(number) {
                    self.say(Said::Cancel(number));
                }
            }
            WorkerEvent::Returned(of, range) => self.say(Said::Returned(of, range)),
            WorkerEvent::Passed(name, turn) => self.say(Said::Passed(name, turn)),
            WorkerEvent::Back(queue, value) => self.say(Said::Back(queue, value)),
            WorkerEvent::Leave => self.leave(now),
        }
        std::mem::take(&mut self.actions)
    }

    /// Sends a letter, at once if there is a connection.
    fn say(&mut self, said: Said) {
        if self.up.push(said) {
            self.flush();
        } else {
            // With so much unsaid the master would let it go.
            self.exit(Exit::Nonsense);
        }
    }

    /// Sends what was not sent on this connection.
    fn flush(&mut self) {
        let Some((conn, _)) = self.current else {
            return;
        };
        let letters = std::iter::from_fn(|| self.up.send());
        let letters = letters.map(|letter| WorkerAction::Send(conn, Up::Letter(letter)));
        self.actions.extend(letters);
        let reports = std::iter::from_fn(|| self.reports.send());
        let reports = reports.map(|report| WorkerAction::Report(conn, report));
        self.actions.extend(reports);
    }

    fn exit(&mut self, why: Exit) {
        self.actions.push(WorkerAction::Exit(why));
    }

    fn tick(&mut self, now: Micros) {
        let heard = self.current.map(|(_, heard)| heard);
        match self.link.look(now, heard) {
            Some(Move::Connect(conn)) => self.actions.push(WorkerAction::Connect(conn)),
            Some(Move::GiveUp(conn)) => self.actions.push(WorkerAction::Close(conn)),
            None => {}
        }
        if let Some((conn, _)) = self.current
            && (self.beat + BEAT <= now || self.is_pressed())
        {
            self.beat = now;
            let beat = Up::Beat(Box::new(self.as_beat(now)));
            self.actions.push(WorkerAction::Send(conn, beat));
        }
        if self.cut <= now && self.session.is_some() && !self.is_last_cut {
            // If it stood still, that is one report for all that time.
            self.cut = self.next_cut(now);
            if self.reports.may_cut() && !self.is_finishing {
                self.actions.push(WorkerAction::Cut);
            }
        }
        self.look_if_alone(now);
    }

    /// Whether the next beat is not to be waited for: a range may only be given out when all have
    /// heard how far, and letters are kept until a beat says that they have arrived.
    fn is_pressed(&self) -> bool {
        self.questions.want_numbers() || self.up.len() > PRESSED
    }

    fn as_beat(&self, now: Micros) -> UpBeat {
        UpBeat {
            stamp: now,
            at: self.offset.there(now),
            heard: self.down.heard(),
            horizons: self.horizons.0,
            recorded: self.measured.recorded,
            levels: self.measured.levels,
            used: self.measured.used.clone(),
            rows: self.measured.rows.clone(),
            load: self.measured.load,
        }
    }

    /// Without a master users end after a while, and after another one so does the worker.
    fn look_if_alone(&mut self, now: Micros) {
        if self.is_leaving.is_some_and(|until| until <= now) {
            self.exit(Exit::Abandoned);
        }
        if self.with_master + self.alone <= now && self.session.is_some() {
            self.retire();
        }
        if self.with_master + self.alone * 2 <= now && self.session.is_some() {
            self.exit(Exit::Abandoned);
        }
    }

    /// Its seat is not its own any longer: users end, and begin nothing more.
    fn retire(&mut self) {
        if self.seat.is_some() && !self.is_retiring {
            self.is_retiring = true;
            if let Some(ended) = self.ended.take() {
                return self.news(ended);
            }
            let stop = SentOrder::Stop {
                stop_timeout: RETIRES_WITHIN,
                on_stop_timeout: RETIRES_WITHIN,
            };
            self.actions.push(WorkerAction::Order(stop));
        }
    }

    fn news(&mut self, news: News) {
        let Some(holding) = &self.seat else {
            return;
        };
        let seat = holding.seat;
        let has_ended = matches!(news, News::Ended { .. });
        if has_ended && !self.is_retiring && !self.reports.are_applied() {
            // The run may be over with it: what was measured has to be counted before.
            self.ended = Some(news);
            return;
        }
        if !self.is_retiring {
            self.say(Said::News(seat, news));
        }
        if has_ended {
            self.seat = None;
            self.is_retiring = false;
            self.say(Said::Idle);
        }
    }

    fn leave(&mut self, now: Micros) {
        if self.session.is_none() {
            self.exit(Exit::Done);
        } else if self.is_leaving.is_none() {
            self.is_leaving = Some(now + LEAVES_WITHIN);
            self.say(Said::Leaving);
        }
    }

    /// Whether it was certainly a member when the last master went: no longer ago than users stay
    /// with a silent worker did it hear something new.
    fn stood(&self, now: Micros) -> bool {
        self.found_nobody.unwrap_or(self.echoed + self.moves > now)
    }
}
