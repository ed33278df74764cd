//! Who may come in: the token, the version, and that a process is there once.
//!
//! Owns the proofs, the bounds on connections that have proved nothing, and how clones are told
//! from a worker that comes back. What a worker may do afterwards is `master`'s business.
//!
//! - The token never crosses the wire. Both sides show `HMAC-SHA256(token, role, version, source,
//!   both nonces, process)`, the master first: a worker runs nothing from a stranger.
//! - Before its proof a connection has [`PATIENCE`], and there are at most [`GUESTS`]; an address
//!   with [`WRONG`] wrong proofs in a minute waits until that minute is over.
//! - A worker counts its connections ([`Hello::attempt`](super::message::Hello::attempt)). A later
//!   one takes the place of an earlier one. A number that is not later is an old connection that
//!   was slow, or a second process with the same memory; the third of these within half a
//!   minute is a clone (attempts of one that is turned away are up to 7.5 s apart), and both are
//!   refused, since nobody knows which one is meant. A connection that contradicts what is known of
//!   the process counts as one of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::message::{Down, Hello, PROTOCOL, Refused, Up};
use crate::clock::Micros;

/// How long a connection may take to prove itself.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Connections at once that have not proved themselves.
pub const GUESTS: usize = 64;

/// Wrong proofs a minute from one address.
pub const WRONG: usize = 10;

/// Addresses with wrong proofs that are remembered.
const ADDRESSES: usize = 1_024;

/// Connections in these many seconds that are not later than the one that stands, of a clone.
const CLONED: (usize, Duration) = (3, Duration::from_secs(30));

/// A connection, by the glue's number; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u64);

/// What both sides must have the same of.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The token; empty if none is asked for.
    pub token: Box<[u8]>,
    /// Katydid's version.
    pub version: Box<str>,
    /// SHA-256 of the source.
    pub source_hash: [u8; 32],
}

/// Who proves that it knows the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The master, to a worker.
    Master,
    /// A worker, to the master.
    Worker,
}

impl Credentials {
    /// That `role` knows the token, for one connection.
    #[must_use]
    pub fn proof(&self, role: Role, hello: &Hello, nonce: &[u8; 16]) -> [u8; 32] {
        let key = Hmac::<Sha256>::new_from_slice(&self.token);
        let mut mac = key.expect("a key may have any length");
        mac.update(match role {
            Role::Master => b"master",
            Role::Worker => b"worker",
        });
        // Of fixed lengths but for the version, whose length comes first.
        mac.update(&(self.version.len() as u64).to_be_bytes());
        mac.update(self.version.as_bytes());
        mac.update(&self.source_hash);
        mac.update(&hello.nonce);
        mac.update(nonce);
        mac.update(&hello.process.0.to_be_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Whether that was proved; takes as long for any wrong proof.
    #[must_use]
    pub fn is_proved(&self, role: Role, hello: &Hello, nonce: &[u8; 16], proof: &[u8; 32]) -> bool {
        self.proof(role, hello, nonce).ct_eq(proof).into()
    }

    fn is_same_build(&self, hello: &Hello) -> bool {
        let same = hello.protocol == PROTOCOL && hello.version == self.version;
        same && hello.source_hash == self.source_hash
    }
}

/// A connection that has not proved itself.
#[derive(Clone, Debug)]
struct Guest {
    since: Micros,
    address: u128,
    nonce: [u8; 16],
    key: u128,
    hello: Option<Box<Hello>>,
}

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// This is the answer.
    Answer(Down),
    /// It has proved itself; a new worker gets this key.
    Proved(Box<Hello>, u128),
    /// It is told why, and closed.
    Refused(Refused),
    /// It is closed without a word.
    Nonsense,
}

/// The connections of a master that have not proved themselves.
#[derive(Clone, Debug, Default)]
pub struct Door {
    guests: BTreeMap<Conn, Guest>,
    /// By address: when its last proofs were wrong.
    wrong: BTreeMap<u128, VecDeque<Micros>>,
}

impl Door {
    /// A connection is there; `nonce` and `key` are random. False if it has to be closed.
    pub fn opened(
        &mut self,
        now: Micros,
        conn: Conn,
        address: u128,
        nonce: [u8; 16],
        key: u128,
    ) -> bool {
        if self.guests.len() >= GUESTS || self.is_barred(now, address) {
            return false;
        }
        let guest = Guest {
            since: now,
            address,
            nonce,
            key,
            hello: None,
        };
        self.guests.insert(conn, guest);
        true
    }

