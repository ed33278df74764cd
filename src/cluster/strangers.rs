//! Connections that are of no use, in the master's log.
//!
//! Owns that whoever makes many of them does not fill it: a line a second, with how many others there
//! were.

use std::time::Duration;

use crate::clock::Micros;

/// How often one is named.
const NAMED: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers {
    named: Option<Micros>,
    others: u64,
}

impl Strangers {
    /// The line for one more, if it is time for one.
    pub(super) fn line(&mut self, now: Micros, what: &str) -> Option<String> {
        if self.named.is_some_and(|named| named + NAMED > now) {
            self.others += 1;
            return None;
        }
        self.named = Some(now);
        Some(match std::mem::take(&mut self.others) {
            0 => what.to_owned(),
            others => format!("{what} (and {others} others since the last line like this)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_a_second() {
        let mut strangers = Strangers::default();
        let lines: Vec<_> = (0..3_000)
            .filter_map(|millis| {
                let now = Micros::default() + Duration::from_millis(millis);
                strangers.line(now, "x")
            })
            .collect();
        let others = "x (and 999 others since the last line like this)";
        assert_eq!(lines, ["x", others, others]);
    }
}
