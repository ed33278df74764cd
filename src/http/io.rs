//! The socket of one connection, as hyper sees it, and what is recorded as bytes pass.
//!
//! Knows neither HTTP nor timeouts: it counts bytes, takes the time, and makes sure that the socket
//! wakes the user's task.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::Stream;
use crate::clock::{Micros, now};

pub(super) struct Io {
    stream: Stream,
    notes: Rc<Notes>,
}

/// What has passed since [`Notes::begin`]; shared by the socket and the exchange that uses it.
pub(super) struct Notes {
    /// The task to wake when the socket is ready. hyper is polled with another waker, see
    /// `connection`.
    waker: RefCell<Waker>,
    written: Cell<u64>,
    first_read: Cell<Option<Micros>>,
    last_write: Cell<Option<Micros>>,
    last_activity: Cell<Micros>,
    reading: Cell<Readiness>,
    /// Bytes read since the exchange began.
    read: Cell<u64>,
    /// Bytes that may still be read in this turn of the task.
    left: Cell<usize>,
}

/// The most to read in one turn of a task: hyper keeps reading until it has a whole head, and a
/// server that sends `100 Continue` endlessly held the thread for a second at a time.
const READ_A_TURN: usize = 64 * 1024;

/// What a read would return, as far as is known without asking the kernel or tokio.
///
/// hyper tries to read up to five times a request, and each attempt that finds nothing costs 250
/// instructions. No new data is noticed while a task is being polled, so one attempt a poll is
/// enough.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readiness {
    /// Unknown: ask.
    Open,
    /// Nothing, and the socket will wake the task.
    Watched,
    /// Nothing: the last read took all there was. The socket will not wake the task.
    Drained,
    /// There may be more in the task's next turn, which is certain to come.
    Enough,
}

impl Notes {
    pub(super) fn new() -> Rc<Notes> {
        Rc::new(Notes {
            waker: RefCell::new(Waker::noop().clone()),
            written: Cell::new(0),
            first_read: Cell::new(None),
            last_write: Cell::new(None),
            last_activity: Cell::default(),
            reading: Cell::new(Readiness::Open),
            read: Cell::new(0),
            left: Cell::new(READ_A_TURN),
        })
    }

    /// A new exchange begins at `at`.
    pub(super) fn begin(&self, at: Micros) {
        self.written.set(0);
        self.read.set(0);
        self.first_read.set(None);
        self.last_write.set(None);
        self.last_activity.set(at);
    }

    /// Restarts the wait for the server at `at`: nothing was asked of it until then.
    pub(super) fn resume(&self, at: Micros) {
        self.last_activity.set(at);
    }

    /// Makes the socket wake the task that polls the connection.
    pub(super) fn polled_by(&self, waker: &Waker) {
        self.reading.set(Readiness::Open);
        self.left.set(READ_A_TURN);
        let mut current = self.waker.borrow_mut();
        if !current.will_wake(waker) {
            current.clone_from(waker);
        }
    }

    /// Allows no read before the first write: hyper treats anything a server sends unasked as an
    /// error, but on a fresh connection it may be the answer of a server that refuses every client
    /// (curl accepts it). The task must read again.
    pub(super) fn write_first(&self) {
        if self.written.get() == 0 {
            self.reading.set(Readiness::Drained);
        }
    }

    /// Whether the task must let hyper read once more before it waits, since nothing would wake it;
    /// if so, allows that read.
    pub(super) fn must_read_again(&self) -> bool {
        let is_drained = self.reading.get() == Readiness::Drained;
        if is_drained {
            self.reading.set(Readiness::Open);
        }
        is_drained
    }

    /// Bytes accepted by the kernel (or TLS).
    pub(super) fn written(&self) -> u64 {
        self.written.get()
    }

    /// Returns how many were written so far and resets the count.
    pub(super) fn take_written(&self) -> u64 {
        self.written.take()
    }

    /// Replaces the count.
    pub(super) fn set_written(&self, bytes: u64) {
        self.written.set(bytes);
    }

