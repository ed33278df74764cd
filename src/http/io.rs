//! The socket of one connection, as hyper sees it, and what is noted when bytes pass.
//!
//! Knows neither HTTP nor timeouts: it counts, takes the time, and makes sure that the socket
//! wakes the user's task.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::clock::{Micros, now};

pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

pub(super) struct Io {
    stream: Stream,
    notes: Rc<Notes>,
}

/// What passed since [`Notes::begin`], shared by the socket and the exchange that uses it.
pub(super) struct Notes {
    /// The task to wake when the socket is ready. hyper is polled with another waker, see
    /// `connection`.
    waker: RefCell<Waker>,
    written: Cell<u64>,
    first_read: Cell<Option<Micros>>,
    last_write: Cell<Option<Micros>>,
    last_activity: Cell<Micros>,
}

impl Notes {
    pub(super) fn new() -> Rc<Notes> {
        Rc::new(Notes {
            waker: RefCell::new(Waker::noop().clone()),
            written: Cell::new(0),
            first_read: Cell::new(None),
            last_write: Cell::new(None),
            last_activity: Cell::default(),
        })
    }

    /// A new exchange begins at `at`.
    pub(super) fn begin(&self, at: Micros) {
        self.written.set(0);
        self.first_read.set(None);
        self.last_write.set(None);
        self.last_activity.set(at);
    }

    /// Names the task that the socket wakes from now on.
    pub(super) fn wake(&self, waker: &Waker) {
        let mut current = self.waker.borrow_mut();
        if !current.will_wake(waker) {
            current.clone_from(waker);
        }
    }

    /// Bytes that the kernel (or TLS) took.
    pub(super) fn written(&self) -> u64 {
        self.written.get()
    }

    pub(super) fn first_read(&self) -> Option<Micros> {
        self.first_read.get()
    }

    /// The last write before the first byte came back: a server may answer early.
    pub(super) fn last_write(&self) -> Option<Micros> {
        self.last_write.get()
    }

    /// When the last byte passed in either direction, or when the exchange began.
    pub(super) fn last_activity(&self) -> Micros {
        self.last_activity.get()
    }

    fn read(&self) {
        let at = now();
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

impl Io {
    pub(super) fn new(stream: Stream, notes: Rc<Notes>) -> Io {
        Io { stream, notes }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let waker = this.notes.waker.borrow();
        let mut cx = Context::from_waker(&waker);
        let before = buf.filled().len();
        let result = match &mut this.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_read(&mut cx, buf),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_read(&mut cx, buf),
        };
        if result.is_ready() && buf.filled().len() > before {
            this.notes.read();
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
        let result = match &mut this.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write(&mut cx, buf),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_write(&mut cx, buf),
        };
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
        let result = match &mut this.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(&mut cx, bufs),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(&mut cx, bufs),
        };
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
        match &mut this.stream {
            // What the kernel took is sent.
            Stream::Tcp(_) => Poll::Ready(Ok(())),
            Stream::Tls(tls) => {
                let waker = this.notes.waker.borrow();
                Pin::new(&mut **tls).poll_flush(&mut Context::from_waker(&waker))
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let waker = this.notes.waker.borrow();
        let mut cx = Context::from_waker(&waker);
        match &mut this.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_shutdown(&mut cx),
            Stream::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(&mut cx),
        }
    }
}
