//! The servers that the tool is let loose on: the embedded target, and raw peers that misbehave.
//!
//! All listen on a free port of 127.0.0.1 and end with their test.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use katydid::target::{Counts, Options, Target};

use crate::tool::BOUND;

/// Something that listens.
pub(crate) trait Peer {
    fn url(&self) -> String;
}

/// The embedded target.
pub(crate) struct Shop(Target);

impl Shop {
    pub(crate) fn open() -> Shop {
        Shop::with_stock(Options::default().stock)
    }

    /// With so many coupons of each kind.
    pub(crate) fn with_stock(stock: u64) -> Shop {
        Shop::at(Ipv4Addr::LOCALHOST, stock)
    }

    /// On all addresses, for a test that has a network of its own.
    pub(crate) fn everywhere() -> Shop {
        Shop::at(Ipv4Addr::UNSPECIFIED, Options::default().stock)
    }

    fn at(address: Ipv4Addr, stock: u64) -> Shop {
        let options = Options {
            address: SocketAddr::from((address, 0)),
            threads: 1,
            stock,
        };
        Shop(Target::start(options).unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.address().port()
    }

    /// What it received.
    pub(crate) fn counts(&self) -> Counts {
        self.0.counts()
    }

    /// Waits until it has received so many requests for this route: they are under way, whatever
    /// the users have said of them.
    pub(crate) fn receives(&self, route: &str, count: u64) {
        let begun = Instant::now();
        while self.count(route) < count {
            assert!(begun.elapsed() < BOUND, "{route}: {:?}", self.counts());
            std::thread::yield_now();
        }
    }

    /// How many requests for this route it received.
    pub(crate) fn count(&self, route: &str) -> u64 {
        self.counts().by_path.get(route).copied().unwrap_or(0)
    }
}

impl Peer for Shop {
    fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }
}

/// A server that answers each request with bytes of the test's own.
pub(crate) struct Raw {
    address: SocketAddr,
    received: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Raw {
    /// Writes `answer` to every request and closes the connection.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Raw {
        let answer = answer.into();
        Raw::serving(move |stream, _| {
            let _ = stream.write_all(&answer);
        })
    }

    /// Answers each request when it is told to, one for each word.
    pub(crate) fn holding() -> (Raw, Sender<()>) {
        let (release, held) = channel();
        let held = Mutex::new(held);
        let server = Raw::serving(move |stream, _| {
            let _ = held.lock().unwrap().recv();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        });
        (server, release)
    }

    /// Lets `serve` write to each request, whose head is given to it as lines, and closes the
    /// connection. It has to end by itself when the other side closes the connection.
    pub(crate) fn serving(
        serve: impl Fn(&mut TcpStream, &[String]) + Send + Sync + 'static,
    ) -> Raw {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let (counter, ended) = (Arc::clone(&received), Arc::clone(&over));
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (serve, counter) = (Arc::clone(&serve), Arc::clone(&counter));
                std::thread::spawn(move || handle(stream, &counter, &*serve));
            }
        });
        Raw {
            address,
            received,
            over,
        }
    }

    /// Requests that it received.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

fn handle(
    mut stream: TcpStream,
    received: &AtomicU64,
    serve: &(impl Fn(&mut TcpStream, &[String]) + ?Sized),
) {
    let mut head = Vec::new();
    for line in BufReader::new(&stream).lines() {
        match line {
            Ok(line) if line.is_empty() => break,
            Ok(line) => head.push(line),
            // Another protocol, or gone.
            Err(_) => return,
        }
    }
    if !head.is_empty() {
        received.fetch_add(1, Ordering::Relaxed);
        serve(&mut stream, &head);
    }
}

impl Peer for Raw {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// An address at which nobody listens: bound, so that nobody else gets it meanwhile.
pub(crate) struct Nobody(socket2::Socket);

impl Nobody {
    pub(crate) fn there() -> Nobody {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .unwrap();
        Nobody(socket)
    }
}

impl Peer for Nobody {
    fn url(&self) -> String {
        let address = self.0.local_addr().unwrap().as_socket().unwrap();
        format!("http://{address}")
    }
}
