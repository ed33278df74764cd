//! Any bytes as what master and workers send each other: an error, or a value that is bounded and is
//! the same when it is sent again.
//!
//! The tests damage messages that are right; a fuzzer may give anything.

use katydid::cluster::wire::{heard_down, heard_up, proto, up};
use katydid::runner::elsewhere::{SentEdition, SentOrder};
use katydid::stats::{Bounds, Decoder, Encoder, Limits};
use prost::Message;

/// How much more memory a value may take than its bytes.
const TIMES: usize = 400;

/// What bytes may be: the first of them says which.
pub(crate) fn wired(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind % 5 {
        0 => said_up(bytes),
        1 => {
            if let Ok(said) = proto::Down::decode(bytes) {
                let _ = heard_down(said);
            }
        }
        2 => reported(bytes),
        3 => {
            if let Ok(order) = postcard::from_bytes::<SentOrder>(bytes) {
                let again = postcard::to_allocvec(&order).unwrap();
                assert!(again.len() <= bytes.len().max(64) * TIMES, "it has grown");
            }
        }
        _ => {
            let _ = postcard::from_bytes::<SentEdition>(bytes);
        }
    }
}

fn said_up(bytes: &[u8]) {
    let Ok(said) = proto::Up::decode(bytes) else {
        return;
    };
    let Ok(heard) = heard_up(said) else {
        return;
    };
    let again = up(heard.clone()).encode_to_vec();
    assert!(again.len() <= bytes.len().max(64) * TIMES, "it has grown");
    let heard_again = heard_up(proto::Up::decode(&again[..]).unwrap());
    // A number that is none is not even equal to itself.
    assert_eq!(
        format!("{heard_again:?}"),
        format!("{:?}", Ok::<_, ()>(heard))
    );
}

fn reported(bytes: &[u8]) {
    let bounds = Bounds {
        second: 3_600,
        generation: 3,
    };
    let mut decoder = Decoder::new(Limits::default());
    let Ok(report) = decoder.decode(bytes, bounds) else {
        return;
    };
    let _ = report.samples();
    let again = Encoder::default().encode(&report);
    let heard = Decoder::new(Limits::default()).decode(&again, bounds);
    let heard = heard.expect("what was believed once is believed again");
    assert_eq!(heard.samples(), report.samples());
    let pieces = report.in_pieces(64);
    let samples: u64 = pieces.iter().map(katydid::stats::Report::samples).sum();
    assert_eq!(samples, heard.samples());
}
