//! Damaged answers over connections that are kept: no panic, no hang, and no request counted that
//! was not made.
//!
//! A damaged `Location` may name any host. Where this system allows no namespace that has only
//! `lo`, redirects are not followed.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use katydid::http::{Base, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use super::alone::{Place, alone};
use super::answered::{exchanged, on_thread, reads_request, session};
use super::mutator::{Dice, ODD_NUMBERS, mutant};
use super::{count, seed};

/// Users at once: most wait for bytes that do not come.
const USERS: usize = 40;

const ANSWERS: [&[u8]; 16] = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n5\r\nhello\r\n3;a=b\r\n!!!\r\n0\r\nX-End: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate, br\r\nContent-Length: 4\r\n\r\n\x0b\x02\x80h",
    b"HTTP/1.1 204 No Content\r\nServer: a\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
    b"HTTP/1.1 301 Moved Permanently\r\nLocation: /elsewhere?a=1#b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: //localhost:80/a/../b\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\nSet-Cookie: c=\"d\"; Max-Age=10; Secure; HttpOnly; SameSite=Lax\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n",
];

/// Frames of a server, on the stream that a client opens first: settings; what else it may say;
/// an answer; one that redirects.
const FRAMES: [&[u8]; 9] = [
    // SETTINGS, and the acknowledgement of the client's
    b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\0\0\x04\x01\0\0\0\0",
    // HEADERS with `:status: 200`, DATA that ends the stream
    b"\0\0\x01\x01\x04\0\0\0\x01\x88\0\0\x05\0\x01\0\0\0\x01hello",
    // the same with padding and priority
    b"\0\0\x09\x01\x2d\0\0\0\x01\x02\0\0\0\0\x10\x88\0\0",
    // HEADERS with `:status: 302` and `location: /a`, in two parts
    b"\0\0\x05\x01\x01\0\0\0\x01\x48\x03302\0\0\x05\x09\x04\0\0\0\x01\x6e\x02/a\x88",
    // PING, WINDOW_UPDATE
    b"\0\0\x08\x06\0\0\0\0\0ABCDEFGH\0\0\x04\x08\0\0\0\0\0\0\x01\0\0",
    // RST_STREAM
    b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08",
    // GOAWAY
    b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0",
    // PUSH_PROMISE, which no client of ours takes
    b"\0\0\x05\x05\x04\0\0\0\x01\0\0\0\x02\x82",
    // a frame of no known type
    b"\0\0\x02\x2a\xff\0\0\0\x01ab",
];

/// Frames that answer a request, on its stream.
fn frames(dice: &mut Dice, stream: [u8; 4]) -> Vec<u8> {
    let mut all = if stream == [0, 0, 0, 1] {
        FRAMES[0].to_vec()
    } else {
        Vec::new()
    };
    for _ in 0..dice.below(4) {
        all.extend(dice.one_of(&FRAMES));
    }
    all.extend(FRAMES[1]);
    let mut at = 0;
    while let Some((end, _, of)) = frame(&all[at..]) {
        if of == [0, 0, 0, 1] {
            all[at + 5..at + 9].copy_from_slice(&stream);
        }
        at += end;
    }
    all
}

/// Where the frame that bytes begin with ends, its type and its stream; `None` if it is not whole.
fn frame(bytes: &[u8]) -> Option<(usize, u8, [u8; 4])> {
    let head: &[u8; 9] = bytes.first_chunk()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let end = 9 + usize::try_from(length).ok()?;
    (bytes.len() >= end).then_some((end, head[3], [head[5], head[6], head[7], head[8]]))
}

/// What a client has sent over HTTP/2 and nobody has looked at.
#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    preface_is_gone: bool,
}

impl Sent {
    /// The stream of the next request; `None` when the client has closed.
    async fn stream(&mut self, from: &mut TcpStream) -> Option<[u8; 4]> {
        const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
        const HEADERS: u8 = 1;
        loop {
            if !self.preface_is_gone && self.bytes.len() >= PREFACE {
                self.bytes.drain(..PREFACE);
                self.preface_is_gone = true;
            }
            while self.preface_is_gone
                && let Some((end, kind, stream)) = frame(&self.bytes)
            {
                self.bytes.drain(..end);
                if kind == HEADERS {
                    return Some(stream);
                }
            }
            if from.read_buf(&mut self.bytes).await.ok()? == 0 {
                return None;
            }
        }
    }
}

/// What a server has done, and the client.
#[derive(Default)]
struct Counts {
    /// Mutants handed out.
    next: Cell<usize>,
    /// Requests that arrived.
    counted: Cell<u64>,
    /// Requests that were answered, redirects among them, and all that were begun.
    reported: Cell<u64>,
    begun: Cell<u64>,
}

fn add(to: &Cell<u64>, number: u64) {
    to.set(to.get() + number);
}

