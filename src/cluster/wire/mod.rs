//! Messages as they are sent.
//!
//! Owns the conversions between [`message`](super::message) and what `wire.proto` describes, and what
//! is believed of what comes: the only place that trusts nothing. Sockets and connections are
//! `server` and `link`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::message::{
    Applied, Brought, Down, DownBeat, Hello, Letter, MOST_DOWN_BYTES, MOST_HELLO_BYTES,
    MOST_THREADS, ProcessId, Refused, Said, SentOrder, Told, Up, UpBeat, Welcome,
};
use super::printed::{MOST_LINES, SentLine};

/// Made of `wire.proto` by the build.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    reason = "generated"
)]
pub mod proto {
    tonic::include_proto!("katydid.cluster.v1");
}

use proto::down::Says as DownSays;
use proto::up::Says as UpSays;

/// The most labels of a worker, and the longest text in its hello, in bytes.
const LABELS: usize = 32;
const LONGEST: usize = 256;

/// The longest reason that a worker gives, in bytes.
pub(super) const LONGEST_WHY: usize = 4_096;

/// A message that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonsense;

/// What a worker says to a master of the same build.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum SameUp {
    Beat(Box<UpBeat>),
    Brings(Box<Brought>),
    Letter(Letter<Said>),
    Lines(Vec<SentLine>),
}

/// What a master says to a worker of the same build.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum SameDown {
    Welcome(Box<Welcome>),
    Beat(Box<DownBeat>),
    Letter(Letter<Told>),
    Superseded,
}

/// What is wrong with an order that no message takes.
pub(super) const TOO_LONG: &str =
    "what `setup` returned takes more than 60 MB, too much for the workers: return less";

/// Whether an order does not fit into a message.
#[must_use]
pub(super) fn is_too_long(order: &SentOrder) -> bool {
    let length = postcard::experimental::serialized_size(order);
    length.is_ok_and(|length| length > MOST_DOWN_BYTES - (4 << 20))
}

fn packed<T: Serialize>(said: &T) -> Vec<u8> {
    postcard::to_allocvec(said).expect("memory is all that it takes")
}

fn unpacked<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Nonsense> {
    match postcard::take_from_bytes(bytes) {
        Ok((said, [])) => Ok(said),
        _ => Err(Nonsense),
    }
}

/// What is sent of it.
#[must_use]
pub fn up(said: Up) -> proto::Up {
    proto::Up {
        says: Some(match said {
            Up::Hello(hello) => UpSays::Hello(hello_of(*hello)),
            Up::Proof(proof) => UpSays::Proof(proof.to_vec()),
            Up::Beat(beat) => UpSays::SameBuild(packed(&SameUp::Beat(beat))),
            Up::Brings(brought) => UpSays::SameBuild(packed(&SameUp::Brings(brought))),
            Up::Letter(letter) => UpSays::SameBuild(packed(&SameUp::Letter(letter))),
            Up::Lines(lines) => UpSays::SameBuild(packed(&SameUp::Lines(lines))),
        }),
    }
}

fn hello_of(hello: Hello) -> proto::Hello {
    let labels = hello.labels.into_iter();
    proto::Hello {
        protocol: hello.protocol,
        version: hello.version.into(),
        source_hash: hello.source_hash.to_vec(),
        name: hello.name.into(),
        threads: hello.threads,
        memory: hello.memory,
        labels: labels
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        process: hello.process.0.to_be_bytes().to_vec(),
        nonce: hello.nonce.to_vec(),
        attempt: hello.attempt,
        resume: hello.resume.map_or_else(Vec::new, |resume| packed(&resume)),
    }
}

