//! The client against real sockets: scripted peers on a free port of 127.0.0.1.
//!
//! Owns the peers and the set-up; each file beside it tests one area.

mod authority;
mod bounds;
mod chains;
mod cookies;
mod heads;
mod hostile;
mod http2;
mod keep_alive;
mod partial_chain;
mod places;
mod proxies;
mod redirects;
mod secure;
mod streams;
mod whole;

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use super::{Base, Client, Exchange, Options, Request, Session};
use crate::clock::Timers;

/// Runs a test on a load thread's kind of runtime.
fn on_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

fn client(options: Options) -> Client {
    let timers = Timers::new().unwrap();
    spawn_local(timers.clone().run());
    Client::new(options, timers).unwrap()
}

fn session() -> Session {
    Session::new(&client(Options::default()))
}

/// A peer that hands each connection, with its number from 0, to `serve`.
struct Peer {
    address: SocketAddr,
    accepted: Rc<Cell<usize>>,
}

impl Peer {
    async fn start<F: Future<Output = ()> + 'static>(
        serve: impl Fn(usize, TcpStream) -> F + 'static,
    ) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Rc::new(Cell::new(0));
        let counter = Rc::clone(&accepted);
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counter.get();
                counter.set(number + 1);
                spawn_local(serve(number, stream));
            }
        });
        Peer { address, accepted }
    }

    /// A peer that answers every request of every connection with what `answer` makes of it.
    async fn answering(answer: impl Fn(&str) -> String + 'static) -> Peer {
        let answer = Rc::new(answer);
        Peer::start(move |_, mut stream| {
            let answer = Rc::clone(&answer);
            async move {
                while let Some(request) = read_request(&mut stream).await {
                    let text = answer(&request);
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        })
        .await
    }

    fn base(&self) -> Base {
        Base::parse(&format!("http://{}", self.address)).unwrap()
    }

    fn get(&self, path: &str) -> Request {
        Request::new(Method::GET, self.base().url(path, &[]).unwrap())
    }

    fn post(&self, path: &str, body: &'static str) -> Request {
        let mut request = Request::new(Method::POST, self.base().url(path, &[]).unwrap());
        request.body = body.into();
        request
    }
}

/// The next request, head and body; `None` once the client has closed.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if read.len() >= end + 4 + length {
                return Some(String::from_utf8(read).unwrap());
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// A response with a body.
fn ok(body: &str) -> String {
    respond("200 OK", "", body)
}

fn respond(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

fn body(exchange: &Exchange) -> String {
    let response = exchange.result.as_ref().unwrap();
    String::from_utf8(response.decoded_body().unwrap().to_vec()).unwrap()
}

/// The phases of every exchange, answered or not, add up to the whole.
fn assert_adds_up(exchange: &Exchange) {
    assert_eq!(
        exchange.phases.total(),
        exchange.ended.since(exchange.started),
        "{exchange:?}"
    );
}