async fn serve(mut stream: TcpStream, protocol: Protocol, counts: Rc<Counts>) {
    let mut sent = Sent::default();
    loop {
        let of = match protocol {
            Protocol::Http2 => sent.stream(&mut stream).await,
            _ => reads_request(&mut stream, protocol).await.then_some([0; 4]),
        };
        let Some(of) = of else { return };
        add(&counts.counted, 1);
        let number = counts.next.replace(counts.next.get() + 1);
        let mut dice = Dice::of(seed(), number);
        let whole = match protocol {
            Protocol::Http2 => frames(&mut dice, of),
            _ => dice.one_of(&ANSWERS).to_vec(),
        };
        let others = match protocol {
            Protocol::Http2 => &FRAMES[..],
            _ => &ANSWERS,
        };
        // One in eight is whole, so that connections are kept for the next.
        let bytes = match dice.below(8) {
            0 => whole,
            _ => mutant(&mut dice, &whole, others, &ODD_NUMBERS, 4),
        };
        let (first, second) = bytes.split_at(dice.below(bytes.len() + 1));
        for part in [first, second] {
            if stream.write_all(part).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        if dice.below(6) == 0 {
            return;
        }
    }
}

/// Panics on this process's threads; some are caught where a task ends.
fn panics() -> usize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current()
                .name()
                .is_none_or(|name| name.starts_with("mutants::answers"))
            {
                PANICS.fetch_add(1, Ordering::Relaxed);
            }
            before(info);
        }));
    });
    PANICS.load(Ordering::Relaxed)
}

/// Lets users send requests until so many mutants have been handed out.
fn answer_with_mutants(protocol: Protocol, count: usize, max_redirects: u32) -> Rc<Counts> {
    let before = panics();
    let counts = on_thread(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let counts = Rc::new(Counts::default());
        let to_serve = Rc::clone(&counts);
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn_local(serve(stream, protocol, Rc::clone(&to_serve)));
            }
        });
        let users = (0..USERS).map(|_| {
            let (base, counts) = (base.clone(), Rc::clone(&counts));
            spawn_local(async move {
                let mut session = session(protocol, max_redirects);
                for number in 1.. {
                    if counts.next.get() >= count {
                        break;
                    }
                    let exchange = exchanged(&session, &base).await?;
                    let hops = u64::from(exchange.redirects) + 1;
                    add(
                        &counts.reported,
                        if exchange.result.is_ok() {
                            hops
                        } else {
                            hops - 1
                        },
                    );
                    let again = exchange.stale_retries + exchange.retries;
                    add(&counts.begun, hops + u64::from(again));
                    // A jar that fills up and headers that stay are not what is looked for.
                    if number % 50 == 0 {
                        session = super::answered::session(protocol, max_redirects);
                    }
                }
                Ok::<(), String>(())
            })
        });
        for user in users.collect::<Vec<_>>() {
            user.await.expect("a user panics").unwrap();
        }
        counts
    });
    assert_eq!(panics(), before, "something panicked on the way");
    counts
}

/// As far as a namespace allows; `None` if the test has run there.
fn redirects_in(test: &str) -> Option<u32> {
    match alone(test) {
        Place::Alone => Some(5),
        Place::Elsewhere => None,
        Place::InTheWorld => Some(0),
    }
}

#[test]
fn damaged_answers_over_http1_end_and_count_once() {
    let test = "mutants::answers::damaged_answers_over_http1_end_and_count_once";
    let Some(max_redirects) = redirects_in(test) else {
        return;
    };
    let counts = answer_with_mutants(Protocol::Http1, count(2_000), max_redirects);
    let (reported, counted) = (counts.reported.get(), counts.counted.get());
    let (begun, seed) = (counts.begun.get(), seed());
    eprintln!("{counted} counted, {reported} reported, {begun} begun");
    assert!(
        reported <= counted,
        "seed {seed}: {reported} reported, {counted} counted"
    );
    assert!(
        counted <= begun,
        "seed {seed}: {counted} counted, {begun} begun"
    );
    assert!(reported > counted / 10, "hardly any is an answer");
}

#[test]
fn damaged_frames_over_http2_end_and_count_once() {
    let Some(max_redirects) =
        redirects_in("mutants::answers::damaged_frames_over_http2_end_and_count_once")
    else {
        return;
    };
    let counts = answer_with_mutants(Protocol::Http2, count(1_000), max_redirects);
    let (reported, counted) = (counts.reported.get(), counts.counted.get());
    let (begun, seed) = (counts.begun.get(), seed());
    eprintln!("{counted} counted, {reported} reported, {begun} begun");
    assert!(
        reported <= counted,
        "seed {seed}: {reported} reported, {counted} counted"
    );
    assert!(
        counted <= begun,
        "seed {seed}: {counted} counted, {begun} begun"
    );
    assert!(reported > counted / 10, "hardly any is an answer");
}
