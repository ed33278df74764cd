//! What happens to a master, and what follows.
//!
//! Owns the two lists; `master` turns the one into the other.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::hello::Conn;
use crate::cluster::message::{
    Answer, Applied, Counted, Down, Going, Holding, Lines, News, Numbers, Refused, RunFigures,
    Said, SentOrder, Up,
};
use crate::cluster::roster::Stand;
use crate::data::Mode;

/// Something that happened to a master.
#[derive(Clone, Debug)]
pub enum MasterEvent<R> {
    /// A connection was accepted.
    Opened {
        /// Which one.
        conn: Conn,
        /// Where from.
        address: u128,
        /// Random.
        nonce: [u8; 16],
        /// Random: the worker's key, if it is a new one.
        key: u128,
    },
    /// A message came on *Serve*.
    Heard(Conn, Up),
    /// A report came on *Numbers*.
    Numbers(Conn, Numbers<R>),
    /// The other end's kernel has closed the connection (FIN).
    Closed(Conn),
    /// The connection is broken (RST, a time-out, nonsense in its encoding).
    Reset(Conn),
    /// Time has passed; expected a few times a second.
    Tick,
    /// What [`Master::saving`](super::Master::saving) gave is on the disk.
    Saved,
    /// That could not be written.
    Unsaved,
    /// The run gives a worker the seat of a member.
    Seat {
        /// The worker, that was offered by `Joins`.
        worker: u32,
        /// The run's number of the member, never used before.
        member: u32,
    },
    /// The run has an order for a member; it is void if that has gone.
    Order(u32, SentOrder),
    /// So many users will be a member's at most, or all members' together, for what may be missing
    /// of one.
    Expect(Option<u32>, u32),
    /// Members have begun that have no users yet: deal when it is quiet.
    Gather,
    /// There is a source of numbers.
    Declare(Counted, Option<u64>),
    /// There are so many rows of a source, in that order; more than before are appended ones.
    DeclareRows(u64, Mode, u64),
    /// The run's own functions have a question, or say what comes of one.
    Own(Said),
    /// How the whole run stands, for the next beats.
    Figures(Arc<RunFigures>),
    /// The lines of that question of a worker are on their way to the disk, but for those of these
    /// files.
    Appended(u32, u64, Lines),
    /// The run is over: members have their orders to stop, and nothing is waited for after this
    /// long.
    End(Duration),
}

/// What follows.
#[derive(Clone, Debug)]
pub enum MasterAction<R> {
    /// Send this on *Serve*.
    Send(Conn, Down),
    /// Send this on *Numbers*.
    Applied(Conn, Applied),
    /// Close the connection, once everything is sent.
    Close(Conn),
    /// A worker has no users and may get a seat.
    Joins {
        /// Its number.
        worker: u32,
        /// Its load threads.
        threads: u32,
    },
    /// The run goes on, as a worker knows it; said by each that knows.
    GoesOn(Box<Going>),
    /// A worker was a member under the last master, and goes on.
    Adopted(u32, Box<Holding>),
    /// Nobody else will be adopted: slots that nobody holds are free.
    Settled,
    /// A member has news. After `Ended` it is none any longer.
    News(u32, News),
    /// A member wants to leave: its users are to be given to others, then it is to be stopped.
    Leaves(u32),
    /// A member has lost its seat: its users are to be given to others at once.
    Gone(u32),
    /// Workers came or went, and now it is quiet: deal the users anew.
    Deal,
    /// Count this report, of this worker.
    Count(u32, R),
    /// A worker can make no load: why.
    Unable(u32, Box<str>),
    /// A question of the run's own functions is answered.
    Answer(u64, Answer),
    /// A worker's lines for files, with the number of its question.
    Append(u32, u64, Lines),
    /// A worker stands otherwise than before.
    Stands(u32, Stand),
    /// So many numbers of these sources were with a worker and are not given out again.
    Burned(u32, Vec<(Counted, u64)>),
    /// A worker has gone, and so many samples of it may be missing; 0 if it has come back.
    Missing(u32, u64),
    /// It was refused, and so is everybody who claims to be it.
    Barred(u32, Refused),
    /// Nothing more will come: what is missing was said. The process may end.
    Over,
    /// A worker knows a later master: this one ends.
    Deposed,
}
