//! What master and worker say to each other, as plain data.
//!
//! Owns the types and their bounds. Three calls share one connection: *Serve* carries [`Up`] and
//! [`Down`], *Numbers* carries [`Numbers`] and [`Applied`], *Fetch* files by their content. Encoding
//! is done elsewhere, and so is cleaning texts for people.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Micros;
use crate::data::{Course, Value};
use crate::load::Part;
pub use crate::runner::elsewhere::{
    Going, Levels, News, Remembered, SentEdition, SentOrder, SentStart,
};
pub use crate::stats::RunFigures;

/// The version of the messages. The first eight fields of [`Hello`] are the same in all versions,
/// so that any worker can be told why it is refused.
pub const PROTOCOL: u32 = 1;

/// The most bytes of a worker's message, encoded.
pub const MOST_BYTES: usize = 8 << 20;

/// The most bytes of the cells in one report. Names, texts and own figures, of which there are only
/// so many, come in addition.
pub const MOST_CELLS: usize = 1 << 20;

/// The most bytes of a master's, which may carry what `setup` returned.
pub const MOST_DOWN_BYTES: usize = 64 << 20;

/// The most load threads of a worker, and the most slots of a run.
pub const MOST_THREADS: usize = 4_096;
/// See there.
const MOST_SLOTS: u32 = 1 << 20;

/// The most bytes of a message before the token is proved.
pub const MOST_HELLO_BYTES: usize = 16 << 10;

/// The most sources whose horizons are told in a beat; a run has a handful.
pub const MOST_SOURCES: usize = 1_000;

/// One worker from its start to its end: 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId(pub u128);

/// One run, from its first master to its last: 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub u128);

/// A worker's claim on a share of the run's users: the run's number of the member, never used
/// again, and the epoch in which it was given.
///
/// Who has lost its share, but does not know it, still speaks of the old seat; so whatever is said
/// of a seat that is not the present one is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seat {
    /// Of the master that gave it.
    pub epoch: u64,
    /// The run's number of the member.
    pub member: u32,
}

/// A source of numbers of which each is given out once over all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Counted {
    /// The iterations of a run with a limit.
    Iterations,
    /// Turns for rows, by the hash of their declaration.
    Rows(u64),
}

/// A message of a worker on *Serve*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Up {
    /// The first message of a connection.
    Hello(Box<Hello>),
    /// That it knows the token, for this connection alone.
    Proof([u8; 32]),
    /// What stands, every second: the next one makes good a lost one.
    Beat(Box<UpBeat>),
    /// What it knows of the run that goes on: said before anything else to a master that asks for
    /// it with its welcome.
    Brings(Box<Brought>),
    /// What has happened: numbered, and sent again until it has arrived.
    Letter(Letter<Said>),
    /// What was printed there. Some may be left out, and those that a connection loses are.
    Lines(Vec<super::printed::SentLine>),
}

/// A message of the master on *Serve*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Down {
    /// The answer to a hello: that the master knows the token, and what the worker's proof is of.
    Challenge {
        /// Random.
        nonce: [u8; 16],
        /// The master proves itself first: a worker runs nothing from a stranger.
        proof: [u8; 32],
    },
    /// The connection stands.
    Welcome(Box<Welcome>),
    /// The connection is of no use, nor would another one be.
    Refused(Refused),
    /// The answer to a beat.
    Beat(Box<DownBeat>),
    /// As [`Up::Letter`].
    Letter(Letter<Told>),
    /// Another connection of this process has taken its place.
    Superseded,
}

/// A numbered message; numbers begin with 1 in each epoch (one life of a master) and have no gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter<T> {
    /// Its number.
    pub number: u64,
    /// What it says.
    pub says: T,
}

/// Who wants to join.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Katydid's version.
    pub version: Box<str>,
    /// SHA-256 of the source: a worker evaluates the script, and nearly equal is not equal.
    pub source_hash: [u8; 32],
    /// For people, such as the host's name.
    pub name: Box<str>,
    /// Load threads.
    pub threads: u32,
    /// Bytes of memory that it may use.
    pub memory: u64,
    /// Region, zone, pod.
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Its process.
    pub process: ProcessId,
    /// Random, for each connection.
    pub nonce: [u8; 16],
    /// Which connection of this process it is, from 1. A number that comes twice is two processes'.
    pub attempt: u64,
    /// What it has of a run.
    pub resume: Option<Resume>,
}

