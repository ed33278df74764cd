//! A worker's connection to its master.
//!
//! Owns opening it, and turning what happens on it into [`Heard`]. When to open one is `worker`'s.
//!
//! A connection that is broken off is reset: an orderly end is what the master takes for the death of
//! the process.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sha2::{Digest, Sha256};
use socket2::Socket;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};

use super::accepting::prepared;
use super::guarded::{Guarded, Spoken, Watch};
use super::hello::{Conn, Role};
use super::message::{Applied, Down, MOST_DOWN_BYTES};
use super::server::{CONNECTION_WINDOW, GIVES_UP, PING, STREAM_WINDOW};
use super::tls;
use super::wire::proto::cluster_client::ClusterClient;
use super::wire::{self, proto};
use crate::runner::elsewhere::{CHANGED, Content};

/// How long opening a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages on their way to the master.
const QUEUE: usize = 1_024;

/// Something that happened to a connection.
#[derive(Debug)]
pub enum Heard {
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
    /// It has ended; the master may have said why.
    Ended(Conn, Option<String>),
}

/// A connection that stands.
#[derive(Clone, Debug)]
pub struct Connection {
    /// What is sent on *Serve*.
    pub up: mpsc::Sender<proto::Up>,
    /// What is sent on *Numbers*.
    pub numbers: mpsc::Sender<proto::Numbered>,
    client: ClusterClient<Channel>,
    socket: Arc<Mutex<Option<Socket>>>,
    watch: Arc<Watch>,
}

impl Connection {
    /// The master has proved itself: it may say as much as it likes.
    pub fn admit(&self) {
        self.watch.admit();
    }

    /// Breaks it off.
    pub fn reset(&self) {
        if let Some(socket) = taken(&self.socket) {
            // If the kernel refuses, the connection ends in another way.
            let _ = socket.set_linger(Some(Duration::ZERO));
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// The content of a file of that size.
    ///
    /// # Errors
    /// Why it is not here, for people.
    pub async fn fetch(&self, content: &Content, size: u64) -> Result<Bytes, String> {
        let wanted = proto::Wanted {
            content: content.to_vec(),
        };
        let failed = |status: Status| status.message().to_owned();
        let fetching = self.client.clone().fetch(wanted).await;
        let mut pieces = fetching.map_err(failed)?.into_inner();
        let mut bytes = Vec::new();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let room = bytes.try_reserve_exact(size);
        room.map_err(|_| format!("there is no memory for its {size} bytes"))?;
        let mut hash = Sha256::new();
        while let Some(piece) = pieces.message().await.map_err(failed)? {
            if piece.bytes.len() > size - bytes.len() {
                return Err(CHANGED.to_owned());
            }
            hash.update(&piece.bytes);
            bytes.extend(piece.bytes);
        }
        match Content::from(hash.finalize()) == *content {
            true => Ok(bytes.into()),
            false => Err(CHANGED.to_owned()),
        }
    }
}

fn taken(socket: &Mutex<Option<Socket>>) -> Option<Socket> {
    // Nothing under it can panic half-way.
    let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
    socket.take()
}

/// Where a master is, and how its connections are encrypted.
#[derive(Clone, Debug)]
pub struct Address {
    /// Host and port.
    pub address: String,
    /// For an encrypted one: what is believed of the master, and its name.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// Opens a connection and tells what happens on it.
pub async fn open(conn: Conn, to: Address, tells: mpsc::Sender<Heard>) {
    let watch = Arc::new(Watch::default());
    let opened = timeout(PATIENCE, connected(&to, watch.clone()));
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in 5 s");
    let heard = match opened.await.unwrap_or_else(|_| Err(late())) {
        Ok(opened) => return keep(conn, &to.address, opened, tells).await,
        Err(error) => {
            let what = watch.trouble().unwrap_or_else(|| error.to_string());
            let why = format!("{}: {what}", to.address);
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

struct Joined {
    client: ClusterClient<Channel>,
    socket: Socket,
    watch: Arc<Watch>,
}

async fn connected(to: &Address, watch: Arc<Watch>) -> io::Result<Joined> {
    let socket = TcpStream::connect(&to.address).await?;
    let handle = prepared(&socket)?;
    let guarded = Guarded::new(socket, watch.clone(), Role::Worker, to.tls.is_some());
    let spoken = match &to.tls {
        None => Spoken::Plain(guarded),
        Some((config, name)) => {
            let connects = TlsConnector::from(config.clone());
            let shaken = connects.connect(name.clone(), guarded);
            // Whether the master accepts a certificate shows only in what it says next.
            let heard = async {
                let mut stream = shaken.await?;
                stream.fill_buf().await?;
                io::Result::Ok(stream)
            };
            let stream = heard.await.inspect_err(|error| {
                if let Some(why) = tls::failure(error) {
                    watch.note(|| tls::why_no_master(why));
                }
            });
            Spoken::Tls(Box::new(stream?.into()))
        }
    };
    // One connection, and no other when that ends: when to try again is not tonic's to decide.
    let mut once = Some(TokioIo::new(spoken));
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
    let channel = endpoint.connect_with_connector(connector).await;
    let channel = channel.map_err(io::Error::other)?;
    Ok(Joined {
        client: ClusterClient::new(channel).max_decoding_message_size(MOST_DOWN_BYTES),
        socket: handle,
        watch,
    })
}

/// A function as tonic's connector.
struct Connector<F>(F);

impl<F, A> tonic::codegen::Service<Uri> for Connector<F>
where
    F: FnMut(Uri) -> A,
    A: Future<Output = io::Result<TokioIo<Spoken>>>,
{
    type Response = TokioIo<Spoken>;
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
async fn keep(conn: Conn, address: &str, joined: Joined, tells: mpsc::Sender<Heard>) {
    let (up, ups) = mpsc::channel(QUEUE);
    let (numbers, numbered) = mpsc::channel(QUEUE);
    let Joined {
        mut client,
        socket,
        watch,
    } = joined;
    let socket = Arc::new(Mutex::new(Some(socket)));
    let link = Connection {
        up,
        numbers,
        client: client.clone(),
        socket: socket.clone(),
        watch: watch.clone(),
    };
    let mut calling = client.clone();
    let serves = client.serve(ReceiverStream::new(ups)).await;
    let counts = calling.numbers(ReceiverStream::new(numbered)).await;
    let (Ok(said), Ok(applied)) = (serves, counts) else {
        let stranger = || "who answers there is no master of Katydid".to_owned();
        let what = watch.trouble().unwrap_or_else(stranger);
        let failed = Heard::Failed(conn, format!("{address}: {what}"));
        let _ = tells.send(failed).await;
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
    let why = loop {
        let down = match said.message().await {
            Ok(Some(down)) => down,
            Ok(None) => break None,
            Err(status) if status.code() == Code::ResourceExhausted => {
                break Some(format!("of this worker it says: {}", status.message()));
            }
            Err(_) => break watch.trouble(),
        };
        // A master that talks nonsense is none.
        let Ok(down) = wire::heard_down(down) else {
            break None;
        };
        if tells.send(Heard::Said(conn, down)).await.is_err() {
            break None;
        }
    };
    counted.abort();
    drop(taken(&socket));
    let why = why.map(|why| format!("{address}: {why}"));
    let _ = tells.send(Heard::Ended(conn, why)).await;
}