/// What a worker says.
///
/// # Errors
/// When it says nothing, or what cannot be.
pub fn heard_up(said: proto::Up) -> Result<Up, Nonsense> {
    Ok(match said.says.ok_or(Nonsense)? {
        UpSays::Hello(hello) => Up::Hello(Box::new(heard_hello(hello)?)),
        UpSays::Proof(proof) => Up::Proof(exactly(&proof)?),
        UpSays::SameBuild(bytes) => match unpacked(&bytes)? {
            SameUp::Beat(beat) if beat.levels.are_possible() => Up::Beat(beat),
            SameUp::Letter(letter) => match &letter.says {
                Said::News(_, news) if !news.is_possible() => return Err(Nonsense),
                Said::Unable(why) if why.len() > LONGEST_WHY => return Err(Nonsense),
                _ => Up::Letter(letter),
            },
            SameUp::Brings(brought) if brought.is_possible() => Up::Brings(brought),
            SameUp::Lines(lines) if are_possible(&lines) => Up::Lines(lines),
            SameUp::Beat(_) | SameUp::Brings(_) | SameUp::Lines(_) => return Err(Nonsense),
        },
    })
}

fn are_possible(lines: &[SentLine]) -> bool {
    lines.len() <= MOST_LINES && lines.iter().all(SentLine::is_possible)
}