    /// What a connection says before it has proved itself; `None` if it is no guest any longer.
    pub fn on(&mut self, now: Micros, conn: Conn, up: Up, own: &Credentials) -> Option<Admission> {
        let guest = self.guests.get_mut(&conn)?;
        let admission = match (up, guest.hello.take()) {
            (Up::Hello(hello), None) if !own.is_same_build(&hello) => {
                Admission::Refused(Refused::Version)
            }
            (Up::Hello(hello), None) => {
                let proof = own.proof(Role::Master, &hello, &guest.nonce);
                let nonce = guest.nonce;
                guest.hello = Some(hello);
                return Some(Admission::Answer(Down::Challenge { nonce, proof }));
            }
            (Up::Proof(proof), Some(hello)) => {
                match own.is_proved(Role::Worker, &hello, &guest.nonce, &proof) {
                    true => Admission::Proved(hello, guest.key),
                    false => {
                        let address = guest.address;
                        self.was_wrong(now, address);
                        Admission::Refused(Refused::Token)
                    }
                }
            }
            _ => Admission::Nonsense,
        };
        self.guests.remove(&conn);
        Some(admission)
    }

    /// A connection has ended.
    pub fn closed(&mut self, conn: Conn) {
        self.guests.remove(&conn);
    }

    /// Those that have taken too long; they are guests no longer.
    pub fn overdue(&mut self, now: Micros) -> Vec<Conn> {
        let late = |guest: &Guest| guest.since + PATIENCE <= now;
        self.guests
            .extract_if(.., |_, guest| late(guest))
            .map(|(conn, _)| conn)
            .collect()
    }

    fn was_wrong(&mut self, now: Micros, address: u128) {
        if self.wrong.len() >= ADDRESSES && !self.wrong.contains_key(&address) {
            // Whoever has that many addresses is not held up by forgetting one.
            self.wrong.pop_first();
        }
        let wrong = self.wrong.entry(address).or_default();
        wrong.push_back(now);
        if wrong.len() > WRONG {
            wrong.pop_front();
        }
    }

    fn is_barred(&self, now: Micros, address: u128) -> bool {
        let minute = Duration::from_secs(60);
        let wrong = self.wrong.get(&address);
        let first = wrong.filter(|wrong| wrong.len() == WRONG);
        first.is_some_and(|wrong| wrong.front().is_some_and(|first| *first + minute > now))
    }
}

/// The connections of one process, to tell whether it is one process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Attempts {
    latest: u64,
    /// By the clock of one process.
    #[serde(skip)]
    strikes: VecDeque<Micros>,
}

/// What a connection that has proved itself is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The latest: it takes the place of any before it.
    Latest,
    /// It is not later than another one.
    Old,
    /// There are two processes.
    Cloned,
}

impl Attempts {
    /// Another connection has proved itself.
    pub fn on(&mut self, now: Micros, attempt: u64) -> Rank {
        if attempt > self.latest {
            self.latest = attempt;
            return Rank::Latest;
        }
        self.strike(now)
    }

