//! The threads: accepting connections, dealing them out, serving each until it ends.
//!
//! Owns sockets, runtimes and stopping; `route` answers requests. Each thread has its own runtime
//! and keeps the connections it was dealt, so that serving takes no lock. There is one listening
//! socket, not one per thread with `SO_REUSEPORT`: those would let a second target share the port
//! unnoticed, and deal connections by hash, which is uneven when they are few.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc, watch};

use super::path::Route;
use super::reply::Reply;
use super::{ServerState, route};

/// Connections the kernel holds until they are accepted: ten thousand users may start at once.
const BACKLOG: i32 = 16_384;

/// Accepted connections that wait for their thread; the acceptor waits when there are more.
const HANDED_OVER: usize = 1_024;

/// How long accepting pauses when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A listening socket.
pub(super) fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The running threads. They end when this is dropped.
pub(super) struct Threads {
    running: Vec<JoinHandle<()>>,
    stop: watch::Sender<()>,
}

impl Threads {
    /// Starts one thread for each counter.
    pub(super) fn start(listener: StdListener, shared: &Arc<ServerState>) -> io::Result<Threads> {
        let (stop, stopped) = watch::channel(());
        let mut threads = Threads {
            running: Vec::new(),
            stop,
        };
        let mut listener = Some(listener);
        let (seats, inboxes): (Vec<_>, Vec<_>) = shared
            .counters
            .iter()
            .map(|_| mpsc::channel(HANDED_OVER))
            .unzip();
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let duty = Worker {
                // The first thread accepts for all of them.
                accept: listener.take().map(|listener| (listener, seats.clone())),
                inbox,
                service: Responder {
                    shared: Arc::clone(shared),
                    thread: index,
                },
                stopped: stopped.clone(),
            };
            let thread = thread::Builder::new()
                .name(format!("target-{index}"))
                .spawn(move || duty.run(&runtime))?;
            threads.running.push(thread);
        }
        Ok(threads)
    }

    /// Ends the threads and waits for them.
    pub(super) fn stop(self) {
        drop(self.stop);
        for thread in self.running {
            thread
                .join()
                .expect("a thread of the target does not panic");
        }
    }
}

/// The work of one thread.
struct Worker {
    accept: Option<(StdListener, Vec<mpsc::Sender<StdStream>>)>,
    inbox: mpsc::Receiver<StdStream>,
    service: Responder,
    stopped: watch::Receiver<()>,
}

impl Worker {
    fn run(self, runtime: &Runtime) {
        let Worker {
            accept,
            mut inbox,
            service,
            mut stopped,
        } = self;
        runtime.block_on(async {
            if let Some((listener, seats)) = accept {
                let listener = TcpListener::from_std(listener)
                    .expect("a listener that does not block joins a fresh runtime");
                tokio::spawn(accept_all(listener, seats));
            }
            loop {
                tokio::select! {
                    stream = inbox.recv() => match stream {
                        // A socket that fails here has already been closed by its client.
                        Some(stream) => if let Ok(stream) = TcpStream::from_std(stream) {
                            tokio::spawn(serve(stream, service.clone()));
                        },
                        None => return,
                    },
                    // The sender is never used, only dropped.
                    _ = stopped.changed() => return,
                }
            }
        });
        // Dropping the runtime, here, drops every connection.
    }
}

async fn accept_all(listener: TcpListener, seats: Vec<mpsc::Sender<StdStream>>) {
    for seat in seats.iter().cycle() {
        let stream = loop {
            match listener.accept().await {
                Ok((stream, _)) => break stream,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        };
        let _ = stream.set_nodelay(true);
        if let Ok(stream) = stream.into_std()
            && seat.send(stream).await.is_err()
        {
            return;
        }
    }
}

async fn serve(stream: TcpStream, service: Responder) {
    let open = OpenConnection::count(&service);
    // An error is the client's fault: it went away or did not speak HTTP.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    drop(open);
}

/// Counts a connection for as long as it is open; also dropped when the runtime cuts it.
struct OpenConnection {
    service: Responder,
}

impl OpenConnection {
    fn count(service: &Responder) -> OpenConnection {
        service.shared.counters[service.thread].opened();
        OpenConnection {
            service: service.clone(),
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.service.shared.counters[self.service.thread].closed();
    }
}

/// Counts a request and answers it.
#[derive(Clone)]
struct Responder {
    shared: Arc<ServerState>,
    thread: usize,
}

impl Service<Request<Incoming>> for Responder {
    type Response = Reply;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let (route, _) = Route::of(request.uri().path());
        self.shared.counters[self.thread].request(route);
        route::answer(&self.shared, request)
    }
}

/// An answer that is ready, which costs no allocation, or one to wait for.
pub(super) enum Answer {
    Now(Option<Reply>),
    Later(Pin<Box<dyn Future<Output = Reply> + Send>>),
}

impl Future for Answer {
    type Output = Result<Reply, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Answer::Now(reply) => {
                Poll::Ready(Ok(reply.take().expect("an answer is taken only once")))
            }
            Answer::Later(reply) => reply.as_mut().poll(cx).map(Ok),
        }
    }
}
