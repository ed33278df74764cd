//! The master's sockets: connections of workers, and the three calls on each.
//!
//! Owns accepting, and turning what happens on connections into [`Happened`]. What follows from it is
//! `master`'s; this knows neither workers nor runs.
//!
//! Connections are counted here and not by tonic, whose own listener would take any number of them.
//! How one ends is seen below HTTP/2: an orderly end (FIN) is what a kernel says for a process that
//! has died, all else may be the network.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use super::hello::Conn;
use super::message::{MOST_BYTES, Up};
use super::wire::proto::cluster_server::{Cluster, ClusterServer};
use super::wire::{self, proto};

/// Without an acknowledgement of what was sent for so long, a connection is given up by the kernel.
pub(super) const GIVES_UP: Duration = Duration::from_secs(20);

/// How often an idle connection is asked whether it is there.
pub(super) const PING: Duration = Duration::from_secs(10);

/// What may be on its way to a worker on one stream: a stalled one cannot starve the others.
pub(super) const STREAM_WINDOW: u32 = 256 << 10;

/// On all of them.
pub(super) const CONNECTION_WINDOW: u32 = 1 << 20;

/// The three calls, and some that were just cancelled.
const STREAMS: u32 = 8;

/// Messages on their way to a connection.
const QUEUE: usize = 1_024;

/// Pieces of a file.
const PIECE: usize = 64 << 10;

/// Something that happened on a connection.
#[derive(Debug)]
pub(super) enum Happened {
    /// It was accepted; it can be shut by the socket.
    Opened(Conn, u128, Socket),
    /// *Serve* was called: this is the way back.
    Serving(Conn, mpsc::Sender<Result<proto::Down, Status>>),
    /// *Numbers* was called.
    Counting(Conn, mpsc::Sender<Result<proto::Applied, Status>>),
    /// A message on *Serve*.
    Heard(Conn, Up),
    /// A message on *Numbers*.
    Numbers(Conn, proto::Numbered),
    /// A file is wanted; `None` if it is not to be had.
    Fetch(Conn, Vec<u8>, oneshot::Sender<Option<Arc<[u8]>>>),
    /// A message that is none.
    Nonsense(Conn),
    /// The other end's kernel has closed it.
    Closed(Conn),
    /// It is broken.
    Broken(Conn),
}

/// Serves connections until the receiver of what happens is gone.
pub(super) async fn serve(listener: TcpListener, happens: mpsc::Sender<Happened>) {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let tells = happens.clone();
    tokio::spawn(async move {
        while let Some(end) = ends.recv().await {
            if tells.send(end).await.is_err() {
                return;
            }
        }
    });
    let incoming = Arrivals {
        listener,
        ended,
        opened: None,
        happens: happens.clone(),
        next: AtomicU64::new(1),
    };
    let service = ClusterServer::new(Calls { happens })
        .max_decoding_message_size(MOST_BYTES)
        .max_encoding_message_size(usize::MAX);
    let served = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(GIVES_UP))
        .serve_with_incoming(service, incoming)
        .await;
    // It ends only when the listener does, which never fails for good.
    drop(served);
}

/// Connections as they come.
struct Arrivals {
    listener: TcpListener,
    ended: mpsc::UnboundedSender<Happened>,
    /// One that was accepted, and is still to be told of.
    opened: Option<Opening>,
    happens: mpsc::Sender<Happened>,
    next: AtomicU64,
}

/// A connection about to be told of.
type Opening = Pin<Box<dyn Future<Output = Option<Watched>> + Send>>;

impl Stream for Arrivals {
    type Item = io::Result<Watched>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(opening) = &mut self.opened {
                let Poll::Ready(opened) = opening.as_mut().poll(cx) else {
                    return Poll::Pending;
                };
                self.opened = None;
                // Nobody listens any more.
                return Poll::Ready(opened.map(Ok));
            }
            let Poll::Ready(accepted) = self.listener.poll_accept(cx) else {
                return Poll::Pending;
            };
            // Such as too many open files: tonic asks again.
            let (socket, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            let conn = Conn(self.next.fetch_add(1, Ordering::Relaxed));
            let (happens, ended) = (self.happens.clone(), self.ended.clone());
            self.opened = Some(Box::pin(async move {
                let handle = prepared(&socket).ok()?;
                let opened = Happened::Opened(conn, number_of(address), handle);
                happens.send(opened).await.ok()?;
                Some(Watched {
                    socket,
                    conn,
                    has_closed: false,
                    ended,
                })
            }));
        }
    }
}

