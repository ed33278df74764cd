//! The socket of a connection that many requests share, and what is recorded as bytes pass.
//!
//! The counterpart of `io` for HTTP/2: the connection has its own task, which the socket wakes as
//! usual. It does not know which bytes belong to which request: a request leaves a mark to learn
//! when it was written.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::io::come_again;
use super::stream::Stream;
use crate::clock::{Micros, now};

/// When everything handed over before the mark reached the kernel; `None` until then.
pub(super) type WriteMark = Rc<Cell<Option<Micros>>>;

/// How long frames are read before other tasks get their turn, in µs: h2 reads while there is
/// anything, and a server that floods us with empty frames (PING, RST_STREAM, WINDOW_UPDATE) held
/// the thread for 30 ms at a time.
const SLICE_US: u64 = 1_000;

/// A frame's length, type and flags (RFC 9113, section 4.1).
const FRAME_KIND: usize = 5;

pub(super) struct Wire {
    stream: Stream,
    traffic: Rc<Traffic>,
    /// When the current run of reads began: the first since there was nothing to read.
    reading_since: Option<Micros>,
}

/// What has passed; shared by the socket and the requests that use it.
pub(super) struct Traffic {
    last_read: Cell<Micros>,
    /// The beginning of the server's first frame, as far as it has arrived.
    greeting: Cell<([u8; FRAME_KIND], u8)>,
    marks: RefCell<Vec<WriteMark>>,
}

impl Traffic {
    pub(super) fn new() -> Rc<Traffic> {
        Rc::new(Traffic {
            last_read: Cell::new(now()),
            greeting: Cell::default(),
            marks: RefCell::default(),
        })
    }

    /// When the last byte arrived.
    pub(super) fn last_read(&self) -> Micros {
        self.last_read.get()
    }

    /// Marks a request that was handed over entirely, to learn when it was written. The mark moves
    /// on with every write until something comes back, since a request may take several.
    pub(super) fn mark(&self) -> WriteMark {
        let mark = WriteMark::default();
        self.marks.borrow_mut().push(Rc::clone(&mark));
        mark
    }

    /// Whether the server began with SETTINGS, as HTTP/2 requires (RFC 9113, section 3.4).
    pub(super) fn greets(&self) -> bool {
        // Their length, below 64 KiB; their type, 4; no flags.
        matches!(self.greeting.get(), ([0, _, _, 4, 0], _))
    }

    fn read(&self, data: &[u8]) {
        let (mut greeting, mut known) = self.greeting.get();
        if usize::from(known) < FRAME_KIND {
            for (byte, slot) in data.iter().zip(&mut greeting[usize::from(known)..]) {
                *slot = *byte;
                known += 1;
            }
            self.greeting.set((greeting, known));
        }
        self.last_read.set(now());
        let is_open = |mark: &WriteMark| mark.get().is_none() && Rc::strong_count(mark) > 1;
        self.marks.borrow_mut().retain(is_open);
    }

    fn wrote(&self) {
        let marks = self.marks.borrow();
        if !marks.is_empty() {
            let at = Some(now());
            marks.iter().for_each(|mark| mark.set(at));
        }
    }
}

impl Wire {
    pub(super) fn new(stream: Stream, traffic: Rc<Traffic>) -> Wire {
        Wire {
            stream,
            traffic,
            reading_since: None,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let so_far = this.traffic.last_read();
        if this
            .reading_since
            .is_some_and(|since| so_far.since(since) > SLICE_US)
        {
            // As if the socket had nothing to read, but only until other tasks have had their turn.
            this.reading_since = None;
            come_again(cx);
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.traffic.read(&buf.filled()[before..]);
            this.reading_since
                .get_or_insert_with(|| this.traffic.last_read());
        } else {
            this.reading_since = None;
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(_)) = result {
            this.traffic.wrote();
        }
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(_)) = result {
            this.traffic.wrote();
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn others_have_their_turn_while_there_is_something_to_read() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(&[b'x'; 100]).unwrap();
            ours.set_nonblocking(true).unwrap();
            let ours = tokio::net::UnixStream::from_std(ours).unwrap();
            let mut wire = Wire::new(Stream::Unix(ours), Traffic::new());
            let read = |wire: &mut Wire, cx: &mut Context<'_>| {
                let mut space = [0; 10];
                let mut buffer = ReadBuf::new(&mut space);
                let result = Pin::new(wire).poll_read(cx, &mut buffer);
                result.is_ready().then(|| buffer.filled().len())
            };
            poll_fn(|cx| read(&mut wire, cx).map_or(Poll::Pending, Poll::Ready)).await;
            assert!(wire.reading_since.is_some());
            // As if the run of reads had begun long ago.
            wire.reading_since = Some(Micros::default());
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                let expected = [None, Some(10)][polls - 1];
                assert_eq!(read(&mut wire, cx), expected);
                expected.map_or(Poll::Pending, |_| Poll::Ready(()))
            })
            .await;
        });
    }
}
