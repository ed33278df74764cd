//! A worker's connection to its master.
//!
//! Owns opening it, and turning what happens on it into [`Heard`]. When to open one is `worker`'s.
//!
//! A connection that is broken off is reset: an orderly end is what the master takes for the death of
//! the process.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use socket2::Socket;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

use super::hello::Conn;
use super::message::{Applied, Down};
use super::server::{CONNECTION_WINDOW, GIVES_UP, PING, STREAM_WINDOW, prepared};
use super::wire::proto::cluster_client::ClusterClient;
use super::wire::{self, proto};

/// How long opening a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages on their way to the master.
const QUEUE: usize = 1_024;

/// Something that happened to a connection.
#[derive(Debug)]
pub(super) enum Heard {
    /// It stands.
    Connected(Conn, Connection),
    /// Nobody listens there, or there is no such name: why.
    Refused(Conn, String),
    /// It came to nothing otherwise.
    Failed(Conn, String),
    /// A message on *Serve*.
    Said(Conn, Down),
    /// An answer on *Numbers*.
    Applied(Conn, Applied),
    /// It has ended.
    Ended(Conn),
}

/// A connection that stands.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) up: mpsc::Sender<proto::Up>,
    pub(super) numbers: mpsc::Sender<proto::Numbered>,
    client: ClusterClient<Channel>,
    socket: Arc<Mutex<Option<Socket>>>,
}

impl Connection {
    /// Breaks it off.
    pub(super) fn reset(&self) {
        if let Some(socket) = taken(&self.socket) {
            // If the kernel refuses, the connection ends in another way.
            let _ = socket.set_linger(Some(Duration::ZERO));
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// The content of a file.
    ///
    /// # Errors
    /// When the connection ends before all has come, or there is no such file.
    pub(super) async fn fetch(&self, content: &[u8; 32]) -> Result<Vec<u8>, Status> {
        let wanted = proto::Wanted {
            content: content.to_vec(),
        };
        let mut pieces = self.client.clone().fetch(wanted).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.message().await? {
            bytes.extend(piece.bytes);
        }
        Ok(bytes)
    }
}

fn taken(socket: &Mutex<Option<Socket>>) -> Option<Socket> {
    // Nothing under it can panic half-way.
    let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
    socket.take()
}

/// Opens a connection to `address` (host and port) and tells what happens on it.
pub(super) async fn open(conn: Conn, address: String, tells: mpsc::Sender<Heard>) {
    let heard = match connected(&address).await {
        Ok(link) => return keep(conn, link, tells).await,
        Err(error) => {
            let why = format!("{address}: {error}");
            let is_nobody = matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
            );
            match is_nobody {
                true => Heard::Refused(conn, why),
                false => Heard::Failed(conn, why),
            }
        }
    };
    let _ = tells.send(heard).await;
}

struct Opened {
    client: ClusterClient<Channel>,
    socket: Socket,
}

async fn connected(address: &str) -> io::Result<Opened> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in 5 s");
    let socket = TcpStream::connect(address);
    let socket = timeout(PATIENCE, socket).await.map_err(|_| late())??;
    let handle = prepared(&socket)?;
    // One connection, and no other when that ends: when to try again is not tonic's to decide.
    let mut once = Some(TokioIo::new(socket));
    let connector = Connector(move |_| {
        let socket = once.take();
        async move { socket.ok_or_else(|| io::Error::other("the connection has ended")) }
    });
    let endpoint = Endpoint::from_static("http://master")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(GIVES_UP)
        .keep_alive_while_idle(true);
    let channel = endpoint.connect_with_connector(connector);
    let channel = timeout(PATIENCE, channel).await.map_err(|_| late())?;
    let channel = channel.map_err(io::Error::other)?;
    Ok(Opened {
        client: ClusterClient::new(channel).max_decoding_message_size(usize::MAX),
        socket: handle,
    })
}

/// A function as tonic's connector.
struct Connector<F>(F);

impl<F, A> tonic::codegen::Service<Uri> for Connector<F>
where
    F: FnMut(Uri) -> A,
    A: Future<Output = io::Result<TokioIo<TcpStream>>>,
{
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = A;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), io::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> A {
        (self.0)(to)
    }
}

/// Tells what comes until the connection ends.
async fn keep(conn: Conn, opened: Opened, tells: mpsc::Sender<Heard>) {
    let (up, ups) = mpsc::channel(QUEUE);
    let (numbers, numbered) = mpsc::channel(QUEUE);
    let Opened { mut client, socket } = opened;
    let socket = Arc::new(Mutex::new(Some(socket)));
    let link = Connection {
        up,
        numbers,
        client: client.clone(),
        socket: socket.clone(),
    };
    let mut calling = client.clone();
    let serves = client.serve(ReceiverStream::new(ups)).await;
    let counts = calling.numbers(ReceiverStream::new(numbered)).await;
    let (Ok(said), Ok(applied)) = (serves, counts) else {
        let failed = "who answers there is no master of Katydid".to_owned();
        let _ = tells.send(Heard::Failed(conn, failed)).await;
        return;
    };
    if tells.send(Heard::Connected(conn, link)).await.is_err() {
        return;
    }
    let (mut said, mut applied) = (said.into_inner(), applied.into_inner());
    let counting = tells.clone();
    let counted = tokio::spawn(async move {
        while let Ok(Some(applied)) = applied.message().await {
            let heard = Heard::Applied(conn, applied.into());
            if counting.send(heard).await.is_err() {
                return;
            }
        }
    });
    while let Ok(Some(down)) = said.message().await {
        // A master that talks nonsense is none.
        let Ok(down) = wire::heard_down(down) else {
            break;
        };
        if tells.send(Heard::Said(conn, down)).await.is_err() {
            break;
        }
    }
    counted.abort();
    drop(taken(&socket));
    let _ = tells.send(Heard::Ended(conn)).await;
}
