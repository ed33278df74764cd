//! Where the time of one exchange went: seven phases that add up to the whole.
//!
//! Owns only the arithmetic; the times are taken where things happen and passed in.

use crate::clock::Micros;

/// How long an exchange spent in each phase, in µs, summed over redirects and retries.
///
/// The phases follow one another without a gap: their sum is `ended - started` of the
/// [`Exchange`](super::Exchange).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Time outside the other phases: between hops and attempts, lost on a connection that the
    /// server had already closed, and waiting for an HTTP/2 connection that another request of the
    /// same user was opening.
    pub blocked: u32,
    /// Resolving the host's name; zero when the answer was cached or the host is an address.
    pub dns: u32,
    /// The TCP handshake, with every address that was tried, and a proxy's tunnel.
    pub connect: u32,
    /// The TLS handshake.
    pub tls: u32,
    /// From having a connection until the last byte of the request is handed to the kernel; on a
    /// shared connection, the last byte before any came back.
    pub send: u32,
    /// From then to the first byte of the response.
    pub wait: u32,
    /// From then to the last byte of the response, or of its head if it is streamed.
    pub receive: u32,
}

#[derive(Clone, Copy)]
pub(super) enum Phase {
    Blocked,
    Dns,
    Connect,
    Tls,
    Send,
    Wait,
    Receive,
}

/// The phases so far, and the current one.
pub(super) struct Timeline {
    phases: Phases,
    current: Phase,
    mark: Micros,
}

impl Timeline {
    pub(super) fn new(started: Micros) -> Timeline {
        Timeline {
            phases: Phases::default(),
            current: Phase::Blocked,
            mark: started,
        }
    }

    /// Ends the current phase at `at`, where the next one begins.
    pub(super) fn enter(&mut self, next: Phase, at: Micros) {
        let spent_us = u32::try_from(at.since(self.mark)).unwrap_or(u32::MAX);
        let phases = &mut self.phases;
        let phase = match self.current {
            Phase::Blocked => &mut phases.blocked,
            Phase::Dns => &mut phases.dns,
            Phase::Connect => &mut phases.connect,
            Phase::Tls => &mut phases.tls,
            Phase::Send => &mut phases.send,
            Phase::Wait => &mut phases.wait,
            Phase::Receive => &mut phases.receive,
        };
        *phase = phase.saturating_add(spent_us);
        self.mark = self.mark.max(at);
        self.current = next;
    }

    /// Changes what the current phase is called: no need to read the clock when an idle connection
    /// is at hand.
    pub(super) fn rename(&mut self, current: Phase) {
        self.current = current;
    }

    /// When the current phase began.
    pub(super) fn mark(&self) -> Micros {
        self.mark
    }

    pub(super) fn phases(&self) -> Phases {
        self.phases
    }
}

impl Phases {
    /// Every phase with its name, in order.
    #[must_use]
    pub fn each(&self) -> [(&'static str, u32); 7] {
        [
            ("blocked", self.blocked),
            ("dns", self.dns),
            ("connect", self.connect),
            ("tls", self.tls),
            ("send", self.send),
            ("wait", self.wait),
            ("receive", self.receive),
        ]
    }

    /// The sum of all phases, in µs.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.each().into_iter().map(|(_, us)| u64::from(us)).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    #[test]
    fn phases_add_up_and_never_go_backwards() {
        let started = clock::now();
        let at = |us| started + Duration::from_micros(us);
        let mut timeline = Timeline::new(started);
        timeline.enter(Phase::Dns, at(5));
        timeline.enter(Phase::Connect, at(25));
        timeline.enter(Phase::Send, at(325));
        // A time before the current phase began takes nothing back.
        timeline.enter(Phase::Wait, at(300));
        timeline.enter(Phase::Receive, at(1_000));
        timeline.enter(Phase::Blocked, at(1_001));
        let phases = timeline.phases();
        assert_eq!(
            phases,
            Phases {
                blocked: 5,
                dns: 20,
                connect: 300,
                tls: 0,
                send: 0,
                wait: 675,
                receive: 1
            }
        );
        assert_eq!(phases.total(), 1_001);
    }
}
