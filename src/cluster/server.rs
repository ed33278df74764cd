//! The master's sockets: connections of workers, and the three calls on each.
//!
//! Owns turning what happens on connections into [`Happened`]. What follows from it is
//! `master`'s; this knows neither workers nor runs.
//!
//! Connections come from `accepting` and not from tonic, whose own listener would take any number of
//! them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::Socket;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming};

use super::accepting;
use super::delivery::MOST_LETTERS;
use super::guarded::Watch;
use super::hello::{Conn, GUESTS};
use super::message::{MOST_BYTES, MOST_DOWN_BYTES, Up};
use super::wire::proto::cluster_server::{Cluster, ClusterServer};
use super::wire::{self, proto};
use crate::runner::elsewhere::Held;

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

/// The headers of a call, in bytes; ours take some hundred.
const HEADERS: u32 = 16 << 10;

/// Messages on their way to a connection: after a new one stands all letters that have not arrived
/// are said again in one go.
const QUEUE: usize = MOST_LETTERS + 1_024;

/// Pieces of a file.
const PIECE: usize = 64 << 10;

/// Something that happened on a connection.
#[derive(Debug)]
pub(super) enum Happened {
    /// It was accepted.
    Opened(Conn, Opened),
    /// *Serve* was called: this is the way back.
    Serving(Conn, mpsc::Sender<Result<proto::Down, Status>>),
    /// *Numbers* was called.
    Counting(Conn, mpsc::Sender<Result<proto::Applied, Status>>),
    /// A message on *Serve*.
    Heard(Conn, Up),
    /// A message on *Numbers*.
    Numbers(Conn, proto::Numbered),
    /// A file is wanted; `None` if it is not to be had.
    Fetch(Conn, Vec<u8>, oneshot::Sender<Option<Held>>),
    /// A message that is none.
    Nonsense(Conn),
    /// The other end's kernel has closed it.
    Closed(Conn),
    /// It is broken.
    Broken(Conn),
    /// A connection from there was of no use: why, for people.
    Trouble(IpAddr, String),
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Opened {
    /// Where from.
    pub(super) from: IpAddr,
    /// It can be shut by this.
    pub(super) socket: Socket,
    pub(super) watch: Arc<Watch>,
}

/// Serves connections until the receiver of what happens is gone.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    happens: mpsc::Sender<Happened>,
) {
    let (accepted_in, accepted) = mpsc::channel(GUESTS);
    let accepts = accepting::accept(listener, tls, happens.clone(), accepted_in);
    tokio::spawn(accepts);
    let service = ClusterServer::new(Calls { happens })
        .max_decoding_message_size(MOST_BYTES)
        .max_encoding_message_size(MOST_DOWN_BYTES);
    let served = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS)
        .http2_max_pending_accept_reset_streams(Some(STREAMS as usize))
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(GIVES_UP))
        .serve_with_incoming(service, ReceiverStream::new(accepted))
        .await;
    // It ends only when nobody listens to what happens.
    drop(served);
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

    /// Tells what comes on a call, until that ends or a message is none.
    fn pass_on<M: Send + 'static>(
        &self,
        conn: Conn,
        mut heard: Streaming<M>,
        happened_by: impl Fn(M) -> Happened + Send + 'static,
    ) {
        let happens = self.happens.clone();
        tokio::spawn(async move {
            loop {
                let happened = match heard.message().await {
                    Ok(Some(message)) => happened_by(message),
                    Err(status) if is_nonsense(&status) => Happened::Nonsense(conn),
                    Ok(None) | Err(_) => return,
                };
                let is_over = matches!(happened, Happened::Nonsense(_));
                if happens.send(happened).await.is_err() || is_over {
                    return;
                }
            }
        });
    }
}

/// Whether a message was none, or too long, rather than the connection at its end.
fn is_nonsense(status: &Status) -> bool {
    matches!(status.code(), Code::OutOfRange | Code::Internal)
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
        self.pass_on(
            conn,
            request.into_inner(),
            move |said| match wire::heard_up(said) {
                Ok(up) => Happened::Heard(conn, up),
                Err(wire::Nonsense) => Happened::Nonsense(conn),
            },
        );
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn numbers(
        &self,
        request: Request<Streaming<proto::Numbered>>,
    ) -> Result<Response<Self::NumbersStream>, Status> {
        let conn = Calls::conn(&request)?;
        let (sender, messages) = mpsc::channel(QUEUE);
        self.tell(Happened::Counting(conn, sender)).await?;
        self.pass_on(conn, request.into_inner(), move |numbers| {
            Happened::Numbers(conn, numbers)
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
        let held = answered.await.ok().flatten();
        let held = held.ok_or_else(|| Status::not_found("there is no such file"))?;
        let (sender, messages) = mpsc::channel(4);
        // It waits for the disk, and for a worker that is slow.
        tokio::task::spawn_blocking(move || {
            let given = held.give(PIECE, |piece| {
                let bytes = piece.into();
                sender.blocking_send(Ok(proto::Piece { bytes })).is_ok()
            });
            if let Err(error) = given {
                let why = Status::not_found(error.to_string());
                // Who has gone needs no reason.
                let _ = sender.blocking_send(Err(why));
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
