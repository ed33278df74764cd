//! Names to addresses, looked up once a minute.
//!
//! Load must not fall on the name server: all users of a thread share one cache, and simultaneous
//! lookups of a name wait for one answer.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::{Micros, now};

const TTL: Duration = Duration::from_secs(60);
/// How long a failure is cached: long enough for one answer to serve everyone waiting for it.
const FAILURE_TTL: Duration = Duration::from_secs(1);

/// The addresses of one name and the one that last accepted a connection.
pub(super) struct Addresses {
    all: Vec<SocketAddr>,
    preferred: Cell<usize>,
}

#[derive(Default)]
pub(super) struct Resolver {
    names: RefCell<Vec<Rc<Name>>>,
}

struct Name {
    host: Box<str>,
    port: u16,
    lookup: Mutex<Option<Lookup>>,
}

struct Lookup {
    until: Micros,
    addresses: Option<Rc<Addresses>>,
}

impl Resolver {
    /// The addresses of `host`; `None` if it has none. If cancelled, the next caller does the
    /// lookup.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> Option<Rc<Addresses>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Rc::new(Addresses::new(vec![SocketAddr::new(
                address, port,
            )])));
        }
        let name = self.name(host, port);
        let mut lookup = name.lookup.lock().await;
        if let Some(lookup) = &*lookup
            && now() < lookup.until
        {
            return lookup.addresses.clone();
        }
        let found = tokio::net::lookup_host((host, port))
            .await
            .map(Iterator::collect)
            .unwrap_or_default();
        let fresh = Lookup::new(found, lookup.take());
        let addresses = fresh.addresses.clone();
        *lookup = Some(fresh);
        addresses
    }

    fn name(&self, host: &str, port: u16) -> Rc<Name> {
        let mut names = self.names.borrow_mut();
        if let Some(name) = names
            .iter()
            .find(|name| name.port == port && *name.host == *host)
        {
            return Rc::clone(name);
        }
        // A script that generates host names must not fill the memory.
        if names.len() >= 256 {
            names.clear();
        }
        let name = Rc::new(Name {
            host: host.into(),
            port,
            lookup: Mutex::new(None),
        });
        names.push(Rc::clone(&name));
        name
    }
}

impl Lookup {
    /// Takes the new addresses, or keeps the previous ones if there are none: an overloaded name
    /// server or a process out of file descriptors must not look like an unknown host.
    fn new(found: Vec<SocketAddr>, before: Option<Lookup>) -> Lookup {
        if found.is_empty() {
            return Lookup {
                until: now() + FAILURE_TTL,
                addresses: before.and_then(|lookup| lookup.addresses),
            };
        }
        Lookup {
            until: now() + TTL,
            addresses: Some(Rc::new(Addresses::new(found))),
        }
    }
}

impl Addresses {
    pub(super) fn new(all: Vec<SocketAddr>) -> Addresses {
        Addresses {
            all,
            preferred: Cell::new(0),
        }
    }

    /// All of them, the one that worked last first; the number identifies it for [`Self::prefer`].
    pub(super) fn in_order(&self) -> impl Iterator<Item = (usize, SocketAddr)> {
        let preferred = self.preferred.get();
        (0..self.all.len()).map(move |step| {
            let at = (preferred + step) % self.all.len();
            (at, self.all[at])
        })
    }

    pub(super) fn prefer(&self, at: usize) {
        self.preferred.set(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_worked_comes_first() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let addresses = Addresses::new(vec![address(1), address(2), address(3)]);
        let order = || -> Vec<u16> { addresses.in_order().map(|(_, a)| a.port()).collect() };
        assert_eq!(order(), [1, 2, 3]);
        addresses.prefer(1);
        assert_eq!(order(), [2, 3, 1]);
    }

    #[test]
    fn an_answer_outlives_a_failure_to_ask_again() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let found = Lookup::new(vec![address], None);
        let again = Lookup::new(Vec::new(), Some(found));
        assert_eq!(again.addresses.unwrap().all, [address]);
        assert!(Lookup::new(Vec::new(), None).addresses.is_none());
    }

    #[test]
    fn localhost_is_asked_once_and_names_without_address_are_none() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let resolver = Resolver::default();
            let first = resolver.resolve("localhost", 1).await.unwrap();
            let second = resolver.resolve("localhost", 1).await.unwrap();
            assert!(Rc::ptr_eq(&first, &second));
            // RFC 6761: `.invalid` never resolves.
            assert!(resolver.resolve("nobody.invalid", 1).await.is_none());
        });
    }
}
