//! Connections of workers, as they come to the master.
//!
//! Owns how many may be there that have not proved themselves, the handshake of TLS, and telling of a
//! connection from its first moment to its last. How one ends is seen below HTTP/2 and TLS: an
//! orderly end (FIN) is what a kernel says for a process that has died, all else may be the network.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

use super::guarded::{Guarded, Spoken, Watch};
use super::hello::{Conn, GUESTS, PATIENCE, Role};
use super::server::{GIVES_UP, Happened, Opened};
use super::tls;

/// How long the first byte may take: workers speak first, at once.
const SILENCE: Duration = Duration::from_secs(2);

/// How long one gets to take what it is told at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long accepting pauses when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until nobody wants them any more. Those that find no place among the ones that
/// have not proved themselves wait with the kernel.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    happens: mpsc::Sender<Happened>,
    accepted: mpsc::Sender<io::Result<Watched>>,
) {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let tells = happens.clone();
    tokio::spawn(async move {
        while let Some(end) = ends.recv().await {
            if tells.send(end).await.is_err() {
                return;
            }
        }
    });
    let places = Arc::new(Semaphore::new(GUESTS));
    let mut latest = 0;
    loop {
        let place = places.clone().acquire_owned().await;
        let place = place.expect("the places are never closed");
        let (socket, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // If its options cannot be set, it is gone already.
        let Ok(handle) = prepared(&socket) else {
            continue;
        };
        latest += 1;
        let conn = Conn(latest);
        let watch = Arc::new(Watch::at(place));
        let from = address.ip();
        let opened = Opened {
            from,
            socket: handle,
            watch: watch.clone(),
        };
        if happens.send(Happened::Opened(conn, opened)).await.is_err() {
            return;
        }
        let end = End {
            conn,
            from,
            watch: watch.clone(),
            ended: ended.clone(),
        };
        let guarded = Guarded::new(socket, watch, Role::Master, tls.is_some());
        tokio::spawn(open(guarded, tls.clone(), end, accepted.clone()));
    }
}

/// Waits for the first byte, shakes hands, and passes the connection on.
async fn open(
    guarded: Guarded,
    tls: Option<Arc<ServerConfig>>,
    end: End,
    accepted: mpsc::Sender<io::Result<Watched>>,
) {
    if !matches!(timeout(SILENCE, guarded.speaks()).await, Ok(Ok(()))) {
        return;
    }
    let spoken = match tls {
        None => Spoken::Plain(guarded),
        Some(config) => {
            let accepts = TlsAcceptor::from(config).accept(guarded).into_fallible();
            match timeout(PATIENCE, accepts).await {
                Ok(Ok(stream)) => Spoken::Tls(Box::new(stream.into())),
                Ok(Err((error, mut guarded))) => {
                    if let Some(why) = tls::failure(&error) {
                        end.watch.note(|| tls::why_no_worker(why));
                    }
                    // Unless all that it says is read, a reset would overtake what it is told.
                    let mut nowhere = sink();
                    let reads = copy(&mut guarded, &mut nowhere);
                    let _ = timeout(LAST_WORDS, reads).await;
                    return;
                }
                Err(_) => return,
            }
        }
    };
    // If the server has ended, so has the process.
    let _ = accepted.send(Ok(Watched { spoken, end })).await;
}

/// Sets a connection's options; returns another handle of it.
pub(super) fn prepared(socket: &TcpStream) -> io::Result<Socket> {
    socket.set_nodelay(true)?;
    let handle = SockRef::from(socket);
    handle.set_tcp_user_timeout(Some(GIVES_UP))?;
    handle.try_clone()
}

/// By which addresses are told apart: a network of IPv6 is one, as one machine has it whole.
pub(super) fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => u128::from(u32::from(ip)),
            None => u128::from(ip) >> 64 << 64,
        },
    }
}

/// A connection that tells how it ended.
pub(super) struct Watched {
    spoken: Spoken,
    end: End,
}

impl Connected for Watched {
    type ConnectInfo = Conn;

    fn connect_info(&self) -> Conn {
        self.end.conn
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.spoken).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.spoken).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.spoken).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.spoken).poll_shutdown(cx)
    }
}

/// Tells of the end of a connection when it is dropped.
struct End {
    conn: Conn,
    from: IpAddr,
    watch: Arc<Watch>,
    ended: mpsc::UnboundedSender<Happened>,
}

impl Drop for End {
    fn drop(&mut self) {
        let end = match self.watch.has_closed() {
            true => Happened::Closed(self.conn),
            false => Happened::Broken(self.conn),
        };
        let trouble = self.watch.trouble();
        let trouble = trouble.map(|what| Happened::Trouble(self.from, what));
        for happened in trouble.into_iter().chain([end]) {
            // With nobody there, there is nobody to tell.
            let _ = self.ended.send(happened);
        }
    }
}
