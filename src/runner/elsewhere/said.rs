//! News of a member elsewhere, as they come.
//!
//! Owns what is believed of them. What they mean is `load_thread`'s.

use crate::runner::Unable;
use crate::runner::fleet::Levels;
use crate::runner::load_thread::News;

/// More users than any member has.
const MOST_USERS: u32 = 1_000_000;
/// The longest text, in bytes, and the most texts.
const LONGEST_TEXT: usize = 4_096;
const MOST_TEXTS: usize = 1_000;

impl News {
    /// Itself, with the name of the member that says it in what people read.
    #[must_use]
    pub fn said_by(self, name: &str) -> News {
        match self {
            News::Prepared {
                ticket,
                result: Err(why),
            } => News::Prepared {
                ticket,
                result: Err(why.on(name)),
            },
            News::Failed(why) => News::Failed(why.on(name)),
            other => other,
        }
    }

    /// Whether a member may say that: whoever says it is not to be believed else.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let texts: &[String] = match self {
            News::Levels(levels) | News::Adopted(levels) | News::Assigned(_, levels) => {
                return levels.are_possible();
            }
            News::Ended { cut } => return *cut <= u64::from(MOST_USERS),
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
            News::Ready | News::ExitCode(_) | News::Overflowed => &[],
        };
        let are_short = texts.iter().all(|text| text.len() <= LONGEST_TEXT);
        are_short && texts.len() <= MOST_TEXTS
    }
}

impl Levels {
    /// Whether a member may have them: so many of those of all members add up.
    #[must_use]
    pub fn are_possible(&self) -> bool {
        let counts = [self.users, self.peak, self.behind];
        counts.into_iter().all(|users| users <= MOST_USERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_not_believed() {
        let many = Levels {
            users: u32::MAX,
            ..Levels::default()
        };
        let possible = [
            News::Ready,
            News::Levels(Levels::default()),
            News::StopTest("enough".to_owned()),
            News::Failed(Unable::Client("no certificate".to_owned())),
            News::Ended { cut: 12 },
        ];
        assert!(possible.iter().all(News::is_possible));
        let impossible = [
            News::Levels(many),
            News::Assigned(3, many),
            News::Ended { cut: 1 << 60 },
            News::StopTest("x".repeat(5_000)),
            News::Prepared {
                ticket: 1,
                result: Ok(vec![String::new(); 2_000]),
            },
        ];
        assert!(!impossible.iter().any(News::is_possible));
    }
}
