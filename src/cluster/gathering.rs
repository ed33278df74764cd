//! When users move after workers came or went: not at once, since ten pods that start together are
//! one move.
//!
//! Owns that moment. What moves where is worked out by the run.

use std::time::Duration;

use crate::clock::Micros;

/// Users move once nobody has come or gone for so long.
pub const QUIET: Duration = Duration::from_secs(2);

/// They move after so long even if it is never quiet.
pub const AT_MOST: Duration = Duration::from_secs(10);

/// Changes that are waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gathering(Option<(Micros, Micros)>);

impl Gathering {
    /// A worker came or went.
    pub fn on(&mut self, now: Micros) {
        let (first, _) = self.0.unwrap_or((now, now));
        self.0 = Some((first, now));
    }

    /// When users move, if they have to.
    #[must_use]
    pub fn due(self) -> Option<Micros> {
        let (first, last) = self.0?;
        Some((last + QUIET).min(first + AT_MOST))
    }

    /// Whether users move now; true once.
    pub fn is_over(&mut self, now: Micros) -> bool {
        let is_over = self.due().is_some_and(|due| due <= now);
        if is_over {
            self.0 = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Micros {
        Micros::default() + Duration::from_secs(secs)
    }

    #[test]
    fn those_that_come_together_are_one_move() {
        let mut gathering = Gathering::default();
        assert!(!gathering.is_over(at(0)));
        gathering.on(at(1));
        gathering.on(at(2));
        assert!(!gathering.is_over(at(3)));
        assert!(gathering.is_over(at(4)) && !gathering.is_over(at(4)));
        // Somebody comes or goes every second.
        (10..25).for_each(|now| gathering.on(at(now)));
        assert_eq!(gathering.due(), Some(at(20)));
    }
}
