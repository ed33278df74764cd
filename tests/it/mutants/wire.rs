//! Damaged messages of master and workers: each is refused, or is another message within its bounds.
//!
//! What is done with one is in `wired`, which the fuzzer uses too.

use std::time::Duration;

use katydid::cluster::message::{
    Ask, Brought, Counted, Down, Going, Hello, Holding, Letter, Levels, News, PROTOCOL, ProcessId,
    Said, Seat, Told, Up, UpBeat,
};
use katydid::cluster::wire;
use katydid::load::{Classes, Division, Part, Plan};
use katydid::runner::elsewhere::{SentEdition, SentOrder};
use katydid::stats::{Baseline, Encoder, Kind, Ledger, Limits, Outcome, Recorder, Sample};
use prost::Message;

use super::mutator::{Dice, ODD_NUMBERS, mutant};
use super::wired::wired;
use super::{assert_none, count, each, seed, threads};

/// Ten thousand take less than a second.
const BOUND: Duration = Duration::from_secs(20);

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: "1".into(),
        source_hash: [7; 32],
        name: "box".into(),
        threads: 3,
        memory: 5,
        labels: [("zone".into(), "a".into())].into(),
        process: ProcessId(9),
        nonce: [3; 16],
        attempt: 2,
        resume: None,
    }
}

fn of_kind(kind: u8, bytes: Vec<u8>) -> Vec<u8> {
    [vec![kind], bytes].concat()
}

/// What a worker of a run that goes on brings along.
fn brought(seat: Seat) -> Brought {
    Brought {
        holding: Some(Holding {
            seat,
            first: 2,
            parts: vec![Part::of(64, (0..64).collect()).unwrap()],
            assignment: 3,
            generation: 2,
            is_at_work: true,
        }),
        going: Going {
            elapsed_us: 90_000_000,
            unix_us: 1_700_000_000_000_000,
            plan: Plan::idle(Division::Mixed).into(),
            classes: [Classes {
                mixed: 0,
                names: Vec::new(),
                shares: Vec::new(),
            }]
            .into(),
            pauses: (5, None),
            setup: None,
            generation: 2,
            hash: "0123456789ab".to_owned(),
            counted: Vec::new(),
        },
    }
}

/// A report of what was measured in two seconds, and the sum of all such reports.
fn reports() -> [Vec<u8>; 2] {
    let mut recorder = Recorder::new(0, Limits::default());
    for (name, outcome) in [("/a", Outcome::Success), ("/b", Outcome::Failure)] {
        let series = recorder.series_of("Shopper", &Kind::Http, "GET", name);
        for n in 0..50 {
            let sample = Sample::new(series, 1, outcome, n * 1_000);
            recorder.record(sample.service_us(900 + 37 * n).bytes(10, 200));
        }
    }
    let mut ledger = Ledger::new(Limits::default());
    ledger.absorb(recorder.take(None));
    let report = ledger.cut(2_000_000);
    let mut baseline = Baseline::new(Limits::default());
    baseline.add(&report, 3);
    [report, baseline.report()].map(|report| Encoder::default().encode(&report))
}

/// Messages that are right.
fn right() -> Vec<Vec<u8>> {
    let seat = Seat {
        epoch: 4,
        member: 1,
    };
    let letter = |says| Up::Letter(Letter { number: 3, says });
    let ups = [
        Up::Hello(Box::new(hello())),
        Up::Proof([1; 32]),
        Up::Beat(Box::new(UpBeat {
            used: vec![(Counted::Rows(9), 100)],
            rows: vec!["login".into()],
            ..UpBeat::default()
        })),
        Up::Brings(Box::new(brought(seat))),
        letter(Said::News(seat, News::Levels(Levels::default()))),
        letter(Said::News(seat, News::StopTest("enough".to_owned()))),
        letter(Said::Ask(1, Ask::Once("token".into()))),
        letter(Said::Returned(Counted::Iterations, 3..90)),
        letter(Said::Unable("no thread".into())),
    ];
    let order = SentOrder::CatchUp(3, SentEdition::default().into());
    let stop = SentOrder::Stop {
        stop_timeout: Duration::from_secs(3),
        on_stop_timeout: Duration::from_millis(5),
    };
    let downs = [
        Down::Superseded,
        Down::Letter(Letter {
            number: 9,
            says: Told::Order(seat, order.clone()),
        }),
    ];
    let ups = ups.map(|said| of_kind(0, wire::up(said).encode_to_vec()));
    let downs = downs.map(|said| of_kind(1, wire::down(said).encode_to_vec()));
    let orders = [order, stop].map(|order| of_kind(3, postcard::to_allocvec(&order).unwrap()));
    let edition = postcard::to_allocvec(&SentEdition::default()).unwrap();
    let mut all = Vec::new();
    all.extend(ups);
    all.extend(downs);
    all.extend(orders);
    all.extend(reports().map(|report| of_kind(2, report)));
    all.push(of_kind(4, edition));
    all
}

/// Bits turned, bytes lost, doubled and from elsewhere: binary messages have no words.
fn damaged(dice: &mut Dice, bytes: &[u8], all: &[&[u8]]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let at = 1 + dice.below(bytes.len().saturating_sub(1));
        let odd = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)];
        match dice.below(6) {
            _ if at >= bytes.len() => bytes.push(odd),
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = odd,
            2 => bytes.truncate(at),
            3 => bytes.insert(at, odd),
            4 => drop(bytes.remove(at)),
            _ => {
                let other = dice.one_of(all);
                let (from, length) = (dice.below(other.len()), dice.below(20));
                let part = &other[from..other.len().min(from + length)];
                bytes.splice(at..at, part.iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn damaged_messages_are_refused_or_other_messages() {
    let right = right();
    right.iter().for_each(|bytes| wired(bytes));
    let all: Vec<&[u8]> = right.iter().map(Vec::as_slice).collect();
    let wrong = each(count(100_000), threads(), BOUND, |number, tell| {
        let mut dice = Dice::of(seed(), number);
        let bytes = match number % 10 {
            0 => mutant(
                &mut dice,
                all[number / 10 % all.len()],
                &all,
                &ODD_NUMBERS,
                2,
            ),
            _ => {
                let first = dice.one_of(&all);
                damaged(&mut dice, first, &all)
            }
        };
        tell(&bytes);
        wired(&bytes);
        Ok(())
    });
    assert_none(&wrong, "damaged messages");
}
