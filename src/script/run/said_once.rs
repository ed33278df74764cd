//! What a run warns of once, however many users and threads meet it.
//!
//! Owns which such things there are; what is wrong is known where it is met.

use std::sync::atomic::{AtomicU16, Ordering};

/// Something that is said once.
#[derive(Clone, Copy)]
pub(crate) enum Once {
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

/// What has been said.
#[derive(Debug, Default)]
pub(crate) struct SaidOnce(AtomicU16);

impl SaidOnce {
    /// Notes that it is said; true the first time.
    pub(crate) fn is_first(&self, once: Once) -> bool {
        let bit = once.bit();
        self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}
