//! News of a member elsewhere, as they come.
//!
//! Owns what is believed of them. What they mean is `load_thread`'s.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::runner::Unable;
use crate::runner::fleet::Levels;
use crate::runner::load_thread::News;

/// More users than any member has.
const MOST_USERS: u32 = 10_000_000;
/// The longest text, in bytes, and the most texts.
const LONGEST_TEXT: usize = 4_096;
const MOST_TEXTS: usize = 1_000;

/// What a member elsewhere says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Said(pub(super) News);

/// News that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strange(&'static str);

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "news with {}", self.0)
    }
}

impl std::error::Error for Strange {}

impl Said {
    /// The bytes of it.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("memory is all that it takes")
    }

    /// What those bytes say. It takes as much memory as they do, times ten at most.
    ///
    /// # Errors
    /// When they say nothing, or what cannot be.
    pub fn decoded(bytes: &[u8]) -> Result<Said, Strange> {
        let said: Said =
            postcard::from_bytes(bytes).map_err(|_| Strange("bytes that say nothing"))?;
        said.checked()
    }

    fn checked(self) -> Result<Said, Strange> {
        let texts: &[String] = match &self.0 {
            News::Levels(levels) | News::Adopted(levels) | News::Assigned(_, levels) => {
                return match Said::are_possible(*levels) {
                    true => Ok(self),
                    false => Err(Strange("more users than there can be")),
                };
            }
            News::Ended { cut } if *cut > u64::from(MOST_USERS) => {
                return Err(Strange("more requests than there can be"));
            }
            News::Prepared {
                result: Ok(remarks),
                ..
            } => remarks,
            News::Prepared {
                result: Err(why), ..
            }
            | News::Failed(why) => match why {
                Unable::Script(why)
                | Unable::Client(why)
                | Unable::System(why)
                | Unable::Limit(why) => std::slice::from_ref(why),
                Unable::Panicked => &[],
            },
            News::StopTest(why) => std::slice::from_ref(why),
            News::Ready | News::Overflowed | News::Ended { .. } => &[],
        };
        let are_short = texts.iter().all(|text| text.len() <= LONGEST_TEXT);
        match are_short && texts.len() <= MOST_TEXTS {
            true => Ok(self),
            false => Err(Strange("texts without end")),
        }
    }

    fn are_possible(levels: Levels) -> bool {
        let counts = [levels.users, levels.peak, levels.behind];
        counts.into_iter().all(|users| users <= MOST_USERS)
    }

    /// Whether it is the last that the member says.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self.0, News::Ended { .. })
    }

    /// Whether the member is ready to begin.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.0, News::Ready)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_said_arrives() {
        let levels = Levels {
            users: 7,
            peak: 9,
            behind: 1,
            stage: Some(2),
            is_idle: true,
        };
        for news in [
            News::Ready,
            News::Levels(levels),
            News::Assigned(3, levels),
            News::StopTest("enough".to_owned()),
            News::Failed(Unable::Client("no certificate".to_owned())),
            News::Prepared {
                ticket: 4,
                result: Ok(vec!["a remark".to_owned()]),
            },
            News::Ended { cut: 12 },
        ] {
            let said = format!("{news:?}");
            let arrived = Said::decoded(&Said(news).encoded()).unwrap();
            assert_eq!(format!("{:?}", arrived.0), said);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let many = Levels {
            users: u32::MAX,
            ..Levels::default()
        };
        let refused = |news| {
            Said::decoded(&Said(news).encoded())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            [
                refused(News::Levels(many)),
                refused(News::Ended { cut: 1 << 60 }),
                refused(News::StopTest("x".repeat(5_000))),
            ],
            [
                "news with more users than there can be",
                "news with more requests than there can be",
                "news with texts without end"
            ]
        );
        assert!(Said::decoded(&[]).is_err());
        proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..60))| {
            let _ = Said::decoded(&bytes);
        });
    }
}
