//! Anything at all on the port where a master waits for workers: it goes on, workers still join, and
//! its memory stays what it was.
//!
//! The bytes of messages themselves are tried in `mutants::wire`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crate::cluster::{SCRIPT, master, worker};
use crate::mutants::mutator::Dice;
use crate::peer::Shop;
use crate::proxy::lasts;
use crate::tool::BOUND;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Strangers that say something, and those that say nothing.
const TALKERS: usize = 320;
const SILENT: usize = 100;

fn connected(port: &str) -> TcpStream {
    let port: u16 = port.parse().unwrap();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.set_write_timeout(Some(BOUND)).unwrap();
    stream
}

fn frame(length: u32, kind: u8, flags: u8, stream: u32) -> Vec<u8> {
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes
}

/// The headers of a call of *Serve*, on that stream.
fn call(stream: u32) -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x41, 1, b'm', 0x44, 33];
    block.extend(b"/katydid.cluster.v1.Cluster/Serve");
    block.extend([0x5f, 16]);
    block.extend(b"application/grpc");
    let mut bytes = frame(u32::try_from(block.len()).unwrap(), 1, 4, stream);
    bytes.extend(block);
    bytes
}

/// What one stranger says.
fn nonsense(number: usize) -> Vec<u8> {
    let mut dice = Dice::of(20_261_128, number);
    let length = dice.below(3_000);
    let chance: Vec<u8> = (0..length)
        .map(|_| u8::try_from(dice.below(256)).unwrap())
        .collect();
    let opened = [PREFACE, &frame(0, 4, 0, 0)].concat();
    match number % 8 {
        0 => chance,
        1 => b"GET /metrics HTTP/1.1\r\nHost: master\r\n\r\n".to_vec(),
        2 => [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &chance].concat(),
        3 => [&opened[..], &chance].concat(),
        // A frame of 16 MB is announced.
        4 => [&opened[..], &frame(0xff_ffff, 0, 0, 1), &chance].concat(),
        // A call whose message says that it is 4 GB long.
        5 => {
            let data = [&[0, 0xff, 0xff, 0xff, 0xff][..], &chance].concat();
            let head = frame(u32::try_from(data.len()).unwrap(), 0, 0, 1);
            [&opened[..], &call(1), &head, &data].concat()
        }
        // Calls that are taken back at once.
        6 => {
            let calls = (0..200).flat_map(|n| {
                let stream = 2 * n + 1;
                [call(stream), frame(4, 3, 0, stream), vec![0, 0, 0, 8]].concat()
            });
            [opened, calls.collect()].concat()
        }
        // Headers without an end.
        _ => {
            let mut bytes = [opened, frame(8_000, 1, 0, 1), vec![0x40; 8_000]].concat();
            for _ in 0..20 {
                bytes.extend(frame(8_000, 9, 0, 1));
                bytes.extend([0x40; 8_000]);
            }
            bytes
        }
    }
}

/// Says it and reads until the master has closed the connection.
fn talks(port: &str, said: &[u8]) {
    let mut stream = connected(port);
    // The master may have closed it half-way.
    let _ = stream.write_all(said);
    let mut heard = [0; 4_096];
    loop {
        match stream.read(&mut heard) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                let is_late = error.kind() == std::io::ErrorKind::WouldBlock;
                assert!(!is_late, "a stranger may stay: {said:?}");
                return;
            }
        }
    }
}

/// Says what a worker says first, a byte now and then, until it is shut out.
fn drips(port: &str) {
    let mut stream = connected(port);
    for byte in PREFACE.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        lasts(Duration::from_millis(50));
    }
}

#[test]
fn a_master_that_is_told_nonsense_goes_on_with_the_memory_it_had() {
    let shop = Shop::open();
    let began = Instant::now();
    let (run, port) = master(SCRIPT, &shop, "-u 6 -r 100 -i 400");
    let before = run.resident();
    let silent: Vec<_> = (0..SILENT).map(|_| connected(&port)).collect();
    std::thread::scope(|scope| {
        for number in 0..TALKERS {
            let port = &port;
            let talker = std::thread::Builder::new().stack_size(256 << 10);
            let talk = move || talks(port, &nonsense(number));
            talker.spawn_scoped(scope, talk).unwrap();
        }
        scope.spawn(|| drips(&port));
    });
    let grown = run.resident().saturating_sub(before);
    assert!(grown < 48 << 20, "it has {grown} bytes more");
    // Others say nothing, and still a worker finds its place.
    let more: Vec<_> = (0..SILENT).map(|_| connected(&port)).collect();
    let mut worker = worker(&port, "");
    worker.says("the run is over: all numbers are with the master");
    worker.finish().code(0);
    let run = run.finish().code(0);
    drop((silent, more));
    assert_eq!(run.document().count("/total/requests"), 400);
    assert_eq!(shop.counts().total, 400);
    let lines = run
        .stderr
        .matches("a connection from 127.0.0.1 was closed")
        .count();
    let seconds = began.elapsed().as_secs();
    assert!(
        lines >= 1 && lines as u64 <= seconds + 2,
        "{lines} in {seconds} s"
    );
}