/// What a worker that was welcomed before brings along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    /// Its run.
    pub run: RunId,
    /// The latest epoch it has heard of.
    pub epoch: u64,
    /// What it was given with its first welcome: nobody else can take over its connection.
    pub key: u128,
    /// Up to here it has the master's letters of that epoch.
    pub heard: u64,
    /// The seat it has.
    pub claim: Option<Claim>,
    /// How long a silent worker kept its users under that master.
    pub worker_timeout: Duration,
    /// It was certainly still a member when its master went: no more than `worker_timeout` passed
    /// between the last beat that it knows arrived and the first sign that nobody was there.
    pub stood: bool,
    /// Samples recorded in its life.
    pub recorded: u64,
    /// How far sources may have been given out, as it was told.
    pub horizons: Vec<(Counted, u64)>,
    /// As [`DownBeat::departed`].
    pub departed: u64,
}

/// A seat that a worker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Which one.
    pub seat: Seat,
    /// Whether it has begun.
    pub is_at_work: bool,
}

/// What a worker brings along for a master that is started again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brought {
    /// The seat it has, if the master leaves it to it.
    pub holding: Option<Holding>,
    /// How the run stands.
    pub going: Going,
}

impl Brought {
    /// Whether a worker can have that.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.going.is_possible() && self.holding.as_ref().is_none_or(Holding::is_possible)
    }
}

/// A seat, with what its holder has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holding {
    /// Which one.
    pub seat: Seat,
    /// The number of its first load thread; the others follow.
    pub first: u32,
    /// By thread: its slots.
    pub parts: Vec<Part>,
    /// The number of the last assignment that it was told of.
    pub assignment: u16,
    /// The generation in service there.
    pub generation: u16,
    /// Whether it has begun.
    pub is_at_work: bool,
}

impl Holding {
    /// Whether a worker can have that: no more threads than there may be, and parts of the same
    /// number of slots.
    fn is_possible(&self) -> bool {
        let slots = self.parts.first().map_or(0, Part::count);
        let are_alike = self.parts.iter().all(|part| part.count() == slots);
        let ends = [self.seat.member, self.first];
        let are_few = ends.into_iter().all(|end| end < u32::MAX / 2);
        are_alike
            && are_few
            && (1..=MOST_THREADS).contains(&self.parts.len())
            && slots <= MOST_SLOTS
    }
}

/// The answer to a proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The run, to be named from now on.
    pub run: RunId,
    /// This master's: when it was started, in µs since 1970, so that a later one is greater even if
    /// it knows nothing of those before.
    pub epoch: u64,
    /// The worker's number, never used again in the run.
    pub index: u32,
    /// As [`Resume::key`].
    pub key: u128,
    /// Up to here the master has the worker's letters of this epoch.
    pub heard: u64,
    /// What has come of its reports.
    pub numbers: Standing,
    /// The seat it has, if any.
    pub seat: Option<Seat>,
    /// The letters of both sides begin anew: this master has none of an earlier connection.
    pub is_anew: bool,
    /// The master was started again, and wants to know of the run ([`Up::Brings`]).
    pub asks: bool,
    /// How long a silent worker keeps its users.
    pub worker_timeout: Duration,
}

/// What a master has of a worker's reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// All up to here.
    Applied(Applied),
    /// It knows nothing of them: they are wanted as one sum.
    Unknown,
}

/// How far reports have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// All up to this one are counted.
    pub applied: u64,
    /// All up to this one survive the master; the worker may forget them.
    pub kept: u64,
}

/// Why a worker is not wanted; it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// Another version, or built from another source.
    Version,
    /// Its proof is wrong.
    Token,
    /// Two processes claim to be this one: a cloned machine.
    Cloned,
    /// There are as many as there may be.
    Full,
    /// It belongs to another run.
    OtherRun,
    /// The run is over.
    Over,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Version => "it is another version of Katydid: both have to be the same",
            Refused::Token => "it does not know the token (--cluster-token)",
            Refused::Cloned => "two processes claim to be this worker: a cloned machine?",
            Refused::Full => "there are as many workers as there may be",
            Refused::OtherRun => "it belongs to another run",
            Refused::Over => "its run is over",
        })
    }
}

/// A worker's beat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpBeat {
    /// When it was sent, by the worker's clock; comes back as [`DownBeat::echo`].
    pub stamp: Micros,
    /// `stamp` by the master's clock, as far as the worker knows that.
    pub at: Option<Micros>,
    /// Up to here it has the master's letters.
    pub heard: u64,
    /// Up to here it has been told of horizons ([`DownBeat::horizons`]).
    pub horizons: u64,
    /// Samples recorded in its life.
    pub recorded: u64,
    /// What stands with its users.
    pub levels: Levels,
    /// How many numbers of each source it has used.
    pub used: Vec<(Counted, u64)>,
    /// The rows of the run's figures that its scripts look at, by their names.
    pub rows: Vec<Box<str>>,
    /// What the machine is doing.
    pub load: Machine,
}

