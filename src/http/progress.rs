//! What is measured of a request along the way, through redirects and retries.
//!
//! Owns the sums over all hops; the times are taken where things happen.

use super::exchange::Exchange;
use super::failure::Error;
use super::response::Response;
use super::timeline::{Phase, Timeline};
use crate::clock::Micros;

/// What has been measured so far; kept however the request ends.
pub(super) struct Progress {
    pub(super) timeline: Timeline,
    /// The chain has left its first origin: credentials are no longer sent.
    pub(super) is_foreign: bool,
    first_byte: Option<Micros>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) redirects: u32,
    pub(super) stale_retries: u32,
    pub(super) retries: u32,
}

impl Progress {
    pub(super) fn new(started: Micros) -> Progress {
        Progress {
            timeline: Timeline::new(started),
            is_foreign: false,
            first_byte: None,
            sent: 0,
            received: 0,
            redirects: 0,
            stale_retries: 0,
            retries: 0,
        }
    }

    /// Closes the phases that are over, when a response has begun or nothing more will come.
    pub(super) fn close_phases(&mut self, written: Option<Micros>, first_byte: Option<Micros>) {
        self.first_byte = first_byte;
        if let Some(at) = written {
            self.timeline.enter(Phase::Wait, at);
        }
        if let Some(at) = first_byte {
            self.timeline.enter(Phase::Receive, at);
        }
    }

    /// Ends the last phase and returns the exchange as a whole.
    pub(super) fn end(
        &mut self,
        result: Result<Box<Response>, Error>,
        started: Micros,
        ended: Micros,
    ) -> Exchange {
        self.timeline.enter(Phase::Blocked, ended);
        Exchange {
            result,
            started,
            first_byte: self.first_byte,
            ended,
            phases: self.timeline.phases(),
            sent: self.sent,
            received: self.received,
            redirects: self.redirects,
            stale_retries: self.stale_retries,
            retries: self.retries,
        }
    }
}
