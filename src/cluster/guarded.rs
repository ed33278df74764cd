//! A connection's bytes, below HTTP/2 and TLS.
//!
//! Owns what may be read before the other end has proved itself, how a connection ended, and what it
//! spoke instead of what was expected: a person who forgot an option of TLS is told so by name.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsStream;

use super::hello::Role;
use super::message::MOST_HELLO_BYTES;
use super::tls;

/// The most bytes of certificates in a handshake, beside what is said.
const MOST_CERTIFICATES: usize = 16 << 10;

/// How a connection of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The first byte of a handshake of TLS, and that of a complaint.
const HANDSHAKE: u8 = 0x16;
const ALERT: u8 = 0x15;

/// What is known of a connection, for those who do not read it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    is_admitted: AtomicBool,
    has_closed: AtomicBool,
    /// The place among those that have not proved themselves.
    place: Mutex<Option<OwnedSemaphorePermit>>,
    /// What went wrong, once something has.
    trouble: Mutex<Option<String>>,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under it can panic half-way.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Of a connection that takes up this place until it is admitted.
    pub(super) fn at(place: OwnedSemaphorePermit) -> Watch {
        Watch {
            place: Mutex::new(Some(place)),
            ..Watch::default()
        }
    }

    /// The other end has proved itself: it may say as much as it likes.
    pub(super) fn admit(&self) {
        self.is_admitted.store(true, Ordering::Relaxed);
        locked(&self.place).take();
    }

    /// Whether the other end's kernel has closed the connection.
    pub(super) fn has_closed(&self) -> bool {
        self.has_closed.load(Ordering::Relaxed)
    }

    /// Notes what went wrong; the first of it says most.
    pub(super) fn note(&self, trouble: impl FnOnce() -> String) {
        locked(&self.trouble).get_or_insert_with(trouble);
    }

    /// What went wrong, told once.
    pub(super) fn trouble(&self) -> Option<String> {
        locked(&self.trouble).take()
    }
}

/// A socket that is watched.
#[derive(Debug)]
pub(super) struct Guarded {
    socket: TcpStream,
    watch: Arc<Watch>,
    /// Which end this is, and whether it expects TLS.
    end: (Role, bool),
    read: usize,
}

impl Guarded {
    pub(super) fn new(socket: TcpStream, watch: Arc<Watch>, role: Role, is_tls: bool) -> Guarded {
        Guarded {
            socket,
            watch,
            end: (role, is_tls),
            read: 0,
        }
    }

    /// Waits until the other end has said something, or has gone.
    pub(super) async fn speaks(&self) -> io::Result<()> {
        match self.socket.peek(&mut [0]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// TLS says that it cannot go on.
    pub(super) fn failed(&self, why: &rustls::Error) {
        self.watch.note(|| match self.end.0 {
            Role::Master => tls::why_no_worker(why),
            Role::Worker => tls::why_no_master(why),
        });
    }

    /// Bytes have come.
    fn look(&mut self, bytes: &[u8]) -> io::Result<()> {
        let is_first = self.read == 0;
        self.read += bytes.len();
        let (role, is_tls) = self.end;
        if is_first && let Some(what) = stranger(role, is_tls, bytes) {
            self.watch.note(|| what.to_owned());
            // TLS itself says so to the other end.
            if !is_tls {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let most = MOST_HELLO_BYTES + if is_tls { MOST_CERTIFICATES } else { 0 };
        if self.read > most && !self.watch.is_admitted.load(Ordering::Relaxed) {
            self.watch
                .note(|| format!("it says more than {most} bytes before it has proved itself"));
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if !matches!(read, Poll::Ready(Ok(()))) {
            return read;
        }
        if buffer.filled().len() > before {
            let looked = self.look(&buffer.filled()[before..]);
            if looked.is_err() {
                // Nobody is to see them.
                buffer.set_filled(before);
            }
            return Poll::Ready(looked);
        }
        if buffer.remaining() > 0 {
            self.watch.has_closed.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// A watched socket, or TLS over it.
#[derive(Debug)]
pub(super) enum Spoken {
    Plain(Guarded),
    Tls(Box<TlsStream<Guarded>>),
}

impl AsyncRead for Spoken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Spoken::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Spoken::Tls(tls) => {
                let read = Pin::new(&mut *tls).poll_read(cx, buffer);
                if let Poll::Ready(Err(error)) = &read
                    && let Some(why) = tls::failure(error)
                {
                    tls.get_ref().0.failed(why);
                }
                read
            }
        }
    }
}

impl AsyncWrite for Spoken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Spoken::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Spoken::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Spoken::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Spoken::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Spoken::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Spoken::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// What the other end speaks, by its first bytes, if it is not what is expected here.
fn stranger(own: Role, is_tls: bool, first: &[u8]) -> Option<&'static str> {
    let is_preface = PREFACE.starts_with(first) || first.starts_with(PREFACE);
    // What answers a connection of HTTP/2 says its settings first.
    let is_settings = first.len() < 4 || first[3] == 4 && first[0] == 0;
    let is_tls_there = matches!(first, [HANDSHAKE | ALERT, 3, ..] | [HANDSHAKE | ALERT]);
    let is_right = match (own, is_tls) {
        (_, true) => is_tls_there,
        (Role::Master, false) => is_preface,
        (Role::Worker, false) => is_settings && !is_tls_there,
    };
    if is_right {
        return None;
    }
    Some(match own {
        Role::Master if is_tls && is_preface => {
            "it speaks plain text, and workers of this master need TLS (their --cluster-ca)"
        }
        Role::Master if is_tls_there => {
            "it speaks TLS, and this master has none (--cluster-tls-cert and --cluster-tls-key)"
        }
        Role::Master => "it speaks something else than workers do",
        Role::Worker if is_tls_there => "it speaks TLS (--cluster-ca names who signed for it)",
        Role::Worker if is_tls && is_settings => {
            "it speaks plain text: --cluster-tls-cert and --cluster-tls-key there, or no \
             --cluster-ca here"
        }
        Role::Worker => "it speaks something else than a master does",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_something_else_is_told_by_its_first_bytes() {
        let tls = [HANDSHAKE, 3, 1, 2, 0, 1];
        let alert = [ALERT, 3, 3, 0, 2, 2, 70];
        let settings = [0, 0, 18, 4, 0, 0, 0, 0, 0];
        let http1 = b"GET / HTTP/1.1\r\n";
        let is_fine: [(Role, bool, &[u8]); 6] = [
            (Role::Master, true, &tls),
            (Role::Master, false, PREFACE),
            (Role::Master, false, b"PRI"),
            (Role::Worker, true, &tls),
            (Role::Worker, true, &alert),
            (Role::Worker, false, &settings),
        ];
        for (own, is_tls, first) in is_fine {
            assert_eq!(stranger(own, is_tls, first), None, "{own:?} {first:?}");
        }
        let strange: [(Role, bool, &[u8], &str); 8] = [
            (Role::Master, true, PREFACE, "plain text"),
            (Role::Master, true, http1, "something else"),
            (Role::Master, false, &tls, "this master has none"),
            (Role::Master, false, http1, "something else"),
            (Role::Worker, true, &settings, "plain text"),
            (Role::Worker, false, &alert, "it speaks TLS"),
            (Role::Worker, false, b"HTTP/1.1 400", "something else"),
            (Role::Worker, true, b"HTTP/1.1 400", "something else"),
        ];
        for (own, is_tls, first, said) in strange {
            let what = stranger(own, is_tls, first);
            assert!(what.is_some_and(|what| what.contains(said)), "{what:?}");
        }
    }
}