/// What a worker's machine is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// CPU time of the process since its start, in µs.
    pub cpu_us: u64,
    /// CPU time of the last second, as a share of what its load threads can use, in thousandths.
    pub cpu: u16,
    /// For how much of the last second its control group held it back, in thousandths.
    pub throttled: u16,
    /// Memory of the process, in bytes.
    pub rss_bytes: u64,
    /// How much it may have.
    pub memory_bytes: u64,
    /// The 99th percentile of the lags of the last second, in µs.
    pub lag_p99_us: u64,
    /// The greatest of them.
    pub lag_us: u64,
    /// When its clock showed zero, in µs since 1970 by its own calendar; 0 if it has not looked.
    pub zero_unix_us: i64,
    /// By how much what it takes for the master's clock may be wrong, in µs.
    pub clock_error_us: Option<u64>,
}

/// The master's answer to a beat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DownBeat {
    /// When it was sent, by the master's clock.
    pub stamp: Micros,
    /// The beat that it answers.
    pub echo: Micros,
    /// When that arrived, by the master's clock.
    pub received: Micros,
    /// This master's.
    pub epoch: u64,
    /// The seat that the worker has. Only for its holder is this beat a sign that it is a member.
    pub seat: Option<Seat>,
    /// Up to here the master has the worker's letters.
    pub heard: u64,
    /// How far sources may be given out, and the number of this statement.
    pub horizons: (u64, Arc<[(Counted, u64)]>),
    /// Workers that are there.
    pub workers: u32,
    /// Samples of workers that have gone, all of them applied: a master without memory can name
    /// what it has lost.
    pub departed: u64,
    /// How the whole run stands, for scripts that ask.
    pub figures: Arc<RunFigures>,
}

/// What a worker has to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Said {
    /// It has no seat and no users: it can begin.
    Idle,
    /// News of load threads, of the holder of a seat.
    News(Seat, News),
    /// A question; answered once, unless it is taken back.
    Ask(u64, Ask),
    /// A question is taken back.
    Cancel(u64),
    /// What was handed to a user that had gone: to the front of its queue.
    Back(Box<str>, Value),
    /// What was not used of a source.
    Returned(Counted, Range<u64>),
    /// A turn to make a value is over without one.
    Passed(Box<str>, u64),
    /// It has a seat, and can make no load: why.
    Unable(Box<str>),
    /// It wants to leave in order.
    Leaving,
    /// It has cut its last report, which has this number.
    Finished(u64),
}

/// What the master has to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Told {
    /// An order for the holder of a seat.
    Order(Seat, SentOrder),
    /// The answer to a question.
    Answer(u64, Answer),
    /// No users will be wanted of it any more: cut the last report.
    Finish,
    /// All its reports are applied.
    Farewell {
        /// The master goes on to another run, and wants it for that; otherwise it may end.
        is_wanted_again: bool,
    },
}

/// What a user asks of what exists once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    /// A range of a source, below that number: a caller that knows so many rows can use no other.
    Range(Counted, u64),
    /// Which rows belong to turns of a source, for callers who know so many.
    Course(u64, u64),
    /// Append lines to files, each with its file.
    Append(Lines),
    /// Append to a queue.
    Put(Box<str>, Value),
    /// Take the first element, when there is one.
    Take(Box<str>),
    /// Take the first element if there is one now.
    TryTake(Box<str>),
    /// How many elements a queue has.
    Length(Box<str>),
    /// The value of a name, or the turn to make it.
    Once(Box<str>),
    /// The value is made, in the turn of that number.
    Made(Box<str>, u64, Value),
}

/// Texts, each with the path of its file.
pub type Lines = Vec<(Box<str>, Box<str>)>;

/// What comes of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// These numbers of the source.
    Range(Counted, Range<u64>),
    /// The source is used up.
    UsedUp(Counted),
    /// Which rows belong to turns.
    Course(Course),
    /// The lines are on their way to the disk, but for those of these files, for which it says why.
    Appended(Lines),
    /// The element is in the queue.
    Put,
    /// The first element, or that there was none.
    Taken(Option<Value>),
    /// So many elements.
    Length(u64),
    /// The value that everyone has.
    Value(Value),
    /// Make the value: the number of the turn.
    Make(u64),
    /// There are too many names.
    TooManyNames,
    /// It was taken back in time.
    Cancelled,
}

/// What a report amounts to, for those who do not look into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Samples in it.
    pub samples: u64,
    /// Iterations begun in it.
    pub started: u64,
}

/// A report on *Numbers*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbers<R> {
    /// Its number in the process, from 1.
    pub number: u64,
    /// What it amounts to.
    pub sums: Sums,
    /// It is the sum of all reports up to `number`.
    pub is_baseline: bool,
    /// What was measured.
    pub report: R,
}
