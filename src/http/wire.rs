//! The socket of a connection that many requests share, and what is noted when bytes pass.
//!
//! The counterpart of `io` for HTTP/2: the connection has a task of its own, which the socket
//! wakes as usual. Which bytes belong to which request is not known here: a request leaves a mark
//! to learn when it was written.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::Stream;
use crate::clock::{Micros, now};

/// When what was handed over before it was given to the kernel; `None` until then.
pub(super) type Mark = Rc<Cell<Option<Micros>>>;

/// A frame's length, type and flags (RFC 9113, section 4.1).
const FRAME_KIND: usize = 5;

pub(super) struct Wire {
    stream: Stream,
    traffic: Rc<Traffic>,
}

/// What passed, shared by the socket and the requests that use it.
pub(super) struct Traffic {
    last_read: Cell<Micros>,
    /// How the first frame of the server begins, as far as it has come.
    greeting: Cell<([u8; FRAME_KIND], u8)>,
    marks: RefCell<Vec<Mark>>,
}

impl Traffic {
    pub(super) fn new() -> Rc<Traffic> {
        Rc::new(Traffic {
            last_read: Cell::new(now()),
            greeting: Cell::default(),
            marks: RefCell::default(),
        })
    }

    /// When the last byte came.
    pub(super) fn last_read(&self) -> Micros {
        self.last_read.get()
    }

    /// A request has been handed over entirely: the mark will tell when it was written. It moves
    /// on with every write until something comes back, for a request may take several.
    pub(super) fn mark(&self) -> Mark {
        let mark = Mark::default();
        self.marks.borrow_mut().push(Rc::clone(&mark));
        mark
    }

    /// Whether the server has begun with SETTINGS, as one of HTTP/2 must (RFC 9113, section 3.4).
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
        let is_open = |mark: &Mark| mark.get().is_none() && Rc::strong_count(mark) > 1;
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
        Wire { stream, traffic }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.traffic.read(&buf.filled()[before..]);
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