fn heard_hello(hello: proto::Hello) -> Result<Hello, Nonsense> {
    let short = |text: String| match text.len() <= LONGEST {
        true => Ok(text.into_boxed_str()),
        false => Err(Nonsense),
    };
    let are_few = hello.labels.len() <= LABELS && hello.resume.len() <= MOST_HELLO_BYTES;
    if !are_few || hello.threads == 0 || hello.threads as usize > MOST_THREADS {
        return Err(Nonsense);
    }
    let mut labels = BTreeMap::new();
    for (name, value) in hello.labels {
        labels.insert(short(name)?, short(value)?);
    }
    Ok(Hello {
        protocol: hello.protocol,
        version: short(hello.version)?,
        source_hash: exactly(&hello.source_hash)?,
        name: short(hello.name)?,
        threads: hello.threads,
        memory: hello.memory,
        labels,
        process: ProcessId(u128::from_be_bytes(exactly(&hello.process)?)),
        nonce: exactly(&hello.nonce)?,
        attempt: hello.attempt,
        // Of another build it may be anything; then it is refused for that.
        resume: match &hello.resume[..] {
            [] => None,
            bytes => unpacked(bytes).ok(),
        },
    })
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Nonsense> {
    bytes.try_into().map_err(|_| Nonsense)
}

/// What is sent of it.
#[must_use]
pub fn down(said: Down) -> proto::Down {
    let same = |same: SameDown| DownSays::SameBuild(packed(&same));
    proto::Down {
        says: Some(match said {
            Down::Challenge { nonce, proof } => DownSays::Challenge(proto::Challenge {
                nonce: nonce.to_vec(),
                proof: proof.to_vec(),
            }),
            Down::Refused(why) => DownSays::Refused(reason(why).into()),
            Down::Welcome(welcome) => same(SameDown::Welcome(welcome)),
            Down::Beat(beat) => same(SameDown::Beat(beat)),
            Down::Letter(letter) => same(SameDown::Letter(letter)),
            Down::Superseded => same(SameDown::Superseded),
        }),
    }
}

fn reason(why: Refused) -> proto::Reason {
    match why {
        Refused::Version => proto::Reason::Version,
        Refused::Token => proto::Reason::Token,
        Refused::Cloned => proto::Reason::Cloned,
        Refused::Full => proto::Reason::Full,
        Refused::OtherRun => proto::Reason::OtherRun,
        Refused::Over => proto::Reason::Over,
    }
}

/// What a master says.
///
/// # Errors
/// When it says nothing, or what cannot be.
pub fn heard_down(said: proto::Down) -> Result<Down, Nonsense> {
    Ok(match said.says.ok_or(Nonsense)? {
        DownSays::Challenge(challenge) => Down::Challenge {
            nonce: exactly(&challenge.nonce)?,
            proof: exactly(&challenge.proof)?,
        },
        DownSays::Refused(why) => Down::Refused(match proto::Reason::try_from(why) {
            Ok(proto::Reason::Version) => Refused::Version,
            Ok(proto::Reason::Token) => Refused::Token,
            Ok(proto::Reason::Cloned) => Refused::Cloned,
            Ok(proto::Reason::Full) => Refused::Full,
            Ok(proto::Reason::OtherRun) => Refused::OtherRun,
            Ok(proto::Reason::Over) => Refused::Over,
            Ok(proto::Reason::Unknown) | Err(_) => return Err(Nonsense),
        }),
        DownSays::SameBuild(bytes) => match unpacked(&bytes)? {
            SameDown::Welcome(welcome) => Down::Welcome(welcome),
            SameDown::Beat(beat) => Down::Beat(beat),
            SameDown::Letter(letter) => Down::Letter(letter),
            SameDown::Superseded => Down::Superseded,
        },
    })
}

impl From<Applied> for proto::Applied {
    fn from(applied: Applied) -> proto::Applied {
        let Applied { applied, kept } = applied;
        proto::Applied { applied, kept }
    }
}

impl From<proto::Applied> for Applied {
    fn from(applied: proto::Applied) -> Applied {
        let proto::Applied { applied, kept } = applied;
        Applied { applied, kept }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::cluster::message::{Levels, News, PROTOCOL, Seat};

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

    fn line(text: String) -> SentLine {
        SentLine {
            number: 7,
            level: 1,
            who: "User 3".to_owned(),
            place: "a.rhai:1".to_owned(),
            text,
        }
    }

    fn up_and_back(said: Up) -> Result<Up, Nonsense> {
        let bytes = up(said).encode_to_vec();
        heard_up(proto::Up::decode(&bytes[..]).unwrap())
    }

    #[test]
    fn what_is_said_is_heard() {
        let seat = Seat {
            epoch: 4,
            member: 1,
        };
        let news = News::Levels(Levels::default());
        for said in [
            Up::Hello(Box::new(hello())),
            Up::Proof([1; 32]),
            Up::Beat(Box::default()),
            Up::Lines(vec![line("hello".to_owned())]),
            Up::Letter(Letter {
                number: 3,
                says: Said::News(seat, news),
            }),
        ] {
            assert_eq!(up_and_back(said.clone()), Ok(said));
        }
        for said in [
            Down::Challenge {
                nonce: [1; 16],
                proof: [2; 32],
            },
            Down::Refused(Refused::Token),
            Down::Beat(Box::default()),
            Down::Letter(Letter {
                number: 1,
                says: Told::Finish,
            }),
            Down::Superseded,
        ] {
            let bytes = down(said.clone()).encode_to_vec();
            assert_eq!(
                heard_down(proto::Down::decode(&bytes[..]).unwrap()),
                Ok(said)
            );
        }
    }

    #[test]
    fn what_cannot_be_is_nonsense() {
        let strange = [
            Hello {
                threads: 0,
                ..hello()
            },
            Hello {
                name: "x".repeat(1_000).into(),
                ..hello()
            },
        ];
        for hello in strange {
            assert_eq!(up_and_back(Up::Hello(Box::new(hello))), Err(Nonsense));
        }
        let many = UpBeat {
            levels: Levels {
                users: u32::MAX,
                ..Levels::default()
            },
            ..UpBeat::default()
        };
        assert_eq!(up_and_back(Up::Beat(Box::new(many))), Err(Nonsense));
        let long = vec![line("x".repeat(5_000))];
        let too_many = vec![line(String::new()); 51];
        for lines in [long, too_many] {
            assert_eq!(up_and_back(Up::Lines(lines)), Err(Nonsense));
        }
        proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..200))| {
            let says = Some(UpSays::SameBuild(bytes.clone()));
            let _ = heard_up(proto::Up { says });
            if let Ok(up) = proto::Up::decode(&bytes[..]) {
                let _ = heard_up(up);
            }
        });
    }
}
