//! A network between a worker and its master, for links that are slow or break.
//!
//! Knows bytes and when they are due, nothing of what they say.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::SockRef;

/// Passes connections on to a port of this machine.
pub(crate) struct Proxy {
    port: u16,
    /// Both ends of the connections that are there.
    open: Arc<Mutex<Vec<[TcpStream; 2]>>>,
}

impl Proxy {
    /// Each way takes so long.
    pub(crate) fn to(port: &str, delay: Duration) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let port: u16 = port.parse().unwrap();
        let open: Arc<Mutex<Vec<[TcpStream; 2]>>> = Arc::default();
        let opened = open.clone();
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                    continue;
                };
                let [one, other] = [&near, &far].map(|end| end.try_clone().unwrap());
                opened.lock().unwrap().push([one, other]);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    from.set_nodelay(true).unwrap();
                    pass(from.try_clone().unwrap(), to.try_clone().unwrap(), delay);
                }
            }
        });
        Proxy { port: own, open }
    }

    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }

    /// Resets all connections, at both ends.
    pub(crate) fn reset(&self) {
        for end in self.open.lock().unwrap().drain(..).flatten() {
            // One that has ended by itself needs no more.
            let _ = SockRef::from(&end).set_linger(Some(Duration::ZERO));
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, pieces) = channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            let piece = (Instant::now() + delay, bytes[..read].to_vec());
            if sender.send(piece).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        while let Ok((due, bytes)) = pieces.recv() {
            lasts(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// What a test does to others lasts so long: nobody is waited for here.
pub(crate) fn lasts(time: Duration) {
    let (never, heard): (_, Receiver<()>) = channel();
    let _ = heard.recv_timeout(time);
    drop(never);
}