/// Sets a connection's options; returns another handle of it.
pub(super) fn prepared(socket: &TcpStream) -> io::Result<Socket> {
    socket.set_nodelay(true)?;
    let handle = SockRef::from(socket);
    handle.set_tcp_user_timeout(Some(GIVES_UP))?;
    handle.try_clone()
}

/// By which addresses are told apart: a network of IPv6 is one, as one machine has it whole.
fn number_of(address: SocketAddr) -> u128 {
    match address.ip() {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip) >> 64 << 64,
    }
}

/// A connection that tells how it ended.
struct Watched {
    socket: TcpStream,
    conn: Conn,
    has_closed: bool,
    ended: mpsc::UnboundedSender<Happened>,
}

impl Connected for Watched {
    type ConnectInfo = Conn;

    fn connect_info(&self) -> Conn {
        self.conn
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        let is_end = buffer.filled().len() == before && buffer.remaining() > 0;
        if is_end && matches!(read, Poll::Ready(Ok(()))) {
            self.has_closed = true;
        }
        read
    }
}

impl AsyncWrite for Watched {
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

impl Drop for Watched {
    fn drop(&mut self) {
        let end = match self.has_closed {
            true => Happened::Closed(self.conn),
            false => Happened::Broken(self.conn),
        };
        // With nobody there, there is nobody to tell.
        let _ = self.ended.send(end);
    }
}

/// The calls.
struct Calls {
    happens: mpsc::Sender<Happened>,
}

impl Calls {
    fn conn<T>(request: &Request<T>) -> Result<Conn, Status> {
        let conn = request.extensions().get::<Conn>().copied();
        conn.ok_or_else(|| Status::internal("a connection without a number"))
    }

    async fn tell(&self, happened: Happened) -> Result<(), Status> {
        let told = self.happens.send(happened).await;
        told.map_err(|_| Status::unavailable("the master has ended"))
    }
}

#[tonic::async_trait]
impl Cluster for Calls {
    type ServeStream = ReceiverStream<Result<proto::Down, Status>>;
    type NumbersStream = ReceiverStream<Result<proto::Applied, Status>>;
    type FetchStream = ReceiverStream<Result<proto::Piece, Status>>;

    async fn serve(
        &self,
        request: Request<Streaming<proto::Up>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        let conn = Calls::conn(&request)?;
        let (sender, messages) = mpsc::channel(QUEUE);
        self.tell(Happened::Serving(conn, sender)).await?;
        let mut heard = request.into_inner();
        let happens = self.happens.clone();
        tokio::spawn(async move {
            while let Ok(Some(said)) = heard.message().await {
                let happened = match wire::heard_up(said) {
                    Ok(up) => Happened::Heard(conn, up),
                    Err(wire::Nonsense) => Happened::Nonsense(conn),
                };
                if happens.send(happened).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn numbers(
        &self,
        request: Request<Streaming<proto::Numbered>>,
    ) -> Result<Response<Self::NumbersStream>, Status> {
        let conn = Calls::conn(&request)?;
        let (sender, messages) = mpsc::channel(QUEUE);
        self.tell(Happened::Counting(conn, sender)).await?;
        let mut heard = request.into_inner();
        let happens = self.happens.clone();
        tokio::spawn(async move {
            while let Ok(Some(numbers)) = heard.message().await {
                let happened = Happened::Numbers(conn, numbers);
                if happens.send(happened).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn fetch(
        &self,
        request: Request<proto::Wanted>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let conn = Calls::conn(&request)?;
        let (answer, answered) = oneshot::channel();
        let content = request.into_inner().content;
        self.tell(Happened::Fetch(conn, content, answer)).await?;
        let file = answered.await.ok().flatten();
        let file = file.ok_or_else(|| Status::not_found("there is no such file"))?;
        let (sender, messages) = mpsc::channel(4);
        tokio::spawn(async move {
            for piece in file.chunks(PIECE) {
                let bytes = piece.to_vec();
                if sender.send(Ok(proto::Piece { bytes })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
