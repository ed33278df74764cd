//! What a run warns of once, however many users and threads meet it.
//!
//! Owns which such things there are; what is wrong is known where it is met.

use super::log::Level;
use super::thread::{Shared, Thread};
use super::user::User;
use crate::http::{RefusedCookie, Session};

/// Something that is said once.
#[derive(Clone, Copy)]
pub(super) enum Once {
    HalfAPair,
    RoundedNumber,
    CutText,
    RefusedCookie(u8),
}

impl Once {
    fn bit(self) -> u16 {
        match self {
            Once::HalfAPair => 1,
            Once::RoundedNumber => 2,
            Once::CutText => 4,
            Once::RefusedCookie(reason) => u16::from(reason) << u8::BITS,
        }
    }
}

impl Shared {
    /// Whether nobody has said it yet.
    fn is_first(&self, once: Once) -> bool {
        self.say_once(once.bit())
    }
}

impl Thread {
    pub(super) fn warn_once(&self, once: Once, who: String, place: String, text: String) {
        if self.shared.is_first(once) {
            self.say(Level::Warn, who, place, text);
        }
    }
}

impl User {
    /// Warns of a cookie that is of no use to this user. Costs a look where there is none.
    pub(super) fn tell_refused_cookie(&self, session: &Session) {
        if let Some(refused) = session.client().take_refused_cookie() {
            self.warn_of(&refused);
        }
    }

    #[cold]
    fn warn_of(&self, refused: &RefusedCookie) {
        let once = Once::RefusedCookie(refused.reason.bit());
        let (who, text) = (self.described(), refused.to_string());
        self.thread.warn_once(once, who, String::new(), text);
    }
}
