//! Chains of redirects between two origins, drawn at random with a fixed seed: whatever way they
//! go, what was given for one origin never reaches the other. Single rules are in `redirects`.

use std::cell::RefCell;

use hyper::header::{AUTHORIZATION, HeaderValue};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

/// As many as were once tried by hand.
const CHAINS: usize = 275;

/// Two origins and all that they were asked.
struct Pair {
    first: Peer,
    other: Peer,
    heard: Rc<RefCell<Vec<(char, String)>>>,
}

/// Peers that are called `a` and `b`: `/302b307a` leads by a 302 to `b`, from there by a 307 to
/// `a`, which answers.
async fn pair() -> Pair {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let addresses = Rc::new(RefCell::new(Vec::<String>::new()));
    let peer = |name: char| {
        let (heard, addresses) = (heard.clone(), addresses.clone());
        Peer::answering(move |request| {
            heard.borrow_mut().push((name, request.to_lowercase()));
            let path = request.split(' ').nth(1).unwrap().trim_start_matches('/');
            let (Some(status), Some(next)) = (path.get(..3), path.get(3..4)) else {
                return ok("here");
            };
            let address = addresses.borrow()[usize::from(next == "b")].clone();
            let rest = &path[4..];
            // A name of its own, for cookies belong to hosts, not to ports.
            let location = format!("location: http://{address}/{rest}\r\n");
            let cookie = format!("set-cookie: of-{name}=secret-of-{name}\r\n");
            respond(&format!("{status} Moved"), &(location + &cookie), "")
        })
    };
    let (first, other) = (peer('a').await, peer('b').await);
    let port = other.address.port();
    let both = [first.address.to_string(), format!("localhost:{port}")];
    addresses.borrow_mut().extend(both);
    Pair {
        first,
        other,
        heard,
    }
}

#[test]
fn no_chain_carries_a_secret_to_another_origin() {
    on_thread(async {
        let Pair {
            first,
            other,
            heard,
        } = pair().await;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(9);
        let client = client(Options::default());
        for chain in 0..CHAINS {
            let session = Session::new(&client);
            let of_session = random.next_u64().is_multiple_of(2);
            let secret = HeaderValue::from_static("secret-of-a");
            let mut path = String::from("/");
            for _ in 0..=random.next_u64() % 6 {
                let status = ["301", "302", "303", "307", "308"];
                let drawn = usize::try_from(random.next_u64() % 5).unwrap();
                path += status[drawn];
                path.push(if random.next_u64().is_multiple_of(2) {
                    'a'
                } else {
                    'b'
                });
            }
            let mut request = match random.next_u64() % 2 {
                0 => first.get(&path),
                _ => first.post(&path, "data"),
            };
            if of_session {
                session.set_header(AUTHORIZATION, secret);
            } else {
                request.headers.insert(AUTHORIZATION, secret);
            }
            heard.borrow_mut().clear();
            let exchange = session.send(request).await;
            assert!(exchange.result.is_ok(), "{chain} {path}: {exchange:?}");
            let heard = heard.borrow();
            assert_eq!(heard.len(), path.len() / 4 + 1, "{path}");
            assert!(heard[0].1.contains("secret-of-a"), "{path}");
            for (number, (name, asked)) in heard.iter().enumerate() {
                let foreign = if *name == 'a' {
                    "secret-of-b"
                } else {
                    "secret-of-a"
                };
                assert!(
                    !asked.contains(foreign),
                    "chain {chain}, {path}, request {number} to {name}: {asked}"
                );
            }
        }
        drop(other);
    });
}
