//! Whose run it is, when a master is started again, or another one beside it.
//! Everything else that becomes of masters and workers is tried in the simulated world.

use std::time::Duration;

use super::{Master, MasterAction, MasterEvent};
use crate::clock::Micros;
use crate::cluster::MOVES;
use crate::cluster::hello::{Conn, Credentials, Role};
use crate::cluster::message::{
    Claim, Down, Hello, PROTOCOL, ProcessId, Refused, Resume, RunId, Seat, Up, Welcome,
};

const EARLIER: RunId = RunId(1);
const FRESH: RunId = RunId(2);
const EPOCH: u64 = 1_000;

fn at(secs: u64) -> Micros {
    Micros::default() + Duration::from_secs(secs)
}

fn own() -> Credentials {
    Credentials {
        token: b"a token"[..].into(),
        version: "1".into(),
        source_hash: [0; 32],
    }
}

fn master() -> Master<()> {
    Master::new(own(), at(0), EPOCH, FRESH, false)
}

fn hello(process: u128, resume: Option<Resume>) -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: "1".into(),
        source_hash: [0; 32],
        name: "w".into(),
        threads: 1,
        memory: 0,
        labels: std::collections::BTreeMap::new(),
        process: ProcessId(process),
        nonce: [4; 16],
        attempt: 1,
        resume,
    }
}

/// What a worker brings along that was at work in that run, under a master of that epoch.
fn of(run: RunId, epoch: u64) -> Option<Resume> {
    let seat = Seat { epoch, member: 3 };
    Some(Resume {
        run,
        epoch,
        key: 9,
        heard: 0,
        claim: Some(Claim {
            seat,
            is_at_work: true,
        }),
        worker_timeout: MOVES,
        stood: true,
        recorded: 70,
        horizons: Vec::new(),
        departed: 50,
    })
}

/// What follows when a worker comes and proves itself.
fn comes(master: &mut Master<()>, conn: u64, hello: Hello) -> Vec<MasterAction<()>> {
    let conn = Conn(conn);
    master.on(
        at(1),
        MasterEvent::Opened {
            conn,
            address: 1,
            nonce: [5; 16],
            key: 8,
        },
    );
    let heard = MasterEvent::Heard(conn, Up::Hello(Box::new(hello.clone())));
    let said = master.on(at(1), heard);
    let [MasterAction::Send(_, Down::Challenge { nonce, .. })] = &said[..] else {
        panic!("it is challenged: {said:?}");
    };
    let proof = own().proof(Role::Worker, &hello, nonce);
    master.on(at(1), MasterEvent::Heard(conn, Up::Proof(proof)))
}

fn welcome(actions: &[MasterAction<()>]) -> &Welcome {
    let mut welcomes = actions.iter().filter_map(|action| match action {
        MasterAction::Send(_, Down::Welcome(welcome)) => Some(&**welcome),
        _ => None,
    });
    welcomes.next().expect("it is welcome")
}

#[test]
fn one_that_was_started_again_learns_it_from_a_worker() {
    let mut master = master();
    let new = comes(&mut master, 1, hello(1, None));
    assert_eq!((welcome(&new).run, welcome(&new).asks), (FRESH, false));
    assert!(!master.is_adopting());
    let old = comes(&mut master, 2, hello(2, of(EARLIER, EPOCH - 1)));
    let welcomed = welcome(&old);
    assert_eq!((welcomed.run, welcomed.asks), (EARLIER, true));
    assert_eq!(welcomed.seat.map(|seat| seat.member), Some(3));
    assert!(master.is_adopting());
    assert_eq!(master.forgotten(), 50);
    // What it has is to be said before anything else.
    let beat = MasterEvent::Heard(Conn(2), Up::Beat(Box::default()));
    let actions = master.on(at(2), beat);
    assert!(matches!(actions[..], [MasterAction::Close(Conn(2))]));
}

#[test]
fn once_a_run_has_begun_another_one_is_not_gone_on_with() {
    let mut master = master();
    comes(&mut master, 1, hello(1, None));
    let seat = MasterEvent::Seat {
        worker: 0,
        member: 0,
    };
    master.on(at(1), seat);
    let old = comes(&mut master, 2, hello(2, of(EARLIER, EPOCH - 1)));
    assert!(matches!(
        old[0],
        MasterAction::Send(Conn(2), Down::Refused(Refused::OtherRun))
    ));
}

#[test]
fn of_two_masters_the_earlier_one_ends() {
    let mut master = master();
    comes(&mut master, 1, hello(1, of(EARLIER, EPOCH - 1)));
    let later = comes(&mut master, 2, hello(2, of(EARLIER, EPOCH + 1)));
    assert!(matches!(
        later[..],
        [MasterAction::Close(Conn(2)), MasterAction::Deposed]
    ));
}
