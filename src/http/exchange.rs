//! The result of one request, answered or not.
//!
//! Plain data; whether it is a success is for the caller to say.

use super::failure::Error;
use super::response::Response;
use super::timeline::Phases;
use crate::clock::Micros;

/// The outcome of [`Session::send`](super::Session::send) with everything that was measured,
/// kept on failure too.
#[derive(Debug)]
pub struct Exchange {
    /// The last response of the chain of redirects, whatever its status, or why there is none.
    /// Boxed, because it is handed up through half a dozen futures, each of which would copy it.
    pub result: Result<Box<Response>, Error>,
    /// When `send` began.
    pub started: Micros,
    /// When the first byte of the last response arrived.
    pub first_byte: Option<Micros>,
    /// When the last byte arrived, or the exchange was given up.
    pub ended: Micros,
    /// Where the time between `started` and `ended` went.
    pub phases: Phases,
    /// Body bytes sent, over all hops.
    pub sent: u64,
    /// Body bytes received as transferred (compressed, without chunk framing), over all hops.
    pub received: u64,
    /// Redirects followed.
    pub redirects: u32,
    /// Requests repeated because the server had closed a kept-alive connection.
    pub stale_retries: u32,
    /// Requests repeated because of `max_retries`.
    pub retries: u32,
}