    /// A connection contradicts what is known of the process.
    pub fn strike(&mut self, now: Micros) -> Rank {
        let (most, within) = CLONED;
        self.strikes.push_back(now);
        self.strikes.retain(|strike| *strike + within > now);
        match self.strikes.len() >= most {
            true => Rank::Cloned,
            false => Rank::Old,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::message::ProcessId;

    fn at(millis: u64) -> Micros {
        Micros::default() + Duration::from_millis(millis)
    }

    pub(crate) fn credentials(token: &str) -> Credentials {
        Credentials {
            token: token.as_bytes().into(),
            version: "1.0".into(),
            source_hash: [7; 32],
        }
    }

    fn hello() -> Hello {
        Hello {
            protocol: PROTOCOL,
            version: "1.0".into(),
            source_hash: [7; 32],
            name: "one".into(),
            threads: 2,
            memory: 0,
            labels: BTreeMap::new(),
            process: ProcessId(5),
            nonce: [1; 16],
            attempt: 1,
            resume: None,
        }
    }

    fn said(door: &mut Door, up: Up) -> Option<Admission> {
        door.on(at(0), Conn(1), up, &credentials("secret"))
    }

    fn proof_by(token: &str) -> Option<Admission> {
        let mut door = Door::default();
        assert!(door.opened(at(0), Conn(1), 9, [2; 16], 4));
        let challenge = said(&mut door, Up::Hello(Box::new(hello())));
        let Some(Admission::Answer(Down::Challenge { nonce, proof })) = challenge else {
            panic!("{challenge:?}");
        };
        let own = credentials(token);
        let is_master = own.is_proved(Role::Master, &hello(), &nonce, &proof);
        assert_eq!(is_master, token == "secret", "a worker knows a stranger");
        let proof = own.proof(Role::Worker, &hello(), &nonce);
        assert_ne!(
            proof,
            own.proof(Role::Master, &hello(), &nonce),
            "no echo will do"
        );
        said(&mut door, Up::Proof(proof))
    }

    #[test]
    fn both_sides_prove_that_they_know_the_token() {
        assert!(matches!(proof_by("secret"), Some(Admission::Proved(_, 4))));
        assert_eq!(proof_by("guess"), Some(Admission::Refused(Refused::Token)));
    }

    #[test]
    fn another_version_is_told_and_nonsense_is_not_answered() {
        let mut door = Door::default();
        let other = Hello {
            source_hash: [8; 32],
            ..hello()
        };
        door.opened(at(0), Conn(1), 9, [2; 16], 4);
        let refused = said(&mut door, Up::Hello(Box::new(other)));
        assert_eq!(refused, Some(Admission::Refused(Refused::Version)));
        assert_eq!(said(&mut door, Up::Proof([0; 32])), None, "it is gone");
        door.opened(at(0), Conn(1), 9, [2; 16], 4);
        let nonsense = said(&mut door, Up::Proof([0; 32]));
        assert_eq!(nonsense, Some(Admission::Nonsense));
    }

    #[test]
    fn who_proves_nothing_is_held_to_bounds() {
        let mut door = Door::default();
        for conn in 0..GUESTS as u64 {
            assert!(door.opened(at(conn), Conn(conn), 9, [2; 16], 4));
        }
        assert!(!door.opened(at(70), Conn(70), 9, [2; 16], 4));
        assert_eq!(door.overdue(at(5_001)), [Conn(0), Conn(1)]);
        assert!(door.opened(at(5_001), Conn(70), 9, [2; 16], 4));
        let mut door = Door::default();
        (0..WRONG as u64).for_each(|n| door.was_wrong(at(n), 9));
        assert!(!door.opened(at(60_000 - 1), Conn(1), 9, [2; 16], 4));
        assert!(door.opened(at(60_000 - 1), Conn(1), 8, [2; 16], 4));
        assert!(door.opened(at(60_000), Conn(2), 9, [2; 16], 4));
        (0..9_999).for_each(|address| door.was_wrong(at(0), address));
        assert!(door.wrong.len() <= ADDRESSES);
    }

    #[test]
    fn two_processes_with_one_memory_are_found_out() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.on(at(0), 1), Rank::Latest);
        // The copy, and the first one again; both count on.
        let ranks = [2, 2, 3, 3, 4, 4].map(|attempt| attempts.on(at(100), attempt));
        assert_eq!(
            ranks,
            [
                Rank::Latest,
                Rank::Old,
                Rank::Latest,
                Rank::Old,
                Rank::Latest,
                Rank::Cloned
            ]
        );
        // A slow connection now and then is none.
        let mut attempts = Attempts::default();
        attempts.on(at(0), 9);
        let slow = [0, 4_000, 30_000, 34_000].map(|now| attempts.on(at(now), 8));
        assert_eq!(slow, [Rank::Old; 4]);
    }
}
