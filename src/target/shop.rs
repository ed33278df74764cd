//! The coupon shop: three kinds of coupons, a limited stock of each, first come first served.
//!
//! Owns who is logged in and what has been issued, as plain data; requests, status codes and the
//! lock around it are elsewhere. Every user's password is `secret`, and a user may take any number
//! of coupons: the shop is meant to be sold out.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// The password of every user.
const PASSWORD: &str = "secret";

/// The most sessions kept; beyond that the oldest is forgotten, and its user has to log in again.
const MAX_SESSIONS: usize = 1_000_000;

const NAMES: [&str; 3] = ["free-shipping", "ten-percent", "two-for-one"];

/// The state of the shop.
pub(super) struct Shop {
    stock: u64,
    left: [u64; NAMES.len()],
    /// Serials continue after a reset, so that none is ever issued twice.
    last_serial: u64,
    sessions: HashSet<u64>,
    /// Every token given out and not yet forgotten, oldest first, logged out or not.
    tokens: VecDeque<u64>,
    logins: u64,
    seed: u64,
}

/// One kind of coupon, as listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coupon {
    pub(super) id: usize,
    pub(super) name: &'static str,
    pub(super) left: u64,
}

/// The result of asking for a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Issue {
    /// One was issued, and `left` remain.
    Issued {
        serial: u64,
        left: u64,
    },
    SoldOut,
    /// There is no such kind.
    Unknown,
}

impl Shop {
    pub(super) fn new(stock: u64) -> Shop {
        Shop {
            stock,
            left: [stock; NAMES.len()],
            last_serial: 0,
            sessions: HashSet::new(),
            tokens: VecDeque::new(),
            logins: 0,
            seed: RandomState::new().hash_one(stock),
        }
    }

    /// Opens a session and returns its token; `None` for a wrong password or an empty user name.
    pub(super) fn login(&mut self, user: &str, password: &str) -> Option<String> {
        if user.is_empty() || password != PASSWORD {
            return None;
        }
        self.logins += 1;
        let token = mix(self.seed.wrapping_add(self.logins));
        self.sessions.insert(token);
        self.tokens.push_back(token);
        if self.tokens.len() > MAX_SESSIONS
            && let Some(oldest) = self.tokens.pop_front()
        {
            self.sessions.remove(&oldest);
        }
        Some(format!("{token:016x}"))
    }

    /// Closes a session; `false` if there was none.
    pub(super) fn logout(&mut self, token: &str) -> bool {
        parse(token).is_some_and(|token| self.sessions.remove(&token))
    }

    /// Whether the token is that of an open session.
    pub(super) fn knows(&self, token: &str) -> bool {
        parse(token).is_some_and(|token| self.sessions.contains(&token))
    }

    /// All kinds of coupons, by id from 1.
    pub(super) fn coupons(&self) -> impl Iterator<Item = Coupon> {
        let named = NAMES.into_iter().zip(self.left);
        named.enumerate().map(|(index, (name, left))| Coupon {
            id: index + 1,
            name,
            left,
        })
    }

    /// Takes one coupon of kind `id` out of the stock.
    pub(super) fn issue(&mut self, id: usize) -> Issue {
        let Some(left) = id.checked_sub(1).and_then(|index| self.left.get_mut(index)) else {
            return Issue::Unknown;
        };
        match left.checked_sub(1) {
            None => Issue::SoldOut,
            Some(rest) => {
                *left = rest;
                self.last_serial += 1;
                Issue::Issued {
                    serial: self.last_serial,
                    left: rest,
                }
            }
        }
    }

    /// Fills the stock up again; sessions stay.
    pub(super) fn restock(&mut self) {
        self.left = [self.stock; NAMES.len()];
    }
}

fn parse(token: &str) -> Option<u64> {
    u64::from_str_radix(token, 16).ok()
}

/// SplitMix64's output function (Steele, Lea, Flood 2014): a bijection, so tokens are unique.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_session_lasts_from_login_to_logout() {
        let mut shop = Shop::new(1);
        assert_eq!(shop.login("mia", "wrong"), None);
        assert_eq!(shop.login("", "secret"), None);
        let token = shop.login("mia", "secret").expect("the right password");
        let other = shop.login("mia", "secret").expect("the right password");
        assert_ne!(token, other);
        assert!(shop.knows(&token));
        assert!(!shop.knows("not a token"));
        assert!(shop.logout(&token));
        assert!(!shop.logout(&token));
        assert!(!shop.knows(&token));
        assert!(shop.knows(&other));
    }

    #[test]
    fn the_oldest_session_makes_room() {
        let mut shop = Shop::new(1);
        let first = shop.login("u", "secret").expect("the right password");
        for _ in 1..MAX_SESSIONS {
            shop.login("u", "secret");
        }
        assert!(shop.knows(&first));
        shop.login("u", "secret");
        assert!(!shop.knows(&first));
        assert_eq!(shop.sessions.len(), MAX_SESSIONS);
    }

    proptest! {
        #[test]
        fn stock_is_issued_exactly_and_serials_never_repeat(
            stock in 0_u64..20,
            asked in prop::collection::vec(0_usize..5, 0..120),
            restock_at in 0_usize..120,
        ) {
            let mut shop = Shop::new(stock);
            let mut issued = [0_u64; NAMES.len()];
            let mut serials = HashSet::new();
            for (step, id) in asked.into_iter().enumerate() {
                if step == restock_at {
                    shop.restock();
                    issued = [0; NAMES.len()];
                }
                match shop.issue(id) {
                    Issue::Issued { serial, left } => {
                        issued[id - 1] += 1;
                        prop_assert_eq!(left, stock - issued[id - 1]);
                        prop_assert!(serials.insert(serial));
                    }
                    Issue::SoldOut => prop_assert_eq!(issued[id - 1], stock),
                    Issue::Unknown => prop_assert!(id == 0 || id > NAMES.len()),
                }
            }
            for coupon in shop.coupons() {
                prop_assert_eq!(coupon.left, stock - issued[coupon.id - 1]);
            }
        }
    }
}