    /// Bytes received since the exchange began.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.get()
    }

    pub(super) fn first_read(&self) -> Option<Micros> {
        self.first_read.get()
    }

    /// The last write before the first byte came back; a server may answer early.
    pub(super) fn last_write(&self) -> Option<Micros> {
        self.last_write.get()
    }

    /// When the last byte passed in either direction, or when the exchange began.
    pub(super) fn last_activity(&self) -> Micros {
        self.last_activity.get()
    }

    fn read(&self, length: usize) {
        let at = now();
        self.read.set(self.read.get() + length as u64);
        self.last_activity.set(at);
        if self.first_read.get().is_none() {
            self.first_read.set(Some(at));
        }
    }

    fn wrote(&self, length: usize) {
        let at = now();
        self.last_activity.set(at);
        if self.first_read.get().is_none() {
            self.last_write.set(Some(at));
        }
        self.written.set(self.written.get() + length as u64);
    }
}

/// Has the task polled again after other tasks, including those woken by a socket or a timer: with
/// an ordinary wake-up the runtime would check for them only every 61 polls.
pub(super) fn come_again(cx: &mut Context<'_>) {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

impl Io {
    pub(super) fn new(stream: Stream, notes: Rc<Notes>) -> Io {
        Io { stream, notes }
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let notes = &this.notes;
        if notes.reading.get() != Readiness::Open {
            return Poll::Pending;
        }
        let waker = notes.waker.borrow();
        let mut cx = Context::from_waker(&waker);
        let (before, space) = (buf.filled().len(), buf.remaining());
        let result = Pin::new(&mut this.stream).poll_read(&mut cx, buf);
        let length = buf.filled().len() - before;
        if result.is_pending() {
            notes.reading.set(Readiness::Watched);
        } else if length > 0 {
            notes.read(length);
            let left = notes.left.get();
            notes.left.set(left.saturating_sub(length));
            if length >= left {
                notes.reading.set(Readiness::Enough);
                come_again(&mut cx);
            } else if this.stream.is_plain() && length < space {
                notes.reading.set(Readiness::Drained);
            }
        }
        result
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let waker = this.notes.waker.borrow();
        let mut cx = Context::from_waker(&waker);
        let result = Pin::new(&mut this.stream).poll_write(&mut cx, buf);
        if let Poll::Ready(Ok(length)) = result {
            this.notes.wrote(length);
        }
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let waker = this.notes.waker.borrow();
        let mut cx = Context::from_waker(&waker);
        let result = Pin::new(&mut this.stream).poll_write_vectored(&mut cx, bufs);
        if let Poll::Ready(Ok(length)) = result {
            this.notes.wrote(length);
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.stream.is_plain() {
            // Whatever the kernel accepted is sent.
            return Poll::Ready(Ok(()));
        }
        let waker = this.notes.waker.borrow();
        Pin::new(&mut this.stream).poll_flush(&mut Context::from_waker(&waker))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let waker = this.notes.waker.borrow();
        let mut cx = Context::from_waker(&waker);
        Pin::new(&mut this.stream).poll_shutdown(&mut cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_turn_of_reading_ends_and_another_comes() {
        const ALL: usize = 2 * READ_A_TURN + 1_000;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            // All data is there before anything is read.
            theirs.write_all(&[b'x'; ALL]).unwrap();
            ours.set_nonblocking(true).unwrap();
            let ours = tokio::net::UnixStream::from_std(ours).unwrap();
            let notes = Notes::new();
            let mut io = Io::new(Stream::Unix(ours), Rc::clone(&notes));
            let mut turns = Vec::new();
            poll_fn(|cx| {
                notes.polled_by(cx.waker());
                let mut whole = 0;
                loop {
                    let mut space = [0; 4_096];
                    let mut buffer = ReadBuf::new(&mut space);
                    if Pin::new(&mut io).poll_read(cx, &mut buffer).is_pending() {
                        break;
                    }
                    whole += buffer.filled().len();
                }
                turns.push(whole);
                match turns.iter().sum::<usize>() {
                    ALL => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            })
            .await;
            turns.retain(|read| *read > 0);
            assert_eq!(turns, [READ_A_TURN, READ_A_TURN, 1_000]);
        });
    }
}
